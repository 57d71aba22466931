"""Outcomes of the downloads of all bins."""

import numpy as np

from vo_lib.plots.marks import FOUND, KNOWN, LINE, axes_or_new, put_legend, say_empty
from vo_lib.text import count_text

__all__ = ["plot_downloads"]

# Style of each outcome of a download.
STYLES = {
    "ok": {"facecolor": KNOWN},
    "empty": {"facecolor": LINE, "alpha": 0.5},
    "failed": {"facecolor": FOUND, "hatch": "///", "edgecolor": "w"},
}
HEIGHT = 0.8


def plot_downloads(outcomes, ax=None, *, width_deg=1.0):
    """Draw the outcomes of the downloads for each bin and survey.

    Parameters
    ----------
    outcomes : list of dict
        A row per bin and survey: ``bin`` (its name), ``obs``, and the numbers of sources that are ``ok``, ``empty``
        and ``failed``, as in `vo_lib.results.Results`.
    ax : matplotlib.axes.Axes, optional
        Axes to draw into; default those of a new figure, higher for more surveys.
    width_deg : float, optional
        Width of the bins [degrees].

    Returns
    -------
    matplotlib.axes.Axes
        Axes with a strip for each survey along right ascension, whose stacked bars are the fractions of each bin's
        sources by outcome.
    """
    surveys = sorted({row["obs"] for row in outcomes})
    ax = axes_or_new(ax, 6.4, 1.5 + 0.6 * max(len(surveys), 1))
    totals = dict.fromkeys(STYLES, 0)
    for place, survey in enumerate(surveys):
        rows = [row for row in outcomes if row["obs"] == survey]
        for status, number in _draw_strip(ax, place, rows, width_deg).items():
            totals[status] += number
    ax.set(xlabel="right ascension of the bin (°, ICRS)", ylim=(len(surveys) - 0.4, -0.6))
    ax.set_yticks(range(len(surveys)), [_name(survey, outcomes) for survey in surveys])
    if surveys:
        _finish(ax, outcomes, totals, width_deg)
    else:
        say_empty(ax, "no downloads", scales=False)
    return ax


def _draw_strip(ax, place, rows, width_deg):
    """Draw the bars of one survey; return its number of sources by outcome."""
    numbers = {status: np.array([row[status] for row in rows]) for status in STYLES}
    total = np.maximum(sum(numbers.values()), 1)
    left, base = np.array([_right_ascension(row) for row in rows]), np.full(len(rows), place + HEIGHT / 2)
    for status, style in STYLES.items():
        height = HEIGHT * numbers[status] / total
        ax.bar(left, -height, width_deg, bottom=base, align="edge", linewidth=0, **style)
        base = base - height
    return {status: int(values.sum()) for status, values in numbers.items()}


def _right_ascension(row):
    """Lower end of a bin [degrees], from its name."""
    return float(row["bin"].removeprefix("RA"))


def _name(survey, outcomes):
    """Label of a survey: its name and number of bins."""
    return f"{survey}\n{count_text(sum(row['obs'] == survey for row in outcomes), 'bin')}"


def _finish(ax, outcomes, totals, width_deg):
    """Set the limits of the axis, and add a legend with the totals."""
    from matplotlib.patches import Patch
    from matplotlib.ticker import MaxNLocator

    places = [_right_ascension(row) for row in outcomes]
    margin = 0.02 * (max(places) - min(places)) + width_deg
    ax.set_xlim(max(min(places) - margin, 0), min(max(places) + width_deg + margin, 360))
    ax.xaxis.set_major_locator(MaxNLocator(7, integer=width_deg >= 1))
    handles = [Patch(**style) for style in STYLES.values()]
    put_legend(ax, handles, [f"{status} ({totals[status]:,})" for status in STYLES])
