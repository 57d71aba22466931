"""Events in lightcurves: a detection with its template and threshold, and an injected event."""

import numpy as np

from vo_lib.canvas import new_figure
from vo_lib.photometry import mag_from_flux
from vo_lib.plots.lightcurve import (
    MISSING,
    TIME_LABELS,
    as_columns,
    flags_of,
    on_axis,
    plot_lightcurve,
    points,
    set_limits,
)
from vo_lib.plots.marks import FOUND, KNOWN, LINE, add_note, axes_or_new, put_legend
from vo_lib.search.close_up import (
    FEWEST_BESIDE,
    LONGEST_BESIDE,
    SHOWN_WIDTHS,
    event_light,
    good_median,
    has_template,
    levels,
    surroundings,
)

__all__ = ["plot_detection", "plot_injection"]


def plot_detection(columns, detection, ax=None, *, flagged=None, value="mag", time="mjd"):
    """Draw a detection: its whole lightcurve and, below it, a close-up of the event.

    Parameters
    ----------
    columns, flagged, value, time
        The lightcurve, see `plot_lightcurve`; the column ``flux`` is always required.
    detection : dict
        Its row in the table of detections.
    ax : pair of matplotlib.axes.Axes, optional
        Axes for the whole lightcurve and for the close-up; default those of a new figure.

    Returns
    -------
    pair of matplotlib.axes.Axes
        Axes of the whole lightcurve and of the close-up. The close-up shows the span of the event, the median of the
        good epochs with the noise at the peak around it and, if there are any, the best-fitting template and the
        threshold: the lowest peak at which an event of this shape and noise is a detection.
    """
    whole, near = new_figure(5.4, 4.8).subplots(2, 1, height_ratios=(2, 3)) if ax is None else ax
    columns = as_columns(columns)
    flagged = flags_of(columns, flagged)
    for axes in (whole, near):
        plot_lightcurve(columns, axes, flagged=flagged, value=value, time=time)
        event = axes.axvline(on_axis(detection["peak_mjd"], time), color=FOUND, linewidth=5, alpha=0.3, zorder=0)
    whole.set_xlabel("")
    ends = on_axis(np.array([detection["start_mjd"], detection["end_mjd"]]), time)
    near.axvspan(*ends, color=FOUND, alpha=0.15, zorder=0)
    known, ends = levels(columns["flux"], ~flagged, detection), surroundings(columns["mjd"], detection)
    lines = {"event": event} | _draw_levels(near, known, value)
    if has_template(detection):
        lines["template"] = _draw_shape(near, detection, detection["template"], known["median"], ends, value, time)
    put_legend(near, lines.values(), lines, ncols=5, columnspacing=0.9, handlelength=1.5)
    _zoom(near, columns, flagged, ends, value, time)
    return whole, near


def _shown(flux, value):
    """Fluxes as they are drawn: unchanged, or as magnitudes, NaN where there is none."""
    flux = np.asarray(flux, float)
    return flux if value == "flux" else mag_from_flux(flux, np.zeros(flux.shape))[0]


def _draw_levels(ax, known, value):
    """Draw the median with the noise around it, and the threshold if there is one; return the artists by label."""
    median, noise = known["median"], known["noise"]
    low, middle, high, threshold = _shown([median - noise, median, median + noise, known["threshold"]], value)
    lines = {"median": ax.axhline(middle, color=LINE, linewidth=1.2, zorder=1)}
    if np.isfinite([low, high]).all():
        lines["noise"] = ax.axhspan(low, high, color=LINE, alpha=0.15, linewidth=0, zorder=0)
    if np.isfinite(threshold):
        lines["threshold"] = ax.axhline(threshold, color=FOUND, linewidth=1.2, linestyle="--", zorder=1)
    return lines


def _draw_shape(ax, event, kind, median, ends, value, time):
    """Draw the light of an event above the median between two times; return the line."""
    times, light = event_light(event, kind, *ends)
    shown = _shown(median + light, value)
    return ax.plot(on_axis(times, time), shown, color=KNOWN, linewidth=1.4, alpha=0.9, zorder=4)[0]


