"""Templates fitted to epochs against least squares with a constant."""

import numpy as np
import pytest

from vo_lib.batch import LightcurveBatch
from vo_lib.profiles import PROFILES
from vo_lib.search.candidates import complete
from vo_lib.search.matched_filter import METHOD
from vo_lib.search.template_choice import confirm
from vo_lib.search.template_fits import Fit, baseline_of
from vo_lib.tables import concatenate_tables

# Lightcurve of the event and its first and last epoch in it, peak [d], width [d] and amplitude [uJy].
COUNTS, FIRST, LAST, PEAK, WIDTH, AMPLITUDE = (50, 90, 40), 30, 45, 18.3, 4.0, 160.0
SPAN = slice(COUNTS[0], COUNTS[0] + COUNTS[1])


def _epochs(kind, *, seed=1, amplitude=AMPLITUDE, shift=0.0):
    """Epochs of three lightcurves with an event in the second, not searched and far ones, and those that are calm."""
    random, number = np.random.default_rng(seed), sum(COUNTS)
    mjd = np.concatenate([np.sort(random.uniform(0, count / 2, count)) for count in COUNTS])
    noise = random.uniform(8.0, 20.0, number)
    snr = random.normal(size=number)
    event = amplitude * PROFILES[kind].shape((mjd[SPAN] - PEAK - shift * WIDTH) / WIDTH) + 3.0
    snr[SPAN] += PROFILES[kind].sign * event / noise[SPAN]
    snr[SPAN.start + np.array([5, 80])] = 50.0, -30.0
    searched, calm = np.ones(number, bool), np.ones(number, bool)
    searched[SPAN.start + np.array([12, 37])] = False
    calm[SPAN.start + np.arange(60, 66)] = False
    columns = {"mjd": mjd, "searched": searched, "snr": snr, "noise": noise}
    return LightcurveBatch(columns, np.append(0, np.cumsum(COUNTS)), {}), calm


def _candidate(kind, **columns):
    """The event as a candidate."""
    table = {"lightcurve": 1, "first": SPAN.start + FIRST, "last": SPAN.start + LAST, "peak": SPAN.start + 36}
    table |= {"sign": PROFILES[kind].sign, "score": 20.0, "threshold": 5.0, "n_epochs": 15, "template": kind}
    table |= {"width": WIDTH, "peak_time": PEAK, "amplitude": PROFILES[kind].sign * AMPLITUDE} | columns
    return complete({name: [value] for name, value in table.items()}, METHOD)


def _weighted(epochs, calm, beyond=0):
    """Flux and weight of the epochs of the second lightcurve that a fit uses, and where it has a template."""
    mjd, searched, snr, noise = (epochs.columns[name] for name in ("mjd", "searched", "snr", "noise"))
    place = np.arange(COUNTS[1])
    inside = (place >= FIRST) & (place <= LAST)
    used = (searched & calm)[SPAN] & ((np.abs(snr[SPAN]) < 4) | inside)
    seen = (place >= FIRST - beyond) & (place <= LAST + beyond)
    return mjd[SPAN], (snr * noise)[SPAN], used / noise[SPAN] ** 2, seen


def _solve(columns, flux, weight, known=()):
    """Parameters of least squares and their covariance, with what is known of them: (place, error)."""
    design = np.array(columns).T
    normal = design.T @ (design * weight[:, None])
    for place, error in known:
        normal[place, place] += 1 / error**2
    return np.linalg.solve(normal, design.T @ (weight * flux)), np.linalg.inv(normal)


@pytest.mark.parametrize("kind", ["gaussian", "dip", "flare"])
@pytest.mark.parametrize("beyond", [0, 8, 1000])
def test_amplitudes_are_those_of_least_squares_with_a_constant(kind, beyond):
    epochs, calm = _epochs(kind)
    mjd, flux, weight, seen = _weighted(epochs, calm, beyond)
    profile = np.where(seen, PROFILES[kind].shape((mjd - PEAK) / WIDTH), 0.0)
    (amplitude, _), covariance = _solve([profile, np.ones(len(mjd))], flux, weight)
    candidate = _candidate(kind)
    found = Fit(epochs, candidate, calm, beyond=beyond).amplitudes(candidate)
    assert found["amplitude"][0] == pytest.approx(amplitude)
    assert found["amplitude_err"][0] == pytest.approx(np.sqrt(covariance[0, 0]))
    assert found["score"][0] == pytest.approx(PROFILES[kind].sign * amplitude / np.sqrt(covariance[0, 0]))


