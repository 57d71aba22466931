"""Sinusoids against astropy, against chi-square by brute force, and in closed form."""

import math

import numpy as np
import pytest
from astropy.timeseries import LombScargle, LombScargleMultiband
from make_periodic import nightly, noise, scattered, sinusoid

from vo_lib.periods.peaks import highest_peak, scan
from vo_lib.periods.sinusoids import Sinusoids


def _bands(n_bands=3):
    return [sinusoid(nightly(60 + 10 * k, 90, seed=k), period=0.7, amplitude=8.0, seed=k) for k in range(n_bands)]


def test_powers_of_one_filter_are_those_of_astropy():
    (time, flux, error), *_ = _bands()
    grid = np.linspace(0.1, 5, 9000)
    expected = LombScargle(time - time[0], flux, error).power(grid, method="slow")
    fit = Sinusoids([(time, flux, error)])
    np.testing.assert_allclose(fit.power(grid), expected, atol=1e-10)
    np.testing.assert_allclose(fit.power(grid, even=True), expected, atol=1e-7)


def test_powers_of_several_filters_are_those_of_astropys_flexible_method():
    bands = _bands()
    grid = np.linspace(0.1, 3, 200)
    time, flux, error = (np.concatenate(parts) for parts in zip(*bands, strict=True))
    label = np.repeat(["g", "r", "i"], [len(band[0]) for band in bands])
    options = {"nterms_base": 0, "nterms_band": 1, "reg_band": None, "reg_base": None}
    model = LombScargleMultiband(time - time.min(), flux, label, error, **options)
    np.testing.assert_allclose(Sinusoids(bands).power(grid), model.power(grid, method="flexible"), atol=1e-9)


def test_the_power_of_errors_of_unknown_scale_does_not_depend_on_it():
    bands = _bands()
    scaled = [(time, flux, factor * error) for (time, flux, error), factor in zip(bands, (0.3, 1, 3), strict=True)]
    fit, other, one = Sinusoids(bands), Sinusoids(scaled), Sinusoids(bands[:1])
    assert other.unscaled_power(1.3) == pytest.approx(fit.unscaled_power(1.3), rel=1e-9)
    assert abs(other.measured_power(1.3) - fit.measured_power(1.3)) > 0.01 * fit.measured_power(1.3)
    assert one.unscaled_power(1.3) == pytest.approx(one.measured_power(1.3), rel=1e-9)
    alone = [Sinusoids([band]).measured_power(1.3) for band in bands]
    left = np.prod((1 - np.array(alone)) ** (np.array([57, 67, 77]) / 201))
    assert fit.unscaled_power(1.3) == pytest.approx(1 - left, rel=1e-9)


def test_noise_whose_errors_are_wrong_in_each_filter_in_its_own_way_has_no_period():
    small = 0
    for number in range(40):
        times = [np.sort(np.random.default_rng([number, k]).uniform(0, 50, 60)) for k in range(3)]
        noises = [np.random.default_rng([number, k, 1]).normal(size=60) for k in range(3)]
        bands = [(time, flux, np.full(60, error)) for time, flux, error in zip(times, noises, (0.4, 1, 2), strict=True)]
        fit = Sinusoids(bands)
        small += (
            highest_peak(fit, [(0.1, 2.0)], *scan(fit, [(0.1, 2.0)], oversampling=5, max_frequencies=10_000)).fap < 0.1
        )
    assert small <= 9


@pytest.mark.parametrize("frequency", [0.5, 0.5 + 1e-7])
@pytest.mark.parametrize("n_epochs", [50, 101])
def test_the_amplitude_of_even_epochs_at_half_their_frequency_is_that_of_the_flux(frequency, n_epochs):
    time = 58000.0 + np.arange(n_epochs)
    flux = 1000 + 50 * (-1.0) ** np.arange(n_epochs) + np.random.default_rng(1).normal(size=n_epochs)
    assert Sinusoids([(time, flux, np.full(n_epochs, 10.0))]).fit(frequency)[0] == pytest.approx(50, rel=0.02)


