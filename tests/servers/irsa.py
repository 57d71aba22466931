"""A local archive that answers like IRSA's ``nph_light_curves``.

The rows come from a genuine answer where there is one beside the project, else from
`synthetic_answer`, whose numbers are invented; its objects are in field 999, which ZTF has not.
"""

import csv
import io
import socket
import struct
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np

from servers.local import LocalArchive

__all__ = ["GENUINE_ANSWER", "HEADER", "OBJECTS", "IrsaServer", "answer_text", "synthetic_answer"]

GENUINE_ANSWER = Path(__file__).resolve().parents[3] / "shared/data/ztf/irsa_lightcurve_WD_ra000.csv"
SERVICE = "/cgi-bin/ZTF/nph_light_curves"
HEADER = (
    "oid,expid,hjd,mjd,mag,magerr,catflags,filtercode,ra,dec,chi,sharp,filefracday,field,ccdid,qid,"
    "limitmag,magzp,magzprms,clrcoeff,clrcounc,exptime,airmass,programid"
)
FILTERS = ("zg", "zr", "zi")
# Filter and epochs of each object of the genuine answer.
OBJECTS = (("zg", 525), ("zg", 344), ("zr", 531), ("zr", 433), ("zi", 19))
HTML = "<html><head><title>IRSA is down for maintenance</title></head><body>Back soon.</body></html>"
VOTABLE_ERROR = (
    '<?xml version="1.0"?>\n<VOTABLE version="1.4"><RESOURCE type="results">'
    '<INFO name="QUERY_STATUS" value="ERROR">ORA-24459: OCISessionGet() timed out waiting for pool</INFO>'
    "</RESOURCE></VOTABLE>\n"
)


def answer_text():
    """Give the text of a genuine answer and True, or of a synthetic one and False."""
    if GENUINE_ANSWER.exists():
        return GENUINE_ANSWER.read_text(), True
    return synthetic_answer(), False


def synthetic_answer(ra=0.0, dec=51.3937, *, seed=0, objects=OBJECTS):
    """Make an answer of invented rows around a position, in the format of the genuine one.

    Positions scatter by 0.3 arcsec, so they straddle RA 0 at the default place; one ``hjd`` is NaN,
    some epochs are flagged, exposures are of 30 and 300 s and ``ccdid`` and ``qid`` hexadecimal.
    """
    rng = np.random.default_rng(seed)
    lines = [HEADER]
    for number, (code, size) in enumerate(objects):
        mjd = np.sort(rng.uniform(58246, 59522, size))
        magerr = rng.uniform(0.08, 0.12, size)
        mag = 20.2 + magerr * rng.standard_normal(size)
        place = np.array([ra, dec]) + rng.normal(0, 0.3 / 3600, (size, 2)) / [np.cos(np.radians(dec)), 1]
        flags = rng.choice([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 16, 32768], size)
        exptime = np.where(rng.random(size) < 0.05, 300, 30)
        oid = 999 * 10**12 + (1 + FILTERS.index(code)) * 10**11 + 15 * 10**9 + 2 * 10**8 + number
        for i in range(size):
            hjd = "NaN" if (number, i) == (0, 3) else f"{mjd[i] + 2400000.5 + exptime[i] / 172800 + 0.003:.9f}"
            lines.append(
                f"{oid},{50000000 + i},{hjd},{mjd[i]:.7f},{mag[i]:.7f},{magerr[i]:.9f},{flags[i]},{code},"
                f"{round(place[i, 0], 7) % 360:.7f},{place[i, 1]:.7f},0.577,-0.139,{20180605447431 + i},999,0xf,0x2,"
                f"20.59,26.19,0.0169,-0.0625,6.698e-06,{exptime[i]},1.536,1"
            )
    return "\n".join(lines) + "\n"


