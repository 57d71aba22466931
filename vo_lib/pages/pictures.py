"""Pictures of a project, for its report and for Snakemake's."""

from functools import partial
from math import ceil

from vo_lib.canvas import draw_parts, draw_png, new_figure, printable
from vo_lib.plots import (
    plot_completeness,
    plot_coverage,
    plot_detection,
    plot_downloads,
    plot_efficiency,
    plot_exposure,
    plot_rates,
    plot_scores,
    plot_sky,
    plot_sky_coverage,
)

__all__ = ["PICTURES", "draw_overview", "draw_pictures"]

# How each picture is made from `vo_lib.results.Results`, the threshold of the search and the width of bins [degrees].
PICTURES = {
    "sky": lambda results, **_: plot_sky(results.properties),
    "sky_coverage": lambda results, **_: plot_sky_coverage(results.properties),
    "downloads": lambda results, *, width_deg, **_: plot_downloads(results.outcomes, width_deg=width_deg),
    "scores": lambda results, *, threshold, **_: plot_scores(results.histograms["good_scores"], threshold=threshold),
    "coverage": lambda results, **_: plot_coverage(results.histograms["coverage"]),
    "filters": lambda results, **_: plot_coverage(results.histograms["coverage"], by="filter"),
    "exposure": lambda results, **_: plot_exposure(results.histograms["exposure_time"]),
    "efficiency": lambda results, **_: plot_efficiency(*_injections(results)),
    "completeness": lambda results, **_: plot_completeness(*_injections(results)),
    "rates": lambda results, **_: plot_rates(results.rates),
}


def _injections(results):
    """Histograms of the injected and the recovered events."""
    return results.histograms["injected"], results.histograms["recovered"]


def draw_pictures(results, events, *, threshold, width_deg):
    """Draw all pictures of a project.

    Parameters
    ----------
    results : vo_lib.results.Results
        Tables and histograms of the project.
    events : list of vo_lib.results.Event
        Best detections.
    threshold : float or pair of float
        S/N from which on a single epoch is a detection, see `vo_lib.plots.plot_scores`; None if the search does not
        judge single epochs.
    width_deg : float
        Width of the bins of right ascension [degrees].

    Returns
    -------
    dict of str to bytes
        PNG by name: the pictures of `PICTURES`, ``detections`` with all events, and each event alone as ``event 0``,
        ``event 1`` and so on.
    """
    settings = {"threshold": threshold, "width_deg": width_deg}
    pictures = {name: draw_png(lambda make=make: make(results, **settings).figure) for name, make in PICTURES.items()}
    pictures["detections"], *parts = draw_parts(partial(draw_overview, events), *_shape(events))
    return pictures | {f"event {number}": part for number, part in zip(range(len(events)), parts, strict=False)}


def _shape(events):
    """Rows and columns of the overview of events."""
    columns = 1 if len(events) < 2 else 2
    return max(1, ceil(len(events) / columns)), columns


def draw_overview(events):
    """Draw events in a grid, each with the name of its source.

    Parameters
    ----------
    events : list of vo_lib.results.Event
        Best first.

    Returns
    -------
    matplotlib.figure.Figure
        Without events, a figure that says so.
    """
    if not events:
        empty = new_figure(5.4, 1.5)
        empty.text(0.5, 0.5, "no detections", ha="center", va="center")
        return empty
    rows, columns = _shape(events)
    whole = new_figure(5.4 * columns, 5.2 * rows)
    for event, part in zip(events, whole.subfigures(rows, columns, squeeze=False).flat, strict=False):
        axes = part.subplots(2, 1, height_ratios=(2, 3))
        plot_detection(event.columns, event.detection, axes, flagged=event.flagged, value=event.value)
        part.suptitle(printable(event.detection["source"]), parse_math=False)
    return whole
