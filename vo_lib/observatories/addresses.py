"""URLs of archives: shown without secrets, and checked where an archive gives one."""

from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

__all__ = ["SECRET_WORDS", "Where", "own_address", "public_url"]

SECRET_WORDS = ("auth", "email", "key", "pass", "secret", "sign", "token", "user")


def public_url(url):
    """Return a URL without user and password, and with the values of secret parameters masked."""
    parts = urlsplit(url)
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


class Where:
    """URL of a request without its secrets, built only when an error message shows it."""

    def __init__(self, url, query):
        self._url, self._query = url, query

    def __str__(self):
        """Return the URL without secrets."""
        return public_url(f"{self._url}?{urlencode(self._query, doseq=True)}" if self._query else self._url)
