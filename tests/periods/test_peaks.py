"""The highest peak of a periodogram."""

import numpy as np
import pytest
from make_periodic import scattered, sinusoid

from vo_lib.periods.peaks import bootstrap_fap, highest_peak, scan, usable_epochs
from vo_lib.periods.sinusoids import Sinusoids

OPTIONS = {"oversampling": 5, "max_frequencies": 10**5}


def test_the_peak_lies_between_the_frequencies_of_the_grid():
    time = scattered(300, 50)
    flux = 5 + np.cos(2 * np.pi * time / 2.34567)
    fit = Sinusoids([(time, flux, None)])
    peak = highest_peak(fit, [(0.1, 1.0)], *scan(fit, [(0.1, 1.0)], **OPTIONS))
    assert peak.period == pytest.approx(2.34567, abs=1e-4)
    assert peak.power == pytest.approx(1, abs=1e-6)
    assert peak.semi_amplitude == pytest.approx(1, abs=1e-3)


def test_several_bands_are_scanned_one_after_the_other():
    fit = Sinusoids([sinusoid(scattered(100, 10), period=1.0, amplitude=5.0)])
    frequency, power = scan(fit, [(0.3, 0.5), (2.0, 3.0)], **OPTIONS)
    assert len(power) == len(frequency)
    assert not ((frequency > 0.5001) & (frequency < 1.9999)).any()
    np.testing.assert_allclose(power, fit.power(frequency), atol=1e-6)


def test_epochs_that_cannot_be_used_are_left_out_and_the_others_sorted():
    time, flux = [3.0, 1.0, np.nan, 2.0, 4.0, 5.0], [3.0, 1.0, 7.0, np.inf, 4.0, 5.0]
    error = [1.0, 2.0, 1.0, 1.0, 0.0, np.nan]
    left = usable_epochs(time, flux, error)
    assert [values.tolist() for values in left] == [[1, 3], [1, 3], [2, 1]]
    assert usable_epochs(time, flux)[0].tolist() == [1, 3, 4, 5]
    assert usable_epochs(time, flux)[2] is None


def test_shuffles_tell_a_period_from_noise_and_repeat_themselves():
    for amplitude, low, high in ((10.0, 0, 0.03), (0.0, 0.06, 1)):
        fit = Sinusoids([sinusoid(scattered(60, 20, seed=k), period=2.0, amplitude=amplitude, seed=k) for k in (0, 1)])
        power = scan(fit, [(0.2, 1.0)], **OPTIONS)[1].max()
        fap = [bootstrap_fap(fit, [(0.2, 1.0)], power, 39, (seed,), **OPTIONS) for seed in (0, 0, 1)]
        assert fap[0] == fap[1]
        assert all(low < value <= high for value in fap)


def test_no_peak_between_the_frequencies_is_higher():
    for seed in range(40):
        time = scattered(60, 20, seed=seed)
        fit = Sinusoids([(time, np.random.default_rng(seed).normal(size=60), None)])
        fine = scan(fit, [(0.2, 2.0)], **OPTIONS | {"oversampling": 100})[1].max()
        assert highest_peak(fit, [(0.2, 2.0)], *scan(fit, [(0.2, 2.0)], **OPTIONS)).power >= fine - 1e-6


def test_of_aliases_that_are_as_high_the_slowest_is_taken():
    time = 58000.0 + np.arange(100.0)
    fit = Sinusoids([(time, 5 + np.cos(2 * np.pi * time / 4.321), None)])
    peak = highest_peak(fit, [(0.1, 3.5)], *scan(fit, [(0.1, 3.5)], **OPTIONS))
    assert peak.period == pytest.approx(4.321, abs=1e-4)


def test_two_short_visits_have_no_period_that_noise_makes():
    for seed in range(10):
        random = np.random.default_rng(seed)
        time = np.sort((random.uniform(0, 800, 2)[:, None] + random.uniform(0, 7e-4, (2, 12))).ravel())
        fit = Sinusoids([(time, random.normal(size=24), np.ones(24))])
        band = (2 / fit.span, 1.0)
        assert highest_peak(fit, [band], *scan(fit, [band], **OPTIONS)).fap > 0.01


def test_nothing_is_found_where_one_epoch_has_all_of_the_weight():
    time, flux, error = sinusoid(scattered(60, 20), period=2.0, amplitude=10.0)
    error[7] = 1e-31
    fit = Sinusoids([(time, flux, error)])
    peak = highest_peak(fit, [(0.2, 1.0)], *scan(fit, [(0.2, 1.0)], **OPTIONS))
    assert (peak.power, peak.fap) == (0, 1)
