"""Statistics of many segments of a flat array at once.

Segment i is ``values[starts[i]:starts[i + 1]]``; segments follow each other without
gaps and may be empty. NaN means *missing* and is ignored everywhere. Statistics of a
segment without values are NaN, its sum and count are 0. Nothing here loops over
segments in Python or modifies its input.
"""

import math

import numpy as np

from vo_lib.segment_rows import balance, blocks, row_medians, row_quantiles

__all__ = [
    "MEDIAN_ERR",
    "ROBUST_SCALE",
    "SCATTER_ERR",
    "check_starts",
    "connect",
    "order_within",
    "range_rows",
    "rank_within",
    "run_starts",
    "segment_count",
    "segment_index",
    "segment_max",
    "segment_mean",
    "segment_median",
    "segment_median_mad",
    "segment_min",
    "segment_of",
    "segment_quantiles",
    "segment_std",
    "segment_steps",
    "segment_sum",
    "spread",
    "starts_from_counts",
    "starts_from_mask",
]

# Ratio of standard deviation to median absolute deviation of a Gaussian: 1 / Phi^-1(3/4).
ROBUST_SCALE = 1.482602218505602
# Standard errors over sigma, times the square root of the number of Gaussian values: of a median, sqrt(pi / 2), and of
# a robust scatter, 1.4826 / (4 phi(q) q) with the density phi at the quartile q = 0.6745 of the normal distribution.
MEDIAN_ERR, SCATTER_ERR = math.sqrt(math.pi / 2), 1.166


def check_starts(starts, n_values):
    """Raise ValueError unless `starts` runs from 0 to `n_values` without decreasing."""
    starts = np.asarray(starts)
    if starts.ndim != 1 or starts.size == 0 or starts.dtype.kind not in "iu":
        raise ValueError(f"starts must be a one-dimensional integer array of n_segments + 1, got {starts!r}")
    if starts[0] != 0 or starts[-1] != n_values:
        raise ValueError(f"starts must run from 0 to the {n_values} values, got {starts[0]} to {starts[-1]}")
    if (starts[1:] < starts[:-1]).any():
        raise ValueError("starts must not decrease")


def starts_from_counts(counts):
    """Return the offsets of segments from their lengths: int64, shape (n_segments + 1,), starting with 0."""
    starts = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    return starts


def starts_from_mask(first):
    """Return the offsets of segments from a mask of their first values: int64, shape (n_segments + 1,)."""
    return np.append(np.flatnonzero(first), len(first))


def run_starts(*keys):
    """Return a mask of the values that differ from the previous one in any of the keys; the first is always set."""
    first = np.zeros(len(keys[0]), bool)
    for key in keys:
        first[1:] |= key[1:] != key[:-1]
    first[:1] = True
    return first


def range_rows(first, starts):
    """Return the rows of several ranges, one after the other, from their first rows and their offsets in the result."""
    return np.arange(starts[-1]) + spread(first - starts[:-1], starts)


def segment_index(starts):
    """Return the index of the segment that each value belongs to: int64, shape (n_values,)."""
    return np.repeat(np.arange(len(starts) - 1), np.diff(starts))


def segment_of(rows, starts):
    """Return the index of the segment that each of some values belongs to, by their rows: int64."""
    return np.searchsorted(starts, rows, side="right") - 1


def spread(per_segment, starts):
    """Repeat one value per segment for all values of the segment."""
    return np.repeat(per_segment, np.diff(starts))


def rank_within(group, value):
    """Rank each value within its group, from 1 for the least, in order of appearance if equal.

    Parameters
    ----------
    group, value : ndarray, shape (n,)
        Group and value of each member, in any order.

    Returns
    -------
    ndarray of int64, shape (n,)
        Ranks; empty without members.
    """
    order = np.lexsort((value, group))
    begins, place = run_starts(group[order]), np.arange(len(order))
    ranks = np.empty(len(order), np.int64)
    ranks[order] = place - np.maximum.accumulate(np.where(begins, place, 0)) + 1
    return ranks


def connect(group, start, end):
    """Number the chains of overlapping intervals.

    Parameters
    ----------
    group : ndarray, shape (n,)
        Group of each interval; only intervals of the same group can overlap.
    start, end : ndarray, shape (n,)
        First and last point of each interval, both included.

    Returns
    -------
    ndarray of int64, shape (n,)
        Chain of each interval, numbered from 0 by group and start; empty without intervals.
    """
    order = np.lexsort((start, group))
    group, start, end = group[order], start[order], end[order]
    # Farthest end so far within the group, by a running maximum of the ranks of ends, which increase with the group.
    by_end = np.lexsort((end, group))
    rank = np.empty(len(order), np.int64)
    rank[by_end] = np.arange(len(order))
    farthest = end[by_end][np.maximum.accumulate(rank)]
    begins = run_starts(group)
    begins[1:] |= start[1:] > farthest[:-1]
    chain = np.empty(len(order), np.int64)
    chain[order] = np.cumsum(begins) - 1
    return chain


def order_within(values, starts):
    """Return the order that sorts the values of each segment; equal values keep their order.

    Parameters
    ----------
    values : ndarray, shape (n_values,)
        Numbers; NaN is sorted last.
    starts : ndarray of int64, shape (n_segments + 1,)
        Offsets, from 0 to n_values.

    Returns
    -------
    ndarray of int64, shape (n_values,)
        Rows of `values`; segments that are already sorted cost almost nothing.
    """
    order = np.arange(len(values))
    falls = np.zeros(len(values), bool)
    falls[1:] = ~(values[1:] >= values[:-1])
    falls[starts[:-1][starts[:-1] < len(values)]] = False
    rows = np.flatnonzero(spread(segment_sum(falls, starts) > 0, starts))
    order[rows] = rows[np.lexsort((values[rows], segment_of(rows, starts)))]
    return order


