"""Slow trends of lightcurves, taken off by a running median or biweight, all lightcurves of a bin at once.

The trend at an epoch is the location of the good fluxes within half a window before and after it, as in wotan
(Hippke et al. 2019, doi:10.3847/1538-3881/ab3984), which it differs from in that the trend is subtracted and not
divided by, since fluxes near or below zero are data. Where windows have more than a hundred epochs the location is
computed at about fifty times in each, at more where the trend bends, and straight lines join these. So the cost grows
with the epochs and not with the window, and trends are those of a window for each epoch to a hundredth of the errors.
"""

from itertools import pairwise

import numpy as np

from vo_lib.photometry import mag_from_flux
from vo_lib.segments import (
    ROBUST_SCALE,
    range_rows,
    run_starts,
    segment_max,
    segment_median,
    segment_median_mad,
    segment_min,
    segment_steps,
    segment_sum,
    spread,
    starts_from_counts,
    starts_from_mask,
)

__all__ = ["LOSS_COLUMNS", "WIDTH_EDGES", "detrend", "loss_by_width", "signal_loss"]

METHODS = ("biweight", "median")
# Pairs of an epoch and one in its window that are treated in one go: 2 MB, which fits the cache.
_PAIRS = 1 << 18
# Epochs at the very ends of a window belong to it, whatever the rounding of times [days].
_ROUNDING = 1e-6
# Where more epochs than `_FEW` are in a window, its location is computed at the ends of so many cells of the window and
# at the thirds between, as long as straight lines are within this part of the scatter between neighbouring epochs.
_FEW, _CELLS, _NEAR = 100, 12, 0.02
# The biweight has converged when it moves by less than this part of the median absolute deviation.
_TOLERANCE, _MAX_ROUNDS = 1e-6, 50

# Limits of the ranges of widths that losses are summed up in [days].
WIDTH_EDGES = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0, np.inf)

# Columns of the table of `signal_loss`: (type, unit, meaning).
LOSS_COLUMNS = {
    "source": ("U1", "", "name in the catalog"),
    "lightcurve": ("U1", "", "key of the lightcurve in the reduced file"),
    "kind": ("U1", "", "shape of the event"),
    "width": ("f8", "d", "full width at half maximum"),
    "snr_raw": ("f8", "", "flux that the event adds at its greatest good epoch over the noise there"),
    "snr_detrended": ("f8", "", "the same after the trend was taken off"),
    "ratio": ("f8", "", "S/N with over that without detrending; below 1 is a loss"),
}


def detrend(batch, good, *, method="biweight", window_days=3.0, gap_days=None, edge_days=0.0, cval=5.0, min_epochs=5):
    """Take the trend off the fluxes of each lightcurve, whose median stays.

    Parameters
    ----------
    batch : LightcurveBatch
        With mjd, flux and fluxerr, in order of time; not changed.
    good : ndarray of bool, shape (n_epochs,)
        Epochs that trends are made from; they are taken off the others too.
    method : {"biweight", "median"} or None, optional
        Location of the fluxes in a window: Tukey's biweight, iterated from the median, or the median; None gives the
        batch back as it is.
    window_days : float, optional
        Length of the window [days]. Events longer than a third of it lose flux.
    gap_days : float or None, optional
        Windows do not reach over longer pauses [days]; None for half a window.
    edge_days : float, optional
        Epochs nearer to the ends and to such pauses have no flux afterwards [days], since their windows are one-sided.
    cval : float, optional
        Fluxes farther from the biweight than this many median absolute deviations (unscaled) do not count.
    min_epochs : int, optional
        Epochs with fewer good ones in their window keep their flux.

    Returns
    -------
    LightcurveBatch
        With flux, mag and magerr made anew, and the columns ``flux_raw`` (as it was) and ``trend`` [uJy], NaN where
        none was taken off. The errors are as they were.

    Raises
    ------
    ValueError
        For another method, or a length that is not positive.
    """
    if method is None:
        return batch
    gap_days = window_days / 2 if gap_days is None else gap_days
    if method not in METHODS:
        raise ValueError(f"detrend.method must be one of {', '.join(METHODS)}, got {method!r}")
    for name, value in (("window_days", window_days), ("gap_days", gap_days), ("cval", cval)):
        if not value > 0:
            raise ValueError(f"detrend.{name} must be positive, got {value!r}")
    flux = batch.columns["flux"]
    good = good & np.isfinite(flux)
    rows, starts = _pieces(batch, gap_days)
    trend = np.full(batch.n_epochs, np.nan)
    trend[rows] = _running(
        batch.columns["mjd"][rows],
        np.where(good, flux, np.nan)[rows],
        starts,
        window_days=window_days,
        min_epochs=min_epochs,
        cval=cval if method == "biweight" else None,
    )
    usual = spread(segment_median(np.where(good, flux, np.nan), batch.starts), batch.starts)
    flat = np.where(np.isnan(trend), flux, flux - trend + usual)
    if edge_days > 0:
        flat[rows[_near_edge(batch.columns["mjd"][rows], starts, edge_days)]] = np.nan
    mag, magerr = mag_from_flux(flat, batch.columns["fluxerr"])
    return batch.with_columns(flux=flat, mag=mag, magerr=magerr, flux_raw=flux, trend=trend)


