"""Rates of events and their upper limits."""

import numpy as np

from vo_lib.plots.marks import FOUND, KNOWN, add_note, axes_or_new, band_label, put_grid, put_legend, say_empty
from vo_lib.tables import take_rows

__all__ = ["plot_rates"]

MOST_ROWS = 40


def plot_rates(rates, ax=None):
    """Draw the rates of events by class of sources, filter and kind of event.

    Parameters
    ----------
    rates : dict of str to ndarray, each of shape (n_rates,)
        The table of rates, see `vo_lib.rates.RATE_COLUMNS`.
    ax : matplotlib.axes.Axes, optional
        Axes to draw into; default those of a new figure, higher for more rows.

    Returns
    -------
    matplotlib.axes.Axes
        Axes with a line for each of the first 40 rows that have an upper limit: the rate with its 68 % interval, or an
        arrow from the 95 % upper limit if the rate may be 0. Rates are on a logarithmic scale [1/day].
    """
    table = {name: np.asarray(values) for name, values in rates.items()}
    upper = table.get("rate_upper", np.zeros(0))
    limited = np.flatnonzero(np.isfinite(upper) & (upper > 0))
    table = take_rows(table, limited[:MOST_ROWS])
    number = min(len(limited), MOST_ROWS)
    ax = axes_or_new(ax, 6.4, 1.4 + 0.26 * max(number, 2))
    ax.set(xlabel="events per source and day")
    if not number:
        say_empty(ax, "no known rates", scales=False)
        return ax
    measured = (table["rate_low"] > 0) & np.isfinite(table["rate"])
    _draw_measured(ax, table, measured)
    _draw_limits(ax, table["rate_upper"], ~measured)
    for text in ax.set_yticks(range(number), _names(table)):
        text.label1.set_parse_math(False)
    _scale(ax, table, measured)
    add_note(ax, [(len(limited) - number, "more in rates.csv")])
    put_legend(ax, *ax.get_legend_handles_labels())
    return ax


def _draw_measured(ax, table, measured):
    """Draw rates with their intervals."""
    rate, low, high = (table[name][measured] for name in ("rate", "rate_low", "rate_high"))
    if measured.any():
        place = np.flatnonzero(measured)
        style = {"fmt": "o", "color": KNOWN, "markersize": 5, "elinewidth": 1.4}
        ax.errorbar(rate, place, xerr=[rate - low, high - rate], label="rate, 68 % interval", **style)


def _draw_limits(ax, upper, limited):
    """Draw upper limits as arrows towards lower rates."""
    if limited.any():
        place, end = np.flatnonzero(limited), upper[limited]
        style = {"fmt": "|", "color": FOUND, "markersize": 9, "elinewidth": 1.2, "capsize": 3}
        ax.errorbar(end, place, xerr=0.4 * end, xuplims=True, label="95 % upper limit", **style)


def _names(table):
    """Labels of the rows, with the class only if there are several."""
    classes = table["class"].tolist()
    names = zip(classes, *(table[name].tolist() for name in ("obs", "filter", "kind")), strict=True)
    several = len(set(classes)) > 1
    return [f"{f'{name}: ' if several else ''}{kind}, {band_label(obs, band)}" for name, obs, band, kind in names]


def _scale(ax, table, measured):
    """Set the scales and limits of the axes, with the first row on top."""
    values = np.concatenate([table["rate_low"][measured], 0.5 * table["rate_upper"]])
    tops = np.concatenate([table["rate_high"][measured], table["rate_upper"][~measured]])
    ax.set_xscale("log")
    ax.set(xlim=(values.min() / 1.6, 1.6 * tops.max()), ylim=(len(measured) - 0.4, -0.6))
    put_grid(ax, "x")
