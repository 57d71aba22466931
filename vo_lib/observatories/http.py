"""Asking an archive over HTTP: patiently, politely and with answers that are checked."""

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
from vo_lib.downloads.pace import Pace
from vo_lib.errors import ServiceError, UnreachableError, UserError
from vo_lib.observatories.addresses import Where
from vo_lib.observatories.answers import describe_markup, shorten
from vo_lib.observatories.http_session import MAX_PAUSE_S, RefusedError, make_session
from vo_lib.observatories.ranges import PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE, FilePart, Part

__all__ = ["HttpClient"]

CONNECT_TIMEOUT_S = 20.0

# With these an archive says of itself, and not of what it was asked for, that it does not serve now.
_LATER = (429, 502, 503, 504)

_PAGE = re.compile(rb"\s*<(!doctype\s+)?html\b", re.IGNORECASE)

_REASONS = {
    "ConnectTimeoutError": "no connection in time",
    "NewConnectionError": "no connection",
    "NameResolutionError": "its address cannot be found",
    "ProtocolError": "the connection broke",
    "ReadTimeoutError": "no answer in time",
    "ValueError": "it sends to what is no address",
    "ProxyError": "the proxy that the environment names gives no connection to it",
    "InvalidSchema": "it, or the proxy that the environment names, cannot be asked by this kind of address",
    "LocationParseError": "it, or the proxy that the environment names, has no proper address",
    "SSLCertVerificationError": "its certificate is not trusted, or not that of this server",
    "SSLError": "no secure connection",
    "OSError": "the certificates that REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names cannot be read",
}


