"""What is done to a database as a whole: its state, copies of it, readers, a new beginning."""

import os
import subprocess
import tempfile
from pathlib import Path

import psycopg2.extensions
import sqlalchemy as sa

from vo_lib.database.models import Base, Project, Source, SyncedBin
from vo_lib.database.programs import find_program
from vo_lib.database.schema import VERSION_TABLE, expect_own, newest_revision, stored_revision, upgrade
from vo_lib.database.url import connect_arguments
from vo_lib.database.views import VIEWS
from vo_lib.errors import ConfigError, ServiceError, UserError
from vo_lib.files import read_json, replacing

__all__ = ["back_up", "describe", "drop_receipts", "grant_reading", "reset", "restore", "run_program"]

READONLY = Path(__file__).with_name("readonly.sql")

# Options of psql for a script: no settings of the user's, an end at the first error.
SCRIPTED = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1")


def describe(engine):
    """Say what is in a database.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The database.

    Returns
    -------
    dict
        ``version`` of the server, ``size_mb``, ``revision`` of the tables (None without any), the ``newest`` that there
        is, and ``projects``: for each its name, folder, number of bins and sources, and when it was last changed.
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
    """Summary of each project, by folder."""
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
    """Run a program of PostgreSQL on a database.

    Parameters
    ----------
    name : str
        Such as ``psql``; its database comes from `url`, the password in the environment.
    url : sqlalchemy.URL
        From `vo_lib.database.server.connect_url`.
    *arguments : str
        Its other arguments.
    quiet : bool, optional
        Whether what it writes is kept for the message of an error; else it goes to the terminal.

    Returns
    -------
    int
        Its exit status.

    Raises
    ------
    ServiceError
        If it is quiet and fails.
    ConfigError
        If the URL has a password of a key, which the program takes on its command line alone, where all can read it.
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
    """Write all tables of a database to a file, in the format of pg_dump that pg_restore reads.

    Parameters
    ----------
    url : sqlalchemy.URL
        The database.
    path : str or Path
        The file; one that is there is replaced when the new one is complete.
    """
    with replacing(path) as part:
        run_program("pg_dump", url, "--format=custom", "--no-owner", "--no-acl", f"--file={part}", *_only_ours())


def _only_ours():
    """Options of pg_dump for the tables and views of this project alone."""
    return [f"--table=public.{name}" for name in (*_tables(), *VIEWS)]


def _tables():
    """Names of all tables, with that of the revision."""
    return [*(table.name for table in Base.metadata.sorted_tables), VERSION_TABLE]


def restore(engine, path):
    """Put the tables of a backup in the place of those of a database, and bring them to the newest revision.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The database.
    path : str or Path
        File of `back_up`.

    Raises
    ------
    UserError
        If there is no such file.
    ServiceError
        If it is no backup: the database is as it was; or if it cannot be read in: the database is then empty.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: no such backup")
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "restore.sql"
        command = [find_program("pg_restore"), "--no-owner", "--no-acl", f"--file={script}", str(path)]
        if subprocess.run(command, capture_output=True, check=False).returncode:  # noqa: S603 - no shell
            raise ServiceError(f"{path}: is no backup of `vo db backup` or pg_dump --format=custom")
        _suit_older_servers(script)
        reset(engine)
        run_program("psql", engine.url, *SCRIPTED, "--single-transaction", f"--file={script}")
    upgrade(engine)


def _suit_older_servers(script):
    """Make a comment of the one setting of a script that PostgreSQL knows since version 17 only."""
    with open(script, "r+b") as file:
        head = file.read(4096)
        file.seek(0)
        file.write(head.replace(b"SET transaction_timeout", b"--  transaction_timeout"))


def reset(engine):
    """Drop all tables and views of this project; a database with those of another program is refused."""
    with engine.begin() as connection:
        expect_own(connection, _tables())
        names = ", ".join(f'"{name}"' for name in _tables())
        connection.execute(sa.text(f"DROP TABLE IF EXISTS {names} CASCADE"))


def grant_reading(url, role):
    """Let a role, which is made unless there is one, read all tables and views and change nothing."""
    if not role.strip():
        raise UserError("the role has no name; give one, such as astronomer")
    run_program("psql", url, *SCRIPTED, f"--set=role={role}", f"--file={READONLY}")


def drop_receipts(data_root, identity):
    """Remove the receipts of all projects for a database, so that the next run syncs them anew.

    Parameters
    ----------
    data_root : str or Path
        The data root.
    identity : str
        See `vo_lib.database.url.database_identity`.

    Returns
    -------
    list of Path
        The receipts that went.
    """
    receipts = sorted(Path(data_root).glob("*/database.json"))
    gone = [path for path in receipts if read_json(path).get("database", {}).get("identity") == identity]
    for path in gone:
        path.unlink()
    return gone
