"""Summary of each source of a bin, including sources without data."""

from dataclasses import dataclass
from itertools import chain

import numpy as np

from vo_lib.cuts import apply_cuts
from vo_lib.errors import ConfigError
from vo_lib.labels import match_names
from vo_lib.measures.colors import color_columns, color_pairs, subtract
from vo_lib.measures.filters import STATISTIC_COLUMNS, count, gather, summarise_filters
from vo_lib.periods.periodic import PERIOD_PROPERTIES, source_periods
from vo_lib.segments import rank_within, starts_from_counts
from vo_lib.statistics import STATISTICS
from vo_lib.tables import empty_table

__all__ = ["INTERESTS", "PROPERTY_COLUMNS", "Summary", "check_options", "summarise"]

# Values for sources that pass the cuts, other sources, and sources without usable data.
INTERESTS = ("interesting", "boring", "null")

# Columns of the properties table: (type, unit, meaning); columns of colours follow, see `vo_lib.measures.colors`.
PROPERTY_COLUMNS = {
    "source": ("U1", "", "name in the catalog"),
    "interest": ("U11", "", "interesting or boring, by the cuts; null without unflagged epochs"),
    "ra": ("f8", "deg", "right ascension in the catalog (ICRS)"),
    "dec": ("f8", "deg", "declination in the catalog (ICRS)"),
    "mag": ("f8", "mag", "magnitude in the catalog"),
    "n_lightcurves": ("i8", "", "lightcurves of all observatories"),
    "n_epochs": ("i8", "", "epochs of all lightcurves"),
    "n_good": ("i8", "", "unflagged epochs"),
    "mjd_first": ("f8", "d", "first epoch (UTC)"),
    "mjd_last": ("f8", "d", "last epoch (UTC)"),
    "n_detections": ("i8", "", "real detections"),
    "best_snr": ("f8", "", "greatest |S/N| of an unflagged epoch"),
    "filter": ("U1", "", "filter that the statistics are of: that with most unflagged epochs, or the reference"),
    "filter_n_good": ("i8", "", "unflagged epochs in that filter"),
} | (STATISTIC_COLUMNS | PERIOD_PROPERTIES)


@dataclass(frozen=True)
class Summary:
    """Summary tables of lightcurves, filters and sources.

    Parameters
    ----------
    series, filters : dict of str to ndarray
        See `vo_lib.measures.filters.summarise_filters`.
    properties : dict of str to ndarray, each of shape (n_sources,)
        The columns in `columns`; counts are 0, numbers NaN and text empty for sources without data.
    columns : dict of str to tuple
        `PROPERTY_COLUMNS` and the columns of colours.
    """

    series: dict
    filters: dict
    properties: dict
    columns: dict


def check_options(filters, *, interesting, reference_filter, colors, own=None):
    """Raise `ConfigError` for options of `summarise` that cannot work with these surveys.

    Parameters
    ----------
    filters : dict of str to sequence of str
        Filters of each observatory.
    interesting, reference_filter, colors
        See `summarise`.
    own : dict of str to tuple, optional
        Columns added by a user-defined analysis, see `vo_lib.analysis.Analysis`.
    """
    known = list(chain.from_iterable(filters.values()))
    wanted = [("reference_filter", reference_filter)] if reference_filter is not None else []
    wanted += [("colors", name) for pair in colors or () for name in pair]
    for key, name in wanted:
        if name not in known:
            raise ConfigError(
                f"configuration: properties.{key}: no survey has the filter '{name}'; known are {', '.join(known)}"
            )
    for blue, red in colors or ():
        if blue == red:
            raise ConfigError(f"configuration: properties.colors: '{blue}' is paired with itself; name two filters")
    columns = PROPERTY_COLUMNS | color_columns(color_pairs(filters, colors)) | (own or {})
    del columns["interest"]
    _interest(empty_table(columns), interesting)


