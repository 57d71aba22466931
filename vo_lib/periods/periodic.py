"""Search of a whole bin for periods: each filter of each source, and all filters of a source together.

Lightcurves are searched one by one, since a periodogram is a transform of one lightcurve and takes milliseconds to
seconds: the cost of the loop itself is not measurable. The search is off unless ranges are given.
"""

import math

import numpy as np

from vo_lib.periods.aliases import MAX_DELTA_CHI2, aliases, window_line, window_lines
from vo_lib.periods.frequencies import clip_band, join_bands, period_band
from vo_lib.periods.peaks import bootstrap_fap, highest_peak, scan, usable_epochs
from vo_lib.periods.sinusoids import MIN_EPOCHS, Sinusoids, vary
from vo_lib.periods.transits import search_boxes
from vo_lib.randoms import hash_text

__all__ = ["METHODS", "PERIOD_COLUMNS", "PERIOD_PROPERTIES", "TOO_FEW", "search_periods", "source_periods"]

METHODS = ("lomb_scargle", "multiband", "bls")
# Status of a filter with fewer epochs than a search needs.
TOO_FEW = "too few epochs"

# Columns of the table of periods: (type, unit, meaning).
PERIOD_COLUMNS = {
    "source": ("U1", "", "name in the catalog"),
    "obs": ("U1", "", "observatory; empty for all filters of the source together"),
    "filter": ("U1", "", "filter, of all lightcurves together; empty for all filters of the source together"),
    "status": ("U1", "", "ok, clipped to half the span, or why nothing was searched"),
    "n_epochs": ("i8", "", "unflagged epochs with time, flux and error"),
    "best_period": ("f8", "d", "period of the best sinusoid"),
    "best_period_err": ("f8", "d", "its error if it is the right peak"),
    "best_frequency": ("f8", "1/d", "frequency of the best sinusoid"),
    "power": ("f8", "", "share of chi-square that it takes away"),
    "fap": ("f8", "", "probability that noise has as high a peak in all ranges"),
    "fap_bootstrap": ("f8", "", "the same from shuffled epochs"),
    "periodogram": ("i8", "", "1 if power and false-alarm probability pass the limits of the configuration"),
    "semi_amplitude": ("f8", "uJy", "semi-amplitude of the sinusoid, of a single filter"),
    "time_of_maximum": ("f8", "d", "first time of greatest flux (BMJD, TDB), of a single filter"),
    "window_power": ("f8", "", "power of the sampling at the best frequency"),
    "window_line": ("U1", "", "cadence, day, sidereal day, month or year if the best frequency is one of the sampling"),
    "alias": ("U1", "", "line of the sampling by which another frequency differs that fits nearly as well"),
    "alias_period": ("f8", "d", "the period of that other frequency"),
    "alias_power": ("f8", "", "its power"),
    "bls_period": ("f8", "d", "period of the best box-shaped dip"),
    "bls_duration": ("f8", "d", "duration of the dip"),
    "bls_time": ("f8", "d", "middle of the first dip (BMJD, TDB)"),
    "bls_depth": ("f8", "uJy", "depth of the dip"),
    "bls_depth_err": ("f8", "uJy", "its error from the errors alone"),
    "bls_snr": ("f8", "", "depth over its error"),
    "bls_fap": ("f8", "", "probability that noise has such a dip in all ranges"),
    "bls_n_inside": ("i8", "", "epochs in the dips"),
    "bls_n_dips": ("i8", "", "dips that have epochs"),
}
# Columns of the properties of a source, and the columns of the table of periods that they are taken from.
_FROM = {
    "best_period": "best_period",
    "best_period_err": "best_period_err",
    "best_period_power": "power",
    "best_period_fap": "fap",
    "best_period_alias": "alias",
    "best_period_filter": "filter",
    "periodogram": "periodogram",
    "bls_period": "bls_period",
    "bls_duration": "bls_duration",
    "bls_depth": "bls_depth",
    "bls_snr": "bls_snr",
    "bls_fap": "bls_fap",
    "bls_n_dips": "bls_n_dips",
}
PERIOD_PROPERTIES = {name: PERIOD_COLUMNS[column] for name, column in _FROM.items()} | {
    "best_period_alias": (
        "U1",
        "",
        "line of the sampling that the best period, or one that fits nearly as well, is due to",
    ),
    "best_period_filter": ("U1", "", "filter of the periods; empty for all together and where nothing was searched"),
}
# Values of a row without a result, by type.
_EMPTY = {"f": math.nan, "i": 0, "U": ""}


