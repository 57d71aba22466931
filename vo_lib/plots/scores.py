"""Histograms of signal-to-noise ratios."""

import math

import numpy as np

from vo_lib.injection.efficiency import project
from vo_lib.plots.marks import FOUND, KNOWN, LINE, add_note, axes_or_new, put_legend, say_empty

__all__ = ["plot_scores"]


def plot_scores(histogram, ax=None, *, threshold=5.0):
    """Draw a histogram of signal-to-noise ratios, with that expected from noise alone.

    Parameters
    ----------
    histogram : vo_lib.histograms.Histogram
        Numbers of epochs, with an axis ``snr``, signed or absolute; other axes are summed over.
    ax : matplotlib.axes.Axes, optional
        Axes to draw into; default those of a new figure.
    threshold : float or pair of float, optional
        Ratio from which on a single epoch is a detection, or one for fainter and one for brighter epochs; None if the
        search does not judge single epochs.

    Returns
    -------
    matplotlib.axes.Axes
        Axes with counts on a logarithmic scale, and those expected from as many epochs of unit Gaussian noise.

    Raises
    ------
    ValueError
        If the histogram has no axis ``snr``.
    """
    under, *counts, over, unknown = project(histogram, "snr").tolist()
    edges = next(axis for axis in histogram.axes if axis.name == "snr").edges
    ax = axes_or_new(ax, 5.4, 3.8)
    n_epochs = under + over + sum(counts)
    expected = n_epochs * _gaussian_fractions(edges)
    ax.stairs(counts, edges, fill=True, color=KNOWN, alpha=0.75, label=f"{n_epochs:,} epochs")
    ax.stairs(np.where(expected > 0.1, expected, np.nan), edges, color=LINE, linewidth=1.6, label="unit Gaussian noise")
    fainter, brighter = np.broadcast_to(np.abs(np.asarray(threshold, dtype=float)), 2)
    limits = sorted({fainter, brighter}) if edges[0] >= 0 else (-fainter, brighter)
    for number, limit in enumerate(filter(math.isfinite, limits)):
        ax.axvline(limit, color=FOUND, linestyle="--", linewidth=1.4, label=None if number else "threshold")
    ax.set_ylim(0.5, 4 * max(*counts, expected.max(), 5))
    ax.set_yscale("log")
    ax.set(xlabel="signal-to-noise ratio of an epoch", ylabel="epochs per bin")
    add_note(ax, [(under, "below the axis"), (over, "above the axis"), (unknown, "no value")])
    put_legend(ax, *ax.get_legend_handles_labels())
    if not n_epochs:
        say_empty(ax, "no epochs with a signal-to-noise ratio")
    return ax


def _gaussian_fractions(edges):
    """Fraction of a unit Gaussian in each bin, or of its absolute value if the bins start at zero."""
    below = np.array([0.5 * math.erf(edge / math.sqrt(2)) for edge in edges])
    return np.diff(below) * (2 if edges[0] >= 0 else 1)
