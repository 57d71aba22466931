"""The matched filter against brute force, closed forms and noise."""

import math

import numpy as np
import pytest
from make_batch import make_batch

from vo_lib.batch import LightcurveBatch
from vo_lib.finder import Finder
from vo_lib.profiles import PROFILES
from vo_lib.search.matched_filter import Bank, search_templates
from vo_lib.search.template_bank import STEPS, make_kernels, make_widths
from vo_lib.search.template_fits import SINGLE
from vo_lib.segments import spread

SHAPES = ("flare", "gaussian", "dip")


def _noise(counts, seed=0, *, error=10.0, cadence=1.0):
    """Lightcurves of noise about zero at irregular times, with pauses and errors of two sizes."""
    batch = make_batch(counts, flux=1000.0, fluxerr=error, cadence=cadence, seed=seed)
    random = np.random.default_rng(seed + 1)
    mjd = batch.columns["mjd"] + random.uniform(0, 0.9 * cadence, batch.n_epochs)
    mjd += 20 * cadence * np.floor((np.arange(batch.n_epochs) - spread(batch.starts[:-1], batch.starts)) / 37)
    noise = error * np.where(np.arange(batch.n_epochs) % 3, 1.0, 2.0)
    return batch.with_columns(mjd=mjd), random.normal(0.0, 1.0, batch.n_epochs), noise


def _search(batch, snr, noise, searched=None, **options):
    searched = np.ones(batch.n_epochs, bool) if searched is None else searched
    return search_templates(batch, searched, snr, noise, **options)


def _with_event(kind, *, snr_sum=12.0, width=3.0, counts=(150,), seed=0, lightcurve=0):
    """Noise with an event that the best template sees with a given S/N; and its amplitude and peak time."""
    batch, snr, noise = _noise(counts, seed)
    span = slice(*batch.starts[lightcurve : lightcurve + 2])
    peak = batch.columns["mjd"][span][40] + 0.1
    shape = PROFILES[kind].sign * PROFILES[kind].shape((batch.columns["mjd"][span] - peak) / width) / noise[span]
    snr[span] += snr_sum * shape / np.sqrt(np.sum(shape**2))
    return batch, snr, noise, snr_sum / np.sqrt(np.sum(shape**2)), peak


def _brute_force(mjd, flux, noise, *, shapes, widths):
    """Greatest amplitude over error, of each sign, of a template at any epoch fitted with a constant."""
    best, weight = {1: 0.0, -1: 0.0}, 1 / noise**2
    for name in shapes:
        for width in widths:
            for peak in mjd:
                shape = PROFILES[name].shape((mjd - peak) / width)
                design = np.array([shape, np.ones(len(mjd))])
                covariance = np.linalg.inv((design * weight) @ design.T)
                score = (covariance @ ((design * weight) @ flux))[0] / math.sqrt(covariance[0, 0])
                if PROFILES[name].sign * score > 0:
                    best[PROFILES[name].sign] = max(best[PROFILES[name].sign], abs(score))
    return best


@pytest.mark.parametrize("kind", ["flare", "gaussian", "dip"])
def test_scores_are_those_of_brute_force(kind):
    batch, snr, noise, *_ = _with_event(kind, counts=(80,), snr_sum=9.0, seed=3)
    found = _search(batch, snr, noise, width_min_days=0.5, width_max_days=10, overlap=0.95)
    best = int(found["score"].argmax())
    widths = make_widths(0.5, 10, 0.95)
    level = snr * noise - np.average(snr * noise, weights=(np.abs(snr) < 4) / noise**2)
    expected = _brute_force(batch.columns["mjd"], level, noise, shapes=[kind], widths=widths)
    assert found["sign"][best] == PROFILES[kind].sign
    assert found["score"][best] == pytest.approx(expected[PROFILES[kind].sign], rel=0.06)


@pytest.mark.parametrize("kind", ["flare", "gaussian", "dip", "box", "eclipse", "microlens"])
def test_events_come_back_with_their_time_width_and_amplitude(kind):
    times, widths, pulls = [], [], []
    for seed in range(12):
        batch, snr, noise, amplitude, peak = _with_event(kind, seed=seed)
        found = _search(batch, snr, noise, shapes=(kind,))
        assert len(found["score"]) >= 1
        best = int(found["score"].argmax())
        assert (found["template"][best], found["sign"][best]) == (kind, PROFILES[kind].sign)
        times.append((found["peak_time"][best] - peak) / 3.0)
        widths.append(found["width"][best] / 3.0)
        pulls.append((found["amplitude"][best] - PROFILES[kind].sign * amplitude) / found["amplitude_err"][best])
    assert np.abs(np.median(times)) < 0.3
    assert 0.5 < np.median(widths) < 2
    assert np.abs(np.median(pulls)) < 1.5


