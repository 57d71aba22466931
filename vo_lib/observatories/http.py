"""Requests to archives over HTTP: repeated after failures, paced, and with checked answers."""

import random
import re
import threading
import time
from contextlib import suppress
from ssl import SSLCertVerificationError
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError, SSLError

from vo_lib import __version__
from vo_lib.errors import ServiceError, UnreachableError, UserError
from vo_lib.observatories.addresses import public_url
from vo_lib.observatories.answer_text import describe_markup, shorten
from vo_lib.observatories.http_session import MAX_PAUSE_S, RefusedError, make_session
from vo_lib.observatories.pace import Pace
from vo_lib.observatories.ranges import PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE, FilePart, Part

__all__ = ["HttpClient", "shown_url"]

CONNECT_TIMEOUT_S = 20.0

# Statuses that are about the archive, not about the request: it is unavailable at present.
_LATER = (429, 502, 503, 504)

_PAGE = re.compile(rb"\s*<(!doctype\s+)?html\b", re.IGNORECASE)

_REASONS = {
    "ConnectTimeoutError": "no connection in time",
    "NewConnectionError": "no connection",
    "NameResolutionError": "its address cannot be found",
    "ProtocolError": "the connection broke",
    "ReadTimeoutError": "no answer in time",
    "ValueError": "it redirects to an invalid address",
    "ProxyError": "the proxy set in the environment cannot connect to it",
    "InvalidSchema": "its address, or that of the proxy set in the environment, is of an unsupported kind",
    "LocationParseError": "its address, or that of the proxy set in the environment, is invalid",
    "SSLCertVerificationError": "its certificate is not trusted, or not that of this server",
    "SSLError": "no secure connection",
    "OSError": "the certificates that REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names cannot be read",
}


