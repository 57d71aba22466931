"""What noise is expected to make: against simulations of median and scatter, and against searches of noise."""

import numpy as np
import pytest
import scipy.stats
from make_batch import make_batch, put
from make_survey import finder_section

from vo_lib.counts.false_detections import MODEL_ERR, expected_noise
from vo_lib.finder import Finder
from vo_lib.noise_copies import false_alarms_of
from vo_lib.search.matched_filter import search_templates
from vo_lib.search.noise_model import (
    TRIALS,
    error_spread,
    false_detections,
    middle_scatter,
    scatter_over_error,
    tail,
)


def simulated_tail(n_epochs, level, ratio, number=40_000):
    """Probability that an epoch far away is above the level that the others and itself set, from random lightcurves."""
    flux = np.random.default_rng(n_epochs).normal(size=(number, n_epochs))
    flux[:, 0] = np.inf
    median = np.median(flux, axis=1)
    scatter = 1.4826 * np.median(np.abs(flux - median[:, None]), axis=1)
    return scipy.stats.norm.sf(median + level * np.maximum(scatter, 1 / ratio)).mean()


@pytest.mark.parametrize("level", [4.0, 5.0])
@pytest.mark.parametrize(("n_epochs", "ratio", "rel"), [(10, 1, 0.1), (30, 1, 0.05), (200, 1, 0.03), (200, 1.5, 0.3)])
def test_the_tail_is_that_of_simulated_lightcurves(n_epochs, ratio, rel, level):
    assert tail([n_epochs], level, ratio=ratio)[0] == pytest.approx(simulated_tail(n_epochs, level, ratio), rel=rel)


def test_errors_that_differ_and_are_too_small_have_the_tail_of_their_mixture():
    error = np.exp(0.3 * np.random.default_rng(1).normal(size=400_000))
    for ratio in (1.0, 1.5):
        level = 4 * np.maximum(1, error / ratio) / error
        expected = scipy.stats.norm.sf(level).mean()
        assert tail([10**12], 4.0, ratio=ratio, spread=0.3)[0] == pytest.approx(expected, rel=0.03)


def test_the_spread_of_errors_is_that_of_the_middle_lightcurve():
    error = 10 * np.exp(0.3 * np.random.default_rng(2).normal(size=(500, 200)))
    error[0] = 1e6, *np.ones(199)
    number, rms = np.full(500, 200), np.sqrt(np.mean(error**2, axis=1))
    mean_err = 1 / np.sqrt(np.sum(error**-2.0, axis=1))
    assert error_spread(number, rms, mean_err) == pytest.approx(0.3, rel=0.02)
    assert error_spread(number, mean_err, mean_err) == 0
    assert error_spread(number, np.full(500, np.nan), mean_err) == 0


def test_with_many_epochs_the_tail_is_that_of_the_normal_law():
    for about_median in (False, True):
        many = tail([10**12], [3.0], ratio=1.0, about_median=about_median)
        assert many[0] == pytest.approx(scipy.stats.norm.sf(3.0), rel=1e-4)
    assert tail([100, 200], [np.inf, 50.0]).tolist() == [0, 0]
    assert tail(np.zeros(0, int), 5.0).shape == (0,)


@pytest.mark.parametrize("n_epochs", [6, 15, 60])
def test_the_middle_scatter_of_lightcurves_of_few_epochs_is_the_true_one(n_epochs):
    flux = np.random.default_rng(n_epochs).normal(0, 3.0, (40_000, n_epochs))
    scatter = 1.4826 * np.median(np.abs(flux - np.median(flux, axis=1)[:, None]), axis=1)
    assert np.median(middle_scatter(scatter, np.full(40_000, n_epochs))) == pytest.approx(3, rel=0.02)
    assert np.isnan(middle_scatter(np.ones(4), [0, 1, 2, 3])).tolist() == [True, True, True, False]


def test_the_noise_over_the_errors_is_that_of_the_middle_lightcurve_and_not_below_one():
    number, error = np.full(4, 20), np.full(4, 10.0)
    ratio = scatter_over_error(number, np.array([18.85, 18.85, 18.85, 500.0]), error)
    assert ratio == pytest.approx(2)
    assert scatter_over_error(number, error / 3, error) == 1
    assert scatter_over_error(number, np.full(4, np.nan), error) == 1
    assert scatter_over_error(number, 2 * error, np.array([10.0, 0.0, np.nan, 0.0])) == pytest.approx(2 * 20 / 18.85)


