"""Periodograms: what is drawn where, and the powers of false-alarm probabilities."""

import copy

import numpy as np
import pytest
from make_figures import labels
from numpy.testing import assert_allclose

from vo_lib.canvas import theme
from vo_lib.periods.false_alarm import sine_fap
from vo_lib.periods.periodogram import get_periodogram_stats
from vo_lib.plots import false_alarm_power, plot_periodogram


def epochs(n=120, period=0.37, amplitude=30.0):
    random = np.random.default_rng(4)
    time = np.sort(np.floor(random.uniform(0, 200, n)) + random.uniform(0, 0.3, n))
    return time, 1000 + amplitude * np.sin(2 * np.pi * time / period) + random.normal(0, 10, n), np.full(n, 10.0)


@pytest.fixture(scope="module")
def stats():
    return get_periodogram_stats(epochs(), "hours")


@pytest.mark.parametrize("fap", [0.5, 0.01, 1e-4, 1e-12])
@pytest.mark.parametrize("n_bands", [1, 3])
def test_the_power_of_a_probability_has_that_probability(fap, n_bands):
    search = {"n_epochs": 80, "bandwidth": 23.0, "effective_span": 200.0, "n_bands": n_bands}
    assert_allclose(sine_fap(false_alarm_power(fap, **search), **search), fap, rtol=1e-6)


def test_the_power_of_a_probability_is_that_of_astropy():
    from astropy.timeseries import LombScargle

    time, flux, error = epochs()
    weights = error**-2 / (error**-2).sum()
    span = np.sqrt(4 * np.pi * (weights @ time**2 - (weights @ time) ** 2))
    expected = LombScargle(time, flux, error).false_alarm_level([0.01, 1e-4], method="baluev", maximum_frequency=24.0)
    found = [false_alarm_power(fap, n_epochs=len(time), bandwidth=24.0, effective_span=span) for fap in (0.01, 1e-4)]
    assert_allclose(found, expected, rtol=1e-3)


def test_the_power_of_a_probability_is_unknown_without_enough_epochs():
    assert np.isnan(false_alarm_power(0.01, n_epochs=3, bandwidth=1.0, effective_span=1.0))
    with pytest.raises(ValueError, match="fap must be above 0 and below 1, got 0"):
        false_alarm_power(0, n_epochs=30, bandwidth=1.0, effective_span=1.0)


def test_powers_are_those_of_the_search_with_the_best_period_and_its_aliases():
    found = get_periodogram_stats(epochs(40), "10-20 h", oversampling=2)
    ax = plot_periodogram(found)
    assert_allclose(ax.lines[0].get_data(), [found.periods, found.power])
    assert_allclose(ax.lines[1].get_xdata(), found.best_period)
    marked = [line.get_xydata()[0] for line in ax.lines[2:]]
    assert_allclose(marked, [(alias.period, alias.power) for alias in found.aliases[:4]])
    assert (ax.get_xlabel(), ax.get_xscale()) == ("period (d)", "log")


def test_of_many_powers_the_highest_are_drawn(stats):
    assert len(stats.periods) > 1000
    period, power = plot_periodogram(stats).lines[0].get_data()
    assert 500 < len(period) <= 1001
    assert power.max() == stats.power.max()
    assert (np.diff(period) > 0).all()
    assert set(zip(period, power, strict=True)) <= set(zip(stats.periods, stats.power, strict=True))


def test_levels_of_false_alarms_are_lines_within_the_axes(stats):
    ax = plot_periodogram(stats, levels={0.01: 0.2, 1e-4: 0.9})
    assert [line.get_ydata()[0] for line in ax.lines[-2:]] == [0.9, 0.2]
    assert labels(ax)[-2:] == ["false-alarm probability 0.0001", "false-alarm probability 0.01"]
    assert ax.get_ylim()[1] > 0.9


@pytest.mark.parametrize("number", [0, 2, 4])
def test_the_legend_fits_into_the_figure_with_any_number_of_aliases(stats, number):
    some = copy.copy(stats)
    some.aliases = stats.aliases[:number]
    with theme():
        ax = plot_periodogram(some, levels={0.01: 0.2, 1e-4: 0.27})
        ax.figure.canvas.draw()
    assert len(labels(ax)) == number + 3
    assert ax.get_legend().get_window_extent().x0 >= 0
    assert ax.get_position().width > 0.8


def test_axes_say_why_nothing_was_searched():
    ax = plot_periodogram(get_periodogram_stats(epochs(3), "hours"))
    assert [text.get_text() for text in ax.texts] == ["no periodogram: too few epochs"]
    assert not ax.lines


def test_a_constant_flux_has_no_best_period():
    time, _, error = epochs()
    ax = plot_periodogram(get_periodogram_stats((time, np.ones(len(time)), error), "10-20 h"))
    assert len(ax.lines) == 1
