"""How often noise alone passes the matched filter, and the threshold for a promised rate.

Noise makes the score of each template a Gaussian of unit variance, but neighbouring templates see much the same
noise. Where the score passes a level u at one template, it does so at neighbours that correlate with it by r as well,
so that of many templates in a row a part ``2 Phi(u sqrt((1 - r) / (1 + r))) - 1`` begins a new excursion. For templates
that differ in several ways the parts are multiplied. For dense templates this is the leading term of the expected
Euler characteristic of a smooth field (Adler & Taylor 2007, doi:10.1007/978-0-387-48116-6), for independent ones
the sum of their probabilities.
"""

import math

import numpy as np

__all__ = ["LEVELS", "FreshParts", "fresh_part", "thresholds"]

# Levels at which trials are counted; between them, and up to `HIGHEST`, their logarithm follows straight lines.
LEVELS = np.array([2.0, 4.5, 7.0])
HIGHEST = 9.0
# Steps of tables of a correlation.
_OWN_STEPS = 1024


def _normal_cdf(x):
    """Distribution function of the normal law."""
    return np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in np.ravel(x).tolist()]).reshape(np.shape(x))


def fresh_part(correlation):
    """Part of the templates above each level that begin an excursion.

    Parameters
    ----------
    correlation : ndarray of float, shape (n,)
        Correlation of each template with its neighbour, 0 to 1.

    Returns
    -------
    ndarray of float, shape (n_levels, n)
        For each of `LEVELS`.
    """
    distance = np.sqrt((1 - correlation) / (1 + correlation))
    return 2 * _normal_cdf(LEVELS[:, None] * distance) - 1


class FreshParts:
    """Parts of the templates of a bank that begin an excursion above each of `LEVELS`.

    Parameters
    ----------
    kernels : sequence of vo_lib.template_bank.Kernel
        Shapes of the bank.
    overlap : float
        Correlation of neighbouring widths.
    """

    levels = LEVELS

    def __init__(self, kernels, overlap):
        own, self._tables = np.linspace(0, 1, _OWN_STEPS + 1), []
        for place, kernel in enumerate(kernels):
            neighbours = len(kernel.kinds) * fresh_part(np.maximum(own, overlap))
            if place:
                neighbours *= fresh_part(np.maximum(own, kernel.likeness))
            self._tables.append((fresh_part(np.clip(kernel.lags, 0, 1)), neighbours))

    def of(self, number, lag, own):
        """Parts of some templates of a kernel, of all its signs together.

        Parameters
        ----------
        number : int
            Place of the kernel.
        lag : ndarray of float, shape (n,)
            Steps since the template before, see `vo_lib.template_bank.Kernel.lags`; infinity without one.
        own : ndarray of float, shape (n,)
            Correlation of each template with the epochs at its peak alone, 0 to 1: as much alike it is to templates of
            other widths and shapes at least.

        Returns
        -------
        ndarray of float, shape (n_levels, n)
        """
        lags, neighbours = self._tables[number]
        parts = lags.take(np.minimum(lag, lags.shape[1] - 1).astype(np.int64), axis=1)
        parts *= neighbours.take((own * _OWN_STEPS).astype(np.int64), axis=1)
        return parts


def thresholds(trials, false_alarms):
    """Score that noise passes as often as promised.

    Parameters
    ----------
    trials : ndarray of float, shape (n_levels, n_lightcurves)
        Independent trials, of one sign each, at each of `LEVELS`.
    false_alarms : float
        Probability of one false detection or more in a lightcurve, above 0 and below 1.

    Returns
    -------
    ndarray of float, shape (n_lightcurves,)
        Thresholds, at least the first of `LEVELS`; infinity without trials.
    """
    if not 0 < false_alarms < 1:
        raise ValueError(f"false_alarms must be above 0 and below 1, got {false_alarms!r}")
    promised, grid = -math.log1p(-false_alarms), np.linspace(LEVELS[0], HIGHEST, 701)
    tail = np.log([0.5 * math.erfc(u / math.sqrt(2)) for u in grid.tolist()])
    place = np.clip(np.searchsorted(LEVELS, grid, side="right") - 1, 0, len(LEVELS) - 2)
    share = ((grid - LEVELS[place]) / np.diff(LEVELS)[place])[:, None]
    logs = np.log(np.maximum(trials, 1e-300))
    expected = logs[place] * (1 - share) + logs[place + 1] * share + tail[:, None] - math.log(promised)
    # The last point of the grid at which more is expected than promised, and from there on a straight line.
    last = len(grid) - 1 - np.argmax(expected[::-1] > 0, axis=0)
    line, after = np.arange(trials.shape[1]), np.minimum(last + 1, len(grid) - 1)
    high, low = expected[last, line], expected[after, line]
    step = np.divide(high, high - low, out=np.zeros(len(line)), where=(high > 0) & (high > low))
    found = grid[last] + np.clip(step, 0, 1) * (grid[after] - grid[last])
    return np.where(trials[0] > 0, np.where((expected > 0).any(axis=0), found, grid[0]), np.inf)