def test_most_events_above_the_threshold_are_found_and_few_below():
    number, found = 400, {}
    for strength in (3.0, 8.0):
        batch, snr, noise = _noise([60] * number, seed=8)
        peak = batch.columns["mjd"].reshape(number, 60)[:, 30]
        shape = PROFILES["gaussian"].shape((batch.columns["mjd"] - spread(peak, batch.starts)) / 4.0) / noise
        scale = strength / np.sqrt(np.add.reduceat(shape**2, batch.starts[:-1]))
        found[strength] = len(np.unique(_search(batch, snr + shape * spread(scale, batch.starts), noise)["lightcurve"]))
    # Gaussian errors about the true S/N, less what a baseline and the steps of the bank take away.
    assert found[8.0] > 0.97 * number
    assert found[3.0] < 0.1 * number


def test_a_constant_changes_nothing():
    batch, snr, noise, *_ = _with_event("flare", seed=2)
    first, second = (_search(batch, snr + level / noise, noise) for level in (0.0, 1.5))
    np.testing.assert_allclose(first["score"], second["score"], rtol=0.01)
    np.testing.assert_array_equal(first["first"], second["first"])


def test_a_single_bright_epoch_is_one_detection_of_a_single_epoch():
    batch, snr, noise = _noise([50], seed=4)
    snr[20] = 100.0
    found = _search(batch, snr, noise)
    assert found["peak"].tolist() == [20]
    assert found["template"].tolist() == [SINGLE]
    assert (found["first"][0], found["last"][0], found["n_epochs"][0]) == (20, 20, 1)
    assert found["amplitude"][0] == pytest.approx(100 * noise[20], rel=0.02)


@pytest.mark.parametrize("apart", [2, 3, 4])
@pytest.mark.parametrize("shapes", [("gaussian", "dip"), ("flare",)])
def test_two_bright_epochs_are_not_one_event_that_peaks_between_them(apart, shapes):
    batch = make_batch([300], cadence=3.0, seed=8)
    snr, noise = np.random.default_rng(9).normal(size=300), np.full(300, 10.0)
    snr[[150, 150 + apart]] = 130.0
    noise[151 : 150 + apart] *= 3.0
    found = _search(batch, snr, noise, shapes=shapes)
    assert set(found["peak"].tolist()) <= {150, 150 + apart}
    if shapes != ("flare",):  # which may be the first epoch and the tail the second
        assert found["n_epochs"].tolist() == [1, 1]
        np.testing.assert_allclose(found["amplitude"], 1300.0, rtol=0.02)


def test_epochs_closer_than_the_narrowest_template_are_one_event_of_all_of_them():
    batch, snr, noise = _noise([60], seed=4)
    mjd = batch.columns["mjd"].copy()
    # Six in a minute, 100 days from all others.
    mjd[30:] += 200.0
    mjd[24:30] = mjd[23] + 100.0 + np.arange(6) / 7000
    snr[24:30] = [3.0, 3.5, 2.5, 3.0, 3.0, 3.5]
    found = _search(batch.with_columns(mjd=mjd), snr, noise)
    assert (found["first"].tolist(), found["last"].tolist(), found["n_epochs"].tolist()) == ([24], [29], [6])


def test_a_stray_epoch_does_not_break_an_event_of_many_into_pieces():
    batch = make_batch([2000], cadence=0.01, seed=8)
    snr, noise = np.random.default_rng(9).normal(size=2000), np.full(2000, 10.0)
    mjd = batch.columns["mjd"]
    snr += 20 * PROFILES["gaussian"].shape((mjd - mjd[1000]) / 1.5)
    whole = _search(batch, snr, noise)
    snr[1010] = 0.0
    found = _search(batch, snr, noise)
    assert len(found["score"]) == len(whole["score"]) == 1
    np.testing.assert_allclose(found["width"], whole["width"], rtol=0.05)
    np.testing.assert_allclose(found["peak_time"], whole["peak_time"], atol=0.05)


