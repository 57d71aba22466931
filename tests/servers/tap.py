"""What local archives share that answer TAP queries and such: GET and POST, bytes, and bad manners.

An archive is a subclass of `Archive` that answers proper requests; how it misbehaves is here. `AsyncTap` is one that
works on queries while its clients wait.
"""

import re
import threading
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

import numpy as np

from servers.local import HTML, VOTABLE_ERROR, LocalArchive, LocalHandler, LocalServer

__all__ = ["Archive", "AsyncTap", "inside", "read_cone", "votable_error"]

_SELECT = re.compile(r"SELECT (.+?) FROM (\S+) WHERE ", re.DOTALL)
_CIRCLE = re.compile(r"CIRCLE\('ICRS', ([-+.\d]+), ([-+.\d]+), ([.\d]+)\)")


class Archive(LocalArchive):
    """An archive on a free port of this machine; use it as a context manager.

    Parameters
    ----------
    behaviour : sequence of str, optional
        What the first requests get, one after the other, before all others get "ok": a status such
        as "503", "html", "votable_error", "empty", "truncated" (cut inside a line), "short" (fewer
        bytes than announced), "missing_column" (no second column), "slow" (no answer at all) or "reset".
    retry_after : str, optional
        Header that is sent with each answer.

    Attributes
    ----------
    root : str
        Address of the server, without a slash.
    requests : list of dict
        Parameters of each request so far, with its method, path and user agent under "method",
        "path" and "User-Agent"; the values of a repeated one are joined with commas.
    """

    def __init__(self, *, behaviour=(), retry_after="0"):
        self.behaviour, self.retry_after = list(behaviour), retry_after
        self.requests, self._lock = [], threading.Lock()

    def make_server(self):
        """Server on a free port."""
        return LocalServer(("127.0.0.1", 0), _Handler)

    @property
    def root(self):
        """Address of the archive."""
        return self.address

    def answer(self, path, query):
        """Status and body (text or bytes) for a request that is treated properly, and headers if there are more."""
        raise NotImplementedError

    def spoil(self, how, body):
        """Body of an answer with status 200 that is not what it should be; `body` has the bytes of a proper one."""
        if how in ("html", "votable_error", "empty"):
            return {"html": HTML, "votable_error": VOTABLE_ERROR, "empty": ""}[how].encode()
        if how == "missing_column":
            lines = [line.split(b",") for line in body.splitlines()]
            return b"".join(b",".join(line[:1] + line[2:]) + b"\n" for line in lines)
        assert how == "truncated", how
        # The last line lacks its last value and more, so that it cannot be taken for a whole one.
        return body.rstrip(b"\n").rpartition(b",")[0].rpartition(b",")[0]

    def next_behaviour(self, request):
        """Note a request and say how it is treated."""
        with self._lock:
            self.requests.append(request)
            return self.behaviour.pop(0) if self.behaviour else "ok"


