"""Lightcurves: magnitudes or fluxes with their errors, by time, date or phase."""

from itertools import cycle

import numpy as np

from vo_lib.plots.marks import (
    MARKERS,
    add_note,
    axes_or_new,
    band_colours,
    band_label,
    put_grid,
    put_legend,
    say_empty,
)
from vo_lib.segments import ROBUST_SCALE

__all__ = ["MISSING", "TIME_LABELS", "as_columns", "flags_of", "on_axis", "plot_lightcurve", "points", "set_limits"]

TIME_LABELS = {"mjd": "MJD (UTC, mid-exposure)", "date": "date (UTC, mid-exposure)"}
VALUE_LABELS = {"mag": "magnitude (AB)", "flux": "flux density (µJy)"}
MISSING = {"mag": "epochs without a magnitude", "flux": "epochs without a flux"}
# matplotlib counts its dates from 1970-01-01, which is this MJD.
MJD_1970 = 40587.0
# Flagged epochs farther from the good ones than their range plus this many median errors are outside the axis.
FARTHEST_FLAGGED = 5.0
# Points of more epochs than this are rasterized in vector files, with pale error bars.
MANY = 2000


def plot_lightcurve(
    columns, ax=None, *, flagged=None, value="mag", time="mjd", period=None, epoch=None, sigma=None, pause_days=60.0
):
    """Draw lightcurves of one source, flagged epochs as hollow points.

    Parameters
    ----------
    columns : structured array, dict of str to ndarray, or pandas.DataFrame, each column of shape (n_epochs,)
        ``mjd`` [days, UTC] and ``mag``, ``magerr`` [mag, AB] or ``flux``, ``fluxerr`` [uJy] as in a reduced file, in
        any order; ``obs``, ``filter`` (one text or one per epoch), ``bmjd_tdb`` and ``qflag`` are optional.
    ax : matplotlib.axes.Axes, optional
        Axes to draw into; default those of a new figure.
    flagged : ndarray of bool, shape (n_epochs,), or str, optional
        Mask of the epochs that failed the quality checks, or name of a column that is not 0 there; default ``qflag``,
        or no epoch if there is no such column.
    value : {"mag", "flux"}, optional
        What to draw; magnitudes increase downwards, and epochs without one are counted below the axis.
    time : {"mjd", "date"}, optional
        Format of the time axis, unless `period` is given.
    period : float, optional
        Period to fold by [days], using barycentric times if there are any; two cycles are drawn.
    epoch : float, optional
        Time of phase 0 [days, on the scale of the folded times]; default the first epoch.
    sigma : float, optional
        Shade this many robust standard deviations around the median of the good epochs of each survey and filter, and
        count the good epochs outside below the axis.
    pause_days : float, optional
        Shade pauses between epochs that are longer than this [days], unless `period` is given.

    Returns
    -------
    matplotlib.axes.Axes
        Axes with the lightcurves, which say so if there is nothing to draw.

    Raises
    ------
    ValueError
        If a column is missing, or `value`, `time`, `flagged` or `period` is invalid.
    """
    columns = as_columns(columns)
    _check(columns, value, time, period)
    ax, bad = axes_or_new(ax, 6.4, 3.4), flags_of(columns, flagged)
    drawn = np.isfinite(columns[value]) & np.isfinite(columns["mjd"])
    if period is None:
        x, label = on_axis(columns["mjd"], time), TIME_LABELS[time]
        _shade_pauses(ax, x[drawn], pause_days)
    else:
        x, label = _phase(columns, period, epoch)
    ax.set(xlabel=label, ylabel=VALUE_LABELS[value])
    _draw_groups(ax, columns, x, drawn, bad, value, cycles=1 if period is None else 2)
    beyond = _shade_scatter(ax, columns, drawn & ~bad, value, sigma) if sigma else 0
    outside = set_limits(ax, *points(columns, value, drawn), bad[drawn], value)
    _finish(ax, x[drawn], time if period is None else "phase")
    notes = [(int((~drawn).sum()), MISSING[value]), (outside, "flagged epochs beyond the axis")]
    add_note(ax, [*notes, (beyond, f"good epochs outside of {sigma or 0:g} σ")])
    if not drawn.any():
        say_empty(ax, "no epochs to draw" if len(drawn) else "no epochs", scales=False)
    return ax


