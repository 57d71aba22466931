"""The periodogram of one lightcurve: what it returns, for any kind of lightcurve."""

import copy
import math
import pickle

import numpy as np
import pandas as pd
import pytest
from astropy.timeseries import LombScargle
from make_periodic import nightly, noise, scattered, sinusoid

from vo_lib.dataset import Lightcurve
from vo_lib.errors import ConfigError
from vo_lib.hdf5 import Writer
from vo_lib.periods.peaks import bootstrap_fap
from vo_lib.periods.periodogram import STATUSES, get_periodogram_stats
from vo_lib.periods.sinusoids import Sinusoids


def _counts(period_s=7.3, step_s=2.0, number=3000):
    """Events in steps of two seconds: times [s], counts."""
    times = step_s * np.arange(number)
    return times, np.random.default_rng(0).poisson(100 * (1 + 0.1 * np.sin(2 * np.pi * times / period_s)))


def test_seven_values_are_unpacked():
    stats = get_periodogram_stats(sinusoid(scattered(200, 40), period=3.0, amplitude=20.0), "days")
    periods, power, mean, std, three_sigma, significant_periods, significant_powers = stats
    assert (mean, std) == pytest.approx((power.mean(), power.std()))
    assert three_sigma == pytest.approx(mean + 3 * std)
    assert significant_powers.tolist() == power[power > three_sigma].tolist()
    assert significant_periods.tolist() == periods[power > three_sigma].tolist()
    assert stats.significant_powers is significant_powers
    assert (np.diff(periods) > 0).all()


def test_best_period_and_its_probability_come_with_them():
    stats = get_periodogram_stats(sinusoid(scattered(200, 40), period=3.0, amplitude=20.0), "days", bootstrap=19)
    assert abs(stats.best_period - 3) < 4 * stats.best_period_err
    assert stats.best_power >= stats.power.max() - 1e-6
    assert stats.semi_amplitude == pytest.approx(20, abs=4)
    assert stats.fap < 1e-20
    assert stats.fap_bootstrap == 1 / 20
    assert stats.window_power < 0.1
    assert (stats.alias_of, stats.aliases) == ("", [])
    assert {alias.name for alias in stats.harmonics} == {"x 2", "x 3", "/ 2", "/ 3"}


def test_the_powers_are_those_of_astropy():
    time, flux, error = sinusoid(scattered(90, 40), period=3.0, amplitude=20.0)
    stats = get_periodogram_stats((time, flux, error), (0.5, 10.0))
    expected = LombScargle(time - time[0], flux, error).power(1 / stats.periods, method="slow")
    np.testing.assert_allclose(stats.power, expected, atol=1e-6)


def test_the_grid_is_even_in_frequency_with_five_steps_in_a_peak():
    time = scattered(200, 40)
    stats = get_periodogram_stats((time, *noise(time)), "hours")
    steps = np.diff(1 / stats.periods[::-1])
    assert np.ptp(steps) < 1e-9
    assert 5 <= 1 / (steps[0] * np.ptp(time)) < 5.1
    assert (stats.periods[0], stats.periods[-1]) == pytest.approx((1 / 24, 1))


def test_nightly_data_list_their_daily_aliases():
    stats = get_periodogram_stats(sinusoid(nightly(200, 300), period=0.37, amplitude=25.0), (0.1, 10.0))
    assert "day" in {alias.name for alias in stats.aliases}
    assert all(alias.power <= stats.best_power for alias in stats.aliases)


def test_a_narrow_peak_of_counts_in_seconds_is_found():
    times, counts = _counts()
    stats = get_periodogram_stats({"times": times, "counts": counts}, "short")
    assert stats.best_period * 86400 == pytest.approx(7.3, abs=0.01)
    assert stats.periods[0] * 86400 == pytest.approx(4.0)
    assert stats.fap < 1e-10
    assert (
        stats.best_period in {*stats.significant_periods}
        or abs(stats.significant_periods - stats.best_period).min() < 1e-6
    )


@pytest.mark.parametrize(("name", "seconds"), [("short", 40.0), ("med", 1500.0), ("long", 4 * 3600.0)])
def test_the_named_ranges_find_a_period_in_them(name, seconds):
    time = np.arange(3000) * 15 / 86400
    band = sinusoid(time, period=seconds / 86400, amplitude=3.0)
    stats = get_periodogram_stats(band, name)
    assert abs(stats.best_period * 86400 - seconds) < 5 * stats.best_period_err * 86400
    assert stats.fap < 1e-6


def test_noise_exceeds_three_sigma_and_yet_is_no_alarm():
    exceeded, alarms = 0, 0
    for seed in range(100):
        time = scattered(100, 30, seed=seed)
        stats = get_periodogram_stats((time, *noise(time, seed=seed)), (0.5, 10.0))
        exceeded += len(stats.significant_powers) > 0
        alarms += stats.fap < 0.01
    assert exceeded > 80
    assert alarms <= 4


