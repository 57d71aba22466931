"""The version of the tables of a database, and how an older one becomes the present one.

Each change of the tables is a revision, a module of ``migrations/versions`` that alembic runs. Names of
revisions are numbers, so that the newest is known without loading alembic or any of them.
"""

from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from vo_lib.errors import UserError

__all__ = [
    "MIGRATIONS",
    "NO_TABLES",
    "OWN",
    "VERSION_TABLE",
    "expect_own",
    "expect_tables",
    "frozen_views",
    "known_revisions",
    "newest_revision",
    "one_at_a_time",
    "stored_revision",
    "upgrade",
]

MIGRATIONS = Path(__file__).parent / "migrations"

# Any fixed number: all who change the tables ask for this lock.
LOCK = 7_268_531

OWN = "raw_photometry"  # a table of each version of this project, and hardly of another program
VERSION_TABLE = "alembic_version"
UNDEFINED = {"42P01", "42703"}  # codes of errors of PostgreSQL: no such table, no such column
MISFITS = UNDEFINED | {"42P07", "42701", "42710"}  # and there is such a table, view, column or constraint already
RESET = "run `vo db reset --yes` and then snakemake, which makes the rows again from the files"
ELSEWHERE = "give this project a database of its own by database.url or VO_DATABASE_URL"
NO_TABLES = (
    "the database has no tables yet; run snakemake to fill it, after `vo db reset --yes` if they were lost and it has "
    "nothing to do"
)


def one_at_a_time(connection):
    """Wait until no other transaction that called this is open; it lasts as long as the transaction."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))


@contextmanager
def expect_tables(session):
    """Say it where there are no tables, or older ones; to ask for them beforehand would take as long as a query."""
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
            f"run of snakemake brings them to revision {newest_revision()}"
        ) from None


def expect_own(connection, tables):
    """Say it where tables of another program have names that this one uses, which must not be changed or dropped.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        To the database.
    tables : list of str
        Names to look for, `OWN` among them.

    Returns
    -------
    list of str
        Those that there are.

    Raises
    ------
    UserError
        If some are there, but not `OWN`.
    """
    asked = sa.select(*(sa.func.to_regclass(table).is_not(None) for table in tables))
    found = [table for table, there in zip(tables, connection.execute(asked).one(), strict=True) if there]
    if found and OWN not in found:
        raise UserError(f"the database has tables of another program ({', '.join(found)}); {ELSEWHERE}")
    return found


def known_revisions():
    """Names of all revisions that this version has, the oldest first."""
    return sorted(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def newest_revision():
    """Name of the revision that the models are of."""
    return known_revisions()[-1]


def stored_revision(connection):
    """Revision that a database is at.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        To the database.

    Returns
    -------
    str or None
        None for a database without tables of this project.

    Raises
    ------
    UserError
        If its tables are of a version that had no revisions, or of a newer one than this, or of another program.
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
    """Configuration of alembic for a connection, in whose transaction it works."""
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def frozen_views():
    """Texts of the views of the newest revision by name; none without revisions."""
    from alembic.script import ScriptDirectory

    newest = ScriptDirectory(MIGRATIONS).get_revision("head")
    return newest.module.VIEWS if newest else {}


def upgrade(engine, revision=None):
    """Bring the tables of a database to a revision; nothing is done where it has it.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The database.
    revision : str, optional
        Name of the revision; the newest without it.

    Raises
    ------
    UserError
        See `stored_revision`; or if its tables are not those that their revision has.
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
            command.upgrade(_config(connection), wanted)
        except sa.exc.ProgrammingError as error:
            if error.orig.pgcode not in MISFITS:
                raise
            what = str(error.orig).partition("\n")[0]
            if stored is None:
                raise UserError(f"the database has a table of another program ({what}); {ELSEWHERE}") from error
            raise UserError(
                f"the tables of the database are not those of revision {stored} ({what}), as where they were changed "
                f"by hand or by a version that was never released; {RESET}"
            ) from error
