"""Aliases: periods that the times of the epochs cannot distinguish from the one that was found."""

from typing import NamedTuple

import numpy as np

from vo_lib.periods.frequencies import MIN_CYCLES

__all__ = ["Alias", "aliases", "harmonics", "window_line", "window_lines"]

# Frequencies of the pauses of surveys [1/d]: the solar day, the sidereal day (86164.0905 s), the Moon (synodic month of
# 29.530589 d) and the year (tropical, 365.24219 d).
SIDEREAL = 86400 / 86164.0905
LINES = (
    *(("day", float(number)) for number in (1, 2, 3)),
    *(("sidereal day", number * SIDEREAL) for number in (1, 2, 3)),
    ("month", 1 / 29.530589),
    ("year", 1 / 365.24219),
)
# Least power of the window at which a line makes aliases worth reporting.
MIN_WINDOW = 0.1
# A period is as good as another if their chi-squares (in units of the noise) differ by less: odds of exp(5) = 150.
MAX_DELTA_CHI2 = 10.0
# Positions within a peak at which the power is computed, in units of its width 1 / span.
_PLACES = np.linspace(-0.5, 0.5, 11)


class Alias(NamedTuple):
    """A period that may be the true one instead of the best.

    Parameters
    ----------
    name : str
        Line of the sampling: ``cadence``, ``day``, ``sidereal day``, ``month`` or ``year``; for harmonics the factor of
        the frequency, such as ``x 2`` or ``/ 2``.
    period : float
        The period [days].
    power : float
        Power of the periodogram there.
    delta_chi2 : float
        Chi-square minus that of the best period, in units of the noise.
    """

    name: str
    period: float
    power: float
    delta_chi2: float


def window_lines(sinusoids):
    """Find the lines of the sampling: frequencies at which the power of its window is high.

    Parameters
    ----------
    sinusoids : Sinusoids
        The lightcurve.

    Returns
    -------
    list of tuple of (str, float)
        Name and frequency [1/d]; only lines with a power of at least `MIN_WINDOW` at their highest point and with more
        than two cycles in the data.

    Notes
    -----
    The frequency of the median time step is a line too, ``cadence``: even sampling cannot distinguish periods below
    twice the step from longer ones.
    """
    lines = [(name, frequency) for name, frequency in LINES if frequency * sinusoids.span > MIN_CYCLES]
    cadence = 1 / sinusoids.cadence
    if all(abs(cadence - frequency) * sinusoids.span > 1 for _, frequency in lines):
        lines.append(("cadence", cadence))
    near = _PLACES / sinusoids.span
    return [(name, frequency) for name, frequency in lines if sinusoids.window(frequency + near).max() >= MIN_WINDOW]


def window_line(frequency, lines, span):
    """Return the name of the window line that a frequency is at, where a trend may cause a peak; empty if none.

    Parameters
    ----------
    frequency : float
        The best frequency [1/d].
    lines : list
        See `window_lines`.
    span : float
        Time from the first to the last epoch [days].
    """
    distances = [(abs(frequency - line), name) for name, line in lines if abs(frequency - line) * span <= 1]
    return min(distances)[1] if distances else ""


def aliases(sinusoids, frequency, power, lines):
    """Compute the power at frequencies that differ from the best by a line of the window.

    Parameters
    ----------
    sinusoids : Sinusoids
        The lightcurve.
    frequency, power : float
        The best frequency [1/d] and its power.
    lines : list
        See `window_lines`.

    Returns
    -------
    list of Alias
        By falling power; those of at most 1.5 cycles in the data, or in the peak itself, are left out.
    """
    places = [(name, abs(frequency + sign * line)) for name, line in lines for sign in (1, -1)]
    apart = [(name, place) for name, place in places if abs(place - frequency) * sinusoids.span > 1]
    return _alternatives(sinusoids, apart, power)


def harmonics(sinusoids, frequency, power):
    """Compute the power at a half, a third, twice and three times the best frequency.

    Parameters
    ----------
    sinusoids : Sinusoids
        The lightcurve.
    frequency, power : float
        The best frequency [1/d] and its power.

    Returns
    -------
    list of Alias
        By falling power; those of at most 1.5 cycles in the data are left out.
    """
    places = [(f"{sign} {number}", frequency * number**one) for sign, one in (("x", 1), ("/", -1)) for number in (2, 3)]
    return _alternatives(sinusoids, places, power)


def _alternatives(sinusoids, places, power):
    """Find the highest power near each named frequency."""
    places = [(name, frequency) for name, frequency in places if frequency * sinusoids.span > 1.5]
    if not places:
        return []
    grid = np.array([frequency for _, frequency in places])[:, None] + _PLACES / sinusoids.span
    powers = sinusoids.power(grid.ravel()).reshape(grid.shape)
    best = powers.argmax(axis=1)
    scale = (sinusoids.n_epochs - 3 * sinusoids.n_bands) / max(1 - power, np.finfo(float).eps)
    found = []
    for (name, _), periods, heights, place in zip(places, 1 / grid, powers, best, strict=True):
        height = float(heights[place])
        found.append(Alias(name, float(periods[place]), height, scale * (power - height)))
    return sorted(found, key=lambda alias: -alias.power)
