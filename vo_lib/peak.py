"""Search for runs of epochs at which a source is brighter or fainter than usual."""

import numpy as np

from vo_lib.segments import segment_of
from vo_lib.tables import take_rows

__all__ = ["METHOD", "find_runs", "levels", "search_peaks"]

METHOD = "peak"


def levels(snr_threshold, sideband):
    """Check thresholds and sidebands and return them as pairs (fainter, brighter).

    Parameters
    ----------
    snr_threshold : float or pair of float
        Least |S/N| of a peak. A pair is for fainter and brighter peaks; infinity disables one.
    sideband : float, pair of float or None
        Least |S/N| of the epochs next to the peak. None: threshold minus 2, but at least 0.

    Returns
    -------
    thresholds, sidebands : ndarray of float, shape (2,)

    Raises
    ------
    ValueError
        If a threshold is not positive or a sideband exceeds its threshold.
    """
    thresholds = np.broadcast_to(np.abs(np.asarray(snr_threshold, float)), 2)
    sidebands = np.maximum(thresholds - 2, 0) if sideband is None else np.abs(np.asarray(sideband, float))
    sidebands = np.broadcast_to(sidebands, 2)
    if not (thresholds > 0).all():
        raise ValueError(f"snr_threshold must be positive, got {snr_threshold!r}")
    if not (sidebands <= thresholds).all():
        raise ValueError(f"sideband must not exceed snr_threshold {snr_threshold!r}, got {sideband!r}")
    return thresholds, sidebands


def search_peaks(batch, searched, snr, *, snr_threshold=5.0, sideband=None, max_gap_days=1.0, min_epochs=1):
    """Detect runs of epochs that stand out from their lightcurve.

    A detection is a run of successive searched epochs, all of which deviate from the median in the same
    direction by at least `sideband` times the noise, and at least one by the threshold. Epochs that are not
    searched are skipped; a change of sign, a lower value or a gap ends the run.

    Parameters
    ----------
    batch : LightcurveBatch
        With the column ``mjd``, in order of time.
    searched : ndarray of bool, shape (n_epochs,)
        Epochs to search.
    snr : ndarray of float, shape (n_epochs,)
        Signed S/N.
    snr_threshold, sideband : float or pair of float, optional
        See `levels`.
    max_gap_days : float, optional
        Longest time between successive epochs of a detection [days].
    min_epochs : int, optional
        Minimum number of epochs of a detection.

    Returns
    -------
    dict of str to ndarray
        Candidates, see `vo_lib.search.candidates`, by lightcurve and time.
    """
    thresholds, sidebands = levels(snr_threshold, sideband)
    limits = {"max_gap_days": max_gap_days, "min_epochs": min_epochs}
    return find_runs(batch, np.flatnonzero(searched), snr, thresholds=thresholds, sidebands=sidebands, **limits)


def find_runs(batch, epochs, value, *, thresholds, sidebands, max_gap_days=np.inf, min_epochs=1):
    """Detect runs of epochs with high absolute values of any quantity.

    Parameters
    ----------
    batch : LightcurveBatch
        With the column ``mjd``, in order of time.
    epochs : ndarray of int64
        Rows of the searched epochs, in order; epochs are successive if they are neighbours in this list.
    value : ndarray of float, shape (n_epochs,)
        Signed values, such as S/N.
    thresholds, sidebands : array_like of float, shape (2,)
        Least |value| of a peak and of the epochs next to it, for negative and for positive values.
    max_gap_days, min_epochs
        See `search_peaks`.

    Returns
    -------
    dict of str to ndarray
        Candidates, see `vo_lib.search.candidates`, by lightcurve and time.
    """
    searched = value[epochs]
    high = np.flatnonzero(
        ((searched > 0) & (searched >= sidebands[1])) | ((searched < 0) & (searched <= -sidebands[0]))
    )
    rows = epochs[high]
    where = segment_of(rows, batch.starts)
    begins = np.ones(len(rows), bool)
    begins[1:] = (np.diff(high) != 1) | (np.diff(where) != 0) | (np.diff(np.signbit(searched[high])) != 0)
    begins[1:] |= np.diff(batch.columns["mjd"][rows]) > max_gap_days
    return _strong(rows, np.flatnonzero(begins), where, np.abs(value[rows]), value, thresholds, min_epochs)


def _strong(rows, begins, where, score, value, thresholds, min_epochs):
    """Candidates from the runs that are long enough and reach their threshold."""
    ends = np.append(begins[1:], len(rows))[: len(begins)]
    top = np.maximum.reduceat(score, begins) if len(begins) else np.zeros(0)
    # Of equal peaks, take the earliest.
    at_top = np.flatnonzero(score == np.repeat(top, ends - begins))
    peak = rows[at_top[np.searchsorted(at_top, begins)]]
    sign = np.where(value[peak] > 0, 1, -1)
    threshold = np.where(sign > 0, thresholds[1], thresholds[0])
    found = {
        "lightcurve": where[begins],
        "first": rows[begins],
        "last": rows[ends - 1],
        "peak": peak,
        "sign": sign,
        "score": top,
        "threshold": threshold,
        "n_epochs": ends - begins,
    }
    keep = (top >= threshold) & (ends - begins >= min_epochs)
    return take_rows(found, keep)
