"""What a data root holds, in a form that is equal if and only if two runs made the same."""

import json

import h5py
import netCDF4
import numpy as np
import sqlalchemy as sa

from vo_lib.database.session import open_session

__all__ = ["content", "differences", "rows"]

# What tells when and where something was made, not what it is.
WHEN = ("fetched", "raw", "generation", "data_root", "place")
TABLES = ("sources", "properties", "detections", "events", "injections", "lightcurves", "raw_photometry", "histograms")


def content(data_root):
    """Content of each product and archive below a data root: a dict by path.

    HDF5 and netCDF files by their datasets, manifests and receipts by their JSON, tables, pages and figures by their
    bytes, all without times of download, places in files and the path of the data root.
    """
    found = {}
    for path in sorted(data_root.rglob("*")):
        below = path.relative_to(data_root)
        is_ours = not any(part.startswith(".") or part in ("database", "logs") for part in below.parts)
        if path.is_file() and is_ours and ".damaged-" not in path.name:
            found[str(below)] = _READERS.get(path.suffix, _text)(path, data_root)
    return found


def differences(data_root, expected):
    """Paths of products that are lost, came in addition or differ from the expected content."""
    found = content(data_root)
    return sorted(path for path in found.keys() | expected.keys() if found.get(path) != expected.get(path))


def rows(data_root):
    """Number of rows of each table of the database."""
    with open_session(data_root=data_root) as session:
        return {name: session.scalar(sa.text(f"SELECT count(*) FROM {name}")) for name in TABLES}


def _hdf5(path, _):
    with h5py.File(path, locking=False) as file:
        return {key: _plain(file[key][()]) for key in file}


def _plain(value):
    """Content of a dataset: columns by name, but for those that tell when."""
    if isinstance(value, bytes):
        return _without(json.loads(value))
    if value.dtype == object:
        return [_without(json.loads(text)) for text in value.tolist()]
    return {name: value[name].tobytes() for name in value.dtype.names if name not in WHEN}


def _netcdf(path, _):
    with netCDF4.Dataset("memory", memory=path.read_bytes()) as file:
        file.set_auto_maskandscale(False)
        values = {name: _bytes(np.asarray(variable[...])) for name, variable in file.variables.items()}
        return values | {"metadata": file.metadata}


def _bytes(values):
    """Values in a form in which missing ones are equal."""
    return values.tolist() if values.dtype == object else values.tobytes()


def _lines(path, _):
    header, *sources = map(json.loads, path.read_text().splitlines())
    return [{name: cell for name, cell in header.items() if name not in (*WHEN, "digest")}, *sources]


def _receipt(path, _):
    return json.loads(path.read_text()).get("rows")


def _without(value):
    """A JSON value without what tells when."""
    return {name: cell for name, cell in value.items() if name not in WHEN} if isinstance(value, dict) else value


def _text(path, data_root):
    return path.read_bytes().replace(str(data_root).encode(), b"")


_READERS = {".h5": _hdf5, ".nc": _netcdf, ".jsonl": _lines, ".json": _receipt}
