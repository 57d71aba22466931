"""Efficiency of the search: counts, intervals, and the strength from which on events are found."""

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from vo_lib.counts.histogram_axes import make_histograms
from vo_lib.injection.efficiency import count_injections, efficiency_limits, project, wilson_interval

EDGES = np.geomspace(2, 32, 17)


def _curve(trials, *, rng=None, middle=6.0, scale=0.25):
    """Injected and recovered events of a survey that finds half of those of S/N 6."""
    truth = norm.cdf(np.log(np.sqrt(EDGES[1:] * EDGES[:-1]) / middle) / scale)
    injected = np.full(16, trials)
    recovered = np.rint(trials * truth).astype(int) if rng is None else rng.binomial(trials, truth)
    return injected, recovered


def test_every_injection_is_counted_once():
    rng = np.random.default_rng(1)
    number = 500
    injections = {
        "kind": rng.choice(["flare", "dip", "box"], number),
        "filter": rng.choice(["g", "r"], number),
        "expected_snr": rng.choice([-1, 1], number) * np.exp(rng.uniform(0, 4, number)),
        "width": np.exp(rng.uniform(-6, 6, number)),
        "recovered": rng.integers(0, 2, number),
    }
    mag = np.where(rng.random(number) < 0.1, np.nan, rng.uniform(12, 23, number))
    histograms = make_histograms(filters=("g",), kinds=("flare", "dip"))
    count_injections(histograms, injections, mag)
    injected, recovered = histograms["injected"], histograms["recovered"]
    assert injected.total() == number
    assert recovered.total() == injections["recovered"].sum()
    assert (recovered.counts <= injected.counts).all()
    of_kind = [np.count_nonzero(injections["kind"] == kind) for kind in ("flare", "dip", "box")]
    assert project(injected, "kind").tolist() == of_kind
    by_both = project(injected, "filter", "kind")
    assert by_both[0, 1] == np.count_nonzero((injections["kind"] == "dip") & (injections["filter"] == "g"))
    assert (project(injected, "kind", "filter") == by_both.T).all()
    snr = np.abs(injections["expected_snr"])
    inner = np.histogram(snr, injected.axes[0].edges)[0]
    assert project(injected, "expected_snr")[1:-2].tolist() == inner.tolist()
    with pytest.raises(ValueError, match="has no axis 'amplitude'; it has expected_snr, width"):
        project(injected, "amplitude")


@pytest.mark.parametrize(("successes", "trials"), [(0, 5), (5, 5), (3, 10), (70, 100), (0, 1)])
def test_the_interval_is_that_of_wilson(successes, trials):
    level = 2 * norm.cdf(1) - 1
    expected = binomtest(successes, trials).proportion_ci(level, "wilson")
    np.testing.assert_allclose(wilson_interval(successes, trials), (expected.low, expected.high), atol=1e-12)


def test_without_trials_nothing_is_known():
    assert wilson_interval(0, 0) == (0.0, 1.0)
    np.testing.assert_array_equal(wilson_interval(np.array([0, 0]), np.array([0, 0])), [[0, 0], [1, 1]])


def test_limits_are_those_of_the_curve():
    limits = efficiency_limits(EDGES, *_curve(100_000))
    truth = 6 * np.exp(0.25 * norm.ppf([0.5, 0.9]))
    np.testing.assert_allclose(limits[:, 0], truth, rtol=0.02)
    assert (limits[:, 1] < limits[:, 0]).all()
    assert (limits[:, 0] < limits[:, 2]).all()


@pytest.mark.parametrize("trials", [2, 8, 40])
def test_the_interval_of_a_limit_holds_the_truth_about_as_often_as_promised(trials):
    rng = np.random.default_rng(2)
    limits = np.array([efficiency_limits(EDGES, *_curve(trials, rng=rng))[0] for _ in range(300)])
    held = np.mean((limits[:, 1] <= 6) & (limits[:, 2] >= 6))
    assert 0.6 < held < 0.95
    assert np.nanmedian(limits[:, 0]) == pytest.approx(6, rel=0.05)


def test_limits_that_are_not_reached_are_not_known_and_those_of_all_are_0():
    injected, recovered = _curve(100)
    assert np.isnan(efficiency_limits(EDGES, injected, recovered // 3)).all()
    assert (efficiency_limits(EDGES, injected, injected) == 0).all()
    assert np.isnan(efficiency_limits(EDGES, 0 * injected, 0 * injected)).all()


def test_bins_without_injections_and_bins_that_fall_are_bridged():
    injected, recovered = _curve(1000)
    expected = efficiency_limits(EDGES, injected, recovered)[0, 0]
    injected[6], recovered[6] = 0, 0
    assert efficiency_limits(EDGES, injected, recovered)[0, 0] == pytest.approx(expected, rel=0.05)
    recovered[9] -= 100
    assert efficiency_limits(EDGES, injected, recovered)[0, 0] == pytest.approx(expected, rel=0.05)
