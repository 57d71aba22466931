"""Counts and statistics of each lightcurve, and of each filter of a source from all its lightcurves together."""

import numpy as np

from vo_lib.segments import (
    order_within,
    run_starts,
    segment_max,
    segment_min,
    segment_sum,
    spread,
    starts_from_counts,
    starts_from_mask,
)
from vo_lib.statistics import STATISTICS, measure
from vo_lib.tables import take_rows

__all__ = ["FILTER_COLUMNS", "STATISTIC_COLUMNS", "count", "gather", "summarise_filters"]

# Columns of tables: (type, unit, meaning).
STATISTIC_COLUMNS = {name: ("f8", statistic.unit, statistic.description) for name, statistic in STATISTICS.items()}
FILTER_COLUMNS = {
    "source": ("U1", "", "name in the catalog"),
    "obs": ("U1", "", "observatory"),
    "filter": ("U1", "", "filter, of all lightcurves together"),
    "n_lightcurves": ("i8", "", "lightcurves"),
    "n_epochs": ("i8", "", "epochs"),
    "n_good": ("i8", "", "unflagged epochs, which the statistics are of"),
    "n_detections": ("i8", "", "real detections"),
    "best_snr": ("f8", "", "greatest |S/N| of an unflagged epoch"),
} | STATISTIC_COLUMNS


def count(batch, good, finding):
    """Count the epochs and detections of each lightcurve.

    Parameters
    ----------
    batch : LightcurveBatch
        Lightcurves.
    good : ndarray of bool, shape (n_epochs,)
        Epochs without a flag.
    finding : Finding
        S/N and real detections of the batch.

    Returns
    -------
    dict of str to ndarray, each of shape (n_lightcurves,)
        n_lightcurves (1), n_epochs, n_good, n_detections, best_snr, mjd_first and mjd_last [days].
    """
    mjd = batch.columns["mjd"]
    return {
        "n_lightcurves": np.ones(batch.n_lightcurves, np.int64),
        "n_epochs": batch.counts,
        "n_good": segment_sum(good, batch.starts),
        "n_detections": np.bincount(finding.lightcurve, minlength=batch.n_lightcurves),
        "best_snr": segment_max(np.where(good, np.abs(finding.snr), np.nan), batch.starts),
        "mjd_first": segment_min(mjd, batch.starts),
        "mjd_last": segment_max(mjd, batch.starts),
    }


def gather(counts, order, starts):
    """Combine the counts of the lightcurves in each group.

    Parameters
    ----------
    counts : dict of str to ndarray, each of shape (n_lightcurves,)
        See `count`.
    order : ndarray of int64, shape (n_lightcurves,)
        Rows of all lightcurves, group by group.
    starts : ndarray of int64, shape (n_groups + 1,)
        Group ``i`` is ``order[starts[i]:starts[i + 1]]``, which may be empty.

    Returns
    -------
    dict of str to ndarray, each of shape (n_groups,)
        The same columns; 0 and NaN for groups without lightcurves.
    """
    special = {"best_snr": segment_max, "mjd_first": segment_min, "mjd_last": segment_max}
    return {name: special.get(name, segment_sum)(values[order], starts) for name, values in counts.items()}


def summarise_filters(batch, good, owner, counts):
    """Compute the statistics of each lightcurve, and of each filter of a source and survey.

    Parameters
    ----------
    batch : LightcurveBatch
        With the columns mjd, flux and fluxerr.
    good : ndarray of bool, shape (n_epochs,)
        Epochs to use.
    owner : ndarray of int64, shape (n_lightcurves,)
        Number of the source of each lightcurve.
    counts : dict of str to ndarray
        See `count`.

    Returns
    -------
    series : dict of str to ndarray, each of shape (n_lightcurves,)
        `STATISTIC_COLUMNS` of each lightcurve.
    filters : dict of str to ndarray, each of shape (n_filters,)
        `FILTER_COLUMNS`, ordered by number of the source, observatory and filter.
    """
    order, starts = _by_filter(batch, owner, counts["mjd_first"])
    statistics = _measure(batch, good, order, starts)
    series = take_rows(statistics, slice(batch.n_lightcurves))
    # A filter with a single lightcurve has the statistics of this; those of the others follow all lightcurves.
    first, several = order[starts[:-1]], np.diff(starts) > 1
    row = np.where(several, batch.n_lightcurves + np.cumsum(several) - 1, first)
    filters = {name: batch.table[name][first] for name in ("source", "obs", "filter")} | gather(counts, order, starts)
    filters |= take_rows(statistics, row)
    return series, {name: filters[name] for name in FILTER_COLUMNS}


def _by_filter(batch, owner, mjd_first):
    """Group lightcurves by source, observatory and filter, each group in order of time; see `gather`."""
    labels = [np.unique(batch.table[name], return_inverse=True)[1] for name in ("obs", "filter")]
    keys = np.stack([owner, *labels])
    order = np.lexsort((mjd_first, *keys[::-1]))
    return order, starts_from_mask(run_starts(*keys[:, order]))


def _measure(batch, good, order, starts):
    """Compute the statistics of all lightcurves, then of each group of several, with its epochs in order of time."""
    columns = batch.columns
    usable = good & np.isfinite(columns["flux"]) & np.isfinite(columns["mjd"])
    sizes = np.diff(starts)
    several = sizes > 1
    rows, of_lightcurves = batch.epochs_of(order[spread(several, starts)])
    of_groups = of_lightcurves[starts_from_counts(sizes[several])]
    number = segment_sum(usable[rows], of_groups)
    rows = rows[usable[rows]]
    rows = rows[order_within(columns["mjd"][rows], starts_from_counts(number))]
    rows = np.concatenate([np.flatnonzero(usable), rows])
    counts = np.concatenate([segment_sum(usable, batch.starts), number])
    return measure(*(columns[name][rows] for name in ("mjd", "flux", "fluxerr")), starts_from_counts(counts))
