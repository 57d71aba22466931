"""Which injected events the finder got back."""

import numpy as np

from vo_lib.segments import rank_within, segment_sum, spread, starts_from_counts

__all__ = ["overlapping", "recover"]


def overlapping(truth, found):
    """Mask of the detections in injected lightcurves that are near their event in time.

    Parameters
    ----------
    truth : dict of str to ndarray, each of shape (n_injections,)
        See `vo_lib.simulator.inject`.
    found : Finding
        Of the injected batch; its lightcurves are the rows of `truth`.

    Returns
    -------
    ndarray of bool, shape (n_detections,)
        Whether the detection meets the time from one width before to three after the peak.
    """
    peak, width = truth["peak_mjd"][found.lightcurve], truth["width"][found.lightcurve]
    table = found.detections
    return (table["end_mjd"] >= peak - width) & (table["start_mjd"] <= peak + 3 * width)


def recover(truth, original, *, real, found):
    """Tell which injections were found again.

    Parameters
    ----------
    truth : dict of str to ndarray, each of shape (n_injections,)
        See `vo_lib.simulator.inject`.
    original : ndarray of int64, shape (n_injections,)
        Row in the batch of the lightcurve that each was injected into.
    real, found : Finding
        Of the batch as it is and of the injected one.

    Returns
    -------
    dict of str to ndarray
        A new table with ``snr`` and ``recovered`` filled in: an injection is recovered by a detection
        of its sign that is `overlapping` and shares no epoch with one of that sign in the original.
    """
    table, event = found.detections, found.lightcurve
    due = overlapping(truth, found) & (table["sign"] == np.sign(truth["amplitude"][event]))
    due &= ~_known(original[event], table, real)
    rows = np.flatnonzero(due)
    best = rows[rank_within(event[rows], -table["score"][rows]) == 1]
    snr, recovered = np.full(len(original), np.nan), np.zeros(len(original), np.int64)
    snr[event[best]], recovered[event[best]] = table["snr"][best], 1
    return truth | {"snr": snr, "recovered": recovered}


def _known(lightcurve, table, real):
    """Mask of detections that share an epoch and the sign with a real one of the given lightcurve."""
    order = np.argsort(real.lightcurve, kind="stable")
    start, stop = (np.searchsorted(real.lightcurve[order], lightcurve, side=side) for side in ("left", "right"))
    starts = starts_from_counts(stop - start)
    # Every pair of a detection and a real one in the same lightcurve.
    pair = order[np.arange(starts[-1]) + spread(start - starts[:-1], starts)]
    first, last, sign = (spread(table[name], starts) for name in ("first_epoch", "last_epoch", "sign"))
    real = {name: real.detections[name][pair] for name in ("first_epoch", "last_epoch", "sign")}
    shared = (real["first_epoch"] <= last) & (real["last_epoch"] >= first) & (real["sign"] == sign)
    return segment_sum(shared, starts) > 0
