"""Probability that noise alone has a peak as high as the one that was found in a periodogram.

All functions assume independent Gaussian noise with errors that are right up to a common factor (in each filter), and
are for the highest peak in all that was searched, so that the number of trials is accounted for.
"""

import math
from statistics import NormalDist

import numpy as np

from vo_lib.special import correlation_tail

__all__ = ["box_fap", "box_trials", "sine_fap"]

_NORMAL = NormalDist()
# Above this mean number of epochs that enter or leave a box, their Poisson scatter makes no difference.
MANY = 300


def sine_fap(power, *, n_epochs, bandwidth, effective_span, n_bands=1):
    """Compute the false-alarm probability of the highest peak of a Lomb-Scargle periodogram with floating means.

    Parameters
    ----------
    power : float
        Fraction of chi-square about the means that the sinusoids remove, 0 to 1.
    n_epochs : int
        Number of epochs in all filters.
    bandwidth : float
        Width of the frequency band that was searched [1/d].
    effective_span : float
        sqrt(4 pi) times the weighted standard deviation of the times [days].
    n_bands : int, optional
        Number of filters, each with its own mean and sinusoid.

    Returns
    -------
    float
        Probability; NaN if there are no more epochs than parameters or the power is NaN.

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
    """Compute the number of independent boxes among overlapping neighbours, as a fraction of all boxes.

    Parameters
    ----------
    snr : float
        Level for noise to exceed, in standard deviations.
    steps : sequence of float
        Fraction of a box that its neighbour does not cover, along each dimension of the grid (phase, frequency).
    n_inside : float
        Mean number of epochs in a box.

    Returns
    -------
    float
        1 for boxes that have nothing in common; less for finer grids and fewer epochs.

    Notes
    -----
    The overlap of boxes decreases linearly, so noise near a peak is a random walk, and its maximum on a grid
    has the overshoot of Siegmund 1985 (doi:10.1007/978-1-4757-1862-1) in each dimension, with the approximation of nu
    of Siegmund & Yakir 2007, The Statistics of Gene Mapping, eq. 5.3. The number of epochs that leave or enter from one
    box to the next follows the Poisson distribution; if it is 0, the box is no new trial.
    """
    return math.prod(_new_trials(snr, step, n_inside) for step in steps)


def _new_trials(snr, step, n_inside):
    """Fraction of new trials along one dimension."""
    mean = max(2 * step * n_inside, 1e-12)
    if mean > MANY:
        return _walk(snr, step)
    log_mean, most = math.log(mean), int(mean + 8 * math.sqrt(mean)) + 8
    return sum(
        math.exp(number * log_mean - mean - math.lgamma(number + 1)) * _walk(snr, min(number / n_inside / 2, 1.0))
        for number in range(1, most)
    )


def _walk(snr, step):
    """Fraction of new trials if all neighbours differ by the same step."""
    return min(1.0, snr**2 * step * _overshoot(snr * math.sqrt(2 * step)))


def _overshoot(x):
    """Siegmund's nu, which falls from 1 at 0 to 2 / x**2."""
    if x < 1e-6:
        return 1.0
    below = _NORMAL.cdf(x / 2)
    return (2 / x) * (below - 0.5) / (x / 2 * below + _NORMAL.pdf(x / 2))


def box_fap(snr, chi2, *, n_epochs, grids):
    """Compute the false-alarm probability of the dip of greatest S/N of a box search.

    Parameters
    ----------
    snr : float
        Depth over its error.
    chi2 : float
        Chi-square about the mean, which sets the scale of the errors.
    n_epochs : int
        Number of epochs.
    grids : sequence of tuple
        For each grid that was searched: number of boxes, steps and mean number of epochs in a box, see `box_trials`.

    Returns
    -------
    float
        Probability; NaN for fewer than four epochs or without a finite `snr` and a positive `chi2`.

    Notes
    -----
    A single box is a test of the correlation between flux and box, exact for Gaussian noise.
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
    # 1 - (1 - single) ** trials, without loss of precision for small numbers.
    return -math.expm1(trials * math.log1p(-single))
