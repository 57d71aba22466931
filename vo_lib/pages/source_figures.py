"""Figures of one source: its lightcurves, a detection, a periodogram, an injected event."""

from dataclasses import dataclass

import numpy as np

from vo_lib import hdf5, paths
from vo_lib.access import DataStore
from vo_lib.canvas import new_figure, printable
from vo_lib.dataset import Lightcurve
from vo_lib.errors import UserError, hint
from vo_lib.periods.frequencies import period_band
from vo_lib.periods.peaks import usable_epochs
from vo_lib.periods.periodogram import get_periodogram_stats
from vo_lib.periods.sinusoids import Sinusoids
from vo_lib.photometry import mag_from_flux
from vo_lib.plots import false_alarm_power, plot_detection, plot_injection, plot_lightcurve, plot_periodogram

__all__ = ["SOURCE_FIGURES", "Choices", "draw_source"]

# Range of periods to search if the configuration has none.
PERIODS = ("1-24000 h",)
# False-alarm probabilities whose powers are marked in a periodogram.
LEVELS = (0.01, 1e-4)


@dataclass(frozen=True)
class Choices:
    """Options of a figure of a source.

    Parameters
    ----------
    obs, filter : str, optional
        Survey and filter; default all, and for a periodogram those with most good epochs.
    value : {"mag", "flux"}, optional
        Magnitudes or fluxes; the default depends on the figure and the data.
    time : {"mjd", "date"}, optional
        Format of the time axes.
    period : float, optional
        Period by which to fold a lightcurve [days].
    sigma : float, optional
        Shade this many standard deviations around the median of each filter of a lightcurve.
    number : int, optional
        Number of the detection, best first, or of the injection into the source, counted from 1.
    """

    obs: str | None = None
    filter: str | None = None
    value: str | None = None
    time: str = "mjd"
    period: float | None = None
    sigma: float | None = None
    number: int = 1


def draw_source(plan, what, name, choices, *, any_provenance):
    """Draw a figure of a source.

    Parameters
    ----------
    plan : vo_lib.plan.Plan
        The project.
    what : str
        One of `SOURCE_FIGURES`.
    name : str
        Name of the source.
    choices : Choices
        Options of the figure.
    any_provenance : bool
        Whether to accept products of other code or another configuration.

    Returns
    -------
    matplotlib.figure.Figure
        Figure with the name of the source in its title.

    Raises
    ------
    UserError
        If there is no such figure, or the source has no data for it.
    """
    if what not in SOURCE_FIGURES:
        raise UserError(f"'{what}' is not a figure of a source; {hint(what, list(SOURCE_FIGURES))}")
    store = DataStore(name, plan)
    if not any_provenance:
        store.load_prov_tree()
    figure, text = SOURCE_FIGURES[what](store, choices)
    figure.suptitle(", ".join(filter(None, (printable(store.name), text))), parse_math=False)
    return figure


def _lightcurve(store, choices):
    """Draw all lightcurves in one plot."""
    columns = _columns(store, _lightcurves(store, choices))
    style = {"time": choices.time, "period": choices.period, "sigma": choices.sigma}
    return plot_lightcurve(columns, value=choices.value or _value(columns), **style).figure, ""


def _value(columns):
    """Choose magnitudes, or fluxes if more than a tenth of the epochs have no magnitude, as pages do."""
    return "mag" if np.isfinite(columns["mag"]).sum() >= 0.9 * len(columns["mag"]) else "flux"


def _lightcurves(store, choices):
    """Requested lightcurves; raise UserError if there are none."""
    found = store.get_lightcurves(choices.obs, filter=choices.filter)
    if not found:
        asked = " ".join(filter(None, (choices.obs, choices.filter)))
        others = sorted({" ".join((each.row["obs"], each.row["filter"])) for each in store.get_lightcurves()})
        raise UserError(
            f"{store.name} has no lightcurves{f' of {asked}' if asked else ''} in {store.plan.folder}"
            + (f"; it has those of {', '.join(others)}" if others else "")
        )
    return found


def _columns(store, lightcurves):
    """Concatenated columns of several lightcurves, with survey, filter and quality flags."""
    numbers = [len(lightcurve) for lightcurve in lightcurves]
    columns = {
        name: np.concatenate([lightcurve.data[name] for lightcurve in lightcurves])
        for name in lightcurves[0].data.dtype.names
    }
    for name in ("obs", "filter"):
        columns[name] = np.repeat([lightcurve.row[name] for lightcurve in lightcurves], numbers)
    return columns | {"qflag": np.concatenate([store.get_flags(lightcurve) for lightcurve in lightcurves])}


