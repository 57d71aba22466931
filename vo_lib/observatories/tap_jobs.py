"""Long queries of TAP services: start a job, wait for it, keep its table, remove the job.

Follows the Table Access Protocol 1.1 and the Universal Worker Service 1.1 of the IVOA. Nothing here needs a login.
The archive of Gaia lets such a job run for 90 minutes and gives at most 3 million rows without one; both are common
knowledge and not confirmed. A removed job is answered with a redirection to the list of all jobs, which is long.
"""

import html
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote

from vo_lib.errors import ServiceError
from vo_lib.observatories.answers import describe_markup, shorten

__all__ = ["query_to_file"]

MAX_POLL_S = 60.0
POLL_GROWTH = 1.5
COMPLETED = "COMPLETED"
ENDED = frozenset({COMPLETED, "ABORTED", "ARCHIVED", "ERROR"})

_ELEMENT = r"<(?:\w+:)?{0}\b[^>]*>(.*?)</(?:\w+:)?{0}\s*>"
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)


@dataclass(frozen=True)
class _Job:
    """What the service says of a job."""

    id: str
    phase: str
    message: str


def query_to_file(client, url, adql, path, *, check=None, query_timeout_s=7200.0, poll_s=1.0):
    """Have a query answered by a TAP service and keep the table as a VOTable file.

    Parameters
    ----------
    client : HttpClient
        How the service is asked.
    url : str
        Address of asynchronous queries; it ends with ``/async``.
    adql : str
        The query.
    path : str or Path
        Where the table is put when it is whole.
    check : callable, optional
        See `vo_lib.observatories.http.HttpClient.download`.
    query_timeout_s : float, optional
        Longest time from the first request to the end of the query [s].
    poll_s : float, optional
        First pause between two looks at the job [s]; each is half as long again, up to a minute.

    Returns
    -------
    object
        What `check` returned.

    Raises
    ------
    ServiceError
        If the service cannot be asked, the query fails, with what the service says of it, or does not end in time.

    Notes
    -----
    The job is removed at the end, also after a failure. An answer that was lost on its way back may leave another one
    there, which the service removes in time.
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
    """Job at its end."""
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
    """Job as the service describes it."""
    job_id, phase, message = (_element(text, name) for name in ("jobId", "phase", "message"))
    if not (job_id and phase):
        what = describe_markup(text) if text.lstrip().startswith("<") else f"'{shorten(text) or 'empty'}'"
        raise ServiceError(f"the answer is not a job but {what}")
    return _Job(job_id, phase.upper(), message)


def _element(text, name):
    """Text of the first element of a name, on one line, empty without one."""
    found = re.search(_ELEMENT.format(name), text, re.DOTALL)
    return shorten(html.unescape(_CDATA.sub(r"\1", found[1])), 500) if found else ""


def _read_report(client, address):
    """What the service says of a query that failed."""
    try:
        text = client.get(f"{address}/error", read=str)
    except ServiceError:
        return "without a message"
    return describe_markup(text) if text.lstrip().startswith("<") else shorten(text, 500) or "without a message"
