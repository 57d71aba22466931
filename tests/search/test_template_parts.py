"""Detections of the matched filter beside bright events, of shapes that its bank has and has not."""

import numpy as np
import pytest

from vo_lib.batch import LightcurveBatch
from vo_lib.profiles import PROFILES
from vo_lib.search.candidates import complete
from vo_lib.search.matched_filter import METHOD, search_templates
from vo_lib.search.template_fits import Fit
from vo_lib.search.template_parts import without_parts
from vo_lib.segments import spread, starts_from_counts

NUMBER = 60


def _sudden(x):
    """A sudden rise, and an exponential decay."""
    return np.where(x < 0, np.exp(np.minimum(x, 0) * 14), np.exp(-np.log(2) * x / 0.95))


def _trapezoid(x):
    """An eclipse with long ingress and egress."""
    return np.clip((0.85 - np.abs(x)) / 0.7, 0, 1)


# Events that the bank of flares, Gaussians and dips does not have.
OTHERS = {
    "sudden": (_sudden, 1),
    "microlens": (PROFILES["microlens"].shape, 1),
    "trapezoid": (_trapezoid, -1),
    "eclipse": (PROFILES["eclipse"].shape, -1),
    "box": (PROFILES["box"].shape, 1),
}
SAMPLINGS = {"nights": (200, 15.0), "minutes": (400, 0.05)}