def as_columns(table):
    """Convert a structured array, dict or pandas.DataFrame to a dict of arrays, with bytes decoded."""
    names = table.dtype.names if isinstance(table, np.ndarray) else list(table)
    columns = {name: np.asarray(table[name]) for name in names}
    return {name: np.char.decode(column) if column.dtype.kind == "S" else column for name, column in columns.items()}


def _check(columns, value, time, period):
    """Raise ValueError for what cannot be drawn."""
    for name, given, known in (("value", value, VALUE_LABELS), ("time", time, TIME_LABELS)):
        if given not in known:
            raise ValueError(f"{name} must be {' or '.join(known)}, got {given!r}")
    if missing := [name for name in ("mjd", value, f"{value}err") if name not in columns]:
        raise ValueError(f"a lightcurve needs a column {missing[0]} to be drawn; it has {', '.join(columns)}")
    if period is not None and not 0 < period < np.inf:
        raise ValueError(f"period must be a positive number of days, got {period!r}")


def flags_of(columns, flagged):
    """Return the mask of epochs to draw hollow, see `plot_lightcurve`."""
    if flagged is None:
        flagged = "qflag" if "qflag" in columns else np.zeros(len(columns["mjd"]), bool)
    if isinstance(flagged, str):
        if flagged not in columns:
            raise ValueError(f"flagged is '{flagged}', which is not a column; there are {', '.join(columns)}")
        flagged = columns[flagged] != 0
    if np.shape(flagged) != np.shape(columns["mjd"]):
        raise ValueError(f"flagged must have a bool for each of {len(columns['mjd'])} epochs, got {flagged!r:.60}")
    return np.asarray(flagged, bool)


def on_axis(mjd, time):
    """Convert MJD to the values of the axis: MJD, or days since 1970, which matplotlib shows as dates."""
    return mjd - MJD_1970 if time == "date" else mjd


def _phase(columns, period, epoch):
    """Phases from 0 to 1, and the label of their axis."""
    name = "bmjd_tdb" if "bmjd_tdb" in columns else "mjd"
    times = np.asarray(columns[name], float)
    if epoch is None:
        epoch = np.min(times, where=np.isfinite(times), initial=np.inf)
    scale = "BMJD, TDB" if name == "bmjd_tdb" else "MJD, UTC"
    phase = np.mod((times - epoch) / period, 1.0)
    start = f", 0 at {epoch:.5f}" if np.isfinite(epoch) else ""
    return phase, f"phase for a period of {period:.8g} d ({scale}{start})"


def _shade_pauses(ax, x, pause_days):
    """Shade long pauses between epochs."""
    times = np.sort(x)
    for end in np.flatnonzero(np.diff(times) > pause_days):
        ax.axvspan(times[end], times[end + 1], color="0.5", alpha=0.1, linewidth=0, zorder=0, gid="pause")


def _draw_groups(ax, columns, x, drawn, bad, value, *, cycles):
    """Draw each survey and filter with its marker, and put a legend above the axes."""
    handles, style = [], _style(drawn.sum())
    for label, colour, marker, group in _groups(columns):
        for hollow in (False, True):
            mask = group & drawn & (bad == hollow)
            if mask.any():
                look = {"color": colour, "marker": marker, "label": f"_{label}, flagged" if hollow else label} | style
                look["markerfacecolor"] = _face(ax, colour, hollow)
                phases = np.concatenate([x[mask] + cycle for cycle in range(cycles)])
                _draw_points(ax, phases, *(np.tile(part, cycles) for part in points(columns, value, mask)), **look)
        if (group & drawn).any():
            handles.append(_handle(ax, label, colour, marker))
    if (bad & drawn).any():
        handles.append(_handle(ax, "flagged", "0.5", "o", hollow=True))
    if handles:
        put_legend(ax, handles, [handle.get_label() for handle in handles], handletextpad=0.1)


