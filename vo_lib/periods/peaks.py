"""The highest peak of a periodogram: its position, and how often noise has one as high."""

from typing import NamedTuple

import numpy as np

from vo_lib.periods.false_alarm import sine_fap
from vo_lib.periods.frequencies import frequency_grid
from vo_lib.periods.sinusoids import Sinusoids
from vo_lib.randoms import uniforms

__all__ = ["Peak", "bootstrap_fap", "highest_peak", "scan", "usable_epochs"]


# For even epochs and a grid of five frequencies per 1 / span, a peak may be higher between the frequencies by up to
# 1 - sinc(0.1)^2 = 3 %. Peaks that are lower on the grid by less than this may be the highest; so many are examined.
_GRID_LOSS = 0.05
_MOST_RIVALS = 10


class Peak(NamedTuple):
    """The highest peak of a periodogram.

    Parameters
    ----------
    period, period_err, frequency : float
        Period and its error, valid if it is the right peak [days], and frequency [1/d].
    power : float
        Fraction of chi-square that the sinusoid removes.
    fap : float
        See `vo_lib.periods.false_alarm.sine_fap`.
    window_power : float
        Power of the sampling window at the frequency.
    semi_amplitude, time_of_maximum : float
        Semi-amplitude of the sinusoid, in units of the flux, and first time of its maximum [days]; NaN for several
        filters.
    """

    period: float
    period_err: float
    frequency: float
    power: float
    fap: float
    window_power: float
    semi_amplitude: float
    time_of_maximum: float


def usable_epochs(time, flux, error=None):
    """Select the epochs that a search can use, in order of time.

    Parameters
    ----------
    time, flux : array_like of float, shape (n_epochs,)
        Times [days] and fluxes.
    error : array_like of float, shape (n_epochs,), optional
        Errors of the fluxes.

    Returns
    -------
    time, flux, error : ndarray of float
        Finite values, with positive errors (or None), by increasing time.

    Raises
    ------
    ValueError
        If their lengths differ.
    """
    time, flux = (np.array(values, float) for values in (time, flux))
    error = None if error is None else np.array(error, float)
    if len(shapes := {values.shape for values in (time, flux, error) if values is not None}) > 1:
        raise ValueError(f"times, values and errors must have the same length, got {sorted(shapes)}")
    usable = np.isfinite(time) & np.isfinite(flux)
    if error is not None:
        usable &= np.isfinite(error) & (error > 0)
    rows = np.flatnonzero(usable)
    rows = rows[np.argsort(time[rows], kind="stable")]
    return time[rows], flux[rows], None if error is None else error[rows]


def scan(sinusoids, bands, *, oversampling, max_frequencies):
    """Compute powers on the frequency grids of some bands.

    Parameters
    ----------
    sinusoids : Sinusoids
        The lightcurve.
    bands : sequence of tuple of float
        Least and greatest frequency of each [1/d].
    oversampling, max_frequencies
        See `get_periodogram_stats`.

    Returns
    -------
    frequency, power : ndarray of float, shape (n_frequencies,)
        Frequencies [1/d], band after band.
    """
    step = 1 / sinusoids.span / oversampling
    grids = [frequency_grid(band, step, max_frequencies=max_frequencies) for band in bands]
    return np.concatenate(grids), np.concatenate([sinusoids.power(grid, even=True) for grid in grids])


def highest_peak(sinusoids, bands, frequency, power):
    """Measure the highest peak.

    Parameters
    ----------
    sinusoids : Sinusoids
        The lightcurve.
    bands : sequence of tuple of float
        Bands that were searched [1/d].
    frequency, power : ndarray of float, shape (n_frequencies,)
        See `scan`.

    Returns
    -------
    Peak
    """
    refined = [_refine(sinusoids, float(frequency[row]), 1 / sinusoids.span / 5) for row in _rivals(power)]
    # Among aliases of equal height, up to rounding, the one of the lowest frequency comes first and is taken.
    best, height = max(refined, key=lambda peak: round(peak[1], 9))
    fap = sine_fap(
        sinusoids.unscaled_power(best),
        n_epochs=sinusoids.n_epochs,
        bandwidth=sum(high - low for low, high in bands),
        effective_span=sinusoids.effective_span,
        n_bands=sinusoids.n_bands,
    )
    window = float(sinusoids.window(np.array([best]))[0])
    fit = sinusoids.fit(best) if sinusoids.n_bands == 1 else (np.nan, np.nan)
    return Peak(1 / best, sinusoids.frequency_error(height) / best**2, best, height, fap, window, *fit)


def _rivals(power):
    """Return the rows of the grid that may be the highest peak, in increasing order."""
    before, after = np.append(-np.inf, power[:-1]), np.append(power[1:], -np.inf)
    peaks = np.flatnonzero((power >= before) & (power > after) & (power >= (1 - _GRID_LOSS) * power.max()))
    return np.sort(peaks[np.argsort(-power[peaks], kind="stable")[:_MOST_RIVALS]])


def _refine(sinusoids, frequency, step):
    """Find the highest point of a peak within a step, to a thousandth of the step, and its power."""
    for _ in range(3):
        near = frequency + step * np.linspace(-1, 1, 21)
        frequency, step = float(near[np.argmax(sinusoids.power(near))]), step / 10
    return frequency, sinusoids.measured_power(frequency)


def bootstrap_fap(sinusoids, bands, power, number, key, **options):
    """Compute the fraction of shuffled lightcurves with a peak as high.

    Parameters
    ----------
    sinusoids : Sinusoids
        The lightcurve; in each filter, fluxes with their errors are randomly reassigned to the times.
    bands : sequence of tuple of float
        Least and greatest frequency of each [1/d].
    power : float
        Highest power of `scan`, with which that of the shuffled lightcurves is compared.
    number : int
        Number of shuffles.
    key : sequence of int
        Key that the random numbers depend on.
    **options
        See `scan`.

    Returns
    -------
    float
        (1 + shuffles with a peak as high) / (1 + shuffles).
    """
    higher = 0
    for turn in range(number):
        shuffled = []
        for index, (time, flux, error) in enumerate(sinusoids.bands):
            order = np.argsort(uniforms(*key, turn, index, np.arange(len(time))))
            shuffled.append((time, flux[order], None if error is None else error[order]))
        higher += int(scan(Sinusoids(shuffled), bands, **options)[1].max() >= power)
    return (1 + higher) / (1 + number)
