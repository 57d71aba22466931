"""Handle database URLs: find and parse the configured one, test it, and show it without secrets."""

import os

import psycopg2
import sqlalchemy as sa

from vo_lib.database.place import EMBEDDED, UNREADABLE, URL_FORM
from vo_lib.errors import ConfigError
from vo_lib.observatories.credentials import LEAST_LENGTH

__all__ = [
    "CONNECT_TIMEOUT",
    "configured_url",
    "connect_arguments",
    "database_identity",
    "parse_url",
    "redact",
    "refusal",
]

CONNECT_TIMEOUT = 5  # seconds for a server to answer
OLDEST_VERSION = 14
SECRETS = ("password", "sslpassword")


def configured_url(url=None):
    """Return the URL of the configuration (`url`), or else of the environment (``VO_DATABASE_URL``), or None."""
    return url or os.environ.get("VO_DATABASE_URL") or None


def database_identity(url=None):
    """Return the identity of the database: the configured URL without secrets, or ``embedded``."""
    return redact(url) if (url := configured_url(url)) else EMBEDDED


def redact(url):
    """Format a URL with ``***`` for the password and without secrets in the query; never fails.

    Parameters
    ----------
    url : str or sqlalchemy.URL
        Any URL, even one that cannot be parsed.

    Returns
    -------
    str
        The URL, or ``(unreadable URL)`` if it cannot be parsed, because a password could then be anywhere.
    """
    try:
        url = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        return "(unreadable URL)"
    return url.difference_update_query(SECRETS).render_as_string(hide_password=True)


def parse_url(url):
    """Parse a PostgreSQL URL for psycopg2; `ConfigError` if it is not valid."""
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise ConfigError(UNREADABLE) from None
    if parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise ConfigError(f"{URL_FORM}, but it is for '{parsed.get_backend_name()}'; only PostgreSQL is supported")
    if "@" in (parsed.host or ""):
        raise ConfigError(UNREADABLE)
    return parsed.set(drivername="postgresql+psycopg2")


def refusal(url):
    """Try to connect; return why that fails or the server is too old, in one line without secrets, or else None."""
    arguments = {"connect_timeout": CONNECT_TIMEOUT} | connect_arguments(url)
    try:
        connection = psycopg2.connect(**arguments)
    except psycopg2.Error as error:
        text = " ".join(str(error).split())
        for secret in (url.password, *(url.query.get(name) for name in SECRETS)):
            text = text.replace(secret, "***") if len(secret or "") >= LEAST_LENGTH else text
        return text
    version = connection.server_version // 10000
    connection.close()
    return None if version >= OLDEST_VERSION else f"it is PostgreSQL {version}, at least {OLDEST_VERSION} is needed"


def connect_arguments(url):
    """Return the keyword arguments of psycopg2 for a URL, as made by SQLAlchemy."""
    return url.get_dialect()().create_connect_args(url)[1]