def _chi2(time, flux, error, *columns):
    """Least chi-square of a linear model."""
    matrix = np.stack([np.ones(len(time)), *columns], axis=1) / error[:, None]
    return np.sum((flux / error - matrix @ np.linalg.lstsq(matrix, flux / error, rcond=None)[0]) ** 2)


def test_powers_are_differences_of_chi_square_by_brute_force():
    bands = _bands(2)
    for used in (bands[:1], bands):
        without = sum(_chi2(*band) for band in used)
        for frequency in (0.3, 1 / 0.7, 2.2):
            angle = [2 * np.pi * frequency * time for time, *_ in used]
            with_sine = sum(_chi2(*band, np.sin(a), np.cos(a)) for band, a in zip(used, angle, strict=True))
            fit = Sinusoids(used)
            assert fit.power(np.array([frequency]))[0] == pytest.approx(1 - with_sine / without, abs=1e-9)
            assert fit.measured_power(frequency) == pytest.approx(1 - with_sine / without, abs=1e-9)


def test_filters_that_are_constant_or_have_too_few_epochs_or_one_time_are_left_out():
    band = _bands()[0]
    time, ones = np.arange(9.0), np.ones(9)
    fit = Sinusoids([(time, ones, ones), (ones, time, ones), band, (time[:3], time[:3], ones[:3])])
    assert (fit.n_bands, fit.n_epochs) == (1, len(band[0]))
    assert fit.cadence == Sinusoids([band]).cadence


@pytest.mark.parametrize("even", [False, True])
def test_a_filter_whose_power_is_undefined_leaves_the_peaks_of_the_others(even):
    band = _bands()[0]
    few = np.array([40.0, 40.0, 40.0, 40.0, 41.0]), np.array([0.0, 1.0, -1.0, 1.0, 0.0]), np.ones(5)
    fit, grid = Sinusoids([band, few]), np.linspace(0.1, 5, 9000)
    share = fit.chi2[0] / fit.chi2.sum()
    assert (fit.power(grid, even=even) > share * Sinusoids([band]).power(grid) - 1e-6).all()


def test_amplitude_and_time_of_maximum_of_a_clean_sinusoid():
    time = scattered(200, 30)
    flux = 50 + 7 * np.cos(2 * np.pi * (time - 58001.234) / 2.5)
    amplitude, maximum = Sinusoids([(time, flux, np.ones(200))]).fit(1 / 2.5)
    assert amplitude == pytest.approx(7, rel=1e-9)
    assert time[0] <= maximum < time[0] + 2.5
    assert (maximum - 58001.234 + 1) % 2.5 == pytest.approx(1, abs=1e-9)


def test_the_window_is_that_of_a_fourier_sum():
    time = nightly(100, 200)
    fit = Sinusoids([(time, *noise(time)[:1], None)])
    for frequency in (0.2, 1.0):
        expected = abs(np.mean(np.exp(-2j * np.pi * frequency * time))) ** 2
        assert fit.window(np.array([frequency]))[0] == pytest.approx(expected, rel=1e-6)
    assert fit.window(np.array([1.0]))[0] > 0.5


def test_the_effective_span_of_even_times_is_sqrt_pi_over_3_of_the_span():
    time = np.linspace(0, 10, 100001)
    fit = Sinusoids([(time, np.sin(time), None)])
    assert fit.effective_span == pytest.approx(10 * math.sqrt(np.pi / 3), rel=1e-4)


def test_periods_scatter_as_their_errors_say():
    pulls = []
    for seed in range(150):
        fit = Sinusoids([sinusoid(scattered(100, 50, seed=seed), period=2.0, amplitude=12.0, seed=seed)])
        peak = highest_peak(fit, [(0.4, 0.6)], *scan(fit, [(0.4, 0.6)], oversampling=5, max_frequencies=1000))
        pulls.append((peak.period - 2.0) / peak.period_err)
    assert abs(np.mean(pulls)) < 3 / math.sqrt(150)
    assert np.std(pulls) == pytest.approx(1, abs=0.2)
