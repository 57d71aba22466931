"""Removal of slow trends with a running median or biweight, for all lightcurves of a bin at once.

The trend at an epoch is the location of the good fluxes within half a window before and after it, as in wotan
(Hippke et al. 2019, doi:10.3847/1538-3881/ab3984), except that the trend is subtracted instead of divided out, since
fluxes near or below zero are valid data. Where windows have more than a hundred epochs, the location is computed at
about fifty times per window, at more where the trend bends, and interpolated linearly between them. The cost therefore
grows with the number of epochs and not with the window, and trends agree with those of one window per epoch to a
hundredth of the errors.
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
    segment_of,
    segment_steps,
    segment_sum,
    spread,
    starts_from_counts,
    starts_from_mask,
)
from vo_lib.tables import empty_table

__all__ = ["LOSS_COLUMNS", "detrend", "loss_by_width", "signal_loss"]

METHODS = ("biweight", "median")
# Pairs of an epoch and another in its window that are processed at a time: 2 MB, which fits the cache.
_PAIRS = 1 << 18
# Margin that keeps epochs at the very ends of a window inside it, whatever the rounding of times [days].
_ROUNDING = 1e-6
# With more than `_FEW` epochs in a window, the location is computed at the ends of `_CELLS` cells per window and at the
# thirds between them, which are divided further until straight lines are within `_NEAR` of the scatter between
# neighbouring epochs.
_FEW, _CELLS, _NEAR = 100, 12, 0.02
# The biweight has converged when it moves by less than this fraction of the median absolute deviation.
_TOLERANCE, _MAX_ROUNDS = 1e-6, 50

# Edges of the ranges of widths by which losses are summarised [days].
_WIDTH_EDGES = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0, np.inf)

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
    """Subtract the trend from the fluxes of each lightcurve and keep its median.

    Parameters
    ----------
    batch : LightcurveBatch
        With mjd, flux and fluxerr, in order of time; not changed.
    good : ndarray of bool, shape (n_epochs,)
        Epochs that trends are measured from; they are subtracted from the others too.
    method : {"biweight", "median"} or None, optional
        Location of the fluxes in a window: Tukey's biweight, iterated from the median, or the median; None returns the
        batch unchanged.
    window_days : float, optional
        Length of the window [days]. Events longer than a third of it lose flux.
    gap_days : float or None, optional
        Windows do not extend across longer pauses [days]; None means half a window.
    edge_days : float, optional
        Epochs closer than this to the ends or to such a pause lose their flux [days], since their windows are
        one-sided.
    cval : float, optional
        Fluxes farther from the biweight than this many median absolute deviations (unscaled) get no weight.
    min_epochs : int, optional
        Epochs with fewer good epochs in their window keep their flux.

    Returns
    -------
    LightcurveBatch
        With new flux, mag and magerr, and the columns ``flux_raw``, the original flux, and ``trend`` [uJy], NaN where
        none was subtracted. The errors of the flux are unchanged.

    Raises
    ------
    ValueError
        For an unknown method, or a window, gap or `cval` that is not positive.
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
    """Return the epochs that have a time, and the offsets of the pieces without a pause that they form."""
    mjd = batch.columns["mjd"]
    rows = np.flatnonzero(np.isfinite(mjd))
    owner = batch.lightcurve_index[rows]
    first = run_starts(owner)
    first[1:] |= np.diff(mjd[rows]) > gap_days
    return rows, starts_from_mask(first)


def _near_edge(mjd, starts, edge_days):
    """Mask the epochs closer than this to the first or last one of their piece."""
    begin, end = spread(segment_min(mjd, starts), starts), spread(segment_max(mjd, starts), starts)
    return (mjd - begin < edge_days) | (end - mjd < edge_days)


def _running(mjd, flux, starts, *, window_days, min_epochs, cval):
    """Compute the location of the fluxes around each epoch; NaN where fewer than `min_epochs` have a flux."""
    # All pieces share one time axis, a window or more apart.
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
    """Robust scatter of each piece from the steps between its epochs, which trends do not affect; 0 without steps."""
    return ROBUST_SCALE / np.sqrt(2) * np.nan_to_num(segment_median(np.abs(segment_steps(flux, starts)), starts))


