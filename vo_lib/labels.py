"""Convert labels of epochs, and names of sources and lightcurves, to their places among the known ones."""

import numpy as np

from vo_lib.segments import run_starts

__all__ = ["distinct", "label_codes", "match_lightcurves", "match_names"]


def distinct(labels):
    """Return the distinct labels, and the code of each epoch's label.

    Parameters
    ----------
    labels : ndarray, shape (n_epochs,)
        Text, bytes or numbers in any order; fastest if equal ones are adjacent, as surveys send them.

    Returns
    -------
    labels : ndarray, shape (n_labels,)
        Sorted distinct labels; empty without epochs.
    codes : ndarray of int64, shape (n_epochs,)
        Index of each epoch's label in `labels`.
    """
    # Looking up only the first of each run is much faster.
    first = run_starts(labels)
    known, code = np.unique(labels[first], return_inverse=True)
    return known, code[np.cumsum(first) - 1]


def label_codes(labels):
    """Return the distinct labels as text in alphabetical order, and the code of each epoch's, like `distinct`."""
    known, code = distinct(labels)
    texts, order = np.unique(known.astype(str), return_inverse=True)
    return texts, order[code]


def match_names(names, wanted):
    """Find the row of each wanted name in a list of unique names.

    Parameters
    ----------
    names : ndarray of str, shape (n,)
        Unique names in any order.
    wanted : ndarray of str, shape (m,)
        Names to look up.

    Returns
    -------
    ndarray of int64, shape (m,)
        Indices into `names`.

    Raises
    ------
    ValueError
        If a name is not in the list.
    """
    order = np.argsort(names)
    place = np.minimum(np.searchsorted(names, wanted, sorter=order), max(len(names) - 1, 0))
    rows = order[place] if len(names) else np.zeros(len(wanted), np.int64)
    missing = np.flatnonzero(names[rows] != wanted) if len(names) else np.arange(len(wanted))
    if missing.size:
        raise ValueError(f"source '{wanted[missing[0]]}' has lightcurves but is not among the {len(names)} sources")
    return rows


def match_lightcurves(series, table):
    """Find the row of the lightcurve of each row of a table.

    Parameters
    ----------
    series, table : dict of str to ndarray
        Both with the columns ``obs`` and ``lightcurve``; `series` has a row for each lightcurve.

    Returns
    -------
    ndarray of int64, shape (n_rows of `table`,)
        Rows of `series`.

    Raises
    ------
    ValueError
        If a lightcurve is not in `series`.
    """
    names = (np.strings.add(np.strings.add(each["obs"], "/"), each["lightcurve"]) for each in (series, table))
    return match_names(*names)
