"""Trials and thresholds of the matched filter against closed forms, brute force and noise."""

import math

import numpy as np
import pytest
from make_batch import make_batch
from scipy.integrate import quad
from scipy.stats import norm, poisson

from vo_lib.false_alarms import FreshParts, fresh_part, levels_of, thresholds
from vo_lib.matched_filter import search_templates
from vo_lib.template_bank import STEPS, make_kernels, make_widths
from vo_lib.template_cells import Cells
from vo_lib.template_likeness import lag_correlation, likeness
from vo_lib.template_scan import compare, follow, make_matrices

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


def test_trials_between_the_levels_follow_a_power():
    trials = np.outer(LEVELS**2, [10.0, 1000.0])
    found = thresholds(trials, LEVELS, 0.01)
    np.testing.assert_allclose(found**2 * [10, 1000] * norm.sf(found), -math.log(0.99), rtol=1e-3)


def test_fresh_part_is_the_chance_that_a_neighbour_is_below():
    level, r = 4.0, np.array([0.0, 0.5, 0.8, 0.95, 1.0])

    def below(x, correlation):
        return norm.pdf(x) * norm.cdf((level - correlation * x) / math.sqrt(1 - correlation**2))

    exact = [quad(below, level, 12, args=(c,))[0] / norm.sf(level) for c in r[:-1]]
    np.testing.assert_allclose(fresh_part(r, level), [*exact, 0.0], atol=0.03)


def test_dense_templates_follow_the_formula_of_rice():
    # Excursions of a smooth process above a level: its rate times the length, with the curvature of its correlation.
    step, level = 0.01, 4.0
    correlation = math.exp(-2 * math.log(2) * step**2)
    curvature = 4 * math.log(2)
    rate = math.sqrt(curvature) / (2 * math.pi) * math.exp(-(level**2) / 2)
    ours = fresh_part(np.array([correlation]), level)[0] * norm.sf(level) / step
    assert ours == pytest.approx(rate, rel=0.06)


def test_lags_correlate_as_gaussians_where_dense_and_as_two_epochs_where_not():
    gaussian = make_kernels(("gaussian",))[0]
    found, lag = lag_correlation(gaussian), np.array([0.1, 0.3, 0.75])
    near = np.exp(-2 * math.log(2) * lag**2)
    two = 2 * near**2 / (1 + near**4)
    np.testing.assert_allclose(found[np.rint(lag * STEPS).astype(int)][:2], near[:2], atol=0.03)
    assert found[round(0.75 * STEPS)] == pytest.approx(two[2], abs=0.1)
    assert (found[0], found[-1]) == (1, 0)


def test_a_shape_is_its_own_best_likeness():
    alike = likeness(make_kernels(("gaussian", "dip", "eclipse")), 2.0)
    assert list(alike[0].shape) == []
    assert list(alike[1].shape) == [-1]
    assert (alike[1].shape[-1] > 0.9).all()
    assert (np.diff(alike[1].own) >= 0).all()


@pytest.mark.parametrize("spacing", [0.02, 1.0, 4.0])
def test_trials_are_those_of_brute_force(spacing):
    # Rate at which the greatest of all templates passes a level, by simulated noise of one sampling.
    random, overlap, level, number = np.random.default_rng(3), 0.9, 3.6, 30
    kernels = make_kernels(("flare", "gaussian", "dip"))
    matrices, levels = make_matrices(kernels, overlap), levels_of(1e-3)
    time = np.cumsum(random.uniform(0.3, 1.7, number)) * spacing
    templates, trials = [np.eye(number)], np.full(2, 2.0 * number)
    cells, every = _impulses(time), []
    weight = cells.weight
    for width in make_widths(0.05, 10, overlap).tolist():
        cells, scores = compare(cells, width, matrices)
        every += [scores] if scores is not None else []
    for scores, narrower in follow(every, weight):
        one = scores.cells.lightcurve == 0
        parts = FreshParts(kernels, overlap, levels).of(scores, narrower)[one].sum()
        trials += [parts.real, parts.imag]
        templates += [each.reshape(number, -1).T for each in scores.score]
    sums = random.normal(size=(100_000, number)) @ np.concatenate(templates).T
    only_bright = np.cumsum([len(each) for each in templates])
    for begin, end in zip(only_bright[:-1:2], only_bright[1::2], strict=True):
        sums[:, begin:end] = np.maximum(sums[:, begin:end], 0)
    expected = trials[0] * (level / levels[0]) ** (np.log(trials[1] / trials[0]) / np.log(levels[1] / levels[0]))
    found = -math.log1p(-np.mean(np.abs(sums).max(axis=1) > level)) / norm.sf(level)
    assert found == pytest.approx(expected, rel=0.15)


def _impulses(time):
    """A lightcurve for each epoch, with a flux of 1 there and 0 elsewhere, less the mean."""
    number = len(time)
    weight = np.full(number**2, 1 / number, np.float32)
    flux = ((np.eye(number) - 1 / number) / math.sqrt(number)).astype(np.float32).ravel()
    each = np.repeat(np.arange(number), number)
    return Cells(each, np.tile(time - time[0], number), weight, flux, np.zeros(number**2, bool), np.arange(number**2))
