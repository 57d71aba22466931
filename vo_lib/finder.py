"""Find epochs and runs of epochs at which a source is brighter or fainter than usual."""

from dataclasses import dataclass

import numpy as np

from vo_lib.segments import ROBUST_SCALE, rank_within, segment_count, segment_median, segment_median_mad, spread

__all__ = ["DETECTION_COLUMNS", "Finding", "baseline", "find"]

METHOD = "peak"
# Fewer good epochs than this have no meaningful scatter.
MIN_EPOCHS = 3
# Columns of the table of detections: (type, unit, meaning).
DETECTION_COLUMNS = {
    "source": ("U1", "", "name in the catalog"),
    "obs": ("U1", "", "observatory"),
    "lightcurve": ("U1", "", "key of the lightcurve in the reduced file"),
    "filter": ("U1", "", "filter of the lightcurve"),
    "number": ("i8", "", "number of the detection in its lightcurve, from 1 in order of time"),
    "method": ("U4", "", "how it was found"),
    "simulated": ("i8", "", "1 where the lightcurve has an injected event"),
    "injection": ("i8", "", "number of the injection of the source, 0 if real"),
    "sign": ("i8", "", "+1 brighter, -1 fainter than usual"),
    "snr": ("f8", "", "signed peak of (flux - median) / noise"),
    "score": ("f8", "", "what is compared with the threshold: |snr|"),
    "threshold": ("f8", "", "least score of a detection"),
    "peak_mjd": ("f8", "d", "time of the peak (UTC, mid-exposure)"),
    "start_mjd": ("f8", "d", "time of the first epoch"),
    "end_mjd": ("f8", "d", "time of the last epoch"),
    "first_epoch": ("i8", "", "row of the first epoch in the lightcurve, from 0"),
    "last_epoch": ("i8", "", "row of the last epoch, included"),
    "peak_epoch": ("i8", "", "row of the peak"),
    "n_epochs": ("i8", "", "unflagged epochs of the detection"),
    "peak_mag": ("f8", "mag", "magnitude at the peak (AB)"),
    "dmag": ("f8", "mag", "magnitude at the peak minus the median, negative if brighter"),
}


@dataclass(frozen=True)
class Finding:
    """What a finder made of a batch.

    Parameters
    ----------
    snr, dmag, noise : ndarray of float, shape (n_epochs,)
        Signed (flux - median) / noise, magnitude minus median magnitude [mag], noise [uJy];
        of flagged epochs too, NaN where they cannot be computed.
    detections : dict of str to ndarray, each of shape (n_detections,)
        `DETECTION_COLUMNS`, ordered by lightcurve and time.
    lightcurve : ndarray of int64, shape (n_detections,)
        Lightcurve of the batch that each detection is in.
    """

    snr: np.ndarray
    dmag: np.ndarray
    noise: np.ndarray
    detections: dict
    lightcurve: np.ndarray


def baseline(batch, good):
    """Usual flux of each lightcurve and its robust scatter, from good epochs.

    Parameters
    ----------
    batch : LightcurveBatch
        With the column flux [uJy].
    good : ndarray of bool, shape (n_epochs,)
        Epochs to use.

    Returns
    -------
    median, rms : ndarray of float, shape (n_lightcurves,)
        Median and `ROBUST_SCALE` times MAD [uJy]; NaN without good epochs.
    """
    median, mad = segment_median_mad(np.where(good, batch.columns["flux"], np.nan), batch.starts)
    return median, ROBUST_SCALE * mad


def find(batch, qflag, *, snr_threshold=5.0, sideband=None, max_detections=0, max_gap_days=1.0):
    """Detect runs of good epochs that stand out of their lightcurve.

    A detection is a run of successive unflagged epochs, all on one side of the median by at least
    `sideband` times the noise and one of them by the threshold. Flagged epochs are passed over;
    a change of sign, a lower value or a gap ends the run. The noise of an epoch is its error or
    the robust rms of the lightcurve's unflagged epochs, whichever is greater.

    Parameters
    ----------
    batch : LightcurveBatch
        With the columns mjd, flux, fluxerr and mag, in order of time.
    qflag : ndarray of int64, shape (n_epochs,)
        0 for good epochs, see `vo_lib.quality`.
    snr_threshold : float or pair of float, optional
        Least |snr| of a peak; two values are for fainter and brighter peaks, infinity for none.
    sideband : float or pair of float, optional
        Least |snr| of the epochs beside the peak; default the threshold minus 2, but not below 0.
    max_detections : int, optional
        Keep this many of the strongest of a lightcurve; 0 keeps all.
    max_gap_days : float, optional
        Longest time between successive epochs of one detection [days].

    Returns
    -------
    Finding
        Lightcurves with fewer than 3 unflagged epochs or without scatter have no detections.
    """
    thresholds, sidebands = _levels(snr_threshold, sideband)
    good = np.asarray(qflag) == 0
    median, rms = baseline(batch, good)
    snr, noise = _signal_to_noise(batch, median, rms)
    usual = segment_median(np.where(good, batch.columns["mag"], np.nan), batch.starts)
    dmag = batch.columns["mag"] - spread(usual, batch.starts)
    usable = (segment_count(good, batch.starts) >= MIN_EPOCHS) & (rms > 0)
    epochs = np.flatnonzero(good & spread(usable, batch.starts))
    islands = _islands(batch, snr, epochs, sidebands=sidebands, max_gap_days=max_gap_days)
    islands = _strong(batch, snr, islands, thresholds=thresholds, max_detections=max_detections)
    return Finding(snr, dmag, noise, *_table(batch, snr, dmag, islands, thresholds=thresholds))


