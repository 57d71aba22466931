"""Long queries of TAP services: start a job, wait for it, save its table, remove the job.

Follows the Table Access Protocol 1.1 and the Universal Worker Service 1.1 of the IVOA. Nothing here needs a login.
Gaia's archive lets such a job run for 90 minutes and returns at most 3 million rows without a login; both are commonly
stated but not confirmed. A request to remove a job is answered by a redirect to the long list of all jobs.
"""

import html
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote

from vo_lib.errors import ServiceError
from vo_lib.observatories.answer_text import describe_markup, shorten

__all__ = ["query_to_file"]

MAX_POLL_S = 60.0
POLL_GROWTH = 1.5
COMPLETED = "COMPLETED"
ENDED = frozenset({COMPLETED, "ABORTED", "ARCHIVED", "ERROR"})

_ELEMENT = r"<(?:\w+:)?{0}\b[^>]*>(.*?)</(?:\w+:)?{0}\s*>"
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)


@dataclass(frozen=True)
class _Job:
    """Description of a job by the service."""

    id: str
    phase: str
    message: str


def query_to_file(client, url, adql, path, *, check=None, query_timeout_s=7200.0, poll_s=1.0):
    """Run an asynchronous query at a TAP service and save the table as a VOTable file.

    Parameters
    ----------
    client : HttpClient
        Client for the requests.
    url : str
        URL for asynchronous queries; it ends in ``/async``.
    adql : str
        The query, in ADQL.
    path : str or Path
        Where the complete table is saved.
    check : callable, optional
        See `vo_lib.observatories.http.HttpClient.download`.
    query_timeout_s : float, optional
        Maximum time from the first request to the end of the query [s].
    poll_s : float, optional
        First pause between checks of the job [s]; each further pause is 1.5 times as long, up to a minute.

    Returns
    -------
    object
        What `check` returned.

    Raises
    ------
    ServiceError
        If the service cannot be reached, or the query fails (with the service's message) or does not end in time.

    Notes
    -----
    The job is removed at the end, also after a failure. If an answer of the service is lost, another job may remain,
    which the service removes eventually.
    """
    url, deadline = url.rstrip("/"), time.monotonic() + query_timeout_s
    form = {"REQUEST": "doQuery", "LANG": "ADQL", "FORMAT": "votable", "PHASE": "RUN", "QUERY": adql}
    job = client.post(url, form, read=_read_job)
    address = f"{url}/{quote(job.id, safe='')}"
    try:
        if job.phase == "PENDING":
            job = client.post(f"{address}/phase", {"PHASE": "RUN"}, read=_read_job)
        job = _wait(client, address, job, deadline, poll_s)
        if job.phase != COMPLETED:
            said = job.message or _read_report(client, address)
            raise ServiceError(f"{address}: the query ended with {job.phase}: {said}")
        return client.download(f"{address}/results/result", path, check=check)
    finally:
        with suppress(ServiceError):
            gone = {"read": str, "status": (200, 204, 302, 303), "redirects": False}
            client.post(address, {"ACTION": "DELETE"}, **gone)


def _wait(client, address, job, deadline, pause):
    """Wait until a job has ended and return it."""
    while job.phase not in ENDED:
        if time.monotonic() + pause > deadline:
            raise ServiceError(
                f"{address}: the query is {job.phase} and there is no time left; ask for less or raise query_timeout_s"
            )
        time.sleep(pause)
        pause = min(pause * POLL_GROWTH, MAX_POLL_S)
        job = client.get(address, read=_read_job)
    return job


def _read_job(text):
    """Job from its description by the service."""
    job_id, phase, message = (_element(text, name) for name in ("jobId", "phase", "message"))
    if not (job_id and phase):
        what = describe_markup(text) if text.lstrip().startswith("<") else f"'{shorten(text) or 'empty'}'"
        raise ServiceError(f"the answer is not a job but {what}")
    return _Job(job_id, phase.upper(), message)


def _element(text, name):
    """Text of the first element with a name, on one line; empty if there is none."""
    found = re.search(_ELEMENT.format(name), text, re.DOTALL)
    return shorten(html.unescape(_CDATA.sub(r"\1", found[1])), 500) if found else ""


def _read_report(client, address):
    """The service's message about a failed query."""
    try:
        text = client.get(f"{address}/error", read=str)
    except ServiceError:
        return "without a message"
    return describe_markup(text) if text.lstrip().startswith("<") else shorten(text, 500) or "without a message"
