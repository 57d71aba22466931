"""Efficiency of a search: the recovered fraction of injected events, as curves and as a map."""

import numpy as np

from vo_lib.injection.efficiency import project, wilson_interval
from vo_lib.plots.marks import COLOUR_MAP, LINE, MARKERS, OTHER_COLOURS, axes_or_new, put_grid, put_legend, say_empty
from vo_lib.text import count_text

__all__ = ["plot_completeness", "plot_efficiency"]

# Injections that a curve and a point of it should have, and the maximum number of curves.
PER_CURVE, PER_POINT, MOST_CURVES = 150, 20, 4
# Events that cells of a map should have and its contours need; an axis with so few cells, or fewer, is not joined.
PER_CELL, FEWEST_CELLS = 10, 4
AXIS_LABELS = {
    "expected_snr": "signal-to-noise ratio at the injected peak",
    "width": "full width at half maximum (d)",
    "mag": "catalog magnitude",
}
# Axes that span more than this factor are logarithmic, with these ticks.
LEAST_LOG = 5.0
LOG_TICKS = (0.001, 0.01, 0.1, 1, 2, 3, 5, 10, 20, 30, 50, 100, 1000)


def plot_efficiency(injected, recovered, ax=None):
    """Draw the recovered fraction of the injected events by S/N and width.

    Parameters
    ----------
    injected, recovered : vo_lib.histograms.Histogram
        Numbers of events, with the axes ``expected_snr`` and ``width``; other axes are summed over.
    ax : matplotlib.axes.Axes, optional
        Axes to draw into; default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Axes with a curve for each of up to four ranges of width, with 68 % intervals; without injections no curve.
    """
    ax = axes_or_new(ax, 5.4, 3.8)
    axes = {axis.name: axis for axis in injected.axes}
    counts = [
        project(histogram, "width", "expected_snr")[1:-2, 1:-2].astype(int) for histogram in (injected, recovered)
    ]
    curves = _groups(counts[0].sum(axis=1), PER_CURVE, MOST_CURVES)
    for number, rows in enumerate(curves):
        snr, trials, successes = _points(axes["expected_snr"].edges, *(part[rows].sum(axis=0) for part in counts))
        label = _range(axes["width"].edges, rows) if len(curves) > 1 else count_text(trials.sum(), "event")
        _draw_curve(ax, 100 * successes / trials, wilson_interval(successes, trials), snr, number, label)
    for level in (50, 90):
        ax.axhline(level, color=LINE, linestyle="--", linewidth=1)
    _scale(ax, axes["expected_snr"].edges)
    if curves:
        put_legend(ax, *ax.get_legend_handles_labels(), handletextpad=0.4)
    else:
        say_empty(ax, "no injected events")
    return ax


