"""How often a search takes noise for an event, by the scatter and the median of the lightcurves themselves.

The scatter of a lightcurve is measured with its own epochs, as their median is. Where it comes out too great there
are fewer false detections than the tail of the normal law has, where the median is off by chance there are more, and
where the errors of a survey are too small, scatters that come out too small make many more. So do, then, the epochs of
greater errors, for the scatter is that of the middle ones.
"""

import math
from statistics import NormalDist

import numpy as np

from vo_lib.counts.rate_intervals import quotient
from vo_lib.search.noise import MIN_EPOCHS

__all__ = ["TRIALS", "error_spread", "false_detections", "middle_scatter", "scatter_over_error", "tail"]

# Independent trials of each sign that the matched filter has for each epoch, one of them the epoch itself: what the
# thresholds of lightcurves of 10 to 300 epochs with the default bank come from; and the part of the detections expected
# by these that it makes in noise of 10 to 300 epochs (0.6 to 0.85), for it counts trials on the safe side and an event
# of several epochs raises the scatter that it is measured with. benchmarks/validate_rates.py measures the product.
TRIALS, _TEMPLATES = 2.5, 0.75
# Standard errors over sigma, times the root of the number: of a robust scatter, 1.4826 / (4 phi(q) q) with the density
# phi at the quartile q = 0.6745 of the normal law, and of a median, the root of pi / 2.
_SCATTER_ERR, _MEDIAN_ERR = 1.166, math.sqrt(math.pi / 2)
# Robust scatters of few epochs are too small by this over their number, in the mean: Croux & Rousseeuw 1992,
# doi:10.1007/978-3-662-26811-7_58; and the middle one of many, from simulations of 5 to 150 epochs (1.05 to 1.27).
_FEW, _FEW_MIDDLE = 0.8, 1.15
# Standard normal deviates that averages are over, in the middle of equal steps, and their weights.
_DEVIATES = (np.arange(400) + 0.5) / 25 - 8
_WEIGHTS = np.exp(-(_DEVIATES**2) / 2) / np.exp(-(_DEVIATES**2) / 2).sum()
# Every so many of them, of scatters and of errors, where an average is over both.
_SCATTERS, _ERRORS = 10, 5
# Levels in standard deviations, and the logarithm of the tail of the normal law beyond: right to 1e-5 between them.
_LEVELS = np.linspace(-10, 37, 4701)
_LOG_TAIL = np.log([math.erfc(level / math.sqrt(2)) / 2 for level in _LEVELS.tolist()])


def tail(n_epochs, level, *, ratio=1.0, spread=0.0, about_median=True):
    """Probability that the noise of an epoch is above a level in S/N.

    Parameters
    ----------
    n_epochs : ndarray of int, shape (n,)
        Good epochs of lightcurves.
    level : float or ndarray of float, shape (n,)
        Level, in units of the greater one of the error and the robust scatter.
    ratio : float, optional
        True noise over the errors.
    spread : float, optional
        Standard deviation of the logarithm of the errors within a lightcurve, see `error_spread`.
    about_median : bool, optional
        Whether the flux is measured from the median; else from what is known.

    Returns
    -------
    ndarray of float, shape (n,)
        Less than the tail of the normal law for errors that are right, but for few epochs, and far more for errors that
        are much too small.

    Notes
    -----
    Median and scatter of the other epochs are taken to follow normal laws that are independent of each other, moved by
    what one epoch far away does to them, and the logarithm of the errors a third one. For a ratio of 1 and errors that
    are alike that is within 10 % of a simulation for 10 epochs or more.
    """
    pairs = np.stack(np.broadcast_arrays(np.maximum(n_epochs, 1.0), level))
    different, which = np.unique(pairs, axis=1, return_inverse=True)
    values = [_tail(*pair, ratio, spread, about_median) for pair in different.T.tolist()]
    return np.array(values, float)[which.reshape(-1)]


