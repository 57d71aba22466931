"""Pictures of the sky, the scores, lightcurves and detections.

Each function draws into the axes that it is given, or into a new figure, and returns the axes:
``plot_sky(properties).figure.savefig("sky.png")``.
"""

import math

import numpy as np

from vo_lib.canvas import new_figure
from vo_lib.photometry import mag_from_flux

__all__ = ["plot_detection", "plot_lightcurve", "plot_scores", "plot_sky", "put_legend"]

TIME_LABEL = "MJD (UTC, mid-exposure)"
VALUE_LABELS = {"mag": "magnitude (AB)", "flux": "flux density (µJy)"}
# Okabe & Ito (2008), "Color Universal Design": told apart with any kind of colour vision.
BAND_COLOURS = {"u": "#0072B2", "g": "#009E73", "r": "#D55E00", "i": "#CC79A7", "z": "#E69F00", "y": "#56B4E9"}
OTHER_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
MARKERS = "osD^vPX<>"
FOUND, KNOWN, LINE = "#D55E00", "#0072B2", "#8A8F98"
# Around an event: epochs shown on either side at least, and days at most.
FEWEST_BESIDE, LONGEST_BESIDE = 8, 60.0


def plot_sky(properties, ax=None):
    """Draw all sources on the sky, those with detections and those without data in their own ways.

    Parameters
    ----------
    properties : dict of str to ndarray, each of shape (n_sources,)
        ``ra``, ``dec`` [degrees, ICRS], ``n_epochs``, ``n_detections``.
    ax : matplotlib.axes.Axes, optional
        Plain axes, or such of a projection of the whole sky; default a new Mollweide map.

    Returns
    -------
    matplotlib.axes.Axes
        Right ascension increases to the left; without sources the empty sky.
    """
    ax = new_figure(5.4, 3.5).add_subplot(projection="mollweide") if ax is None else ax
    found = properties["n_detections"] > 0
    empty = (properties["n_epochs"] == 0) & ~found
    x, y = _sky_axes(ax, properties["ra"], properties["dec"])
    size = float(np.clip(4000 / max(len(found), 1), 0.25, 28))
    styles = (
        (empty, "no data", {"s": size, "facecolors": "none", "edgecolors": LINE, "linewidths": min(0.9, size)}),
        (~found & ~empty, "nothing found", {"s": size, "color": KNOWN, "linewidths": 0}),
        (found, "detections", {"s": 2.5 * size + 25, "color": FOUND, "marker": "*", "linewidths": 0}),
    )
    for order, (mask, label, style) in enumerate(styles):
        ax.scatter(x[mask], y[mask], label=f"{label} ({mask.sum():,})", zorder=3 + order, **style)
    legend = put_legend(ax, *ax.get_legend_handles_labels(), ncols=3, handletextpad=0.2)
    for handle, size in zip(legend.legend_handles, (28, 28, 70), strict=True):
        handle.set_sizes([size])
    return ax


def _sky_axes(ax, ra, dec):
    """Prepare axes for the whole sky; the positions in their units."""
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
    """Keep the right ascensions on the equator readable where there are sources."""
    from matplotlib.patheffects import withStroke

    ax.xaxis.set_zorder(5)
    for label in ax.get_xticklabels():
        label.set(fontsize="small", path_effects=[withStroke(linewidth=3, foreground=ax.get_facecolor())])


def plot_scores(histogram, ax=None, *, threshold=5.0):
    """Draw how often each signal-to-noise ratio occurred, and what noise alone would give.

    Parameters
    ----------
    histogram : vo_lib.histograms.Histogram
        With an axis ``snr``, signed or absolute; the other axes are summed over.
    ax : matplotlib.axes.Axes, optional
        Default a new figure.
    threshold : float or pair of float, optional
        Ratio from which on an epoch is a detection; two values are for fainter and brighter ones.

    Returns
    -------
    matplotlib.axes.Axes
        Counts on a logarithmic scale with the expectation of as many epochs of unit Gaussian noise.
    """
    ax = new_figure(5.4, 3.8).add_subplot() if ax is None else ax
    edges, (under, *counts, over, unknown) = _sum_over_others(histogram, "snr")
    n_epochs = under + over + sum(counts)
    expected = n_epochs * _gaussian_fractions(edges)
    ax.stairs(counts, edges, fill=True, color=KNOWN, alpha=0.75, label=f"{n_epochs:,} epochs")
    ax.stairs(np.where(expected > 0.1, expected, np.nan), edges, color=LINE, linewidth=1.6, label="unit Gaussian noise")
    fainter, brighter = np.broadcast_to(np.abs(np.asarray(threshold, dtype=float)), 2)
    for limit in sorted({fainter, brighter}) if edges[0] >= 0 else (-fainter, brighter):
        if np.isfinite(limit):
            ax.axvline(
                limit, color=FOUND, linestyle="--", linewidth=1.4, label="threshold" if limit == brighter else None
            )
    ax.set_ylim(0.5, 4 * max(*counts, expected.max(), 5))
    ax.set_yscale("log")
    ax.set(xlabel="signal-to-noise ratio of an epoch", ylabel="epochs per bin")
    _add_note(ax, [(under, "below the axis"), (over, "above the axis"), (unknown, "no value")])
    put_legend(ax, *ax.get_legend_handles_labels())
    return ax