def summarise(
    sources,
    batch,
    qflag,
    finding,
    *,
    periods=None,
    interesting=("n_detections > 0",),
    reference_filter=None,
    colors=None,
    own=None,
):
    """Summarise every lightcurve, every filter of each source, and every source.

    Parameters
    ----------
    sources : dict of str to ndarray, each of shape (n_sources,)
        Columns ``name``, ``ra``, ``dec`` [degrees] and ``mag`` (NaN if unknown), in the order of the result.
    batch : LightcurveBatch
        Lightcurves of these sources.
    qflag : ndarray of int64, shape (n_epochs,)
        0 for good epochs.
    finding : Finding
        S/N and real detections of the batch.
    periods : dict of str to ndarray, optional
        See `vo_lib.periods.periodic.search_periods`; without it, the columns of periods are NaN.
    interesting : sequence of str, optional
        Conditions on the columns of the properties, see `vo_lib.cuts`, all of which an interesting source must
        fulfil; a comparison with NaN is false.
    reference_filter : str, optional
        Filter whose statistics represent a source; by default the one with the most unflagged epochs.
    colors : sequence of pair of str, optional
        Pairs of filters to compute colours for; by default all pairs of a survey's filters in the batch.
    own : dict of str to ndarray, each of shape (n_sources,), optional
        Further columns that conditions may use, not included in the summary.

    Returns
    -------
    Summary

    Raises
    ------
    ValueError
        If a lightcurve belongs to none of the sources.
    ConfigError
        If a condition is invalid.
    """
    good = np.asarray(qflag) == 0
    owner = match_names(sources["name"], batch.table["source"])
    counts = count(batch, good, finding)
    series, filters = summarise_filters(batch, good, owner, counts)
    reference = _best(sources, filters, reference_filter)
    colors = color_pairs(_filters_of(batch), colors)
    properties = _per_source(sources, owner, counts) | _of_filter(filters, reference)
    properties |= source_periods(properties["source"], properties["filter"], periods)
    properties |= subtract(_magnitudes(sources, filters, colors), colors)
    properties["interest"] = _interest(properties | (own or {}), interesting)
    columns = PROPERTY_COLUMNS | color_columns(colors)
    return Summary(series, filters, {name: properties[name] for name in columns}, columns)


def _filters_of(batch):
    """Filters of each observatory in a batch, sorted."""
    pairs = sorted(set(zip(batch.table["obs"].tolist(), batch.table["filter"].tolist(), strict=True)))
    return {obs: [name for other, name in pairs if other == obs] for obs, _ in pairs}


def _per_source(sources, owner, counts):
    """Catalog columns and counts of each source."""
    starts = starts_from_counts(np.bincount(owner, minlength=len(sources["name"])))
    table = {name: sources["name" if name == "source" else name] for name in ("source", "ra", "dec", "mag")}
    return table | gather(counts, np.argsort(owner, kind="stable"), starts)


def _best(sources, filters, name=None):
    """Row of the filter with most good epochs of each source, only of filter `name` if given; -1 if there is none."""
    usable = filters["n_good"] > 0
    rows = np.flatnonzero(usable if name is None else usable & (filters["filter"] == name))
    owner = match_names(sources["name"], filters["source"][rows])
    first = rank_within(owner, -filters["n_good"][rows]) == 1
    best = np.full(len(sources["name"]), -1)
    best[owner[first]] = rows[first]
    return best


def _take(values, rows, missing):
    """Values of rows, with `missing` for row -1."""
    return np.append(values, missing)[rows]


def _of_filter(filters, rows):
    """Filter and statistics that represent each source."""
    table = {name: _take(filters[name], rows, np.nan) for name in STATISTICS}
    return table | {"filter": _take(filters["filter"], rows, ""), "filter_n_good": _take(filters["n_good"], rows, 0)}


def _magnitudes(sources, filters, colors):
    """Magnitude and error of each source in each filter that the colours need."""
    rows = {name: _best(sources, filters, name) for name in dict.fromkeys(chain.from_iterable(colors))}
    columns = ("mag_median", "mag_median_err")
    return {name: tuple(_take(filters[column], row, np.nan) for column in columns) for name, row in rows.items()}


def _interest(properties, interesting):
    """Interest of each source, one of `INTERESTS`."""
    fulfilled = apply_cuts(interesting, properties, key="properties.interesting")[0]
    by_the_cuts, otherwise, without_data = INTERESTS
    return np.select([properties["n_good"] == 0, fulfilled], [without_data, by_the_cuts], otherwise)
