"""Ranges of periods and grids of frequencies."""

import math

import numpy as np
import pytest

from vo_lib.errors import ConfigError
from vo_lib.periods.frequencies import (
    RANGES,
    check_ranges,
    clip_band,
    frequency_grid,
    join_bands,
    parse_range,
    period_band,
)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("med", (600 / 86400, 3600 / 86400)),
        ("long", (1 / 24, 10 / 24)),
        ("hours", (1 / 24, 1)),
        ("days", (1, 1000)),
        ("20-600 s", (20 / 86400, 600 / 86400)),
        ("2.5 - 90min", (2.5 / 1440, 90 / 1440)),
        ("0.5-12 h", (0.5 / 24, 0.5)),
        ("0.1-30 d", (0.1, 30)),
    ],
)
def test_a_range_is_a_name_or_two_periods_with_a_unit(text, days):
    assert parse_range(text) == pytest.approx(days)


@pytest.mark.parametrize("text", ["", "week", "1-2", "1-2 weeks", "-1-2 d", "1 d", "1-nan d", "1..2-3 d"])
def test_other_texts_are_no_ranges(text):
    with pytest.raises(
        ConfigError, match="is not a range of periods; write short, med, long, hours, days, or for example"
    ):
        parse_range(text)


@pytest.mark.parametrize("text", ["0-2 d", "2-2 d", "3-2 h"])
def test_a_range_runs_from_a_shorter_to_a_longer_period(text):
    with pytest.raises(ConfigError, match="the first must be positive and shorter than the second"):
        parse_range(text)


def test_the_configuration_is_named_when_its_range_is_wrong():
    check_ranges([*RANGES, "1-2 h"])
    with pytest.raises(ConfigError, match=r"^configuration: periods\.ranges: 'weeks' is not a range"):
        check_ranges(["weeks"])


def test_the_short_range_begins_at_twice_the_cadence():
    even = np.arange(1000) * 20 / 86400
    assert period_band("short", even) == pytest.approx((144, 2160))
    assert all(map(math.isnan, period_band("short", np.arange(10.0))))
    assert all(map(math.isnan, period_band("short", np.zeros(0))))
    assert all(map(math.isnan, period_band("short", np.ones(5))))


@pytest.mark.parametrize(
    ("band", "span", "left"),
    [
        ((0.1, 1), 100, (0.1, 1)),
        ((0.1, 1), 20, (0.1, 1)),
        ((0.1, 1), 10, (0.2, 1)),
        ((0.1, 1), 2, None),
        ((0.1, 1), 0, None),
        ((0.1, 1), math.nan, None),
        ((math.nan, math.nan), 10, None),
    ],
)
def test_periods_must_fit_twice_into_the_data(band, span, left):
    assert clip_band(band, span) == left


def test_bands_that_overlap_are_one():
    assert join_bands([(5, 6), (1, 2), (1.5, 3), (3, 4)]) == [(1, 4), (5, 6)]
    assert join_bands([]) == []


def test_a_grid_is_even_in_frequency_and_has_both_ends():
    grid = frequency_grid((0.5, 2.0), 0.4, max_frequencies=5)
    np.testing.assert_allclose(grid, [0.5, 0.875, 1.25, 1.625, 2.0])


def test_too_many_frequencies_are_an_error_that_says_what_to_change():
    message = r"periods from 0.5 to 2 d take 16 frequencies .* more than periods.max_frequencies 15; search longer"
    with pytest.raises(ConfigError, match=message):
        frequency_grid((0.5, 2.0), 0.1, max_frequencies=15)
