"""Distance of each epoch's position from that of its lightcurve, in units of the scatter."""

import math

import numpy as np

from vo_lib.positions import NEAR, offsets_nearby
from vo_lib.segments import (
    ROBUST_SCALE,
    segment_count,
    segment_max,
    segment_median,
    segment_median_mad,
    segment_min,
    spread,
)
from vo_lib.times import MJD_J2000

__all__ = ["offset_limit", "offsets"]

# Positions that scatter by less than 0.01 mas [rad] are constant except for rounding.
_NO_SCATTER = math.radians(1e-5 / 3600)
# Degrees of freedom per epoch of a MAD as the scale of a t distribution, fitted to simulated
# Gaussian positions: false flags stay within 1.1 times the nominal rate from 3 epochs on.
_MAD_FREEDOM = 0.5
# Positions are correlated if the fraction of them in the first and third quadrants minus that in the others exceeds
# the former (a correlation of 0.3 by Sheppard's formula) and the latter times its standard error, in absolute value.
_CORRELATED, _SIGNIFICANT = 0.2, 2.5
# The correlation is uncertain too: scatters are multiplied by 1 + this / (number of positions), which was fitted to
# simulated positions.
_UNCERTAIN = 5.0
# A motion of less than this fraction of the scatter is too small to matter.
_SLIGHT_MOTION = 0.1
_MAS_PER_YEAR = math.radians(1e-3 / 3600) / 365.25  # [rad/d]


def offset_limit(threshold, n_good):
    """Compute the distance beyond which an epoch is out of place, in units of the scatter.

    The distance of Gaussian positions follows a Rayleigh distribution if their scatter is known. Here the scatter is
    the MAD of `n_good` positions, which makes the tail that of an F distribution with 2 and about ``n_good / 2``
    degrees of freedom, ``P(> r) = (1 + r**2 / nu) ** (-nu / 2)``.

    Parameters
    ----------
    threshold : float
        Number of standard deviations of a one-dimensional Gaussian with the same two-sided tail.
    n_good : ndarray of int, shape (n_lightcurves,)
        Number of positions from which the scatter was measured.

    Returns
    -------
    ndarray of float, shape (n_lightcurves,)
        For a threshold of 3.5 the limit is 3.92 with many epochs, 4.2 with 100 and 12 with 10.
    """
    # A tail of zero (a threshold beyond 38) would have no logarithm.
    log_tail = math.log(max(math.erfc(threshold / math.sqrt(2)), 1e-300))
    freedom = _MAD_FREEDOM * np.maximum(np.asarray(n_good) - 1, 1)
    return np.sqrt(freedom * np.expm1(np.minimum(-2 * log_tail / freedom, 700.0)))


def offsets(batch, good):
    """Compute the distance of each epoch from the median position of its lightcurve, in units of the scatter.

    Positions are projected onto a tangent plane near them, so that right ascension 0 and the poles need no special
    treatment. The axes, east and north, are each divided by their `ROBUST_SCALE` times MAD and added in quadrature.
    Where the scaled axes are correlated, they are rotated by 45 degrees and scaled again, which gives the Mahalanobis
    distance with the robust correlation of Gnanadesikan & Kettenring 1972 (doi:10.2307/2528963). If the table has
    proper motions, they are subtracted from the positions of those lightcurves that scatter less without them, which
    excludes surveys that report a fixed position. Parallaxes are not subtracted.

    Parameters
    ----------
    batch : LightcurveBatch
        Lightcurves with the columns mjd, ra and dec [degrees]; NaN for epochs without a position.
    good : ndarray of bool, shape (n_epochs,)
        Epochs from which the median and the scatter are computed.

    Returns
    -------
    ndarray of float, shape (n_epochs,)
        Not negative; NaN for epochs without a position, and for lightcurves whose good positions do not scatter.
    """
    if not batch.n_epochs:
        return np.zeros(0)
    axes = _tangent_plane(batch, good)
    medians, scatters = _centre_and_scatter(axes, good, batch.starts)
    if "pmra" in batch.table:
        _follow(batch, good, axes, medians, scatters)
    for axis, median in zip(axes, medians, strict=True):
        axis -= spread(median, batch.starts)
    _uncorrelate(batch, good, axes, scatters)
    squares = np.zeros(batch.n_epochs)
    for axis, scatter in zip(axes, scatters, strict=True):
        # An axis without scatter has no scale, so it contributes nothing.
        weight = np.divide(1.0, scatter, out=np.zeros(len(scatter)), where=scatter > _NO_SCATTER)
        axis *= spread(weight, batch.starts)
        squares += axis * axis
    scattered = (scatters > _NO_SCATTER).any(axis=0)
    return np.where(spread(scattered, batch.starts), np.sqrt(squares), np.nan)


