"""Coverage: epochs by magnitude, quality and filter, and exposure time."""

from itertools import cycle

import numpy as np

from vo_lib.counts.histogram_axes import MILLISECONDS_PER_HOUR
from vo_lib.injection.efficiency import project
from vo_lib.plots.marks import (
    FOUND,
    KNOWN,
    add_note,
    axes_or_new,
    band_colours,
    band_label,
    put_grid,
    put_legend,
    say_empty,
)

__all__ = ["plot_coverage", "plot_exposure"]

# Styles of lines, which tell apart filters of the same colour.
DASHES = ("-", "--", ":", "-.")


def plot_coverage(coverage, ax=None, *, by="quality"):
    """Draw the number of epochs by magnitude of their sources.

    Parameters
    ----------
    coverage : vo_lib.histograms.Histogram
        Numbers of epochs, with the axes ``quality``, ``mag``, ``filter`` and ``survey``.
    ax : matplotlib.axes.Axes, optional
        Axes to draw into; default those of a new figure.
    by : {"quality", "filter"}, optional
        Stack flagged epochs on good ones, or draw a line for the good epochs of each survey and filter.

    Returns
    -------
    matplotlib.axes.Axes
        Axes with the epochs by magnitude; those outside the axis or without a magnitude are counted in its label.

    Raises
    ------
    ValueError
        If `by` is neither of the two.
    """
    if by not in ("quality", "filter"):
        raise ValueError(f"by must be quality or filter, got {by!r}")
    from matplotlib.ticker import MaxNLocator

    ax = axes_or_new(ax, 5.4, 3.8)
    edges = next(axis for axis in coverage.axes if axis.name == "mag").edges
    counts = project(coverage, "quality", "mag").astype(int)
    total = counts.sum(axis=0) if by == "quality" else counts[0]
    highest = _draw_quality(ax, total, counts[0], edges) if by == "quality" else _draw_filters(ax, coverage, edges)
    used = np.flatnonzero(total[1:-2]) if total[1:-2].any() else np.arange(len(edges) - 1)
    noun = "epochs" if by == "quality" else "good epochs"
    ax.set(xlabel="catalog magnitude", ylabel=f"{noun} per bin", ylim=(0, 1.05 * max(highest, 1)))
    ax.set_xlim(edges[max(used[0] - 1, 0)], edges[min(used[-1] + 2, len(edges) - 1)])
    ax.yaxis.set_major_locator(MaxNLocator("auto", integer=True))
    ax.yaxis.set_major_formatter("{x:,.0f}")
    add_note(ax, [(int(total[0] + total[-2:].sum()), f"{noun} off the axis or without a magnitude")])
    if ax.get_legend_handles_labels()[0]:
        put_legend(ax, *ax.get_legend_handles_labels(), ncols=3)
    if not highest:
        ax.set_yticks([])
        say_empty(ax, f"no {noun} with a magnitude on this axis" if total.any() else f"no {noun}")
    return ax


def _draw_quality(ax, total, good, edges):
    """Stack flagged epochs on good ones; return the greatest number in a bin."""
    ax.stairs(total[1:-2], edges, fill=True, color=FOUND, label=f"flagged ({(total - good).sum():,})")
    ax.stairs(good[1:-2], edges, fill=True, color=KNOWN, label=f"good ({good.sum():,})")
    return total[1:-2].max()


def _draw_filters(ax, coverage, edges):
    """Draw a line for each survey and filter with good epochs; return the greatest number in a bin."""
    counts = project(coverage, "survey", "filter", "quality", "mag")[:, :, 0].astype(int)
    bands = _used_bands(coverage, counts.sum(axis=2))
    colours = band_colours([band for _, band, _ in bands])
    for (survey, band, place), colour, dash in zip(bands, colours, cycle(DASHES)):
        label = f"{band_label(survey, band)} ({counts[place].sum():,})"
        ax.stairs(counts[place][1:-2], edges, color=colour, label=label, linewidth=1.8, linestyle=dash)
    return counts[..., 1:-2].max(initial=0)


def _used_bands(histogram, counts):
    """Surveys and filters that have counts, in order of their names, each with its place in the counts."""
    names = {axis.name: axis.coordinates for axis in histogram.axes}
    places = map(tuple, np.argwhere(counts))
    return sorted((str(names["survey"][place[0]]), str(names["filter"][place[1]]), place) for place in places)


def plot_exposure(exposure, ax=None):
    """Draw the exposure time of good and flagged epochs for each survey and filter.

    Parameters
    ----------
    exposure : vo_lib.histograms.Histogram
        Exposure time [ms], with the axes ``survey``, ``filter`` and ``quality``; other axes are summed over.
    ax : matplotlib.axes.Axes, optional
        Axes to draw into; default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Axes with a bar for each survey and filter [h], the first on top.
    """
    hours = project(exposure, "survey", "filter", "quality") / MILLISECONDS_PER_HOUR
    bands = _used_bands(exposure, hours.sum(axis=2))
    ax = axes_or_new(ax, 5.4, 1.4 + 0.3 * max(len(bands), 2))
    good = np.array([hours[place][0] for *_, place in bands])
    flagged = np.array([hours[place][1:].sum() for *_, place in bands])
    ax.barh(range(len(bands)), good, color=KNOWN, height=0.7, label=f"good ({good.sum():,.1f} h)")
    ax.barh(range(len(bands)), flagged, left=good, color=FOUND, height=0.7, label=f"flagged ({flagged.sum():,.1f} h)")
    ax.set_yticks(range(len(bands)), [band_label(survey, band) for survey, band, _ in bands])
    ax.yaxis.set_inverted(True)
    ax.set_xlabel("exposure time of all sources (h)")
    ax.xaxis.set_major_formatter("{x:,g}")
    put_grid(ax, "x")
    if bands:
        put_legend(ax, *ax.get_legend_handles_labels())
    else:
        say_empty(ax, "no known exposure time", scales=False)
    return ax
