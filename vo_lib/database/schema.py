"""Schema version of a database, and its migration to the newest one.

Each change of the tables is a revision, a module of ``migrations/versions`` that alembic runs. File names begin with
the number of the revision, so that the newest is known without loading alembic or any of them.
"""

from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from vo_lib.database.columns import Base
from vo_lib.errors import UserError

__all__ = [
    "MIGRATIONS",
    "NO_TABLES",
    "OWN",
    "VERSION_TABLE",
    "expect_own",
    "expect_tables",
    "expect_unused",
    "frozen_views",
    "known_revisions",
    "newest_revision",
    "one_at_a_time",
    "renew_statistics",
    "stored_revision",
    "upgrade",
]

MIGRATIONS = Path(__file__).parent / "migrations"

# Key of the advisory lock for all who change the tables; any fixed number will do.
LOCK = 7_268_531

OWN = "raw_photometry"  # every version of this project has this table, other programs hardly do
VERSION_TABLE = "alembic_version"
UNDEFINED = {"42P01", "42703"}  # error codes of PostgreSQL: undefined table, undefined column
LOCKED = "55P03"  # error code: a lock could not be had in time
READERS_S = 60  # time that others have for finishing a query before tables change [s]
MISFITS = UNDEFINED | {"42P07", "42701", "42710"}  # duplicate table or view, column, and constraint
RESET = "run `vo db reset --yes` and then snakemake or Project.run, which makes the rows again from the files"
ELSEWHERE = "give this project a database of its own by database.url or VO_DATABASE_URL"
NO_TABLES = (
    "the database has no tables yet; run snakemake or Project.run to fill it, after `vo db reset --yes` if they "
    "were lost and the run has nothing to do"
)


def one_at_a_time(connection):
    """Take an advisory lock until the transaction ends; wait for other transactions that hold it."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))


@contextmanager
def expect_tables(session):
    """Turn errors from missing or outdated tables into `UserError`; a check beforehand would cost a query."""
    try:
        yield
    except sa.exc.ProgrammingError as error:
        if error.orig.pgcode not in UNDEFINED:
            raise
        session.rollback()
        revision = stored_revision(session.connection())
        if revision in (None, newest_revision()):
            raise UserError(NO_TABLES) from None
        raise UserError(
            f"the tables of the database are of revision {revision}, older than this version of vo_lib needs; the next "
            f"run upgrades them to revision {newest_revision()}"
        ) from None


def expect_own(connection, tables):
    """Check that tables with names of this project are not those of another program.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        Connection to the database.
    tables : list of str
        Names to look for, including `OWN`.

    Returns
    -------
    list of str
        Names of the tables that exist.

    Raises
    ------
    UserError
        If some of them exist, but `OWN` does not.
    """
    asked = sa.select(*(sa.func.to_regclass(table).is_not(None) for table in tables))
    found = [table for table, there in zip(tables, connection.execute(asked).one(), strict=True) if there]
    if found and OWN not in found:
        raise UserError(f"the database has tables of another program ({', '.join(found)}); {ELSEWHERE}")
    return found


@contextmanager
def expect_unused(connection):
    """Turn a long wait for readers of tables that are to change into `UserError`; all later readers would wait too."""
    connection.execute(sa.text(f"SET LOCAL lock_timeout = '{READERS_S}s'"))
    try:
        yield
    except sa.exc.OperationalError as error:
        if error.orig.pgcode != LOCKED:
            raise
        raise UserError(
            "the tables of the database must change, but are still in use, perhaps by a notebook with an open session; "
            "close it and run again"
        ) from None


def known_revisions():
    """List the names of all revisions of this version of vo_lib, the oldest first."""
    return sorted(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def newest_revision():
    """Return the name of the revision of the models."""
    return known_revisions()[-1]


def stored_revision(connection):
    """Return the revision of a database.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        Connection to the database.

    Returns
    -------
    str or None
        Name of the revision; None without tables of this project.

    Raises
    ------
    UserError
        If the tables are of a version without revisions, of a newer version than this one, or of another program.
    """
    found = expect_own(connection, [OWN, VERSION_TABLE, "lightcurves"])
    if VERSION_TABLE not in found:
        if found:
            raise UserError(f"the tables of the database are of a version without migrations; {RESET}")
        return None
    revision = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    if revision is not None and revision not in known_revisions():
        raise UserError(
            f"the tables of the database are of revision {revision}, but this version of vo_lib knows them up to "
            f"{newest_revision()}; update vo_lib, or use another database, or {RESET}"
        )
    return revision


def _config(connection):
    """Return a configuration of alembic that works in the transaction of a connection."""
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def frozen_views():
    """Return the definitions of the views in the newest revision, by name; empty without revisions."""
    from alembic.script import ScriptDirectory

    newest = ScriptDirectory(MIGRATIONS).get_revision("head")
    return newest.module.VIEWS if newest else {}


def upgrade(engine, revision=None):
    """Migrate the tables of a database to a revision; do nothing if they are there already.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The database.
    revision : str, optional
        Name of the revision; by default the newest.

    Raises
    ------
    UserError
        See `stored_revision`; also if the tables do not match their revision, or others use them for long.
    """
    wanted = revision or newest_revision()
    with engine.connect() as connection:
        if stored_revision(connection) == wanted:
            return
    with engine.begin() as connection:
        one_at_a_time(connection)
        stored = stored_revision(connection)
        from alembic import command

        try:
            with expect_unused(connection):
                command.upgrade(_config(connection), wanted)
        except sa.exc.ProgrammingError as error:
            if error.orig.pgcode not in MISFITS:
                raise
            what = str(error.orig).partition("\n")[0]
            if stored is None:
                raise UserError(f"the database has a table of another program ({what}); {ELSEWHERE}") from error
            raise UserError(
                f"the tables of the database are not those of revision {stored} ({what}), perhaps because they "
                f"were changed by hand or by an unreleased version; {RESET}"
            ) from error


def renew_statistics(engine):
    """Let PostgreSQL sample all tables, by which it plans queries; tables that the account may not sample are left out.

    A server does so by itself a minute or so after a change, when the project's own server has often stopped.
    """
    with engine.begin() as connection:
        one_at_a_time(connection)
        connection.execute(sa.text(f"ANALYZE {', '.join(table.name for table in Base.metadata.sorted_tables)}"))
