"""Rows of a table in a file that are found without reading the table."""

import numpy as np
from h5py import h5d

from vo_lib import hdf5
from vo_lib.randoms import hash_text

__all__ = ["find_name", "map_table", "name_index", "rows_of"]


def map_table(file, key):
    """Look at a table of an open file in place.

    Parameters
    ----------
    file : h5py.File
        Open file, see `vo_lib.hdf5.open_file`.
    key : str
        Its table.

    Returns
    -------
    ndarray, shape (n_rows,)
        Structured array, text as bytes; only what is looked at is read from the disk.
    """
    dataset = h5d.open(file.id, key.encode())
    offset = dataset.get_offset()
    if offset is None:
        return hdf5.read_rows(file, [key])[0]
    return np.memmap(file.filename, hdf5.row_type(dataset), "r", offset, dataset.shape)


def rows_of(table, name):
    """Rows of a source in a mapped table: ndarray of int64 in their order, empty for none."""
    return np.flatnonzero(table["source"] == name.encode())


def name_index(names):
    """Make the table by which `find_name` finds a name.

    Parameters
    ----------
    names : ndarray of str, shape (n_rows,)
        Names in any order.

    Returns
    -------
    dict of str to ndarray, each of shape (n_rows,)
        ``hash`` of each name in increasing order, and its ``row``.
    """
    hashes = hash_text(names)
    order = np.argsort(hashes, kind="stable")
    return {"hash": hashes[order], "row": order.astype(np.int64)}


def find_name(index, rows, name):
    """Row of a name, or None.

    Parameters
    ----------
    index, rows : ndarray
        Mapped tables: that of `name_index`, and the rows with the column ``name``.
    name : str
        The name.

    Returns
    -------
    int or None
        A few probes of a binary search are read.
    """
    wanted = hash_text(np.array([name]))[0] if name else np.uint64(0)
    low, high = 0, len(index)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if index[middle]["hash"] < wanted else (low, middle)
    while low < len(index) and index[low]["hash"] == wanted:
        row = int(index[low]["row"])
        if rows[row]["name"] == name.encode():
            return row
        low += 1
    return None
