"""Client of the queue of the ZTF forced photometry service: look for a job, submit, wait, read."""

import json
import threading
import time
from contextlib import suppress

from vo_lib.errors import ServiceError
from vo_lib.observatories.addresses import own_address
from vo_lib.observatories.answer_text import shorten
from vo_lib.observatories.credentials import mask
from vo_lib.observatories.http import HttpClient, shown_url
from vo_lib.observatories.ztf_forced_answers import BUSY, read_jobs

__all__ = ["EMPTY_CODES", "FAILURE_CODES", "RESULT_CODES", "ForcedQueue"]

# Exit codes of jobs: Masci et al. 2023, arXiv:2305.16279. With these, there is a result.
RESULT_CODES = {
    0: "",
    56: "some epochs may be spoilt by bad pixels",
    57: "some epochs have no source of the reference image within 5 arcsec",
    58: "some epochs have no catalog of their reference image",
    59: "some epochs may have wrong errors, as their difference images are early ones",
    60: "some epochs have a PSF image of unusable size",
    61: "some epochs are off their image or too near its edge",
    62: "the start was before the survey and became 2018-03-17",
}
EMPTY_CODES = {63: "the service says that it has no epochs"}
FAILURE_CODES = {
    64: "catastrophic error of the processing",
    65: "the end is before the survey, 2018-03-17",
    255: "error of the service's database",
}

# Tolerance for positions [degrees] and times [days] in the list, where they are rounded.
TOLERANCE = 1e-5
UNAUTHORISED, GONE = 401, 404


class _GoneError(ServiceError):
    """The file no longer exists."""


class _Client(HttpClient):
    """Client that sends the user and password of the site, never those of a ``.netrc`` file."""

    def __init__(self, site, **options):
        super().__init__(**options)
        self._site = site

    def _session(self):
        session = super()._session()
        session.auth = self._site
        return session

    def _respond(self, part, request, status, redirects):
        response = super()._respond(part, request, (*status, UNAUTHORISED, GONE), redirects)
        if response.status_code not in (UNAUTHORISED, GONE):
            return response
        response.close()
        where = shown_url(request)
        if response.status_code == GONE:
            raise _GoneError(f"{where}: HTTP status 404 Not Found; the service keeps results for some 30 days")
        raise ServiceError(f"{where}: HTTP status 401; the service refuses the user and password of its site")


