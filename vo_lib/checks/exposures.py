"""Find bad exposures of a survey: many sources deviate in the same sense at one time."""

import numpy as np

from vo_lib.segments import (
    MEDIAN_ERR,
    ROBUST_SCALE,
    run_starts,
    segment_mean,
    segment_median,
    segment_median_mad,
    spread,
    starts_from_mask,
)

__all__ = ["bad_exposures"]

# Epochs of one survey and filter in consecutive seconds belong to one exposure.
_PER_DAY = 86400.0
# Half of the sources of a bad exposure deviate by at least this many times their noise.
_LEAST_DEVIATION = 1.0


def bad_exposures(batch, good, *, threshold=5.0, min_sources=10):
    """Find the epochs of isolated bad exposures.

    The deviation of an epoch is its flux minus the median of the lightcurve, in units of its noise: its error or the
    robust rms of its lightcurve, whichever is greater. The deviation of an exposure is the median over its sources. An
    exposure is bad if the absolute value of this is at least 1 and, divided by its standard error, exceeds `threshold`
    times the robust scatter of this quotient over all exposures of the survey and filter. The scatter is taken to be at
    least 1. So trends that many exposures have in common make none of them bad.

    Parameters
    ----------
    batch : LightcurveBatch
        Lightcurves with the columns mjd, flux and fluxerr, and source, obs and filter in the table.
    good : ndarray of bool, shape (n_epochs,)
        Epochs to use, with finite time and flux.
    threshold : float or None, optional
        Deviation of a bad exposure [standard deviations]; None for no check.
    min_sources : int, optional
        Exposures with fewer sources are not judged. A source counts once, with its mean deviation.

    Returns
    -------
    ndarray of bool, shape (n_epochs,)
        True for the good epochs of bad exposures, False for all others.
    """
    bad = np.zeros(batch.n_epochs, bool)
    if threshold is None:
        return bad
    shared = list(_shared_exposures(batch, good, min_sources))
    deviation = _deviations(batch, good) if shared else None
    for rows, pairs, exposures in shared:
        typical = segment_median(segment_mean(deviation[rows], pairs), exposures)
        number = np.diff(exposures)
        excess = typical * np.sqrt(number) / MEDIAN_ERR
        judged = number >= min_sources
        scatter = ROBUST_SCALE * segment_median_mad(excess[judged], np.array([0, judged.sum()]))[1]
        wrong = judged & (np.abs(typical) >= _LEAST_DEVIATION) & (np.abs(excess) > threshold * np.fmax(scatter, 1.0))
        bad[rows] = spread(spread(wrong, exposures), pairs)
    return bad


def _deviations(batch, good):
    """Flux minus the median of the lightcurve, divided by the noise; 0 for epochs without noise."""
    flux, error = batch.columns["flux"], batch.columns["fluxerr"]
    median, mad = segment_median_mad(np.where(good, flux, np.nan), batch.starts)
    noise = np.fmax(error, spread(ROBUST_SCALE * mad, batch.starts))
    usable = good & (noise > 0)
    return np.divide(flux - spread(median, batch.starts), noise, out=np.zeros(len(flux)), where=usable)


def _shared_exposures(batch, good, min_sources):
    """Yield the exposures with at least `min_sources` good epochs of each survey and filter: (rows, pairs, exposures).

    `rows` of the batch are ordered by exposure and source; `pairs` are the offsets in `rows` of each pair of exposure
    and source; `exposures` are the offsets in `pairs` of each exposure.
    """
    _, source = np.unique(batch.table["source"], return_inverse=True)
    _, obs = np.unique(batch.table["obs"], return_inverse=True)
    names, band = np.unique(batch.table["filter"], return_inverse=True)
    group = obs * len(names) + band
    by_source = np.lexsort((source, group))
    for lightcurves in np.split(by_source, np.flatnonzero(np.diff(group[by_source])) + 1):
        rows, _ = batch.epochs_of(lightcurves)
        rows = rows[good[rows]]
        rows, exposure = _in_shared_seconds(rows, batch.columns["mjd"], min_sources)
        if len(rows):
            owner = np.repeat(source, batch.counts)[rows]
            yield rows, *_pairs(exposure, owner)


def _in_shared_seconds(rows, mjd, least):
    """Rows in runs of consecutive seconds with at least `least` of them, ordered by run, and the number of each run."""
    if len(rows) < least:
        return rows[:0], rows[:0]
    time = mjd[rows]
    # 32 bits suffice for 136 years and sort fast.
    second = np.minimum(np.rint((time - time.min()) * _PER_DAY), 2**32 - 1).astype(np.uint32)
    ordered = np.sort(second)
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[:1]) > 1)
    bounds = np.concatenate([[0], starts, [len(ordered)]])
    often = np.flatnonzero(np.diff(bounds) >= least)
    if not len(often):
        return rows[:0], rows[:0]
    first, last = ordered[bounds[often]], ordered[bounds[often + 1] - 1]
    place = np.searchsorted(first, second, side="right") - 1
    shared = (place >= 0) & (second <= last[place])
    # Small integers are sorted by counting.
    place = place[shared].astype(np.min_scalar_type(len(often)))
    order = np.argsort(place, kind="stable")
    return rows[shared][order], place[order]


def _pairs(exposure, owner):
    """Offsets of the pairs of exposure and source among epochs in that order, and of exposures among the pairs."""
    first = run_starts(exposure, owner)
    return starts_from_mask(first), starts_from_mask(run_starts(exposure[first]))
