"""Which epochs are not to be trusted, and why: a bit mask beside the survey's own flags.

Everything is computed from the lightcurves as they are, never from an earlier result, so a
check may be repeated on the same data or made on copies with injected events.
"""

import math

import numpy as np

from vo_lib.segments import ROBUST_SCALE, segment_count, segment_median, segment_median_mad, spread

__all__ = ["QUALITY_BITS", "assess", "check", "offset_limit", "offsets"]

# Bits of the quality flag: bad by the survey's flags, out of place, without a usable number.
QUALITY_BITS = {"survey_flag": 1, "offset": 2, "bad_value": 4}
# Positions that scatter less than 0.01 mas [rad] are constant but for rounding.
_NO_SCATTER = math.radians(1e-5 / 3600)
# Degrees of freedom per epoch of a MAD as the scale of a t distribution, fitted to simulated
# Gaussian positions: false flags stay within 1.1 times the nominal rate from 3 epochs on.
_MAD_FREEDOM = 0.5


def check(batch, *, offset_threshold=3.5, bad_flags=None):
    """Flag the epochs of a batch; see `assess`, of which this is the first result."""
    return assess(batch, offset_threshold=offset_threshold, bad_flags=bad_flags)[0]


def assess(batch, *, offset_threshold=3.5, bad_flags=None):
    """Flag the epochs of a batch and measure how far each is out of place.

    Parameters
    ----------
    batch : LightcurveBatch
        With the columns mjd, flux, fluxerr, ra, dec and flag.
    offset_threshold : float, optional
        Greatest distance from the median position, given as the number of standard deviations
        of a one-dimensional Gaussian with the same false-alarm rate (3.5: 0.047 %).
    bad_flags : dict of str to int, optional
        Bits of the survey's flags that make an epoch bad, by observatory; any bit where an
        observatory is not named.

    Returns
    -------
    qflag : ndarray of int64, shape (n_epochs,)
        Sum of `QUALITY_BITS`; 0 is good.
    distance : ndarray of float, shape (n_epochs,)
        See `offsets`.
    """
    if not offset_threshold > 0:
        raise ValueError(f"offset_threshold must be positive, got {offset_threshold!r}")
    columns = batch.columns
    survey = (columns["flag"] & spread(_bad_masks(batch.table["obs"], bad_flags or {}), batch.starts)) != 0
    finite = np.isfinite(columns["flux"]) & np.isfinite(columns["mjd"]) & np.isfinite(columns["fluxerr"])
    bad = ~(finite & (columns["fluxerr"] > 0))
    good = ~(survey | bad)
    distance = offsets(batch, good)
    limit = offset_limit(offset_threshold, segment_count(good & np.isfinite(distance), batch.starts))
    away = distance > spread(limit, batch.starts)
    bits = QUALITY_BITS
    qflag = survey * bits["survey_flag"] + away * bits["offset"] + bad * bits["bad_value"]
    return qflag.astype(np.int64, copy=False), distance


def _bad_masks(obs, bad_flags):
    """Bad bits of each lightcurve's observatory; all of them (-1) where not given."""
    names, which = np.unique(obs, return_inverse=True)
    return np.array([bad_flags.get(str(name), -1) for name in names], np.int64)[which]


def offset_limit(threshold, n_good):
    """Distance in units of the scatter at which an epoch is out of place.

    The distance of Gaussian positions follows a Rayleigh law where their scatter is known. Here it
    is the MAD of `n_good` positions, which makes the tail that of an F distribution with 2 and
    about ``n_good / 2`` degrees of freedom, ``P(> r) = (1 + r**2 / nu) ** (-nu / 2)``.

    Parameters
    ----------
    threshold : float
        Standard deviations of a one-dimensional Gaussian with the same two-sided tail.
    n_good : ndarray of int, shape (n_lightcurves,)
        Positions that the scatter was measured from.

    Returns
    -------
    ndarray of float, shape (n_lightcurves,)
        For a threshold of 3.5 the limit is 3.92 with many epochs, 4.2 with 100 and 12 with 10.
    """
    # A tail of zero (a threshold beyond 38) would be no limit at all.
    log_tail = math.log(max(math.erfc(threshold / math.sqrt(2)), 1e-300))
    freedom = _MAD_FREEDOM * np.maximum(np.asarray(n_good) - 1, 1)
    return np.sqrt(freedom * np.expm1(np.minimum(-2 * log_tail / freedom, 700.0)))


def offsets(batch, good):
    """Distance of each epoch from the median position of its lightcurve, in units of the scatter.

    Positions are projected on the plane that touches the sky at the median position, so neither
    right ascension 0 nor the poles matter. The axes, east and north, are each scaled by their
    `ROBUST_SCALE` times MAD and added in squares.

    Parameters
    ----------
    batch : LightcurveBatch
        With the columns ra and dec [degrees]; NaN where there is no position.
    good : ndarray of bool, shape (n_epochs,)
        Epochs that the median and the scatter are made of.

    Returns
    -------
    ndarray of float, shape (n_epochs,)
        Not negative; NaN without a position and where the good positions do not scatter.
    """
    east, north = _tangent_plane(batch, good)
    squares = np.zeros(batch.n_epochs)
    scattered = np.zeros(batch.n_lightcurves, bool)
    for axis in (east, north):
        median, mad = segment_median_mad(np.where(good, axis, np.nan), batch.starts)
        scatter = ROBUST_SCALE * mad
        known = scatter > _NO_SCATTER
        # An axis without scatter says nothing of how far is too far, so it adds nothing.
        weight = np.divide(1.0, scatter, out=np.zeros(len(scatter)), where=known)
        squares += ((axis - spread(median, batch.starts)) * spread(weight, batch.starts)) ** 2
        scattered |= known
    return np.where(spread(scattered, batch.starts), np.sqrt(squares), np.nan)


def _tangent_plane(batch, good):
    """Project positions on the plane at the median direction of the good ones: east, north [rad]."""
    place = (batch.columns["ra"], batch.columns["dec"])
    # An infinity would warn, not harm.
    ra, dec = (np.radians(np.where(np.isfinite(axis), axis, np.nan)) for axis in place)
    flat, z = np.cos(dec), np.sin(dec)
    x, y = flat * np.cos(ra), flat * np.sin(ra)
    centre = [segment_median(np.where(good, axis, np.nan), batch.starts) for axis in (x, y, z)]
    flat, length = np.hypot(centre[0], centre[1]), np.sqrt(sum(axis * axis for axis in centre))
    # At a pole every direction is as good as another for "east".
    cos_ra = np.divide(centre[0], flat, out=np.ones(len(flat)), where=flat > 0)
    sin_ra = np.divide(centre[1], flat, out=np.zeros(len(flat)), where=flat > 0)
    cos_dec = np.divide(flat, length, out=np.ones(len(flat)), where=length > 0)
    sin_dec = np.divide(centre[2], length, out=np.zeros(len(flat)), where=length > 0)
    cos_ra, sin_ra, cos_dec, sin_dec = (spread(part, batch.starts) for part in (cos_ra, sin_ra, cos_dec, sin_dec))
    return y * cos_ra - x * sin_ra, z * cos_dec - (x * cos_ra + y * sin_ra) * sin_dec
