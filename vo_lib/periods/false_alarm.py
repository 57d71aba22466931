"""Probability that noise alone has a peak as high as the one that was found in a periodogram.

All are for independent Gaussian noise of errors that are right up to a common factor (in each filter), and for the
highest peak of all that was searched, so that the number of trials is accounted for.
"""

import math
from statistics import NormalDist

import numpy as np

from vo_lib.special import correlation_tail

__all__ = ["box_fap", "box_trials", "sine_fap"]

_NORMAL = NormalDist()
# Of so many epochs that enter a box the Poisson scatter makes no difference.
MANY = 300


def sine_fap(power, *, n_epochs, bandwidth, effective_span, n_bands=1):
    """False-alarm probability of the highest peak of a Lomb-Scargle periodogram with floating means.

    Parameters
    ----------
    power : float
        Share of chi-square about the means that the sinusoids take away, 0 to 1.
    n_epochs : int
        Epochs of all filters.
    bandwidth : float
        Width of the band of frequencies that was searched [1/d].
    effective_span : float
        sqrt(4 pi) times the weighted standard deviation of the times [days].
    n_bands : int, optional
        Filters, each with a mean and a sinusoid of its own.

    Returns
    -------
    float
        Probability; NaN where there are not more epochs than parameters or the power is NaN.

    Notes
    -----
    Alias-free approximation, eq. 6 of Baluev 2008 (doi:10.1111/j.1365-2966.2008.12689.x), with the width of the
    band in place of its upper end. For several filters, 2 n_bands parameters are added instead of 2, which
    changes the number of degrees of freedom in the same formulas.
    """
    free = n_epochs - 3 * n_bands
    if free < 1 or not 0 <= power <= 1:
        return math.nan
    if power == 1:
        return 0.0
    log_rest = math.log1p(-power)
    terms = (math.lgamma(free / 2 + j) - math.lgamma(free / 2) - math.lgamma(j + 1) for j in range(n_bands))
    single = sum(math.exp(term + free / 2 * log_rest) * power**j for j, term in enumerate(terms))
    scale = math.lgamma((n_epochs - n_bands) / 2) - math.lgamma((free + 1) / 2) - math.lgamma(n_bands)
    rate = math.exp(scale + (free - 1) / 2 * log_rest) * power ** (n_bands - 0.5)
    tau = bandwidth * effective_span * rate
    return -math.expm1(-tau) + single * math.exp(-tau)


def box_trials(snr, steps, n_inside):
    """Independent boxes among neighbours that overlap, as a share of their number.

    Parameters
    ----------
    snr : float
        Level that noise is to exceed, in standard deviations.
    steps : sequence of float
        Share of a box that its neighbour does not cover, along each dimension of the grid (phase, frequency).
    n_inside : float
        Mean number of epochs in a box.

    Returns
    -------
    float
        1 for boxes that have nothing in common; less, the finer the grid and the fewer the epochs.

    Notes
    -----
    The overlap of boxes falls off linearly, so noise is a random walk near a peak, and its maximum on a grid
    has the overshoot of Siegmund 1985 (doi:10.1007/978-1-4757-1862-1) in each dimension, with the approximation of nu
    of Siegmund & Yakir 2007, The Statistics of Gene Mapping, eq. 5.3. The epochs that leave or enter a box
    from one to the next follow the Poisson distribution; without any it is no new trial.
    """
    return math.prod(_new_trials(snr, step, n_inside) for step in steps)


def _new_trials(snr, step, n_inside):
    """Share of new trials along one dimension."""
    mean = max(2 * step * n_inside, 1e-12)
    if mean > MANY:
        return _walk(snr, step)
    log_mean, most = math.log(mean), int(mean + 8 * math.sqrt(mean)) + 8
    return sum(
        math.exp(number * log_mean - mean - math.lgamma(number + 1)) * _walk(snr, min(number / n_inside / 2, 1.0))
        for number in range(1, most)
    )


def _walk(snr, step):
    """Share of new trials for neighbours that all differ by one step."""
    return min(1.0, snr**2 * step * _overshoot(snr * math.sqrt(2 * step)))


def _overshoot(x):
    """Siegmund's nu, from 1 at 0 to 2 / x**2."""
    if x < 1e-6:
        return 1.0
    below = _NORMAL.cdf(x / 2)
    return (2 / x) * (below - 0.5) / (x / 2 * below + _NORMAL.pdf(x / 2))


def box_fap(snr, chi2, *, n_epochs, grids):
    """False-alarm probability of the deepest dip of a box search.

    Parameters
    ----------
    snr : float
        Depth over its error.
    chi2 : float
        Chi-square about the mean, which sets the scale of the errors.
    n_epochs : int
        Epochs.
    grids : sequence of tuple
        Number of boxes of each grid that was searched, its steps and mean epochs in a box, see `box_trials`.

    Returns
    -------
    float
        Probability; NaN below four epochs or where `snr` is.

    Notes
    -----
    One box by itself is a test of the correlation of flux and box, exact for Gaussian noise.
    """
    if n_epochs < 4 or not math.isfinite(snr) or not chi2 > 0:
        return math.nan
    r = max(min(snr / math.sqrt(chi2), 1.0), -1.0)
    half = float(correlation_tail(np.array([r]), np.array([float(n_epochs)]))[0]) / 2
    single = half if r >= 0 else 1 - half
    if single == 0:
        return 0.0
    level = max(-_NORMAL.inv_cdf(single), 0.0)
    trials = sum(max(number * box_trials(level, steps, n_inside), 1.0) for number, steps, n_inside in grids)
    # 1 - (1 - single) ** trials without loss of small numbers.
    return -math.expm1(trials * math.log1p(-single))
