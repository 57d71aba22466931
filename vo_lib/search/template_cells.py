"""Epochs that the matched filter looks at: blocks of lightcurves, and cells of neighbouring epochs."""

from dataclasses import dataclass

import numpy as np

from vo_lib.batch import LightcurveBatch
from vo_lib.search.template_fits import baseline_of
from vo_lib.segments import segment_index, segment_sum, spread

__all__ = ["Block", "Cells", "make_blocks"]

# Epochs farther from the median than this are not part of the baseline of the search; noise has none of them.
_FAR_SNR = 6.0
# No flux has more than this S/N or noise [uJy], or less noise than one over it; squares of such values overflow.
_MAX_SNR, _MAX_NOISE = 1e15, 1e100
# Least weight of an epoch, as a part of all of its lightcurve.
_LEAST = 1e-30
# Epochs in a block of lightcurves, whose arrays stay in the cache of the processor.
_BLOCK = 1 << 16


@dataclass(frozen=True)
class Cells:
    """Epochs of some lightcurves, or groups of neighbouring ones.

    Parameters
    ----------
    lightcurve : ndarray of int64, shape (n,)
        Lightcurve of each, increasing.
    time : ndarray of float, shape (n,)
        Middle of the first and the last epoch, increasing within a lightcurve.
    weight, flux : ndarray of float32, shape (n,)
        Sums of weight over the total weight of the lightcurve, and of weight times flux over its root.
    first, end : ndarray of int64, shape (n,)
        First epoch of each, and the one after its last.
    """

    lightcurve: np.ndarray
    time: np.ndarray
    weight: np.ndarray
    flux: np.ndarray
    first: np.ndarray
    end: np.ndarray

    @property
    def several(self):
        """Whether there are several epochs in each."""
        return self.end > self.first + 1

    def take(self, rows):
        """Some of the cells."""
        return Cells(*(values.take(rows) for values in vars(self).values()))

    def merge(self, first):
        """Put together the cells from each of the first ones up to the next."""
        last = np.append(first[1:], len(self.time)) - 1
        sums = (np.add.reduceat(values, first) for values in (self.weight, self.flux))
        time = 0.5 * (self.time.take(first) + self.time.take(last))
        return Cells(self.lightcurve.take(first), time, *sums, self.first.take(first), self.end.take(last))


def make_blocks(batch, searched, snr, noise):
    """Make blocks of lightcurves with about `_BLOCK` epochs.

    Parameters
    ----------
    batch : LightcurveBatch
        With the column mjd, in order of time.
    searched : ndarray of bool, shape (n_epochs,)
        Epochs to search; those without S/N or noise, or with values that no flux has, are left out.
    snr, noise : ndarray of float, shape (n_epochs,)
        Signed (flux - median) / noise, and the noise [uJy].

    Yields
    ------
    Block
        Those with epochs to search, in order.
    """
    starts, mjd = batch.starts, batch.columns["mjd"]
    searched = searched & (np.abs(snr) < _MAX_SNR) & (noise > 1 / _MAX_NOISE) & (noise < _MAX_NOISE)
    edges = np.searchsorted(starts, np.arange(0, starts[-1], _BLOCK), side="right") - 1
    edges = np.unique(np.append(edges, len(starts) - 1))
    for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        span = slice(starts[begin], starts[end])
        if searched[span].any():
            part = LightcurveBatch({"mjd": mjd[span]}, starts[begin : end + 1] - starts[begin], {})
            yield Block((part, searched[span], snr[span], noise[span]), begin, starts[begin])


class Block:
    """Searched epochs of some lightcurves, with the time since the first epoch of each.

    Parameters
    ----------
    epochs : tuple
        The lightcurves, which epochs are searched, their S/N and noise, see `make_blocks`.
    lightcurve, row : int
        Place of the first lightcurve and of its first epoch in the batch.
    """

    def __init__(self, epochs, lightcurve, row):
        self.epochs, self.offsets = epochs, {"lightcurve": lightcurve} | dict.fromkeys(("first", "last", "peak"), row)
        part, searched, snr, noise = epochs
        self.rows = np.flatnonzero(searched)
        self.starts = np.searchsorted(self.rows, part.starts)
        self.lightcurve = segment_index(self.starts)
        self.snr, self.noise = snr[self.rows], noise[self.rows]
        mjd, starts = part.columns["mjd"][self.rows], self.starts
        self.zero = np.append(mjd, 0.0)[starts[:-1]]
        self.time = mjd - spread(self.zero, starts)
        weight, excess = 1 / np.square(self.noise), self.snr * self.noise
        total, quiet = spread(segment_sum(weight, starts), starts), np.abs(self.snr) < _FAR_SNR
        excess -= spread(baseline_of(excess, weight, quiet, starts), starts)
        self.weight = weight / total
        # An epoch that is no part of the baseline is as far from one that it is a part of as the score is made for.
        excess *= np.where(quiet, 1.0, 1 - self.weight)
        self.flux = weight * excess / np.sqrt(total)

    def of_batch(self, candidates):
        """Candidates with their lightcurves and epochs in the batch."""
        return candidates | {name: candidates[name] + offset for name, offset in self.offsets.items()}

    def cells(self):
        """Each epoch as a cell."""
        weight, flux = np.maximum(self.weight, _LEAST).astype(np.float32), self.flux.astype(np.float32)
        epochs = np.arange(len(weight) + 1)
        return Cells(self.lightcurve, self.time, weight, flux, epochs[:-1], epochs[1:])

    def single_scores(self):
        """Score of each epoch by itself, 0 for one with half of the weight of its lightcurve."""
        share = self.weight
        return np.where(share < 0.5, self.flux / np.sqrt(share * (1 - np.minimum(share, 0.5))), 0.0)

    def closest(self):
        """Least time between two epochs of a lightcurve, infinity without two [days]."""
        same = self.lightcurve[1:] == self.lightcurve[:-1]
        return np.diff(self.time).min(initial=np.inf, where=same)
