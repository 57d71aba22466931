"""Which injected events the finder recovered, and why it missed the others."""

import numpy as np

from vo_lib.injection.placement import near, reach_days, smearing_days
from vo_lib.segments import connect, range_rows, rank_within, segment_sum, spread, starts_from_counts
from vo_lib.tables import take_rows

__all__ = ["REASONS", "overlapping", "recover", "separate", "spans_of"]

# Outcomes of an injection; the first that applies is taken.
REASONS = ("recovered", "merged", "wrong sign", "flagged", "not seen", "below threshold")
_RECOVERED, _MERGED, _WRONG_SIGN, _FLAGGED, _NOT_SEEN, _BELOW = range(len(REASONS))
# An event has lost epochs to flags if less than this fraction of its S/N is left.
_LEFT = 0.9
# An event that has less than this S/N at every epoch cannot be seen.
_SEEN = 1.0


def overlapping(truth, found):
    """Mask the detections in injected lightcurves that are near their event in time.

    Parameters
    ----------
    truth : dict of str to ndarray, each of shape (n_injections,)
        See `vo_lib.simulator.inject`.
    found : Finding
        Of the injected batch; its lightcurves are the rows of `truth`.

    Returns
    -------
    ndarray of bool, shape (n_detections,)
        Whether the event is in reach, see `vo_lib.injection.placement.reach_days`, at some time during the detection,
        including its exposures where they smear the event.
    """
    before, after = reach_days(truth["kind"], truth["expected_snr"], truth["width"])
    event, table = found.lightcurve, found.detections
    start, end = table["start_mjd"], table["end_mjd"]
    smear = smearing_days(table["duration"] - (end - start), truth["width"][event]) / 2
    return near(truth["peak_mjd"][event], before[event], after[event], start - smear, end + smear)


def spans_of(real, lightcurve):
    """Return the real detections of given lightcurves as time spans.

    Parameters
    ----------
    real : Finding
        Of the batch.
    lightcurve : ndarray of int64, shape (n,)
        Rows of the batch.

    Returns
    -------
    tuple
        Offsets of the spans of each row (n + 1), and start and end of all spans [days].
    """
    starts, pair = _pairs(lightcurve, real)
    return starts, real.detections["start_mjd"][pair], real.detections["end_mjd"][pair]


def separate(lightcurve, detections):
    """Find separate detections: of those of one sign in a lightcurve that share epochs, only the first in the table.

    Parameters
    ----------
    lightcurve : ndarray of int64, shape (n,)
        Row of the lightcurve of each detection.
    detections : dict of str to ndarray, each of shape (n,)
        With ``first_epoch``, ``last_epoch`` and ``sign``; epochs may also be shared through other detections.

    Returns
    -------
    ndarray of int64
        Rows of the separate ones.
    """
    sets = connect(2 * lightcurve + (detections["sign"] > 0), detections["first_epoch"], detections["last_epoch"])
    return np.unique(sets, return_index=True)[1]


def recover(truth, original, *, real, found, seen=None):
    """Determine which injections were recovered, and why the others were not.

    Parameters
    ----------
    truth : dict of str to ndarray, each of shape (n_injections,)
        See `vo_lib.simulator.inject`.
    original : ndarray of int64, shape (n_injections,)
        Row in the batch of the lightcurve that each was injected into.
    real, found : Finding
        Findings in the original batch and in the injected one.
    seen : ndarray of float, shape (n_injections,), optional
        `vo_lib.injection.light.seen_snr` of the epochs that are good after the injection; by default as before it.

    Returns
    -------
    dict of str to ndarray
        A new table with ``snr``, ``match``, ``n_found``, ``recovered`` and ``reason`` filled in. An injection is
        recovered by a detection of its sign that is `overlapping` and shares no epoch with one of the same
        sign in the original.
    """
    table, event = found.detections, found.lightcurve
    close = overlapping(truth, found)
    known = _known(original[event], table, real)
    of_sign = table["sign"] == np.sign(truth["amplitude"][event])
    rows = np.flatnonzero(close & of_sign & ~known)
    best = rows[rank_within(event[rows], -table["score"][rows]) == 1]
    snr, match = np.full(len(original), np.nan), np.zeros(len(original), np.int64)
    snr[event[best]], match[event[best]] = table["snr"][best], table["number"][best]
    number = np.bincount(event[rows[separate(event[rows], take_rows(table, rows))]], minlength=len(original))
    conditions = {
        _RECOVERED: number > 0,
        _MERGED: _any(event[close & of_sign & known], len(original)),
        _WRONG_SIGN: _any(event[close & ~of_sign & ~known], len(original)),
        _FLAGGED: np.abs(truth["seen_snr"] if seen is None else seen) < _LEFT * np.abs(truth["seen_snr"]),
        _NOT_SEEN: ~(np.abs(truth["seen_snr"]) >= _SEEN),
    }
    reason = np.select(list(conditions.values()), list(conditions), _BELOW)
    outcome = {"snr": snr, "match": match, "n_found": number, "recovered": (number > 0).astype(np.int64)}
    return truth | outcome | {"reason": np.array(REASONS)[reason]}


def _any(rows, size):
    """Mask the rows that occur."""
    return np.bincount(rows, minlength=size) > 0


def _pairs(lightcurve, real):
    """Return all real detections in each of some lightcurves: offsets, and rows of detections."""
    order = np.argsort(real.lightcurve, kind="stable")
    start, stop = (np.searchsorted(real.lightcurve[order], lightcurve, side=side) for side in ("left", "right"))
    starts = starts_from_counts(stop - start)
    return starts, order[range_rows(start, starts)]


def _known(lightcurve, table, real):
    """Mask the detections that share an epoch and the sign with a real one of the given lightcurve."""
    starts, pair = _pairs(lightcurve, real)
    first, last, sign = (spread(table[name], starts) for name in ("first_epoch", "last_epoch", "sign"))
    real = {name: real.detections[name][pair] for name in ("first_epoch", "last_epoch", "sign")}
    shared = (real["first_epoch"] <= last) & (real["last_epoch"] >= first) & (real["sign"] == sign)
    return segment_sum(shared, starts) > 0
