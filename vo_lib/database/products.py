"""Read the products of a project that the database mirrors."""

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vo_lib import hdf5, paths
from vo_lib.counts.histogram_files import read_histograms, read_metadata
from vo_lib.database.inventory import column_names
from vo_lib.downloads.manifest import read_manifest
from vo_lib.errors import StaleProductError, UserError
from vo_lib.properties import PROPERTY_COLUMNS
from vo_lib.reduction.reduced import open_reduced
from vo_lib.storage.seal import check_seal
from vo_lib.tables import concatenate_tables, count_rows

__all__ = ["BinProducts", "fill", "read_bin", "read_histogram_table"]

ANALYSIS_TABLES = ("bad_data", "detections", "events", "injections", "properties")


@dataclass(frozen=True)
class BinProducts:
    """Tables from the products of a bin: ``sources``, ``raw_photometry``, ``lightcurves``, ...

    Parameters
    ----------
    tables : dict of str to dict
        Tables by name, which refer to sources by name, and to lightcurves by observatory and key.
    digest : str
        SHA-256 of the tables and of the column names of the database.
    made_by : dict of str to str
        Provenance of each product, by path below the data root.
    """

    tables: dict
    digest: str
    made_by: dict


def read_bin(data_root, folder, bin_name, observatories, provenances):
    """Read the tables of a bin that the database mirrors.

    Parameters
    ----------
    data_root, folder : str or Path
        See `vo_lib.database.sync.sync_project`.
    bin_name : str
        Name of the bin.
    observatories : list of str
        Observatories of the project.
    provenances : set of str
        Identifiers of provenances that products may have.

    Returns
    -------
    BinProducts
    """
    root = Path(data_root)
    manifests = {obs: read_manifest(root / paths.manifest_file(folder, obs, bin_name)) for obs in observatories}
    sources = manifests[observatories[0]][1]
    for obs, (_, other) in manifests.items():
        if other["name"].tolist() != sources["name"].tolist():
            raise RuntimeError(
                f"bin {bin_name}: the manifest of {obs} has other sources than that of {observatories[0]}"
            )
    reduced = [_read_index(root, paths.reduced_file(folder, obs, bin_name), provenances) for obs in observatories]
    analysis, analysed_by = _analysis_tables(root, folder, bin_name, provenances)
    tables = {
        "sources": sources | {"bin": fill(sources, bin_name)},
        "raw_photometry": concatenate_tables([_raw_table(obs, *manifest) for obs, manifest in manifests.items()]),
        "lightcurves": concatenate_tables([table for table, _ in reduced]),
    } | analysis
    if sorted(tables["properties"]["source"].tolist()) != sorted(sources["name"].tolist()):
        raise RuntimeError(
            f"{paths.analysis_file(folder, bin_name)}: 'properties' needs a row for each source of the bin"
        )
    made_by = {
        paths.reduced_file(folder, obs, bin_name): by for obs, (_, by) in zip(observatories, reduced, strict=True)
    }
    return BinProducts(tables, _digest(tables), made_by | {paths.analysis_file(folder, bin_name): analysed_by})


def _raw_table(obs, header, sources):
    """Build the rows of raw photometry from a manifest."""
    names = sources["name"]
    return {name: sources[name] for name in ("status", "n_rows", "digest", "reason")} | {
        "obs": fill(sources, obs),
        "source_name": names,
        "filename": fill(sources, header["raw_file"]),
        "key": np.array([paths.encode_key(name) for name in names.tolist()], dtype=str),
    }


def _read_index(root, filename, provenances):
    """Read the index of a reduced file, with columns for file, level and provenance; return it and the provenance."""
    with open_reduced(root / filename) as file:
        check_seal(root / filename)
        index = hdf5.read_table(file, "index")
        provenance = _provenance(file, provenances)
    extra = {"filename": filename, "level": "reduced", "provenance_id": provenance}
    return index | {name: fill(index, value) for name, value in extra.items()}, provenance


def _analysis_tables(root, folder, bin_name, provenances):
    """Read the tables of an analysis file; return them and their provenance."""
    path = root / paths.analysis_file(folder, bin_name)
    with hdf5.open_file(path) as file:
        check_seal(path)
        tables = {name: hdf5.read_table(file, name) for name in ANALYSIS_TABLES}
        provenance = _provenance(file, provenances)
    tables["properties"] = _gathered(tables["properties"])
    return {name: table | {"provenance_id": fill(table, provenance)} for name, table in tables.items()}, provenance


def _gathered(properties):
    """Gather the colours, and the columns of a custom analysis, of the properties in one JSON column each."""
    colors = [name for name in properties if name.startswith("color_")]
    extra = [name for name in properties if name not in PROPERTY_COLUMNS and name not in colors]
    others = {name: values for name, values in properties.items() if name in PROPERTY_COLUMNS}
    return others | {name: _as_json(properties, names) for name, names in (("colors", colors), ("extra", extra))}


def _as_json(table, names):
    """Return a JSON column with the finite numbers and texts of each row; JSON has no NaN or infinity."""
    rows = zip(*(table[name].tolist() for name in names), strict=True) if names else [()] * count_rows(table)
    known = [
        {name: cell for name, cell in zip(names, row, strict=True) if isinstance(cell, str) or math.isfinite(cell)}
        for row in rows
    ]
    return np.array([json.dumps(cells) for cells in known], dtype=str)


def _provenance(file, expected):
    """Return the provenance of an open file, which must be expected."""
    return _check_provenance(file.filename, hdf5.read_json(file, "metadata"), expected)


def _check_provenance(filename, metadata, expected):
    """Return the provenance in the metadata of a file, which must be one of the project's."""
    found = metadata.get("provenance")
    if found not in expected:
        raise StaleProductError(
            f"{filename}: was made by other code or parameters ({found}); run snakemake or Project.run again"
        )
    return found


def read_histogram_table(data_root, folder, names, provenances):
    """Read the rows that describe the merged histograms of a project.

    Parameters
    ----------
    data_root, folder, provenances
        See `read_bin`.
    names : list of str
        Names of the histograms, each of which has its own file.

    Returns
    -------
    dict of str to ndarray, each of shape (n_histograms,)
        Rows for the database; none without names.
    """
    files = [paths.histograms_file(folder, name) for name in names]
    histograms, made_by = [], []
    for name, file in zip(names, (Path(data_root) / file for file in files), strict=True):
        found = read_histograms(file)
        if name not in found:
            raise UserError(f"{file}: has no histogram '{name}'; delete it and run again")
        histograms.append(found[name])
        made_by.append(_check_provenance(file, read_metadata(file), provenances))
    axes = [json.dumps([_axis(axis) for axis in histogram.axes]) for histogram in histograms]
    texts = {"name": names, "filename": files, "axes": axes, "provenance_id": made_by}
    totals = np.array([histogram.total() for histogram in histograms], dtype=np.int64)
    return {name: np.array(cells, dtype=str) for name, cells in texts.items()} | {"total": totals}


def _axis(axis):
    """Describe an axis of a histogram as JSON."""
    bins = {"edges": axis.edges.tolist()} if axis.labels is None else {"labels": list(axis.labels)}
    return {"name": axis.name, "unit": axis.unit, "description": axis.description} | bins


def fill(table, value):
    """Return a column with the same value in each row of a table."""
    return np.full(count_rows(table), value)


def _digest(tables):
    """Return the SHA-256 of tables and of the column names of the database."""
    digest = hashlib.sha256(json.dumps(column_names()).encode())
    for name, table in tables.items():
        for column, values in table.items():
            digest.update(f"{name} {column} {values.dtype.str} {values.shape}".encode())
            digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
