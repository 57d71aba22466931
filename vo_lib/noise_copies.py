"""Measure how often a search finds events in pure noise, on noise copies of real lightcurves."""

import numpy as np

from vo_lib.injection.recovery import separate
from vo_lib.photometry import mag_from_flux
from vo_lib.randoms import normals, stream_of
from vo_lib.search.noise_model import middle_scatter
from vo_lib.segments import (
    ROBUST_SCALE,
    SCATTER_ERR,
    segment_count,
    segment_median,
    segment_median_mad,
    spread,
    starts_from_counts,
)

__all__ = ["false_alarms_of", "noise_copy"]

# A lightcurve keeps its own scatter if that differs from the common one by more than so many standard errors.
_OWN = 3.0


def noise_copy(batch, qflag, *, seed, number=1):
    """Replace the flux of lightcurves by Gaussian noise about their median.

    Times, errors and flags are kept. The noise of an epoch is its error times a robust scatter of
    (flux - median) / error: the median scatter of the lightcurves of the same survey and filter, or the scatter of its
    own lightcurve if that differs significantly. So the copies scatter as the survey's data do, even if its errors are
    underestimated or overestimated.

    Parameters
    ----------
    batch : LightcurveBatch
        Lightcurves; not changed.
    qflag : ndarray of int64, shape (n_epochs,)
        0 for good epochs.
    seed : int
        Seed of the project.
    number : int, optional
        Number of the copy; each number gives different noise.

    Returns
    -------
    LightcurveBatch
        The batch with new flux and mag; NaN in lightcurves without good epochs, and if no lightcurve of the survey and
        filter has three. The noise depends only on the seed, the names and the number.
    """
    good, starts = np.asarray(qflag) == 0, batch.starts
    error = np.where(batch.columns["fluxerr"] > 0, batch.columns["fluxerr"], np.nan)
    median = segment_median_mad(np.where(good, batch.columns["flux"], np.nan), starts)[0]
    level = spread(median, starts)
    ratio = np.where(good & np.isfinite(error), (batch.columns["flux"] - level) / error, np.nan)
    noise = error * spread(_scatter(batch.table, ratio, starts), starts)
    stream = stream_of(seed, batch.table, number)
    epoch = np.arange(batch.n_epochs) - spread(starts[:-1], starts)
    flux = level + noise * normals(spread(stream, starts), epoch)
    return batch.with_columns(flux=flux, mag=mag_from_flux(flux, noise)[0])


def _scatter(table, ratio, starts):
    """Return the scatter of each lightcurve in units of its errors: the common one unless its own differs from it."""
    number = segment_count(ratio, starts)
    own = middle_scatter(ROBUST_SCALE * segment_median_mad(ratio, starts)[1], number)
    band = np.unique(np.strings.add(np.strings.add(table["obs"], "/"), table["filter"]), return_inverse=True)[1]
    order = np.argsort(band, kind="stable")
    groups = starts_from_counts(np.bincount(band))
    common = segment_median(own[order], groups)[band]
    error = SCATTER_ERR * common / np.sqrt(np.maximum(number, 1))
    return np.where(np.abs(own - common) > _OWN * error, own, common)


def false_alarms_of(finder, batch, qflag, *, seed, copies=1, min_epochs=10):
    """Measure how many detections a finder makes in lightcurves of noise.

    Parameters
    ----------
    finder : Finder
        The search, of any class.
    batch : LightcurveBatch
        Lightcurves whose times, errors and flags are used; not changed.
    qflag : ndarray of int64, shape (n_epochs,)
        0 for good epochs.
    seed : int
        Seed of the project.
    copies : int, optional
        Noise copies of each lightcurve.
    min_epochs : int, optional
        Minimum number of good epochs, as for injections; lightcurves with fewer do not count, as in rates.

    Returns
    -------
    dict of int to tuple of float
        For each sign, -1 and 1, the number of separate detections per lightcurve, counted as in rates, and its Poisson
        standard error, which is that of one detection if there is none; NaN without lightcurves.
    """
    eligible = segment_count(np.asarray(qflag) == 0, batch.starts) >= min_epochs
    searched, counts = max(copies, 0) * int(eligible.sum()), {-1: 0, 1: 0}
    for number in range(1, copies + 1):
        found = finder.find(noise_copy(batch, qflag, seed=seed, number=number), qflag)
        first = separate(found.lightcurve, found.detections)
        signs = found.detections["sign"][first[eligible[found.lightcurve[first]]]]
        counts = {sign: count + int((signs == sign).sum()) for sign, count in counts.items()}
    if not searched:
        return dict.fromkeys(counts, (np.nan, np.nan))
    return {sign: (count / searched, max(count, 1) ** 0.5 / searched) for sign, count in counts.items()}
