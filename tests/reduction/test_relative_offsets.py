"""Offsets between nodes: against a dense least-squares fit, recovery of known ones, and graphs that fall apart."""

import numpy as np
import pytest

from vo_lib.reduction import relative_offsets
from vo_lib.reduction.relative_offsets import fit_offsets


def measure(offsets, pairs, *, sigma=0.02, seed=0):
    """Measurements of levels by nodes, for pairs (level, node)."""
    rng = np.random.default_rng(seed)
    level, node = np.array(pairs).T
    levels = rng.normal(15, 2, level.max() + 1)
    error = np.full(len(level), sigma)
    return level, node, levels[level] + np.asarray(offsets)[node] + rng.normal(0, sigma, len(level)), error


def dense(level, node, value, error, reference=0):
    """Least squares for all levels and offsets at once, by numpy."""
    n_levels, n_nodes = level.max() + 1, node.max() + 1
    design = np.zeros((len(value), n_levels + n_nodes))
    design[np.arange(len(value)), level] = design[np.arange(len(value)), n_levels + node] = 1
    design = np.delete(design, n_levels + reference, axis=1) / error[:, None]
    solution = np.linalg.lstsq(design, value / error, rcond=None)[0][n_levels:]
    errors = np.sqrt(np.diag(np.linalg.inv(design.T @ design)))[n_levels:]
    return np.insert(solution, reference, 0.0), np.insert(errors, reference, 0.0)


CHAIN = [(level, node) for level in range(40) for node in ((level % 3), (level % 3) + 1)]