def test_many_lightcurves_of_two_epochs_do_not_decide_what_noise_makes_in_long_ones():
    number = np.repeat([2, 20], [2000, 200])
    flux = np.random.default_rng(3).normal(0, 10.0, (len(number), 20))
    scatter = [scipy.stats.median_abs_deviation(row[:n], scale="normal") for row, n in zip(flux, number, strict=True)]
    assert scatter_over_error(number, np.array(scatter), np.full(len(number), 10.0)) == pytest.approx(1, abs=0.1)


def test_lightcurves_that_are_too_short_to_be_searched_have_no_false_detections():
    batch = put(make_batch([2, 3]), 0, [1], flux=9e9, fluxerr=1.0)
    batch = put(batch, 1, [0, 1, 2], flux=[1000.0, 1000.0, 9e9])
    assert Finder(methods=["peak"], noise="error").find(batch, np.zeros(5, int)).lightcurve.tolist() == [1]
    number = false_detections([1, 2, 3], ratio=2.0, threshold=5.0, false_alarms=1e-4)
    assert (number > 0).tolist() == [False, False, True]


def test_single_epochs_that_both_methods_find_are_counted_once():
    number = np.array([100, 0])
    peak, templates, both, low, none = (
        false_detections(number, ratio=1.0, threshold=threshold, false_alarms=promised)
        for threshold, promised in ((5.0, 0.0), (np.inf, 1e-4), (5.0, 1e-4), (9.0, 1e-4), (np.inf, 0.0))
    )
    assert max(peak[0], templates[0]) < both[0] < peak[0] + templates[0]
    np.testing.assert_allclose(low, templates)
    assert none.tolist() == [0, 0]
    assert (peak[1], templates[1]) == (0, 0)


def test_trials_of_an_epoch_are_those_that_thresholds_of_the_search_come_from():
    batch = make_batch([60] * 2000, cadence=2.0)
    noise = np.random.default_rng(1).normal(size=batch.n_epochs)
    found = search_templates(batch, np.ones(len(noise), bool), noise, np.full(len(noise), 10.0), false_alarms=0.01)
    # Of both signs.
    trials = 0.01 / scipy.stats.norm.sf(found["threshold"]) / (2 * 60)
    assert np.median(trials) == pytest.approx(TRIALS, rel=0.2)


def test_without_few_epochs_the_methods_find_what_they_promise_and_each_the_epochs_of_the_other():
    number, promised = 10**10, 1e-4
    level = scipy.stats.norm.isf(promised / number)
    peak, templates, both = (
        false_detections([number], ratio=1.0, threshold=threshold, false_alarms=of_templates)[0]
        for threshold, of_templates in ((level, 0.0), (np.inf, promised), (level, promised))
    )
    assert peak == pytest.approx(promised, rel=0.01)
    # Trials are counted on the safe side.
    assert 0.6 * promised < templates < 0.85 * promised
    # One of 2.5 trials is the epoch itself.
    assert both == pytest.approx(peak + 0.6 * templates, rel=0.01)


@pytest.mark.parametrize(("error", "spread"), [(10.0, 0.0), (5.0, 0.0), (7.0, 0.3)])
@pytest.mark.parametrize("methods", [["peak"], ["matched_filter"], ["peak", "matched_filter"]])
def test_noise_makes_as_many_detections_as_promised(methods, error, spread):
    options = {"snr_threshold": 3.8, "matched_filter": {"false_alarms": 0.02}} if error == 10 else {}
    factor = np.exp(spread * np.random.default_rng(4).normal(size=360_000))
    batch = make_batch([120] * 3000).with_columns(fluxerr=error * factor)
    batch = batch.with_columns(flux=1000 + (batch.columns["flux"] - 1000) * factor)
    found = false_alarms_of(Finder(methods=methods, **options), batch, np.zeros(360_000, np.int64), seed=1, copies=2)
    promised = expected_noise(finder_section(methods=methods, **options))
    level = np.inf if promised["threshold"] is None else promised["threshold"]
    noise = {"ratio": 10 / error, "spread": spread, "false_alarms": promised["false_alarms"][1]}
    (expected,) = false_detections([120], threshold=level, **noise)
    number, counted = np.mean([found[-1][0], found[1][0]]), np.hypot(found[-1][1], found[1][1]) / 2
    assert number == pytest.approx(expected, abs=MODEL_ERR * expected + 3 * counted)
