"""Open the database of a project if it exists already."""

from contextlib import contextmanager

from vo_lib.database.schema import expect_tables, stored_revision
from vo_lib.database.server import server_state
from vo_lib.database.session import open_session

__all__ = ["existing_session"]


@contextmanager
def existing_session(plan):
    """Open a session with the database of a project, without creating one.

    Parameters
    ----------
    plan : vo_lib.plan.Plan
        The project, with ``database_url`` and ``data_root``.

    Yields
    ------
    sqlalchemy.orm.Session or None
        None if the project's own database does not exist yet, or the database has no tables.
    """
    if not plan.database_url and not server_state(plan.data_root)["exists"]:
        yield None
        return
    with open_session(plan.database_url, data_root=plan.data_root) as session, expect_tables(session):
        yield session if stored_revision(session.connection()) else None
