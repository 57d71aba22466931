"""The periodogram of one lightcurve: its best period, how certain it is, and what it may be confused with."""

import math
from typing import NamedTuple

import numpy as np

from vo_lib.dataset import Dataset
from vo_lib.periods.aliases import aliases, harmonics, window_line, window_lines
from vo_lib.periods.frequencies import clip_band, frequency_grid, period_band
from vo_lib.periods.peaks import bootstrap_fap, highest_peak, scan, usable_epochs
from vo_lib.periods.sinusoids import MIN_EPOCHS, Sinusoids

__all__ = ["STATUSES", "PeriodogramStats", "get_periodogram_stats"]

# Outcomes of a search: of the whole range; of periods up to half the span only; and reasons for no result.
STATUSES = ("ok", "clipped", "too short", "too few epochs", "constant")

# Columns of times and their units in days; columns of fluxes and those of their errors.
TIMES = {"bmjd_tdb": 1.0, "mjd": 1.0, "times": 1 / 86400}
FLUXES = {"flux": "fluxerr", "counts": None}


class _Stats(NamedTuple):
    """The seven values of the tuple."""

    periods: np.ndarray
    power: np.ndarray
    mean: float
    std: float
    three_sigma: float
    significant_periods: np.ndarray
    significant_powers: np.ndarray


class PeriodogramStats(_Stats):
    """Periodogram of one range: a tuple of the first seven values, with the others as attributes.

    Parameters
    ----------
    periods, power : ndarray of float, shape (n_frequencies,)
        Periods in increasing order [days] and the fraction of chi-square that a sinusoid removes.
    mean, std, three_sigma : float
        Mean and standard deviation of the powers, and mean + 3 std. Noise nearly always exceeds this
        somewhere; use `fap` to judge whether a peak is real.
    significant_periods, significant_powers : ndarray of float
        Where the power is above `three_sigma`.
    best_period, best_period_err, best_power : float
        Highest peak, with a period refined between those of the grid [days]; the error holds if it is the right peak.
    fap, fap_bootstrap : float
        Probability that noise has a peak as high in this range, by formula and by shuffles (NaN unless requested).
    semi_amplitude, time_of_maximum : float
        Semi-amplitude of the sinusoid, in units of the flux, and first time of its maximum [days].
    window_power : float
        Power of the sampling window at the best period.
    alias_of : str
        Line of the window that the best period is at, such as ``day``; empty if none.
    aliases, harmonics : list of Alias
        Periods that the sampling confuses with the best one, and multiples or fractions of it, by falling power.
    status : str
        One of `STATUSES`. Results are NaN, and lists empty, unless it is ``ok`` or ``clipped``;
        a constant flux has powers of 0 and a false-alarm probability of 1.
    """

    def __new__(cls, values, **attributes):
        """Create the tuple of seven values, with the rest as attributes."""
        stats = super().__new__(cls, *values)
        vars(stats).update(attributes)
        return stats

    def __getnewargs__(self):
        """Return what `__new__` takes when a copy is made or a pickle is read; attributes are restored after it."""
        return (tuple(self),)


def get_periodogram_stats(dataset, freq_space, *, oversampling=5, max_frequencies=1_000_000, bootstrap=0, seed=0):
    """Search one lightcurve for a period in a range.

    Parameters
    ----------
    dataset : tuple, Dataset, structured array, dict of arrays or pandas.DataFrame
        (times [days], values, errors or None); or columns ``bmjd_tdb`` or ``mjd`` [days] or ``times`` [s], and
        ``flux`` with ``fluxerr``, or ``counts``, which have equal weights. Epochs with values that are not finite
        or with errors that are not positive are left out.
    freq_space : str or tuple of float
        ``short``, ``med``, ``long``, ``hours``, ``days``, a text such as ``2-90 min``, or least and greatest period
        [days].
    oversampling : float, optional
        Grid steps per 1 / span.
    max_frequencies : int, optional
        Greatest number of frequencies.
    bootstrap : int, optional
        Number of shuffles of the epochs for `fap_bootstrap`; 0 for none.
    seed : int, optional
        Seed of the shuffles.

    Returns
    -------
    PeriodogramStats

    Raises
    ------
    ValueError
        If a column is missing.
    ConfigError
        If the range is invalid or takes too many frequencies.
    """
    time, flux, error = usable_epochs(*_columns(dataset))
    asked = period_band(freq_space, time)
    if len(time) < MIN_EPOCHS:
        return _nothing("too few epochs")
    span = time[-1] - time[0]
    band = clip_band(asked, span)
    if band is None:
        return _nothing("too short")
    options = {"oversampling": oversampling, "max_frequencies": max_frequencies}
    if np.ptp(flux) == 0:
        periods = 1 / frequency_grid(band, 1 / span / oversampling, max_frequencies=max_frequencies)[::-1]
        return _nothing("constant", periods, fap=1.0)
    sinusoids = Sinusoids([(time, flux, error)])
    frequency, power = scan(sinusoids, [band], **options)
    peak = highest_peak(sinusoids, [band], frequency, power)
    found = _attributes(sinusoids, peak)
    if bootstrap:
        found["fap_bootstrap"] = bootstrap_fap(sinusoids, [band], power.max(), bootstrap, (seed,), **options)
    status = "ok" if band == asked else "clipped"
    return PeriodogramStats(_seven(1 / frequency[::-1], power[::-1]), **found, status=status)


def _columns(dataset):
    """Return times [days], values, and errors or None of any kind of lightcurve."""
    if isinstance(dataset, tuple | list):
        return (*dataset, None)[:3]
    table = dataset.data if isinstance(dataset, Dataset) else dataset
    names = table.dtype.names if isinstance(table, np.ndarray) else list(table)
    time = next((name for name in TIMES if name in names), None)
    flux = next((name for name in FLUXES if name in names), None)
    if time is None or flux is None:
        raise ValueError(
            f"a lightcurve needs a column {' or '.join(TIMES)} and one {' or '.join(FLUXES)}; it has {', '.join(names)}"
        )
    error = FLUXES[flux]
    return np.asarray(table[time]) * TIMES[time], table[flux], table[error] if error in names else None


def _attributes(sinusoids, peak):
    """Return the attributes for the highest peak."""
    lines = window_lines(sinusoids)
    return {f"best_{name}": getattr(peak, name) for name in ("period", "period_err", "power")} | {
        "fap": peak.fap,
        "fap_bootstrap": math.nan,
        "semi_amplitude": peak.semi_amplitude,
        "time_of_maximum": peak.time_of_maximum,
        "window_power": peak.window_power,
        "alias_of": window_line(peak.frequency, lines, sinusoids.span),
        "aliases": aliases(sinusoids, peak.frequency, peak.power, lines),
        "harmonics": harmonics(sinusoids, peak.frequency, peak.power),
    }


def _seven(periods, power):
    """Return the seven values of the tuple."""
    if not len(power):
        return periods, power, math.nan, math.nan, math.nan, periods, power
    mean, std = float(np.mean(power)), float(np.std(power))
    high = power > mean + 3 * std
    return periods, power, mean, std, mean + 3 * std, periods[high], power[high]


def _nothing(status, periods=(), fap=math.nan):
    """Return a result without a best period."""
    names = ("best_period", "best_period_err", "best_power", "fap_bootstrap", "semi_amplitude", "time_of_maximum")
    unknown = dict.fromkeys((*names, "window_power"), math.nan)
    values = _seven(np.array(periods, float), np.zeros(len(periods)))
    return PeriodogramStats(values, **unknown, fap=fap, alias_of="", aliases=[], harmonics=[], status=status)