class IrsaServer(LocalArchive):
    """The archive on a free port of this machine; use it as a context manager.

    Parameters
    ----------
    text : str, optional
        Rows that the archive has, with a header line.
    behaviour : sequence of str, optional
        What the first requests get, one after the other, before all others get "ok": a status such
        as "503", "html", "votable_error", "empty", "truncated" (cut inside a line), "short" (fewer
        bytes than announced), "missing_column", "slow" or "reset".
    delay_s : float, optional
        How long "slow" lasts [s].
    retry_after : str, optional
        Header that is sent with a status.

    Attributes
    ----------
    url : str
        Address of the service.
    requests : list of dict
        Query of each request so far, with its user agent under "User-Agent".
    """

    def __init__(self, text=None, *, behaviour=(), delay_s=5.0, retry_after="0"):
        self.rows = list(csv.reader(io.StringIO(synthetic_answer() if text is None else text)))
        self.behaviour, self.delay_s, self.retry_after = list(behaviour), delay_s, retry_after
        self.requests, self._lock = [], threading.Lock()
        self._centres = _centres(self.rows)

    def make_server(self):
        """Server on a free port."""
        return _Server(("127.0.0.1", 0), _Handler)

    @property
    def url(self):
        """Address of the archive."""
        return f"{self.address}{SERVICE}"

    def next_behaviour(self, query):
        """Note a request and say how it is treated."""
        with self._lock:
            self.requests.append(query)
            return self.behaviour.pop(0) if self.behaviour else "ok"

    def answer(self, query):
        """Status and body for a proper request: rows of the objects inside the circle."""
        shape, *numbers = query.get("POS", "").split(" ")
        if shape.upper() != "CIRCLE" or len(numbers) != 3 or query.get("FORMAT", "").upper() != "CSV":
            return 400, "POS must be CIRCLE ra dec radius, and FORMAT=CSV"
        ra, dec, radius = map(float, numbers)
        if not 0 < radius <= 0.1667:
            return 400, "the radius must be within 0.1667 degrees"
        near = {oid for oid, centre in self._centres.items() if _separation(_direction(ra, dec), centre) <= radius}
        header, *rows = self.rows
        return 200, as_text([header, *(row for row in rows if row[0] in near)])


def as_text(rows):
    """CSV text of rows."""
    return "".join(",".join(row) + "\n" for row in rows)


def _direction(ra, dec):
    """Unit vector of positions [degrees], components first."""
    ra, dec = np.radians(ra), np.radians(dec)
    return np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])


def _separation(one, other):
    """Angle between two directions of any length [degrees]."""
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(one, other)), one @ other))


def _centres(rows):
    """Mean direction of each object."""
    header, *rows = rows
    columns = [header.index(name) for name in ("oid", "ra", "dec")]
    found = {}
    for oid, ra, dec in ([row[column] for column in columns] for row in rows):
        found.setdefault(oid, []).append((float(ra), float(dec)))
    return {oid: _direction(*np.array(places).T).mean(axis=1) for oid, places in found.items()}


class _Server(ThreadingHTTPServer):
    """Server that does not mind clients that went away."""

    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self):
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        archive = self.server.archive
        how = archive.next_behaviour(query | {"User-Agent": self.headers["User-Agent"]})
        status, body = archive.answer(query) if parts.path == SERVICE else (404, "no such service")
        if how == "reset":
            self._reset()
        elif how == "slow":
            archive.closing.wait(archive.delay_s)
            self._send(status, body)
        elif how == "short":
            self._send(status, body[: len(body) // 2], announced=len(body))
        elif how.isdigit():
            self._send(int(how), "try again later", retry_after=archive.retry_after)
        else:
            self._send(status, _spoil(how, body))

    def _send(self, status, body, *, announced=None, retry_after=None):
        with suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Type", "text/xml" if body.startswith("<") else "text/csv")
            self.send_header("Content-Length", str(len(body) if announced is None else announced))
            if retry_after is not None:
                self.send_header("Retry-After", retry_after)
            self.end_headers()
            self.wfile.write(body.encode())

    def _reset(self):
        """End the connection without an answer, as a crashed server does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.wfile.close()
        self.connection.close()

    def log_message(self, *_):
        pass


def _spoil(how, body):
    """Body of an answer with status 200 that is not what it should be."""
    if how == "missing_column":
        return as_text([[cell for i, cell in enumerate(line.split(",")) if i != 3] for line in body.splitlines()])
    # Without what follows its last comma, a third of the text ends inside a line.
    cut = body[: len(body) // 3].rstrip("\n").rpartition(",")[0]
    return {"ok": body, "html": HTML, "votable_error": VOTABLE_ERROR, "empty": "", "truncated": cut}[how]