class AsyncTap(Archive):
    """An archive that starts a job for each query, works on it, and keeps its table until the job is removed.

    Parameters
    ----------
    table : bytes
        What any query gives.
    phases : sequence of str, optional
        Phases of a job at each look, the last one for ever; in "PENDING" it waits for its start.
    message, report : str, optional
        What the job itself, and what its page of errors says of a failure.
    **options
        See `Archive`; of the requests for one query the first creates the job and is sent to it by the second.

    Attributes
    ----------
    queries : list of str
        Queries so far.
    jobs : dict of str to list
        Phases that each job has before it, without those that were removed.
    """

    ROOT = "/tap-server/tap/async"

    def __init__(self, table=b"", *, phases=("QUEUED", "EXECUTING", "COMPLETED"), message="", report="", **options):
        super().__init__(**options)
        self.table, self.phases, self.message, self.report = table, phases, message, report
        self.queries, self.jobs = [], {}

    @property
    def url(self):
        """Address of asynchronous queries."""
        return self.root + self.ROOT

    def answer(self, path, query):
        """Answer a proper request."""
        job, _, part = path.removeprefix(self.ROOT).strip("/").partition("/")
        if not job:
            return self._create(query) if query else (200, "<uws:jobs>" + "a job of somebody else " * 10**6)
        if job not in self.jobs:
            return 404, "no such job"
        if query.get("ACTION") == "DELETE":
            del self.jobs[job]
            return 303, "", {"Location": self.url}
        if part == "phase" and query.get("PHASE") == "RUN":
            self.jobs[job].pop(0)
            return 303, "", {"Location": f"{self.url}/{job}"}
        return {"": self._show, "results/result": self._result, "error": lambda _: (200, self.report)}[part](job)

    def _create(self, form):
        """Start a job."""
        if (form.get("REQUEST"), form.get("LANG"), form.get("PHASE")) != ("doQuery", "ADQL", "RUN"):
            return 400, votable_error("REQUEST, LANG or PHASE is wrong")
        self.queries.append(form["QUERY"])
        job = f"17100996{len(self.queries)}O"
        self.jobs[job] = list(self.phases)
        return 303, "", {"Location": f"{self.url}/{job}"}

    def _show(self, job):
        """Describe a job, which goes on by each look at it."""
        phase, *others = self.jobs[job]
        if others and phase != "PENDING":
            self.jobs[job] = others
        failure = f'<uws:errorSummary type="fatal"><uws:message>{self.message}</uws:message></uws:errorSummary>'
        return 200, (
            f'<?xml version="1.0"?><uws:job xmlns:uws="http://www.ivoa.net/xml/UWS/v1.0"><uws:jobId><![CDATA[{job}]]>'
            f"</uws:jobId><uws:phase>{phase}</uws:phase>{failure if self.message else ''}</uws:job>"
        )

    def _result(self, job):
        """Table of a job that is done."""
        return (200, self.table) if self.jobs[job] == ["COMPLETED"] else (404, "no result")


def read_cone(adql):
    """Names of the columns, table, right ascension, declination and radius [degrees] of a cone search."""
    select, circle = _SELECT.search(adql), _CIRCLE.search(adql)
    names = re.sub(r"DISTANCE\(.*\) AS ", "", select[1]).split(", ")
    return names, select[2], *map(float, circle.groups())


def inside(ra, dec, *, centre, radius_deg):
    """Mask of the positions inside a circle, and their distances from its centre [degrees]."""
    ra, dec = np.radians(np.asarray(ra, float)), np.radians(np.asarray(dec, float))
    ra0, dec0 = np.radians(centre)
    half = np.sin((dec - dec0) / 2) ** 2 + np.cos(dec) * np.cos(dec0) * np.sin((ra - ra0) / 2) ** 2
    distance = np.degrees(2 * np.arcsin(np.sqrt(half)))
    return distance <= radius_deg, distance


def votable_error(message):
    """An error report as TAP services send it."""
    return re.sub(r"ORA-[^<]*", message, VOTABLE_ERROR)


class _Handler(LocalHandler):
    """One request."""

    def do_GET(self):
        self._serve(urlsplit(self.path).query)

    def do_POST(self):
        self._serve(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def _serve(self, encoded):
        query = {name: ",".join(values) for name, values in parse_qs(encoded).items()}
        path = urlsplit(self.path).path
        archive = self.server.archive
        about = {"method": self.command, "path": path, "User-Agent": self.headers["User-Agent"]}
        how = archive.next_behaviour(query | about)
        if how == "reset":
            self.reset()
            return
        status, body, *more = archive.answer(path, query)
        body, headers = body.encode() if isinstance(body, str) else body, more[0] if more else {}
        if how == "slow":
            archive.closing.wait()
        elif how == "ok":
            self._send(status, body, headers)
        elif how == "short":
            self._send(status, body[: len(body) // 2], headers, announced=len(body))
        elif how.isdigit():
            self._send(int(how), b"try again later")
        else:
            self._send(status, archive.spoil(how, body), headers)

    def _send(self, status, body, headers=None, *, announced=None):
        with suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body) if announced is None else announced))
            self.send_header("Retry-After", self.server.archive.retry_after)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