@pytest.mark.parametrize("kind", ["gaussian", "dip", "flare"])
@pytest.mark.parametrize(("seed", "shift"), [(1, 0.0), (2, 0.2)])
def test_steps_are_those_of_least_squares_by_the_slopes(kind, seed, shift):
    epochs, calm = _epochs(kind, seed=seed, shift=shift)
    mjd, flux, weight, seen = _weighted(epochs, calm, 8)

    def profile(time=0.0, width=1.0):
        return np.where(seen, PROFILES[kind].shape(((mjd - PEAK) / WIDTH - time) / width), 0.0)

    slopes = [(profile(**{name: step}) - profile()) / 0.02 for name, step in (("time", 0.02), ("width", 1.02))]
    known = [(place, 0.3 * AMPLITUDE) for place in (1, 2)]
    found, covariance = _solve([profile(), *slopes, np.ones(len(mjd))], flux, weight, known)
    candidate = _candidate(kind)
    steps = np.concatenate(Fit(epochs, candidate, calm, beyond=8).steps(candidate))
    expected = [*np.clip(found[1:3] / found[0], -0.3, 0.3), np.sqrt(covariance[0, 0])]
    np.testing.assert_allclose(steps, expected, rtol=1e-6)


@pytest.mark.parametrize(("kind", "amplitude"), [("gaussian", 1e4), ("box", 300.0), ("box", 1e4)])
def test_a_misfit_is_what_residuals_of_least_squares_are_beyond_noise(kind, amplitude):
    epochs, calm = _epochs(kind, amplitude=amplitude)
    mjd, flux, weight, seen = _weighted(epochs, calm)
    phase, shape = (mjd - PEAK) / WIDTH, PROFILES["gaussian"].shape
    design = [np.where(seen, shape(phase), 0.0), np.ones(len(mjd))]
    rest = flux - _solve(design, flux, weight)[0] @ design
    core = np.where(seen, shape(phase / 0.25), 0.0)
    (at_peak,), ((variance,),) = _solve([core], rest, weight)
    # Where the template is above its cut, and three parameters are fitted.
    near = seen & (shape(phase) >= 0.15) & (weight > 0)
    freedom = np.sum(near) - 3
    beyond = np.sum((weight * rest**2)[near]) - freedom - np.sqrt(2 * freedom)
    expected = 4 * max(beyond, 0) / np.sum(weight[near]) + max(at_peak**2 - variance, 0)
    candidate = _candidate("gaussian")
    fit = Fit(epochs, candidate, calm)
    found = fit.misfit(candidate | fit.amplitudes(candidate))[0]
    assert found == pytest.approx(np.sqrt(expected))
    # Only another shape has one of a part of its height.
    assert (found > 0.1 * amplitude) == (kind == "box")


def test_a_template_of_the_other_sign_or_of_no_epochs_has_no_score_and_no_steps():
    epochs, calm = _epochs("gaussian")
    candidate = _candidate("gaussian", sign=-1)
    assert Fit(epochs, candidate, calm).amplitudes(candidate)["score"][0] < -5
    nothing, candidate = np.zeros(len(calm), bool), candidate | {"amplitude_err": np.array([7.0])}
    fit = Fit(epochs, candidate, nothing)
    assert fit.amplitudes(candidate)["score"][0] == -np.inf
    assert np.concatenate(fit.steps(candidate)).tolist() == [0.0, 0.0, 7.0]


def test_candidates_of_lightcurves_in_any_order_are_fitted_each_by_itself():
    epochs, calm = _epochs("gaussian")
    # A baseline of its own.
    epochs.columns["snr"][: COUNTS[0]] += 2.0
    other = _candidate("flare", lightcurve=0, first=10, last=20, peak_time=epochs.columns["mjd"][13])
    alone = [Fit(epochs, each, calm).amplitudes(each) for each in (_candidate("gaussian"), other)]
    both = concatenate_tables([_candidate("gaussian"), other])
    found = Fit(epochs, both, calm).amplitudes(both)
    for name, values in found.items():
        np.testing.assert_allclose(values, np.concatenate([each[name] for each in alone]))


def test_three_epochs_have_no_misfit():
    epochs, calm = _epochs("box", amplitude=1e4)
    candidate = _candidate("gaussian", first=SPAN.start + 34, last=SPAN.start + 36)
    fit = Fit(epochs, candidate, calm)
    assert fit.misfit(candidate | fit.amplitudes(candidate)).tolist() == [0.0]


@pytest.mark.parametrize("kind", ["gaussian", "dip", "flare"])
def test_the_template_that_is_confirmed_is_fitted_to_half_as_many_quiet_epochs_on_both_sides(kind):
    epochs, _ = _epochs(kind)
    found = confirm(epochs, _candidate(kind, width=3.0))
    mjd, flux, weight, seen = _weighted(epochs, np.ones(epochs.n_epochs, bool), 8)
    profile = np.where(seen, PROFILES[kind].shape((mjd - found["peak_time"]) / found["width"]), 0.0)
    (amplitude, _), _ = _solve([profile, np.ones(len(mjd))], flux, weight)
    assert found["amplitude"][0] == pytest.approx(amplitude)
    assert found["width"][0] != 3.0


