"""Read many HDF5 datasets of one type as one array or as columns.

HDF5 takes 60 microseconds to open and read a dataset. If the file offsets of the datasets are known, their rows are
read directly from the file instead, provided that the first and the last dataset are at their offsets; a file that
another tool has rewritten has different ones.
"""

import os

import numpy as np
from h5py import h5d, h5s, h5t

from vo_lib.errors import DamagedProductError, UserError
from vo_lib.reduction.blocks import source_blocks

__all__ = ["CACHED_ROWS", "read_columns", "read_flat"]

# Rows that are converted from or to columns at a time: few enough to stay in the cache of the processor.
CACHED_ROWS = 2**13


def read_flat(file, keys, counts, dtype, places=None):
    """Read many datasets of one type into a single array.

    Parameters
    ----------
    file : h5py.File
        Open file.
    keys : sequence of str
        Datasets to read, in this order.
    counts : sequence of int
        Number of rows of each dataset.
    dtype : numpy.dtype
        Compound type to return; fields are matched by name.
    places : sequence of int, optional
        Offsets of their rows in the file, as returned by `vo_lib.hdf5.Writer.write`. If one that has rows is -1, all
        are read by key.

    Returns
    -------
    ndarray, shape (sum of counts,)
        Structured array of `dtype`, in the order of the keys; empty without keys.
    """
    rows = np.zeros(int(np.sum(counts)), dtype)
    _fill(file, rows, keys, counts, places if _are_there(file, keys, counts, places, rows.dtype) else None)
    return rows


def read_columns(file, keys, counts, dtype, places=None):
    """Read many datasets of one type into one array per column.

    Parameters
    ----------
    file, keys, counts, dtype, places
        See `read_flat`.

    Returns
    -------
    dict of str to ndarray, each of shape (sum of counts,)
        Columns by the names of `dtype`, in the order of the keys.
    """
    counts, dtype = np.asarray(counts, np.int64), np.dtype(dtype)
    places, stops = places if _are_there(file, keys, counts, places, dtype) else None, np.cumsum(counts)
    columns = {name: np.empty(counts.sum(), dtype[name]) for name in dtype.names}
    rows = np.zeros(max(CACHED_ROWS, counts.max(initial=0)), dtype)
    # A few rows at a time, which stay in the cache while they are split into columns.
    for block in source_blocks(counts, CACHED_ROWS):
        stop = int(stops[block.stop - 1]) if len(stops) else 0
        start = stop - int(counts[block].sum())
        _fill(file, rows[: stop - start], keys[block], counts[block], None if places is None else places[block])
        for name, values in columns.items():
            values[start:stop] = rows[name][: stop - start]
    return columns


def _fill(file, rows, keys, counts, places):
    """Read rows directly from the file, or with HDF5 if places are None."""
    if places is None:
        _fill_by_keys(file, rows, keys, counts)
    else:
        _fill_from_places(file, rows, counts, places)


def _fill_from_places(file, rows, counts, places):
    """Read rows directly from the file."""
    # Through the descriptor of the open file, because its name may belong to another file by now.
    descriptor, content = file.id.get_vfd_handle(), memoryview(rows.view(np.uint8))
    sizes = np.asarray(counts, np.int64) * rows.dtype.itemsize
    stops = np.cumsum(sizes)
    for place, start, stop in zip(list(places), (stops - sizes).tolist(), stops.tolist(), strict=True):
        while start < stop:
            if not (read := os.preadv(descriptor, [content[start:stop]], place)):
                raise DamagedProductError(file.filename, "ends before its datasets")
            start, place = start + read, place + read


def _fill_by_keys(file, rows, keys, counts):
    """Read rows with HDF5."""
    kind, start = h5t.py_create(rows.dtype), 0
    for key, count in zip(keys, list(counts), strict=True):
        dataset = h5d.open(file.id, key.encode())
        if dataset.shape != (count,):
            raise UserError(f"{file.filename}: '{key}' has {dataset.shape[0]} rows, its index says {count}")
        if count:
            dataset.read(h5s.ALL, h5s.ALL, rows[start : start + count], kind)
        start += count


def _are_there(file, keys, counts, places, dtype):
    """Return whether all datasets with rows have offsets, and the first and last have this type and their offset."""
    filled = np.flatnonzero(counts)
    if places is None or not len(filled) or (np.asarray(places)[filled] < 0).any():
        return False
    ends = [(h5d.open(file.id, keys[end].encode()), int(places[end])) for end in filled[[0, -1]].tolist()]
    return all(dataset.dtype == dtype and dataset.get_offset() == place for dataset, place in ends)
