"""HTTP sessions with paced requests, retries after failures, and restrictions on redirects."""

import logging
from urllib.parse import urljoin, urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from vo_lib.observatories.addresses import public_url
from vo_lib.observatories.answer_text import shorten
from vo_lib.observatories.pace import Pace

__all__ = ["MAX_PAUSE_S", "RETRY_STATUS", "RefusedError", "make_session"]

KEEPS_FORM = (307, 308)  # redirects that repeat the request unchanged
RETRY_STATUS = (429, 500, 502, 503, 504)
# Limit on a single pause, whatever the archive asks for: if it needs hours, that is for the next run.
MAX_PAUSE_S = 120.0


def make_session(*, retries, retry_wait_s, pace):
    """Create the session of a thread.

    Parameters
    ----------
    retries, retry_wait_s, pace
        See `vo_lib.observatories.http.HttpClient`.

    Returns
    -------
    requests.Session
        It reads nothing from the environment; `vo_lib.observatories.http` sets proxies and certificates.
    """
    policy = _Retry(
        total=retries,
        status_forcelist=RETRY_STATUS,
        allowed_methods=("GET", "POST"),
        backoff_factor=retry_wait_s,
        backoff_jitter=retry_wait_s,
        backoff_max=MAX_PAUSE_S,
        raise_on_status=False,
    )
    policy.pace = pace
    session = _Session()
    session.trust_env = False
    session.mount("http://", _Adapter(max_retries=policy))
    session.mount("https://", _Adapter(max_retries=policy))
    return session


class _PublicUrls(logging.Filter):
    """Removes secrets from URLs in urllib3's own log messages, such as that of a retry."""

    def filter(self, record):
        """Mask the URLs in a record and let it pass."""
        if isinstance(record.args, tuple):
            record.args = tuple(public_url(arg) if isinstance(arg, str) and "?" in arg else arg for arg in record.args)
        return True


for _name in ("urllib3.connectionpool", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(_PublicUrls())


class _Retry(Retry):
    """Retry policy that obeys ``Retry-After`` only up to a limit, and ignores invalid values of it.

    Retries are paced like first requests.
    """

    pace = Pace()

    def __repr__(self):
        """Return the text that urllib3 logs in brackets when it retries."""
        return f"{self.total} more times at most"

    def new(self, **changes):
        """Return a changed copy of the policy, with the same pace."""
        policy = super().new(**changes)
        policy.pace = self.pace
        return policy

    def sleep(self, response=None):
        """Wait before a retry."""
        super().sleep(response)
        self.pace.wait()

    def get_retry_after(self, response):
        """Return how long the archive asks to wait, at most `MAX_PAUSE_S` [s]; None for the usual pause."""
        try:
            pause = super().get_retry_after(response)
        except (InvalidHeader, ValueError, OverflowError):
            return None
        return None if pause is None else min(pause, MAX_PAUSE_S)


class _Adapter(HTTPAdapter):
    """Adapter that paces requests, including those that follow a redirect."""

    def send(self, *arguments, **options):
        """Send a request when its turn comes and return the response."""
        self.max_retries.pace.wait()
        return super().send(*arguments, **options)


class RefusedError(requests.RequestException):
    """A redirect was not followed; the message says why."""


class _Session(requests.Session):
    """Session that follows redirects, except from HTTPS to HTTP, to other schemes, or elsewhere with a form."""

    def get_redirect_target(self, response):
        """Return the target of a redirect, or None if the response is not one."""
        target = super().get_redirect_target(response)
        if target is None:
            return None
        old, new = urlsplit(response.url), urlsplit(urljoin(response.url, target))
        if why := _why_refused(response, old, new):
            response.close()
            raise RefusedError(why)
        if (old.scheme, new.scheme) == ("https", "http"):  # the server does not know that it is behind a proxy
            return urlunsplit(new._replace(scheme="https", netloc=old.netloc))
        return target


def _why_refused(response, old, new):
    """Reason not to follow a redirect from one address to another, or None."""
    if new.scheme not in ("http", "https"):
        return f"it redirects to an address of {shorten(new.scheme, 20)}, which is not followed"
    if (old.scheme, new.scheme) == ("https", "http") and new.netloc.lower() != old.hostname:
        return f"it redirects from HTTPS to HTTP at {shorten(new.hostname or '')}, which is not followed"
    if response.request.body and response.status_code in KEEPS_FORM and new.netloc != old.netloc:
        server = shorten(new.netloc.rpartition("@")[2])
        return f"it redirects the form to {server}, another server, which is not followed"
    return None