def _sum_over_others(histogram, name):
    """Edges of one axis, and the counts along it (under, bins, over, NaN) as whole numbers."""
    names = [axis.name for axis in histogram.axes]
    if name not in names:
        raise ValueError(f"histogram '{histogram.name}' has no axis '{name}'; it has {names}")
    place = names.index(name)
    others = tuple(number for number in range(len(names)) if number != place)
    return np.asarray(histogram.axes[place].edges, dtype=float), histogram.counts.sum(axis=others).tolist()


def _gaussian_fractions(edges):
    """Part of a unit Gaussian in each bin; of its absolute value where the bins start at zero."""
    below = np.array([0.5 * math.erf(edge / math.sqrt(2)) for edge in edges])
    return np.diff(below) * (2 if edges[0] >= 0 else 1)


def _add_note(ax, parts):
    """Say below the axis what is not in the picture; nothing when all is there."""
    text = ", ".join(f"{what}: {number:,}" for number, what in parts if number)
    if text:
        ax.set_xlabel(f"{ax.get_xlabel()}\n{text}")


def put_legend(ax, handles, labels, **layout):
    """Put a legend over axes, where there are neither points nor labels."""
    layout = {"ncols": 4, "columnspacing": 1.2} | layout
    legend = ax.legend(handles, labels, loc="lower right", bbox_to_anchor=(1, 1), frameon=False, **layout)
    for text in legend.get_texts():
        text.set_parse_math(False)
    return legend


def plot_lightcurve(columns, ax=None, *, flagged=None, value="mag"):
    """Draw lightcurves of one source, flagged epochs as hollow points.

    Parameters
    ----------
    columns : dict of str to ndarray, each of shape (n_epochs,)
        ``mjd`` and ``mag``, ``magerr`` or ``flux``, ``fluxerr`` as in a reduced file; ``obs`` and
        ``filter``, one text or one per epoch, are optional.
    ax : matplotlib.axes.Axes, optional
        Default a new figure.
    flagged : ndarray of bool, shape (n_epochs,), optional
        Epochs that did not pass the checks; default none.
    value : {"mag", "flux"}, optional
        What to draw; magnitudes increase downwards, and epochs without one are counted below.

    Returns
    -------
    matplotlib.axes.Axes
        Axes without points when there are no epochs.
    """
    ax = new_figure(6.4, 3.4).add_subplot() if ax is None else ax
    flagged = np.zeros(len(columns["mjd"]), bool) if flagged is None else np.asarray(flagged, bool)
    drawn = np.isfinite(columns[value]) & np.isfinite(columns["mjd"])
    for label, colour, marker, group in _groups(columns):
        style = {"color": colour, "fmt": marker, "markersize": 4, "elinewidth": 0.8, "capsize": 0}
        for hollow in (False, True):
            mask = group & drawn & (flagged == hollow)
            face = ax.get_facecolor() if hollow else colour
            text = f"{label}, flagged" if hollow else label
            if mask.any():
                ax.errorbar(*_points(columns, value, mask), markerfacecolor=face, label=text, **style)
    _finish_lightcurve(ax, value)
    _add_note(ax, [((~drawn).sum(), "epochs without a magnitude" if value == "mag" else "epochs without a flux")])
    return ax


def _points(columns, value, mask):
    """Times, values and errors to draw; an error that is not a positive number is none."""
    error = columns[f"{value}err"][mask]
    return columns["mjd"][mask], columns[value][mask], np.where(np.isfinite(error) & (error > 0), error, 0.0)