def test_every_kind_of_lightcurve_gives_the_same(tmp_path):
    time, flux, error = sinusoid(scattered(100, 40), period=3.0, amplitude=20.0)
    table = {"mjd": time - 0.003, "bmjd_tdb": time, "flux": flux, "fluxerr": error}
    frame = pd.DataFrame(table)
    rows = frame.to_records(index=False).view(np.ndarray)
    rows = np.array(rows.tolist(), dtype=[(name, float) for name in table])
    with Writer(tmp_path / "x.h5") as writer:
        writer.write_table("a", table)
    order = np.random.default_rng(0).permutation(100)
    first, *others = (
        get_periodogram_stats(dataset, "days")
        for dataset in (
            (time, flux, error),
            [time[order], flux[order], error[order]],
            table,
            frame,
            rows,
            Lightcurve(tmp_path / "x.h5", "a"),
        )
    )
    for other in others:
        np.testing.assert_allclose(other.power, first.power)
        assert (other.best_period, other.fap) == pytest.approx((first.best_period, first.fap))


def test_a_lightcurve_without_a_needed_column_is_an_error():
    with pytest.raises(
        ValueError, match=r"needs a column bmjd_tdb or mjd or times and one flux or counts; it has mjd, mag"
    ):
        get_periodogram_stats({"mjd": np.arange(5.0), "mag": np.arange(5.0)}, "days")


@pytest.mark.parametrize("days", [(30.0, 1.0), (-1.0, 5.0), (0.0, 5.0), (2.0, 2.0), (1.0, math.nan), (1.0, math.inf)])
def test_periods_that_are_no_range_are_an_error(days):
    with pytest.raises(ConfigError, match=r"are not a range: both must be positive and in order"):
        get_periodogram_stats((np.arange(50.0), np.arange(50.0) % 3, None), days)


def test_columns_of_different_lengths_are_an_error():
    for flux, error in ((np.ones(4), np.ones(5)), (np.ones(5), np.ones(1))):
        with pytest.raises(ValueError, match="times, values and errors must have the same length"):
            get_periodogram_stats((np.arange(5.0), flux, error), "days")


def test_nan_and_errors_that_are_none_are_left_out():
    time, flux, error = sinusoid(scattered(100, 40), period=3.0, amplitude=20.0)
    dirty = [
        np.append(values, extra) for values, extra in ((time, [59000, np.nan]), (flux, [np.nan, 1]), (error, [1, 1]))
    ]
    dirty = [np.append(values, extra) for values, extra in zip(dirty, (59000.0, 1e9, 0.0), strict=True)]
    assert get_periodogram_stats(tuple(dirty), "days").fap == get_periodogram_stats((time, flux, error), "days").fap


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_too_few_epochs_have_no_periodogram(number):
    stats = get_periodogram_stats((np.arange(10.0)[:number], np.arange(10.0)[:number]), "days")
    assert stats.status == "too few epochs"
    assert [len(values) for values in (stats.periods, stats.power, stats.significant_periods)] == [0, 0, 0]
    assert all(math.isnan(value) for value in (stats.mean, stats.best_period, stats.fap, stats.window_power))


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda stats: pickle.loads(pickle.dumps(stats))])
def test_results_can_be_copied_and_sent_to_other_processes(duplicate):
    stats = get_periodogram_stats(sinusoid(scattered(200, 40), period=3.0, amplitude=20.0), "days")
    other = duplicate(stats)
    assert type(other) is type(stats)
    np.testing.assert_array_equal(other.power, stats.power)
    assert (other.best_period, other.fap, other.aliases) == (stats.best_period, stats.fap, stats.aliases)


def test_a_constant_flux_has_no_power_and_no_period():
    stats = get_periodogram_stats((scattered(100, 40), np.full(100, 3.3), np.full(100, 0.1)), "days")
    assert stats.status == "constant"
    assert len(stats.periods) == len(stats.power) > 0
    assert (stats.power.max(), stats.mean, stats.fap, len(stats.significant_powers)) == (0, 0, 1, 0)
    assert math.isnan(stats.best_period)


@pytest.mark.parametrize(("days", "status", "longest"), [(3, "too short", None), (30, "clipped", 15), (90, "ok", 20)])
def test_periods_that_do_not_fit_twice_are_not_searched(days, status, longest):
    time = np.linspace(0, days, 60)
    stats = get_periodogram_stats((time, *noise(time)), (2.0, 20.0))
    assert stats.status == status
    assert stats.status in STATUSES
    assert len(stats.periods) == 0 if longest is None else stats.periods[-1] == pytest.approx(longest)


def test_too_many_frequencies_are_an_error():
    time = scattered(100, 2000)
    with pytest.raises(ConfigError, match=r"more than periods.max_frequencies 1,000,000"):
        get_periodogram_stats((time, *noise(time)), "med")


def test_the_lightcurve_is_not_changed():
    band = sinusoid(scattered(100, 40)[::-1].copy(), period=3.0, amplitude=20.0)
    for values in band:
        values.setflags(write=False)
    assert get_periodogram_stats(band, "days").status == "clipped"


def test_shuffles_are_compared_with_the_lightcurve_on_one_grid():
    for seed in range(12):
        time, flux = scattered(40, 15, seed=seed), np.random.default_rng(seed).normal(size=40)
        stats = get_periodogram_stats((time, flux), (0.5, 4.0), bootstrap=39, seed=seed)
        options = {"oversampling": 5, "max_frequencies": 1000}
        expected = bootstrap_fap(
            Sinusoids([(time, flux, None)]), [(0.25, 2.0)], stats.power.max(), 39, (seed,), **options
        )
        assert stats.fap_bootstrap == expected
