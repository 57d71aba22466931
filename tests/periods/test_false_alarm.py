"""False-alarm probabilities against astropy, against scipy, and against noise."""

import math

import numpy as np
import pytest
import scipy.stats
from astropy.timeseries import LombScargle
from make_periodic import noise, scattered

from vo_lib.periods.false_alarm import box_fap, box_trials, sine_fap
from vo_lib.periods.peaks import scan
from vo_lib.periods.sinusoids import Sinusoids
from vo_lib.periods.transits import search_boxes


@pytest.mark.parametrize("n_epochs", [8, 60, 400])
@pytest.mark.parametrize("power", [0.0, 0.01, 0.2, 0.6, 0.99])
def test_one_filter_has_the_probability_of_astropy(n_epochs, power):
    time = scattered(n_epochs, 100)
    flux, error = noise(time)
    fit = Sinusoids([(time, flux, error)])
    expected = LombScargle(time - time[0], flux, error).false_alarm_probability(power, maximum_frequency=3)
    found = sine_fap(power, n_epochs=n_epochs, bandwidth=3, effective_span=fit.effective_span)
    # astropy moves the end of the band to its own grid.
    assert found == pytest.approx(float(expected), rel=1e-3, abs=1e-300)


def test_one_frequency_of_several_filters_follows_the_beta_distribution():
    for n_bands in (1, 2, 5):
        found = sine_fap(0.3, n_epochs=60, bandwidth=0, effective_span=1, n_bands=n_bands)
        expected = scipy.stats.beta.sf(0.3, n_bands, (60 - 3 * n_bands) / 2)
        assert found == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("n_epochs", "power"), [(3, 0.5), (100, math.nan), (100, 1.5)])
def test_a_probability_is_nan_where_it_is_undefined(n_epochs, power):
    assert math.isnan(sine_fap(power, n_epochs=n_epochs, bandwidth=1, effective_span=1))


def test_a_perfect_sinusoid_is_no_false_alarm():
    assert sine_fap(1.0, n_epochs=50, bandwidth=1, effective_span=10) == 0


def _frequency_of_alarms(values, level):
    """Rate of false alarms over the level, and its standard error if the level were right."""
    return np.mean(np.array(values) < level) / level, math.sqrt((1 - level) / level / len(values))


@pytest.mark.parametrize("n_bands", [1, 3])
def test_noise_has_as_many_false_alarms_as_promised(n_bands):
    values, band = [], (0.1, 1.0)
    for seed in range(250):
        time = scattered(120, 60, seed=seed)
        flux, error = noise(time, seed=seed)
        # Errors that are all wrong by one factor make no difference.
        fit = Sinusoids(
            [(time[first::n_bands], flux[first::n_bands], 3 * error[first::n_bands]) for first in range(n_bands)]
        )
        peak = scan(fit, [band], oversampling=5, max_frequencies=10**5)[1].max()
        options = {"bandwidth": band[1] - band[0], "effective_span": fit.effective_span, "n_bands": n_bands}
        values.append(sine_fap(peak, n_epochs=fit.n_epochs, **options))
    for level in (0.01, 0.1, 0.5):
        ratio, error = _frequency_of_alarms(values, level)
        assert ratio < 1 + 3 * error
        assert ratio > 0.75 - 3 * error


def test_noise_has_at_most_as_many_deep_dips_as_promised():
    values = []
    for seed in range(300):
        time = scattered(200, 40, seed=seed)
        flux, error = noise(time, seed=seed)
        values.append(search_boxes(time, flux, 3 * error, [(0.5, 0.7)], fractions=(0.1,)).fap)
    for level in (0.02, 0.1, 0.5):
        ratio, error = _frequency_of_alarms(values, level)
        assert ratio < 1 + 3 * error
        assert ratio > 0.5 - 3 * error


@pytest.mark.parametrize("seed", range(4))
def test_one_box_is_a_test_of_correlation(seed):
    rng = np.random.default_rng(seed)
    inside, flux = np.arange(30) < 6, rng.normal(0, 1, 30)
    r, p = scipy.stats.pearsonr(~inside, flux, alternative="greater")
    chi2 = 29 * flux.var(ddof=1)
    assert box_fap(r * math.sqrt(chi2), chi2, n_epochs=30, grids=[(1, (), 6)]) == pytest.approx(p, rel=1e-9)


def test_boxes_that_share_nothing_are_all_trials_and_equal_ones_are_none():
    assert box_trials(5, (1.0,), 1e4) == pytest.approx(1, rel=0.02)
    assert box_trials(5, (0.2, 0.1), 1e6) < box_trials(5, (0.2,), 1e6) < 1
    assert box_trials(5, (1e-9,), 3) < 1e-6
    # Neighbours of many epochs: u**2 step, the rate of a random walk in continuous time.
    assert box_trials(4, (1e-5,), 1e9) == pytest.approx(16e-5, rel=0.02)


@pytest.mark.parametrize(("snr", "chi2", "n_epochs"), [(math.nan, 10, 10), (3, 0, 10), (3, 10, 3)])
def test_a_dip_without_a_meaning_has_no_probability(snr, chi2, n_epochs):
    assert math.isnan(box_fap(snr, chi2, n_epochs=n_epochs, grids=[(10, (0.2,), 5)]))


def test_a_dip_that_explains_all_is_no_false_alarm():
    assert box_fap(10.0, 100.0, n_epochs=50, grids=[(1e6, (0.2, 0.1), 5)]) == 0
