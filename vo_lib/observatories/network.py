"""What all surveys that are queried over HTTP have in common."""

from dataclasses import dataclass, fields
from functools import cached_property
from urllib.parse import urlsplit

from vo_lib.errors import ConfigError
from vo_lib.observatories.base import VirtualObservatory
from vo_lib.observatories.parameters import check_range

__all__ = ["NetworkObservatory", "NetworkParameters", "check_period", "check_url"]


@dataclass(frozen=True)
class NetworkParameters:
    """Parameters of the requests to an archive; none of them changes the answers.

    Parameters
    ----------
    timeout_s, retries, retry_wait_s, contact
        See `vo_lib.observatories.http.HttpClient`.
    """

    timeout_s: float = 300.0
    retries: int = 3
    retry_wait_s: float = 2.0
    contact: str = ""

    def __post_init__(self):
        check_range(self, "timeout_s", 0.01, 3600)
        check_range(self, "retries", 0, 20)
        check_range(self, "retry_wait_s", 0, 60)


def check_url(url):
    """Raise `ConfigError` unless a URL is HTTP or HTTPS and has no user, password or query."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or parts.query:
        raise ConfigError("url must be an http or https address without a user, password or query")


def check_period(parameters, first_mjd=0):
    """Raise `ConfigError` if ``mjd_min`` is before the first day, or ``mjd_max`` neither 0 nor after ``mjd_min``."""
    check_range(parameters, "mjd_min", first_mjd, 100000)
    check_range(parameters, "mjd_max", 0, 100000)
    if 0 < parameters.mjd_max <= parameters.mjd_min:
        raise ConfigError(f"mjd_max must be 0 or later than mjd_min, got {parameters.mjd_max:g}")


class NetworkObservatory(VirtualObservatory):
    """Base class of surveys that are queried over HTTP; their `Parameters` extend `NetworkParameters`."""

    Parameters = NetworkParameters
    asked_by = ("url", *(field.name for field in fields(NetworkParameters)))

    @property
    def _client_options(self):
        """Keyword arguments of `vo_lib.observatories.http.HttpClient`."""
        return {field.name: getattr(self.pars, field.name) for field in fields(NetworkParameters)} | {"pace": self.pace}

    @cached_property
    def _client(self):
        """Client of the service; its libraries are imported only with the first request."""
        from vo_lib.observatories.http import HttpClient

        return HttpClient(**self._client_options)
