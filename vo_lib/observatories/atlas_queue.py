"""The conversation with the queue of the ATLAS forced photometry server: ask, wait, read, tidy up."""

import re
import time
from contextlib import suppress

from vo_lib.errors import ServiceError
from vo_lib.observatories.addresses import own_address
from vo_lib.observatories.answers import read_json, shorten
from vo_lib.observatories.http import HttpClient
from vo_lib.observatories.http_session import RETRY_STATUS

__all__ = ["NO_DATA", "AtlasQueue", "throttle_pause"]

# What the server says of a task whose table has no rows.
NO_DATA = "No data returned"
THROTTLED = 429
_PAUSE = re.compile(r"available in (\d+) (second|minute|hour)")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600}


def throttle_pause(answer):
    """Seconds to wait by the answer to one request too many.

    Parameters
    ----------
    answer : object
        Value of an answer in JSON.

    Returns
    -------
    float or None
        Infinity if it does not say how long; None for any other answer.
    """
    if not isinstance(answer, dict) or "detail" not in answer:
        return None
    found = _PAUSE.search(str(answer["detail"]))
    return float(found[1]) * _SECONDS[found[2]] if found else float("inf")


class _Client(HttpClient):
    """Client that hands an answer of status 429 to its caller, who reads in it how long to wait."""

    def _session(self):
        session = super()._session()
        for adapter in session.adapters.values():
            adapter.max_retries = adapter.max_retries.new(
                status_forcelist=[status for status in RETRY_STATUS if status != THROTTLED],
                respect_retry_after_header=False,
            )
        return session


class AtlasQueue:
    """Queue of a user of the server; threads may share it.

    Parameters
    ----------
    url : str
        Address of the server.
    token : str
        The user's token; it is sent to this server alone and never shown.
    queue_timeout_s : float
        Longest time from the first request for a source to its result [s].
    poll_s : float
        Pause between two looks at a task [s].
    **client
        See `vo_lib.observatories.http.HttpClient`.
    """

    def __init__(self, url, token, *, queue_timeout_s, poll_s, **client):
        self.url, self.queue_timeout_s, self.poll_s = url.rstrip("/"), queue_timeout_s, poll_s
        self._headers = {"Authorization": f"Token {token}", "Accept": "application/json"}
        self._client = _Client(**client)

    def measure(self, form, *, read):
        """Have one position measured and read the result.

        The task is removed from the queue at the end, also after a failure. A request that was
        lost on its way back may leave another one there, which the server removes in time.

        Parameters
        ----------
        form : dict of str to str
            What is asked.
        read : callable
            Turns the text of the result into what is returned; raises `ServiceError`.

        Returns
        -------
        object or None
            What `read` returned; None if the server says that it has no data.

        Raises
        ------
        ServiceError
            If there is no result in time or no usable one.
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
        """State of a task once it is finished."""
        while True:
            self._sleep(self.poll_s, deadline, f"{url}: the task is not finished")
            task = self._ask(deadline, "GET", url, status=(200, THROTTLED))
            if task.get("finishtimestamp"):
                return task

    def _ask(self, deadline, method, url, **options):
        """State of a task, asked for again after a pause whenever there were too many requests."""
        while True:
            answer = self._client.ask(method, url, read=_read_state, headers=self._headers, **options)
            if (pause := throttle_pause(answer)) is None:
                return answer
            pause = self.poll_s if pause == float("inf") else pause
            self._sleep(pause, deadline, f"{url}: too many requests, wait for {pause:g} s")

    def _sleep(self, pause, deadline, problem):
        """Wait, unless there is not that much time."""
        if time.monotonic() + pause > deadline:
            raise ServiceError(f"{problem}, but queue_timeout_s is {self.queue_timeout_s:g}; run again later")
        time.sleep(pause)

    def _own(self, url):
        """Address that the server gave, if it is one of its own: the token is for nobody else."""
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
