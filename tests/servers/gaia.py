"""A local archive that answers like ESA's: TAP cone searches of ``gaia_source``, and DataLink.

The numbers of `synthetic_epochs` are invented. `GENUINE_EPOCHS` is a genuine answer of Gaia DR2,
whose form with a row per transit and band DR3 had until 2025.
"""

import io
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from astropy.table import Table

from servers.tap import Archive, inside, read_cone, votable_error

__all__ = [
    "GENUINE_EPOCHS",
    "GENUINE_TABLE",
    "LONG_HEADER",
    "NEW_STRUCTURES",
    "WIDE_HEADER",
    "GaiaArchive",
    "genuine_epochs",
    "star",
    "synthetic_epochs",
    "synthetic_table",
]

GENUINE_EPOCHS = Path(__file__).resolve().parents[3] / "shared/data/gaia/gaia_dr2_epoch_photometry_multiband.xml"
GENUINE_TABLE = GENUINE_EPOCHS.with_name("gaia_tap_result.vot")
TAP, DATA = "/tap-server/tap/sync", "/data-server/data"
SOURCE_COLUMNS = ("source_id", "ra", "dec", "pmra", "pmdec", "phot_g_mean_mag", "has_epoch_photometry")
WIDE_HEADER = (
    "solution_id,source_id,transit_id,g_transit_time,g_transit_flux,g_transit_flux_error,"
    "g_transit_flux_over_error,g_transit_mag,bp_obs_time,bp_flux,bp_flux_error,bp_flux_over_error,bp_mag,"
    "rp_obs_time,rp_flux,rp_flux_error,rp_flux_over_error,rp_mag,variability_flag_g_reject,"
    "variability_flag_bp_reject,variability_flag_rp_reject,g_other_flags,bp_other_flags,rp_other_flags,"
    "rejected_by_photometry"
)
LONG_HEADER = (
    "source_id,transit_id,band,time,mag,flux,flux_error,flux_over_error,rejected_by_photometry,"
    "rejected_by_variability,other_flags,solution_id"
)
OLD_STRUCTURES, NEW_STRUCTURES = ("RAW", "INDIVIDUAL"), ("DATAMODEL_GAIA", "DATAMODEL_STANDARD")
# Vega zero points of Gaia DR3.
ZERO_POINTS = (25.6873668671, 25.3385422158, 24.7478955012)


def star(source_id, ra, dec, **more):
    """Row of ``gaia_source``; what is not given is none or, for the epochs, true."""
    row = {"source_id": source_id, "ra": ra, "dec": dec, "pmra": "", "pmdec": "", "phot_g_mean_mag": 18.5}
    return row | {"has_epoch_photometry": "true"} | more


def synthetic_epochs(source_id, *, transits=12, first=2850.0, seed=0):
    """Make invented transits in the form with a row for each; the last has no BP and RP.

    Every fourth transit is rejected in G by the variability processing and every fifth by the
    photometric one.
    """
    rng = np.random.default_rng(seed)
    lines = [WIDE_HEADER]
    for i, time in enumerate(np.sort(rng.uniform(first, first + 900, transits))):
        cells, gone = [], i == transits - 1
        for band, zero in enumerate(ZERO_POINTS):
            flux = 600 + 10 * rng.standard_normal()
            snr, when = 60 + band, time + 0.0001 * band
            mag = zero - 2.5 * np.log10(flux)
            measured = f"{when:.10f},{flux:.8f},{flux / snr:.8f},{snr},{mag:.10f}"
            cells.append(",,,," if gone and band else measured)
        flags = f"{str(i % 4 == 3).lower()},{str(gone).lower()},{str(gone).lower()},4097,{1024 * gone},0"
        ids = f"375316653866487564,{source_id},{10**16 + i}"
        lines.append(",".join([ids, *cells, flags, str(i % 5 == 4).lower()]))
    return "\n".join(lines) + "\n"


