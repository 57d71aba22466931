"""How often a search finds events in noise alone, measured on copies of real lightcurves without anything else."""

import numpy as np

from vo_lib.injection.recovery import label_separate
from vo_lib.photometry import mag_from_flux
from vo_lib.randoms import combine, hash_text, normals
from vo_lib.search.noise_model import middle_scatter
from vo_lib.segments import (
    ROBUST_SCALE,
    segment_count,
    segment_median,
    segment_median_mad,
    spread,
    starts_from_counts,
)

__all__ = ["false_alarms_of", "noise_copy"]

# A lightcurve has a scatter of its own where it differs from that of others by so many standard errors.
_OWN = 3.0
# Standard error of a robust scatter over the scatter itself, times the root of the number: 1.4826 / (4 phi(q) q)
# with the density phi at the quartile q = 0.6745 of the normal law.
_SCATTER_ERR = 1.166


def noise_copy(batch, qflag, *, seed, number=1):
    """Replace the flux of lightcurves by Gaussian noise about their median.

    Times, errors and flags stay. The noise of an epoch is its error times the robust scatter of
    (flux - median) / error: the median scatter of the lightcurves of its survey and filter, or that of its own
    lightcurve where it differs from it significantly. So copies scatter as the survey does, also where its errors are
    too small or too great.

    Parameters
    ----------
    batch : LightcurveBatch
        Lightcurves; not changed.
    qflag : ndarray of int64, shape (n_epochs,)
        0 for good epochs.
    seed : int
        Seed of the project.
    number : int, optional
        Number of the copy; others have other noise.

    Returns
    -------
    LightcurveBatch
        With flux and mag changed; NaN in lightcurves without good epochs, and where no lightcurve of the survey and
        filter has three. The noise depends on the seed, the names and the number only.
    """
    good, starts = np.asarray(qflag) == 0, batch.starts
    error = np.where(batch.columns["fluxerr"] > 0, batch.columns["fluxerr"], np.nan)
    median = segment_median_mad(np.where(good, batch.columns["flux"], np.nan), starts)[0]
    level = spread(median, starts)
    ratio = np.where(good & np.isfinite(error), (batch.columns["flux"] - level) / error, np.nan)
    noise = error * spread(_scatter(batch.table, ratio, starts), starts)
    stream = combine(seed, *(hash_text(batch.table[name]) for name in ("source", "obs", "key")), number)
    epoch = np.arange(batch.n_epochs) - spread(starts[:-1], starts)
    flux = level + noise * normals(spread(stream, starts), epoch)
    return batch.with_columns(flux=flux, mag=mag_from_flux(flux, noise)[0])


def _scatter(table, ratio, starts):
    """Scatter of each lightcurve in units of its errors, that of its survey and filter unless it differs from it."""
    number = segment_count(ratio, starts)
    own = middle_scatter(ROBUST_SCALE * segment_median_mad(ratio, starts)[1], number)
    band = np.unique(np.strings.add(np.strings.add(table["obs"], "/"), table["filter"]), return_inverse=True)[1]
    order = np.argsort(band, kind="stable")
    groups = starts_from_counts(np.bincount(band))
    common = segment_median(own[order], groups)[band]
    error = _SCATTER_ERR * common / np.sqrt(np.maximum(number, 1))
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
        As for the injections: lightcurves with fewer good epochs do not count, as in rates.

    Returns
    -------
    dict of int to tuple of float
        For each sign, -1 and 1, the separate detections for each lightcurve, as rates count them, and their standard
        error by the law of Poisson, that of one detection where there is none; NaN without lightcurves.
    """
    eligible = segment_count(np.asarray(qflag) == 0, batch.starts) >= min_epochs
    searched, counts = max(copies, 0) * int(eligible.sum()), {-1: 0, 1: 0}
    for number in range(1, copies + 1):
        found = finder.find(noise_copy(batch, qflag, seed=seed, number=number), qflag)
        names = ("first_epoch", "last_epoch", "sign")
        label = label_separate(found.lightcurve, *(found.detections[name] for name in names))
        first = np.unique(label, return_index=True)[1]
        separate = found.detections["sign"][first[eligible[found.lightcurve[first]]]]
        counts = {sign: count + int((separate == sign).sum()) for sign, count in counts.items()}
    if not searched:
        return dict.fromkeys(counts, (np.nan, np.nan))
    return {sign: (count / searched, max(count, 1) ** 0.5 / searched) for sign, count in counts.items()}