def test_two_events_and_one_of_the_other_sign_are_three_detections():
    batch, snr, noise = _noise([200], seed=6)
    mjd = batch.columns["mjd"]
    for place, sign, width in ((30, 1, 3.0), (100, -1, 2.0), (160, 1, 4.0)):
        snr += sign * 8 * PROFILES["gaussian"].shape((mjd - mjd[place]) / width) * 10 / noise
    found = _search(batch, snr, noise)
    assert found["sign"].tolist() == [1, -1, 1]
    assert np.abs(found["peak"] - [30, 100, 160]).max() <= 2
    assert (found["last"][:-1] < found["first"][1:]).all()


def test_bad_epochs_are_passed_over_and_lightcurves_judged_by_themselves():
    batch, snr, noise, *_ = _with_event("gaussian", counts=(150, 90), seed=1)
    alone = batch.select([0])
    first = _search(alone, snr[:150], noise[:150])
    both = _search(batch, snr, noise)
    for name, values in first.items():
        of_first = both[name][: len(values)]
        if values.dtype == float:
            # Sums of single precision may be rounded by their place in a product.
            np.testing.assert_allclose(of_first, values, rtol=1e-5)
        else:
            np.testing.assert_array_equal(of_first, values)
    searched = np.ones(batch.n_epochs, bool)
    searched[first["first"][0] : first["last"][0] + 1] = False
    assert not np.isin(0, _search(batch, snr, noise, searched)["lightcurve"])


@pytest.mark.parametrize("counts", [[], [0], [1], [2], [3, 0, 1]])
def test_nearly_nothing_has_no_detections_and_no_warnings(counts):
    batch = make_batch(counts) if counts else LightcurveBatch.empty()
    found = _search(batch, np.zeros(batch.n_epochs), np.full(batch.n_epochs, 1.0))
    assert len(found["score"]) == 0
    assert len(_search(batch, np.full(batch.n_epochs, np.nan), np.zeros(batch.n_epochs))["score"]) == 0


def test_hopeless_errors_change_nothing():
    batch, snr, noise, *_ = _with_event("gaussian", seed=3)
    bad = np.arange(batch.n_epochs) == 100
    noise[bad] = 1e60
    left_out, kept = _search(batch, snr, noise, ~bad), _search(batch, snr, noise)
    np.testing.assert_allclose(kept["score"], left_out["score"], rtol=1e-4)
    noise[bad] = 0.0
    np.testing.assert_equal(_search(batch, snr, noise), left_out)


@pytest.mark.parametrize(("snr_there", "noise_there"), [(1e16, 10.0), (-1e299, 10.0), (0.0, 1e300), (0.0, 1e-300)])
def test_values_that_no_flux_has_are_not_searched(snr_there, noise_there):
    batch, snr, noise, *_ = _with_event("gaussian", seed=3)
    bad = np.arange(batch.n_epochs) == 100
    snr[bad], noise[bad] = snr_there, noise_there
    np.testing.assert_equal(_search(batch, snr, noise), _search(batch, snr, noise, ~bad))


def test_lightcurves_may_come_in_any_order_and_number(monkeypatch):
    batch, snr, noise = _noise([70, 0, 15, 200, 120] * 12, seed=9)
    whole = _search(batch, snr, noise, false_alarms=0.3)
    order = np.arange(batch.n_lightcurves)[::-1]
    rows, _ = batch.epochs_of(order)
    turned = _search(batch.select(order), snr[rows], noise[rows], false_alarms=0.3)
    monkeypatch.setattr("vo_lib.search.template_cells._BLOCK", 300)
    blocks = _search(batch, snr, noise, false_alarms=0.3)
    assert len(whole["score"]) > 5
    for name in ("lightcurve", "first", "last", "template", "sign"):
        np.testing.assert_array_equal(blocks[name], whole[name])
    np.testing.assert_allclose(blocks["threshold"], whole["threshold"], rtol=1e-5)
    assert sorted(zip(order[turned["lightcurve"]], rows[turned["peak"]], strict=True)) == sorted(
        zip(whole["lightcurve"], whole["peak"], strict=True)
    )


def test_epochs_at_one_time_are_no_trouble():
    batch, snr, noise = _noise([40], seed=2)
    mjd = np.repeat(batch.columns["mjd"][::2], 2)
    assert len(_search(batch.with_columns(mjd=mjd), snr, noise)["score"]) == 0


