"""Trials and thresholds of the matched filter against closed forms, brute force and noise."""

import math

import numpy as np
import pytest
from make_batch import make_batch
from scipy.integrate import quad
from scipy.stats import norm, poisson
from test_benchmarks import load

from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.search.false_alarms import levels_of, passing, thresholds
from vo_lib.search.matched_filter import search_templates
from vo_lib.search.template_bank import make_kernels
from vo_lib.search.template_likeness import likeness

LEVELS = levels_of(0.01)


def _noise(counts, cadence, seed):
    """Lightcurves of Gaussian noise at irregular times with pauses, and errors of two sizes."""
    batch, random = make_batch(counts, cadence=cadence), np.random.default_rng(seed)
    mjd = batch.columns["mjd"] + random.uniform(0, 0.9 * cadence, batch.n_epochs)
    mjd += 20 * cadence * (np.arange(batch.n_epochs) % counts[0] // 37)
    noise = np.where(np.arange(batch.n_epochs) % 3, 10.0, 20.0)
    return batch.with_columns(mjd=mjd), random.normal(0.0, 1.0, batch.n_epochs), noise


def _passed(batch, snr, noise, false_alarms):
    """Number of lightcurves with a detection."""
    found = search_templates(batch, np.ones(batch.n_epochs, bool), snr, noise, false_alarms=false_alarms)
    return len(np.unique(found["lightcurve"]))


def _check(number, expected):
    """A factor of 1.2 is allowed on top of what chance does in 1 of 1000 cases."""
    assert poisson.ppf(0.0005, expected / 1.2) <= number <= poisson.ppf(0.9995, expected * 1.2)


@pytest.mark.parametrize(
    ("counts", "cadence"),
    [([60] * 8000, 3.0), ([15] * 10000, 8.0), ([60] * 6000, 0.3), ([720] * 1000, 2 / 1440), ([2000] * 600, 2 / 1440)],
)
def test_noise_passes_as_often_as_promised(counts, cadence):
    promised = 0.02 if len(counts) > 1000 else 0.1
    _check(_passed(*_noise(counts, cadence, seed=5), promised), promised * len(counts))


@pytest.mark.parametrize("count", [60, 300])
def test_noise_passes_as_often_as_promised_with_two_epochs_a_night(count):
    number = 300_000 // count
    batch, snr, noise = _noise([count] * number, 1.0, seed=8)
    random = np.random.default_rng(9)
    nights = np.cumsum(random.geometric(1 / 3, (number, count // 2)), axis=1)
    mjd = np.repeat(nights + random.uniform(-0.15, 0.15, nights.shape), 2, axis=1)
    mjd[:, 1::2] += random.uniform(0.01, 0.06, nights.shape)
    _check(_passed(batch.with_columns(mjd=mjd.ravel()), snr, noise, 0.05), 0.05 * number)


@pytest.mark.parametrize("count", [5, 9, 15])
def test_single_epochs_of_few_pass_as_often_as_promised(count):
    # Epochs farther from each other than any template sees: the highest of independent Gaussians of unit variance.
    batch, snr, noise = _noise([count] * 6000, 1000.0, seed=10)
    _check(_passed(batch, snr, noise, 0.05), 0.05 * 6000)


def test_fewer_pass_where_the_noise_is_overestimated():
    batch, snr, noise = _noise([60] * 5000, 1.0, seed=6)
    found = search_templates(batch, np.ones(batch.n_epochs, bool), snr / 1.1, 1.1 * noise, false_alarms=0.02)
    assert len(found["score"]) < 0.02 * 5000 / 2


@pytest.mark.parametrize("false_alarms", [0.5, 0.01, 1e-6])
def test_thresholds_are_those_of_independent_trials(false_alarms):
    trials = np.outer(np.ones(2), [1.0, 10.0, 1e4, 0.0])
    expected = norm.isf(-math.log1p(-false_alarms) / np.array([10.0, 1e4]))
    found = thresholds(trials, levels_of(false_alarms), false_alarms)
    np.testing.assert_allclose(found[1:3], expected, atol=1e-4)
    assert found[3] == np.inf


def test_a_promise_that_nearly_every_lightcurve_breaks_has_a_threshold():
    promised = 1 - 1e-15
    levels = levels_of(promised)
    found = thresholds(np.outer(np.ones(2), [1.0, 100.0, 1e4]), levels, promised)
    assert 0 < levels[0] < levels[1]
    np.testing.assert_allclose(found[1:], norm.isf(-math.log1p(-promised) / np.array([100.0, 1e4])), atol=1e-3)
    assert 0 < found[0] < 1e-3


def test_trials_between_the_levels_follow_a_power():
    trials = np.outer(LEVELS**2, [10.0, 1000.0])
    found = thresholds(trials, LEVELS, 0.01)
    np.testing.assert_allclose(found**2 * [10, 1000] * norm.sf(found), -math.log(0.99), rtol=1e-3)


def test_a_template_passes_with_its_neighbour_as_often_as_their_correlation_says():
    level, r = 4.0, np.array([0.0, 0.5, 0.8, 0.95, 1.0])

    def both(x, correlation):
        return norm.pdf(x) * norm.sf((level - correlation * x) / math.sqrt(1 - correlation**2))

    exact = [quad(both, level, 12, args=(c,))[0] / norm.sf(level) for c in r[:-1]]
    np.testing.assert_allclose(passing(r, level), [*exact, 1.0], atol=0.03)


def test_dense_templates_follow_the_formula_of_rice():
    # Excursions of a smooth process above a level: its rate times the length, with the curvature of its correlation.
    step, level = 0.01, 4.0
    correlation = math.exp(-2 * math.log(2) * step**2)
    curvature = 4 * math.log(2)
    rate = math.sqrt(curvature) / (2 * math.pi) * math.exp(-(level**2) / 2)
    ours = (1 - passing(np.array([correlation]), level)[0]) * norm.sf(level) / step
    assert ours == pytest.approx(rate, rel=0.06)


def test_a_shape_is_its_own_best_likeness():
    for gaussian, eclipse in zip(*likeness(make_kernels(("gaussian", "dip", "eclipse")), 0.9), strict=True):
        assert list(gaussian.shape) == []
        assert list(eclipse.shape) == [-1]
        # Up to where it sees its own epoch only.
        assert (eclipse.shape[-1][eclipse.own < 0.9] > 0.9).all()
        assert eclipse.shape[-1][-1] == 0
        assert (np.diff(eclipse.own) >= 0).all()


def test_two_epochs_see_each_other_before_and_after_the_peak():
    ((endless, two),) = likeness(make_kernels(("flare",)), 0.9)
    (flare,) = (kernel.in_cells for kernel in make_kernels(("flare",)))
    # Epochs in neighbouring cells of a quarter of the width.
    assert two.own[0] == pytest.approx(np.mean(1 / np.sqrt(1 + flare(np.array([-0.25, 0.25])) ** 2)))
    assert endless.own[0] == pytest.approx(1 / np.sqrt(np.sum(flare(np.arange(-40, 41) / 4) ** 2)))
    assert endless.own[-1] == two.own[-1] == 1


@pytest.mark.parametrize("promised", [1e-2, 1e-4])
@pytest.mark.parametrize(
    ("sampling", "number"),
    [
        ("nights and seasons, 100 epochs", 8),
        ("two a night, 60 epochs", 12),
        ("three a night, 90 epochs", 8),
        ("eight a night, 80 epochs", 8),
        ("few, 15 epochs", 30),
        ("every 2 min, 720 epochs", 1),
    ],
)
def test_trials_are_those_of_importance_sampling(sampling, number, promised):
    module = load(PACKAGE_ROOT / "benchmarks" / "validate_trials.py")
    found = module.ratios(module.SAMPLINGS[sampling][0], number, promised)
    assert 0.93 < found.mean() < 1.05


def test_importance_sampling_is_the_chance_of_independent_scores():
    module = load(PACKAGE_ROOT / "benchmarks" / "validate_trials.py")
    found = module.passing(np.eye(40), np.full(40, 2), 3.0, 4000, np.random.default_rng(1))
    assert found == pytest.approx(-math.expm1(-80 * norm.sf(3.0)), rel=0.02)
