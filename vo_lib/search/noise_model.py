"""How often a search takes noise for an event when scatter and median are measured from the lightcurves themselves.

The scatter of a lightcurve is measured from its own epochs, as is their median. Where the scatter comes out too large,
there are fewer false detections than the tail of the normal distribution predicts; where the median is off by chance,
there are more; and where the errors of a survey are too small, scatters that come out too small cause many more. So do,
in that case, epochs with larger errors, since the scatter is that of typical epochs.
"""

import math
from statistics import NormalDist

import numpy as np

from vo_lib.counts.rate_intervals import quotient
from vo_lib.search.noise import MIN_EPOCHS
from vo_lib.segments import MEDIAN_ERR, SCATTER_ERR

__all__ = ["TRIALS", "error_spread", "false_detections", "middle_scatter", "scatter_over_error", "tail"]

# Independent trials of each sign that the matched filter makes per epoch, one of them the epoch itself, as implied by
# its thresholds for lightcurves of 10 to 300 epochs with the default bank; and the fraction of the detections expected
# from these trials that it makes in noise of 10 to 300 epochs (0.6 to 0.85), since it counts trials conservatively
# and an event of several epochs raises the scatter that it is measured against.
# benchmarks/validate_rates.py measures the product.
TRIALS, _TEMPLATES = 2.5, 0.75
# Robust scatters of few epochs are too small by this over their number: in the mean, from Croux & Rousseeuw 1992,
# doi:10.1007/978-3-662-26811-7_58; and in the median, from simulations of 5 to 150 epochs (1.05 to 1.27).
_FEW, _FEW_MIDDLE = 0.8, 1.15
# Standard normal deviates to average over, at the centres of equal steps, and their weights.
_DEVIATES = (np.arange(400) + 0.5) / 25 - 8
_WEIGHTS = np.exp(-(_DEVIATES**2) / 2) / np.exp(-(_DEVIATES**2) / 2).sum()
# Strides through them, for scatters and for errors, where an average is over both.
_SCATTERS, _ERRORS = 10, 5
# Levels in standard deviations, and the logarithm of the normal tail beyond them: interpolation is right to 1e-5.
_LEVELS = np.linspace(-10, 37, 4701)
_LOG_TAIL = np.log([math.erfc(level / math.sqrt(2)) / 2 for level in _LEVELS.tolist()])


def tail(n_epochs, level, *, ratio=1.0, spread=0.0, about_median=True):
    """Compute the probability that the noise of an epoch exceeds a level in S/N.

    Parameters
    ----------
    n_epochs : ndarray of int, shape (n,)
        Good epochs of lightcurves.
    level : float or ndarray of float, shape (n,)
        Level, in units of the error or the robust scatter, whichever is greater.
    ratio : float, optional
        True noise over the errors.
    spread : float, optional
        Standard deviation of the logarithm of the errors within a lightcurve, see `error_spread`.
    about_median : bool, optional
        Whether the flux is measured from the median of the epochs; if not, from the known value.

    Returns
    -------
    ndarray of float, shape (n,)
        Less than the tail of the normal distribution if the errors are right, except for few epochs, and far more if
        the errors are much too small.

    Notes
    -----
    Median and scatter of the other epochs are taken to be independent and normally distributed, shifted by the effect
    of one distant epoch, and the errors to be log-normal. For a ratio of 1 and equal errors the result is within 10 %
    of a simulation for 10 epochs or more.
    """
    pairs = np.stack(np.broadcast_arrays(np.maximum(n_epochs, 1.0), level))
    different, which = np.unique(pairs, axis=1, return_inverse=True)
    values = [_tail(*pair, ratio, spread, about_median) for pair in different.T.tolist()]
    return np.array(values, float)[which.reshape(-1)]


def _tail(number, level, ratio, spread, about_median):
    """`tail` of one lightcurve; rows are errors over the median error, columns scatters over the noise."""
    errors, scatters = (slice(None, None, _ERRORS), slice(None, None, _SCATTERS)) if spread else (slice(1), slice(None))
    error = np.exp(spread * _DEVIATES[errors, None])
    scatter = 1 + (SCATTER_ERR - _FEW) / number + SCATTER_ERR / math.sqrt(number) * _DEVIATES[scatters]
    above = level * np.maximum(scatter / error, 1 / ratio)
    if about_median:
        median_err = MEDIAN_ERR / error
        above = (above + median_err / number) / np.sqrt(1 + median_err**2 / number)
    parts = np.exp(np.interp(above, _LEVELS, _LOG_TAIL, right=-np.inf))
    weights = np.outer(_WEIGHTS[errors], _WEIGHTS[scatters])
    return (parts * weights).sum() / weights.sum()


def middle_scatter(scatter, n_epochs):
    """Correct robust scatters of noise so that, also for few epochs, their median over lightcurves is the true one.

    Parameters
    ----------
    scatter : ndarray of float, shape (n,)
        `vo_lib.segments.ROBUST_SCALE` times the median absolute deviation.
    n_epochs : ndarray of int, shape (n,)
        Number of epochs that it is measured from.

    Returns
    -------
    ndarray of float, shape (n,)
        NaN below `MIN_EPOCHS`.
    """
    n_epochs = np.asarray(n_epochs, float)
    return scatter * n_epochs / np.where(n_epochs >= MIN_EPOCHS, n_epochs - _FEW_MIDDLE, np.nan)


def scatter_over_error(n_epochs, scatter, error):
    """Estimate the true noise of a survey and filter over its errors, from the median over lightcurves.

    Parameters
    ----------
    n_epochs : ndarray of int, shape (n,)
        Good epochs.
    scatter, error : ndarray of float, shape (n,)
        Robust scatter and median error [uJy].

    Returns
    -------
    float
        At least 1, since errors that are too large are no reason to expect less; 1 without lightcurves.
    """
    scatter = middle_scatter(scatter, n_epochs)
    known = (error > 0) & np.isfinite(scatter)
    return max(float(np.median(scatter[known] / error[known])), 1.0) if known.any() else 1.0


def error_spread(n_epochs, error_rms, mean_err):
    """Estimate how much errors vary within the lightcurves of a survey and filter, from the median over lightcurves.

    Parameters
    ----------
    n_epochs : ndarray of int, shape (n,)
        Good epochs.
    error_rms, mean_err : ndarray of float, shape (n,)
        Root mean square of the errors of each lightcurve, and the error of its weighted mean [uJy].

    Returns
    -------
    float
        Standard deviation of the logarithm of the errors, for a log-normal distribution, in which the arithmetic mean
        of their squares over the harmonic mean is exp(4 spread^2); 0 without lightcurves.
    """
    ratio = quotient(error_rms**2, n_epochs * mean_err**2)
    known = np.isfinite(ratio)
    return math.sqrt(math.log(max(float(np.median(ratio[known])), 1.0)) / 4) if known.any() else 0.0


def false_detections(n_epochs, *, ratio, threshold, false_alarms, spread=0.0):
    """Compute the number of detections of one sign that noise is expected to cause in each lightcurve.

    Parameters
    ----------
    n_epochs : ndarray of int, shape (n,)
        Good epochs.
    ratio : float
        See `scatter_over_error`.
    threshold : float
        S/N threshold of the method peak; infinity if it is not used.
    false_alarms : float
        Promised false-alarm probability of the matched filter per lightcurve, for this sign; 0 if it is not used.
    spread : float, optional
        See `error_spread`.

    Returns
    -------
    ndarray of float, shape (n,)
        Single epochs that both methods find count once. 0 below `MIN_EPOCHS`, since such lightcurves are not searched.
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
