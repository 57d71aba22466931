"""Split the sources of a bin into blocks, which limits the memory that a job needs for a large bin."""

from itertools import pairwise

import numpy as np

__all__ = ["BLOCK_EPOCHS", "source_blocks"]

# Epochs of a block: the reduction and the analysis need about 500 bytes for each. This size is the fastest
# (docs/performance.md), and even with lightcurves of 20,000 epochs a block has enough sources to judge exposures.
BLOCK_EPOCHS = 1_000_000


def source_blocks(n_epochs, most=BLOCK_EPOCHS):
    """Split sources into consecutive blocks.

    Parameters
    ----------
    n_epochs : ndarray of int or float, shape (n_sources,)
        Number of epochs of each source; the mean number where it is random.
    most : float, optional
        Maximum number of epochs of a block; only a block of a single source may have more.

    Returns
    -------
    list of slice
        Sources of each block. Each source is in one block, also if it has no epochs; without sources there is a single
        empty block.
    """
    total = np.cumsum(n_epochs)
    bounds = [0]
    while bounds[-1] < len(total):
        before = total[bounds[-1] - 1] if bounds[-1] else 0
        bounds.append(max(int(np.searchsorted(total, before + most, side="right")), bounds[-1] + 1))
    return [slice(*pair) for pair in pairwise(bounds)] or [slice(0, 0)]
