"""Everything that the products of a project contain about sources of one bin, read together for their pages."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from vo_lib import hdf5, paths
from vo_lib.batch import COLUMNS
from vo_lib.downloads.manifest import read_manifest
from vo_lib.errors import UserError
from vo_lib.reduction.reduced import open_reduced
from vo_lib.segments import starts_from_counts
from vo_lib.storage.flat_rows import read_columns
from vo_lib.storage.lookup import map_table, rows_of
from vo_lib.storage.seal import check_seal
from vo_lib.tables import decode_table, take_rows

__all__ = ["SourceLightcurve", "SourceProducts", "read_sources"]

# Tables of the analysis file whose rows a page shows.
TABLES = ("properties", "detections", "periods")
# Columns of a manifest on the outcome of a download.
OUTCOME = ("status", "n_rows", "reason")


@dataclass(frozen=True)
class SourceLightcurve:
    """One lightcurve with its quality flags.

    Parameters
    ----------
    row : dict
        Its row in the index of the reduced file.
    columns : dict of str to ndarray, each of shape (n_epochs,)
        Standard columns.
    qflag : ndarray of int64, shape (n_epochs,)
        Sum of the bits of the quality checks; 0 for good epochs.
    """

    row: dict
    columns: dict
    qflag: np.ndarray


@dataclass(frozen=True)
class SourceProducts:
    """Everything that the products contain about one source.

    Parameters
    ----------
    name, bin : str
        Its name in the catalog, and its bin.
    catalog : dict
        Its row in the catalog.
    downloads : list of dict
        ``obs``, ``status``, ``n_rows`` and ``reason`` for each survey, and ``left_out``, the number of epochs that are
        in no lightcurve, by reason.
    properties : dict
        Its row in the table of properties.
    detections, periods : dict of str to ndarray
        Its real detections in order of time, and its rows in the table of periods.
    lightcurves : list of SourceLightcurve
        By survey, in the order of the file.
    bits : dict of int to str
        Meaning of each quality bit.
    made_by : list of dict
        ``file``, ``process``, ``provenance`` and ``code`` of each product that was read.
    """

    name: str
    bin: str
    catalog: dict
    downloads: list
    properties: dict
    detections: dict
    periods: dict
    lightcurves: list
    bits: dict
    made_by: list


def read_sources(project, bin_name, observatories, names, *, provenance=None):
    """Read everything that the products contain about sources of one bin.

    Parameters
    ----------
    project : str or Path
        Folder of the project.
    bin_name : str
        Name of the bin.
    observatories, names : sequence of str
        Surveys of the project, and names of sources of that bin.
    provenance : str, optional
        Identifier of the provenance that the analysis file must have.

    Returns
    -------
    list of SourceProducts
        In the order of `names`; empty without any.

    Raises
    ------
    UserError
        If a product is missing or lacks one of the sources.
    StaleProductError
        If the analysis file has another provenance.
    """
    manifests, made_by = {}, []
    for obs in observatories:
        header, manifests[obs] = read_manifest(paths.manifest_file(project, obs, bin_name))
        made_by.append(_made_by(paths.manifest_file("", obs, bin_name), "download", header))
    with hdf5.open_file(paths.analysis_file(project, bin_name), provenance=provenance) as file:
        bits = hdf5.read_table(file, "quality_bits")
        meanings = dict(zip(bits["bit"].tolist(), bits["meaning"].tolist(), strict=True))
        tables = {key: map_table(file, key) for key in TABLES}
        rows = [_find_rows(file.filename, tables, name, bin_name) for name in names]
        made_by.append(_made_by(paths.analysis_file("", bin_name), "analyze", hdf5.read_json(file, "metadata")))
        flagged = _flagged_epochs(file, names)
    lightcurves, left_out = defaultdict(list), {}
    for obs in observatories:
        path = paths.reduced_file(project, obs, bin_name)
        with open_reduced(path) as reduced:
            check_seal(path)
            metadata = hdf5.read_json(reduced, "metadata")
            made_by.append(_made_by(paths.reduced_file("", obs, bin_name), "reduce", metadata))
            for source, lightcurve in _lightcurves(reduced, obs, names, flagged):
                lightcurves[source].append(lightcurve)
            left_out[obs] = map_table(reduced, "left_out")
    return [
        SourceProducts(
            name=name,
            bin=bin_name,
            catalog=_catalog_row(manifests[observatories[0]], name),
            downloads=[_download(obs, manifests[obs], left_out[obs], name) for obs in observatories],
            lightcurves=lightcurves[name],
            bits=meanings,
            made_by=made_by,
            **own,
        )
        for name, own in zip(names, rows, strict=True)
    ]


def _made_by(file, process, metadata):
    """Provenance of a product, from its own metadata."""
    known = {name: metadata.get(name) for name in ("provenance", "code")}
    return {"file": file.removeprefix("/"), "process": process} | known


def _find_rows(file, tables, name, bin_name):
    """Rows of a source in the tables of the analysis file, see `SourceProducts`."""
    tables = {key: decode_table(table[rows_of(table, name)]) for key, table in tables.items()}
    if len(tables["properties"]["source"]) != 1:
        raise UserError(f"{file}: has no source '{name}'; is it in the catalog, and of bin {bin_name}?")
    real = tables["detections"]["simulated"] == 0
    order = np.flatnonzero(real)[np.argsort(tables["detections"]["peak_mjd"][real], kind="stable")]
    return {
        "properties": {key: values[0].item() for key, values in tables["properties"].items()},
        "detections": take_rows(tables["detections"], order),
        "periods": tables["periods"],
    }


def _catalog_row(sources, name):
    """Catalog row of a source, which all manifests have."""
    return {key: value for key, value in _row_of(sources, name).items() if key not in (*OUTCOME, "digest")}


def _download(obs, sources, left_out, name):
    """Outcome of the download of a source, with the number of epochs that are in no lightcurve, by reason."""
    row, numbers = _row_of(sources, name), Counter()
    rows = decode_table(left_out[rows_of(left_out, name)])
    for reason, number in zip(rows["reason"].tolist(), rows["n_epochs"].tolist(), strict=True):
        numbers[reason] += number
    return {"obs": obs} | {key: row[key] for key in OUTCOME} | {"left_out": dict(numbers)}


def _row_of(sources, name):
    """Row of a source in a manifest."""
    place = np.flatnonzero(sources["name"] == name)[0]
    return {key: values[place].item() for key, values in sources.items()}


def _flagged_epochs(file, names):
    """Flagged epochs of each lightcurve and their flags, by survey and key, from the analysis file."""
    series, flagged = hdf5.read_table(file, "series", ("source", "obs", "lightcurve")), map_table(file, "flagged")
    numbers = np.flatnonzero(np.isin(series["source"], names))
    # The rows are in the order of the lightcurves.
    spans = np.searchsorted(flagged["series"], [numbers, numbers + 1]).T.tolist()
    keys = zip(series["obs"][numbers].tolist(), series["lightcurve"][numbers].tolist(), strict=True)
    return {
        key: (flagged["epoch"][first:stop], flagged["qflag"][first:stop])
        for key, (first, stop) in zip(keys, spans, strict=True)
    }


def _lightcurves(file, obs, names, flagged):
    """Yield the lightcurves of sources in one survey, each with the name of its source."""
    index = map_table(file, "index")
    table = decode_table(index[np.isin(index["source"], np.char.encode(np.array(names, str), "utf-8"))])
    keys, counts = table["key"].tolist(), table["n_epochs"]
    kind = np.dtype(list(COLUMNS.items()))
    columns = read_columns(file, keys, counts, kind, table.get("place"))
    qflag, bounds = np.zeros(counts.sum(), np.int64), starts_from_counts(counts).tolist()
    for number, (source, key, span) in enumerate(zip(table["source"].tolist(), keys, pairwise(bounds), strict=True)):
        row, own = {column: values[number].item() for column, values in table.items()}, slice(*span)
        epochs, flags = flagged[obs, key]
        qflag[own][epochs] = flags
        yield source, SourceLightcurve(row, take_rows(columns, own), qflag[own])