def _levels(snr_threshold, sideband):
    """Thresholds and sidebands as pairs (fainter, brighter), checked."""
    thresholds = np.broadcast_to(np.abs(np.asarray(snr_threshold, float)), 2)
    sidebands = np.maximum(thresholds - 2, 0) if sideband is None else np.abs(np.asarray(sideband, float))
    sidebands = np.broadcast_to(sidebands, 2)
    if not (thresholds > 0).all():
        raise ValueError(f"snr_threshold must be positive, got {snr_threshold!r}")
    if not (sidebands <= thresholds).all():
        raise ValueError(f"sideband must not exceed snr_threshold {snr_threshold!r}, got {sideband!r}")
    return thresholds, sidebands


def _signal_to_noise(batch, median, rms):
    """Signed S/N of every epoch and the noise it is measured with [uJy]."""
    noise = np.fmax(batch.columns["fluxerr"], spread(rms, batch.starts))
    # An infinite value is flagged as bad; here it must only not warn.
    flux = np.where(np.isfinite(batch.columns["flux"]), batch.columns["flux"], np.nan)
    excess = flux - spread(median, batch.starts)
    return np.divide(excess, noise, out=np.full(len(noise), np.nan), where=noise > 0), noise


def _islands(batch, snr, epochs, *, sidebands, max_gap_days):
    """Runs of epochs above the sidebands: (epochs, first position of each run, lightcurve of each epoch).

    `epochs` are the usable ones, in order; successive means next to each other among these.
    """
    value = snr[epochs]
    high = np.flatnonzero(((value > 0) & (value >= sidebands[1])) | ((value < 0) & (value <= -sidebands[0])))
    rows = epochs[high]
    where = np.searchsorted(batch.starts, rows, side="right") - 1
    begins = np.ones(len(rows), bool)
    begins[1:] = (np.diff(high) != 1) | (np.diff(where) != 0) | (np.diff(np.signbit(value[high])) != 0)
    begins[1:] |= np.diff(batch.columns["mjd"][rows]) > max_gap_days
    return rows, np.flatnonzero(begins), where


def _strong(batch, snr, islands, *, thresholds, max_detections):
    """Islands that reach the threshold: (first, last, peak row, number of epochs, lightcurve) of each."""
    rows, begins, where = islands
    ends = np.append(begins[1:], len(rows))[: len(begins)]
    score = np.abs(snr[rows])
    top = np.maximum.reduceat(score, begins) if len(begins) else np.zeros(0)
    # The earliest of equal peaks.
    at_top = np.flatnonzero(score == np.repeat(top, ends - begins))
    peak = rows[at_top[np.searchsorted(at_top, begins)]]
    keep = top >= np.where(snr[peak] > 0, thresholds[1], thresholds[0])
    if max_detections:
        keep[keep] = rank_within(where[begins][keep], -top[keep]) <= max_detections
    return tuple(x[keep] for x in (rows[begins], rows[ends - 1], peak, ends - begins, where[begins]))


def _table(batch, snr, dmag, islands, *, thresholds):
    """Table of detections and the lightcurve of each."""
    first, last, peak, n_epochs, where = islands
    sign = np.where(snr[peak] > 0, 1, -1)
    offset = batch.starts[where]
    names = {
        name: batch.table["key" if name == "lightcurve" else name][where]
        for name in ("source", "obs", "lightcurve", "filter")
    }
    mjd = batch.columns["mjd"]
    table = names | {
        "number": rank_within(where, first),
        "method": np.full(len(peak), METHOD),
        "simulated": np.zeros(len(peak), np.int64),
        "injection": np.zeros(len(peak), np.int64),
        "sign": sign,
        "snr": snr[peak],
        "score": np.abs(snr[peak]),
        "threshold": np.where(sign > 0, thresholds[1], thresholds[0]),
        "peak_mjd": mjd[peak],
        "start_mjd": mjd[first],
        "end_mjd": mjd[last],
        "first_epoch": first - offset,
        "last_epoch": last - offset,
        "peak_epoch": peak - offset,
        "n_epochs": n_epochs,
        "peak_mag": batch.columns["mag"][peak],
        "dmag": dmag[peak],
    }
    return table, where