def _tail(number, level, ratio, spread, about_median):
    """`tail` of one lightcurve; rows are errors over the middle one, columns scatters over the noise."""
    errors, scatters = (slice(None, None, _ERRORS), slice(None, None, _SCATTERS)) if spread else (slice(1), slice(None))
    error = np.exp(spread * _DEVIATES[errors, None])
    scatter = 1 + (_SCATTER_ERR - _FEW) / number + _SCATTER_ERR / math.sqrt(number) * _DEVIATES[scatters]
    above = level * np.maximum(scatter / error, 1 / ratio)
    if about_median:
        median_err = _MEDIAN_ERR / error
        above = (above + median_err / number) / np.sqrt(1 + median_err**2 / number)
    parts = np.exp(np.interp(above, _LEVELS, _LOG_TAIL, right=-np.inf))
    weights = np.outer(_WEIGHTS[errors], _WEIGHTS[scatters])
    return (parts * weights).sum() / weights.sum()


def middle_scatter(scatter, n_epochs):
    """Robust scatters of noise, corrected so that the middle one of lightcurves of few epochs is the true one.

    Parameters
    ----------
    scatter : ndarray of float, shape (n,)
        `vo_lib.segments.ROBUST_SCALE` times the median absolute deviation.
    n_epochs : ndarray of int, shape (n,)
        Epochs that it is of.

    Returns
    -------
    ndarray of float, shape (n,)
        NaN below `MIN_EPOCHS`.
    """
    n_epochs = np.asarray(n_epochs, float)
    return scatter * n_epochs / np.where(n_epochs >= MIN_EPOCHS, n_epochs - _FEW_MIDDLE, np.nan)


def scatter_over_error(n_epochs, scatter, error):
    """True noise of the lightcurves of a survey and filter over their errors, from the middle one of them.

    Parameters
    ----------
    n_epochs : ndarray of int, shape (n,)
        Good epochs.
    scatter, error : ndarray of float, shape (n,)
        Robust scatter and median error [uJy].

    Returns
    -------
    float
        1 or more, for errors that are too great are no reason to promise less; 1 without lightcurves.
    """
    scatter = middle_scatter(scatter, n_epochs)
    known = (error > 0) & np.isfinite(scatter)
    return max(float(np.median(scatter[known] / error[known])), 1.0) if known.any() else 1.0


def error_spread(n_epochs, error_rms, mean_err):
    """How much the errors within the lightcurves of a survey and filter differ, from the middle one of these.

    Parameters
    ----------
    n_epochs : ndarray of int, shape (n,)
        Good epochs.
    error_rms, mean_err : ndarray of float, shape (n,)
        Root mean square of the errors of each lightcurve, and the error of its weighted mean [uJy].

    Returns
    -------
    float
        Standard deviation of the logarithm of the errors, as of a log-normal law, for which the arithmetic mean of
        their squares over the harmonic one is exp(4 spread^2); 0 without lightcurves.
    """
    ratio = quotient(error_rms**2, n_epochs * mean_err**2)
    known = np.isfinite(ratio)
    return math.sqrt(math.log(max(float(np.median(ratio[known])), 1.0)) / 4) if known.any() else 0.0


def false_detections(n_epochs, *, ratio, threshold, false_alarms, spread=0.0):
    """Detections of one sign that noise is expected to make in each lightcurve.

    Parameters
    ----------
    n_epochs : ndarray of int, shape (n,)
        Good epochs.
    ratio : float
        See `scatter_over_error`.
    threshold : float
        S/N of a detection by the method peak; infinity without it.
    false_alarms : float
        Promise of the matched filter for each lightcurve and this sign; 0 without it.
    spread : float, optional
        See `error_spread`.

    Returns
    -------
    ndarray of float, shape (n,)
        Single epochs that both methods find are one detection. 0 below `MIN_EPOCHS`, which are not searched.
    """
    n_epochs = np.where(np.asarray(n_epochs) >= MIN_EPOCHS, n_epochs, 0)
    peak = n_epochs * tail(n_epochs, threshold, ratio=ratio, spread=spread)
    if not false_alarms:
        return peak
    trials = TRIALS * np.maximum(n_epochs, 1)
    level = np.array([-NormalDist().inv_cdf(min(false_alarms / number, 0.5)) for number in trials.tolist()])
    passed = trials * tail(n_epochs, level, ratio=ratio, spread=spread, about_median=False)
    templates = np.where(n_epochs > 0, _TEMPLATES * passed, 0.0)
    return np.maximum(templates, peak + (1 - 1 / TRIALS) * templates)
