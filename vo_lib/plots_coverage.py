"""Pictures of what a survey could find: the efficiency of the search, and the epochs that were searched.

Each function draws into the axes that it is given, or into a new figure, and returns the axes.
"""

import numpy as np

from vo_lib.canvas import new_figure
from vo_lib.efficiency import project, wilson_interval
from vo_lib.plots import FOUND, KNOWN, LINE, OTHER_COLOURS, put_legend

__all__ = ["plot_coverage", "plot_efficiency"]

# A curve and a point of it should have as many injections.
PER_CURVE, PER_POINT, MOST_CURVES = 150, 20, 4
MARKERS = "osD^"


def plot_efficiency(injected, recovered, ax=None):
    """Draw the part of the injected events that was recovered, by their S/N and width.

    Parameters
    ----------
    injected, recovered : vo_lib.histograms.Histogram
        With the axes ``expected_snr`` and ``width``; the others are summed over.
    ax : matplotlib.axes.Axes, optional
        Default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        A curve for each of up to four ranges of width with intervals of 68 %; without injections none.
    """
    ax = new_figure(5.4, 3.8).add_subplot() if ax is None else ax
    axes = {axis.name: axis for axis in injected.axes}
    counts = [
        project(histogram, "width", "expected_snr")[1:-2, 1:-2].astype(int) for histogram in (injected, recovered)
    ]
    curves = _groups(counts[0].sum(axis=1), PER_CURVE, MOST_CURVES)
    for number, rows in enumerate(curves):
        snr, trials, successes = _points(axes["expected_snr"].edges, *(part[rows].sum(axis=0) for part in counts))
        label = _range(axes["width"].edges, rows) if len(curves) > 1 else f"{trials.sum():,} events"
        _draw_curve(ax, 100 * successes / trials, wilson_interval(successes, trials), snr, number, label)
    for level in (50, 90):
        ax.axhline(level, color=LINE, linestyle="--", linewidth=1)
    _scale(ax, axes["expected_snr"].edges)
    if curves:
        put_legend(ax, *ax.get_legend_handles_labels(), handletextpad=0.4)
    return ax


def _groups(counts, least, most):
    """Slices of neighbouring bins that have about as many counts each, none without."""
    total = counts.sum()
    number = int(np.clip(total // least, min(total, 1), most))
    if not number:
        return []
    used = np.flatnonzero(counts)
    # Where a bin's middle lies among all counts says which group it belongs to.
    place = ((np.cumsum(counts) - counts / 2) * number / total).astype(int)
    ends = [used[place[used] == group] for group in range(number)]
    return [slice(rows[0], rows[-1] + 1) for rows in ends if len(rows)]


def _points(edges, injected, recovered):
    """S/N, injected and recovered events of each point of a curve."""
    groups = _groups(injected, PER_POINT, len(injected))
    snr = [np.sqrt(edges[rows.start] * edges[rows.stop]) for rows in groups]
    trials, successes = (np.array([part[rows].sum() for rows in groups]) for part in (injected, recovered))
    return np.array(snr), trials, successes


def _range(edges, rows):
    """Range of widths as text."""
    low, high, unit = edges[rows.start], edges[rows.stop], "d"
    if high <= 2:
        low, high, unit = 24 * low, 24 * high, "h"
    return f"{float(f'{low:.2g}'):g}–{float(f'{high:.2g}'):g} {unit}"


def _draw_curve(ax, part, interval, snr, number, label):
    """Draw points with their intervals, a little apart from those of other curves."""
    low, high = (100 * end for end in interval)
    moved = snr * 1.015 ** (number - 1.5)
    style = {"color": OTHER_COLOURS[number], "marker": MARKERS[number], "markersize": 4.5, "linewidth": 1.4}
    ax.errorbar(moved, part, [part - low, high - part], elinewidth=1, capsize=0, label=label, **style)


def _scale(ax, edges):
    """Put scales and labels on axes."""
    ax.set_xscale("log")
    ax.set(xlim=(edges[0], edges[-1]), ylim=(-3, 103))
    ticks = [tick for tick in (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 100) if edges[0] <= tick <= edges[-1]]
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.set_xticks([], minor=True)
    ax.set_yticks([0, 25, 50, 75, 100], ["0", "25 %", "50 %", "75 %", "100 %"])
    ax.grid(True, axis="y")
    ax.set_axisbelow(True)
    ax.set(xlabel="signal-to-noise ratio of the injected peak", ylabel="recovered")


def plot_coverage(coverage, ax=None):
    """Draw how many epochs the sources of each magnitude have, and how many of them are flagged.

    Parameters
    ----------
    coverage : vo_lib.histograms.Histogram
        With the axes ``quality`` and ``mag``; the others are summed over.
    ax : matplotlib.axes.Axes, optional
        Default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Epochs by magnitude, flagged ones on top of good ones; those without a magnitude are counted in the label.
    """
    ax = new_figure(5.4, 3.8).add_subplot() if ax is None else ax
    edges = next(axis for axis in coverage.axes if axis.name == "mag").edges
    counts = project(coverage, "quality", "mag").astype(int)
    total, good = counts.sum(axis=0), counts[0]
    outside = total[[0, -2, -1]].sum()
    ax.stairs(total[1:-2], edges, fill=True, color=FOUND, label=f"flagged ({(total - good).sum():,})")
    ax.stairs(good[1:-2], edges, fill=True, color=KNOWN, label=f"good ({good.sum():,})")
    label = "magnitude in the catalog" + (f" ({outside:,} epochs outside or without)" if outside else "")
    used = np.flatnonzero(total[1:-2]) if total[1:-2].any() else np.arange(len(edges) - 1)
    ax.set(xlabel=label, ylabel="epochs per bin", ylim=(0, 1.05 * max(total[1:-2].max(), 1)))
    ax.set_xlim(edges[max(used[0] - 1, 0)], edges[min(used[-1] + 2, len(edges) - 1)])
    ax.yaxis.set_major_formatter("{x:,.0f}")
    put_legend(ax, *ax.get_legend_handles_labels())
    return ax
