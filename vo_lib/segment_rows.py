"""Segments as rows of similar length, for medians and quantiles of many at once; see `vo_lib.segments`.

For medians, rows are padded with infinities of both signs, so that the middle is at the same position in all of them:
rows stay in the cache, and selection is vectorised. For quantiles, rows are padded with NaN and sorted.
"""

import numpy as np

__all__ = ["balance", "blocks", "row_medians", "row_quantiles"]

# Values processed at a time: 1 MB of float64, which fits the second-level cache.
_BLOCK = 1 << 17


def _width_classes(counts):
    """Row width for each length: four per octave, so that at most a quarter is padding."""
    step = np.exp2(np.maximum(np.floor(np.log2(counts)) - 2, 0)).astype(np.int64)
    return -(-counts // step) * step


def blocks(values, starts):
    """Copy segments into blocks of rows of similar length that fit the cache.

    Parameters
    ----------
    values : ndarray, shape (n_values,)
        Numbers; NaN is missing.
    starts : ndarray of int64, shape (n_segments + 1,)
        Offsets of the segments.

    Yields
    ------
    segments : ndarray of int64, shape (n_rows,)
        Indices of the segments of a block; empty ones are in none.
    rows : ndarray of float, shape (n_rows, width)
        A copy of their values, padded with NaN.
    """
    counts = np.diff(starts)
    filled = np.flatnonzero(counts)
    widths = counts[filled]
    if (widths != widths[:1]).any():
        widths = _width_classes(widths)
    order = filled[np.argsort(widths, kind="stable")]
    widths, numbers = np.unique(widths, return_counts=True)
    stops = np.cumsum(numbers)
    for width, start, stop in zip(widths.tolist(), (stops - numbers).tolist(), stops.tolist(), strict=True):
        rows = max(1, _BLOCK // width)
        for begin in range(start, stop, rows):
            segments = order[begin : min(begin + rows, stop)]
            yield segments, _padded(values, starts, segments, width)


def _padded(values, starts, segments, width):
    """Copy segments into rows of `width`, padded with NaN."""
    first, stop = starts[segments], starts[segments + 1]
    if (stop - first == width).all() and (first[1:] == stop[:-1]).all():
        return values[first[0] : stop[-1]].reshape(-1, width).astype(float)
    index = first[:, None] + np.arange(width)
    outside = index >= stop[:, None]
    np.minimum(index, len(values) - 1, out=index)
    rows = values[index].astype(float, copy=False)
    rows[outside] = np.nan
    return rows


def balance(rows):
    """Replace NaN by infinities, half of them negative, to keep the middle in place.

    Parameters
    ----------
    rows : ndarray of float, shape (n_rows, width)
        Rows of `blocks`, changed in place; a row with only NaN is left as it is.

    Returns
    -------
    ndarray of int64, shape (n_rows,)
        Number of other values in each row.
    """
    width = rows.shape[1]
    missing = np.flatnonzero(np.isnan(rows))
    row = missing // width
    number = width - np.bincount(row, minlength=len(rows))
    rank = np.arange(len(missing)) - (np.cumsum(width - number) - (width - number))[row]
    rows.ravel()[missing] = np.where((rank + width) % 2, np.inf, -np.inf)
    rows[number == 0] = np.nan
    return number


def row_medians(rows, number):
    """Return the medians of the `number` values of each row between infinities, see `balance`; reorders the rows."""
    middle = rows.shape[1] // 2
    rows.partition(middle, axis=1)
    high = rows[:, middle]
    low = np.where(number % 2, high, rows[:, :middle].max(axis=1, initial=-np.inf))
    return 0.5 * (low + high)


def row_quantiles(rows, fractions):
    """Return the quantiles of sorted rows padded with NaN, shape (n_fractions, n_rows)."""
    number = rows.shape[1] - np.count_nonzero(np.isnan(rows), axis=1)
    last, line = np.maximum(number - 1, 0), np.arange(len(rows))
    place = np.clip(np.multiply.outer(fractions, number) - 0.5, 0, last)
    low = place.astype(np.int64)
    below, above = rows[line, low], rows[line, np.minimum(low + 1, last)]
    return below + (place - low) * (above - below)
