"""The highest peak of a periodogram: where it is, and how often noise has one as high."""

from typing import NamedTuple

import numpy as np

from vo_lib.periods.false_alarm import sine_fap
from vo_lib.periods.frequencies import frequency_grid
from vo_lib.periods.sinusoids import Sinusoids
from vo_lib.randoms import uniforms

__all__ = ["Peak", "bootstrap_fap", "highest_peak", "scan", "usable_epochs"]


# Between the frequencies of a grid of five in 1 / span a peak of even epochs is higher by up to 1 - sinc(0.1)^2 = 3 %.
# Peaks that are lower on the grid by less than this may be the highest; so many are looked at.
_GRID_LOSS = 0.05
_MOST_RIVALS = 10


class Peak(NamedTuple):
    """The highest peak of a periodogram.

    Parameters
    ----------
    period, period_err, frequency : float
        Period and its error if it is the right peak [days], and frequency [1/d].
    power : float
        Share of chi-square that the sinusoid takes away.
    fap : float
        See `vo_lib.periods.false_alarm.sine_fap`.
    window_power : float
        Power of the sampling at the frequency.
    semi_amplitude, time_of_maximum : float
        Of the sinusoid, in units of the flux and [days]; NaN for several filters.
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
    """Epochs in order of time without those that a search cannot use.

    Parameters
    ----------
    time, flux : array_like of float, shape (n_epochs,)
        Times [days] and fluxes.
    error : array_like of float, shape (n_epochs,), optional
        Errors of the fluxes.

    Returns
    -------
    time, flux, error : ndarray of float
        Finite, with positive errors (or None), by increasing time.

    Raises
    ------
    ValueError
        If their lengths differ.
    """
    time, flux = (np.array(values, float) for values in (time, flux))
    error = None if error is None else np.array(error, float)
    if len(shapes := {values.shape for values in (time, flux, error) if values is not None}) > 1:
        raise ValueError(f"times, values and errors must be of one length, got {sorted(shapes)}")
    usable = np.isfinite(time) & np.isfinite(flux)
    if error is not None:
        usable &= np.isfinite(error) & (error > 0)
    rows = np.flatnonzero(usable)
    rows = rows[np.argsort(time[rows], kind="stable")]
    return time[rows], flux[rows], None if error is None else error[rows]


def scan(sinusoids, bands, *, oversampling, max_frequencies):
    """Powers on the grids of some bands.

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
    # Of aliases that are as high, but for rounding, the one of the lowest frequency stands first.
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
    """Rows of the grid that may be the highest peak, in their order."""
    before, after = np.append(-np.inf, power[:-1]), np.append(power[1:], -np.inf)
    peaks = np.flatnonzero((power >= before) & (power > after) & (power >= (1 - _GRID_LOSS) * power.max()))
    return np.sort(peaks[np.argsort(-power[peaks], kind="stable")[:_MOST_RIVALS]])


def _refine(sinusoids, frequency, step):
    """Highest place of a peak within a step and its power, to a thousandth of the step."""
    for _ in range(3):
        near = frequency + step * np.linspace(-1, 1, 21)
        frequency, step = float(near[np.argmax(sinusoids.power(near))]), step / 10
    return frequency, sinusoids.measured_power(frequency)


def bootstrap_fap(sinusoids, bands, power, number, key, **options):
    """Share of shuffled lightcurves with a peak as high.

    Parameters
    ----------
    sinusoids : Sinusoids
        The lightcurve; fluxes and errors are dealt anew to the times of each filter.
    bands : sequence of tuple of float
        Least and greatest frequency of each [1/d].
    power : float
        Highest power of `scan`, as that of the shuffled ones is.
    number : int
        Shuffles.
    key : sequence of int
        What the random numbers depend on.
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
