"""Engines and sessions of the database."""

from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vo_lib.database.server import connect_url
from vo_lib.database.url import CONNECT_TIMEOUT

__all__ = ["make_engine", "open_engine", "open_session"]


def make_engine(url, *, echo=False):
    """Engine of a database that gives up on a silent server after a few seconds.

    Parameters
    ----------
    url : str or sqlalchemy.URL
        From `vo_lib.database.server.connect_url`.
    echo : bool, optional
        Whether all SQL is logged.

    Returns
    -------
    sqlalchemy.Engine
        Not yet connected.
    """
    arguments = {"connect_timeout": CONNECT_TIMEOUT, "client_encoding": "utf8"}
    return sa.create_engine(url, echo=echo, pool_pre_ping=True, connect_args=arguments)


@contextmanager
def open_engine(url=None, *, data_root):
    """Engine of the database of a data root.

    Parameters
    ----------
    url, data_root
        See `vo_lib.database.server.connect_url`.

    Yields
    ------
    sqlalchemy.Engine
        Disposed of when the block ends.
    """
    with connect_url(url, data_root=data_root) as address:
        engine = make_engine(address)
        try:
            yield engine
        finally:
            engine.dispose()


@contextmanager
def open_session(url=None, *, data_root):
    """Open the database of a data root for queries.

    Parameters
    ----------
    url, data_root
        See `vo_lib.database.server.connect_url`.

    Yields
    ------
    sqlalchemy.orm.Session
        Closed, with its engine, when the block ends.
    """
    with open_engine(url, data_root=data_root) as engine, Session(engine) as session:
        yield session
