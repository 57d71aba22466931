"""A local archive that answers like IRSA's ``nph_light_curves`` and TAP queries of ZTF's objects.

The rows come from a genuine answer where there is one beside the project, else from
`synthetic_answer`, whose numbers are invented; its objects are in field 999, which ZTF has not.
"""

import csv
import io
from pathlib import Path

import numpy as np

from servers.tap import Archive, inside, read_cone, votable_error

__all__ = ["GENUINE_ANSWER", "HEADER", "OBJECTS", "IrsaServer", "answer_text", "make_object", "synthetic_answer"]

GENUINE_ANSWER = Path(__file__).resolve().parents[3] / "shared/data/ztf/irsa_lightcurve_WD_ra000.csv"
SERVICE, TAP = "/cgi-bin/ZTF/nph_light_curves", "/TAP/sync"
TABLES = tuple(f"ztf_objects_dr{number}" for number in range(20, 25))
HEADER = (
    "oid,expid,hjd,mjd,mag,magerr,catflags,filtercode,ra,dec,chi,sharp,filefracday,field,ccdid,qid,"
    "limitmag,magzp,magzprms,clrcoeff,clrcounc,exptime,airmass,programid"
)
FILTERS = ("zg", "zr", "zi")
# Filter and epochs of each object of the genuine answer.
OBJECTS = (("zg", 525), ("zg", 344), ("zr", 531), ("zr", 433), ("zi", 19))


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
        oid = 999 * 10**12 + (1 + FILTERS.index(code)) * 10**11 + 15 * 10**9 + 2 * 10**8 + 1000 * seed + number
        for i in range(size):
            hjd = "NaN" if (number, i) == (0, 3) else f"{mjd[i] + 2400000.5 + exptime[i] / 172800 + 0.003:.9f}"
            lines.append(
                f"{oid},{50000000 + i},{hjd},{mjd[i]:.7f},{mag[i]:.7f},{magerr[i]:.9f},{flags[i]},{code},"
                f"{round(place[i, 0], 7) % 360:.7f},{place[i, 1]:.7f},0.577,-0.139,{20180605447431 + i},999,0xf,0x2,"
                f"20.59,26.19,0.0169,-0.0625,6.698e-06,{exptime[i]},1.536,1"
            )
    return "\n".join(lines) + "\n"


def make_object(oid, ra, dec, **more):
    """Row of the table of objects; one without good epochs unless told."""
    row = {"oid": oid, "ra": ra, "dec": dec, "filtercode": "zg", "field": 999, "ccdid": 15, "qid": 2}
    return row | {"ngoodobs": 0, "ngoodobsrel": 0} | more


class IrsaServer(Archive):
    """The archive; see `servers.tap.Archive` for how it misbehaves.

    Further behaviours are "reversed" (rows in the opposite order), "object_lost" (no rows of the
    first object), "other_object" (another number in place of the first object's) and "more_columns".

    Parameters
    ----------
    text : str, optional
        Rows that the archive has, with a header line.
    more_objects : sequence of dict, optional
        Objects without rows that are listed beside those of `text`, see `make_object`.
    **options
        See `servers.tap.Archive`.
    """

    def __init__(self, text=None, *, more_objects=(), **options):
        super().__init__(**options)
        self.header, *self.rows = csv.reader(io.StringIO(synthetic_answer() if text is None else text))
        # The list of objects is in another order than the epochs.
        self.objects = [*_objects(self.header, self.rows), *more_objects][::-1]

    @property
    def url(self):
        """Address of the service of lightcurves."""
        return self.root + SERVICE

    @property
    def parameters(self):
        """Parameters with which the survey asks this archive."""
        return {"url": self.url, "tap_url": self.root + TAP}

    def answer(self, path, query):
        """Answer a proper request."""
        return {SERVICE: self._send_epochs, TAP: self._list_objects}.get(path, lambda _: (404, "no service"))(query)

    def _near(self, ra, dec, radius):
        """Objects inside a circle."""
        places = ([row[name] for row in self.objects] for name in ("ra", "dec"))
        near, _ = inside(*places, centre=(ra, dec), radius_deg=radius)
        return [row for row, is_near in zip(self.objects, near, strict=True) if is_near]

    def _list_objects(self, form):
        if (form.get("REQUEST"), form.get("LANG"), form.get("FORMAT")) != ("doQuery", "ADQL", "csv"):
            return 400, votable_error("REQUEST, LANG or FORMAT is wrong")
        names, table, *circle = read_cone(form["QUERY"])
        if table not in TABLES:
            return 200, votable_error(f"unknown table: {table}")
        if unknown := set(names) - set(make_object(0, 0, 0)):
            return 200, votable_error(f"unknown column: {min(unknown)}")
        return 200, as_text([names, *([str(row[name]) for name in names] for row in self._near(*circle))])

    def _send_epochs(self, query):
        shape, *numbers = query.get("POS", "").split(" ")
        if query.get("FORMAT", "").upper() != "CSV" or ("ID" in query) == ("POS" in query):
            return 400, "either POS or ID must be given, and FORMAT=CSV"
        if "POS" in query and (shape.upper() != "CIRCLE" or len(numbers) != 3 or not 0 < float(numbers[2]) <= 0.1667):
            return 400, "POS must be CIRCLE ra dec radius, the radius within 0.1667 degrees"
        wanted = query["ID"].split(",") if "ID" in query else [row["oid"] for row in self._near(*map(float, numbers))]
        return 200, as_text([self.header, *(row for row in self.rows if row[0] in wanted)])

    def spoil(self, how, body):
        """Body of an answer with status 200 that is not what it should be."""
        header, *lines = body.decode().splitlines() or [""]
        first = lines[0].partition(",")[0] if lines else ""
        if how == "reversed":
            lines.reverse()
        elif how == "object_lost":
            lines = [line for line in lines if not line.startswith(f"{first},")]
        elif how == "other_object":
            lines = [line.replace(f"{first},", "12345,", 1) for line in lines]
        elif how == "more_columns":
            header, lines = f"{header},flux", [f"{line},1.5" for line in lines]
        else:
            return super().spoil(how, body)
        return "".join(f"{line}\n" for line in [header, *lines]).encode()


def as_text(rows):
    """CSV text of rows."""
    return "".join(",".join(row) + "\n" for row in rows)


def _objects(header, rows):
    """Table of the objects that have rows, each at the mean direction of its epochs."""
    found = {}
    for row in rows:
        found.setdefault(row[0], []).append(dict(zip(header, row, strict=True)))
    return [_describe(oid, epochs) for oid, epochs in found.items()]


def _describe(oid, epochs):
    """Row of the table of objects."""
    ra, dec = np.radians([[float(epoch[name]) for epoch in epochs] for name in ("ra", "dec")])
    x, y, z = np.mean([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)
    place = np.degrees([np.arctan2(y, x) % (2 * np.pi), np.arctan2(z, np.hypot(x, y))]).tolist()
    n_good = sum(int(epoch["catflags"]) < 32768 for epoch in epochs)
    more = {name: int(epochs[0][name], 0) for name in ("field", "ccdid", "qid")}
    more |= {"filtercode": epochs[0]["filtercode"], "ngoodobs": n_good, "ngoodobsrel": n_good}
    return make_object(oid, *place, **more)
