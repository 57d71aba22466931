"""Combined lightcurves: all series of a source in one filter or band, brought to one zero point.

Series differ in the zero points of their readouts and, within a band, also in their filters. Where two of them
measured a source in the same time cell, their difference is known; `vo_lib.reduction.relative_offsets` fits all
differences of a source at once. Its nodes are series, its levels the time cells of a source in a filter or band, and
each of its components becomes a combined lightcurve: series that are not linked to the others get one of their own.
"""

from dataclasses import dataclass

import numpy as np

from vo_lib.batch import COLUMNS, LightcurveBatch
from vo_lib.paths import lightcurve_key
from vo_lib.photometry import finite, mag_from_flux
from vo_lib.reduction.describe import describe
from vo_lib.reduction.relative_offsets import fit_offsets
from vo_lib.segments import run_starts, segment_median, segment_sum, spread, starts_from_counts
from vo_lib.tables import take_rows

__all__ = ["OFFSET_COLUMNS", "Combination", "combine"]

BY = ("filter", "band")
# Fits linearised about the fluxes that the previous fit predicts; each squares the remaining error.
_ROUNDS = 2

# Columns of the table of offsets: (type, unit, meaning).
OFFSET_COLUMNS = {
    "source": ("U1", "", "name in the catalog"),
    "obs": ("U1", "", "observatory"),
    "filter": ("U1", "", "filter of the series"),
    "series": ("U1", "", "object or readout of the survey"),
    "combined": ("U1", "", "key of the combined lightcurve"),
    "offset": ("f8", "mag", "magnitudes of the series less those of the reference; 0 for it, NaN without a link"),
    "offset_err": ("f8", "mag", "error of the offset"),
    "n_cells": ("i8", "", "cells of time that it shares with other series"),
    "n_epochs": ("i8", "", "epochs of the series"),
}


@dataclass(frozen=True)
class Combination:
    """Combined lightcurves of a bin.

    Parameters
    ----------
    batch : LightcurveBatch
        A lightcurve for each source, filter (or band) and set of linked series, in the order of sources, with the
        columns of the input. Its table has the columns of a reduced file's index except the digest; ``obs`` names all
        surveys, ``series`` is the number of series and ``n_good`` the number of good epochs with a flux
        and a positive error.
    offsets : dict of str to ndarray
        `OFFSET_COLUMNS`, with a row for each series.
    """

    batch: LightcurveBatch
    offsets: dict


def combine(batch, good, *, by="filter", cell_days=1.0, min_snr=5.0):
    """Fit the offsets between the series of each source and join them.

    In each time cell, the good epochs of a series have a mean flux, weighted by their errors. It is used if its
    expected S/N, given what all linked series measured in the cell, is at least `min_snr`. Among linked series, the
    one with the most epochs is the reference, and the fluxes of the others are scaled to agree with it. Variability
    within a cell adds to the errors of the offsets: the scatter of the epochs of a series beyond their errors, and the
    differences from cell to cell. A single cell with one epoch of each series shows neither.

    Parameters
    ----------
    batch : LightcurveBatch
        Lightcurves of all surveys; not changed.
    good : ndarray of bool, shape (n_epochs,)
        Epochs that offsets are fitted to; the combined lightcurves contain the others too.
    by : {"filter", "band"}, optional
        Join the series of one survey in one filter, or of all surveys in one band. The band is the last part of the
        name of a filter, so ``ztf-g`` and ``panstarrs-g`` have the same.
    cell_days : float, optional
        Length of the time cells [days].
    min_snr : float, optional
        Minimum expected S/N of a mean flux.

    Returns
    -------
    Combination
        Every epoch of the batch is in exactly one combined lightcurve; empty if the batch has no lightcurves.

    Raises
    ------
    ValueError
        If `by` is unknown or `cell_days` is not positive.
    """
    if by not in BY or not cell_days > 0:
        raise ValueError(f"combine: by must be filter or band and cell_days positive, got {by!r} and {cell_days!r}")
    table, node, series = batch.table, *_series(batch.table, by)
    n_epochs = np.bincount(node, batch.counts, minlength=len(series["row"])).astype(np.int64)
    fit = _fit(batch, good, node, series["group"], n_epochs, cell_days=cell_days, min_snr=min_snr)
    place, first = _number_combined(series, fit.component)
    joined = _join(batch, np.nan_to_num(fit.offset)[node], place[node])
    names = _names(table, series, place, first)
    offsets = {name: table[name][series["row"]] for name in ("source", "obs", "filter", "series")} | {
        "combined": names["key"][place],
        "offset": fit.offset,
        "offset_err": fit.error,
        "n_cells": fit.n_links,
        "n_epochs": n_epochs,
    }
    statistics = describe({name: joined.columns[name] for name in COLUMNS}, joined.starts, bad_flag_mask=0)
    # Flags of several surveys have no common mask.
    used = good & np.isfinite(batch.columns["flux"]) & (finite(batch.columns["fluxerr"]) > 0)
    statistics["n_good"] = np.bincount(place[node], segment_sum(used, batch.starts), len(first)).astype(np.int64)
    return Combination(LightcurveBatch(joined.columns, joined.starts, names | statistics), offsets)


