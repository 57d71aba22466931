"""Find rows of a table in a file without reading the whole table."""

from bisect import bisect_left
from operator import itemgetter

import numpy as np
from h5py import h5d

from vo_lib import hdf5
from vo_lib.randoms import hash_text

__all__ = ["find_name", "map_table", "name_index", "rows_of"]


def map_table(file, key):
    """Map a table of an open file into memory.

    Parameters
    ----------
    file : h5py.File
        Open file, see `vo_lib.hdf5.open_file`.
    key : str
        Key of the table.

    Returns
    -------
    ndarray, shape (n_rows,)
        Structured array, with text as bytes; only the parts that are used are read from disk.
    """
    dataset = h5d.open(file.id, key.encode())
    offset = dataset.get_offset()
    if offset is None:
        return hdf5.read_rows(file, [key])[0]
    return np.memmap(file.filename, hdf5.row_type(dataset), "r", offset, dataset.shape)


def rows_of(table, name):
    """Find the row numbers of a source in a mapped table: an increasing ndarray of int64, empty if there are none."""
    return np.flatnonzero(table["source"] == name.encode())


def name_index(names):
    """Build the index that `find_name` searches.

    Parameters
    ----------
    names : ndarray of str, shape (n_rows,)
        Names in any order.

    Returns
    -------
    dict of str to ndarray, each of shape (n_rows,)
        ``hash`` of each name, in increasing order, and its ``row``.
    """
    hashes = hash_text(names)
    order = np.argsort(hashes, kind="stable")
    return {"hash": hashes[order], "row": order.astype(np.int64)}


def find_name(index, rows, name):
    """Find the row number of a name by binary search, which reads only a few entries of the index.

    Parameters
    ----------
    index, rows : ndarray
        Mapped tables: that of `name_index`, and the one with the column ``name``.
    name : str
        Name to look for.

    Returns
    -------
    int or None
        None if the name is not in the table.
    """
    wanted = hash_text(np.array([name]))[0] if name else np.uint64(0)
    place = bisect_left(index, wanted, key=itemgetter("hash"))
    while place < len(index) and index[place]["hash"] == wanted:
        row = int(index[place]["row"])
        if rows[row]["name"] == name.encode():
            return row
        place += 1
    return None
