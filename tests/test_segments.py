"""Segmented statistics against plain numpy, one segment at a time."""

import itertools
import warnings

import numpy as np
import pytest

from vo_lib import segments
from vo_lib.segments import (
    check_starts,
    connect,
    order_within,
    range_rows,
    rank_within,
    run_starts,
    segment_count,
    segment_index,
    segment_max,
    segment_mean,
    segment_median,
    segment_median_mad,
    segment_min,
    segment_quantiles,
    segment_std,
    segment_steps,
    segment_sum,
    spread,
    starts_from_counts,
    starts_from_mask,
)


def _ragged(seed=1, n_segments=300, longest=90, missing=0.1):
    """Segments of mixed length, some of them empty or all NaN."""
    random = np.random.default_rng(seed)
    starts = starts_from_counts(random.integers(0, longest, n_segments))
    values = random.normal(size=starts[-1])
    values[random.random(len(values)) < missing] = np.nan
    values[starts[5] : starts[6]] = np.nan
    return values, starts


def _mad(values):
    return np.nanmedian(np.abs(values - np.nanmedian(values)))


@pytest.mark.parametrize(
    ("statistic", "reference"),
    [
        (segment_sum, np.nansum),
        (segment_mean, np.nanmean),
        (segment_std, lambda x: np.nanstd(x, ddof=1)),
        (segment_min, np.nanmin),
        (segment_max, np.nanmax),
        (segment_median, np.nanmedian),
        (lambda x, s: segment_median_mad(x, s)[1], _mad),
        (segment_count, lambda x: np.isfinite(x).sum()),
    ],
)
def test_statistics_are_those_of_numpy_segment_by_segment(statistic, reference):
    values, starts = _ragged()
    result = statistic(values, starts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for got, start, stop in zip(result, starts[:-1], starts[1:], strict=True):
            wanted = (
                reference(values[start:stop]) if np.isfinite(values[start:stop]).any() else reference([0.0]) * np.nan
            )
            if statistic in (segment_sum, segment_count) or reference([0.0]) == 1:
                wanted = np.nan_to_num(wanted)
            np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("counts", [[4, 4, 4], [0, 0], [], [1, 0, 2, 0], [100_000, 3, 200_000], [7] * 50_000])
def test_median_of_equal_empty_and_long_segments(counts):
    starts = starts_from_counts(counts)
    values = np.random.default_rng(2).normal(size=starts[-1])
    got = segment_median(values, starts)
    wanted = [np.median(values[a:b]) if b > a else np.nan for a, b in itertools.pairwise(starts[:201])]
    np.testing.assert_array_equal(got[:200], wanted[: len(got)])


def test_median_of_even_and_odd_numbers():
    values = np.array([1.0, 9.0, 2.0, 4.0, 3.0, 2.0, np.nan])
    np.testing.assert_array_equal(segment_median(values, np.array([0, 3, 6, 7])), [2.0, 3.0, np.nan])


def test_single_value_has_no_scatter_and_constant_values_neither():
    median, mad = segment_median_mad(np.array([5.0, 7.0, 7.0, 7.0]), np.array([0, 1, 4]))
    np.testing.assert_array_equal(median, [5.0, 7.0])
    np.testing.assert_array_equal(mad, [0.0, 0.0])


def test_integers_and_booleans_are_counted_exactly():
    starts = np.array([0, 2, 2, 5])
    np.testing.assert_array_equal(segment_sum(np.array([True, True, False, True, True]), starts), [2, 0, 2])
    np.testing.assert_array_equal(segment_sum(np.array([2**60, 1, 2, 3, 4]), starts), [2**60 + 1, 0, 9])
    np.testing.assert_array_equal(segment_median(np.array([1, 2, 3, 4, 9]), starts), [1.5, np.nan, 4.0])


def test_sum_of_one_segment_is_not_disturbed_by_a_huge_neighbour():
    assert segment_sum(np.array([1e300, 1e300, 0.1]), np.array([0, 2, 3]))[1] == 0.1


def test_steps_do_not_cross_segments():
    steps = segment_steps(np.array([1.0, 3.0, 10.0, 12.0]), np.array([0, 2, 2, 4, 4]))
    np.testing.assert_array_equal(steps, [np.nan, 2.0, np.nan, 2.0])
    assert segment_steps(np.zeros(0), np.zeros(3, np.int64)).shape == (0,)


def test_index_and_spread_follow_the_offsets():
    starts = np.array([0, 2, 2, 3])
    np.testing.assert_array_equal(segment_index(starts), [0, 0, 2])
    np.testing.assert_array_equal(spread(np.array([1.5, 2.5, 3.5]), starts), [1.5, 1.5, 3.5])


def test_ranks_count_within_each_group_in_order_of_value():
    group, value = np.array([1, 0, 1, 1, 0, 5]), np.array([3.0, 1.0, 2.0, 2.0, 0.0, 9.0])
    assert rank_within(group, value).tolist() == [3, 2, 1, 2, 1, 1]
    assert rank_within(group[:0], value[:0]).shape == (0,)


def test_quantiles_are_those_of_numpy_by_definition_5():
    values, starts = _ragged()
    fractions = (0.0, 0.05, 0.25, 0.4, 0.5, 0.95, 1.0)
    got = segment_quantiles(values, starts, fractions)
    for index, (start, stop) in enumerate(itertools.pairwise(starts)):
        known = values[start:stop][np.isfinite(values[start:stop])]
        wanted = np.quantile(known, fractions, method="hazen") if known.size else [np.nan] * len(fractions)
        np.testing.assert_allclose(got[:, index], wanted, rtol=1e-12)
    np.testing.assert_allclose(got[4], segment_median(values, starts), rtol=1e-12)


def test_quantiles_of_nothing():
    assert segment_quantiles(np.zeros(0), np.zeros(1, np.int64), (0.5, 0.9)).shape == (2, 0)
    np.testing.assert_array_equal(segment_quantiles(np.zeros(0), np.zeros(3, np.int64), (0.5,)), [[np.nan, np.nan]])


def test_order_sorts_each_segment_and_keeps_equal_values_in_place():
    values = np.array([1.0, 2.0, 2.0, 5.0, 3.0, 3.0, 1.0, 9.0, np.nan, 7.0])
    starts = np.array([0, 3, 3, 7, 8, 10])
    assert order_within(values, starts).tolist() == [0, 1, 2, 6, 4, 5, 3, 7, 9, 8]
    assert order_within(values[:0], np.zeros(2, np.int64)).shape == (0,)


def test_order_of_many_segments_is_that_of_numpy():
    values, starts = _ragged()
    got = order_within(values, starts)
    for start, stop in itertools.pairwise(starts):
        np.testing.assert_array_equal(got[start:stop], start + np.argsort(values[start:stop], kind="stable"))


def test_inputs_stay_as_they_are():
    values, starts = _ragged()
    values.setflags(write=False), starts.setflags(write=False)
    more = {"segment_quantiles": ((0.5,),)}
    for name in segments.__all__:
        if name.startswith(("segment_", "order_")) and name != "segment_index":
            assert getattr(segments, name)(values, starts, *more.get(name, ())) is not None


@pytest.mark.parametrize(
    ("starts", "message"),
    [
        (np.array([0, 3]), "from 0 to the 4 values, got 0 to 3"),
        (np.array([1, 4]), "got 1 to 4"),
        (np.array([0, 3, 2, 4]), "must not decrease"),
        (np.array([0.0, 4.0]), "integer array"),
        (np.zeros(0, np.int64), "n_segments \\+ 1"),
    ],
)
def test_unusable_offsets_are_refused(starts, message):
    with pytest.raises(ValueError, match=message):
        check_starts(starts, 4)


def test_runs_begin_where_any_key_changes():
    keys = np.array([[1, 1, 1, 2, 2], [b"a", b"a", b"b", b"b", b"b"]], dtype="S1")
    assert run_starts(*keys).tolist() == [True, False, True, True, False]
    assert run_starts(keys[0]).tolist() == [True, False, False, True, False]
    assert starts_from_mask(run_starts(*keys)).tolist() == [0, 2, 3, 5]
    assert starts_from_mask(run_starts(keys[0][:0])).tolist() == [0]


def test_rows_of_ranges_may_repeat_and_be_none():
    starts = starts_from_counts([2, 0, 3])
    assert range_rows(np.array([7, 1, 6]), starts).tolist() == [7, 8, 6, 7, 8]
    assert range_rows(np.zeros(0, np.int64), np.zeros(1, np.int64)).tolist() == []


def test_intervals_that_meet_are_chains():
    group, start, end = np.array([[1, 1, 1, 2, 1], [0, 1, 10, 3, 12], [9, 2, 12, 4, 20]])
    assert connect(group, start, end).tolist() == [0, 0, 1, 2, 1]
    assert connect(group[:0], start[:0], end[:0]).shape == (0,)


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 8, 9, 40])
def test_medians_with_any_number_of_missing_values_in_rows_of_any_length(width):
    random = np.random.default_rng(width)
    for counts in (np.full(60, width), random.integers(0, width + 1, 60)):
        starts = starts_from_counts(counts)
        values = random.integers(0, 6, starts[-1]).astype(float)
        values[random.random(len(values)) < np.repeat(random.random(60), counts)] = np.nan
        median, mad = segment_median_mad(values, starts)
        np.testing.assert_array_equal(segment_median(values, starts), median)
        for start, stop, of_segment, scatter in zip(starts[:-1], starts[1:], median, mad, strict=True):
            present = values[start:stop][~np.isnan(values[start:stop])]
            if len(present):
                assert (of_segment, scatter) == (np.median(present), _mad(present))
            else:
                assert np.isnan([of_segment, scatter]).all()