def _between_knots(place, cell, windows, tolerance):
    """Compute the location at each place, by linear interpolation between knots where that is accurate enough.

    Places with few epochs in their window and the ends of each cell are knots. Each line is compared with the location
    at its thirds, and divided there while either differs.
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
    """Windows around places: index of the first flux in each, and number of fluxes."""

    def __init__(self, flux, first, number, cval):
        self.flux, self.first, self.number, self.cval = flux, first, number, cval

    def locate(self, chosen):
        """Compute the location of the fluxes in the chosen windows, in parts that fit the cache."""
        location, total = np.empty(len(chosen)), np.cumsum(self.number[chosen])
        cuts = np.searchsorted(total, np.arange(_PAIRS, total.max(initial=0), _PAIRS))
        for rows in filter(len, np.split(np.arange(len(chosen)), cuts)):
            first, starts = self.first[chosen[rows]], starts_from_counts(self.number[chosen[rows]])
            location[rows] = _locate(self.flux[range_rows(first, starts)], starts, self.cval)
        return location


def _locate(values, starts, cval):
    """Compute the median of each window, or the biweight iterated from it."""
    if cval is None:
        return segment_median(values, starts)
    center, mad = segment_median_mad(values, starts)
    scale = spread(np.where(mad > 0, cval * mad, 1.0), starts)
    # Without scatter the median is kept; each window converges on its own, so that its neighbours do not matter.
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
    """Measure how much of the S/N of injected events is left when trends are subtracted after the injection.

    Parameters
    ----------
    raw : tuple of LightcurveBatch
        Lightcurves, and copies of some of them with one event each, see `vo_lib.simulator.inject`.
    flat : tuple of LightcurveBatch
        The same after `detrend`.
    good : ndarray of bool, shape (n_epochs,)
        Epochs of the copies that are searched.
    truth : dict of str to ndarray, each of shape (n_injections,)
        The injected events.

    Returns
    -------
    dict of str to ndarray, each of shape (n_injections,)
        `LOSS_COLUMNS`. The light of an event is the difference between the copies with and without it; its noise is the
        error of the epoch or the robust scatter of the copy, whichever is greater. NaN where no good epoch sees the
        event; the ratio is NaN also where the epoch that sees it best has no flux left (`edge_days` of `detrend`).
        No rows if no trends were subtracted, since nothing is lost then.
    """
    if "trend" not in flat[0].columns:
        return empty_table(LOSS_COLUMNS)
    (light, raw_snr), (_, flat_snr) = (_light_and_snr(*pair, good) for pair in (raw, flat))
    peak = _brightest(np.where(good, np.abs(light), 0.0), raw[1].starts)
    seen = peak >= 0
    snr_raw, snr_detrended = (np.where(seen, values[peak], np.nan) for values in (raw_snr, flat_snr))
    ratio = np.divide(snr_detrended, snr_raw, out=np.full(len(peak), np.nan), where=seen & (snr_raw != 0))
    names = {name: truth[name] for name in ("source", "lightcurve", "kind", "width")}
    return names | {"snr_raw": snr_raw, "snr_detrended": snr_detrended, "ratio": ratio}


def loss_by_width(loss):
    """Summarise the losses of events by their width.

    Parameters
    ----------
    loss : dict of str to ndarray, each of shape (n_injections,)
        ``width`` [days] and ``ratio``, see `signal_loss`.

    Returns
    -------
    list of tuple
        Lower and upper edge, number of events and median ratio of each range of widths that has events with a ratio; a
        range includes its lower edge.
    """
    known = np.isfinite(loss["ratio"])
    width, ratio = loss["width"][known], loss["ratio"][known]
    place = np.searchsorted(_WIDTH_EDGES, width, side="right") - 1
    ranges = [(low, high, ratio[place == number]) for number, (low, high) in enumerate(pairwise(_WIDTH_EDGES))]
    return [(low, high, len(part), float(np.median(part))) for low, high, part in ranges if len(part)]


def _light_and_snr(batch, injected, good):
    """Compute the light of the events at each epoch of the copies [uJy], and its S/N."""
    _, mad = segment_median_mad(np.where(good, injected.columns["flux"], np.nan), injected.starts)
    noise = np.fmax(injected.columns["fluxerr"], spread(ROBUST_SCALE * mad, injected.starts))
    light = injected.columns["flux"] - batch.columns["flux"][batch.epochs_of(injected.table["original"])[0]]
    return light, np.divide(light, noise, out=np.full(len(noise), np.nan), where=noise > 0)


def _brightest(light, starts):
    """Return the row of the greatest value of each segment, the first of equal ones; -1 where none is positive."""
    greatest = spread(segment_max(light, starts), starts)
    at = np.flatnonzero((light == greatest) & (light > 0))
    peak = np.full(len(starts) - 1, -1)
    peak[segment_of(at, starts)[::-1]] = at[::-1]
    return peak
