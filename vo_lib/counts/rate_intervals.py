"""Intervals of a rate of events from what was counted: detections, injections and what noise makes."""

import math

import numpy as np

from vo_lib.special import beta_quantile, gamma_quantile

__all__ = ["excess_interval", "poisson_interval", "quotient", "rate_interval"]

# Probability on either side of an interval of one standard deviation.
TAIL = (1 - math.erf(math.sqrt(0.5))) / 2
# So many injections, whose error is 1 %, are as good as any number of them.
_ENOUGH = 1e4


def poisson_interval(number, tail=TAIL):
    """Interval of the mean of a Poisson law, from one number drawn from it.

    Garwood (1936), doi:10.1093/biomet/28.3-4.437; tabulated by Gehrels (1986), doi:10.1086/164079.

    Parameters
    ----------
    number : int or ndarray of int
        Events that were counted.
    tail : float, optional
        Probability on either side; the default is that of one standard deviation, 0.1587.

    Returns
    -------
    low, high : ndarray of float
        0 is the lower end for no events.
    """
    number = np.asarray(number)
    low = np.where(number > 0, gamma_quantile(tail, np.maximum(number, 1)), 0.0)
    return low, gamma_quantile(1 - tail, number + 1)


def rate_interval(number, exposure, squares, tail=TAIL, *, clump=1.0):
    """Interval of a rate, with the errors of both the number of events and the exposure.

    The exposure is itself a sum over injections, worth as many equal ones as ``exposure**2 / squares``. Of two
    Poisson numbers, the part that is of one of them follows a binomial law, whose interval (Clopper & Pearson 1934,
    doi:10.1093/biomet/26.4.404) gives that of the ratio of means (Przyborowski & Wilenski 1940,
    doi:10.1093/biomet/31.3-4.313). For many injections it becomes `poisson_interval` over the exposure.

    Parameters
    ----------
    number : int or ndarray of int
        Events that were counted.
    exposure, squares : float or ndarray of float
        Sums of the exposures of the recovered injections [days] and of their squares.
    tail : float, optional
        Probability on either side.
    clump : float or ndarray of float, optional
        Mean square over mean of the detections that one event makes: where events are found in several pieces, the
        number of detections varies as if it were so many times smaller.

    Returns
    -------
    low, high : ndarray of float
        Rates [1/day]; NaN where nothing was recovered.
    """
    number, exposure, squares, clump = (x.astype(float) for x in np.broadcast_arrays(number, exposure, squares, clump))
    worth = np.minimum(quotient(exposure**2, squares), _ENOUGH)
    low = np.where(number > 0, beta_quantile(tail, np.where(number > 0, number / clump, 1.0), worth + 1), 0.0)
    high = beta_quantile(1 - tail, number / clump + 1, worth)
    scale = clump * quotient(worth, exposure)
    return scale * low / (1 - low), scale * high / (1 - high)


def excess_interval(interval, rate, false, false_err):
    """Interval of a rate less that of the detections that noise makes.

    The distances of the ends from the middle are added in quadrature, which keeps an interval that is not symmetric
    (Zou & Donner 2008, doi:10.1002/sim.3095).

    Parameters
    ----------
    interval : pair of ndarray of float
        Lower and upper end for all that was counted, see `rate_interval`.
    rate, false, false_err : ndarray of float
        The rate itself, that of the false detections and its standard error; where it is NaN, all detections may be
        false and none of them: the lower end is 0 and the upper one stays.

    Returns
    -------
    low, high : ndarray of float
        Not below 0.
    """
    low, high = interval
    known, net = np.isfinite(false), rate - false
    fewer = np.minimum(false, false_err)
    low = np.where(known, net - np.hypot(rate - low, false_err), np.where(np.isnan(low), np.nan, 0.0))
    high = np.where(known, net + np.hypot(high - rate, fewer), high)
    return np.maximum(low, 0.0), np.maximum(high, 0.0)


def quotient(above, below):
    """Divide two arrays; NaN where the divisor is not positive."""
    return np.divide(above, below, out=np.full(np.shape(below), np.nan), where=below > 0)
