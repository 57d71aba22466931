"""Special functions against scipy."""

import numpy as np
import pytest
import scipy.stats

from vo_lib.special import beta_quantile, correlation_tail, gamma_quantile


@pytest.mark.parametrize("number", [3, 4, 5, 10, 31, 300, 10_000, 1_000_000])
def test_tails_of_correlations_agree_with_scipy(number):
    rng = np.random.default_rng(number)
    r = np.concatenate([rng.uniform(-0.999, 0.999, 200), rng.normal(0, 2 / np.sqrt(number), 500).clip(-0.999, 0.999)])
    beta = scipy.stats.beta(number / 2 - 1, number / 2 - 1, loc=-1, scale=2)
    expected = 2 * beta.sf(np.abs(r))
    seen = expected > 1e-290
    assert seen.sum() > 400
    np.testing.assert_allclose(correlation_tail(r, np.full(len(r), float(number)))[seen], expected[seen], rtol=1e-9)


def test_three_points_have_a_closed_form():
    r = np.linspace(-1, 1, 21)
    np.testing.assert_allclose(correlation_tail(r, np.full(21, 3.0)), 1 - 2 / np.pi * np.arcsin(np.abs(r)), atol=1e-12)


def test_limits_and_unknown_correlations():
    got = correlation_tail(np.array([0.0, 1.0, -1.0, np.nan, 0.5]), np.array([9.0, 9.0, 4.0, 9.0, 2.0]))
    np.testing.assert_array_equal(got, [1, 0, 0, np.nan, np.nan])
    assert correlation_tail(np.zeros(0), np.zeros(0)).shape == (0,)


PARTS = np.array([0.001, 0.025, 0.1587, 0.5, 0.8413, 0.95, 0.9999])


@pytest.mark.parametrize("a", [0.3, 1, 2.5, 30, 1000, 10_000])
def test_quantiles_of_the_gamma_distribution_agree_with_scipy(a):
    np.testing.assert_allclose(gamma_quantile(PARTS, a), scipy.stats.gamma.ppf(PARTS, a), rtol=1e-9)
    np.testing.assert_allclose(2 * gamma_quantile(PARTS, a), scipy.stats.chi2.ppf(PARTS, 2 * a), rtol=1e-9)


@pytest.mark.parametrize("a", [0.5, 1, 12, 1000, 10_000])
@pytest.mark.parametrize("b", [0.5, 1, 4, 1000])
def test_quantiles_of_the_beta_distribution_agree_with_scipy(a, b):
    np.testing.assert_allclose(beta_quantile(PARTS, a, b), scipy.stats.beta.ppf(PARTS, a, b), rtol=1e-8)


def test_quantiles_at_the_limits_and_without_a_distribution():
    np.testing.assert_array_equal(gamma_quantile([0, 1, 0.5, np.nan], [2, 2, 0, 2]), [0, np.inf, np.nan, np.nan])
    np.testing.assert_array_equal(beta_quantile([0, 1, 0.5, np.nan], [2, 2, 0, 2], 3), [0, 1, np.nan, np.nan])
    assert gamma_quantile([], 1).shape == beta_quantile([], 1, 1).shape == (0,)


def test_a_quantile_far_from_where_its_search_begins_makes_no_warning():
    a, b = 28.815709999021266, 771.7778368412378
    np.testing.assert_allclose(beta_quantile(0.95, a, b), scipy.stats.beta(a, b).ppf(0.95), rtol=1e-8)
