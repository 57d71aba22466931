"""Ranges of periods, and frequency grids that miss no peak.

A peak of a periodogram is 1 / span wide in frequency, whatever its period, so grids are even in frequency with
several steps per peak. A grid that is even in period would skip the peaks of short periods.
"""

import math
import re

import numpy as np

from vo_lib.errors import ConfigError

__all__ = ["RANGES", "check_ranges", "clip_band", "frequency_grid", "join_bands", "parse_range", "period_band"]

# Units of a range [days].
UNITS = {"s": 1 / 86400, "min": 1 / 1440, "h": 1 / 24, "d": 1.0}
# Ranges by name [days]; ``short`` begins at the shortest period that the cadence of a lightcurve resolves.
RANGES = {
    "short": (None, UNITS["min"] * 10),
    "med": (UNITS["min"] * 10, UNITS["h"]),
    "long": (UNITS["h"], UNITS["h"] * 10),
    "hours": (UNITS["h"], 1.0),
    "days": (1.0, 1000.0),
}
# Cycles that the data must cover, since a longer period cannot be distinguished from a trend.
MIN_CYCLES = 2

_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
_RANGE = re.compile(rf"{_NUMBER}\s*-\s*{_NUMBER}\s*(s|min|h|d)")


def parse_range(text):
    """Parse a range of periods, given by name or as a text such as ``2-90 min``.

    Parameters
    ----------
    text : str
        A name in `RANGES`, or least and greatest period with a unit: s, min, h or d.

    Returns
    -------
    least, greatest : float or None
        Periods [days]; None for the shortest that a lightcurve resolves.

    Raises
    ------
    ConfigError
        If the text has another form, or the least period is not positive and below the greatest.
    """
    if text in RANGES:
        return RANGES[text]
    match = _RANGE.fullmatch(text.strip())
    if not match:
        raise ConfigError(
            f"'{text}' is not a range of periods; write {', '.join(RANGES)}, or for example '2-90 min' "
            f"(in s, min, h or d)"
        )
    least, greatest = (float(number) * UNITS[match[3]] for number in match.group(1, 2))
    if not 0 < least < greatest < math.inf:
        raise ConfigError(f"'{text}' is not a range of periods: the first must be positive and shorter than the second")
    return least, greatest


def check_ranges(ranges):
    """Raise `ConfigError` for a text in the configuration's ``periods.ranges`` that is not a range of periods."""
    for text in ranges:
        try:
            parse_range(text)
        except ConfigError as error:
            raise ConfigError(f"configuration: periods.ranges: {error}") from None


def period_band(freq_space, time):
    """Convert a range of periods to a band of frequencies.

    Parameters
    ----------
    freq_space : str or pair of float
        Text, see `parse_range`, or least and greatest period [days].
    time : ndarray of float, shape (n_epochs,)
        Increasing times [days]. The range ``short`` begins at twice their median step, since the periodogram of
        even sampling repeats itself at shorter periods.

    Returns
    -------
    low, high : float
        Frequencies [1/d]; both NaN if ``short`` has nothing between twice the step and 10 min.

    Raises
    ------
    ConfigError
        If the range is invalid.
    """
    least, greatest = parse_range(freq_space) if isinstance(freq_space, str) else freq_space
    if least is None:
        steps = np.diff(time)
        least = 2 * float(np.median(steps[steps > 0])) if (steps > 0).any() else math.inf
        if least >= greatest:
            return math.nan, math.nan
    if not 0 < least < greatest < math.inf:
        raise ConfigError(f"periods from {least} to {greatest} d are not a range: both must be positive and in order")
    return 1 / greatest, 1 / least


def clip_band(band, span):
    """Restrict a band to periods that fit into the data at least twice.

    Parameters
    ----------
    band : tuple of float
        Least and greatest frequency [1/d], or NaN.
    span : float
        Time from the first to the last epoch [days].

    Returns
    -------
    tuple of float, or None
        Least and greatest frequency; None where nothing is left.
    """
    low, high = band
    if not span > 0 or not high * span > MIN_CYCLES:
        return None
    return max(low, MIN_CYCLES / span), high


def join_bands(bands):
    """Merge overlapping bands, so that no frequency is tried or counted twice.

    Parameters
    ----------
    bands : iterable of tuple of float
        Least and greatest frequency of each [1/d].

    Returns
    -------
    list of tuple of float
        Bands that do not touch, in increasing order; empty without bands.
    """
    joined = []
    for low, high in sorted(bands):
        if joined and low <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        else:
            joined.append((low, high))
    return joined


def frequency_grid(band, step, *, max_frequencies):
    """Make an even grid of frequencies over a band, including its ends.

    Parameters
    ----------
    band : tuple of float
        Least and greatest frequency [1/d].
    step : float
        Greatest step [1/d].
    max_frequencies : int
        Greatest length.

    Returns
    -------
    ndarray of float, shape (n_frequencies,)
        Increasing, in steps of at most `step`.

    Raises
    ------
    ConfigError
        If the grid takes more frequencies than allowed.
    """
    low, high = band
    number = math.ceil((high - low) / step) + 1
    if number > max_frequencies:
        raise ConfigError(
            f"periods from {1 / high:.6g} to {1 / low:.6g} d take {number:,} frequencies of {step:.3g}/d for this "
            f"lightcurve, more than periods.max_frequencies {max_frequencies:,}; search longer periods or allow more"
        )
    return np.linspace(low, high, number)