class HttpClient:
    """Ask an archive for texts and files; threads may share a client.

    Parameters
    ----------
    timeout_s : float, optional
        Longest silence of the archive, and half of the longest time for 8 kB of a longer answer [s].
    retries : int, optional
        How often to ask again after a lost connection, a timeout or a status 429 or 5xx.
    retry_wait_s : float, optional
        Pause before the second retry [s]; it doubles each time, and as much again is added at
        random so that jobs do not return all at once.
    contact : str, optional
        Mail address or page that tells the archive who is asking.
    pace : Pace, optional
        Turns of the requests, retries and redirections included; without one each is sent at once.
    """

    def __init__(self, *, timeout_s=300.0, retries=3, retry_wait_s=2.0, contact="", pace=None):
        self.timeout_s, self.retries, self.retry_wait_s = timeout_s, retries, retry_wait_s
        self.user_agent = f"vo_lib/{__version__} ({contact})" if contact else f"vo_lib/{__version__}"
        self._pace, self._local, self._environment = pace or Pace(), threading.local(), {}

    def get(self, url, query=None, **options):
        """Ask with GET, see `ask`."""
        return self.ask("GET", url, query=query, **options)

    def post(self, url, form=None, **options):
        """Ask with POST and a form, see `ask`."""
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
        """Ask and read the answer; one that cannot be used is asked for again, like one that did not come.

        Parameters
        ----------
        method : {"GET", "POST"}
            A POST is repeated like a GET, so it must be one that may arrive twice.
        url : str
            Address without a query.
        read : callable
            Turns the answer's body, as text, into what is returned; raises `ServiceError` for
            what is not a proper answer.
        query, form : dict of str to str or list of str, optional
            Parameters in the URL and in the body; one with a list is repeated for each of its values.
        json : object, optional
            Value that is sent as JSON instead of a form.
        headers : dict of str to str, optional
            More headers, such as an authorisation; never shown.
        status : tuple of int, optional
            Statuses of proper answers.
        binary : bool, optional
            Give `read` the bytes of the body and not its text.
        redirects : bool, optional
            Go where the archive sends.

        Returns
        -------
        object
            What `read` returned.

        Raises
        ------
        ServiceError
            If there is no usable answer; it names the URL without secrets.

        Notes
        -----
        After a broken connection only the rest is asked for where that can be done, see `vo_lib.observatories.ranges`.
        """
        content = {"params": query, "data": form, "json": json, "headers": headers}

        def use(part):
            return read(part.stream.getvalue() if binary else _decode(part.stream.getvalue()))

        return self._until_usable(Part(), use, Where(url, query), status, (method, url), content, redirects)

    def download(self, url, path, *, query=None, headers=None, check=None):
        """Fetch a file of any size and put it in its place when it is whole.

        After a broken connection, in the next attempt and in the next run, it goes on where it stopped if the server
        can do that and its file is the same, see `vo_lib.observatories.ranges`; else it begins anew.

        Parameters
        ----------
        url, query, headers
            As for `ask`.
        path : str or Path
            Where the file is put; what is there stays until the new one is whole and checked.
        check : callable, optional
            Gets the path of the file before it is put in its place, and raises `ServiceError` if it is not to be used
            and shall be asked for again, or another `UserError` if that is of no use.

        Returns
        -------
        object
            What `check` returned.

        Raises
        ------
        ServiceError
            If the file cannot be had whole; it names the URL without secrets.
        """
        where = Where(url, query)
        content = {"params": query, "headers": {"Accept-Encoding": "identity"} | (headers or {})}

        def use(part):
            part.stream.flush()
            _refuse_page(part.path)
            return check(part.path) if check else None

        with FilePart(path, str(where)) as part:
            result = self._until_usable(part, use, where, (200,), ("GET", url), content)
            part.finish()
        return result

    def _until_usable(self, part, use, where, status, request, content, redirects=True):
        """Ask until what came can be used, at most as often as allowed, and give what `use` makes of it."""
        for attempt in range(self.retries + 1):
            self.pause(attempt)
            response = None if part.is_whole else self._respond(part, where, status, request, content, redirects)
            try:
                if response is not None:
                    self._receive(part, response)
                return _use(part, use)
            except ServiceError as error:
                problem = error
        raise ServiceError(f"{where}: {problem}; run again later")

    def pause(self, attempt):
        """Wait before an attempt: not at all before the first, which is 0, and ever longer before others."""
        if attempt:
            pause = self.retry_wait_s * 2 ** (attempt - 1)
            time.sleep(min(pause * (1 + random.random()), MAX_PAUSE_S))  # noqa: S311 - a pause  # nosec B311

    def _respond(self, part, where, status, request, content, redirects):
        """Response with one of the proper statuses, body not read yet."""
        rest, session = part.headers if request[0] == "GET" else {}, self._session()
        # The session's own way to put a request together takes as long as all that follows.
        content = content | {"headers": {**session.headers, **(content["headers"] or {}), **rest}}
        options = {"timeout": (CONNECT_TIMEOUT_S, self.timeout_s), "stream": True, "allow_redirects": redirects}
        try:
            prepared = requests.Request(*request, auth=session.auth, cookies=session.cookies, **content).prepare()
            response = session.send(prepared, **options, **self._surroundings(request[1]))
        except (OSError, ValueError) as error:  # those of requests too
            kind = UnreachableError if isinstance(error, (requests.ConnectionError, requests.Timeout)) else ServiceError
            raise kind(f"{where}: {self._reason(error)}; run again later") from None
        if response.status_code not in (*status, *((PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE) if rest else ())):
            with response:
                said = _describe(_read_beginning(response))
            kind = UnreachableError if response.status_code in _LATER else ServiceError
            raise kind(f"{where}: HTTP status {response.status_code} {response.reason}: {said or 'no message'}")
        return response

    def _receive(self, part, response):
        """Take the body of a response; what came of one that broke stays."""
        try:
            with response:
                part.receive(response, 2 * self.timeout_s)
        except requests.RequestException as error:
            raise ServiceError(f"the answer is not complete ({self._reason(error)})") from None

    def _surroundings(self, url):
        """Proxies and certificates that the environment wants for a host; looked up once, for that takes a while."""
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
        """What went wrong, in words without the URL, which may hold secrets."""
        if isinstance(error, RefusedError):
            return str(error)
        cause = error.args[0] if error.args else error
        cause = getattr(cause, "reason", None) or cause
        if isinstance(cause, SSLError) and isinstance(cause.args[0], SSLCertVerificationError):
            cause = cause.args[0]
        name = type(cause).__name__ if isinstance(cause, Exception) else type(error).__name__
        limit = f" ({self.timeout_s:g} s)" if name == "ReadTimeoutError" else ""
        return _REASONS.get(name, name) + limit


def _use(part, use):
    """Give what is made of an answer; one that cannot be used is forgotten."""
    try:
        return use(part)
    except UserError:
        part.begin()
        raise


def _decode(body):
    """UTF-8 text of a body."""
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise ServiceError(f"the answer is not UTF-8 text ({error})") from None


def _read_beginning(response):
    """Beginning of the text of an answer with a bad status; empty where it breaks off or cannot be unpacked."""
    with suppress(HTTPError):
        return response.raw.read(2000, decode_content=True).decode(errors="replace")
    return ""


def _describe(text):
    """Message of an answer with a bad status."""
    return describe_markup(text) if text.lstrip().startswith("<") else shorten(text)


def _refuse_page(path):
    """Raise for a file that is a page: of a service at rest, or one that has moved its files."""
    with open(path, "rb") as file:
        start = file.read(2000)
    if _PAGE.match(start):
        raise ServiceError(f"the answer is not a file but {describe_markup(start.decode(errors='replace'))}")
