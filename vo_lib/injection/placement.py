"""When events are injected: the peak times at which a lightcurve could show an event.

Only some epochs can see an event. Peak times at which no epoch can are no loss of efficiency that
has to be measured, so peaks are drawn from the other times, whose total length is known.
"""

import numpy as np

from vo_lib.profiles import PROFILES
from vo_lib.segments import segment_sum, spread, starts_from_counts

__all__ = ["Windows", "first_free", "near", "reach_days", "smearing_days"]

# An event is in reach of an epoch that sees it at this S/N, or a weaker one at this fraction of its peak.
VISIBLE_SNR = 1.0
MOST_OF_PEAK = 2**-0.25
# In units of the event's width. Over a shorter exposure, the mean of a smooth shape differs from its value at
# mid-exposure by at most 1 % of the peak.
SHORT_EXPOSURE = 0.1
# Lengths are counted in whole ticks, this many per day, so that sums are exact in any order.
_TICKS = 2.0**33


def reach_days(kind, expected_snr, width):
    """Compute how far from its peak each event is in reach.

    Parameters
    ----------
    kind : ndarray of str, shape (n,)
        Names of `vo_lib.profiles.PROFILES`.
    expected_snr : ndarray of float, shape (n,)
        S/N of the peak, of either sign.
    width : ndarray of float, shape (n,)
        Full widths at half maximum [days].

    Returns
    -------
    before, after : ndarray of float, shape (n,)
        Time before and after the peak during which the event has an S/N of 1, or 84 % of its peak if
        that is less [days].
    """
    fraction = np.minimum(VISIBLE_SNR / np.abs(expected_snr), MOST_OF_PEAK)
    before, after = np.zeros(len(width)), np.zeros(len(width))
    for name in np.unique(kind).tolist():
        rows = kind == name
        before[rows], after[rows] = PROFILES[name].reach(fraction[rows])
    return before * width, after * width


def smearing_days(exposure, width):
    """Return exposure times over which the light of an event is averaged; 0 for those that are short compared to it.

    Parameters
    ----------
    exposure : ndarray of float
        Exposure times; unknown ones count as short [days].
    width : ndarray of float
        Full widths at half maximum of the events [days].

    Returns
    -------
    ndarray of float
        [days]
    """
    return np.where(exposure > SHORT_EXPOSURE * width, exposure, 0.0)


def near(peak, before, after, start, end):
    """Return whether events are in reach at some time in a span: peak, reach and span in days, broadcast together."""
    return (end >= peak - before) & (start <= peak + after)


class Windows:
    """Peak times at which an event is in reach of a good epoch of its lightcurve.

    An epoch sees events that peak between `after` days before it and `before` days after it. These windows are
    equally long, so that each adds its length or, if less, the time since the previous epoch.

    Parameters
    ----------
    mjd : ndarray of float, shape (n_epochs,)
        Epochs, in order of time within a lightcurve [days].
    good : ndarray of bool, shape (n_epochs,)
        Epochs that are searched.
    starts : ndarray of int64, shape (n_events + 1,)
        Offsets of the lightcurve of each event.
    before, after : ndarray of float, shape (n_events,)
        See `reach_days`.

    Attributes
    ----------
    days : ndarray of float, shape (n_events,)
        Total length of the windows of a lightcurve [days]; 0 without good epochs.
    """

    def __init__(self, mjd, good, starts, before, after):
        rows = np.flatnonzero(good)
        counts = segment_sum(good, starts)
        self._starts = starts_from_counts(counts)
        self._stop = mjd[rows] + np.repeat(before, counts)
        pause = np.diff(mjd[rows], prepend=-np.inf)
        pause[self._starts[:-1][counts > 0]] = np.inf
        length = np.clip(pause, 0.0, np.repeat(before + after, counts))
        self._sum = np.cumsum(np.rint(length * _TICKS).astype(np.int64))
        self._before = np.append(0, self._sum)[self._starts[:-1]]
        self._ticks = np.append(0, self._sum)[self._starts[1:]] - self._before
        self.days = self._ticks / _TICKS

    def peaks(self, random):
        """Draw peak times uniformly from the windows.

        Parameters
        ----------
        random : ndarray of float, shape (..., n_events)
            Uniform random numbers in [0, 1).

        Returns
        -------
        ndarray of float, same shape
            Peak times [days]; NaN for lightcurves without good epochs.
        """
        target = self._before + (random * self._ticks).astype(np.int64)
        piece = np.searchsorted(self._sum, target, side="right")
        usable = np.broadcast_to(self._ticks > 0, piece.shape)
        peak = np.full(piece.shape, np.nan)
        chosen = piece[usable]
        peak[usable] = self._stop[chosen] - (self._sum[chosen] - target[usable]) / _TICKS
        return peak


def first_free(peaks, before, after, occupied):
    """Choose the first of several peak times of each event at which no occupied span is in reach.

    Parameters
    ----------
    peaks : ndarray of float, shape (n_tries, n_events)
        Peak times [days].
    before, after : ndarray of float, shape (n_events,)
        See `reach_days`.
    occupied : tuple
        Offsets of the spans of each event (n_events + 1), and start and end of the spans [days].

    Returns
    -------
    ndarray of float, shape (n_events,)
        The first try if none is free.
    """
    starts, start, end = occupied
    number = np.arange(peaks.shape[1])
    owner = spread(number, starts)
    taken = np.zeros(peaks.shape, bool)
    for row, peak in enumerate(peaks):
        hit = near(peak[owner], before[owner], after[owner], start, end)
        taken[row] = segment_sum(hit, starts) > 0
    return peaks[np.argmin(taken, axis=0), number]
