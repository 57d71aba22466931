"""Engines and sessions of the database.

In a notebook::

    with Session() as session:
        source = session.scalars(sa.select(Source).where(Source.name == "GD153")).first()
        mag = source.lightcurves[0].data["mag"]

With `Session` the process uses the database of the configuration until it ends or calls `disconnect`; with
`open_session`, until the block ends.
"""

import atexit
import os
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from weakref import WeakSet

import psycopg2
import sqlalchemy as sa
from sqlalchemy import orm

from vo_lib.database.columns import Base
from vo_lib.database.server import connect_url
from vo_lib.database.url import CONNECT_TIMEOUT, configured_url, database_identity
from vo_lib.errors import ServiceError

__all__ = ["Session", "disconnect", "get_session", "load_connection", "make_engine", "open_engine", "open_session"]

# Servers that this process uses, and all open engines and sessions.
_JOINED, _ENGINES, _SESSIONS = ExitStack(), WeakSet(), WeakSet()
_OF_PARENT = []  # servers that the parent of a forked process uses
atexit.register(_JOINED.close)


def _leave_to_parent():
    """Make a forked process connect again, and close nothing that its parent uses."""
    for engine in _ENGINES:
        engine.dispose(close=False)
    _OF_PARENT.append(_JOINED.pop_all())


os.register_at_fork(after_in_child=_leave_to_parent)


def make_engine(url, *, echo=False):
    """Create an engine that gives up on a silent server after a few seconds.

    Parameters
    ----------
    url : str or sqlalchemy.URL
        URL from `vo_lib.database.server.connect_url`.
    echo : bool, optional
        Whether to log all SQL.

    Returns
    -------
    sqlalchemy.Engine
        Engine, not yet connected.
    """
    arguments = {"connect_timeout": CONNECT_TIMEOUT, "client_encoding": "utf8"}
    engine = sa.create_engine(url, echo=echo, pool_pre_ping=True, connect_args=arguments)
    _ENGINES.add(engine)
    return engine


@contextmanager
def open_engine(url=None, *, data_root, make=True):
    """Provide an engine for the database of a data root.

    Parameters
    ----------
    url, data_root, make
        See `vo_lib.database.server.connect_url`.

    Yields
    ------
    sqlalchemy.Engine
        Engine, disposed of when the block ends.

    Raises
    ------
    ServiceError
        Also if the block ends with an error of the database, such as a lost connection or a missing privilege.
    """
    with connect_url(url, data_root=data_root, make=make) as address:
        engine = make_engine(address)
        try:
            yield engine
        except (sa.exc.DBAPIError, psycopg2.Error) as error:
            what = str(getattr(error, "orig", error)).strip().partition("\n")[0]
            raise ServiceError(f"{database_identity(url)}: {what}; fix that and run again") from error
        finally:
            engine.dispose()


@contextmanager
def open_session(url=None, *, data_root):
    """Open a session with the existing database of a data root.

    Parameters
    ----------
    url, data_root
        See `vo_lib.database.server.connect_url`.

    Yields
    ------
    Session
        Session, closed together with its engine when the block ends.
    """
    with open_engine(url, data_root=data_root, make=False) as engine, Session(engine, data_root=data_root) as session:
        yield session


class Session(orm.Session):
    """SQLAlchemy session whose rows can find their files.

    Parameters
    ----------
    bind : sqlalchemy.Engine or sqlalchemy.Connection, optional
        By default the database of the configuration, which the process then uses until `disconnect` or its end.
    configfile : str or Path, optional
        Configuration to read unless `bind` or `data_root` is given, see `vo_lib.plan.read_plan`.
    url : str, optional
        URL of another database than that of the configuration.
    data_root : str or Path, optional
        Folder of the files and of the project's own server; by default that of the configuration.
    **options
        Passed on to ``sqlalchemy.orm.Session``.

    Raises
    ------
    UserError
        If the configuration or the database cannot be used, or there is no database yet.
    """

    def __init__(self, bind=None, *, configfile=None, url=None, data_root=None, **options):
        if bind is None and data_root is None:
            from vo_lib.plan import read_plan

            plan = read_plan(configfile)
            url, data_root = url or plan.database_url, plan.data_root
        root = None if data_root is None else Path(data_root).absolute()
        bind = _joined(configured_url(url), root, False) if bind is None else bind
        _SESSIONS.add(self)
        super().__init__(bind, info={"data_root": root} | options.pop("info", {}), **options)


@cache
def _joined(url, data_root, echo):
    """Return an engine for a database that the process uses until `disconnect` or its end."""
    engine = make_engine(_JOINED.enter_context(connect_url(url, data_root=data_root, make=False)), echo=echo)
    _JOINED.callback(_leave, engine)
    return engine


def _leave(engine):
    """Close the sessions of an engine, and dispose of it."""
    for session in [session for session in _SESSIONS if session.bind is engine]:
        session.close()
    engine.dispose()


def disconnect():
    """Stop using all databases that `Session` opened; the project's own server stops if nobody else uses it."""
    _joined.cache_clear()
    _JOINED.close()


def get_session():
    """Return a new session with the database of the configuration, see `Session`."""
    return Session()


def load_connection(connection_string, echo=False):
    """Connect to a database by its URL.

    Parameters
    ----------
    connection_string : str
        URL ``dialect+driver://username:password@host:port/database`` of a PostgreSQL database.
    echo : bool, optional
        Whether to log all SQL.

    Returns
    -------
    session : Session
    base : type
        Base class of the tables, with their ``metadata``.
    engine : sqlalchemy.Engine
        Engine of the session.

    Raises
    ------
    ConfigError
        If the URL is not for PostgreSQL.
    ServiceError
        If the server does not answer.
    """
    engine = _joined(connection_string, None, bool(echo))
    return Session(engine), Base, engine
