"""What local archives share: a server on a free port that misbehaves as told and notes each request."""

import json
import threading
from contextlib import suppress
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

from servers.local import HTML, VOTABLE_ERROR, LocalArchive, LocalHandler, LocalServer

__all__ = ["ScriptedServer"]


class ScriptedServer(LocalArchive):
    """An archive of this machine; use it as a context manager.

    A subclass says what a proper answer is, and which kind of request one is.

    Parameters
    ----------
    behaviour : dict of str to sequence of str, optional
        What the first requests of each kind get, one after the other, before all others get "ok": a
        status such as "503", "html", "votable_error", "empty", "truncated" (cut inside a line), "short"
        (fewer bytes than announced), "missing_column", "slow" (no answer at all), "reset" or what `spoil` of the
        subclass knows.

    Attributes
    ----------
    url : str
        Address of the archive, without a path.
    requests : list of SimpleNamespace
        All requests so far: kind, method, path, query, encoded (the query as it was sent), form, body (text)
        and headers.
    """

    def __init__(self, *, behaviour=None):
        self.behaviour = {kind: list(steps) for kind, steps in (behaviour or {}).items()}
        self.requests, self._lock = [], threading.Lock()

    def make_server(self):
        """Server on a free port."""
        return LocalServer(("127.0.0.1", 0), _Handler)

    @property
    def url(self):
        """Address of the archive."""
        return self.address

    def kind(self, request):
        """Name of the kind of a request."""
        raise NotImplementedError

    def answer(self, request):
        """Status and body (text, bytes or a value for JSON) of a proper answer."""
        raise NotImplementedError

    def spoil(self, how, status, body):
        """Status and body of an answer that is not what it should be."""
        # Without what follows its last comma, a third of the text ends inside a line.
        cut = body[: len(body) // 3].rstrip("\n").rpartition(",")[0]
        return status, {"html": HTML, "votable_error": VOTABLE_ERROR, "empty": "", "truncated": cut}[how]

    def of_kind(self, kind):
        """Requests of one kind."""
        return [request for request in self.requests if request.kind == kind]

    def note(self, request):
        """Note a request and say how it is treated."""
        request.kind = self.kind(request)
        with self._lock:
            self.requests.append(request)
            steps = self.behaviour.get(request.kind)
            return steps.pop(0) if steps else "ok"


def _as_body(body):
    """Body of an answer: text and bytes as they are, or JSON."""
    return body if isinstance(body, (str, bytes)) else json.dumps(body)


class _Handler(LocalHandler):
    """One request."""

    def do_GET(self):
        parts, archive = urlsplit(self.path), self.server.archive
        text = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        query, form = ({name: values[0] for name, values in parse_qs(part).items()} for part in (parts.query, text))
        request = SimpleNamespace(
            method=self.command,
            path=parts.path,
            query=query,
            encoded=parts.query,
            form=form,
            body=text,
            headers=dict(self.headers),
        )
        how = archive.note(request)
        if how == "reset":
            self.reset()
            return
        if how.isdigit():
            self._send(int(how), "try again later")
            return
        if how == "slow":
            archive.closing.wait()
            return
        status, body = archive.answer(request)
        if how not in ("ok", "short"):
            status, body = archive.spoil(how, status, _as_body(body))
        body = _as_body(body)
        self._send(status, body[: len(body) // 2] if how == "short" else body, announced=len(body))

    def do_POST(self):
        self.do_GET()

    def do_DELETE(self):
        self.do_GET()

    def _send(self, status, body, *, announced=None):
        body = body if isinstance(body, bytes) else body.encode()
        kind = "application/json" if body[:1] in (b"{", b"[") else "text/html" if body[:1] == b"<" else "text/plain"
        with suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body) if announced is None else announced))
            self.end_headers()
            self.wfile.write(body)
