"""Labels of epochs, such as filter and series, as numbers."""

import numpy as np

__all__ = ["label_codes"]


def label_codes(labels):
    """Give the different labels, and the number of each epoch's among them.

    Parameters
    ----------
    labels : ndarray, shape (n_epochs,)
        Labels in any order; quickest where equal ones follow each other, as surveys send them.

    Returns
    -------
    texts : ndarray of str, shape (n_labels,)
        Different labels in alphabetical order; none without epochs.
    codes : ndarray of int64, shape (n_epochs,)
        Place of each label in `texts`.
    """
    # Looking up the first of each run is much faster than all of them.
    first = np.ones(len(labels), bool)
    first[1:] = labels[1:] != labels[:-1]
    texts, code = np.unique(labels[first].astype(str), return_inverse=True)
    return texts, code[np.cumsum(first) - 1]