class HttpClient:
    """Client that requests texts and files from an archive; threads may share it.

    Parameters
    ----------
    timeout_s : float, optional
        Longest time without any data from the archive; each 8 kB of a longer answer may take twice as long [s].
    retries : int, optional
        How often to repeat a request after a lost connection, a timeout, a status 429 or 5xx, or an unusable answer.
    retry_wait_s : float, optional
        Scale of the pauses before retries [s]: they double each time, and a random part is added so that
        jobs do not all return at once.
    contact : str, optional
        Mail address or web page that tells the archive who sends the requests.
    pace : Pace, optional
        Limits the rate of requests, including retries and redirects; without it each is sent at once.
    """

    def __init__(self, *, timeout_s=300.0, retries=3, retry_wait_s=2.0, contact="", pace=None):
        self.timeout_s, self.retries, self.retry_wait_s = timeout_s, retries, retry_wait_s
        self.user_agent = f"vo_lib/{__version__} ({contact})" if contact else f"vo_lib/{__version__}"
        self._pace, self._local, self._environment = pace or Pace(), threading.local(), {}

    def get(self, url, query=None, **options):
        """Send a GET request, see `ask`."""
        return self.ask("GET", url, query=query, **options)

    def post(self, url, form=None, **options):
        """Send a POST request with a form, see `ask`."""
        return self.ask("POST", url, form=form, **options)

    def ask(
        self,
        method,
        url,
        *,
        read,
        query=None,
        form=None,
        json=None,
        headers=None,
        status=(200,),
        binary=False,
        redirects=True,
    ):
        """Send a request and read the answer; repeat the request if there is no answer or it is unusable.

        Parameters
        ----------
        method : {"GET", "POST"}
            A POST is repeated like a GET, so it must be safe to send twice.
        url : str
            URL without a query.
        read : callable
            Converts the body of the answer, as text, to the returned object; raises `ServiceError` if the
            body is not a valid answer.
        query, form : dict of str to str or list of str, optional
            Parameters in the URL and in the body; a parameter with a list is repeated for each value.
        json : object, optional
            Value to send as JSON instead of a form.
        headers : dict of str to str, optional
            Additional headers, such as an authorisation; never shown.
        status : tuple of int, optional
            Statuses of valid answers.
        binary : bool, optional
            Pass `read` the bytes of the body instead of its text.
        redirects : bool, optional
            Follow redirects.

        Returns
        -------
        object
            What `read` returned.

        Raises
        ------
        ServiceError
            If there is no usable answer; the message has the URL without secrets.

        Notes
        -----
        After a broken connection only the rest is requested if possible, see `vo_lib.observatories.ranges`.
        """
        request = {"method": method, "url": url, "params": query, "data": form, "json": json, "headers": headers}

        def use(part):
            return read(part.stream.getvalue() if binary else _decode(part.stream.getvalue()))

        return self._until_usable(Part(), use, request, status, redirects)

    def download(self, url, path, *, check=None):
        """Download a file of any size, and move it to its path once it is complete.

        After a broken connection, the next attempt or the next run resumes the download if the server supports that
        and its file is unchanged, see `vo_lib.observatories.ranges`; otherwise it starts over.

        Parameters
        ----------
        url : str
            URL of the file.
        path : str or Path
            Path of the file; an existing file stays until the new one is complete and checked.
        check : callable, optional
            Called with the temporary path of the complete file; raises `ServiceError` if the file is unusable and
            should be requested again, or another `UserError` if repeating the request is useless.

        Returns
        -------
        object
            What `check` returned.

        Raises
        ------
        ServiceError
            If the file cannot be downloaded completely; the message has the URL without secrets.
        """
        request = {"method": "GET", "url": url, "headers": {"Accept-Encoding": "identity"}}

        def use(part):
            part.stream.flush()
            _refuse_page(part.path)
            return check(part.path) if check else None

        with FilePart(path, public_url(url)) as part:
            result = self._until_usable(part, use, request)
            part.finish()
        return result

    def _until_usable(self, part, use, request, status=(200,), redirects=True):
        """Repeat a request until its answer is usable, as often as allowed; return the result of `use`."""
        for attempt in range(self.retries + 1):
            self.pause(attempt)
            response = None if part.is_whole else self._respond(part, request, status, redirects)
            try:
                if response is not None:
                    self._receive(part, response)
                return _use(part, use)
            except ServiceError as error:
                problem = error
        raise ServiceError(f"{shown_url(request)}: {problem}; run again later")

    def pause(self, attempt):
        """Wait before an attempt, counted from 0: not at all before the first, then ever longer."""
        if attempt:
            pause = self.retry_wait_s * 2 ** (attempt - 1)
            time.sleep(min(pause * (1 + random.random()), MAX_PAUSE_S))  # noqa: S311 - a pause  # nosec B311

    def _respond(self, part, request, status, redirects):
        """Response with one of the valid statuses; its body has not been read."""
        rest, session = part.headers if request["method"] == "GET" else {}, self._session()
        # Preparing the request by the session would take as long as everything that follows.
        request = request | {"headers": {**session.headers, **(request["headers"] or {}), **rest}}
        options = {"timeout": (CONNECT_TIMEOUT_S, self.timeout_s), "stream": True, "allow_redirects": redirects}
        try:
            prepared = requests.Request(auth=session.auth, cookies=session.cookies, **request).prepare()
            response = session.send(prepared, **options, **self._surroundings(request["url"]))
        except (OSError, ValueError) as error:  # including the exceptions of requests
            kind = UnreachableError if isinstance(error, (requests.ConnectionError, requests.Timeout)) else ServiceError
            raise kind(f"{shown_url(request)}: {self._reason(error)}; run again later") from None
        if response.status_code not in (*status, *((PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE) if rest else ())):
            with response:
                said = _describe(_read_beginning(response))
            kind = UnreachableError if response.status_code in _LATER else ServiceError
            found = f"HTTP status {response.status_code} {response.reason}: {said or 'no message'}"
            raise kind(f"{shown_url(request)}: {found}")
        return response

    def _receive(self, part, response):
        """Receive the body of a response; if the connection breaks, the received bytes are kept."""
        try:
            with response:
                part.receive(response, 2 * self.timeout_s)
        except requests.RequestException as error:
            raise ServiceError(f"the answer is not complete ({self._reason(error)})") from None

    def _surroundings(self, url):
        """Proxies and certificates that the environment sets for a host; looked up once, as that is slow."""
        host = urlsplit(url).netloc
        if host not in self._environment:
            found = requests.Session().merge_environment_settings(url, {}, None, None, None)
            self._environment[host] = {name: found[name] for name in ("proxies", "verify")}
        return self._environment[host]

    def _session(self):
        """Session of this thread."""
        if not hasattr(self._local, "session"):
            session = make_session(retries=self.retries, retry_wait_s=self.retry_wait_s, pace=self._pace)
            session.headers["User-Agent"] = self.user_agent
            self._local.session = session
        return self._local.session

    def _reason(self, error):
        """Description of an error without the URL, which may contain secrets."""
        if isinstance(error, RefusedError):
            return str(error)
        cause = error.args[0] if error.args else error
        cause = getattr(cause, "reason", None) or cause
        if isinstance(cause, SSLError) and isinstance(cause.args[0], SSLCertVerificationError):
            cause = cause.args[0]
        name = type(cause).__name__ if isinstance(cause, Exception) else type(error).__name__
        limit = f" ({self.timeout_s:g} s)" if name == "ReadTimeoutError" else ""
        return _REASONS.get(name, name) + limit


def shown_url(request):
    """Return the URL of a request, given as arguments of `requests.Request`, without its secrets, for messages."""
    return public_url(request["url"], request.get("params"))


def _use(part, use):
    """Return the result of `use` for an answer; discard the answer if it is unusable."""
    try:
        return use(part)
    except UserError:
        part.begin()
        raise


def _decode(body):
    """Text of a body in UTF-8."""
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise ServiceError(f"the answer is not UTF-8 text ({error})") from None


def _read_beginning(response):
    """Beginning of the body of an error response; empty if it is cut off or cannot be decompressed."""
    with suppress(HTTPError):
        return response.raw.read(2000, decode_content=True).decode(errors="replace")
    return ""


def _describe(text):
    """Message in the body of an error response."""
    return describe_markup(text) if text.lstrip().startswith("<") else shorten(text)


def _refuse_page(path):
    """Raise if a file is a web page, as sent by a service that is down or has moved its files."""
    with open(path, "rb") as file:
        start = file.read(2000)
    if _PAGE.match(start):
        raise ServiceError(f"the answer is not a file but {describe_markup(start.decode(errors='replace'))}")
