"""Blocks of the sources of a bin, so that a job needs no more memory for a large bin than for one of some size."""

from itertools import pairwise

import numpy as np

__all__ = ["BLOCK_EPOCHS", "source_blocks"]

# Epochs of a block: the reduction and the analysis need some 500 bytes for each. Blocks of so many are the fastest
# (docs/performance.md), and with lightcurves of 20,000 epochs they still have the sources that judge an exposure.
BLOCK_EPOCHS = 1_000_000


def source_blocks(n_epochs, most=BLOCK_EPOCHS):
    """Split sources into blocks that follow each other.

    Parameters
    ----------
    n_epochs : ndarray of int, shape (n_sources,)
        Epochs of each source.
    most : float, optional
        Epochs that a block has at most, unless a single source has more.

    Returns
    -------
    list of slice
        Sources of each block; all sources, also without epochs, are in one. A single empty block without sources.
    """
    total = np.cumsum(n_epochs)
    bounds = [0]
    while bounds[-1] < len(total):
        before = total[bounds[-1] - 1] if bounds[-1] else 0
        bounds.append(max(int(np.searchsorted(total, before + most, side="right")), bounds[-1] + 1))
    return [slice(*pair) for pair in pairwise(bounds)] or [slice(0, 0)]