class ForcedQueue:
    """A user's jobs at the service; threads may share it.

    Parameters
    ----------
    url : str
        URL of the service.
    site : tuple of str
        User and password of the site, which all its users share.
    user : dict of str to str
        The user's own ``email`` and ``userpass``.
    queue_timeout_s : float
        Maximum time from the first request for a source to its result [s].
    poll_s : float
        Pause between requests for the list of jobs, which all threads share [s].
    **client
        See `vo_lib.observatories.http.HttpClient`.
    """

    def __init__(self, url, *, site, user, queue_timeout_s, poll_s, **client):
        self.url, self.queue_timeout_s, self.poll_s = url.rstrip("/"), queue_timeout_s, poll_s
        self._user, self._client = user, _Client(site, **client)
        # The service would run a job twice if it were submitted twice.
        self._submitter = _Client(site, **client | {"retries": 0})
        self._lock, self._listed, self._jobs = threading.Lock(), -float("inf"), None

    def measure(self, place, *, read, reuse_days=0.0):
        """Request photometry at one position and read the result.

        A job for the same position and times in the user's list is used, whether it is waiting or has
        a result; the position is submitted only if there is none.

        Parameters
        ----------
        place : dict of str to float
            ``ra``, ``dec`` [degrees], ``jdstart`` and ``jdend`` [JD].
        read : callable
            Converts the text of the result to the returned object; raises `ServiceError` if it is invalid.
        reuse_days : float, optional
            How much earlier than ``jdend`` a job in the list may end [days].

        Returns
        -------
        result : object or None
            What `read` returned; None if there are no epochs.
        job : dict
            ``number``, ``jdend`` and ``exit_code`` of the job, and the meaning of the code as ``note`` unless it is 0.

        Raises
        ------
        ServiceError
            If there is no usable result in time. The job stays in the list, so a later call finds it.
        """
        try:
            return self._measure(place, read, reuse_days)
        except ServiceError as error:
            raise type(error)(mask(str(error))) from None

    def _measure(self, place, read, reuse_days):
        """See `measure`; error messages may still contain the user's data from a page."""
        deadline = time.monotonic() + self.queue_timeout_s
        known = self._find(deadline, place, reuse_days)
        if usable := [job for job in known if _is_usable(job)]:
            best = max(usable, key=lambda job: (job.exit_code is not None, job.jdend))
            job = self._ended(deadline, lambda: [job for job in self._list(deadline) if job.number == best.number])
            with suppress(_GoneError):
                return self._collect(job, read)
        old = {job.number for job in known}

        def find_new():
            return [job for job in self._find(deadline, place, 0) if job.number not in old]

        receipt = self._submit(deadline, place, find_new)
        return self._collect(self._ended(deadline, find_new, receipt), read)

    def _find(self, deadline, place, reuse_days):
        """Jobs in the list for a position and its times."""

        def is_of_place(job):
            east = (job.ra - place["ra"] + 180) % 360 - 180
            apart = max(abs(east), abs(job.dec - place["dec"]), abs(job.jdstart - place["jdstart"]))
            return apart < TOLERANCE and -TOLERANCE < place["jdend"] - job.jdend < reuse_days + TOLERANCE

        return [job for job in self._list(deadline) if is_of_place(job)]

    def _list(self, deadline):
        """All recent jobs of the user, requested at most once per pause; waits while the database is busy."""
        query = self._user | {"option": "All recent jobs", "action": "Query Database"}
        while True:
            with self._lock:
                if time.monotonic() - self._listed >= self.poll_s:
                    url = f"{self.url}/cgi-bin/getBatchForcedPhotometryRequests.cgi"
                    self._jobs = self._client.get(url, query, read=read_jobs)
                    self._listed = time.monotonic()
                jobs = self._jobs
            if jobs is not None:
                return jobs
            self._sleep(deadline, "the service's database is busy")

    def _submit(self, deadline, place, find_new):
        """Submit a position, repeatedly while it has not arrived; return the message of the service."""
        form = {"ra": json.dumps([place["ra"]]), "dec": json.dumps([place["dec"]])}
        form |= {name: json.dumps(place[name]) for name in ("jdstart", "jdend")} | self._user
        url = f"{self.url}/cgi-bin/batchfp.py/submit"
        failures = 0
        while True:
            try:
                return self._submitter.post(url, form, read=_read_receipt)
            except ServiceError as error:
                failures += 1
                if failures > self._client.retries:
                    raise
                self._sleep(deadline, str(error))
            if find_new():
                return ""

    def _ended(self, deadline, find, receipt=""):
        """Wait until the job that `find` looks for has ended, and return it."""
        while True:
            jobs = find()
            if ended := [job for job in jobs if job.exit_code is not None]:
                return ended[0]
            said = f" (the service said '{shorten(receipt, 100)}')" if receipt else ""
            problem = f"job {jobs[0].number} has not ended" if jobs else f"the job is not in the list{said}"
            self._sleep(deadline, problem)

    def _collect(self, job, read):
        """Result of a job that has ended, and facts about the job."""
        known = RESULT_CODES | EMPTY_CODES
        if job.exit_code not in known:
            meaning = FAILURE_CODES.get(job.exit_code, "which has no known meaning")
            raise ServiceError(f"job {job.number} failed with exit code {job.exit_code}: {meaning}; run again later")
        facts = {"number": job.number, "jdend": job.jdend, "exit_code": job.exit_code}
        facts |= {"note": known[job.exit_code]} if known[job.exit_code] else {}
        if job.exit_code in EMPTY_CODES:
            return None, facts
        url = own_address(self.url, job.path)
        if not (job.path and url):
            raise ServiceError(f"job {job.number} has no result on the service, but '{shorten(job.path)}'")
        return self._client.get(url, read=read), facts

    def _sleep(self, deadline, problem):
        """Wait; raise if the deadline is earlier."""
        if time.monotonic() + self.poll_s > deadline:
            raise ServiceError(
                f"{self.url}: {problem}, but queue_timeout_s is {self.queue_timeout_s:g}; run again later"
            )
        time.sleep(self.poll_s)


def _is_usable(job):
    """Whether a job has a result or may still get one."""
    return job.exit_code is None or job.exit_code in EMPTY_CODES or (job.exit_code in RESULT_CODES and job.path != "")


def _read_receipt(text):
    """Message of the service after a submission, which is not documented."""
    if BUSY in text:
        raise ServiceError("the service's database is busy")
    return text
