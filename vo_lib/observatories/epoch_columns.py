"""Columns of epochs that several surveys make in the same way: names of filters, flags, and columns of one's own."""

import numpy as np

from vo_lib.errors import ServiceError
from vo_lib.labels import distinct

__all__ = ["add_columns", "flag_bits", "label_filters"]


def label_filters(codes, names):
    """Map a survey's filter codes to filter names.

    Parameters
    ----------
    codes : ndarray of bytes, shape (n_epochs,)
        Codes as the survey sent them.
    names : dict of str to str
        Filter name of each code.

    Returns
    -------
    ndarray of str, shape (n_epochs,)

    Raises
    ------
    ServiceError
        If a code has no name: the survey has a filter that its module does not know.
    """
    unique, which = distinct(codes)
    found = np.char.decode(unique, "utf-8").tolist()
    if unknown := [code for code in found if code not in names]:
        raise ServiceError(f"filter code '{unknown[0]}' is not known (known are {', '.join(names)})")
    labels = np.array([names[code] for code in found], dtype=f"U{max(map(len, names.values()))}")
    return labels[which]


def flag_bits(bits):
    """Combine a mask of epochs for each bit into the flag of each epoch, int64 of shape (n_epochs,)."""
    return sum(np.where(found, bit, 0) for bit, found in bits.items()).astype(np.int64)


def add_columns(data, **columns):
    """Return the table of an answer with added float columns, each given as one value or one per row."""
    full = np.empty(len(data), [*data.dtype.descr, *((name, "f8") for name in columns)])
    for name in data.dtype.names:
        full[name] = data[name]
    for name, values in columns.items():
        full[name] = values
    return full
