"""Special functions of statistics, for arrays and without scipy."""

import math

import numpy as np

__all__ = ["correlation_tail"]


def correlation_tail(r, number):
    """Probability of a correlation at least as strong among independent Gaussian values.

    Two-sided; Pearson's r of n pairs follows the t distribution with n - 2 degrees of freedom, so
    this is the incomplete beta function ``I(1 - r**2; (n - 2) / 2, 1 / 2)``.

    Parameters
    ----------
    r : ndarray of float, shape (n,)
        Correlation coefficients, -1 to 1.
    number : ndarray of float, shape (n,)
        Pairs that each comes from.

    Returns
    -------
    ndarray of float, shape (n,)
        Probabilities to a relative 1e-9, 0 where they are too small for a float; NaN for fewer than
        three pairs and where `r` is.
    """
    result = np.full(len(r), np.nan)
    known = (number > 2) & np.isfinite(r)
    square, freedom = np.minimum(r[known] ** 2, 1.0), (number[known] - 2) / 2
    # The fraction converges quickly on one side of the mean, and the other is its complement.
    strong = 1 - square < (freedom + 1) / (freedom + 2.5)
    half = np.full(len(freedom), 0.5)
    tail = _incomplete_beta(
        np.where(strong, freedom, half), np.where(strong, half, freedom), np.where(strong, 1 - square, square)
    )
    result[known] = np.where(strong, tail, 1 - tail)
    return result


def _incomplete_beta(a, b, x):
    """Regularised incomplete beta function for x below (a + 1) / (a + b + 2), DLMF 8.17.22."""
    largest = max(np.max(a, initial=0), np.max(b, initial=0))
    fraction = np.ones(len(x))
    # The number of terms grows as the root of the larger parameter.
    for m in range(40 + int(4 * math.sqrt(largest)), -1, -1):
        odd = -(a + m) * (a + b + m) / ((a + 2 * m) * (a + 2 * m + 1)) * x
        fraction = 1 + odd / fraction
        if m:
            even = m * (b - m) / ((a + 2 * m - 1) * (a + 2 * m)) * x
            fraction = 1 + even / fraction
    with np.errstate(divide="ignore"):
        logarithm = a * np.log(x) + b * np.log1p(-x) - _log_beta(a, b)
    return np.exp(logarithm) / (a * fraction)


def _log_beta(a, b):
    """Logarithm of the beta function."""
    return _log_gamma(a) + _log_gamma(b) - _log_gamma(a + b)


def _log_gamma(x):
    """Logarithm of the gamma function, computed once for equal values."""
    values, which = np.unique(x, return_inverse=True)
    return np.array([math.lgamma(value) for value in values.tolist()])[which]
