"""Save lightcurves made in a notebook to files that are read like those of the workflow."""

import hashlib
from pathlib import Path

import numpy as np

from vo_lib import hdf5
from vo_lib.errors import UserError
from vo_lib.reduction.describe import STATISTICS
from vo_lib.reduction.processed import COLUMNS_OF_ANALYSIS
from vo_lib.reduction.reduced import DESCRIPTIONS
from vo_lib.tables import concatenate_tables, describe_columns, take_rows

__all__ = ["remove_lightcurve", "save_lightcurve"]


def save_lightcurve(path, lightcurve):
    """Save a lightcurve to a file, replacing one with the same key.

    Parameters
    ----------
    path : str or Path
        The file, which is created if it does not exist.
    lightcurve : vo_lib.dataset.Lightcurve
        The lightcurve; its row is added to the index.

    Raises
    ------
    UserError
        If the file is a product of the workflow, is of another kind, or has an index with other columns.
    """
    path = Path(path)
    index = _read_index(path) if path.exists() else {}
    row = lightcurve.row | {"digest": hashlib.sha256(lightcurve.data).hexdigest()[:16]}
    new = {name: np.array([value]) for name, value in row.items() if name != "place"}
    if index and set(index) != set(new):
        raise UserError(f"{path}: its index has other columns than this lightcurve; save it to another file")
    rows = concatenate_tables([_without(index, lightcurve.filekey), new] if index else [new])
    with hdf5.Writer(path, base=path if index else None) as writer:
        writer.write(lightcurve.filekey, lightcurve.data)
        writer.write_table("index", rows)
        writer.write_json("columns", describe_columns(DESCRIPTIONS | STATISTICS | COLUMNS_OF_ANALYSIS))


def remove_lightcurve(path, key):
    """Remove a lightcurve from a file of `save_lightcurve`, and the file with the last one.

    Parameters
    ----------
    path : str or Path
        The file, which is rewritten without the lightcurve.
    key : str
        Key of the lightcurve.

    Raises
    ------
    UserError
        If the file is a product of the workflow, or has no such lightcurve.
    """
    path = Path(path)
    index = _read_index(path)
    rows = _without(index, key)
    if len(rows["key"]) == len(index["key"]):
        raise UserError(f"{path}: its index has no '{key}'; is that the right file for it?")
    if not len(rows["key"]):
        path.unlink()
        return
    with hdf5.open_file(path) as file:
        keys, columns = rows["key"].tolist(), hdf5.read_json(file, "columns")
        stored = hdf5.read_rows(file, keys)
    with hdf5.Writer(path) as writer:
        for kept, data in zip(keys, stored, strict=True):
            writer.write(kept, data)
        writer.write_table("index", rows)
        writer.write_json("columns", columns)


def _without(index, key):
    """Rows of an index without those of a key."""
    return take_rows(index, index["key"] != key)


def _read_index(path):
    """Read the index of a file; raise `UserError` for a product of the workflow, which must not be changed."""
    with hdf5.open_file(path) as file:
        if "metadata" in file:
            raise UserError(f"{path}: is a product of the workflow, which must not be changed; name another file")
        return hdf5.read_table(file, "index")