def _groups(columns):
    """Label, colour, marker and epochs of each survey and filter, in alphabetical order."""
    obs, band = (np.broadcast_to(np.asarray(columns.get(name, "")), columns["mjd"].shape) for name in ("obs", "filter"))
    for number, (survey, name) in enumerate(sorted(set(zip(obs.tolist(), band.tolist(), strict=True)))):
        short = name.removeprefix(f"{survey.lower()}-")
        colour = BAND_COLOURS.get(short[-1:], OTHER_COLOURS[number % len(OTHER_COLOURS)])
        label = f"{survey} {short}".strip() or "epochs"
        yield label, colour, MARKERS[number % len(MARKERS)], (obs == survey) & (band == name)


def _finish_lightcurve(ax, value):
    """Label the axes of a lightcurve, magnitudes upwards, and put its legend over it."""
    from matplotlib.ticker import MaxNLocator

    ax.set(xlabel=TIME_LABEL, ylabel=VALUE_LABELS[value])
    ax.yaxis.set_inverted(value == "mag")
    ax.ticklabel_format(useOffset=False, style="plain")
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.grid(True)
    ax.set_axisbelow(True)
    if ax.get_legend_handles_labels()[0]:
        put_legend(ax, *ax.get_legend_handles_labels())


def plot_detection(columns, detection, ax=None, *, flagged=None, value="mag"):
    """Draw a detection: its whole lightcurve, and below it the surroundings of the event.

    Parameters
    ----------
    columns : dict of str to ndarray, each of shape (n_epochs,)
        The lightcurve, see `plot_lightcurve`.
    detection : dict
        Its row of the table of detections.
    ax : pair of matplotlib.axes.Axes, optional
        For the whole and for the close-up; default a new figure.
    flagged : ndarray of bool, shape (n_epochs,), optional
        Epochs that did not pass the checks; default none.
    value : {"mag", "flux"}, optional
        What to draw.

    Returns
    -------
    pair of matplotlib.axes.Axes
    """
    whole, near = new_figure(5.4, 4.8).subplots(2, 1, height_ratios=(2, 3)) if ax is None else ax
    flagged = np.zeros(len(columns["mjd"]), bool) if flagged is None else np.asarray(flagged, bool)
    for axes in (whole, near):
        plot_lightcurve(columns, axes, flagged=flagged, value=value)
        event = axes.axvline(detection["peak_mjd"], color=FOUND, linewidth=5, alpha=0.3, zorder=0)
    whole.set_xlabel("")
    median, threshold = _levels(columns, detection, flagged, value)
    near.axvspan(detection["start_mjd"], detection["end_mjd"], color=FOUND, alpha=0.15, zorder=0)
    lines = {
        "event": event,
        "median": near.axhline(median, color=LINE, linewidth=1.2, zorder=1),
        "threshold": near.axhline(threshold, color=FOUND, linewidth=1.2, linestyle="--", zorder=1),
    }
    put_legend(near, lines.values(), lines)
    _zoom(near, columns, detection, value)
    return whole, near


def _levels(columns, detection, flagged, value):
    """Median and threshold of a detection in what is drawn, from its own S/N; NaN where there is none."""
    flux = columns["flux"]
    usable = flux[~flagged & np.isfinite(flux)]
    median = np.median(usable) if usable.size else np.nan
    # The peak is S/N times the noise away from the median, so the threshold follows without the noise.
    part = detection["threshold"] / abs(detection["snr"]) if detection["snr"] else np.nan
    levels = np.array([median, median + part * (flux[int(detection["peak_epoch"])] - median)])
    return levels if value == "flux" else mag_from_flux(levels, np.zeros(2))[0]


def _zoom(ax, columns, detection, value):
    """Show an event with some epochs on both sides, but not across a long pause."""
    first, last = int(detection["first_epoch"]), int(detection["last_epoch"])
    more = max(FEWEST_BESIDE, 2 * (last - first + 1))
    start, stop = max(first - more, 0), min(last + more, len(columns["mjd"]) - 1)
    mjd = columns["mjd"]
    low = max(mjd[start], detection["start_mjd"] - LONGEST_BESIDE)
    high = min(mjd[stop], detection["end_mjd"] + LONGEST_BESIDE)
    margin = 0.03 * (high - low) or 0.5
    ax.set_xlim(low - margin, high + margin)
    _, values, errors = _points(columns, value, (mjd >= low) & (mjd <= high) & np.isfinite(columns[value]))
    if values.size:
        bottom, top = (values - errors).min(), (values + errors).max()
        margin = 0.08 * (top - bottom) or 0.1
        ax.set_ylim(bottom - margin, top + margin)
        ax.yaxis.set_inverted(value == "mag")
