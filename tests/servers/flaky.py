"""A local archive that speaks like IRSA's ``nph_light_curves`` on its bad days; its data are synthetic."""

import random
import threading
from urllib.parse import parse_qs, urlsplit

from servers.irsa import HEADER
from servers.local import HTML, LocalArchive, LocalHandler, LocalServer

__all__ = ["FlakyServer"]

COLUMNS = HEADER.split(",")


def light_curve(ra, dec):
    """A few epochs that depend on the position alone, or for 3 % of the positions a header without any."""
    dice = random.Random(f"{ra} {dec}")
    lines = [HEADER]
    for epoch in range(0 if dice.random() < 0.03 else dice.randint(1, 8)):
        values = dict.fromkeys(COLUMNS, "1") | {
            "oid": f"9991001{dice.randrange(10**8):08d}",
            "mjd": f"{58300 + epoch + dice.random():.7f}",
            "mag": f"{dice.uniform(15, 20):.7f}",
            "filtercode": "zg",
            "ra": f"{ra:.7f}",
            "dec": f"{dec:.7f}",
            "ccdid": "0xf",
        }
        lines.append(",".join(values.values()))
    return "\n".join(lines) + "\n"


class FlakyServer(LocalArchive):
    """A server that fails at random; use it as a context manager.

    Parameters
    ----------
    bad : dict of str to float, optional
        Fraction of the requests that end with ``503``, ``html``, ``truncated``, ``reset``, ``stall`` (nothing comes),
        ``half`` (of the answer, then nothing) or ``lies`` (half of the answer, as if that was all).
    latency_s : float, optional
        Time that each answer takes [s].

    Attributes
    ----------
    url : str
        Address of the service.
    n_requests : int
        Requests so far.
    """

    def __init__(self, bad=None, *, latency_s=0.0, seed=0):
        self.bad, self.latency_s, self.n_requests = bad or {}, latency_s, 0
        self._dice, self._lock = random.Random(seed), threading.Lock()

    def make_server(self):
        """Server on a free port."""
        return LocalServer(("127.0.0.1", 0), _Handler)

    @property
    def url(self):
        """Address of the service."""
        return f"{self.address}/cgi-bin/ZTF/nph_light_curves"

    def next_behaviour(self):
        """How the next request ends."""
        with self._lock:
            self.n_requests += 1
            mark = self._dice.random()
        for name, fraction in self.bad.items():
            mark -= fraction
            if mark < 0:
                return name
        return "ok"


class _Handler(LocalHandler):
    """One connection, kept open for several requests."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        archive = self.server.archive
        threading.Event().wait(archive.latency_s)
        how = archive.next_behaviour()
        if how == "reset":
            self.reset()
            self.close_connection = True
            return
        if how == "stall":
            archive.closing.wait()
            self.close_connection = True
            return
        _, ra, dec, _ = parse_qs(urlsplit(self.path).query)["POS"][0].split()
        text = HTML if how == "html" else light_curve(float(ra), float(dec))
        body = text.encode()
        self.send_response(503 if how == "503" else 200)
        self.send_header("Content-Type", "text/html" if how == "html" else "text/csv")
        part = body[: len(body) // 2] if how in ("truncated", "half", "lies") else body
        self.send_header("Content-Length", str(len(part if how == "lies" else body)))
        self.end_headers()
        self.wfile.write(part)
        if how == "half":
            archive.closing.wait()
        self.close_connection = how in ("truncated", "half")