def _series(table, by):
    """Return the series of each lightcurve; and for each series its first row, source, filter or band, and group."""
    row, node = _by_appearance(*(table[name] for name in ("source", "obs", "filter", "series")))
    filters, code = np.unique(table["filter"][row], return_inverse=True)
    labels = filters if by == "filter" else np.array([name.rpartition("-")[2] for name in filters.tolist()], dtype=str)
    source, label = _by_appearance(table["source"])[1][row], labels[code]
    # Filters of different surveys may have the same name.
    kinds = (label, table["obs"][row]) if by == "filter" else (label,)
    return node, {"row": row, "source": source, "label": label, "group": _by_appearance(source, *kinds)[1]}


def _number_combined(series, component):
    """Number the combined lightcurves by source and label: return that of each series, and the first series of each."""
    # Linked series have the same source and label, so each component is one run of this order.
    order = np.lexsort((component, series["label"], series["source"]))
    begins = run_starts(component[order])
    place = np.empty(len(component), np.int64)
    place[order] = np.cumsum(begins) - 1
    return place, order[begins]


def _by_appearance(*columns):
    """Return the first row of each distinct combination of values, and the number of the combination of each row.

    Combinations are numbered in order of appearance.
    """
    code = np.zeros(len(columns[0]), np.int64)
    for values in columns:
        unique, which = np.unique(values, return_inverse=True)
        code = code * len(unique) + which
    _, first, which = np.unique(code, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return np.sort(first), rank[which]


def _fit(batch, good, node, group, n_epochs, *, cell_days, min_snr):
    """Fit the offsets of series to their mean fluxes in shared time cells.

    Magnitudes of noisy fluxes are biased, and so is a selection or weighting by measured S/N. Offsets from magnitudes
    are therefore only a first estimate: with them, all series in a cell predict the flux of each series there, and the
    magnitude is linearised about that flux.
    """
    level, node, flux, error, scatter = _cells(batch, good, node, group, cell_days, min_snr)
    options = {"n_nodes": len(n_epochs), "importance": n_epochs}
    mag, magerr = mag_from_flux(np.where(flux >= min_snr * error, flux, np.nan), error)
    fit = fit_offsets(level, node, mag, np.hypot(magerr, scatter), **options)
    for _ in range(_ROUNDS):
        expected = _expected(fit, level, node, flux, error)
        mag, magerr = mag_from_flux(np.where(expected >= min_snr * error, expected, np.nan), error)
        # The derivative of the magnitude by the flux is -magerr / error.
        mag = mag - magerr * (flux - expected) / error
        fit = fit_offsets(level, node, mag, np.hypot(magerr, scatter), **options)
    return fit


def _cells(batch, good, node, group, cell_days, min_snr):
    """Return level, series, mean flux, its error and the error added by variability [mag] of each series and cell."""
    flux, fluxerr = batch.columns["flux"], finite(batch.columns["fluxerr"])
    rows = np.flatnonzero(good & np.isfinite(flux) & (fluxerr > 0) & np.isfinite(batch.columns["mjd"]))
    node = node[batch.lightcurve_index[rows]]
    cell = np.floor(batch.columns["mjd"][rows] / cell_days).astype(np.int64)
    first, which = _by_appearance(cell, node)
    weight = fluxerr[rows] ** -2.0
    total = np.bincount(which, weight, minlength=len(first))
    mean = np.bincount(which, weight * flux[rows], minlength=len(first)) / total
    error, group = total**-0.5, group[node[first]]
    chi2 = np.bincount(which, weight * (flux[rows] - mean[which]) ** 2, minlength=len(first))
    squares = np.bincount(which, weight**2, minlength=len(first))
    freedom = np.where(mean >= min_snr * error, np.bincount(which, minlength=len(first)) - 1, 0)
    scatter = _usual_scatter(chi2, freedom, (total - squares / total) * mean**2, group)
    level = _by_appearance(group, cell[first])[1]
    # Error of the weighted mean of fluxes around 1 that have this scatter.
    return level, node[first], mean, error, mag_from_flux(1.0, scatter * np.sqrt(squares) / total)[1]


def _usual_scatter(chi2, freedom, scale, group):
    """Return the relative scatter of epochs beyond their errors: the median over the cells of each group, 0 if unknown.

    With weights w, the chi-square of a cell about its weighted mean is expected to be ``freedom + scale scatter^2``,
    where ``scale = (sum of w - sum of w^2 / sum of w) mean^2`` (DerSimonian & Laird 1986,
    doi:10.1016/0197-2456(86)90046-2).
    """
    variance = np.full(len(chi2), np.nan)
    np.divide(chi2 - freedom, scale, out=variance, where=(freedom > 0) & (scale > 0))
    order = np.argsort(group, kind="stable")
    usual = segment_median(variance[order], starts_from_counts(np.bincount(group)))
    return np.sqrt(np.fmax(0.0, usual))[group]


def _expected(fit, level, node, flux, error):
    """Predict the flux of each series in each cell from its offset and all linked series; NaN without an offset."""
    part = 10.0 ** (-0.4 * np.nan_to_num(fit.offset[node]))
    known = np.isfinite(fit.offset[node])
    place = _by_appearance(level, fit.component[node])[1]
    weight = np.where(known, part / error**2, 0.0)
    above, below = (np.bincount(place, weight * values) for values in (flux, part))
    middle = np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0)
    return part * middle[place]


