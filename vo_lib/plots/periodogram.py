"""Periodograms with the best period, its aliases and levels of false-alarm probability."""

import math

import numpy as np

from vo_lib.periods.false_alarm import sine_fap
from vo_lib.plots.marks import FOUND, KNOWN, LINE, OTHER_COLOURS, axes_or_new, put_grid, put_legend, say_empty

__all__ = ["false_alarm_power", "plot_periodogram"]

MOST_ALIASES = 4
# Maximum number of points of the line; more cannot be told apart.
MOST_POINTS = 1000
# Keeps a wide line in a legend away from its text.
CAP = {"solid_capstyle": "butt"}
# Bisections of the range of powers, enough for the precision of a float.
_HALVINGS = 60


def false_alarm_power(fap, **search):
    """Compute the power that the highest peak of noise reaches with a given probability.

    Parameters
    ----------
    fap : float
        False-alarm probability, above 0 and below 1.
    **search
        ``n_epochs``, ``bandwidth`` [1/d], ``effective_span`` [d] and ``n_bands``, see
        `vo_lib.periods.false_alarm.sine_fap`, of which this is the inverse.

    Returns
    -------
    float
        Fraction of chi-square, 0 to 1; NaN unless there are more epochs than parameters.

    Raises
    ------
    ValueError
        If `fap` is not above 0 and below 1.
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
    """Draw a periodogram.

    Parameters
    ----------
    stats : vo_lib.periods.periodogram.PeriodogramStats
        Result of the search for a period.
    ax : matplotlib.axes.Axes, optional
        Axes to draw into; default those of a new figure.
    levels : dict of float to float, optional
        Power by false-alarm probability, see `false_alarm_power`, drawn as lines for the three least probabilities;
        default none.

    Returns
    -------
    matplotlib.axes.Axes
        Axes with power by period on a logarithmic scale, with the best period and up to four aliases marked. If nothing
        was searched, the axes say why.
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
    put_legend(ax, *ax.get_legend_handles_labels(), ncols=2, handletextpad=0.4)
    return ax


def _draw_power(ax, stats, highest):
    """Draw the line of powers and set the scales of the axes."""
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
    """Periods and powers; of many, only the highest power in each of `MOST_POINTS` steps of log period."""
    if len(periods) <= MOST_POINTS:
        return periods, power
    step = (MOST_POINTS * np.log(periods / periods[0]) / np.log(periods[-1] / periods[0])).astype(int)
    order = np.lexsort((power, step))
    rows = order[np.append(step[order][1:] != step[order][:-1], True)]
    return periods[rows], power[rows]


def _best(stats):
    """Label of the best period."""
    return f"best: {stats.best_period:.6g} d, FAP {stats.fap:.2g}"
