"""Addresses of archives as they may be shown, without secrets, and those that archives name."""

from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

__all__ = ["SECRET_WORDS", "Where", "own_address", "public_url"]

SECRET_WORDS = ("auth", "email", "key", "pass", "secret", "sign", "token", "user")


def public_url(url):
    """Take user, password and the values of secret parameters out of a URL."""
    parts = urlsplit(url)
    query = [
        (name, "***" if any(word in name.lower() for word in SECRET_WORDS) else value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    ]
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, urlencode(query, safe="*,"), ""))


def own_address(server, given):
    """Address that a server named, absolute; None if it is of another server or no address at all."""
    try:
        url = urljoin(f"{server}/", str(given))
        return url if urlsplit(url)[:2] == urlsplit(server)[:2] else None
    except ValueError:
        return None


class Where:
    """Address and query of a request without their secrets, put together when an error shows them."""

    def __init__(self, url, query):
        self._url, self._query = url, query

    def __str__(self):
        """The URL."""
        return public_url(f"{self._url}?{urlencode(self._query, doseq=True)}" if self._query else self._url)
