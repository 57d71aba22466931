"""How often noise alone passes the matched filter, and the threshold for a promised false-alarm probability.

In noise, the score of each template is a Gaussian of unit variance, but neighbouring templates see much the same
noise. Where the score of one template exceeds a level u, that of a neighbour with which it correlates by r does so with
the probability ``2 - 2 Phi(u sqrt((1 - r) / (1 + r)))``. Excursions above the level are counted as the Euler
characteristic of the templates above it (Adler & Taylor 2007, doi:10.1007/978-0-387-48116-6): the templates, minus
their pairs with the one before in time and with narrower ones, plus the quadrangles and triangles that these form; a
triangle passes as often as its least correlated pair. This is the formula of a smooth field for dense templates, the
sum of their probabilities for independent ones, and exact for templates of two epochs, which lie on an arc.
"""

import math
from functools import cache

import numpy as np

from vo_lib.search.template_likeness import likeness

__all__ = ["FreshParts", "fresh_part", "levels_of", "thresholds"]

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


def fresh_part(correlation, level):
    """Compute the fraction of the templates above a level that begin an excursion.

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


class FreshParts:
    """Fractions of the templates of a bank that begin an excursion above each of two levels.

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
        # Tabulated over the square root of 1 - r, to which the fraction is proportional at first.
        self._joint, self._signs = _pairs(1 - _at_levels(1 - grid**2, levels)), []
        for kernel, alike in zip(kernels, likeness(kernels, overlap), strict=True):
            self._signs.append([_pairs(_of_signs(kernel, each, grid, levels)) for each in alike])

    def of(self, scores, overlaps):
        """Compute the fractions for all templates of a width, summed over shapes and signs.

        Parameters
        ----------
        scores : vo_lib.search.template_scan.Scores
            What the templates see.
        overlaps : vo_lib.search.template_overlaps.Overlaps
            Correlations of neighbouring templates.

        Returns
        -------
        ndarray of complex64, shape (n,)
            For the templates that peak in each cell: the sum at the first level as the real part, that at the second as
            the imaginary part.
        """
        starts, inner = overlaps.starts, np.ones(overlaps.narrower.shape[1], bool)
        inner[starts] = False
        inner, total = np.flatnonzero(inner), np.zeros(2 * len(starts), np.float32)
        kernels = (
            scores.seen,
            scores.own,
            overlaps.one_sided,
            overlaps.beside,
            overlaps.narrower,
            overlaps.narrower_beside,
        )
        for signs, seen, own, one_sided, beside, narrower, within in zip(self._signs, *kernels, strict=True):
            parts = 1 - self._both(beside)
            parts -= self._any(narrower, within, starts, inner) * (1 - self._both(within.take(starts)))
            parts *= np.repeat(seen, 2)
            parts *= _between(signs, own, one_sided)
            total += parts
        return total.view(np.complex64)

    def _any(self, narrower, within, starts, inner):
        """Probability that one or more of the narrower templates of a cell pass if its template does."""
        passing = self._both(narrower)
        if len(inner):
            all_three = np.minimum(np.minimum(narrower.take(inner), narrower.take(inner - 1)), within.take(inner))
            passing = passing.view(np.complex64)
            passing[inner] -= self._both(all_three).view(np.complex64)
            passing = np.add.reduceat(passing, starts).view(np.float32)
        return passing

    def _both(self, correlation):
        """Probability that a template passes if a correlated one does; the values at the two levels alternate."""
        distance = np.sqrt(np.maximum(1 - np.maximum(correlation, 0.0), 0.0))
        return self._joint.take((distance * _STEPS + 0.5).astype(np.intp)).view(np.float32)


def _of_signs(kernel, alike, own, levels):
    """Fraction of the templates of a kernel that differ from other shapes, summed over its signs, shape (2, n)."""
    parts = np.full((2, len(own)), float(len(kernel.kinds)))
    for shape in alike.shape.values():
        # The template may correlate more with its own epoch.
        parts -= 1 - _at_levels(np.maximum(own, np.interp(own, alike.own, shape)), levels)
    return parts


def _between(tables, own, one_sided):
    """Interpolate between two tables, the second of which is for templates that see one side only."""
    place = (np.minimum(own, 1) * _STEPS).astype(np.intp)
    endless, two = (table.take(place) for table in tables)
    endless += one_sided * (two - endless)
    return endless.view(np.float32)


def _pairs(table):
    """Pack the values at both levels into one complex number, so that a single look-up gives both."""
    return np.ascontiguousarray(table.T, np.float32).view(np.complex64)[:, 0]


def _at_levels(correlation, levels):
    """Evaluate `fresh_part` at each of the levels, shape (n_levels, n)."""
    return np.array([fresh_part(correlation, level) for level in levels.tolist()])


@cache
def _rarity():
    """Minus the logarithm of the probability that a Gaussian exceeds each score of the grid."""
    return -np.log([0.5 * math.erfc(score / math.sqrt(2)) for score in _GRID.tolist()])


def _score_of_tail(log_probability):
    """Score that a Gaussian exceeds with a probability given by its logarithm; 0 for more than a half."""
    return np.interp(-log_probability, _rarity(), _GRID)


def thresholds(trials, levels, false_alarms):
    """Compute the scores that noise exceeds with the promised probability.

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
