"""A local stand-in for the broker ALeRCE, with synthetic alerts."""

import json
import time
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

import numpy as np

from servers.local import LocalArchive, LocalHandler, LocalServer

__all__ = ["AlerceServer", "synthetic_detections"]


def synthetic_detections(ra, dec, *, number=6, seed=0):
    """Detections of one object as the broker sends them; the last has no apparent magnitude."""
    rng = np.random.default_rng(seed)
    rows = [
        {
            "mjd": 58500.25 + 3.0 * index,
            "candid": f"{10**18 + index}",
            "fid": 1 + index % 2,
            "ra": ra + rng.normal(0, 2e-5),
            "dec": dec + rng.normal(0, 2e-5),
            "magpsf": 18 + rng.normal(0, 0.1),
            "sigmapsf": 0.1,
            "isdiffpos": 1,
            "magpsf_corr": 17 + rng.normal(0, 0.05),
            "sigmapsf_corr": 0.05,
            "dubious": index == 1,
        }
        for index in range(number)
    ]
    rows[-1] |= {"magpsf_corr": None, "sigmapsf_corr": None}
    return rows


class AlerceServer(LocalArchive):
    """Objects by position and their lightcurves.

    Parameters
    ----------
    objects : dict of str to tuple
        Right ascension, declination [degrees] and detections of each object.
    behaviour : list, optional
        Text of each of the next answers in place of the right one; None for the right one.
    latency_s : float, optional
        Time that an answer takes [s].

    Attributes
    ----------
    requests : list of str
        Path and query of all requests so far.
    times : list of float
        When they came, by the monotonic clock [s].
    """

    def __init__(self, objects, behaviour=(), *, latency_s=0.0):
        self.objects, self.behaviour, self.latency_s, self.requests = objects, list(behaviour), latency_s, []
        self.times = []

    def make_server(self):
        return LocalServer(("127.0.0.1", 0), _Handler)

    def answer(self, path, query):
        """What the broker says."""
        if path.endswith("/lightcurve"):
            return {"detections": self.objects[path.split("/")[-2]][2], "non_detections": []}
        ra, dec, radius = (float(query[name][0]) for name in ("ra", "dec", "radius"))
        near = [
            {"oid": name, "meanra": place[0], "meandec": place[1], "classifier": classifier}
            for name, place in self.objects.items()
            for classifier in ("lc_classifier", "stamp_classifier")
            if np.hypot((place[0] - ra) * np.cos(np.radians(dec)), place[1] - dec) * 3600 < radius
        ]
        return {"total": None, "has_next": len(near) > int(query["page_size"][0]), "items": near}


class _Handler(LocalHandler):
    """Answers GET requests."""

    def do_GET(self):
        parts = urlsplit(self.path)
        archive = self.server.archive
        archive.requests.append(self.path)
        archive.times.append(time.monotonic())
        archive.closing.wait(archive.latency_s)
        instead = archive.behaviour.pop(0) if archive.behaviour else None
        body = (
            instead if instead is not None else json.dumps(archive.answer(parts.path, parse_qs(parts.query)))
        ).encode()
        with suppress(ConnectionError):
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
