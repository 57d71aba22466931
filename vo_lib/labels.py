"""Labels of epochs, such as filter and series, as numbers."""

import numpy as np

from vo_lib.segments import run_starts

__all__ = ["distinct", "label_codes"]


def distinct(labels):
    """Give the different labels, and the number of each epoch's among them.

    Parameters
    ----------
    labels : ndarray, shape (n_epochs,)
        Text, bytes or numbers in any order; quickest where equal ones follow each other, as surveys send them.

    Returns
    -------
    labels : ndarray, shape (n_labels,)
        Different labels in order; none without epochs.
    codes : ndarray of int64, shape (n_epochs,)
        Place of each label in them.
    """
    # Looking up the first of each run is much faster than all of them.
    first = run_starts(labels)
    known, code = np.unique(labels[first], return_inverse=True)
    return known, code[np.cumsum(first) - 1]


def label_codes(labels):
    """Give the different labels as texts in alphabetical order, and the number of each epoch's, as `distinct` does."""
    known, code = distinct(labels)
    texts, order = np.unique(known.astype(str), return_inverse=True)
    return texts, order[code]