def test_nothing_is_changed_and_the_same_comes_again():
    batch, snr, noise, *_ = _with_event("flare")
    before = [snr.copy(), noise.copy()]
    first, again = _search(batch, snr, noise), _search(batch, snr, noise)
    np.testing.assert_equal(first, again)
    np.testing.assert_equal(before, [snr, noise])


def test_a_transit_is_one_detection_beside_the_peaks_of_it():
    random = np.random.default_rng(0)
    batch = make_batch([5000], cadence=2 / 1440, seed=1)
    mjd = batch.columns["mjd"]
    flux = 1000 - 30 * PROFILES["eclipse"].shape((mjd - mjd[2500]) / 0.2) + random.normal(0, 10, 5000)
    found = Finder().find(batch.with_columns(flux=flux, fluxerr=np.full(5000, 10.0)), np.zeros(5000, int))
    assert found.detections["sign"].tolist() == [-1]
    assert found.detections["method"].tolist() == ["matched_filter"]
    assert found.detections["peak_mjd"][0] == pytest.approx(mjd[2500], abs=0.02)


def test_trials_that_are_not_counted_change_nothing(monkeypatch):
    batch, snr, noise, *_ = _with_event("flare", counts=(150,) * 40, seed=7, lightcurve=3)
    few = _search(batch, snr, noise, false_alarms=0.2)
    assert 3 < len(np.unique(few["lightcurve"])) < 20
    # With a floor of 0 there are templates of all lightcurves, so that trials of all are counted.
    monkeypatch.setattr("vo_lib.search.matched_filter._Scan.floor", 0.0)
    every = _search(batch, snr, noise, false_alarms=0.2)
    for name, values in few.items():
        np.testing.assert_array_equal(every[name], values)


def test_widths_overlap_as_asked_for():
    widths = make_widths(0.01, 30, 0.9)
    ratio = widths[1:] / widths[:-1]
    assert (widths[0], widths[-1]) == pytest.approx((0.01, 30))
    assert (np.sqrt(2 * ratio / (1 + ratio**2)) >= 0.9 - 1e-9).all()
    assert (np.sqrt(2 * ratio**1.2 / (1 + ratio**2.4)) < 0.9).all()


def test_kernels_are_profiles_and_signs_share_them():
    flare, gaussian = make_kernels(SHAPES)
    assert (flare.kinds, gaussian.kinds) == ({1: "flare"}, {1: "gaussian", -1: "dip"})
    np.testing.assert_allclose(flare.after[:-1], PROFILES["flare"].shape(np.arange(len(flare.after) - 1) / STEPS))
    x = np.array([[-0.5, 0.0], [0.25, 0.75]])
    np.testing.assert_allclose(gaussian(x), PROFILES["gaussian"].shape(x))
    assert gaussian(np.array([3.0, -3.0])).tolist() == [0, 0]


def test_kernels_are_those_of_the_profiles_that_have_the_names_now(monkeypatch):
    for kind in ("gaussian", "eclipse", "gaussian"):
        monkeypatch.setitem(PROFILES, "mine", PROFILES[kind])
        (mine,), (expected,) = make_kernels(("mine",)), make_kernels((kind,))
        assert mine.kinds == {PROFILES[kind].sign: "mine"}
        np.testing.assert_array_equal(mine.after, expected.after)


@pytest.mark.parametrize("promise", [1e-100, 0.5, 0.9, 0.999999])
def test_thresholds_of_the_least_and_the_greatest_promise_are_scores(promise):
    bank = Bank(make_kernels(("gaussian",)), 0.9, promise)
    found = bank.thresholds(np.tile([2.0, 10.0, 1e5], (2, 1)))
    assert (found > 0).all()
    assert (np.diff(found) >= 0).all()
    assert (found < 37).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shapes": ("bump",)}, "shapes must be some of flare, gaussian, .* got bump"),
        ({"shapes": ()}, "shapes must be some of .* got none"),
        ({"width_min_days": 0}, "widths must be positive and in order, got 0 and 30"),
        ({"width_max_days": 0.001}, "widths must be positive and in order"),
        ({"overlap": 1}, "overlap must be above 0 and below 1, got 1"),
        ({"false_alarms": 0}, "false_alarms must be at least 1e-100 and below 1, got 0"),
        ({"false_alarms": 1e-300}, "false_alarms must be at least 1e-100 and below 1, got 1e-300"),
        ({"false_alarms": 1}, "false_alarms must be at least 1e-100 and below 1, got 1"),
    ],
)
def test_unusable_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Finder(matched_filter=options)
