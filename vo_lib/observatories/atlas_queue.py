"""Client of the queue of the ATLAS forced photometry server: submit, wait, read, clean up."""

import re
import time
from contextlib import suppress

from vo_lib.errors import ServiceError
from vo_lib.observatories.addresses import own_address
from vo_lib.observatories.answer_text import shorten
from vo_lib.observatories.answers import read_json
from vo_lib.observatories.http import HttpClient
from vo_lib.observatories.http_session import RETRY_STATUS

__all__ = ["NO_DATA", "AtlasQueue", "throttle_pause"]

# The server's message for a task whose table has no rows.
NO_DATA = "No data returned"
THROTTLED = 429
_PAUSE = re.compile(r"available in (\d+) (second|minute|hour)")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600}


def throttle_pause(answer):
    """Return the wait that the answer to a throttled request asks for.

    Parameters
    ----------
    answer : object
        The answer, parsed from JSON.

    Returns
    -------
    float or None
        Time to wait [s]; infinity if the answer does not say how long, None if it is any other answer.
    """
    if not isinstance(answer, dict) or "detail" not in answer:
        return None
    found = _PAUSE.search(str(answer["detail"]))
    return float(found[1]) * _SECONDS[found[2]] if found else float("inf")


class _Client(HttpClient):
    """Client that returns answers of status 429 to its caller, which reads from them how long to wait."""

    def _session(self):
        session = super()._session()
        for adapter in session.adapters.values():
            adapter.max_retries = adapter.max_retries.new(
                status_forcelist=[status for status in RETRY_STATUS if status != THROTTLED],
                respect_retry_after_header=False,
            )
        return session


class AtlasQueue:
    """A user's queue on the server; threads may share it.

    Parameters
    ----------
    url : str
        URL of the server.
    token : str
        The user's token; it is sent only to this server and never shown.
    queue_timeout_s : float
        Maximum time from the first request for a source to its result [s].
    poll_s : float
        Pause between checks of a task [s].
    **client
        See `vo_lib.observatories.http.HttpClient`.
    """

    def __init__(self, url, token, *, queue_timeout_s, poll_s, **client):
        self.url, self.queue_timeout_s, self.poll_s = url.rstrip("/"), queue_timeout_s, poll_s
        self._headers = {"Authorization": f"Token {token}", "Accept": "application/json"}
        self._client = _Client(**client)

    def measure(self, form, *, read):
        """Request photometry at one position and read the result.

        The task is removed from the queue at the end, also after a failure. If an answer of the server
        is lost, another task may remain, which the server removes eventually.

        Parameters
        ----------
        form : dict of str to str
            Fields of the request.
        read : callable
            Converts the text of the result to the returned object; raises `ServiceError` if it is invalid.

        Returns
        -------
        object or None
            What `read` returned; None if the server reports that it has no data.

        Raises
        ------
        ServiceError
            If there is no usable result in time.
        """
        deadline = time.monotonic() + self.queue_timeout_s
        url = self._own(self._ask(deadline, "POST", f"{self.url}/queue/", form=form, status=(201, THROTTLED))["url"])
        try:
            task = self._finished(deadline, url)
            if task.get("error_msg") == NO_DATA:
                return None
            if task.get("error_msg") or not task.get("result_url"):
                raise ServiceError(f"{url}: the task failed: {shorten(str(task.get('error_msg') or 'no result'))}")
            return self._client.get(self._own(task["result_url"]), read=read, headers=self._headers)
        finally:
            with suppress(ServiceError):
                self._client.ask("DELETE", url, read=str, headers=self._headers, status=(200, 202, 204))

    def _finished(self, deadline, url):
        """Wait until a task is finished and return its state."""
        while True:
            self._sleep(self.poll_s, deadline, f"{url}: the task is not finished")
            task = self._ask(deadline, "GET", url, status=(200, THROTTLED))
            if task.get("finishtimestamp"):
                return task

    def _ask(self, deadline, method, url, **options):
        """State of a task; the request is repeated after a pause whenever it is throttled."""
        while True:
            answer = self._client.ask(method, url, read=_read_state, headers=self._headers, **options)
            if (pause := throttle_pause(answer)) is None:
                return answer
            pause = self.poll_s if pause == float("inf") else pause
            self._sleep(pause, deadline, f"{url}: too many requests, wait for {pause:g} s")

    def _sleep(self, pause, deadline, problem):
        """Wait; raise if the deadline is earlier."""
        if time.monotonic() + pause > deadline:
            raise ServiceError(f"{problem}, but queue_timeout_s is {self.queue_timeout_s:g}; run again later")
        time.sleep(pause)

    def _own(self, url):
        """URL that the server gave; raise if it is on another server, which must not see the token."""
        if (own := own_address(self.url, url)) is None:
            raise ServiceError(f"{self.url}: the server names an address elsewhere: '{shorten(str(url))}'")
        return own


def _read_state(text):
    """State of a task, or the message of a throttled request."""
    answer = read_json(text)
    task = answer[0] if isinstance(answer, list) and len(answer) == 1 else answer
    if not isinstance(task, dict) or not ("detail" in task or task.get("url")):
        raise ServiceError(f"the answer is not a task but '{shorten(text)}'")
    return task
