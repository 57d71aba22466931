"""Convert labels of epochs, such as filter and series, to integer codes."""

import numpy as np

from vo_lib.segments import run_starts

__all__ = ["distinct", "label_codes"]


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
