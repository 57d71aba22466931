"""Read columns and rows from one product at a time, for `vo_lib.extract`."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vo_lib import hdf5, paths
from vo_lib.batch import COLUMNS
from vo_lib.downloads.manifest import read_manifest
from vo_lib.errors import UserError, hint
from vo_lib.quality import epoch_flags
from vo_lib.raw import read_epochs
from vo_lib.reduction.reduced import DESCRIPTIONS, open_lightcurves
from vo_lib.storage.flat_rows import read_flat
from vo_lib.tables import decode_table, take_rows

__all__ = ["LABELS", "QFLAG", "ProductFile", "columns_of", "read_rows", "surveys_of"]

# Columns that identify the lightcurve of an epoch -> (unit, description).
LABELS = {
    "source": ("", "name of the source in the catalog"),
    "obs": ("", "survey"),
    "filter": ("", "filter"),
    "lightcurve": ("", "key of the lightcurve in its file"),
}
QFLAG = {"qflag": ("", "quality flag, 0 for good epochs; bits in the table quality_bits of the analysis file")}


@dataclass(frozen=True)
class ProductFile:
    """A file with wanted rows.

    Parameters
    ----------
    path : Path
        The file.
    obs, bin : str
        Survey, empty for a file of all surveys, and bin.
    names : set of str or None
        Sources whose rows are wanted; None for all.
    """

    path: Path
    obs: str
    bin: str
    names: set | None

    def has_wanted(self, sources):
        """Return a mask of the rows that are of wanted sources, from the name of the source of each row."""
        return np.ones(len(sources), bool) if self.names is None else np.isin(sources, list(self.names))


def surveys_of(plan, wanted):
    """List the surveys to read; `UserError` for an unknown one, or if raw epochs need one to be chosen."""
    known = plan.observatories
    if wanted.obs and wanted.obs.upper() not in known:
        raise UserError(f"'{wanted.obs}' is not a survey of the project; {hint(wanted.obs.upper(), known)}")
    if wanted.level == "raw" and not wanted.obs and len(known) > 1:
        raise UserError(f"raw epochs are those of one survey; choose it with --obs: {', '.join(known)}")
    return [wanted.obs.upper()] if wanted.obs else known


def columns_of(plan, wanted, files):
    """Return unit and description of each column, by name."""
    if wanted.what != "lightcurves":
        return _table_columns(wanted, files)
    if wanted.level == "reduced":
        return LABELS | DESCRIPTIONS | QFLAG
    if wanted.level == "processed":
        described = (_processed_columns(file.path) for file in files)
        return LABELS | next(filter(None, described), DESCRIPTIONS | QFLAG)
    sent = plan.surveys[surveys_of(plan, wanted)[0]].observatory.columns
    return {"source": LABELS["source"]} | {_sent_name(name): (unit, text) for name, (_, unit, text) in sent.items()}


def _table_columns(wanted, files):
    """Return the columns of a table of the analysis."""
    if not files:
        raise UserError("the project has no bins; is its catalog empty?")
    with hdf5.open_file(files[0].path) as file:
        described = hdf5.read_json(file, "columns")[wanted.what]
        names = file[wanted.what].dtype.names
    texts = {name: (each["unit"], each["description"]) for name, each in described.items()}
    return {name: texts.get(name, ("", "")) for name in names}


def _processed_columns(path):
    """Return the columns of the lightcurves of a processed file; empty without lightcurves."""
    with hdf5.open_file(path) as file:
        described, index = hdf5.read_json(file, "columns"), file["index"]
        names = file[index[0]["key"]].dtype.names if len(index) else ()
    return {name: (described[name]["unit"], described[name]["description"]) for name in names}


def read_rows(plan, wanted, product):
    """Read the wanted rows of one file, a `ProductFile`, as a table."""
    if wanted.what != "lightcurves":
        return _read_rows(wanted, product)
    if wanted.level == "raw":
        return _read_raw(plan, product)
    index, counts, rows = _read_series(wanted, product)
    labels = {name: index["key" if name == "lightcurve" else name] for name in LABELS}
    table = {name: np.repeat(values, counts) for name, values in labels.items()} | rows
    if wanted.level == "reduced":
        table |= {"qflag": _quality_flags(plan, wanted, product, index["key"], counts)}
    return table


def _read_raw(plan, product):
    """Read the raw epochs of the project's sources, which must be those of its manifest."""
    _, sources = read_manifest(plan.data_root / paths.manifest_file(plan.folder, product.obs, product.bin))
    sources = take_rows(sources, product.has_wanted(sources["name"]))
    rows, counts = read_epochs(product.path, sources, plan.surveys[product.obs].observatory.dtype)
    sent = {_sent_name(name): values for name, values in decode_table(rows).items()}
    return {"source": np.repeat(sources["name"], counts)} | sent


def _sent_name(name):
    """Name of a column that a survey sent, beside that of the source's name."""
    return "source_sent" if name == "source" else name


def _read_series(wanted, product):
    """Read the index of the wanted lightcurves of a file, their numbers of epochs and the epochs."""
    with open_lightcurves(product.path) as file:
        index = hdf5.read_table(file, "index")
        chosen = product.has_wanted(index["source"])
        if wanted.filter:
            chosen &= index["filter"] == wanted.filter
        index = take_rows(index, chosen)
        keys = index["key"].tolist()
        kind = file[keys[0]].dtype if keys else np.dtype(_columns_without_rows(wanted))
        rows = read_flat(file, keys, index["n_epochs"], kind, index.get("place"))
    return index, index["n_epochs"], decode_table(rows)


def _columns_without_rows(wanted):
    """Return the columns of lightcurves, for a file without any."""
    return [*COLUMNS.items(), *([("qflag", "i8")] if wanted.level == "processed" else [])]


def _read_rows(wanted, product):
    """Read the wanted rows of a table of the analysis, without simulated detections."""
    with hdf5.open_file(product.path) as file:
        table = hdf5.read_table(file, wanted.what)
    mask = product.has_wanted(table["source"])
    if wanted.what == "detections":
        mask &= table["simulated"] == 0
    if wanted.obs:
        mask &= _of_survey(table, wanted.obs.upper())
    if wanted.filter:
        mask &= table["filter"] == wanted.filter
    return take_rows(table, mask)


def _of_survey(table, obs):
    """Select the rows of a survey; of events those that it saw, even if another survey saw them better."""
    if "surveys" in table:
        return np.array([obs in seen.split() for seen in table["surveys"].tolist()], dtype=bool)
    return table["obs"] == obs


def _quality_flags(plan, wanted, product, keys, counts):
    """Read the quality flags of epochs from the analysis of their bin."""
    path = plan.data_root / paths.analysis_file(plan.folder, product.bin)
    expected = None if wanted.any_provenance else plan.provenance("analyze").id
    with hdf5.open_file(path, provenance=expected) as file:
        series, flagged = hdf5.read_table(file, "series"), hdf5.read_table(file, "flagged")
    return epoch_flags(series, flagged, obs=np.full(len(keys), product.obs), keys=keys, counts=counts)
