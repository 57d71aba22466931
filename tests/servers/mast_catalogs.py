"""A local archive that answers like the Pan-STARRS catalog service of MAST.

All detections are invented; their object numbers begin with 19999, which is beyond the pole.
"""

import numpy as np

from servers.scripted import ScriptedServer

__all__ = ["HEADER", "SERVICE", "PanstarrsServer", "synthetic_detections"]

SERVICE = "/api/v0.1/panstarrs"
HEADER = (
    "objID,detectID,filterID,obsTime,ra,dec,psfFlux,psfFluxErr,psfMajorFWHM,psfMinorFWHM,psfQfPerfect,apFlux,"
    "apFluxErr,infoFlag,infoFlag2,infoFlag3,zp,airMass,expTime"
)
# Exposure time of each filter [s].
EXPTIMES = (43, 40, 45, 30, 30)


def synthetic_detections(ra=0.0, dec=51.3937, *, seed=0, number=0, counts=(12, 12, 12, 12, 12), first_mjd=55000.0):
    """Make detections of one object, a dict of texts for each: `counts` of them in g, r, i, z and y.

    Positions scatter by 0.05 arcsec; the first flux in an aperture is missing, and some epochs are flagged.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for band, size in enumerate(counts):
        for mjd in np.sort(rng.uniform(first_mjd, first_mjd + 1900, size)):
            east, north = rng.normal(0, 0.05 / 3600, 2)
            flux = 3631 * 10 ** (-0.4 * 18.5) * (1 + 0.01 * rng.standard_normal())
            values = {
                "objID": 199990000000000001 + 2 * number,
                "detectID": 1999900000000 + len(rows),
                "filterID": band + 1,
                "obsTime": f"{mjd:.7f}",
                "ra": f"{(ra + east / np.cos(np.radians(dec))) % 360:.8f}",
                "dec": f"{dec + north:.8f}",
                "psfFlux": f"{flux:.9e}",
                "psfFluxErr": f"{0.01 * flux:.9e}",
                "psfMajorFWHM": 1.21,
                "psfMinorFWHM": 1.12,
                "psfQfPerfect": rng.choice(["0.998", "0.998", "0.998", "0.41"]),
                "apFlux": f"{flux:.9e}" if rows else "-999.0",
                "apFluxErr": f"{0.02 * flux:.9e}",
                "infoFlag": rng.choice([102760517, 102760517, 102760645]),
                "infoFlag2": 128,
                "infoFlag3": 7635168,
                "zp": 24.6,
                "airMass": 1.2,
                "expTime": EXPTIMES[band],
            }
            rows.append({name: str(value) for name, value in values.items()})
    return rows


class PanstarrsServer(ScriptedServer):
    """The archive with some detections; kinds of requests are "csv" and "json".

    Parameters
    ----------
    rows : list of dict, optional
        Detections that it has.
    **options
        See `ScriptedServer`; "error" is an error of the database that comes with status 200.
    """

    def __init__(self, rows=None, **options):
        super().__init__(**options)
        self.rows = synthetic_detections() if rows is None else rows

    def kind(self, request):
        return request.path.rpartition(".")[2]

    def answer(self, request):
        """Rows inside the cone; no rows are an empty body in CSV and an empty list in JSON."""
        if request.path not in (f"{SERVICE}/dr2/detection.csv", f"{SERVICE}/dr2/detection.json"):
            return 404, {"message": "no such catalog"}
        names = request.query["columns"].removeprefix("[").removesuffix("]").split(",")
        if unknown := [name for name in names if name not in HEADER.split(",")]:
            return 400, {"message": f"Invalid column name: {unknown[0]}"}
        ra, dec, radius = (float(request.query[name]) for name in ("ra", "dec", "radius"))
        near = [row for row in self.rows if _separation(row, ra, dec) <= radius][: int(request.query["pagesize"])]
        cells = [[row[name] for name in names] for row in near]
        if self.kind(request) == "json":
            return 200, {"info": [{"name": name, "type": "char"} for name in names], "data": cells}
        return 200, "".join(",".join(line) + "\r\n" for line in [names, *cells]) if cells else ""

    def spoil(self, how, status, body):
        if how == "error":
            return 200, '{"status": "ERROR", "msg": "the database is not available"}'
        if how == "missing_column":
            return 200, body.replace("psfFluxErr", "psfFluxError")
        return super().spoil(how, status, body)


def _separation(row, ra, dec):
    """Angle between a detection and a position, both on a small piece of the sky [degrees]."""
    east = (float(row["ra"]) - ra + 180) % 360 - 180
    return np.hypot(east * np.cos(np.radians(dec)), float(row["dec"]) - dec)
