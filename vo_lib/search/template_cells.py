"""Epochs as the matched filter processes them: blocks of lightcurves, and cells of neighbouring epochs."""

from dataclasses import dataclass

import numpy as np

from vo_lib.batch import LightcurveBatch
from vo_lib.search.template_fits import baseline_of
from vo_lib.segments import segment_index, segment_sum, spread

__all__ = ["Block", "Cells", "make_blocks"]

# Epochs farther from the median than this are left out of the baseline of the search; noise does not reach it.
_FAR_SNR = 6.0
# No flux has more S/N or noise [uJy] than this, or less noise than the inverse; squares of such values overflow.
_MAX_SNR, _MAX_NOISE = 1e15, 1e100
# Least weight of an epoch, as a fraction of the total of its lightcurve.
_LEAST = 1e-30
# Epochs in a block of lightcurves; arrays of this size stay in the cache of the processor.
_BLOCK = 1 << 16


@dataclass(frozen=True)
class Cells:
    """Epochs of some lightcurves, or groups of neighbouring epochs.

    Parameters
    ----------
    lightcurve : ndarray of int64, shape (n,)
        Lightcurve of each cell, increasing.
    time : ndarray of float, shape (n,)
        Midpoint of the first and the last epoch or cell in each, increasing within a lightcurve.
    weight, flux : ndarray of float32, shape (n,)
        Sums of weight, over the total weight of the lightcurve, and of weight times flux, over the root of that total.
    first, end : ndarray of int64, shape (n,)
        First epoch of each cell, and the one after its last.
    """

    lightcurve: np.ndarray
    time: np.ndarray
    weight: np.ndarray
    flux: np.ndarray
    first: np.ndarray
    end: np.ndarray

    @property
    def several(self):
        """Whether each cell has several epochs."""
        return self.end > self.first + 1

    def take(self, rows):
        """Select some of the cells."""
        return Cells(*(values.take(rows) for values in vars(self).values()))

    def merge(self, first):
        """Merge the cells from each of the given first ones up to the next."""
        last = np.append(first[1:], len(self.time)) - 1
        sums = (np.add.reduceat(values, first) for values in (self.weight, self.flux))
        time = 0.5 * (self.time.take(first) + self.time.take(last))
        return Cells(self.lightcurve.take(first), time, *sums, self.first.take(first), self.end.take(last))


def make_blocks(batch, searched, snr, noise):
    """Split a batch into blocks of lightcurves with about `_BLOCK` epochs.

    Parameters
    ----------
    batch : LightcurveBatch
        With the column mjd, in order of time.
    searched : ndarray of bool, shape (n_epochs,)
        Epochs to search; those without S/N or noise, or with impossible values, are left out.
    snr, noise : ndarray of float, shape (n_epochs,)
        Signed (flux - median) / noise, and the noise [uJy].

    Yields
    ------
    Block
        Blocks with epochs to search, in order.
    """
    starts = batch.starts
    searched = searched & (np.abs(snr) < _MAX_SNR) & (noise > 1 / _MAX_NOISE) & (noise < _MAX_NOISE)
    epochs = {"mjd": batch.columns["mjd"], "searched": searched, "snr": snr, "noise": noise}
    edges = np.searchsorted(starts, np.arange(0, starts[-1], _BLOCK), side="right") - 1
    edges = np.unique(np.append(edges, len(starts) - 1))
    for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        span = slice(starts[begin], starts[end])
        if searched[span].any():
            columns = {name: values[span] for name, values in epochs.items()}
            part = LightcurveBatch(columns, starts[begin : end + 1] - starts[begin], {})
            yield Block(part, begin, starts[begin])


class Block:
    """Searched epochs of some lightcurves, with times counted from the first epoch of each.

    Parameters
    ----------
    batch : LightcurveBatch
        Lightcurves with the columns mjd, searched, snr and noise, see `make_blocks`.
    lightcurve, row : int
        Row of the first lightcurve and of its first epoch in the batch.
    """

    def __init__(self, batch, lightcurve, row):
        self.batch, self.offsets = batch, {"lightcurve": lightcurve} | dict.fromkeys(("first", "last", "peak"), row)
        self.rows = np.flatnonzero(batch.columns["searched"])
        self.starts = starts = np.searchsorted(self.rows, batch.starts)
        self.lightcurve = segment_index(starts)
        mjd, snr, noise = (batch.columns[name][self.rows] for name in ("mjd", "snr", "noise"))
        self.zero = np.append(mjd, 0.0)[starts[:-1]]
        self.time = mjd - spread(self.zero, starts)
        weight, excess = 1 / np.square(noise), snr * noise
        total, quiet = spread(segment_sum(weight, starts), starts), np.abs(snr) < _FAR_SNR
        excess -= spread(baseline_of(excess, weight, quiet, starts), starts)
        self.weight = weight / total
        # The score assumes that an epoch is part of the baseline; one that is not is moved as if it were.
        excess *= np.where(quiet, 1.0, 1 - self.weight)
        self.flux = weight * excess / np.sqrt(total)

    def of_batch(self, candidates):
        """Return candidates with the rows of their lightcurves and epochs in the batch."""
        return candidates | {name: candidates[name] + offset for name, offset in self.offsets.items()}

    def cells(self):
        """Return each epoch as a cell."""
        weight, flux = np.maximum(self.weight, _LEAST).astype(np.float32), self.flux.astype(np.float32)
        epochs = np.arange(len(weight) + 1)
        return Cells(self.lightcurve, self.time, weight, flux, epochs[:-1], epochs[1:])

    def single_scores(self):
        """Return the score of each epoch on its own; 0 for one with half or more of the weight of its lightcurve."""
        share = self.weight
        return np.where(share < 0.5, self.flux / np.sqrt(share * (1 - np.minimum(share, 0.5))), 0.0)

    def closest(self):
        """Return the least time between two epochs of a lightcurve [days]; infinity if none has two."""
        same = self.lightcurve[1:] == self.lightcurve[:-1]
        return np.diff(self.time).min(initial=np.inf, where=same)