def _join(batch, offset, combined):
    """Join the epochs of lightcurves with their offsets removed, sorted by combined lightcurve and time."""
    owner, shift = spread(combined, batch.starts), spread(offset, batch.starts)
    order = np.lexsort((batch.columns["mjd"], owner))
    factor = 10.0 ** (0.4 * shift[order])
    columns = take_rows(batch.columns, order)
    columns |= {"flux": columns["flux"] * factor, "fluxerr": columns["fluxerr"] * factor}
    columns["mag"] = columns["mag"] - shift[order]
    counts = np.bincount(owner, minlength=combined.max(initial=-1) + 1)
    return LightcurveBatch(columns, starts_from_counts(counts), {})


def _names(table, series, place, first):
    """Return the first columns of the index; the combined lightcurves of each source are numbered from 1."""
    source, row = series["source"][first], series["row"][first]
    number = np.arange(len(first)) - np.searchsorted(source, source) + 1
    count = np.bincount(source, minlength=source.max(initial=-1) + 1)[source]
    rows = zip(table["source"][row].tolist(), number.tolist(), count.tolist(), strict=True)
    return {
        "key": np.array([lightcurve_key(*numbers, kind="combined") for numbers in rows], dtype=str),
        "source": table["source"][row],
        "obs": _surveys(table["obs"][series["row"]], place, len(first)),
        "filter": series["label"][first],
        "series": np.bincount(place, minlength=len(first)).astype(str),
        "number": number,
        "count": count,
    }


def _surveys(obs, place, n_sets):
    """Return the names of the surveys in each combined lightcurve, such as ``PANSTARRS+ZTF``."""
    names, code = np.unique(obs, return_inverse=True)
    pairs = np.unique(place * len(names) + code)
    texts = [[] for _ in range(n_sets)]
    for pair in pairs.tolist():
        texts[pair // len(names)].append(str(names[pair % len(names)]))
    return np.array(list(map("+".join, texts)), dtype=str)
