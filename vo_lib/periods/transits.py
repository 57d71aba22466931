"""Periodic dips: box least squares, with the number of trials accounted for.

Durations are fractions of the period, to within a fifth. Each half octave of periods and each fraction has its own
grid, as fine as its boxes require, and the false-alarm probability counts the boxes of these grids.
"""

import math
from typing import NamedTuple

import numpy as np

from vo_lib.periods.false_alarm import box_fap
from vo_lib.periods.frequencies import frequency_grid

__all__ = ["Box", "count_boxes", "measure_box", "search_boxes"]

# Grid steps per duration: in phase, and in the drift of phase over the whole span.
PHASE_STEPS = 5
DRIFT_STEPS = 2


class Box(NamedTuple):
    """The dip of greatest S/N.

    Parameters
    ----------
    period, duration : float
        Period and full duration [days].
    time : float
        Middle of the first dip, not before the first epoch [days].
    depth, depth_err : float
        Mean flux outside minus mean flux inside, and its error from those of the flux alone.
    snr : float
        Depth over its error.
    fap : float
        See `vo_lib.periods.false_alarm.box_fap`.
    n_inside, n_dips : int
        Number of epochs inside, and of dips with epochs.
    """

    period: float = math.nan
    duration: float = math.nan
    time: float = math.nan
    depth: float = math.nan
    depth_err: float = math.nan
    snr: float = math.nan
    fap: float = math.nan
    n_inside: int = 0
    n_dips: int = 0


def search_boxes(time, flux, error, bands, *, fractions=(0.02, 0.05, 0.1), max_frequencies=1_000_000):
    """Search a lightcurve for the periodic dip of greatest S/N.

    Parameters
    ----------
    time, flux, error : ndarray of float, shape (n_epochs,)
        Times [days], flux and its error; finite, errors positive.
    bands : sequence of tuple of float
        Least and greatest frequency of each band [1/d].
    fractions : sequence of float, optional
        Durations as fractions of the period, between 0 and 0.5.
    max_frequencies : int, optional
        Greatest number of frequencies in one grid.

    Returns
    -------
    Box
        NaN for fewer than four epochs, for a constant flux, without bands, and without any dip.

    Raises
    ------
    ConfigError
        If a grid takes more frequencies than allowed.

    Notes
    -----
    Uses `astropy.timeseries.BoxLeastSquares` (Kovacs et al. 2002, doi:10.1051/0004-6361:20020802) with S/N as the
    objective. Depth, error and numbers are measured again from the epochs, without the phase bins of the search.
    """
    if len(time) < 4 or np.ptp(flux) == 0 or not bands:
        return Box()
    from astropy.timeseries import BoxLeastSquares

    # In units of the typical error, since astropy skips boxes of little weight in absolute terms.
    model = BoxLeastSquares(time - time.min(), flux / np.median(error), error / np.median(error))
    blocks = _blocks(bands, np.ptp(time), fractions, max_frequencies)
    best = max((_search_block(model, *block) for block in blocks), key=lambda found: found[0])
    if not math.isfinite(best[0]):
        return Box()
    box = measure_box(time, flux, error, period=best[1], duration=best[2], middle=time.min() + best[3])
    weight = error**-2.0
    chi2 = float(weight @ (flux - np.average(flux, weights=weight)) ** 2)
    return box._replace(fap=box_fap(box.snr, chi2, n_epochs=len(time), grids=count_boxes(time, blocks)))


def _blocks(bands, span, fractions, max_frequencies):
    """Make the frequencies and duration of each grid: at most half an octave, in steps that the duration requires."""
    blocks = []
    for low, high in bands:
        edges = np.geomspace(low, high, max(1, math.ceil(2 * math.log2(high / low) - 1e-9)) + 1)
        for part in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            for duration in (fraction / math.sqrt(part[0] * part[1]) for fraction in fractions):
                step = duration * part[0] / DRIFT_STEPS / span
                blocks.append((frequency_grid(part, step, max_frequencies=max_frequencies), duration))
    return blocks


def _search_block(model, frequency, duration):
    """Return S/N, period, duration and middle of the best box of one grid."""
    found = model.power(1 / frequency, duration, objective="snr", oversample=PHASE_STEPS)
    # The power is the S/N. It is minus infinity at periods without a dip, where all else is uninitialised memory.
    best = int(np.argmax(found.power))
    return float(found.power[best]), float(found.period[best]), duration, float(found.transit_time[best])


def count_boxes(time, blocks):
    """Count the boxes of each grid, and determine how much neighbours differ.

    Parameters
    ----------
    time : ndarray of float, shape (n_epochs,)
        Times [days].
    blocks : sequence of tuple
        Frequencies [1/d] and duration [days] of each grid.

    Returns
    -------
    list of tuple
        Number of boxes; the fractions of a box that its neighbours in phase and in frequency do not cover; mean
        number of epochs in a box.
    """
    # From one frequency to the next, epochs move in phase by their distance from the middle times the step.
    lever = float(np.mean(np.abs(time - np.median(time))))
    grids = []
    for frequency, duration in blocks:
        number = float(np.sum(1 / frequency)) * PHASE_STEPS / duration
        step = (frequency[-1] - frequency[0]) / max(len(frequency) - 1, 1)
        fraction = duration * float(np.mean(frequency))
        grids.append((number, (1 / PHASE_STEPS, lever * step / fraction), len(time) * fraction))
    return grids


def measure_box(time, flux, error, *, period, duration, middle):
    """Measure the depth of a periodic dip with a known period and time.

    Parameters
    ----------
    time, flux, error : ndarray of float, shape (n_epochs,)
        Times [days], flux and its error.
    period, duration, middle : float
        Period, full duration and the middle of any dip [days].

    Returns
    -------
    Box
        Without false-alarm probability; depth and S/N are NaN if no epochs are inside or none outside.
    """
    cycle = np.floor((time - middle + duration / 2) / period)
    inside = (time - middle + duration / 2) - cycle * period < duration
    first = middle + math.ceil((time.min() - middle) / period) * period
    box = Box(period, duration, float(first), n_inside=int(inside.sum()), n_dips=len(np.unique(cycle[inside])))
    if not inside.any() or inside.all():
        return box
    weight = error**-2.0
    means = [np.average(flux[part], weights=weight[part]) for part in (~inside, inside)]
    depth = float(means[0] - means[1])
    depth_err = math.sqrt(1 / weight[inside].sum() + 1 / weight[~inside].sum())
    return box._replace(depth=depth, depth_err=depth_err, snr=depth / depth_err)
