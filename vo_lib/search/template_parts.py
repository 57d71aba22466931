"""Removal of detections of the matched filter that are part of a stronger event.

No bank has the shape of every event. What a template leaves behind, such as long wings, may pass the threshold beside
a bright event. A weaker detection near a stronger one of the same sign is a separate event only if the flux goes back
in between, as it does between any two events and never within one that has a single peak. A much weaker detection, of
either sign, may be an error of the baseline and is dropped.
"""

import numpy as np

from vo_lib.search.template_fits import Fit
from vo_lib.segments import rank_within, segment_sum
from vo_lib.tables import take_rows

__all__ = ["without_parts"]

# Detections are near each other if the time between them is at most this many times the longer of the two.
_NEAR = 3.0
# Near a stronger detection a score must be this fraction of its score: templates fit bright events no better than that.
_LEAST = 0.1
# Between two events the flux is below this fraction of the weaker one's amplitude, by this many errors.
_VALLEY, _ERRORS = 0.5, 2.0


def without_parts(batch, candidates):
    """Drop candidates that are part of a stronger one of their lightcurve.

    Parameters
    ----------
    batch : LightcurveBatch
        With the columns mjd, searched, snr and noise, see `vo_lib.search.template_cells.make_blocks`.
    candidates : dict of str to ndarray, each of shape (n,)
        `vo_lib.search.candidates.CANDIDATE_COLUMNS`, fitted.

    Returns
    -------
    dict of str to ndarray
        The remaining candidates, in the same order.
    """
    rank = rank_within(candidates["lightcurve"], -candidates["score"])
    left = np.ones(len(rank), bool)
    for number in range(1, rank.max(initial=0)):
        stronger, weaker = _pairs(candidates["lightcurve"], rank, left, number)
        left[weaker[_is_part(batch, *(take_rows(candidates, rows) for rows in (stronger, weaker)))]] = False
    return take_rows(candidates, left)


def _pairs(lightcurve, rank, left, number):
    """Pair the candidates of a rank with each weaker one of the same lightcurve, of those left; returns their rows."""
    of_rank = np.flatnonzero(left & (rank == number))
    weaker = np.flatnonzero(left & (rank > number) & np.isin(lightcurve, lightcurve[of_rank]))
    order = np.argsort(lightcurve[of_rank])
    return of_rank[order][np.searchsorted(lightcurve[of_rank], lightcurve[weaker], sorter=order)], weaker


def _is_part(batch, stronger, weaker):
    """Return whether each weaker candidate is part of the stronger one."""
    mjd = batch.columns["mjd"]
    gap = np.maximum(mjd[weaker["first"]] - mjd[stronger["last"]], mjd[stronger["first"]] - mjd[weaker["last"]])
    near = gap <= _NEAR * np.maximum(_length(mjd, stronger), _length(mjd, weaker))
    part = near & (weaker["score"] < _LEAST * stronger["score"])
    # The flux between two of them is examined only where it decides.
    alike = np.flatnonzero(near & ~part & (weaker["sign"] == stronger["sign"]))
    if len(alike):
        part[alike] = ~_is_apart(batch, take_rows(stronger, alike), take_rows(weaker, alike))
    return part


def _length(mjd, candidates):
    """Return the time from the first to the last epoch, or the width of the template if that is longer [days]."""
    return np.fmax(mjd[candidates["last"]] - mjd[candidates["first"]], candidates["width"])


def _is_apart(batch, stronger, weaker):
    """Return whether the flux between two candidates is below `_VALLEY` of the weaker one's; False without epochs."""
    first = np.minimum(stronger["last"], weaker["last"]) + 1
    last = np.maximum(stronger["first"], weaker["first"]) - 1
    first, last = np.where(last < first, [weaker["first"], weaker["first"] - 1], [first, last])
    between = Fit(batch, weaker | {"first": first, "last": last}, np.ones(batch.n_epochs, bool))
    weight = segment_sum(between.weight, between.spans)
    product = segment_sum(between.sign * between.weight * between.excess, between.spans)
    level = _VALLEY * np.abs(weaker["amplitude"])
    return product + _ERRORS * np.sqrt(weight) < level * weight
