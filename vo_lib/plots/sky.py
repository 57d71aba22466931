"""Maps of the sources of a project on the sky."""

import math

import numpy as np

from vo_lib.canvas import GRID, new_figure
from vo_lib.plots.marks import COLOUR_MAP, FOUND, KNOWN, LINE, put_legend, say_empty

__all__ = ["plot_sky", "plot_sky_coverage"]

# More points than this are rasterized in vector files.
MANY = 5000


def plot_sky(properties, ax=None):
    """Draw a map of all sources on the sky, with separate symbols for those with detections and those without data.

    Parameters
    ----------
    properties : dict of str to ndarray, each of shape (n_sources,)
        ``ra``, ``dec`` [degrees, ICRS], ``n_epochs``, ``n_detections``.
    ax : matplotlib.axes.Axes, optional
        Rectangular axes, or axes in a projection of the whole sky; default a new Mollweide map.

    Returns
    -------
    matplotlib.axes.Axes
        Axes in which right ascension increases to the left; without sources, the sky is empty and says so.
    """
    ax = _sky_or_new(ax)
    found = properties["n_detections"] > 0
    empty = (properties["n_epochs"] == 0) & ~found
    x, y = _sky_axes(ax, properties["ra"], properties["dec"])
    size = _point_size(len(found))
    styles = (
        (empty, "no data", {"s": size, "facecolors": "none", "edgecolors": LINE, "linewidths": min(0.9, size)}),
        (~found & ~empty, "no detections", {"s": size, "color": KNOWN, "linewidths": 0}),
        (found, "detections", {"s": 2.5 * size + 25, "color": FOUND, "marker": "*", "linewidths": 0}),
    )
    for order, (mask, label, style) in enumerate(styles):
        style |= {"label": f"{label} ({mask.sum():,})", "rasterized": bool(mask.sum() > MANY)}
        ax.scatter(x[mask], y[mask], zorder=3 + order, clip_on=False, **style)
    legend = put_legend(ax, *ax.get_legend_handles_labels(), ncols=3, handletextpad=0.2)
    for handle, size in zip(legend.legend_handles, (28, 28, 70), strict=True):
        handle.set_sizes([size])
    if not len(found):
        say_empty(ax, "no sources")
    return ax


def plot_sky_coverage(properties, ax=None):
    """Draw a map of all sources on the sky, coloured by number of epochs.

    Parameters
    ----------
    properties : dict of str to ndarray, each of shape (n_sources,)
        ``ra``, ``dec`` [degrees, ICRS] and ``n_epochs``, the number in all surveys together.
    ax : matplotlib.axes.Axes, optional
        See `plot_sky`.

    Returns
    -------
    matplotlib.axes.Axes
        Axes in which sources without epochs are open circles, and sources with most epochs are drawn last. The scale
        of colours is logarithmic.
    """
    ax = _sky_or_new(ax)
    x, y = _sky_axes(ax, properties["ra"], properties["dec"])
    number, size = properties["n_epochs"], _point_size(len(x))
    empty = np.flatnonzero(number == 0)
    order = np.argsort(number, kind="stable")[len(empty) :]
    ax.scatter(
        x[empty],
        y[empty],
        s=size,
        facecolors="none",
        edgecolors=LINE,
        linewidths=min(0.9, size),
        zorder=3,
        clip_on=False,
    )
    if len(order):
        _draw_numbers(ax, x[order], y[order], number[order], size)
    else:
        say_empty(ax, "no epochs" if len(x) else "no sources")
    return ax


def _draw_numbers(ax, x, y, number, size):
    """Draw sources coloured by number of epochs, and the colour bar."""
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import StrMethodFormatter

    norm = LogNorm(number.min(), max(number.max(), number.min() + 1))
    style = {
        "cmap": COLOUR_MAP,
        "norm": norm,
        "linewidths": 0,
        "zorder": 4,
        "clip_on": False,
        "rasterized": len(x) > MANY,
    }
    drawn = ax.scatter(x, y, c=number, s=1.5 * size, **style)
    bar = ax.figure.colorbar(drawn, ax=ax, orientation="horizontal", shrink=0.6, aspect=35, pad=0.02)
    bar.set_label("epochs per source", labelpad=2)
    _round_ticks(bar.ax.xaxis, norm.vmin, norm.vmax)
    bar.ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def _round_ticks(axis, low, high):
    """Put a few ticks at integers on a logarithmic axis of counts, however short it is."""
    from matplotlib.ticker import FixedLocator, NullLocator

    ticks = np.unique(np.round(np.geomspace(low, high, 4)).astype(int))
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())


def _sky_or_new(ax):
    """Given axes, or those of a new Mollweide map."""
    return new_figure(5.4, 3.5).add_subplot(projection="mollweide") if ax is None else ax


def _point_size(number):
    """Area of the point of a source, smaller if there are many."""
    return float(np.clip(4000 / max(number, 1), 0.25, 28))


def _sky_axes(ax, ra, dec):
    """Prepare axes for the whole sky; return the positions in units of the axes."""
    west = np.mod(ra + 180, 360) - 180
    if ax.name == "rectilinear":
        ax.set(xlim=(180, -180), ylim=(-90, 90))
        x, y, unit = west, dec, 1.0
    else:
        x, y, unit = -np.radians(west), np.radians(dec), -math.pi / 180
    ax.set_xticks(unit * np.arange(-120, 180, 60), [f"{tick % 360}°" for tick in range(-120, 180, 60)])
    ax.set_yticks(abs(unit) * np.arange(-60, 90, 30), [f"{tick}°" for tick in range(-60, 90, 30)])
    ax.grid(True)
    ax.set_axisbelow(True)
    if ax.name != "rectilinear":
        _raise_labels(ax)
    ax.set_xlabel("right ascension (ICRS)", labelpad=8)
    ax.set_ylabel("declination")
    return x, y


def _raise_labels(ax):
    """Draw the labels of right ascension, on the equator, above the sources, but the grid below them."""
    from matplotlib.patheffects import withStroke

    ax.grid(False, axis="x")
    north, ticks = np.radians(np.linspace(-75, 75, 61)), ax.get_xticks()
    ax.plot(np.tile(ticks, (len(north), 1)), north, color=GRID, linewidth=0.6, zorder=0.5)
    ax.xaxis.set_zorder(6)
    for label in ax.get_xticklabels():
        label.set(fontsize="small", path_effects=[withStroke(linewidth=3, foreground=ax.get_facecolor())])
