"""Statistics of lightcurves for the index of a reduced file, one row per lightcurve."""

import numpy as np

from vo_lib.photometry import AB_ZERO_POINT_UJY, finite
from vo_lib.segments import (
    ROBUST_SCALE,
    segment_max,
    segment_mean,
    segment_median,
    segment_median_mad,
    segment_min,
    segment_std,
    segment_steps,
    segment_sum,
)

__all__ = ["STATISTICS", "describe"]

# Column -> (unit, description), in the order of the index.
STATISTICS = {
    "n_epochs": ("", "epochs"),
    "n_good": ("", "epochs with a flux, a positive error and no bad flag of the survey"),
    "mjd_first": ("d", "first epoch, UTC"),
    "mjd_last": ("d", "last epoch, UTC"),
    "exptime": ("s", "median exposure time"),
    "cadence": ("d", "median step between epochs; NaN for a single one"),
    "is_uniform": ("", "1 if three epochs or more are evenly spaced to 1 % of the cadence"),
    "flux_mean": ("uJy", "mean flux"),
    "flux_median": ("uJy", "median flux"),
    "flux_rms": ("uJy", "standard deviation of the flux (divisor n - 1)"),
    "flux_rms_robust": ("uJy", "1.4826 times the median absolute deviation of the flux"),
    "flux_min": ("uJy", "least flux"),
    "flux_max": ("uJy", "greatest flux"),
    "mag_median": ("mag", "median magnitude of the epochs above zero, AB; too bright below an S/N of some 2"),
    "snr_min": ("", "least flux over its error, of positive errors"),
    "snr_median": ("", "median flux over its error"),
    "snr_max": ("", "greatest flux over its error"),
    "dmag_min": ("mag", "brightest magnitude less the median one"),
    "dmag_median": ("mag", "0, or NaN without magnitudes"),
    "dmag_max": ("mag", "faintest magnitude less the median one"),
    "zp": ("mag", "AB magnitude of a flux of 1"),
}

UNIFORM_TOLERANCE = 0.01


def describe(columns, starts, *, bad_flag_mask):
    """Compute the statistics of many lightcurves at once.

    Parameters
    ----------
    columns : dict of str to ndarray, each of shape (n_epochs,)
        Standard columns, in order of time within each lightcurve.
    starts : ndarray of int64, shape (n_lightcurves + 1,)
        Offsets of the lightcurves, which may be empty.
    bad_flag_mask : int
        Bits of ``flag`` that mark an epoch as bad.

    Returns
    -------
    dict of str to ndarray, each of shape (n_lightcurves,)
        The columns of `STATISTICS`. Only ``n_good`` depends on flags; the others include all epochs whose value is
        finite, and are NaN if there are none.
    """
    flux, fluxerr, mag, mjd = (finite(columns[name]) for name in ("flux", "fluxerr", "mag", "mjd"))
    certain = fluxerr > 0
    good = ~np.isnan(flux) & certain & ((columns["flag"] & bad_flag_mask) == 0)
    snr = np.divide(flux, fluxerr, out=np.full(len(flux), np.nan), where=certain)
    flux_median, flux_mad = segment_median_mad(flux, starts)
    mag_median = segment_median(mag, starts)
    table = {
        "n_epochs": np.diff(starts),
        "n_good": segment_sum(good, starts),
        "mjd_first": segment_min(mjd, starts),
        "mjd_last": segment_max(mjd, starts),
        "exptime": segment_median(columns["exptime"], starts),
        **_sampling(mjd, starts),
        "flux_mean": segment_mean(flux, starts),
        "flux_median": flux_median,
        "flux_rms": segment_std(flux, starts),
        "flux_rms_robust": ROBUST_SCALE * flux_mad,
        "flux_min": segment_min(flux, starts),
        "flux_max": segment_max(flux, starts),
        "mag_median": mag_median,
        "snr_min": segment_min(snr, starts),
        "snr_median": segment_median(snr, starts),
        "snr_max": segment_max(snr, starts),
        "dmag_min": segment_min(mag, starts) - mag_median,
        "dmag_median": mag_median - mag_median,
        "dmag_max": segment_max(mag, starts) - mag_median,
        "zp": np.full(len(starts) - 1, AB_ZERO_POINT_UJY),
    }
    return {name: table[name] for name in STATISTICS}


def _sampling(mjd, starts):
    """Compute the cadence, and whether the sampling is uniform."""
    steps = segment_steps(mjd, starts)
    cadence = segment_median(steps, starts)
    widest = np.fmax(segment_max(steps, starts) - cadence, cadence - segment_min(steps, starts))
    even = (np.diff(starts) >= 3) & (cadence > 0) & (widest <= UNIFORM_TOLERANCE * cadence)
    return {"cadence": cadence, "is_uniform": even.astype(np.int64)}