def synthetic_table(rows=5, *, without=(), status="OK", form="binary2", seed=0, **columns):
    """Make what the archive answers to a long query of ``gaia_source``: a VOTable of invented stars.

    Its status stands behind the table, as that of an answer that was cut off does.
    """
    rng = np.random.default_rng(seed)
    numbers = 2**62 + 1 + np.arange(rows)
    made = {
        "SOURCE_ID": numbers,
        "DESIGNATION": np.array([f"Gaia DR3 {number}" for number in numbers], dtype=object),
        "ra": rng.uniform(0, 360, rows),
        "dec": rng.uniform(-90, 90, rows),
        "pmra": np.ma.array(rng.normal(0, 100, rows), mask=np.arange(rows) == 1),
        "ref_epoch": np.full(rows, 2016.0),
        "phot_g_mean_mag": rng.uniform(10, 20, rows).astype("f4"),
    } | columns
    table = Table({name: values for name, values in made.items() if name not in without})
    file = io.BytesIO()
    table.write(file, format="votable", tabledata_format=form)
    head, _, tail = file.getvalue().rpartition(b"</TABLE>")
    return head + f'</TABLE><INFO name="QUERY_STATUS" value="{status}"/>'.encode() + tail


def genuine_epochs():
    """Give the genuine answer as the CSV that the archive sends when asked for that format."""
    table = ElementTree.fromstring(GENUINE_EPOCHS.read_text())
    space = table.tag.partition("}")[0] + "}"
    names = [field.get("name") for field in table.iter(f"{space}FIELD")]
    rows = [[cell.text or "" for cell in row] for row in table.iter(f"{space}TR")]
    words = {"T": "true", "F": "false"}
    return "".join(",".join(words.get(cell, cell) for cell in row) + "\n" for row in [names, *rows])


class GaiaArchive(Archive):
    """The archive; see `servers.tap.Archive` for how it misbehaves.

    Parameters
    ----------
    sources : list of dict
        Rows of ``gaia_source``, see `star`.
    epochs : dict of int to str
        Answer for each source that has epochs.
    zipped : bool, optional
        Send the epochs in a zip archive.
    structures : tuple of str, optional
        Names of the form of the answer that are known: those until the archive of DR4.
    refusal : str, optional
        How the message stands in the answer to another one.
    **options
        See `servers.tap.Archive`.
    """

    def __init__(self, sources, epochs, *, zipped=False, structures=OLD_STRUCTURES, refusal="{}", **options):
        super().__init__(**options)
        self.sources, self.epochs, self.zipped = sources, epochs, zipped
        self.structures, self.refusal = structures, refusal

    @property
    def parameters(self):
        """Parameters with which the survey asks this archive."""
        return {"url": self.root + TAP, "data_url": self.root + DATA}

    def answer(self, path, query):
        """Answer a proper request."""
        return {TAP: self._find, DATA: self._epochs}.get(path, lambda _: (404, "no such service"))(query)

    def _find(self, form):
        if (form.get("REQUEST"), form.get("LANG"), form.get("FORMAT")) != ("doQuery", "ADQL", "csv"):
            return 400, votable_error("REQUEST, LANG or FORMAT is wrong")
        names, table, ra, dec, radius = read_cone(form["QUERY"])
        if table != "gaiadr3.gaia_source" or set(names) - {*SOURCE_COLUMNS, "dist"}:
            return 400, votable_error("Cannot parse query")
        near, distance = inside(
            *([row[name] for row in self.sources] for name in ("ra", "dec")), centre=(ra, dec), radius_deg=radius
        )
        rows = [row | {"dist": d} for row, d, is_near in zip(self.sources, distance, near, strict=True) if is_near]
        rows.sort(key=lambda row: row["dist"])
        return 200, "".join(",".join(map(str, line)) + "\n" for line in [names, *([r[n] for n in names] for r in rows)])

    def _epochs(self, query):
        release, _, source_id = query.get("ID", "").rpartition(" ")
        if (query.get("RETRIEVAL_TYPE"), query.get("FORMAT"), release) != ("EPOCH_PHOTOMETRY", "csv", "Gaia DR3"):
            return 400, "the request is not understood"
        if (structure := query.get("DATA_STRUCTURE")) not in self.structures:
            known = ", ".join(self.structures)
            message = f"Invalid Data Structure parameter: '{structure}', valid ones are: {known}"
            return 500, self.refusal.format(message)
        text = self.epochs.get(int(source_id), "")
        return 200, _zip(f"EPOCH_PHOTOMETRY-Gaia DR3 {source_id}.csv", text) if self.zipped else text


def _zip(name, text):
    """Zip archive with one file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return buffer.getvalue()