def _pieces(batch, gap_days):
    """Epochs that have a time, and offsets of the pieces without a pause that they form."""
    mjd = batch.columns["mjd"]
    rows = np.flatnonzero(np.isfinite(mjd))
    owner = batch.lightcurve_index[rows]
    first = run_starts(owner)
    first[1:] |= np.diff(mjd[rows]) > gap_days
    return rows, starts_from_mask(first)


def _near_edge(mjd, starts, edge_days):
    """Mask of the epochs that are nearer than this to the first or last one of their piece."""
    begin, end = spread(segment_min(mjd, starts), starts), spread(segment_max(mjd, starts), starts)
    return (mjd - begin < edge_days) | (end - mjd < edge_days)


def _running(mjd, flux, starts, *, window_days, min_epochs, cval):
    """Location of the fluxes around each epoch of pieces; NaN where fewer than `min_epochs` have a flux."""
    # One axis for all pieces, a window or more apart.
    begin, end = mjd[starts[:-1]], mjd[starts[1:] - 1]
    room = end - begin + 2 * window_days
    place = mjd + spread(np.cumsum(room) - room - begin, starts)
    present, half = np.flatnonzero(~np.isnan(flux)), window_days / 2 + _ROUNDING
    first = np.searchsorted(place[present], place - half, side="left")
    number = np.searchsorted(place[present], place + half, side="right") - first
    location, todo = np.full(len(mjd), np.nan), np.flatnonzero(number >= max(min_epochs, 1))
    windows = _Windows(flux[present], first[todo], number[todo], cval)
    cells = np.floor((end - begin) * (_CELLS / window_days)).astype(np.int64) + 1
    cell = np.floor((mjd - spread(begin, starts)) * (_CELLS / window_days)) + spread(np.cumsum(cells) - cells, starts)
    tolerance = spread(_NEAR * _scatter(flux[present], np.searchsorted(present, starts)), starts)
    location[todo] = _between_knots(place[todo], cell[todo], windows, tolerance[todo])
    return location


def _scatter(flux, starts):
    """Robust scatter of each piece from the steps between its epochs, which trends are no part of; 0 without any."""
    return ROBUST_SCALE / np.sqrt(2) * np.nan_to_num(segment_median(np.abs(segment_steps(flux, starts)), starts))


def _between_knots(place, cell, windows, tolerance):
    """Location at each of the places: that of some of them, and straight lines between where these are good enough.

    Places with few epochs in their window and the ends of each cell are knots. Each line is compared with the locations
    at its thirds, and divided there while one differs.
    """
    edge = np.diff(cell, prepend=-1, append=-1) != 0
    known = (windows.number <= _FEW) | edge[:-1] | edge[1:]
    location, knots = np.full(len(place), np.nan), np.flatnonzero(known)
    location[known] = windows.locate(knots)
    left, right = knots[:-1], knots[1:]
    while (inside := right - left > 1).any():
        left, right = left[inside], right[inside]
        third = (right - left + 2) // 3
        off = np.zeros(len(left), bool)
        for middle in (left + third, right - third):
            part = (place[middle] - place[left]) / (place[right] - place[left])
            line = location[left] + part * (location[right] - location[left])
            location[middle], known[middle] = windows.locate(middle), True
            off |= np.abs(location[middle] - line) > tolerance[middle]
        edges = (left[off], (left + third)[off], (right - third)[off], right[off])
        left, right = np.concatenate(edges[:-1]), np.concatenate(edges[1:])
    between = np.flatnonzero(~known)
    if len(between):
        location[between] = np.interp(place[between], place[known], location[known])
    return location


class _Windows:
    """Windows of places: the first of the fluxes that are in each, and how many are."""

    def __init__(self, flux, first, number, cval):
        self.flux, self.first, self.number, self.cval = flux, first, number, cval

    def locate(self, chosen):
        """Location of the fluxes in the windows chosen, in parts that fit the cache."""
        location, total = np.empty(len(chosen)), np.cumsum(self.number[chosen])
        cuts = np.searchsorted(total, np.arange(_PAIRS, total.max(initial=0), _PAIRS))
        for rows in filter(len, np.split(np.arange(len(chosen)), cuts)):
            first, starts = self.first[chosen[rows]], starts_from_counts(self.number[chosen[rows]])
            location[rows] = _locate(self.flux[range_rows(first, starts)], starts, self.cval)
        return location