def _groups(counts, least, most):
    """Slices of neighbouring bins with about equal counts; none without counts."""
    total = counts.sum()
    number = int(np.clip(total // least, min(total, 1), most))
    if not number:
        return []
    used = np.flatnonzero(counts)
    # A bin belongs to the group in which the middle of its counts lies in the cumulative distribution.
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
    """Draw points with their intervals, shifted slightly against those of other curves."""
    low, high = (100 * end for end in interval)
    moved = snr * 1.015 ** (number - 1.5)
    style = {"color": OTHER_COLOURS[number], "marker": MARKERS[number], "markersize": 4.5, "linewidth": 1.4}
    ax.errorbar(moved, part, [part - low, high - part], elinewidth=1, capsize=0, label=label, **style)


def _scale(ax, edges):
    """Set scales, ticks and labels of the axes."""
    ax.set_xscale("log")
    ax.set(xlim=(edges[0], edges[-1]), ylim=(-3, 103))
    ticks = [tick for tick in (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 100) if edges[0] <= tick <= edges[-1]]
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.set_xticks([], minor=True)
    ax.set_yticks([0, 25, 50, 75, 100], ["0", "25 %", "50 %", "75 %", "100 %"])
    put_grid(ax, "y")
    ax.set(xlabel="signal-to-noise ratio at the injected peak", ylabel="recovered fraction")


def plot_completeness(injected, recovered, ax=None, *, x="expected_snr", y="width", levels=(0.5, 0.9)):
    """Draw a map of the recovered fraction of the injected events, with contours.

    Parameters
    ----------
    injected, recovered : vo_lib.histograms.Histogram
        Numbers of events, with the axes `x` and `y`; other axes are summed over.
    ax : matplotlib.axes.Axes, optional
        Axes to draw into; default those of a new figure.
    x, y : {"expected_snr", "width", "mag"}, optional
        Quantities on the axes.
    levels : sequence of float, optional
        Recovered fractions of the contours, in increasing order; the first three are drawn.

    Returns
    -------
    matplotlib.axes.Axes
        Axes with the map. Neighbouring cells are joined until most have ten events; cells without any are hatched.
        Contours are of the fraction in the three by three cells around each cell with events, where these nine have ten
        or more.
    """
    ax = axes_or_new(ax, 5.4, 3.8)
    axes = {axis.name: axis for axis in injected.axes}
    counts = [project(histogram, y, x)[1:-2, 1:-2].astype(int) for histogram in (injected, recovered)]
    (trials, successes), edges = _join_cells(counts, [axes[y].edges, axes[x].edges])
    part = 100 * np.divide(successes, trials, out=np.full(trials.shape, np.nan), where=trials > 0)
    ax.patch.set(hatch="////", edgecolor=LINE, linewidth=0)
    drawn = ax.pcolormesh(edges[1], edges[0], np.ma.masked_invalid(part), cmap=COLOUR_MAP, vmin=0, vmax=100)
    bar = ax.figure.colorbar(drawn, ax=ax, format="%d %%")
    bar.set_label("recovered fraction")
    _draw_contours(ax, trials, successes, edges, levels)
    for axis, name, ends in ((ax.xaxis, x, edges[1]), (ax.yaxis, y, edges[0])):
        _scale_axis(axis, name, ends)
    if not trials.any():
        say_empty(ax, "no injected events")
    return ax


def _join_cells(counts, edges):
    """Join neighbouring cells along the axis that has more, until most cells with events have ten events."""
    while True:
        used = counts[0][counts[0] > 0]
        axis = int(counts[0].shape[1] >= counts[0].shape[0])
        if not used.size or np.median(used) >= PER_CELL or counts[0].shape[axis] <= FEWEST_CELLS:
            return counts, edges
        starts = np.arange(0, counts[0].shape[axis], 2)
        counts = [np.add.reduceat(part, starts, axis=axis) for part in counts]
        edges = [np.append(ends[starts], ends[-1]) if place == axis else ends for place, ends in enumerate(edges)]


def _draw_contours(ax, trials, successes, edges, levels):
    """Draw contours of the recovered fraction where there are enough events, with a legend of those that exist."""
    from matplotlib.lines import Line2D

    near, found = _sum_around(trials), _sum_around(successes)
    enough = (trials > 0) & (near >= PER_CELL)
    part = np.divide(found, near, out=np.full(near.shape, np.nan), where=enough)
    known = part[np.isfinite(part)] if min(part.shape) > 1 else np.zeros(0)
    styles = [
        (level, dash)
        for level, dash in zip(levels, ("dashed", "solid", "dotted"), strict=False)
        if (known < level).any() and (known > level).any()
    ]
    if not styles:
        return
    middles = [_middles(ends) for ends in edges]
    lines = {"colors": "w", "linewidths": 1.8, "linestyles": [dash for _, dash in styles]}
    drawn = ax.contour(middles[1], middles[0], np.ma.masked_invalid(part), [level for level, _ in styles], **lines)
    _outline(drawn)
    handles = [Line2D([], [], color=LINE, linewidth=1.8, linestyle=dash) for _, dash in styles]
    put_legend(ax, handles, [f"{100 * level:g} %" for level, _ in styles])


def _outline(lines):
    """Give lines a dark outline, so that they stand out on any colour."""
    from matplotlib.patheffects import withStroke

    lines.set_path_effects([withStroke(linewidth=3.2, foreground="#1f2328")])


def _sum_around(counts):
    """Sum of each cell and its eight neighbours."""
    padded = np.pad(counts, 1)
    return np.lib.stride_tricks.sliding_window_view(padded, (3, 3)).sum(axis=(2, 3))


def _middles(edges):
    """Centres of bins: geometric means of the edges if all are positive, else arithmetic ones."""
    return np.sqrt(edges[1:] * edges[:-1]) if edges[0] > 0 else (edges[1:] + edges[:-1]) / 2


def _scale_axis(axis, name, edges):
    """Set the label and scale of an axis of a map."""
    from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

    axis.set_label_text(AXIS_LABELS[name])
    if edges[0] > 0 and edges[-1] / edges[0] > LEAST_LOG:
        (axis.axes.set_xscale if axis.axis_name == "x" else axis.axes.set_yscale)("log")
        axis.set_major_locator(FixedLocator([tick for tick in LOG_TICKS if edges[0] <= tick <= edges[-1]]))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