def _detection(store, choices):
    """Draw one detection with its whole lightcurve."""
    table = store.get_detections()
    order = np.argsort(-table["score"], kind="stable")
    if not 1 <= choices.number <= len(order):
        raise UserError(f"{store.name} has no detection {choices.number}: it has {len(order)}")
    row = {name: values[order[choices.number - 1]].item() for name, values in table.items()}
    columns = _columns(store, [_by_key(store, row)])
    event = slice(row["first_epoch"], row["last_epoch"] + 1)
    value = choices.value or ("mag" if np.isfinite(columns["mag"][event]).all() else "flux")
    axes, _ = plot_detection(columns, row, value=value, time=choices.time)
    return axes.figure, f"S/N {row['snr']:.1f}, {row['method'].replace('_', ' ')} {row['template']}".rstrip()


def _by_key(store, row):
    """Lightcurve of a detection or an injection."""
    return next(each for each in store.get_lightcurves(row["obs"]) if each.filekey == row["lightcurve"])


def _periodogram(store, choices):
    """Draw the periodogram of one filter above its lightcurve folded by the best period."""
    columns = _columns(store, _richest(store, _lightcurves(store, choices)))
    good = columns["qflag"] == 0
    epochs = usable_epochs(*(columns[name][good] for name in ("bmjd_tdb", "flux", "fluxerr")))
    settings = store.plan.config["periods"]
    bands = [period_band(text, epochs[0]) for text in settings["ranges"] or PERIODS]
    if not (bands := [band for band in bands if np.isfinite(band).all()]):
        raise UserError(f"{store.name}: its epochs are too far apart for {', '.join(settings['ranges'])}")
    whole = 1 / max(high for _, high in bands), 1 / min(low for low, _ in bands)
    options = {name: settings[name] for name in ("oversampling", "max_frequencies")}
    stats = get_periodogram_stats(epochs, whole, **options)
    upper, lower = new_figure(6.4, 6.0).subplots(2, 1)
    plot_periodogram(stats, upper, levels=_levels(stats, epochs))
    fold = {"period": stats.best_period, "epoch": stats.time_of_maximum} if np.isfinite(stats.best_period) else {}
    plot_lightcurve(columns, lower, value=choices.value or _value(columns), time=choices.time, **fold)
    return upper.figure, f"{columns['obs'][0]} {columns['filter'][0]}"


def _richest(store, lightcurves):
    """Lightcurves of the survey and filter with most good epochs."""
    groups = {}
    for lightcurve in lightcurves:
        groups.setdefault((lightcurve.row["obs"], lightcurve.row["filter"]), []).append(lightcurve)
    return max(groups.values(), key=lambda group: sum((store.get_flags(each) == 0).sum() for each in group))


def _levels(stats, epochs):
    """Power of each false-alarm probability in `LEVELS`; empty if nothing was searched."""
    if not np.isfinite(stats.best_period):
        return {}
    search = {"n_epochs": len(epochs[0]), "bandwidth": 1 / stats.periods[0] - 1 / stats.periods[-1]}
    search["effective_span"] = Sinusoids([epochs]).effective_span
    return {fap: false_alarm_power(fap, **search) for fap in LEVELS}


def _injection(store, choices):
    """Draw a lightcurve before and after the injection of an event."""
    row, copy = _read_copy(store, choices.number)
    lightcurve = _by_key(store, row)
    original, copy = _columns(store, [lightcurve]), _with_trend({name: copy[name] for name in copy.dtype.names})
    names = {name: lightcurve.row[name] for name in ("obs", "filter")}
    ax = plot_injection(original, copy | names, row, value=choices.value or "flux", time=choices.time)
    found = "recovered" if row["recovered"] else f"not recovered: {row['reason']}"
    return ax.figure, f"{row['kind']} of S/N {row['expected_snr']:.1f}, {found}"


def _read_copy(store, number):
    """Row of an injection, and the epochs of the copy with the event."""
    table = store.get_injections()
    rows = np.flatnonzero(table["injection"] == number)
    if not len(rows):
        raise UserError(f"{store.name} has no injection {number}: it has {len(table['injection'])}")
    row = {name: values[rows[0]].item() for name, values in table.items()}
    path = store.plan.data_root / paths.simulated_file(store.plan.folder, row["obs"], store.bin)
    if not path.exists():
        raise UserError(
            f"{path}: copies with injected events were not kept; set save_simulated: true and run "
            "snakemake or Project.run"
        )
    with hdf5.open_file(path) as file:
        copies = hdf5.read_table(file, "injections")
    same = (copies["source"] == row["source"]) & (copies["injection"] == number)
    return row, Lightcurve(path, copies["key"][same][0].item()).data


def _with_trend(columns):
    """Columns with the flux before detrending, which can be compared with that of the original lightcurve."""
    if "flux_raw" not in columns:
        return columns
    mag, magerr = mag_from_flux(columns["flux_raw"], columns["fluxerr"])
    return columns | {"flux": columns["flux_raw"], "mag": mag, "magerr": magerr}


SOURCE_FIGURES = {
    "lightcurve": _lightcurve,
    "detection": _detection,
    "periodogram": _periodogram,
    "injection": _injection,
}
