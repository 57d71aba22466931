"""Everything that the products of a project contain about sources of one bin, read together for their pages."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
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
    lightcurves: list = field(default_factory=list)
    bits: dict = field(default_factory=dict)
    made_by: list = field(default_factory=list)


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
        found = [_find_rows(file.filename, tables, name, bin_name, manifests, meanings) for name in names]
        made_by.append(_made_by(paths.analysis_file("", bin_name), "analyze", hdf5.read_json(file, "metadata")))
        flagged = _flagged_epochs(file, names)
    for obs in observatories:
        path = paths.reduced_file(project, obs, bin_name)
        with open_reduced(path) as reduced:
            check_seal(path)
            metadata = hdf5.read_json(reduced, "metadata")
            made_by.append(_made_by(paths.reduced_file("", obs, bin_name), "reduce", metadata))
            lightcurves, left_out = _lightcurves(reduced, obs, names, flagged), map_table(reduced, "left_out")
        for source in found:
            download = next(row for row in source.downloads if row["obs"] == obs)
            download["left_out"] = _left_out(left_out, source.name)
            source.lightcurves.extend(lightcurves[source.name])
    for source in found:
        source.made_by.extend(made_by)
    return found


def _made_by(file, process, metadata):
    """Provenance of a product, from its own metadata."""
    known = {name: metadata.get(name) for name in ("provenance", "code")}
    return {"file": file.removeprefix("/"), "process": process} | known


def _find_rows(file, tables, name, bin_name, manifests, bits):
    """Rows of a source in the manifests and the analysis file."""
    tables = {key: decode_table(table[rows_of(table, name)]) for key, table in tables.items()}
    if len(tables["properties"]["source"]) != 1:
        raise UserError(f"{file}: has no source '{name}'; is it in the catalog, and of bin {bin_name}?")
    downloads = [{"obs": obs} | _row_of(sources, name) for obs, sources in manifests.items()]
    outcome = ("obs", "status", "n_rows", "reason")
    catalog = {key: value for key, value in downloads[0].items() if key not in (*outcome, "digest")}
    real = tables["detections"]["simulated"] == 0
    order = np.flatnonzero(real)[np.argsort(tables["detections"]["peak_mjd"][real], kind="stable")]
    return SourceProducts(
        name,
        bin_name,
        catalog,
        [{key: row[key] for key in outcome} for row in downloads],
        {key: values[0].item() for key, values in tables["properties"].items()},
        take_rows(tables["detections"], order),
        tables["periods"],
        bits=bits,
    )


def _row_of(sources, name):
    """Row of a source in a manifest, with its catalog row, which is the same in all manifests."""
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
    """Lightcurves of sources in one survey: dict of str to list of SourceLightcurve."""
    index = map_table(file, "index")
    table = decode_table(index[np.isin(index["source"], np.char.encode(np.array(names, str), "utf-8"))])
    keys, counts = table["key"].tolist(), table["n_epochs"]
    kind = np.dtype(list(COLUMNS.items()))
    columns = read_columns(file, keys, counts, kind, table.get("place"))
    qflag, bounds = np.zeros(counts.sum(), np.int64), starts_from_counts(counts).tolist()
    found = defaultdict(list)
    for number, (source, key, span) in enumerate(zip(table["source"].tolist(), keys, pairwise(bounds), strict=True)):
        row, own = {column: values[number].item() for column, values in table.items()}, slice(*span)
        epochs, flags = flagged[obs, key]
        qflag[own][epochs] = flags
        found[source].append(SourceLightcurve(row, take_rows(columns, own), qflag[own]))
    return found


def _left_out(table, name):
    """Number of epochs of a source that are in no lightcurve, by reason."""
    numbers = Counter()
    rows = decode_table(table[rows_of(table, name)])
    for reason, number in zip(rows["reason"].tolist(), rows["n_epochs"].tolist(), strict=True):
        numbers[reason] += number
    return dict(numbers)
