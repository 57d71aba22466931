"""A local archive that answers like the portal of MAST: questions, and files behind a redirection.

All numbers are invented unless a test brings a genuine file: targets, sectors and fluxes here are
synthetic, in the format of the genuine files.
"""

import io
import json
import re
import threading
from contextlib import suppress
from urllib.parse import parse_qs, quote, unquote, urlsplit

import numpy as np
from astropy.io import fits

from servers.local import LocalArchive, LocalHandler, LocalServer

__all__ = ["MastServer", "observation", "star", "target_files"]

INVOKE, DOWNLOAD, STORE = "/api/v0/invoke", "/api/v0.1/Download/file", "/store/"
HTML = b"<html><head><title>MAST is down for maintenance</title></head><body>Back soon.</body></html>"


def star(number, ra, dec, **values):
    """Row of the TESS Input Catalog with the columns that matter."""
    row = {"ID": number, "ra": ra, "dec": dec, "pmRA": None, "pmDEC": None, "GAIAmag": 13.0, "Tmag": 12.5}
    return row | {"disposition": None, "objType": "STAR"} | values


def observation(uri, **values):
    """Row of the table of observations for a lightcurve of SPOC."""
    found = re.search(r"-(\d{16})-", uri or "")
    row = {"obs_collection": "TESS", "provenance_name": "SPOC", "dataproduct_type": "timeseries", "dataURL": uri}
    row |= {"obs_id": "" if uri is None else uri.rpartition("/")[2], "target_name": found and str(int(found[1]))}
    return row | values


def target_files(number, sectors, *, cadence_s=120, version=120):
    """URIs of the lightcurves of a TESS target."""
    end = {120: "s_lc", 20: "a_fast-lc"}[cadence_s]
    return {
        sector: f"mast:TESS/product/tess20182060458{sector:02d}-s{sector:04d}-{number:016d}-{version:04d}-{end}.fits"
        for sector in sectors
    }


