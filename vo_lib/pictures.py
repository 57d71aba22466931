"""The pictures of a project's page, as files."""

from functools import partial
from math import ceil

from vo_lib.canvas import THEMES, draw_png, new_figure, printable
from vo_lib.plots import plot_coverage, plot_detection, plot_efficiency, plot_scores, plot_sky

__all__ = ["MOST_IN_OVERVIEW", "draw_pictures"]

MOST_IN_OVERVIEW = 12


def draw_pictures(results, events, *, threshold):
    """Draw all pictures of a page.

    Parameters
    ----------
    results : vo_lib.results.Results
        Tables and histograms of the project.
    events : list of vo_lib.results.Event
        Best detections.
    threshold : float or pair of float
        S/N of a detection.

    Returns
    -------
    dict of str to dict of str to bytes
        PNG by picture (``sky``, ``scores``, ``efficiency``, ``coverage``, ``event 0``, ...) and style
        (``light``, ``dark``); ``detections``, an overview of the events, is only light.
    """
    histograms = results.histograms
    draw = {
        "sky": lambda: plot_sky(results.properties).figure,
        "scores": lambda: plot_scores(histograms["good_scores"], threshold=threshold).figure,
        "efficiency": lambda: plot_efficiency(histograms["injected"], histograms["recovered"]).figure,
        "coverage": lambda: plot_coverage(histograms["coverage"]).figure,
    }
    draw |= {f"event {number}": partial(_draw_event, event) for number, event in enumerate(events)}
    pictures = {name: {style: draw_png(make, style=style) for style in THEMES} for name, make in draw.items()}
    return pictures | {"detections": {"light": draw_png(partial(_draw_overview, events))}}


def _draw_event(event):
    """Figure of one detection."""
    axes = plot_detection(event.columns, event.detection, flagged=event.flagged, value=event.value)
    return axes[0].figure


def _draw_overview(events):
    """Figure with the first events beside and below each other, each with its name."""
    shown = events[:MOST_IN_OVERVIEW]
    if not shown:
        empty = new_figure(5.4, 1.5)
        empty.text(0.5, 0.5, "no detections", ha="center", va="center")
        return empty
    columns = min(len(shown), 2)
    rows = ceil(len(shown) / columns)
    whole = new_figure(5.4 * columns, 5.2 * rows)
    for event, part in zip(shown, whole.subfigures(rows, columns, squeeze=False).flat, strict=False):
        axes = part.subplots(2, 1, height_ratios=(2, 3))
        plot_detection(event.columns, event.detection, axes, flagged=event.flagged, value=event.value)
        part.suptitle(printable(event.detection["source"]), parse_math=False)
    return whole
