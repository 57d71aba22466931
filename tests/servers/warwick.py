"""A local server of files that can be continued by byte ranges, and a catalog in the format of that at Warwick.

All numbers of `synthetic_white_dwarfs` are invented; its columns are some of those of the catalog of Gentile Fusillo et
al. (2021), with a unit that no library knows.
"""

import gzip
import hashlib
import io
import re
import threading
from contextlib import suppress
from urllib.parse import urlsplit

import numpy as np
from astropy.io import fits

from servers.local import HTML, LocalArchive, LocalHandler, LocalServer

__all__ = ["FileServer", "synthetic_white_dwarfs"]

PATH = "/catalogues/gaiaedr3_wd_main.fits.gz"
MODIFIED = "Wed, 21 Oct 2026 07:28:00 GMT"
TRUNCATED = re.compile(r"(?:drop|end|stall):(\d+)")


def synthetic_white_dwarfs(rows=50, *, packed=True, without=(), seed=0):
    """Make a catalog of invented white dwarfs, as a FITS file packed by gzip."""
    rng = np.random.default_rng(seed)
    ra, dec = rng.uniform(0, 360, rows), np.degrees(np.arcsin(rng.uniform(-1, 1, rows)))
    numbers = 2**62 + rng.integers(0, 2**40, rows)
    columns = {
        "WDJ_name": (
            "24A",
            None,
            [f"WDJ{place * 1e6:013.0f}{number % 100:+03d}" for place, number in zip(ra, numbers, strict=True)],
        ),
        "source_id": ("K", None, numbers),
        "ra": ("D", "deg", ra),
        "dec": ("D", "deg", dec),
        "parallax": ("D", "mas", rng.exponential(5, rows)),
        "pmra": ("D", "mas.yr**-1", rng.normal(0, 100, rows)),
        "pmdec": ("D", "mas.yr**-1", rng.normal(0, 100, rows)),
        "phot_g_mean_mag": ("E", "mag", rng.uniform(12, 20, rows)),
        "absG": ("E", "'magnitudes'", rng.uniform(10, 15, rows)),
        "Pwd": ("E", None, rng.uniform(0, 1, rows)),
    }
    made = [
        fits.Column(name, form, unit, array=array)
        for name, (form, unit, array) in columns.items()
        if name not in without
    ]
    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(made)]).writeto(file, output_verify="ignore")
    return gzip.compress(file.getvalue(), mtime=0) if packed else file.getvalue()


class FileServer(LocalArchive):
    """The server on a free port of this machine; use it as a context manager.

    Parameters
    ----------
    body : bytes
        The file; assign another to `body` to change it.
    behaviour : sequence of str, optional
        What the first requests get, one after the other, before all others get "ok": a status such as "503" or "416",
        "html", "empty", "wrong" (as many other bytes), "drop:1000" (the connection breaks after these bytes),
        "end:1000" (the same, announced as all), "stall:1000" (nothing comes after them), "trickle" (a pause of 16 s
        of `clock` before each of the first 8 kB), "reset", "all" (the whole file, whatever was asked for), "other
        place" (the rest from elsewhere) or "packed" (gzip, though unwanted).
    validators : sequence of str, optional
        What says that the file is the same: "strong", "weak" and "date".
    clock : StillClock, optional
        The clock that "trickle" moves on.

    Attributes
    ----------
    url : str
        Address of the file.
    requests : list of dict
        Headers of each request so far.
    sent : int
        Bytes of the file that were sent so far.
    """

    def __init__(self, body, *, behaviour=(), validators=("strong", "date"), clock=None):
        self.body, self.behaviour, self.validators, self.clock = body, list(behaviour), validators, clock
        self.requests, self.sent, self._lock = [], 0, threading.Lock()

    def make_server(self):
        """Server on a free port."""
        return LocalServer(("127.0.0.1", 0), _Handler)

    @property
    def url(self):
        """Address of the file."""
        return self.address + PATH

    @property
    def ranges(self):
        """Ranges that were asked for, None where there was none."""
        return [request.get("Range") for request in self.requests]

    def next_behaviour(self, request):
        """Note a request and say how it is treated."""
        with self._lock:
            self.requests.append(request)
            return self.behaviour.pop(0) if self.behaviour else "ok"

    def identity(self):
        """Headers that tell this file from others."""
        tag = f'"{hashlib.sha256(self.body).hexdigest()[:16]}"'
        headers = {"strong": ("ETag", tag), "weak": ("ETag", f"W/{tag}"), "date": ("Last-Modified", MODIFIED)}
        return dict(headers[name] for name in self.validators)


class _Handler(LocalHandler):
    """One request."""

    def do_GET(self):
        archive = self.server.archive
        how = archive.next_behaviour(dict(self.headers))
        if urlsplit(self.path).path != PATH:
            how = "404"
        if how == "reset":
            self.reset()
        elif how.isdigit():
            self._send(int(how), b"try again later", {"Retry-After": "0"})
        elif how in ("html", "empty"):
            self._send(200, {"html": HTML.encode(), "empty": b""}[how], {})
        elif how == "packed":
            self._send(200, gzip.compress(archive.body), archive.identity() | {"Content-Encoding": "gzip"})
        else:
            self._send_file(how, archive.body[::-1] if how == "wrong" else archive.body)

    def _send_file(self, how, body):
        """Send the file, or its rest if that is asked for and the file is still the one that is meant."""
        identity, wanted = self.server.archive.identity(), re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        is_same = self.headers["If-Range"] in (None, *(tag for tag in identity.values() if not tag.startswith("W/")))
        if not wanted or not is_same or how == "all":
            self._send(200, body, identity | {"Accept-Ranges": "bytes"}, how=how)
            return
        start = int(wanted[1]) + (7 if how == "other place" else 0)
        if start >= len(body):
            self._send(416, b"", {"Content-Range": f"bytes */{len(body)}"})
            return
        place = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
        self._send(206, body[start:], identity | place, how=how)

    def _pieces(self, body, how):
        """The body at once, or as slowly as it is to come."""
        if how != "trickle":
            yield body
            return
        for start in range(0, 8192, 1024):
            self.server.archive.clock.sleep(16)
            yield body[start : start + 1024]
        yield body[8192:]

    def _send(self, status, body, headers, how="ok"):
        """Send a body, or only its beginning."""
        cut = TRUNCATED.fullmatch(how)
        part = body[: int(cut[1])] if cut else body
        length = len(part) if how.startswith("end") else len(body)
        with suppress(ConnectionError):
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(length)}).items():
                self.send_header(name, value)
            self.end_headers()
            for piece in self._pieces(part, how):
                self.wfile.write(piece)
            if how.startswith("stall"):
                self.server.archive.closing.wait()
            self.server.archive.sent += len(part) if status in (200, 206) else 0
