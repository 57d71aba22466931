"""Registry of lightcurve statistics, and their computation for many lightcurves at once.

A statistic is a function of a `vo_lib.measures.sample.Sample`. To add one, write it in `vo_lib.measures.brightness` or
`vo_lib.measures.variability`; tables, database and documentation take it from the registry.
"""

import numpy as np

from vo_lib.measures.brightness import BRIGHTNESS
from vo_lib.measures.sample import Sample, Statistic
from vo_lib.measures.variability import VARIABILITY
from vo_lib.segments import starts_from_counts

__all__ = ["COUNT_STATISTICS", "STATISTICS", "measure", "measure_counts"]

# Statistics by name.
STATISTICS = BRIGHTNESS | VARIABILITY
# Statistics of lightcurves of event counts, under their names in the tables of such lightcurves.
COUNT_STATISTICS = {
    entry.name: entry
    for entry in (
        Statistic("total", "", "number of events", 1, "", lambda s: s.sum(s.flux)),
        Statistic("mean", "", "mean number of an epoch", 1, "", lambda s: s.flux_mean),
        Statistic("mu", "", "standard deviation of a Poisson law, sqrt(mean)", 1, "", lambda s: np.sqrt(s.flux_mean)),
        Statistic("stdev", "", "standard deviation (divisor n - 1)", 2, "", lambda s: np.sqrt(s.variance)),
        Statistic("poisson_factor", "", "stdev over mu", 2, "", lambda s: np.sqrt(s.variance / s.flux_mean)),
        VARIABILITY["pearson_r"],
        VARIABILITY["pearson_p"],
    )
}
# Epochs processed at a time: many, to reduce the overhead of calls, but few enough for the cache.
_BLOCK = 1 << 17


def measure(time, flux, error, starts, statistics=None):
    """Compute statistics of many lightcurves.

    Parameters
    ----------
    time : ndarray of float, shape (n_epochs,)
        Times in order within each lightcurve [days].
    flux, error : ndarray of float, shape (n_epochs,)
        Fluxes and their errors [uJy]; finite, except for missing errors.
    starts : ndarray of int64, shape (n_lightcurves + 1,)
        Offsets of the lightcurves, which may be empty.
    statistics : dict of str to Statistic, optional
        Statistics to compute; `STATISTICS` by default.

    Returns
    -------
    dict of str to ndarray of float, each of shape (n_lightcurves,)
        A value for each lightcurve; NaN if it is undefined, if a required error is missing (medians ignore missing
        errors), or if there are fewer epochs than the statistic needs.
    """
    statistics = STATISTICS if statistics is None else statistics
    table = {name: np.full(len(starts) - 1, np.nan) for name in statistics}
    filled = np.flatnonzero(np.diff(starts))
    block = starts[filled] // _BLOCK
    for lightcurves in np.split(filled, np.flatnonzero(np.diff(block)) + 1):
        if len(lightcurves):
            # Between the lightcurves of a block there are only empty ones.
            span = slice(int(starts[lightcurves[0]]), int(starts[lightcurves[-1] + 1]))
            offsets = starts_from_counts(np.diff(starts)[lightcurves])
            values = _evaluate(Sample(time[span], flux[span], error[span], offsets), statistics)
            for name, value in values.items():
                table[name][lightcurves] = value
    return table


def _evaluate(sample, statistics):
    """Statistics of a sample, NaN where undefined."""
    with np.errstate(all="ignore"):
        values = {name: statistic.function(sample) for name, statistic in statistics.items()}
    return {
        name: np.where(np.isfinite(value) & (sample.number >= statistics[name].min_epochs), value, np.nan)
        for name, value in values.items()
    }


def measure_counts(time, counts, starts):
    """Compute `COUNT_STATISTICS` of many lightcurves of event counts.

    Parameters
    ----------
    time : ndarray of float, shape (n_epochs,)
        Times in order within each lightcurve [days].
    counts : ndarray, shape (n_epochs,)
        Numbers of events.
    starts : ndarray of int64, shape (n_lightcurves + 1,)
        Offsets of the lightcurves, which may be empty.

    Returns
    -------
    dict of str to ndarray of float, each of shape (n_lightcurves,)
        See `measure`; the correlation is undefined without variance, the Poisson factor without events.
    """
    # These statistics do not use errors.
    return measure(time, np.asarray(counts, float), np.full(len(counts), np.nan), starts, COUNT_STATISTICS)