def _centre_and_scatter(axes, good, starts):
    """Median and robust standard deviation of each axis and lightcurve, each of shape (2, n_lightcurves)."""
    pairs = [segment_median_mad(np.where(good, axis, np.nan), starts) for axis in axes]
    return np.array([median for median, _ in pairs]), np.array([ROBUST_SCALE * mad for _, mad in pairs])


def _uncorrelate(batch, good, axes, scatters):
    """Rotate the scaled axes of correlated positions by 45 degrees; axes and scatters change in place."""
    used = good & np.isfinite(axes[0])
    number = segment_count(used, batch.starts)
    quadrants = 2 * segment_count(used & (np.signbit(axes[0]) == np.signbit(axes[1])), batch.starts) - number
    alike = np.abs(quadrants) > np.maximum(_CORRELATED * number, _SIGNIFICANT * np.sqrt(number))
    turned = np.flatnonzero(alike & (scatters > _NO_SCATTER).all(axis=0))
    rows, starts = batch.epochs_of(turned)
    east, north = axes[0][rows], axes[1][rows] * spread(scatters[0, turned] / scatters[1, turned], starts)
    for axis, scatter, values in zip(axes, scatters, (east + north, east - north), strict=True):
        values -= spread(segment_median(np.where(good[rows], values, np.nan), starts), starts)
        mad = segment_median(np.where(good[rows], np.abs(values), np.nan), starts)
        axis[rows], scatter[turned] = values, ROBUST_SCALE * mad * (1 + _UNCERTAIN / number[turned])


def _follow(batch, good, axes, medians, scatters):
    """Subtract the proper motion where positions follow it; axes, medians and scatters change in place."""
    motion = _MAS_PER_YEAR * np.nan_to_num([batch.table["pmra"], batch.table["pmdec"]])
    if not motion.any():
        return
    days = np.where(np.isfinite(batch.columns["mjd"]), batch.columns["mjd"] - MJD_J2000, np.nan)
    span = segment_max(days, batch.starts) - segment_min(days, batch.starts)
    moving = np.flatnonzero((np.abs(motion) * span > _SLIGHT_MOTION * scatters).any(axis=0))
    rows, starts = batch.epochs_of(moving)
    moves = (spread(speed[moving], starts) * days[rows] for speed in motion)
    followed = [axis[rows] - move for axis, move in zip(axes, moves, strict=True)]
    median, scatter = _centre_and_scatter(followed, good[rows], starts)
    better = (scatter**2).sum(axis=0) < (scatters[:, moving] ** 2).sum(axis=0)
    medians[:, moving[better]], scatters[:, moving[better]] = median[:, better], scatter[:, better]
    chosen = spread(better, starts)
    for axis, values in zip(axes, followed, strict=True):
        axis[rows[chosen]] = values[chosen]


def _tangent_plane(batch, good):
    """Project positions onto the tangent plane at a usual position of their lightcurve: east, north [rad]."""
    # Infinities would do no harm, but cause warnings.
    place = (batch.columns["ra"], batch.columns["dec"])
    ra, dec = (np.radians(np.where(np.isfinite(axis), axis, np.nan)) for axis in place)
    first = _usual_epochs(batch, ra, np.where(good, dec, np.nan))
    turn, rise = ((axis - spread(axis[first], batch.starts)) for axis in (ra, dec))
    if (np.abs(turn) > np.pi).any():
        turn -= 2 * np.pi * np.rint(turn / (2 * np.pi))
    sine, cosine = (spread(function(dec[first]), batch.starts) for function in (np.sin, np.cos))
    return offsets_nearby(turn, rise, sine, cosine)


def _usual_epochs(batch, ra, dec):
    """Row of an epoch of each lightcurve that is near its usual position.

    It is the first with a position if all are near each other, else the first that is within the MAD of the median
    declination. Without any such epoch there is no scatter either, and the row is arbitrary.
    """
    first = _first(np.isfinite(ra) & np.isfinite(dec), batch.starts)
    far = [segment_max(axis, batch.starts) - segment_min(axis, batch.starts) > NEAR for axis in (ra, dec)]
    rows, starts = batch.epochs_of(far[0] | far[1])
    median, mad = segment_median_mad(dec[rows], starts)
    usual = np.isfinite(ra[rows]) & (np.abs(dec[rows] - spread(median, starts)) <= spread(mad, starts))
    first[far[0] | far[1]] = rows[_first(usual, starts)]
    return first


def _first(mask, starts):
    """Index of the first true value at or after the start of each segment; 0 if there is none."""
    true = np.flatnonzero(mask)
    return np.append(true, 0)[np.searchsorted(true, starts[:-1])]