def _draw_points(ax, x, y, error, *, label, color, bars, elinewidth, rasterized, **look):
    """Draw points with error bars like ``Axes.errorbar``, which takes a few times as long for many epochs."""
    from matplotlib.collections import LineCollection
    from matplotlib.container import ErrorbarContainer

    (line,) = ax.plot(x, y, linestyle="", color=color, zorder=2.1, rasterized=rasterized, **look)
    ends = np.stack([np.stack([x, x], axis=1), np.stack([y - error, y + error], axis=1)], axis=2)
    lines = LineCollection(ends, colors=[(color, bars)], linewidths=elinewidth, zorder=2, rasterized=rasterized)
    ax.add_collection(lines, autolim=False)
    ax.add_container(ErrorbarContainer((line, (), (lines,)), has_yerr=True, label=label))


def _face(ax, colour, hollow):
    """Fill colour of a point."""
    return ax.get_facecolor() if hollow else colour


def _handle(ax, label, colour, marker, *, hollow=False):
    """Point for a legend."""
    from matplotlib.lines import Line2D

    face = _face(ax, colour, hollow)
    return Line2D([], [], linestyle="", marker=marker, markersize=5, color=colour, markerfacecolor=face, label=label)


def _shade_scatter(ax, columns, good, value, sigma):
    """Shade the scatter of each survey and filter around its median; return the number of good epochs outside."""
    beyond = 0
    for _, colour, _, group in _groups(columns):
        values = columns[value][group & good]
        if values.size:
            middle = np.median(values)
            reach = sigma * ROBUST_SCALE * np.median(np.abs(values - middle))
            ax.axhspan(middle - reach, middle + reach, color=colour, alpha=0.12, linewidth=0, zorder=0.5, gid="scatter")
            beyond += int((np.abs(values - middle) > reach).sum())
    return beyond


def _style(number):
    """Style of points and error bars: smaller, and with paler bars, if there are many."""
    size = float(np.clip(5 - 0.9 * np.log10(max(number, 10) / 10), 1.6, 4.5))
    many = bool(number > MANY)
    lines = {"elinewidth": size / 5, "markeredgewidth": size / 5, "bars": 0.25 if many else 1.0}
    return lines | {"markersize": size, "rasterized": many}


def points(columns, value, mask):
    """Return the values and errors to draw; errors that are not finite and positive become 0."""
    error = columns[f"{value}err"][mask]
    return columns[value][mask], np.where(np.isfinite(error) & (error > 0), error, 0.0)


def _groups(columns):
    """Label, colour, marker and epochs of each survey and filter, in alphabetical order."""
    shape = columns["mjd"].shape
    obs, band = (np.broadcast_to(columns.get(name, np.array("")), shape) for name in ("obs", "filter"))
    pairs = sorted(set(zip(obs.tolist(), band.tolist(), strict=True)))
    colours = band_colours([name for _, name in pairs])
    for (survey, name), colour, marker in zip(pairs, colours, cycle(MARKERS)):
        yield band_label(survey, name), colour, marker, (obs == survey) & (band == name)


def set_limits(ax, values, errors, bad, value):
    """Set limits that hold all good values and the flagged ones near them; return the number of flagged ones outside.

    Error bars may be cut off, since those of faint epochs would dwarf everything else.
    """
    if values.size:
        inner = values[~bad] if (~bad).any() else values
        low, high = inner.min(), inner.max()
        margin = max(0.07 * (high - low), min(np.median(errors), high - low or np.inf)) or 0.05 * abs(high) or 0.1
        reach = high - low + FARTHEST_FLAGGED * np.median(errors)
        near = values[(values >= low - reach) & (values <= high + reach)]
        ax.set_ylim(near.min() - margin, near.max() + margin)
    ax.yaxis.set_inverted(value == "mag")
    low, high = sorted(ax.get_ylim())
    return int(((values < low) | (values > high)).sum()) if values.size else 0


def _finish(ax, x, kind):
    """Set limits and ticks of the time axis, and add a grid."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.ticker import MaxNLocator

    ax.ticklabel_format(useOffset=False, style="plain")
    if kind == "date" and len(x):
        locator = AutoDateLocator(minticks=3, maxticks=7)  # with a larger minticks, no step suits 3 to 5 years
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    else:
        ax.xaxis.set_major_locator(MaxNLocator(5))
    if kind == "phase":
        ax.set_xlim(-0.03, 2.03)
    elif len(x) and np.ptp(x) == 0:
        ax.set_xlim(x[0] - 0.5, x[0] + 0.5)
    put_grid(ax)