def _locate(values, starts, cval):
    """Median of each window, or the biweight that is iterated from it."""
    if cval is None:
        return segment_median(values, starts)
    center, mad = segment_median_mad(values, starts)
    scale = spread(np.where(mad > 0, cval * mad, 1.0), starts)
    # Without scatter the median stays; each window stops by itself, so that its neighbours do not matter.
    moving = mad > 0
    for _ in range(_MAX_ROUNDS):
        excess = values - spread(center, starts)
        weight = np.maximum(1 - (excess / scale) ** 2, 0) ** 2
        total = segment_sum(weight, starts)
        step = np.divide(segment_sum(weight * excess, starts), total, out=np.zeros(len(total)), where=moving)
        center = center + step
        moving &= np.abs(step) > _TOLERANCE * mad
        if not moving.any():
            break
    return center


def signal_loss(raw, flat, good, truth):
    """Tell how much of the S/N of injected events is left when trends are taken off after the injection.

    Parameters
    ----------
    raw : tuple of LightcurveBatch
        Lightcurves, and copies of some of them with an event each, see `vo_lib.simulator.inject`.
    flat : tuple of LightcurveBatch
        The same after `detrend`.
    good : ndarray of bool, shape (n_epochs,)
        Epochs of the copies that are searched.
    truth : dict of str to ndarray, each of shape (n_injections,)
        The events.

    Returns
    -------
    dict of str to ndarray, each of shape (n_injections,)
        `LOSS_COLUMNS`; the event's light is the difference of the copy with and without it, its noise the error
        of the epoch or the robust scatter of the copy, whichever is greater. NaN where no good epoch sees the event;
        the ratio also where the epoch that sees it best has no flux left (`detrend`, `edge_days`).
        No rows where no trends were taken off: nothing is lost.
    """
    if "trend" not in flat[0].columns:
        return {name: np.zeros(0, kind) for name, (kind, _, _) in LOSS_COLUMNS.items()}
    (light, raw_snr), (_, flat_snr) = (_light_and_snr(*pair, good) for pair in (raw, flat))
    peak = _brightest(np.where(good, np.abs(light), 0.0), raw[1].starts)
    seen = peak >= 0
    snr_raw, snr_detrended = (np.where(seen, values[peak], np.nan) for values in (raw_snr, flat_snr))
    ratio = np.divide(snr_detrended, snr_raw, out=np.full(len(peak), np.nan), where=seen & (snr_raw != 0))
    names = {name: truth[name] for name in ("source", "lightcurve", "kind", "width")}
    return names | {"snr_raw": snr_raw, "snr_detrended": snr_detrended, "ratio": ratio}


def loss_by_width(loss, edges=WIDTH_EDGES):
    """Sum up the losses of events of like widths.

    Parameters
    ----------
    loss : dict of str to ndarray, each of shape (n_injections,)
        ``width`` [days] and ``ratio``, see `signal_loss`.
    edges : sequence of float, optional
        Limits of the ranges of widths; the lower one belongs to a range [days].

    Returns
    -------
    list of tuple
        Lower and upper limit, number of events and median ratio of each range that has events with a ratio.
    """
    known = np.isfinite(loss["ratio"])
    width, ratio = loss["width"][known], loss["ratio"][known]
    place = np.searchsorted(edges, width, side="right") - 1
    ranges = [(low, high, ratio[place == number]) for number, (low, high) in enumerate(pairwise(edges))]
    return [(low, high, len(part), float(np.median(part))) for low, high, part in ranges if len(part)]


def _light_and_snr(batch, injected, good):
    """Light of the events at each epoch of the copies [uJy], and its S/N."""
    _, mad = segment_median_mad(np.where(good, injected.columns["flux"], np.nan), injected.starts)
    noise = np.fmax(injected.columns["fluxerr"], spread(ROBUST_SCALE * mad, injected.starts))
    light = injected.columns["flux"] - batch.columns["flux"][batch.epochs_of(injected.table["original"])[0]]
    return light, np.divide(light, noise, out=np.full(len(noise), np.nan), where=noise > 0)


def _brightest(light, starts):
    """Row of the greatest value of each segment, the first of equal ones; -1 where none is positive."""
    greatest = spread(segment_max(light, starts), starts)
    at = np.flatnonzero((light == greatest) & (light > 0))
    peak = np.full(len(starts) - 1, -1)
    owner = np.searchsorted(starts, at, side="right") - 1
    peak[owner[::-1]] = at[::-1]
    return peak
