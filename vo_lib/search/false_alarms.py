"""How often noise alone passes the matched filter, and the threshold for a promised false-alarm probability.

In noise, the score of each template is a Gaussian of unit variance, which exceeds a level u with the probability
Q(u) = 1 - Phi(u). Neighbouring templates see much the same noise and exceed it together, so what is counted are their
excursions above the level. The expected number of these is that of the Euler characteristic (Adler & Taylor 2007,
doi:10.1007/978-0-387-48116-6) of the templates above the level:

    templates - pairs of neighbours + triangles and quadrangles of neighbours

The neighbours of a template are the one in the cell before and the narrower ones that peak in its cell, see
`vo_lib.search.template_overlaps`. With two successive narrower ones it forms a triangle; with the first of them, and
with the two templates before these, a quadrangle. Where N(u) Q(u) excursions are expected, each template therefore adds

    1 - P(before) - P(narrower) + P(narrower) P(before the first narrower)

to N(u), the number of independent trials. P is the probability that a template exceeds the level if a neighbour does;
P(narrower), that any of the narrower ones does, is the sum of theirs less that of the triangles, each of which passes
as often as its least correlated pair. Two Gaussians that correlate by r both exceed u with the probability
Q(u) - 2 T(u, a), where T is the function of Owen (1956, doi:10.1214/aoms/1177728074) and a = sqrt((1 - r) / (1 + r)).
At high levels T is nearly Q(u) (Phi(a u) - 1/2), so that

    P = 2 - 2 Phi(a u)

This makes N(u) the number of templates where they are independent, follows the formula of Rice for a smooth field where
they are dense, and counts exactly those of two epochs, which lie on an arc. Templates of several shapes are counted
once for each sign, less P of the most similar template of an earlier shape, see `vo_lib.search.template_likeness`.

There is no excursion with the probability exp(-N(u) Q(u)), which defines the threshold.
"""

import math
from functools import cache

import numpy as np

from vo_lib.search.template_likeness import likeness

__all__ = ["TrialCounter", "levels_of", "passing", "thresholds"]

# Least probability that may be promised; scores of rarer noise are not tabulated.
_LEAST_PROMISE = 1e-100
# Threshold where noise of any score is allowed; not 0, since a detection has a sign.
_ANY_SCORE = 1e-6
# Numbers of independent trials that define the levels at which trials are counted. Between and
# beyond the levels, the number of trials follows a power of the level, as for dense templates it does exactly.
_FEW, _MANY = 30.0, 3e5
# Steps of tables over a correlation.
_STEPS = 2048
# Scores at which the tail of the normal distribution is tabulated.
_GRID = np.linspace(0.0, 37.0, 7401)
# Iterations that a threshold needs; each reduces the error by a factor of about ten.
_ITERATIONS = 5


