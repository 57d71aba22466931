"""A local archive that answers TAP queries of NEOWISE's single exposures like IRSA.

All numbers are invented; no genuine answer was to be had.
"""

import numpy as np

from servers.tap import Archive, inside, read_cone, votable_error

__all__ = ["NeowiseArchive", "detection", "synthetic_detections"]

TAP = "/TAP/sync"
# A good detection; the table has some 140 more columns, which nobody asks for here.
GOOD = {
    "source_id": "57321b042-000031",
    "ra": 0.0,
    "dec": 0.0,
    "mjd": 58100.25,
    "qual_frame": 10,
    "qi_fact": 1.0,
    "saa_sep": 60.5,
    "moon_masked": "00",
    "cc_flags": "0000",
    "nb": 1,
    "na": 0,
    "allwise_cntr": "",
    "w1mpro": 14.5,
    "w1sigmpro": 0.08,
    "w1flux": 320.0,
    "w1sigflux": 23.0,
    "w1rchi2": 0.9,
    "w1sat": 0.0,
    "w2mpro": 14.4,
    "w2sigmpro": 0.2,
    "w2flux": 120.0,
    "w2sigflux": 22.0,
    "w2rchi2": 1.1,
    "w2sat": 0.0,
}


def detection(ra, dec, **more):
    """Row of the table for a good detection, but for what is given."""
    assert set(more) <= set(GOOD), set(more) - set(GOOD)
    return GOOD | {"ra": ra, "dec": dec} | more


def synthetic_detections(ra, dec, *, visits=4, exposures=6, limits=True, seed=0):
    """Make invented detections: visits half a year apart, exposures 0.131 days apart.

    With `limits`, every fifth is a limit in W2.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(visits * exposures):
        visit, exposure = divmod(number, exposures)
        east, north = rng.normal(0, 0.2 / 3600, 2)
        row = detection((ra + east / np.cos(np.radians(dec))) % 360, dec + north)
        row |= {"mjd": 58100 + 182.6 * visit + 0.131 * exposure, "source_id": f"57321b042-{number:06d}"}
        row |= {"w1mpro": 14.5 + 0.08 * rng.standard_normal(), "allwise_cntr": 10**18 + 1}
        rows.append(row | ({"w2mpro": 15.1, "w2sigmpro": "", "w2flux": -12.5} if limits and number % 5 == 4 else {}))
    return rows


class NeowiseArchive(Archive):
    """The archive; see `servers.tap.Archive` for how it misbehaves.

    Parameters
    ----------
    rows : list of dict
        Detections, see `detection`.
    **options
        See `servers.tap.Archive`.
    """

    def __init__(self, rows, **options):
        super().__init__(**options)
        self.rows = rows

    @property
    def parameters(self):
        """Parameters with which the survey asks this archive."""
        return {"url": self.root + TAP}

    def answer(self, path, query):
        """Answer a proper request; errors in the query have status 200."""
        if path != TAP:
            return 404, "no such service"
        if (query.get("REQUEST"), query.get("LANG"), query.get("FORMAT")) != ("doQuery", "ADQL", "csv"):
            return 400, votable_error("REQUEST, LANG or FORMAT is wrong")
        names, table, ra, dec, radius = read_cone(query["QUERY"])
        if table != "neowiser_p1bs_psd":
            return 200, votable_error(f"unknown table: {table}")
        if unknown := set(names) - set(GOOD):
            return 200, votable_error(f"unknown column: {min(unknown)}")
        near, _ = inside(
            *([row[name] for row in self.rows] for name in ("ra", "dec")), centre=(ra, dec), radius_deg=radius
        )
        rows = [[row[name] for name in names] for row, is_near in zip(self.rows, near, strict=True) if is_near]
        return 200, "".join(",".join(map(str, line)) + "\n" for line in [names, *rows])
