"""Periodograms with the best period, its aliases, and how high a peak of noise alone may be."""

import math

import numpy as np

from vo_lib.periods.false_alarm import sine_fap
from vo_lib.plots.marks import FOUND, KNOWN, LINE, OTHER_COLOURS, axes_or_new, put_grid, put_legend, say_empty

__all__ = ["false_alarm_power", "plot_periodogram"]

MOST_ALIASES = 4
# Points of the line: more cannot be told apart.
MOST_POINTS = 1000
# A wide line in a legend keeps away from its text.
CAP = {"solid_capstyle": "butt"}
# Halvings of a range of powers, down to the precision of a float.
_HALVINGS = 60


def false_alarm_power(fap, **search):
    """Power that the highest peak of noise reaches with a given probability.

    Parameters
    ----------
    fap : float
        False-alarm probability, above 0 and below 1.
    **search
        ``n_epochs``, ``bandwidth`` [1/d], ``effective_span`` [d] and ``n_bands``, see
        `vo_lib.periods.false_alarm.sine_fap`, of which it is the inverse.

    Returns
    -------
    float
        Share of chi-square, 0 to 1; NaN where there are not more epochs than parameters.
    """
    if not 0 < fap < 1:
        raise ValueError(f"fap must be above 0 and below 1, got {fap!r}")
    if math.isnan(sine_fap(1.0, **search)):
        return math.nan
    # Below its maximum the formula may fall again, so the search starts from the high end.
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if sine_fap(middle, **search) <= fap else (middle, high)
    return high


def plot_periodogram(stats, ax=None, *, levels=None):
    """Draw the powers of a search for a period.

    Parameters
    ----------
    stats : vo_lib.periods.periodogram.PeriodogramStats
        What was found.
    ax : matplotlib.axes.Axes, optional
        Default a new figure.
    levels : dict of float to float, optional
        Powers by their false-alarm probability, see `false_alarm_power`; default none.

    Returns
    -------
    matplotlib.axes.Axes
        Power by period on a logarithmic scale, the best one and up to four aliases marked; axes that say why when
        nothing was searched.
    """
    ax = axes_or_new(ax, 6.4, 3.4)
    ax.set(xlabel="period (d)", ylabel="power (fraction of chi-square)")
    if not len(stats.periods):
        say_empty(ax, f"no periodogram: {stats.status}", scales=False)
        return ax
    levels = sorted((levels or {}).items())
    _draw_power(ax, stats, max([stats.power.max(), *(power for _, power in levels if power < 1)]))
    if np.isfinite(stats.best_period):
        ax.axvline(stats.best_period, color=FOUND, linewidth=5, alpha=0.3, zorder=0, label=_best(stats), **CAP)
    for number, alias in enumerate(stats.aliases[:MOST_ALIASES]):
        style = {"color": OTHER_COLOURS[(number + 1) % len(OTHER_COLOURS)], "marker": "v^<>"[number], "linestyle": ""}
        ax.plot(alias.period, alias.power, markersize=7, label=f"{alias.name}: {alias.period:.6g} d", **style)
    for (fap, power), dash in zip(levels, ("--", ":", "-."), strict=False):
        ax.axhline(power, color=LINE, linestyle=dash, linewidth=1.2, label=f"false-alarm probability {fap:g}")
    put_legend(ax, *ax.get_legend_handles_labels(), ncols=3, handletextpad=0.4)
    return ax


def _draw_power(ax, stats, highest):
    """Draw the line of powers and put scales on the axes."""
    from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

    ax.plot(*_highest_of_each(stats.periods, stats.power), color=KNOWN, linewidth=0.8, zorder=2)
    ax.set_xscale("log")
    ax.set_ylim(0, float(np.clip(1.1 * highest, 0.05, 1.02)))
    if len(stats.periods) > 1:
        ax.set_xlim(stats.periods[0], stats.periods[-1])
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    put_grid(ax)


def _highest_of_each(periods, power):
    """Periods and powers as they are; of many the highest power of each of `MOST_POINTS` steps in log period."""
    if len(periods) <= MOST_POINTS:
        return periods, power
    step = (MOST_POINTS * np.log(periods / periods[0]) / np.log(periods[-1] / periods[0])).astype(int)
    order = np.lexsort((power, step))
    rows = order[np.append(step[order][1:] != step[order][:-1], True)]
    return periods[rows], power[rows]


def _best(stats):
    """Label of the best period."""
    return f"best: {stats.best_period:.6g} d, FAP {stats.fap:.2g}"