@pytest.mark.parametrize("seed", range(4))
def test_only_a_candidate_of_the_sign_that_its_epochs_have_is_confirmed(seed):
    epochs, calm = _epochs("gaussian", amplitude=0.0, seed=seed)
    found = Fit(epochs, _candidate("gaussian"), calm).amplitudes(_candidate("gaussian"))["score"][0]
    assert np.abs(found) > 0.01
    kept = [len(confirm(epochs, _candidate(kind))["score"]) for kind in ("gaussian", "dip")]
    assert kept == [found > 0, found < 0]


def test_a_weaker_candidate_is_fitted_without_the_stronger_one_and_has_the_lesser_score():
    epochs, _ = _epochs("gaussian")
    mjd, (first, peak, last) = epochs.columns["mjd"], SPAN.start + np.array([66, 72, 78])
    rows = slice(first, last + 1)
    epochs.columns["snr"][rows] += (
        100 * PROFILES["gaussian"].shape((mjd[rows] - mjd[peak]) / 2) / epochs.columns["noise"][rows]
    )
    weaker = {"first": first, "last": last, "peak": peak, "peak_time": mjd[peak], "width": 2.0}
    # Without the stronger event in the baseline.
    calm = np.ones(len(mjd), bool)
    calm[SPAN.start + FIRST : SPAN.start + LAST + 1] = False
    alone = _candidate("gaussian", **weaker)
    score = Fit(epochs, alone, calm).amplitudes(alone)["score"][0]
    assert 8 < score < 40
    for factor, threshold, expected in ((0.8, 5.0, [0.8]), (1.2, 5.0, [1.0]), (1.2, 1.1 * score, [])):
        other = _candidate("gaussian", **weaker, score=factor * score, threshold=threshold)
        found = confirm(epochs, concatenate_tables([_candidate("gaussian", score=1e3), other]))
        np.testing.assert_allclose(found["score"], [1e3, *(score * np.array(expected))])
        for row in range(1, len(expected) + 1):
            refined = {name: values[[row]] for name, values in found.items()}
            again = Fit(epochs, refined, calm, beyond=6).amplitudes(refined)
            assert refined["amplitude"] == pytest.approx(again["amplitude"])


@pytest.mark.parametrize(
    ("changed", "described"),
    [
        ({}, True),
        # More than 5 errors above three times the amplitude, also where the template has ended.
        ({0.5: 3 * 400.0 + 49.0}, True),
        ({0.5: 3 * 400.0 + 51.0}, False),
        ({-1.0: 3 * 400.0 + 51.0}, False),
        # More than 5 errors below half of the template half a cell farther from the peak, where it has 0.7 of it left.
        ({0.1: 0.5 * 400.0 * 2 ** (-4 * 0.225**2) - 49.0}, True),
        ({0.1: 0.5 * 400.0 * 2 ** (-4 * 0.225**2) - 51.0}, False),
        ({0.2: 0.0}, False),
        ({-0.3: 0.0, 0.3: 0.0}, True),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_an_epoch_far_above_a_template_or_far_below_its_peak_is_not_described(changed, described, sign):
    # The baseline of so many epochs is that of those without flux.
    phase = np.arange(-1000, 1001) / 10
    flux = np.where(np.abs(phase) <= 1, 400.0 * PROFILES["gaussian"].shape(phase), 0.0)
    for place, value in changed.items():
        flux[np.isclose(phase, place)] = value
    every = np.ones(2001, bool)
    epochs = {"mjd": phase, "searched": every, "snr": sign * flux / 10, "noise": np.full(2001, 10.0)}
    columns = {"lightcurve": 0, "first": 990, "last": 1010, "width": 1.0, "peak_time": 0.0, "amplitude": sign * 400.0}
    candidate = _candidate("gaussian" if sign > 0 else "dip", **columns)
    fit = Fit(LightcurveBatch(epochs, np.array([0, 2001]), {}), candidate, every)
    assert fit.describes(candidate).tolist() == [described]


def test_a_template_that_the_baseline_takes_away_has_no_score():
    for noise, usable in ((1e3, True), (1e4, False)):
        mjd, errors = np.arange(10.0), np.append(np.full(9, 100.0), noise)
        columns = {"mjd": mjd, "searched": np.ones(10, bool), "snr": np.ones(10), "noise": errors}
        epochs = LightcurveBatch(columns, np.array([0, 10]), {})
        candidate = _candidate("box", lightcurve=0, first=0, last=9, peak_time=4.0, width=9.0)
        found = Fit(epochs, candidate, np.ones(10, bool)).amplitudes(candidate)
        assert np.isfinite(found["score"]).tolist() == [usable]


def test_a_baseline_is_the_weighted_mean_of_the_quiet_epochs():
    excess, weight = np.array([1.0, 5.0, 100.0, 7.0, 3.0]), np.array([1.0, 3.0, 9.0, 2.0, 2.0])
    quiet = np.array([True, True, False, False, True])
    found = baseline_of(excess, weight, quiet, np.array([0, 3, 4, 4, 5]))
    np.testing.assert_allclose(found, [4.0, 0.0, 0.0, 3.0])