def test_small_residuals_give_the_fit_of_least_squares():
    """Within 1.345 standard deviations Huber's weights are all one."""
    level, node, value, error = measure([0.0, 0.3, -0.2, 0.1], CHAIN, sigma=1e-4)
    error = error * 10
    fit = fit_offsets(level, node, value, error, n_nodes=4, importance=np.array([9.0, 1, 1, 1]))
    expected, errors = dense(level, node, value, error)
    np.testing.assert_allclose(fit.offset, expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(fit.error, errors, rtol=1e-9)
    assert fit.component.tolist() == [0] * 4
    assert fit.n_links.tolist() == [14, 27, 26, 13]


def test_known_offsets_come_back_within_their_errors():
    """Over many seeds the pulls have the scatter of a standard normal law."""
    truth, pulls = np.array([0.0, 0.25, -0.4, 0.05]), []
    for seed in range(200):
        measured = measure(truth, CHAIN, seed=seed)
        fit = fit_offsets(*measured, n_nodes=4, importance=np.array([9.0, 1, 1, 1]))
        pulls.extend((fit.offset - truth)[1:] / fit.error[1:])
    assert abs(np.mean(pulls)) < 3 / np.sqrt(600)
    assert 0.9 < np.std(pulls) < 1.1


@pytest.mark.parametrize(("importance", "reference"), [([1.0, 5, 9, 9, 99], 2), (None, 1)])
def test_the_reference_is_the_most_important_node_that_is_linked_or_that_with_most_links(importance, reference):
    """Node 4 measured a level of its own; of nodes 0 to 3, node 1 has most links."""
    level, node, value, error = measure([0.0, 0.3, -0.2, 0.1, 0.0], [*CHAIN, (40, 4)], sigma=1e-6)
    fit = fit_offsets(level, node, value, error, n_nodes=5, importance=importance and np.array(importance))
    np.testing.assert_allclose(fit.offset[:4], np.array([0.0, 0.3, -0.2, 0.1]) - [0.0, 0.3, -0.2][reference], atol=1e-4)
    assert fit.offset[reference] == fit.error[reference] == 0
    assert np.isnan(fit.offset[4])


def test_outliers_do_not_move_the_offsets():
    level, node, value, error = measure([0.0, 0.3, -0.2, 0.1], CHAIN)
    value[::20] += 5.0
    fit = fit_offsets(level, node, value, error, n_nodes=4, importance=np.array([9.0, 1, 1, 1]))
    np.testing.assert_allclose(fit.offset, [0.0, 0.3, -0.2, 0.1], atol=0.05)
    assert abs(dense(level, node, value, error)[0][3] - 0.1) > 0.1


def measure_pairs(n_components, *, n_levels=60, seed=0):
    """Measurements of all levels by two nodes, in many components; nodes of odd number are 0.3 higher."""
    level = np.repeat(np.arange(n_components * n_levels), 2)
    node = 2 * (level // n_levels) + np.tile([0, 1], len(level) // 2)
    rng = np.random.default_rng(seed)
    error = 0.02 * np.exp(rng.normal(0, 0.5, len(level)))
    return level, node, 15 + 0.3 * (node % 2) + rng.normal(0, error), error


def add_outliers(measured, fraction, *, one_sided, seed=1):
    """Move a fraction of the measurements by 1 to 4, up and down; or down in the first node of each component alone."""
    level, node, value, error = measured
    rng = np.random.default_rng(seed)
    away = (rng.random(len(value)) < fraction) & ((node % 2 == 0) | (not one_sided))
    shift = rng.uniform(1, 4, len(value)) * (1 if one_sided else rng.choice([-1, 1], len(value)))
    return level, node, value - away * shift, error


def pulls_of_pairs(measured):
    """Errors of the offsets of odd nodes from 0.3, over the errors of the fit."""
    n_nodes = measured[1].max() + 1
    fit = fit_offsets(*measured, n_nodes=n_nodes, importance=-np.arange(float(n_nodes)))
    return (fit.offset[1::2] - 0.3) / fit.error[1::2]


@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("fraction", [0.05, 0.15])
def test_errors_are_right_with_outliers(fraction, one_sided):
    """Where the chi-square of Huber's weights gave the errors, pulls were 0.3; its offsets were off by an error."""
    pulls = pulls_of_pairs(add_outliers(measure_pairs(250, n_levels=40), fraction, one_sided=one_sided))
    assert abs(np.median(pulls)) < 0.25
    assert 0.85 < np.percentile(np.abs(pulls), 68.3) < 1.1


def test_outliers_do_not_count_in_the_error():
    """Of twenty differences two are 300 off: the error is that of the mean of the others."""
    difference = 0.7 + 0.3 * np.resize([1.0, -1.0], 20)
    difference[:2] += 300.0
    level, node = np.repeat(np.arange(20), 2), np.tile([0, 1], 20)
    value = level + np.where(node, difference[level], 0.0)
    found = fit_offsets(level, node, value, np.full(len(value), 0.01), n_nodes=2)
    assert found.offset[1] == pytest.approx(0.7, abs=0.01)
    assert found.error[1] == pytest.approx(np.std(difference[2:], ddof=1) / np.sqrt(18), rel=0.02)


@pytest.mark.parametrize("n_links", [1, 2])
def test_the_error_of_a_node_with_few_measurements_does_not_depend_on_chance(n_links):
    """In a few of a hundred draws none of its levels has a residual that Huber's weights leave as it is."""
    n_levels, n_copies = 60, 200
    one = np.array([(level, node) for level in range(n_levels) for node in range(3) if node < 2 or level < n_links])
    level, node = (one + np.arange(n_copies)[:, None, None] * (n_levels, 3)).reshape(-1, 2).T
    value = 15 + 0.1 * (node % 3) + np.random.default_rng(0).normal(0, 0.02, len(node))
    fit = fit_offsets(level, node, value, np.full(len(node), 0.02), n_nodes=3 * n_copies)
    expected = 0.02 * np.sqrt(1.5 / n_links)
    assert (np.abs(fit.error[2::3] / expected - 1) < 0.4).all()


def test_a_node_with_few_measurements_does_not_follow_its_outliers():
    """Four of ten are 1 to 4 off, beside nodes with 60: in a fit with equal weights, the good six are outliers too."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        pairs = [(level, node) for level in range(60) for node in (0, 1)] + [(level, 2) for level in range(10)]
        level, node, value, error = measure([0.0, 0.3, -0.2], pairs, seed=seed)
        value[-4:] += rng.uniform(1, 4, 4)
        fit = fit_offsets(level, node, value, error, n_nodes=3, importance=np.array([9.0, 5, 1]))
        assert fit.offset[2] == pytest.approx(-0.2, abs=4 * fit.error[2])
        assert fit.error[2] < 0.05


def test_more_rounds_do_not_move_the_offsets(monkeypatch):
    measured = add_outliers(measure_pairs(60, n_levels=30), 0.2, one_sided=True)
    found = fit_offsets(*measured, n_nodes=120)
    monkeypatch.setattr(relative_offsets, "_MAX_ROUNDS", 500)
    monkeypatch.setattr(relative_offsets, "_TOLERANCE", 1e-5)
    exact = fit_offsets(*measured, n_nodes=120)
    assert (np.abs(found.offset - exact.offset) <= 0.1 * exact.error).all()


@pytest.mark.parametrize("n_outliers", [1, 2, 6])
def test_outliers_with_the_least_errors_do_not_move_the_offsets(n_outliers):
    """As flares that one node alone saw, which are bright."""
    pairs = [(level, node) for level in range(60) for node in (0, 1)]
    for seed in range(10):
        level, node, value, error = measure([0.0, 0.3], pairs, sigma=0.01, seed=seed)
        flaring = (level < n_outliers) & (node == 0)
        value[flaring], error[level < n_outliers] = value[flaring] - 3.7, 0.01 / 30
        fit = fit_offsets(level, node, value, error, n_nodes=2, importance=np.array([9.0, 1]))
        assert fit.offset[1] == pytest.approx(0.3, abs=0.04)
        assert fit.offset[1] == pytest.approx(0.3, abs=4 * fit.error[1])
        assert fit.error[1] == pytest.approx(0.01 * np.sqrt(2 / (60 - n_outliers)), rel=0.4)


def test_nodes_that_are_not_linked_have_no_offset():
    """Nodes 0 and 2 share levels, 1 and 4 too, node 3 is alone, node 5 measured nothing."""
    pairs = [(level, node) for level in range(5) for node in (0, 2)]
    pairs += [(level, node) for level in range(5, 9) for node in (1, 4)] + [(9, 3)]
    level, node, value, error = measure([0.0, 0.0, 0.5, 0.0, -0.5, 0.0], pairs)
    order = np.random.default_rng(1).permutation(len(level))
    fit = fit_offsets(level[order], node[order], value[order], error[order], n_nodes=6)
    assert fit.component.tolist() == [0, 1, 0, 3, 1, 5]
    np.testing.assert_allclose(fit.offset, [0, 0, 0.5, np.nan, -0.5, np.nan], atol=0.05)
    np.testing.assert_array_equal(fit.error[[0, 1, 3, 5]], [0, 0, np.nan, np.nan])
    assert fit.n_links.tolist() == [5, 4, 5, 0, 4, 0]


def test_a_long_chain_is_one_set():
    pairs = [(level, node) for level in range(99) for node in (level, level + 1)]
    measured = measure(np.arange(100) * 0.01, pairs, sigma=1e-6)
    fit = fit_offsets(*measured, n_nodes=100, importance=-np.arange(100.0) + 100)
    assert (fit.component == 0).all()
    np.testing.assert_allclose(fit.offset, np.arange(100) * 0.01, atol=1e-4)


@pytest.mark.parametrize("n_levels", [2, 4, 10])
def test_the_error_of_two_nodes_is_the_standard_error_of_their_mean_difference(n_levels):
    """With scatter far beyond the errors, and none of the levels an outlier of the others."""
    difference = 0.7 + 0.3 * np.resize([1.0, -1.0], n_levels)
    level, node = np.repeat(np.arange(n_levels), 2), np.tile([0, 1], n_levels)
    value = level + np.where(node, difference[level], 0.0)
    found = fit_offsets(level, node, value, np.full(len(value), 0.01), n_nodes=2)
    np.testing.assert_allclose(found.offset, [0.0, 0.7], rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.error, [0.0, np.std(difference, ddof=1) / np.sqrt(n_levels)], rtol=1e-9)


def test_scatter_beyond_the_errors_widens_them():
    level, node, value, error = measure([0.0, 0.3], [(level, node) for level in range(200) for node in (0, 1)])
    honest, vain = (fit_offsets(level, node, value, size, n_nodes=2).error[1] for size in (error, error / 5))
    assert vain == pytest.approx(honest, rel=0.15)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, -1.0])
def test_measurements_without_an_error_are_left_out(bad):
    level, node, value, error = measure([0.0, 0.3], [(0, 0), (0, 1), (1, 0), (1, 1)])
    value[3], error[3] = 99.0, bad
    fit = fit_offsets(level, node, value, error, n_nodes=2)
    assert fit.offset[1] == pytest.approx(0.3, abs=0.1)
    assert fit.n_links.tolist() == [1, 1]


@pytest.mark.parametrize("least", [1e-9, 1e-20])
def test_errors_of_nearly_zero_do_not_end_the_fit(least):
    """Two nodes that agree to many digits, and the reference with a usual error: the matrix was singular."""
    level, node = np.repeat(np.arange(6), 3), np.tile([0, 1, 2], 6)
    value, error = np.array([0.0, 0.3, 0.1])[node], np.array([0.1, least, least])[node]
    fit = fit_offsets(level, node, value, error, n_nodes=3, importance=np.array([9.0, 1, 1]))
    np.testing.assert_allclose(fit.offset, [0.0, 0.3, 0.1], atol=1e-3)
    np.testing.assert_allclose(fit.error[1:], 0.1 / np.sqrt(6), rtol=1e-2)


def test_no_measurements():
    none = np.zeros(0, np.int64)
    fit = fit_offsets(none, none, np.zeros(0), np.zeros(0), n_nodes=3)
    assert np.isnan(fit.offset).all()
    assert fit.component.tolist() == [0, 1, 2]
    assert fit_offsets(none, none, np.zeros(0), np.zeros(0), n_nodes=0).offset.shape == (0,)
