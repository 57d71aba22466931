"""URLs of archives: shown without secrets, and checked where an archive gives one."""

from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

__all__ = ["SECRET_WORDS", "own_address", "public_url"]

SECRET_WORDS = ("auth", "email", "key", "pass", "secret", "sign", "token", "user")


def public_url(url, query=None):
    """Return a URL, with a query if given, without user and password, and with the values of secret parameters masked.

    Parameters
    ----------
    url : str
        The URL; without a query if `query` is given.
    query : dict of str to str or list of str, optional
        Parameters of a request; one with a list is repeated for each value.

    Returns
    -------
    str
    """
    parts = urlsplit(f"{url}?{urlencode(query, doseq=True)}" if query else url)
    query = [
        (name, "***" if any(word in name.lower() for word in SECRET_WORDS) else value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    ]
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, urlencode(query, safe="*,"), ""))


def own_address(server, given):
    """Return an address that a server gave in absolute form, or None if it is malformed or on another server."""
    try:
        url = urljoin(f"{server}/", str(given))
        return url if urlsplit(url)[:2] == urlsplit(server)[:2] else None
    except ValueError:
        return None