def search_periods(
    batch,
    good,
    *,
    ranges=(),
    methods=("lomb_scargle",),
    fractions=(0.02, 0.05, 0.1),
    oversampling=5,
    min_epochs=20,
    max_frequencies=1_000_000,
    bootstrap=0,
    min_power=0.3,
    max_fap=1e-3,
    seed=0,
):
    """Search the filters of all sources for periods.

    Parameters
    ----------
    batch : LightcurveBatch
        Lightcurves of a bin with the columns bmjd_tdb [days], flux and fluxerr [uJy]; not changed.
    good : ndarray of bool, shape (n_epochs,)
        Epochs to use.
    ranges : sequence of str, optional
        Ranges of periods, see `vo_lib.periods.frequencies.parse_range`; if empty, nothing is searched.
    methods : sequence of str, optional
        Some of `METHODS`; ``multiband`` adds a row for each source with more than one filter.
    fractions : sequence of float, optional
        Durations of dips as fractions of the period.
    oversampling : float, optional
        Grid steps per 1 / span for sinusoids.
    min_epochs : int, optional
        Least number of epochs for a search, and for each filter of ``multiband``.
    max_frequencies : int, optional
        Greatest number of frequencies in one grid.
    bootstrap : int, optional
        Number of shuffles for ``fap_bootstrap``; 0 for none.
    min_power, max_fap : float, optional
        Least power and greatest false-alarm probability for which ``periodogram`` is 1.
    seed : int, optional
        Seed of the project.

    Returns
    -------
    dict of str to ndarray, each of shape (n_rows,)
        `PERIOD_COLUMNS`; sources in order of their first lightcurve, each with a row for each survey and filter, in
        order of these, then one for all its filters.

    Raises
    ------
    ConfigError
        If a range takes more frequencies than allowed.
    """
    options = {"oversampling": oversampling, "max_frequencies": max_frequencies}
    rows = []
    for (source, obs, name), bands in _searches(batch, good, ranges, methods, min_epochs):
        row = {"source": source, "obs": obs, "filter": name, "n_epochs": sum(len(band[0]) for band in bands)}
        spans, row["status"] = _bands(bands, ranges, min_epochs)
        if spans and ("multiband" if name == "" else "lomb_scargle") in methods:
            key = (seed, *hash_text([source, obs, name]).tolist())
            row |= _sinusoid(Sinusoids(bands), spans, bootstrap=bootstrap, key=key, **options)
            row["periodogram"] = row["power"] >= min_power and row["fap"] <= max_fap
        if spans and name and "bls" in methods:
            box = search_boxes(*bands[0], spans, fractions=fractions, max_frequencies=max_frequencies)
            row |= {f"bls_{name}": value for name, value in box._asdict().items()}
        rows.append(row)
    return _table(rows, PERIOD_COLUMNS)


def _table(rows, columns):
    """Turn rows into columns; what a row lacks is NaN, 0 or empty."""
    table = {}
    for name, (kind, *_) in columns.items():
        values = [row.get(name, _EMPTY[kind[0]]) for row in rows]
        table[name] = np.array(values, None if kind[0] == "U" and values else kind)
    return table


def _searches(batch, good, ranges, methods, min_epochs):
    """Yield names and epochs of each search: one filter, or all of a source with enough epochs that vary."""
    if not ranges:
        return
    for source, groups in _by_source(batch.table).items():
        bands = {key: _epochs(batch, good, lightcurves) for key, lightcurves in sorted(groups.items())}
        for (obs, name), band in bands.items():
            yield (source, obs, name), [band]
        rich = [band for band in bands.values() if len(band[0]) >= min_epochs and vary(band)]
        if "multiband" in methods and len(rich) > 1:
            yield (source, "", ""), rich


