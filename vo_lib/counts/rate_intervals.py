"""Confidence intervals of a rate of events, from the numbers of detections, injections and false detections."""

import math

import numpy as np

from vo_lib.special import beta_quantile, gamma_quantile

__all__ = ["excess_interval", "poisson_interval", "quotient", "rate_interval"]

# Probability outside an interval of one standard deviation, on each side.
TAIL = (1 - math.erf(math.sqrt(0.5))) / 2
# This many injections, with an error of 1 %, are as good as any larger number.
_ENOUGH = 1e4


def poisson_interval(number, tail=TAIL):
    """Compute the confidence interval of the mean of a Poisson distribution from one number drawn from it.

    Garwood (1936), doi:10.1093/biomet/28.3-4.437; tabulated by Gehrels (1986), doi:10.1086/164079.

    Parameters
    ----------
    number : int or ndarray of int
        Number of counted events.
    tail : float, optional
        Probability outside the interval on each side; by default that of one standard deviation, 0.1587.

    Returns
    -------
    low, high : ndarray of float
        Ends of the interval; the lower one is 0 for no events.
    """
    number = np.asarray(number)
    low = np.where(number > 0, gamma_quantile(tail, np.maximum(number, 1)), 0.0)
    return low, gamma_quantile(1 - tail, number + 1)


def rate_interval(number, exposure, squares, tail=TAIL, *, clump=1.0):
    """Compute the confidence interval of a rate, with the errors of both the number of events and the exposure.

    The exposure is itself a sum over injections, equivalent to ``exposure**2 / squares`` equal ones. Given the sum of
    two Poisson numbers, one of them follows a binomial distribution, whose interval (Clopper & Pearson 1934,
    doi:10.1093/biomet/26.4.404) gives that of the ratio of the means (Przyborowski & Wilenski 1940,
    doi:10.1093/biomet/31.3-4.313). For many injections it becomes `poisson_interval` over the exposure.

    Parameters
    ----------
    number : int or ndarray of int
        Number of counted events.
    exposure, squares : float or ndarray of float
        Sums of the exposures of the recovered injections [days] and of their squares.
    tail : float, optional
        Probability outside the interval on each side.
    clump : float or ndarray of float, optional
        Mean square over mean of the number of detections per event: where events are found in several pieces, the
        number of detections scatters as if it were smaller by this factor.

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
    """Compute the confidence interval of a rate minus that of false detections.

    The distances of the ends from the rates are added in quadrature, which preserves the asymmetry of an interval
    (Zou & Donner 2008, doi:10.1002/sim.3095).

    Parameters
    ----------
    interval : pair of ndarray of float
        Lower and upper end for all detections, see `rate_interval`.
    rate, false, false_err : ndarray of float
        The rate of all detections, that of false detections and its standard error. Where the rate of false detections
        is NaN, anything from none to all may be false: the lower end is 0 and the upper end is kept.

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
