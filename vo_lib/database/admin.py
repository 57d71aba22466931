"""Administer a database: describe, back up, restore and reset it, and grant read access."""

import os
import subprocess
import tempfile
from pathlib import Path

import psycopg2.extensions
import sqlalchemy as sa

from vo_lib.database.models import Base, Project, Source, SyncedBin
from vo_lib.database.place import database_place
from vo_lib.database.programs import find_program
from vo_lib.database.schema import (
    VERSION_TABLE,
    expect_own,
    expect_unused,
    newest_revision,
    renew_statistics,
    stored_revision,
    upgrade,
)
from vo_lib.database.url import connect_arguments
from vo_lib.database.views import VIEWS
from vo_lib.errors import ConfigError, ServiceError, UserError
from vo_lib.files import read_json, replacing

__all__ = ["back_up", "describe", "drop_receipts", "grant_reading", "reset", "restore", "run_program"]

READONLY = Path(__file__).with_name("readonly.sql")

# Options of psql for scripts: ignore the user's settings, stop at the first error.
SCRIPTED = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1")


def describe(engine):
    """Describe the contents of a database.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The database.

    Returns
    -------
    dict
        ``version`` of the server, ``size_mb``, ``revision`` of the tables (None without tables), the ``newest``
        revision, and ``projects``: name, folder, number of bins and sources, and time of the last change of each; empty
        unless the tables are at the newest revision.
    """
    with engine.connect() as connection:
        revision = stored_revision(connection)
        return {
            "version": connection.scalar(sa.text("SHOW server_version")),
            "size_mb": round(connection.scalar(sa.text("SELECT pg_database_size(current_database())")) / 1e6, 1),
            "revision": revision,
            "newest": newest_revision(),
            "projects": _projects(connection) if revision == newest_revision() else [],
        }


def _projects(connection):
    """Summarize each project, in the order of their folders."""
    n_sources = sa.select(sa.func.count()).where(Source.project_id == Project.id).scalar_subquery()
    n_bins, changed = (
        sa.select(value).where(SyncedBin.project_id == Project.id).scalar_subquery()
        for value in (sa.func.count(SyncedBin.id), sa.func.max(SyncedBin.modified_at))
    )
    query = sa.select(Project.name, Project.folder, n_bins.label("bins"), n_sources.label("sources"), changed)
    return [
        {"name": name, "folder": folder, "bins": bins, "sources": sources, "changed": time and time.isoformat()}
        for name, folder, bins, sources, time in connection.execute(query.order_by(Project.folder))
    ]


def run_program(name, url, *arguments, quiet=True):
    """Run a PostgreSQL client program on a database.

    Parameters
    ----------
    name : str
        Name of the program, such as ``psql``.
    url : sqlalchemy.URL
        From `vo_lib.database.server.connect_url`; the password is passed in the environment.
    *arguments : str
        Further arguments.
    quiet : bool, optional
        Whether to capture the output, for the message of an error; otherwise it goes to the terminal.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    ServiceError
        If the program fails and `quiet` is set.
    ConfigError
        If the URL has a password for a key (``sslpassword``), which the program takes only on its command line, where
        other users could read it.
    """
    options = connect_arguments(url)
    if "sslpassword" in options:
        raise ConfigError(
            f"{name} would show sslpassword in the list of processes; use a key without a password for it"
        )
    password = options.pop("password", None)
    environment = os.environ | ({"PGPASSWORD": password} if password else {})
    done = subprocess.run(  # noqa: S603 - a program of PostgreSQL, no shell
        [find_program(name), "--dbname", psycopg2.extensions.make_dsn(**options), *map(str, arguments)],
        env=environment,
        capture_output=quiet,
        text=True,
        check=False,
    )
    if quiet and done.returncode:
        raise ServiceError(f"{name}: {' '.join(done.stderr.split()) or f'ended with status {done.returncode}'}")
    return done.returncode


def back_up(url, path):
    """Back up all tables and views of this project to a file in the custom format of pg_dump, for pg_restore.

    Parameters
    ----------
    url : sqlalchemy.URL
        The database.
    path : str or Path
        File to write; an existing one is replaced once the new one is complete.
    """
    ours = [f"--table={name}" for name in (*_tables(), *VIEWS)]  # in the schema that the search path leads to
    with replacing(path) as part:
        run_program("pg_dump", url, "--format=custom", "--no-owner", "--no-acl", f"--file={part}", *ours)


def _tables():
    """List the names of all tables, including that of the revision."""
    return [*(table.name for table in Base.metadata.sorted_tables), VERSION_TABLE]


def restore(engine, path):
    """Replace the tables of a database by those of a backup, and migrate them to the newest revision.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The database.
    path : str or Path
        File written by `back_up`.

    Raises
    ------
    UserError
        If the file does not exist, or the database has tables of another program.
    ServiceError
        If the file is not a backup, and the database is unchanged; or if loading it fails, and the database is empty.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: no such backup")
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "restore.sql"
        command = [find_program("pg_restore"), "--no-owner", "--no-acl", f"--file={script}", str(path)]
        if subprocess.run(command, capture_output=True, check=False).returncode:  # noqa: S603 - no shell
            raise ServiceError(f"{path}: is not a backup made by `vo db backup` or pg_dump --format=custom")
        _suit_older_servers(script)
        reset(engine)
        run_program("psql", engine.url, *SCRIPTED, "--single-transaction", f"--file={script}")
    upgrade(engine)
    renew_statistics(engine)


def _suit_older_servers(script):
    """Comment out the one setting in a script that servers before PostgreSQL 17 do not know."""
    with open(script, "r+b") as file:
        head = file.read(4096)
        file.seek(0)
        file.write(head.replace(b"SET transaction_timeout", b"--  transaction_timeout"))


def reset(engine):
    """Drop all tables and views of this project; `UserError` if others use them, or they are of another program."""
    with engine.begin() as connection:
        expect_own(connection, _tables())
        names = ", ".join(f'"{name}"' for name in _tables())
        with expect_unused(connection):
            connection.execute(sa.text(f"DROP TABLE IF EXISTS {names} CASCADE"))


def grant_reading(url, role):
    """Grant a role, created if necessary, read-only access to all tables and views."""
    if not role.strip():
        raise UserError("the role has no name; give one, such as astronomer")
    run_program("psql", url, *SCRIPTED, f"--set=role={role}", f"--file={READONLY}")


def drop_receipts(data_root, place):
    """Remove the receipts of all projects in a database, so that the next run syncs them again.

    Parameters
    ----------
    data_root : str or Path
        The data root.
    place : str
        Where the database is, see `vo_lib.database.place.database_place`; the account does not matter.

    Returns
    -------
    list of Path
        Receipts that were removed.
    """
    receipts = sorted(Path(data_root).glob("*/database.json"))
    identities = {path: read_json(path).get("database", {}).get("identity", "") for path in receipts}
    gone = [path for path, identity in identities.items() if database_place(identity) == place]
    for path in gone:
        path.unlink()
    return gone
