"""Completeness as a function of any quantity of injected events: amplitude in magnitudes, width, magnitude, filter."""

from itertools import pairwise, product

import numpy as np

from vo_lib.injection.efficiency import wilson_interval
from vo_lib.labels import match_lightcurves

__all__ = ["DMAG_EDGES", "WIDTH_EDGES", "completeness", "event_dmag"]

# Ranges of the absolute amplitude [mag] and the width [days] on the project's page.
DMAG_EDGES = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, np.inf)
WIDTH_EDGES = (0.0, 0.1, 1.0, 10.0, np.inf)


def event_dmag(injections, series):
    """Compute the amplitude of injected events in magnitudes.

    Parameters
    ----------
    injections : dict of str to ndarray, each of shape (n_injections,)
        ``obs``, ``lightcurve`` and ``amplitude`` [uJy], see `vo_lib.simulator.INJECTION_COLUMNS`.
    series : dict of str to ndarray, each of shape (n_lightcurves,)
        ``obs``, ``lightcurve`` and ``flux_median`` [uJy] of their lightcurves, see `vo_lib.checks.series_table`.

    Returns
    -------
    ndarray of float, shape (n_injections,)
        Magnitude at the peak minus that of the median flux [mag], negative if brighter; infinite if a dip removes all
        of the flux or more, NaN if the median flux is not positive.
    """
    median = series["flux_median"][match_lightcurves(series, injections)]
    ratio = np.divide(injections["amplitude"], median, out=np.full(len(median), np.nan), where=median > 0)
    with np.errstate(divide="ignore"):
        return -2.5 * np.log10(np.maximum(1 + ratio, 0.0))


def completeness(recovered, values, edges):
    """Count injected and recovered events in the cells of a grid.

    Counts of bins add up to those of the project, so tables of several bins can be joined before or added up after.

    Parameters
    ----------
    recovered : ndarray of int, shape (n_injections,)
        1 where an event was recovered.
    values : dict of str to ndarray, each of shape (n_injections,)
        Quantities that define the axes of the grid, such as the absolute `event_dmag`, ``width`` or ``filter``.
    edges : dict of str to sequence
        For each of `values`, increasing edges of ranges, or labels (str). A range includes its lower edge, and its
        upper edge only if that is infinity.

    Returns
    -------
    dict of str to list
        A row for each cell with events, in the order of the grid: for each of `values` its range (low, high) or label;
        ``injected``, ``recovered``, ``part``, and the Wilson interval ``low`` and ``high``. Events outside of all
        ranges or with NaN are not counted.

    Raises
    ------
    ValueError
        If `values` and `edges` do not have the same names.
    """
    if values.keys() != edges.keys():
        raise ValueError(f"edges must be given for {', '.join(values)}, got them for {', '.join(edges)}")
    cells, codes = zip(*(_cells(values[name], edges[name]) for name in values), strict=True)
    shape = [len(names) for names in cells]
    inside = np.logical_and.reduce([(code >= 0) & (code < size) for code, size in zip(codes, shape, strict=True)])
    place = np.ravel_multi_index([code[inside] for code in codes], shape)
    found = np.asarray(recovered)[inside] == 1
    injected, successes = (np.bincount(rows, minlength=np.prod(shape)) for rows in (place, place[found]))
    some = np.flatnonzero(injected)
    names = [list(product(*cells))[row] for row in some.tolist()]
    trials, successes = injected[some], successes[some]
    low, high = wilson_interval(successes, trials)
    counts = {"injected": trials, "recovered": successes, "part": successes / trials, "low": low, "high": high}
    return {name: [row[place] for row in names] for place, name in enumerate(values)} | {
        name: column.tolist() for name, column in counts.items()
    }


def _cells(values, edges):
    """Return the cells of one axis and the index of the cell of each value; -1 or the number of cells if in none."""
    if isinstance(edges[0], str):
        known = {label: place for place, label in enumerate(edges)}
        return list(edges), np.array([known.get(label, -1) for label in values.tolist()], np.int64)
    # NaN sorts after all edges.
    place = np.searchsorted(edges, values, side="right") - 1
    return list(pairwise(edges)), np.where(values == np.inf, np.searchsorted(edges, np.inf) - 1, place)
