"""Where a database is, which is the same for all accounts; importing this loads neither SQLAlchemy nor a driver."""

from urllib.parse import parse_qsl, urlsplit

from vo_lib.errors import ConfigError

__all__ = ["EMBEDDED", "UNREADABLE", "URL_FORM", "database_place"]

EMBEDDED = "embedded"  # the project's own server
URL_FORM = "database.url or VO_DATABASE_URL must be like postgresql://user:password@host:5432/name"
UNREADABLE = (
    f"{URL_FORM}, but it cannot be read as a URL; correct it: in a password, @ is %40, / is %2F, # is %23 and ? is %3F"
)

# Parameters of a URL that tell where the tables are; options may set the search path, and so the schema.
PLACES = ("service", "host", "hostaddr", "port", "dbname", "options")


def database_place(url):
    """Return where a database is, without the account, password and other parameters.

    Parameters
    ----------
    url : str
        URL of a PostgreSQL server, or `EMBEDDED`, which is returned as it is.

    Returns
    -------
    str
        Such as ``db.example.org:5432/stars`` or ``:5432/stars?host=/run/postgresql``.

    Raises
    ------
    ConfigError
        If the URL cannot be read.
    """
    if url == EMBEDDED:
        return url
    try:
        parts = urlsplit(url)
        place = f"{parts.hostname or ''}:{parts.port or 5432}{parts.path}"
    except ValueError:
        raise ConfigError(UNREADABLE) from None
    names = [piece.partition("=")[0] for piece in parts.query.split("&")]
    if parts.fragment or any("@" in part for part in (place, *names)):
        raise ConfigError(UNREADABLE)
    more = "&".join(sorted(f"{name}={value}" for name, value in parse_qsl(parts.query) if name in PLACES))
    return f"{place}?{more}" if more else place
