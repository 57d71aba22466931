"""Special functions for statistics, for arrays and without scipy."""

import math

import numpy as np

__all__ = ["beta_quantile", "correlation_tail", "gamma_quantile"]

# Maximum number of steps towards a quantile, enough for bisection alone to resolve a float.
_STEPS = 80
# Standard deviations that enclose all quantiles of probabilities that a float can represent.
_FAR = 40.0


def correlation_tail(r, number):
    """Compute the probability of a correlation at least as strong among independent Gaussian values.

    The probability is two-sided. ``r * sqrt((n - 2) / (1 - r**2))`` of n pairs follows the t distribution with n - 2
    degrees of freedom, so this is the incomplete beta function ``I(1 - r**2; (n - 2) / 2, 1 / 2)``.

    Parameters
    ----------
    r : ndarray of float, shape (n,)
        Pearson correlation coefficients, -1 to 1.
    number : ndarray of float, shape (n,)
        Number of pairs of each coefficient.

    Returns
    -------
    ndarray of float, shape (n,)
        Probabilities to a relative 1e-9, 0 if too small for a float; NaN for fewer than three pairs and where
        `r` is NaN.
    """
    result = np.full(len(r), np.nan)
    known = (number > 2) & np.isfinite(r)
    square, freedom = np.minimum(r[known] ** 2, 1.0), (number[known] - 2) / 2
    # The continued fraction converges quickly on one side of the mean; the other side is the complement.
    strong = 1 - square < (freedom + 1) / (freedom + 2.5)
    half = np.full(len(freedom), 0.5)
    tail = _incomplete_beta(
        np.where(strong, freedom, half), np.where(strong, half, freedom), np.where(strong, 1 - square, square)
    )
    result[known] = np.where(strong, tail, 1 - tail)
    return result


def beta_quantile(p, a, b):
    """Compute quantiles of the beta distribution.

    Parameters
    ----------
    p : float or ndarray of float
        Probabilities, 0 to 1.
    a, b : float or ndarray of float
        Positive parameters, broadcast with `p`.

    Returns
    -------
    ndarray of float
        Quantiles to about 1e-9 of the distance from the nearer end; NaN where a parameter is not positive.
    """
    p, a, b = (x.astype(float) for x in np.broadcast_arrays(p, a, b))
    known = (a > 0) & (b > 0) & np.isfinite(p)
    result = np.full(p.shape, np.nan)
    p, a, b = p[known], a[known], b[known]
    log_beta = _log_beta(a, b)
    # Solve for the logarithm of the odds, which resolves both ends.
    odds = _solve(
        lambda t: _beta_part(1 / (1 + np.exp(-t)), a, b) - p,
        lambda t: np.exp(-a * np.log1p(np.exp(-t)) - b * np.log1p(np.exp(t)) - log_beta),
        np.log(a / b) - _FAR * np.sqrt(1 / a + 1 / b),
        np.log(a / b) + _FAR * np.sqrt(1 / a + 1 / b),
    )
    result[known] = 1 / (1 + np.exp(-odds))
    result[known] = np.select([p <= 0, p >= 1], [0.0, 1.0], result[known])
    return result


def gamma_quantile(p, a):
    """Compute quantiles of the gamma distribution with unit scale.

    They are half the quantiles of chi-square with ``2 * a`` degrees of freedom.

    Parameters
    ----------
    p : float or ndarray of float
        Probabilities, 0 to 1.
    a : float or ndarray of float
        Positive shape parameters, broadcast with `p`.

    Returns
    -------
    ndarray of float
        Quantiles to a relative 1e-9, infinite for probability 1; NaN where the shape is not positive.
    """
    p, a = (x.astype(float) for x in np.broadcast_arrays(p, a))
    known = (a > 0) & np.isfinite(p)
    result = np.full(p.shape, np.nan)
    p, a = p[known], a[known]
    log_gamma = _log_gamma(a)
    logarithm = _solve(
        lambda t: _gamma_part(np.exp(t), a) - p,
        lambda t: np.exp(a * t - np.exp(t) - log_gamma),
        np.log(a) - _FAR / np.sqrt(a),
        np.log(a + _FAR * np.sqrt(a) + 800),
    )
    result[known] = np.exp(logarithm)
    result[known] = np.select([p <= 0, p >= 1], [0.0, np.inf], result[known])
    return result


def _solve(function, slope, low, high):
    """Zero of an increasing function between limits: Newton's method, with bisection where it fails."""
    middle = (low + high) / 2
    for _ in range(_STEPS):
        value, rise = function(middle), slope(middle)
        low, high = np.where(value < 0, middle, low), np.where(value < 0, high, middle)
        # In the tails the slope may be so small that the step overflows; bisection is used instead.
        with np.errstate(over="ignore"):
            step = np.divide(value, rise, out=np.full(len(value), np.inf), where=rise > 0)
        inside = (middle - step > low) & (middle - step < high)
        before, middle = middle, np.where(inside, middle - step, (low + high) / 2)
        if np.all(np.abs(middle - before) <= 1e-13 * np.maximum(np.abs(middle), 1)):
            break
    return middle


def _beta_part(x, a, b):
    """Regularised incomplete beta function for any x."""
    x, a, b = np.broadcast_arrays(x, a, b)
    small = x < (a + 1) / (a + b + 2)
    part = _incomplete_beta(np.where(small, a, b), np.where(small, b, a), np.where(small, x, 1 - x))
    return np.where(small, part, 1 - part)


def _gamma_part(x, a):
    """Regularised lower incomplete gamma function: series DLMF 8.7.1, or even part of continued fraction 8.9.2."""
    x, a = np.broadcast_arrays(x, a)
    terms = 60 + int(12 * math.sqrt(np.max(a, initial=0)))
    with np.errstate(under="ignore"):
        scale = np.exp(a * np.log(x) - x - _log_gamma(a))
    small = x < a + 1
    near, far = np.where(small, x, 0.0), np.where(small, a + 2, x)
    series, term = 1 / a, 1 / a
    for n in range(1, terms):
        term = term * near / (a + n)
        series = series + term
    fraction = far + 2 * terms + 1 - a
    for n in range(terms, 0, -1):
        fraction = far + 2 * n - 1 - a - n * (n - a) / fraction
    return np.where(small, scale * series, 1 - scale / fraction)


def _incomplete_beta(a, b, x):
    """Regularised incomplete beta function for x below (a + 1) / (a + b + 2), DLMF 8.17.22."""
    largest = max(np.max(a, initial=0), np.max(b, initial=0))
    fraction = np.ones(len(x))
    # The number of terms grows as the square root of the larger parameter.
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