def _noise(sampling, number=NUMBER):
    """Batch, S/N and noise without events, and the middle of each lightcurve and the width of its event [days]."""
    epochs, width = SAMPLINGS[sampling]
    random = np.random.default_rng(4)
    steps = random.geometric(1 / 3, (number, epochs)) if sampling == "nights" else np.full((number, epochs), 2 / 1440)
    mjd = np.cumsum(steps, axis=1) + (random.uniform(-0.15, 0.15, steps.shape) if sampling == "nights" else 0.0)
    starts = starts_from_counts(np.full(number, epochs))
    batch = LightcurveBatch({"mjd": mjd.ravel(), "flux": np.zeros(mjd.size)}, starts, {})
    middle = mjd[:, epochs // 2] + width * random.uniform(-0.2, 0.2, number)
    return batch, random.normal(size=mjd.size), random.uniform(5, 20, mjd.size), middle, width


def _event(batch, noise, peak, width, *, shape, strength):
    """S/N of an event in each epoch that its own template sees with a given S/N, and its amplitude [uJy]."""
    profile = shape((batch.columns["mjd"] - spread(peak, batch.starts)) / width) / noise
    scale = strength / np.sqrt(np.add.reduceat(np.square(profile), batch.starts[:-1]))
    return profile * spread(scale, batch.starts), scale


def _search(batch, snr, noise, **options):
    return search_templates(batch, np.ones(batch.n_epochs, bool), snr, noise, **options)


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("kind", OTHERS)
def test_an_event_of_another_shape_is_one_detection_however_bright(kind, sampling):
    (shape, sign), (batch, snr, noise, peak, width) = OTHERS[kind], _noise(sampling)
    for strength in (10.0, 20.0, 50.0, 200.0):
        event, scale = _event(batch, noise, peak, width, shape=shape, strength=sign * strength)
        found = _search(batch, snr + event, noise)
        one = np.bincount(found["lightcurve"], minlength=NUMBER) == 1
        assert np.mean(one) >= 0.95
        pull = (found["amplitude"] - scale[found["lightcurve"]]) / found["amplitude_err"]
        # Of a shape of the bank it is 1; without what the shape is wrong by it would be up to 30.
        assert 0.3 < np.quantile(np.abs(pull[found["sign"] == sign]), 0.68) < 2.2


@pytest.mark.parametrize("kind", ["flare", "gaussian", "dip"])
@pytest.mark.parametrize("strength", [12.0, 100.0])
def test_errors_of_amplitudes_are_right_for_shapes_of_the_bank(kind, strength):
    batch, snr, noise, peak, width = _noise("minutes", 200)
    sign = PROFILES[kind].sign
    event, scale = _event(batch, noise, peak, width, shape=PROFILES[kind].shape, strength=sign * strength)
    found = _search(batch, snr + event, noise, shapes=(kind,))
    assert len(found["score"]) == 200
    pull = (found["amplitude"] - scale) / found["amplitude_err"]
    # The time and the width are fitted too, so that noise adds to the amplitude more often than not.
    assert np.std(pull) == pytest.approx(1, abs=0.25)
    assert np.abs(np.median(pull)) < 0.35


def test_an_event_at_the_edge_peaks_among_its_epochs():
    batch, snr, noise, _, width = _noise("minutes")
    begin = batch.columns["mjd"][batch.starts[:-1]]
    event, _ = _event(batch, noise, begin - 0.3 * width, width, shape=PROFILES["gaussian"].shape, strength=-20.0)
    found = _search(batch, snr + event, noise)
    assert (found["first"] == batch.starts[:-1]).all()
    assert (found["peak_time"] >= begin).all()


@pytest.mark.parametrize(("ratio", "second"), [(1.0, 1), (0.4, 1), (0.5, -1)])
def test_events_with_the_usual_flux_between_them_are_two(ratio, second):
    batch, snr, noise, peak, width = _noise("minutes")
    shape = PROFILES["gaussian"].shape
    for step, part in ((0.0, 1.0), (4 * width, ratio * second)):
        snr = snr + _event(batch, noise, peak + step, width, shape=shape, strength=40 * part)[0]
    found = _search(batch, snr, noise, shapes=("gaussian", "dip"))
    assert np.mean(np.bincount(found["lightcurve"], minlength=NUMBER) == 2) >= 0.95
    assert np.sum(found["sign"] == second) >= 0.95 * NUMBER


def _candidates(**columns):
    """Two candidates of a lightcurve with an epoch a day, both of three epochs."""
    table = {
        "lightcurve": [0, 0],
        "first": [4, 9],
        "last": [6, 11],
        "peak": [5, 10],
        "sign": [1, 1],
        "n_epochs": [3, 3],
    }
    table |= {"score": [30.0, 8.0], "threshold": [5.0, 5.0], "width": [2.0, 2.0], "amplitude": [200.0, 60.0]}
    return complete(table | columns, METHOD)


@pytest.mark.parametrize(
    ("between", "columns", "left"),
    [
        (5.0, {}, 1),
        (0.0, {}, 2),
        (0.0, {"score": [90.0, 8.0]}, 1),
        (5.0, {"sign": [1, -1], "amplitude": [200.0, -60.0]}, 2),
        (5.0, {"sign": [1, -1], "score": [90.0, 8.0], "amplitude": [200.0, -60.0]}, 1),
        (5.0, {"first": [4, 28], "last": [6, 30], "peak": [5, 29]}, 2),
        (5.0, {"lightcurve": [0, 1], "first": [4, 44], "last": [6, 46], "peak": [5, 45]}, 2),
        (0.0, {"first": [4, 7], "last": [6, 9], "peak": [5, 8]}, 1),
        # A mean of S/N 1.67 over the other epochs is two errors below half of the weaker amplitude.
        (1.6, {}, 2),
        (1.74, {}, 1),
        # Three times the length of either is near.
        (0.0, {"score": [90.0, 8.0], "first": [4, 12], "last": [6, 14], "peak": [5, 13]}, 1),
        (0.0, {"score": [90.0, 8.0], "first": [4, 13], "last": [6, 15], "peak": [5, 14]}, 2),
        (0.0, {"score": [79.0, 8.0]}, 2),
        (0.0, {"score": [81.0, 8.0]}, 1),
    ],
)
def test_a_part_is_near_and_faint_or_not_apart(between, columns, left):
    mjd = np.tile(np.arange(40.0), 2)
    snr = np.zeros(80)
    snr[[7, 8]] = between
    epochs = {"mjd": mjd, "searched": np.ones(80, bool), "snr": snr, "noise": np.full(80, 10.0)}
    found = without_parts(LightcurveBatch(epochs, np.array([0, 40, 80]), {}), _candidates(**columns))
    assert found["first"].tolist() == _candidates(**columns)["first"][:left].tolist()


def test_no_candidates_have_no_parts():
    none = complete({name: values[:0] for name, values in _candidates().items()}, METHOD)
    columns = {"mjd": np.zeros(0), "searched": np.zeros(0, bool), "snr": np.zeros(0), "noise": np.zeros(0)}
    assert len(without_parts(LightcurveBatch(columns, np.zeros(1, np.int64), {}), none)["score"]) == 0


def test_any_flux_and_noise_gives_finite_candidates_of_their_sign():
    random = np.random.default_rng(5)
    starts = starts_from_counts(random.integers(0, 25, 300))
    mjd = np.concatenate([np.sort(random.uniform(0, random.choice([1, 100]), count)) for count in np.diff(starts)])
    snr = random.normal(size=len(mjd)) * random.choice([1, 1, 1, 5, 50, 1e4], len(mjd))
    noise = 10 ** random.uniform(-6, 6, len(mjd))
    found = _search(LightcurveBatch({"mjd": mjd}, starts, {}), snr, noise)
    assert len(found["score"]) > 50
    for name in ("score", "amplitude", "amplitude_err", "peak_time"):
        assert np.isfinite(found[name]).all()
    assert (found["sign"] * found["amplitude"] > 0).all()


def test_what_is_far_from_each_other_is_not_compared_epoch_by_epoch(monkeypatch):
    looked_at = []

    class Counting(Fit):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            looked_at.append(self.spans[-1])

    monkeypatch.setattr("vo_lib.search.template_parts.Fit", Counting)
    number = 3000
    mjd = np.arange(number) * 2 / 1440
    snr = np.random.default_rng(5).normal(size=number) + 60 * np.sin(2 * np.pi * mjd / 0.05)
    found = _search(LightcurveBatch({"mjd": mjd, "flux": snr}, np.array([0, number]), {}), snr, np.ones(number))
    assert len(found["score"]) > 150
    assert sum(looked_at) < 10 * number  # of all pairs it would be more than a thousand times as many
