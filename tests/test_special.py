"""Special functions against scipy."""

import numpy as np
import pytest
import scipy.stats

from vo_lib.special import correlation_tail


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