def _reduce(ufunc, values, starts, empty, **options):
    """Apply ``ufunc.reduceat`` to segments with values; the result of others is `empty`."""
    filled = starts[1:] > starts[:-1]
    if not filled.any():
        return np.full(len(filled), empty)
    # Between two filled segments there are only empty ones, so each starts where the previous one ends.
    reduced = ufunc.reduceat(values, starts[:-1][filled], **options)
    result = np.full(len(filled), empty, reduced.dtype)
    result[filled] = reduced
    return result


def segment_count(values, starts):
    """Count the values of each segment that are not NaN, or those of a boolean array that are true: int64."""
    present = values if values.dtype.kind == "b" else ~np.isnan(values)
    return _reduce(np.add, present, starts, 0, dtype=np.int64)


def segment_sum(values, starts):
    """Sum each segment, ignoring NaN; 0 if empty. Of booleans, count those that are true.

    Parameters
    ----------
    values : ndarray, shape (n_values,)
        Numbers or booleans.
    starts : ndarray of int64, shape (n_segments + 1,)
        Offsets, from 0 to n_values.

    Returns
    -------
    ndarray, shape (n_segments,)
        float64 for floats, int64 for integers and booleans.
    """
    if values.dtype.kind == "f":
        return _reduce(np.add, np.where(np.isnan(values), 0.0, values), starts, 0.0)
    return _reduce(np.add, values, starts, 0, dtype=np.int64)


def segment_mean(values, starts):
    """Compute the arithmetic mean of each segment, ignoring NaN; NaN if empty."""
    number = segment_count(values, starts)
    return np.divide(segment_sum(values, starts), number, out=np.full(len(number), np.nan), where=number > 0)


def segment_std(values, starts):
    """Compute the standard deviation of each segment (divisor n - 1), ignoring NaN; NaN for fewer than two values."""
    number = segment_count(values, starts)
    excess = values - spread(segment_mean(values, starts), starts)
    squares = segment_sum(excess * excess, starts)
    return np.sqrt(np.divide(squares, number - 1, out=np.full(len(number), np.nan), where=number > 1))


def segment_min(values, starts):
    """Compute the minimum of each segment, ignoring NaN; NaN if empty."""
    return _reduce(np.fmin, np.asarray(values, float), starts, np.nan)


def segment_max(values, starts):
    """Compute the maximum of each segment, ignoring NaN; NaN if empty."""
    return _reduce(np.fmax, np.asarray(values, float), starts, np.nan)


def segment_steps(values, starts):
    """Compute the difference between each value and the one before it; NaN for the first of a segment.

    Parameters
    ----------
    values : ndarray of float, shape (n_values,)
        Numbers.
    starts : ndarray of int64, shape (n_segments + 1,)
        Offsets, from 0 to n_values.

    Returns
    -------
    ndarray of float, shape (n_values,)
        ``values[i] - values[i - 1]`` within a segment.
    """
    steps = np.full(len(values), np.nan)
    np.subtract(values[1:], values[:-1], out=steps[1:])
    first = starts[:-1]
    steps[first[first < len(values)]] = np.nan
    return steps


def segment_median(values, starts):
    """Compute the median of each segment, ignoring NaN; NaN if empty.

    Parameters
    ----------
    values : ndarray, shape (n_values,)
        Finite numbers or NaN.
    starts : ndarray of int64, shape (n_segments + 1,)
        Offsets, from 0 to n_values.

    Returns
    -------
    ndarray of float64, shape (n_segments,)
        The middle value, or the mean of the two middle values.
    """
    medians = np.full(len(starts) - 1, np.nan)
    for segments, rows in blocks(values, starts):
        medians[segments] = row_medians(rows, balance(rows))
    return medians


def segment_median_mad(values, starts):
    """Compute the median and the unscaled median absolute deviation from it in one pass.

    Parameters
    ----------
    values : ndarray, shape (n_values,)
        Finite numbers or NaN.
    starts : ndarray of int64, shape (n_segments + 1,)
        Offsets, from 0 to n_values.

    Returns
    -------
    median, mad : ndarray of float64, shape (n_segments,)
        NaN for segments without values; `mad` is 0 for a single value.
    """
    medians, mads = np.full((2, len(starts) - 1), np.nan)
    for segments, rows in blocks(values, starts):
        number = balance(rows)
        medians[segments] = row_medians(rows, number)
        rows -= medians[segments][:, None]
        np.abs(rows, out=rows, where=rows > -np.inf)
        mads[segments] = row_medians(rows, number)
    return medians, mads


def segment_quantiles(values, starts, fractions):
    """Compute quantiles of each segment, ignoring NaN, all from one sort.

    The k-th least of n values is the quantile ``(k - 1/2) / n``, with linear interpolation in between
    (definition 5 of Hyndman & Fan 1996, doi:10.2307/2684934), so 1/2 is the median.

    Parameters
    ----------
    values : ndarray, shape (n_values,)
        Finite numbers or NaN.
    starts : ndarray of int64, shape (n_segments + 1,)
        Offsets, from 0 to n_values.
    fractions : sequence of float
        Fractions from 0, the least value, to 1, the greatest.

    Returns
    -------
    ndarray of float64, shape (n_fractions, n_segments)
        NaN for segments without values.
    """
    quantiles = np.full((len(fractions), len(starts) - 1), np.nan)
    for segments, rows in blocks(values, starts):
        rows.sort(axis=1)
        quantiles[:, segments] = row_quantiles(rows, np.asarray(fractions, float))
    return quantiles
