"""The median flux of a lightcurve, and the noise of its epochs."""

import numpy as np

from vo_lib.segments import ROBUST_SCALE, run_starts, segment_count, segment_median_mad, spread, starts_from_mask

__all__ = ["MIN_EPOCHS", "NOISES", "baseline", "check_noise", "signal_to_noise"]

# Fewer good epochs than this have no meaningful scatter.
MIN_EPOCHS = 3
# Ways to determine the noise of an epoch.
NOISES = ("greater", "error", "scatter", "local")


def baseline(batch, good):
    """Compute the median flux of each lightcurve and its robust scatter, from good epochs.

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


def signal_to_noise(batch, good, *, median, rms, noise="greater", noise_days=30.0):
    """Compute the signed S/N of every epoch, and the noise used for it.

    Parameters
    ----------
    batch : LightcurveBatch
        With the columns mjd, flux and fluxerr.
    good : ndarray of bool, shape (n_epochs,)
        Epochs that a local scatter is measured from.
    median, rms : ndarray of float, shape (n_lightcurves,)
        See `baseline`.
    noise : {"greater", "error", "scatter", "local"}, optional
        The error of the epoch or the robust scatter of its lightcurve, whichever is greater; one of the two;
        or the greater of the error and a local scatter: that of the good epochs in each piece of `noise_days` about
        their own median, if there are at least `MIN_EPOCHS` of them.
    noise_days : float, optional
        Length of the pieces for the local scatter, counted from the first epoch [days].

    Returns
    -------
    snr : ndarray of float, shape (n_epochs,)
        (flux - median) / noise; NaN without flux or positive noise.
    noise : ndarray of float, shape (n_epochs,)
        Noise [uJy].
    """
    check_noise(noise, noise_days)
    # Infinite values are flagged as bad elsewhere; this only prevents warnings.
    flux = np.where(np.isfinite(batch.columns["flux"]), batch.columns["flux"], np.nan)
    error, scatter = batch.columns["fluxerr"], spread(rms, batch.starts)
    if noise == "local":
        scatter = _local_scatter(batch, np.where(good, flux, np.nan), scatter, noise_days)
    level = {"error": error, "scatter": scatter}[noise] if noise in ("error", "scatter") else np.fmax(error, scatter)
    excess = flux - spread(median, batch.starts)
    return np.divide(excess, level, out=np.full(len(level), np.nan), where=level > 0), level


def check_noise(noise, noise_days):
    """Raise `ValueError` for invalid settings of the noise."""
    if noise not in NOISES:
        raise ValueError(f"noise must be one of {', '.join(NOISES)}, got {noise!r}")
    if not noise_days > 0:
        raise ValueError(f"noise_days must be positive, got {noise_days!r}")


def _local_scatter(batch, flux, scatter, noise_days):
    """Return the robust scatter of the piece that each epoch is in, or of its lightcurve where that is unknown."""
    mjd, starts = batch.columns["mjd"], batch.starts
    begin = np.append(mjd, np.nan)[starts[:-1]]
    piece = np.floor_divide(mjd - spread(begin, starts), noise_days)
    pieces = starts_from_mask(run_starts(batch.lightcurve_index, piece))
    mad = segment_median_mad(flux, pieces)[1]
    measured = (segment_count(flux, pieces) >= MIN_EPOCHS) & (mad > 0)
    return np.where(spread(measured, pieces), ROBUST_SCALE * spread(mad, pieces), scatter)