class MastServer(LocalArchive):
    """The archive on a free port of this machine; use it as a context manager.

    Parameters
    ----------
    stars, observations, products : sequence of dict
        Rows of its tables; positions of observations are ``s_ra`` and ``s_dec``.
    files : dict of str to bytes
        Files by URI.
    behaviour, file_behaviour : sequence of str
        What the first questions and the first files get before all others get "ok": a status such as
        "503", "html", "empty", "short" (fewer bytes than announced), "reset", "stall" (nothing comes) or "half" (of the
        answer, then nothing); questions also "executing", "error" and "missing_column"; files
        "truncated" (inside a block), "cut_block" (at the end of one), "cut_part" (without the last part),
        "flipped" (a bit of the table) and "foreign" (a file without a lightcurve).
    page_size : int
        Rows of one page, whatever is asked for.

    Attributes
    ----------
    url, download_url : str
        Addresses of the services.
    questions : list of dict
        Questions so far.
    downloads : list of str
        URIs asked for so far.
    """

    def __init__(
        self,
        *,
        stars=(),
        observations=(),
        products=(),
        files=None,
        behaviour=(),
        file_behaviour=(),
        page_size=50000,
    ):
        self.tables = {"tic": list(stars), "caom": list(observations), "products": list(products)}
        self.files, self.page_size = files or {}, page_size
        self.behaviours = {"POST": list(behaviour), "GET": list(file_behaviour)}
        self.questions, self.downloads = [], []
        self._lock = threading.Lock()

    def make_server(self):
        """Server on a free port."""
        return LocalServer(("127.0.0.1", 0), _Handler)

    @property
    def url(self):
        """Address of the portal."""
        return self.address + INVOKE

    @property
    def download_url(self):
        """Address of the files."""
        return self.address + DOWNLOAD

    @property
    def parameters(self):
        """Parameters with which a survey asks this archive."""
        return {"url": self.url, "download_url": self.download_url}

    def next_behaviour(self, method, log, entry):
        """Note a request and say how it is treated."""
        with self._lock:
            log.append(entry)
            queue = self.behaviours[method]
            return queue.pop(0) if queue else "ok"

    def answer(self, question):
        """Answer to a question as a dict."""
        service, params = question["service"].lower(), question["params"]
        if service == "mast.caom.products":
            wanted = params["obsid"].split(",")
            rows = [row for row in self.tables["products"] if str(row["obsID"]) in wanted]
        elif ".filtered.tic.position.rows" in service or service.startswith("mast.caom.filtered"):
            table = "tic" if ".tic." in service else "caom"
            rows = [row for row in self.tables[table] if all(_passes(row, rule) for rule in params["filters"])]
            rows = _inside(rows, params)
        else:
            return {"status": "ERROR", "msg": f"Unknown service {question['service']}"}
        size = min(self.page_size, question["pagesize"])
        page = question["page"]
        part = rows[(page - 1) * size : page * size]
        paging = {"page": page, "pageSize": size, "pagesFiltered": max(1, -(-len(rows) // size))}
        paging |= {"rows": len(part), "rowsFiltered": len(rows), "rowsTotal": len(rows)}
        return {"status": "COMPLETE", "msg": "", "data": part, "fields": [], "paging": paging}


def _passes(row, rule):
    """Whether a row passes one filter: values, or ranges of them."""
    value = row.get(rule["paramName"])
    return any(
        (value is not None and allowed["min"] <= value <= allowed["max"])
        if isinstance(allowed, dict)
        else value == allowed
        for allowed in rule["values"]
    )


def _inside(rows, params):
    """Rows inside the circle of a question, if it has one."""
    if "position" in params:
        ra, dec, radius = (float(number) for number in params["position"].split(","))
    elif "radius" in params:
        ra, dec, radius = (params[name] for name in ("ra", "dec", "radius"))
    else:
        return rows
    places = [(row.get("ra", row.get("s_ra")), row.get("dec", row.get("s_dec"))) for row in rows]
    centre = _direction(ra, dec)
    chord = 2 * np.sin(np.radians(radius) / 2)
    near = (np.linalg.norm(_direction(*place) - centre) <= chord for place in places)
    return [row for row, inside in zip(rows, near, strict=True) if inside]


def _direction(ra, dec):
    """Unit vector of a position [degrees]."""
    ra, dec = np.radians(ra), np.radians(dec)
    return np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])


class _Handler(LocalHandler):
    """One request."""

    def do_POST(self):
        archive = self.server.archive
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        question = json.loads(parse_qs(body)["request"][0])
        how = archive.next_behaviour("POST", archive.questions, question)
        answer = archive.answer(question)
        if how == "missing_column":
            answer["data"] = [dict(list(row.items())[:1]) for row in answer["data"]]
        if how == "executing":
            answer = {"status": "EXECUTING", "msg": "", "data": []}
        if how == "error":
            answer = {"status": "ERROR", "msg": "Incorrect syntax near '*'."}
        self._misbehave(how, json.dumps(answer).encode(), "application/json; charset=utf-8")

    def do_GET(self):
        archive, parts = self.server.archive, urlsplit(self.path)
        if parts.path == DOWNLOAD:
            uri = parse_qs(parts.query)["uri"][0]
            self._send(302, b"", "text/html", {"Location": STORE + quote(uri, safe="")})
            return
        uri = unquote(parts.path.removeprefix(STORE))
        how = archive.next_behaviour("GET", archive.downloads, uri)
        if uri not in archive.files:
            self._send(404, b"no such file", "text/plain")
            return
        self._misbehave(how, _cut(how, archive.files[uri]), "application/fits")

    def _misbehave(self, how, body, kind):
        """Send a body, or what the behaviour makes of it."""
        if how == "reset":
            self.reset()
        elif how == "stall":
            self.server.archive.closing.wait()
        elif how in ("short", "half"):
            self._send(200, body[: len(body) // 2], kind, {"Content-Length": str(len(body))})
            if how == "half":
                self.wfile.flush()
                self.server.archive.closing.wait()
        elif how.isdigit():
            self._send(int(how), b"try again later", "text/plain", {"Retry-After": "0"})
        else:
            self._send(200, {"html": HTML, "empty": b""}.get(how, body), kind)

    def _send(self, status, body, kind, headers=None):
        with suppress(ConnectionError):
            self.send_response(status)
            for name, value in ({"Content-Type": kind, "Content-Length": str(len(body))} | (headers or {})).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)


def _cut(how, body):
    """Part of a file: to inside a block, to the end of the table's first, or to that of the last part but one.

    The whole with another bit in the table for "flipped", another file for "foreign".
    """
    if how == "foreign":
        return bytes(fits.PrimaryHDU().header.tostring(), "ascii")
    if how == "truncated":
        return body[: len(body) - 1000]
    with fits.open(io.BytesIO(body)) as parts:
        starts = [part.fileinfo() for part in parts]
        ends = {"cut_block": starts[1]["datLoc"], "cut_part": starts[2]["hdrLoc"]}
    if how == "flipped":
        place = starts[1]["datLoc"] + 4
        return body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
    return body[: ends[how]] if how in ends else body
