"""How often noise alone passes the matched filter, and the threshold for a promised rate.

Noise makes the score of each template a Gaussian of unit variance, but neighbouring templates see much the same
noise. Where the score passes a level u at one template, it does so at neighbours that correlate with it by r as well,
so that of many templates in a row a part ``2 Phi(u sqrt((1 - r) / (1 + r))) - 1`` begins a new excursion. For templates
that differ in several ways the parts are multiplied. For dense templates this is the leading term of the expected
Euler characteristic of a smooth field (Adler & Taylor 2007, doi:10.1007/978-0-387-48116-6), for independent ones
the sum of their probabilities.
"""

import math
from functools import cache

import numpy as np

from vo_lib.template_bank import STEPS, ratio_of
from vo_lib.template_likeness import lag_correlation, likeness

__all__ = ["FreshParts", "fresh_part", "levels_of", "thresholds"]

# Numbers of independent trials that the levels are for at which trials are counted. Between them
# and beyond, trials follow a power of the level, which dense templates do exactly.
_FEW, _MANY = 30.0, 3e5
# Steps of tables of a correlation.
_STEPS = 2048
# Scores at which the tail of the normal law is tabulated.
_GRID = np.linspace(0.0, 37.0, 7401)
# Iterations that a threshold needs; each takes the error down by a factor of about ten.
_ITERATIONS = 5


def fresh_part(correlation, level):
    """Part of the templates above a level that begin an excursion.

    Parameters
    ----------
    correlation : ndarray of float, shape (n,)
        Correlation of each template with its neighbour, 0 to 1.
    level : float
        Score.

    Returns
    -------
    ndarray of float, shape (n,)
    """
    distance = level * np.sqrt((1 - correlation) / (2 + 2 * correlation))
    return np.array([math.erf(value) for value in distance.tolist()])


def levels_of(false_alarms):
    """Levels at which trials are counted for a promised rate of false alarms.

    Parameters
    ----------
    false_alarms : float
        Probability of one false detection or more in a lightcurve, above 0 and below 1.

    Returns
    -------
    ndarray of float, shape (2,)
        Scores, increasing.

    Raises
    ------
    ValueError
        If it is no such probability.
    """
    if not 0 < false_alarms < 1:
        raise ValueError(f"false_alarms must be above 0 and below 1, got {false_alarms!r}")
    return np.maximum(_score_of_tail(math.log(-math.log1p(-false_alarms)) - np.log([_FEW, _MANY])), [1.0, 2.0])


class FreshParts:
    """Parts of the templates of a bank that begin an excursion above each of two levels.

    Parameters
    ----------
    kernels : sequence of vo_lib.template_bank.Kernel
        Shapes of the bank.
    overlap : float
        Correlation of Gaussians of neighbouring widths.
    levels : ndarray of float, shape (2,)
        Scores.
    """

    def __init__(self, kernels, overlap, levels):
        grid, ratio = np.linspace(0, 1, _STEPS + 1), ratio_of(overlap)
        self._widths, self._tables = _pairs(1 - _at_levels(grid, levels)), []
        self._last = max(len(side) for kernel in kernels for side in (kernel.before, kernel.after))
        for kernel, alike in zip(kernels, likeness(kernels, ratio), strict=True):
            lags = np.zeros(self._last + 1)
            known = lag_correlation(kernel)
            lags[: len(known)] = known
            narrow = np.minimum(np.rint(np.arange(self._last + 1) * ratio), self._last).astype(int)
            # Templates that are not seen have the place after the last lag, where nothing begins.
            beside = np.pad(_at_levels(lags, levels), [(0, 0), (0, 1)])
            across = np.hstack([np.pad(beside[:, narrow], [(0, 0), (0, 1)]), beside])
            shapes = [_at_levels(_by_own(grid, alike.own, shape), levels) for shape in alike.shape.values()]
            signs = len(kernel.kinds) - len(shapes) + sum(shapes, np.zeros((2, len(grid))))
            self._tables.append((_pairs(beside), _pairs(across), _pairs(signs) if shapes else None, len(kernel.kinds)))

    def of(self, scores, narrower):
        """Parts of all templates of a width, of all shapes and signs together.

        Parameters
        ----------
        scores : vo_lib.template_scan.Scores
            What the templates see.
        narrower : ndarray of float32, shape (n_kernels, n)
            Correlation of each with the next narrower one.

        Returns
        -------
        ndarray of complex64, shape (n,)
            Of the templates that peak in each cell: the part at the first level, as imaginary part that at the second.
        """
        lag = np.minimum(scores.lag * STEPS, self._last).astype(np.intp)
        dense = scores.cells.several * (self._last + 2)
        total = np.zeros(2 * len(lag), np.float32)
        for table, *of_kernel in zip(self._tables, scores.seen, narrower, scores.own, strict=True):
            total += self._of_kernel(table, lag, dense, *of_kernel)
        return total.view(np.complex64)

    def _of_kernel(self, table, lag, dense, seen, narrower, own):
        """Parts of the templates of a kernel, those of both levels after each other."""
        beside, across, signs, number = table
        place = (lag - (self._last + 1)) * seen + (self._last + 1)
        place[np.flatnonzero(seen[1:] > seen[:-1]) + 1] = self._last
        parts = across.take(place + dense).view(np.float32)
        parts *= self._widths.take((narrower * _STEPS).astype(np.intp)).view(np.float32)
        np.subtract(beside.take(place).view(np.float32), parts, out=parts)
        parts *= number if signs is None else signs.take((own * _STEPS).astype(np.intp)).view(np.float32)
        return parts


def _pairs(table):
    """Values at both levels as one complex number, which is looked up at once."""
    return np.ascontiguousarray(table.T, np.float32).view(np.complex64)[:, 0]


def _by_own(own, known, correlation):
    """Correlation of templates with a neighbour, by that with their own epoch, which may be the greater one."""
    return np.maximum(own, np.interp(own, known, correlation))


def _at_levels(correlation, levels):
    """`fresh_part` at each of the levels, shape (n_levels, n)."""
    return np.array([fresh_part(correlation, level) for level in levels.tolist()])


@cache
def _rarity():
    """Minus the logarithm of the probability that a Gaussian is above each score of the grid."""
    return -np.log([0.5 * math.erfc(score / math.sqrt(2)) for score in _GRID.tolist()])


def _score_of_tail(log_probability):
    """Score that a Gaussian passes with a probability given by its logarithm; 0 for more than a half."""
    return np.interp(-log_probability, _rarity(), _GRID)


def thresholds(trials, levels, false_alarms):
    """Score that noise passes as often as promised.

    Parameters
    ----------
    trials : ndarray of float, shape (2, n_lightcurves)
        Independent trials, of one sign each, at each of the levels.
    levels : ndarray of float, shape (2,)
        See `levels_of`.
    false_alarms : float
        Probability of one false detection or more in a lightcurve, above 0 and below 1.

    Returns
    -------
    ndarray of float, shape (n_lightcurves,)
        Thresholds; infinity without trials.
    """
    promised = math.log(-math.log1p(-false_alarms))
    logs = np.log(np.maximum(trials, 1e-300))
    power = (logs[1] - logs[0]) / math.log(levels[1] / levels[0])
    found = np.full(trials.shape[1], levels.mean())
    for _ in range(_ITERATIONS):
        many = logs[0] + power * np.log(np.maximum(found, 1.0) / levels[0])
        found = _score_of_tail(promised - many)
    return np.where(trials[0] > 0, found, np.inf)