def _by_source(table):
    """Group lightcurves by source and, within it, by observatory and filter."""
    groups = {}
    for row, (source, *key) in enumerate(
        zip(*(table[name].tolist() for name in ("source", "obs", "filter")), strict=True)
    ):
        groups.setdefault(source, {}).setdefault(tuple(key), []).append(row)
    return groups


def _epochs(batch, good, lightcurves):
    """Return the usable epochs of some lightcurves together: barycentric time [days], flux and error."""
    rows = batch.epochs_of(lightcurves)[0]
    rows = rows[good[rows]]
    return usable_epochs(*(batch.columns[name][rows] for name in ("bmjd_tdb", "flux", "fluxerr")))


def _bands(bands, ranges, min_epochs):
    """Return the frequency bands [1/d] to search, none if something prevents a search, and the status."""
    if len(bands[0][0]) < max(min_epochs, MIN_EPOCHS):
        return [], TOO_FEW
    if np.ptp(bands[0][1]) == 0:
        return [], "constant"
    time = np.sort(np.concatenate([time for time, *_ in bands]))
    asked = [period_band(text, time) for text in ranges]
    left = [clip_band(band, time[-1] - time[0]) for band in asked]
    found = join_bands(band for band in left if band)
    return found, "ok" if left == asked else "clipped" if found else "too short"


def _sinusoid(sinusoids, bands, *, bootstrap, key, **options):
    """Return the columns of the best sinusoid."""
    frequency, power = scan(sinusoids, bands, **options)
    peak = highest_peak(sinusoids, bands, frequency, power)
    names = {"period": "best_period", "period_err": "best_period_err", "frequency": "best_frequency"}
    found = {names.get(name, name): value for name, value in peak._asdict().items()}
    if bootstrap:
        found["fap_bootstrap"] = bootstrap_fap(sinusoids, bands, power.max(), bootstrap, key, **options)
    return found | _alias(sinusoids, peak.frequency, peak.power)


def _alias(sinusoids, best, height):
    """Return the columns on the effects of the sampling: its line at the best frequency, and the best alias."""
    lines = window_lines(sinusoids)
    found = {"window_line": window_line(best, lines, sinusoids.span)}
    rivals = [alias for alias in aliases(sinusoids, best, height, lines) if alias.delta_chi2 < MAX_DELTA_CHI2]
    if rivals:
        found |= {"alias": rivals[0].name, "alias_period": rivals[0].period, "alias_power": rivals[0].power}
    return found


def source_periods(names, filters, periods):
    """Choose the periods that represent each source: of all its filters together, else of one filter.

    Parameters
    ----------
    names, filters : ndarray of str, shape (n_sources,)
        Sources, and for each the filter that its statistics are of.
    periods : dict of str to ndarray or None
        See `search_periods`; None if nothing was searched.

    Returns
    -------
    dict of str to ndarray, each of shape (n_sources,)
        `PERIOD_PROPERTIES`; NaN, 0 and empty text where there is no row. Box-shaped dips are always
        those of the filter.
    """
    places = {}
    if periods:
        # If two surveys have a filter of the same name, the one with more epochs comes last and is kept.
        for row in np.argsort(periods["n_epochs"], kind="stable").tolist():
            places[periods["source"][row].item(), periods["filter"][row].item()] = row
    rows = []
    for source, name in zip(names.tolist(), filters.tolist(), strict=True) if places else ():
        single = _property_row(periods, places.get((source, name)))
        joint = _property_row(periods, places.get((source, ""))) if name else {}
        dips = {key: value for key, value in single.items() if key.startswith("bls_")}
        rows.append((joint or single) | dips)
    return _table(rows or [{}] * len(names), PERIOD_PROPERTIES)


def _property_row(periods, row):
    """Return the columns of properties from a row of periods; none without a row."""
    if row is None:
        return {}
    found = {name: periods[column][row].item() for name, column in _FROM.items()}
    return found | {"best_period_alias": periods["window_line"][row].item() or found["best_period_alias"]}