def passing(correlation, level):
    """Compute the probability that a template exceeds a level if a neighbour does.

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
    return np.array([math.erfc(value) for value in distance.tolist()])


def levels_of(false_alarms):
    """Compute the levels at which trials are counted for a promised false-alarm probability.

    Parameters
    ----------
    false_alarms : float
        Probability of one false detection or more in a lightcurve, 1e-100 or more and below 1.

    Returns
    -------
    ndarray of float, shape (2,)
        Scores, increasing.

    Raises
    ------
    ValueError
        If the probability is out of range.
    """
    if not _LEAST_PROMISE <= false_alarms < 1:
        raise ValueError(f"false_alarms must be at least {_LEAST_PROMISE} and below 1, got {false_alarms!r}")
    return np.maximum(_score_of_tail(math.log(-math.log1p(-false_alarms)) - np.log([_FEW, _MANY])), [1.0, 2.0])


class TrialCounter:
    """Counter of the independent trials that the templates of a bank are, at each of two levels.

    Parameters
    ----------
    kernels : sequence of vo_lib.search.template_bank.Kernel
        Shapes of the bank.
    overlap : float
        Correlation of Gaussians of neighbouring widths.
    levels : ndarray of float, shape (2,)
        Scores.
    """

    def __init__(self, kernels, overlap, levels):
        grid = np.linspace(0, 1, _STEPS + 1)
        # Tabulated over the square root of 1 - r, of which it is a linear function at first.
        self._passing = _at_levels(1 - grid**2, levels)
        self._signs = [
            [_signs(kernel, each, grid, levels) for each in alike]
            for kernel, alike in zip(kernels, likeness(kernels, overlap), strict=True)
        ]

    def count(self, scores, overlaps):
        """Count the trials of all templates of a width, summed over shapes and signs.

        Parameters
        ----------
        scores : vo_lib.search.template_scan.Scores
            What the templates see.
        overlaps : vo_lib.search.template_overlaps.Overlaps
            Correlations of neighbouring templates.

        Returns
        -------
        ndarray of float32, shape (2, n)
            Trials at each of the levels, of the templates that peak in each cell.
        """
        starts, total = overlaps.starts, np.zeros((2, len(overlaps.starts)), np.float32)
        successive = np.delete(np.arange(overlaps.narrower.shape[1]), starts)
        for kernel, (endless, two) in enumerate(self._signs):
            narrower, narrower_beside = overlaps.narrower[kernel], overlaps.narrower_beside[kernel]
            any_narrower = self._any_passing(narrower, narrower_beside, starts, successive)
            any_narrower *= 1 - self._passing_at(narrower_beside.take(starts))
            excursions = 1 - self._passing_at(overlaps.beside[kernel]) - any_narrower
            own = (np.minimum(scores.own[kernel], 1) * _STEPS).astype(np.intp)
            endless, two = endless.take(own, axis=1), two.take(own, axis=1)
            excursions *= endless + overlaps.one_sided[kernel] * (two - endless)
            excursions *= scores.seen[kernel]
            total += excursions
        return total

    def _any_passing(self, narrower, narrower_beside, starts, successive):
        """Probability that one or more of the narrower templates of each cell pass if its template does, (2, n)."""
        result = self._passing_at(narrower)
        if len(successive):
            pairs = np.minimum(narrower.take(successive), narrower.take(successive - 1))
            triangles = self._passing_at(np.minimum(pairs, narrower_beside.take(successive)))
            # Assignment at one axis is several times as fast as at the second of two.
            for of_level, less in zip(result, triangles, strict=True):
                of_level[successive] -= less
            result = np.add.reduceat(result, starts, axis=1)
        return result

    def _passing_at(self, correlation):
        """Evaluate `passing` at both levels, shape (2, n)."""
        distance = np.sqrt(np.clip(1 - correlation, 0.0, 1.0))
        return self._passing.take((distance * _STEPS + 0.5).astype(np.intp), axis=1)


def _signs(kernel, alike, own, levels):
    """Number of signs of the templates of a kernel, less `passing` of other shapes, by their `own`, shape (2, n)."""
    signs = np.full((2, len(own)), len(kernel.kinds), np.float32)
    for shape in alike.shape.values():
        # The template may correlate more with its own epoch.
        signs -= _at_levels(np.maximum(own, np.interp(own, alike.own, shape)), levels)
    return signs


def _at_levels(correlation, levels):
    """Evaluate `passing` at each of the levels, float32, shape (n_levels, n)."""
    return np.array([passing(correlation, level) for level in levels.tolist()], np.float32)


@cache
def _rarity():
    """Minus the logarithm of the probability that a Gaussian exceeds each score of the grid."""
    return -np.log([0.5 * math.erfc(score / math.sqrt(2)) for score in _GRID.tolist()])


def _score_of_tail(log_probability):
    """Score that a Gaussian exceeds with a probability given by its logarithm; 0 for more than a half."""
    return np.interp(-log_probability, _rarity(), _GRID)


def thresholds(trials, levels, false_alarms):
    """Compute the scores that noise exceeds with the promised probability, where N(u) Q(u) = -log(1 - promise).

    Parameters
    ----------
    trials : ndarray of float, shape (2, n_lightcurves)
        Number of independent trials, of one sign each, at each of the levels.
    levels : ndarray of float, shape (2,)
        See `levels_of`.
    false_alarms : float
        Probability of one false detection or more in a lightcurve, 1e-100 or more and below 1.

    Returns
    -------
    ndarray of float, shape (n_lightcurves,)
        Thresholds; infinite without trials.
    """
    promised = math.log(-math.log1p(-false_alarms))
    logs = np.log(np.maximum(trials, 1e-300))
    power = (logs[1] - logs[0]) / math.log(levels[1] / levels[0])
    found = np.full(trials.shape[1], levels.mean())
    for _ in range(_ITERATIONS):
        many = logs[0] + power * np.log(np.maximum(found, 1.0) / levels[0])
        found = _score_of_tail(promised - many)
    return np.where(trials[0] > 0, np.maximum(found, _ANY_SCORE), np.inf)