def _zoom(ax, columns, flagged, ends, value, time, *, curve=()):
    """Set the limits of the axes to the epochs between two times and the values of a curve."""
    low, high = ends
    margin = 0.03 * (high - low) or 0.5
    ax.set_xlim(on_axis(low - margin, time), on_axis(high + margin, time))
    ax.set_xlabel(TIME_LABELS[time])
    near = (columns["mjd"] >= low) & (columns["mjd"] <= high)
    shown = near & np.isfinite(columns[value])
    curve = np.asarray(curve, float)[np.isfinite(curve)]
    values, errors = points(columns, value, shown)
    good = np.zeros(len(curve), bool)
    both = np.append(values, curve), np.append(errors, np.zeros(len(curve))), np.append(flagged[shown], good)
    beyond, missing = set_limits(ax, *both, value), int((near & ~shown).sum())
    add_note(ax, [(missing, MISSING[value]), (beyond, "flagged epochs beyond the axis")])


def plot_injection(original, injected, injection, ax=None, *, flagged=None, value="flux", time="mjd"):
    """Draw a lightcurve before and after the injection of an event, around the event.

    Parameters
    ----------
    original, injected : structured array, dict of str to ndarray, or pandas.DataFrame
        The lightcurve and its copy with the event, with the same epochs, see `plot_lightcurve`; the column ``flux`` is
        always required.
    injection : dict
        Its row in the table of injections.
    ax : matplotlib.axes.Axes, optional
        Axes to draw into; default those of a new figure.
    flagged, value, time
        See `plot_lightcurve`; the flags are those of the copy.

    Returns
    -------
    matplotlib.axes.Axes
        Axes with the original epochs as grey squares, those of the copy in the colours of their filters, and the
        injected light as a line.

    Raises
    ------
    ValueError
        If the two do not have the same number of epochs.
    """
    original, injected = as_columns(original), as_columns(injected)
    if len(original["mjd"]) != len(injected["mjd"]):
        numbers = f"{len(original['mjd'])} epochs and its copy {len(injected['mjd'])}"
        raise ValueError(f"the lightcurve has {numbers}; give the copy of this lightcurve")
    flagged = flags_of(injected, flagged)
    ax = plot_lightcurve(injected, axes_or_new(ax, 6.4, 3.8), flagged=flagged, value=value, time=time)
    style = {"fmt": "s", "color": LINE, "markersize": 3, "elinewidth": 0.6, "zorder": 1.5, "label": "_before"}
    before = ax.errorbar(on_axis(original["mjd"], time), *points(original, value, slice(None)), **style)
    ends = _about(injected["mjd"], injection)
    curve = _draw_shape(ax, injection, injection["kind"], good_median(original["flux"], ~flagged), ends, value, time)
    _add_to_legend(ax, {"before": before, "injected light": curve})
    both = {name: np.concatenate([original[name], injected[name]]) for name in ("mjd", value, f"{value}err")}
    _zoom(ax, both, np.tile(flagged, 2), ends, value, time, curve=curve.get_ydata())
    return ax


def _add_to_legend(ax, lines):
    """Append lines, given by label, to the legend."""
    if legend := ax.get_legend():
        names = [text.get_text() for text in legend.get_texts()]
        lines = dict(zip(names, legend.legend_handles, strict=True)) | lines
    put_legend(ax, lines.values(), lines, handletextpad=0.4)


def _about(mjd, injection):
    """Range of times around an injected event: several of its widths, and at least a few epochs on both sides."""
    times, peak = np.sort(mjd[np.isfinite(mjd)]), injection["peak_mjd"]
    near = np.searchsorted(times, peak) + np.array([-FEWEST_BESIDE, FEWEST_BESIDE])
    beside = times[np.clip(near, 0, len(times) - 1)] if len(times) else np.array([peak, peak])
    beside = np.clip(beside, peak - LONGEST_BESIDE, peak + LONGEST_BESIDE)
    reach = SHOWN_WIDTHS * injection["width"]
    return min(beside[0], peak - reach), max(beside[1], peak + reach)
