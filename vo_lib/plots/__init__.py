"""Figures of lightcurves, of detections and injections in them, and of whole projects.

Each function draws into the given axes, or those of a new figure, and returns the axes:
``plot_sky(properties).figure.savefig("sky.png")``. Without data, the axes say so.
"""

from vo_lib.plots.coverage import plot_coverage, plot_exposure
from vo_lib.plots.downloads import plot_downloads
from vo_lib.plots.efficiency import plot_completeness, plot_efficiency
from vo_lib.plots.events import plot_detection, plot_injection
from vo_lib.plots.lightcurve import plot_lightcurve
from vo_lib.plots.periodogram import false_alarm_power, plot_periodogram
from vo_lib.plots.rates import plot_rates
from vo_lib.plots.scores import plot_scores
from vo_lib.plots.sky import plot_sky, plot_sky_coverage

__all__ = [
    "false_alarm_power",
    "plot_completeness",
    "plot_coverage",
    "plot_detection",
    "plot_downloads",
    "plot_efficiency",
    "plot_exposure",
    "plot_injection",
    "plot_lightcurve",
    "plot_periodogram",
    "plot_rates",
    "plot_scores",
    "plot_sky",
    "plot_sky_coverage",
]
