"""How requests are sent: each in its turn, again after a failure, and where a redirection may lead."""

import logging
from urllib.parse import urljoin, urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from vo_lib.downloads.pace import Pace
from vo_lib.observatories.addresses import public_url
from vo_lib.observatories.answers import shorten

__all__ = ["MAX_PAUSE_S", "RETRY_STATUS", "RefusedError", "make_session"]

KEEPS_FORM = (307, 308)  # redirections that repeat the request as it was
RETRY_STATUS = (429, 500, 502, 503, 504)
# No single pause is longer, whatever the archive asks for: hours belong to the next run.
MAX_PAUSE_S = 120.0


def make_session(*, retries, retry_wait_s, pace):
    """Make the session of a thread.

    Parameters
    ----------
    retries, retry_wait_s, pace
        See `vo_lib.observatories.http.HttpClient`.

    Returns
    -------
    requests.Session
        It looks nothing up in the environment.
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
    """Takes secrets out of the addresses in urllib3's own messages, such as that of a retry."""

    def filter(self, record):
        """Let every message pass."""
        if isinstance(record.args, tuple):
            record.args = tuple(public_url(arg) if isinstance(arg, str) and "?" in arg else arg for arg in record.args)
        return True


for _name in ("urllib3.connectionpool", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(_PublicUrls())


class _Retry(Retry):
    """Policy of retries that obeys ``Retry-After`` only up to a limit, and not at all where it cannot be understood.

    A retry waits for its turn as a first request does.
    """

    pace = Pace()

    def __repr__(self):
        """What the log of urllib3 says in brackets when it tries again."""
        return f"{self.total} more times at most"

    def new(self, **changes):
        """Policy for what comes next."""
        policy = super().new(**changes)
        policy.pace = self.pace
        return policy

    def sleep(self, response=None):
        """Wait before a retry."""
        super().sleep(response)
        self.pace.wait()

    def get_retry_after(self, response):
        """Seconds that the archive asks to wait, at most `MAX_PAUSE_S`; None leaves it to the usual pauses."""
        try:
            pause = super().get_retry_after(response)
        except (InvalidHeader, ValueError, OverflowError):
            return None
        return None if pause is None else min(pause, MAX_PAUSE_S)


class _Adapter(HTTPAdapter):
    """Sends each request, those of redirections too, when it is its turn."""

    def send(self, *arguments, **options):
        """Response to a request."""
        self.max_retries.pace.wait()
        return super().send(*arguments, **options)


class RefusedError(requests.RequestException):
    """A redirection that is not followed; the message says why."""


class _Session(requests.Session):
    """Goes where an archive sends, but never from HTTPS to HTTP or to other schemes, nor elsewhere with a form."""

    def get_redirect_target(self, response):
        """Address that a response sends to, None for one that sends nowhere."""
        target = super().get_redirect_target(response)
        if target is None:
            return None
        old, new = urlsplit(response.url), urlsplit(urljoin(response.url, target))
        if why := _why_refused(response, old, new):
            response.close()
            raise RefusedError(why)
        if (old.scheme, new.scheme) == ("https", "http"):  # of a server that does not know that it is behind a proxy
            return urlunsplit(new._replace(scheme="https", netloc=old.netloc))
        return target


def _why_refused(response, old, new):
    """Why a redirection from one address to another is not followed, None if it is."""
    if new.scheme not in ("http", "https"):
        return f"it sends to an address of {shorten(new.scheme, 20)}, which is not followed"
    if (old.scheme, new.scheme) == ("https", "http") and new.netloc != old.hostname:
        return f"it sends from HTTPS to HTTP at {shorten(new.hostname or '')}, which is not followed"
    if response.request.body and response.status_code in KEEPS_FORM and new.netloc != old.netloc:
        return f"it sends the form to {shorten(new.netloc.rpartition('@')[2])}, another server, which is not followed"
    return None
