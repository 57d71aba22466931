"""What a close-up of an event shows beside its epochs."""

import numpy as np
import pytest
from make_batch import make_batch, put
from numpy.testing import assert_allclose

from vo_lib.finder import Finder
from vo_lib.profiles import PROFILES
from vo_lib.search.close_up import event_light, good_median, has_template, levels, surroundings
from vo_lib.search.detrend import detrend

FLUX, GOOD = np.array([100.0, 98.0, 140.0, 102.0, 999.0]), np.array([1, 1, 1, 1, 0], bool)


def detection(**changes):
    """Detection at the third epoch, at 39 over the median with a noise of 4."""
    row = {"peak_epoch": 2, "first_epoch": 2, "last_epoch": 2, "template": "", "width": np.nan, "amplitude": 39.0}
    row |= {"snr": 9.75, "score": 9.75, "threshold": 5.0, "peak_mjd": 2.0, "start_mjd": 2.0, "end_mjd": 2.0}
    return row | changes


def test_median_and_noise_are_those_of_the_unflagged_epochs():
    assert_allclose(list(levels(FLUX, GOOD, detection()).values()), [101.0, 4.0, 121.0])


@pytest.mark.parametrize(
    ("changes", "threshold"),
    [
        ({"template": "flare", "amplitude": 60.0, "score": 12.0}, 101.0 + 60 * 5 / 12),
        ({"template": "epoch", "amplitude": 39.0, "score": 9.0}, 101.0 + 39 * 5 / 9),
        ({"snr": -9.75, "amplitude": -39.0}, 81.0),
        ({"score": 0.99}, np.nan),
        ({"threshold": np.nan}, np.nan),
        ({"score": -2.0, "threshold": -3.0}, np.nan),
    ],
)
def test_a_threshold_is_a_flux_where_the_score_is_an_amplitude_in_units_of_its_noise(changes, threshold):
    assert_allclose(levels(FLUX, GOOD, detection(**changes))["threshold"], threshold)


def test_levels_follow_a_trend_that_was_taken_off():
    """The search saw 140 uJy, where the lightcurve has 60 more; without a magnitude nothing is known of a trend."""
    row = detection(peak_mag=23.9 - 2.5 * np.log10(140.0))
    trended = FLUX + np.array([0.0, 0.0, 60.0, 0.0, 0.0])
    assert_allclose(list(levels(trended, GOOD, row).values()), [101.0 + 60.0, 4.0, 121.0 + 60.0])
    assert levels(FLUX, GOOD, row) == levels(FLUX, GOOD, detection())
    assert levels(trended, GOOD, detection(peak_mag=np.nan))["median"] == 101.0


def test_the_noise_of_a_detrended_detection_is_that_of_the_search():
    batch = make_batch([400], cadence=0.05)
    trend = 300 * np.sin(batch.columns["mjd"] / 2)
    batch = put(batch, 0, np.arange(400), flux=batch.columns["flux"] + trend)
    batch = put(batch, 0, [200, 201], flux=batch.columns["flux"][200:202] + 200)
    good = np.ones(400, bool)
    found = Finder(methods=["peak"]).find(detrend(batch, good, window_days=1.0), np.zeros(400, np.int64))
    row = {name: values[0].item() for name, values in found.detections.items()}
    assert abs(trend[row["peak_epoch"]]) > 100
    assert levels(batch.columns["flux"], good, row)["noise"] == pytest.approx(found.noise[row["peak_epoch"]], rel=0.05)


def test_what_is_not_known_is_nan():
    assert np.isnan(good_median(FLUX, ~GOOD & False))
    assert np.isnan(list(levels(FLUX, GOOD, detection(snr=0.0)).values())[1:]).all()
    assert np.isnan(list(levels(FLUX, GOOD & False, detection()).values())).all()


def test_a_template_is_one_of_the_shapes_with_a_width():
    assert has_template(detection(template="flare", width=1.0))
    assert not any(has_template(detection(template=name, width=1.0)) for name in ("", "epoch", "my own"))
    assert not has_template(detection(template="flare"))


def test_light_of_an_event_is_its_shape_with_the_peak_among_the_times():
    mjd, light = event_light({"peak_mjd": 5.0, "width": 2.0, "amplitude": -3.0}, "dip", 0.0, 10.0, steps=11)
    assert (np.diff(mjd) >= 0).all()
    assert light.min() == light[mjd == 5.0][0] == -3.0
    assert_allclose(light, -3 * PROFILES["dip"].shape((mjd - 5) / 2))


@pytest.mark.parametrize(
    ("first", "last", "shown"),
    [
        (20, 20, (12.0, 28.0)),
        (20, 23, (12.0, 31.0)),
        (20, 24, (10.0, 34.0)),
        (3, 3, (0.0, 11.0)),
        (98, 99, (90.0, 99.0)),
    ],
)
def test_eight_epochs_are_beside_an_event_or_twice_as_many_as_it_has(first, last, shown):
    mjd = np.arange(100.0)
    event = {"first_epoch": first, "last_epoch": last, "start_mjd": mjd[first], "end_mjd": mjd[last]}
    assert surroundings(mjd, event) == shown
    far = {"first_epoch": first, "last_epoch": last, "start_mjd": 50 * mjd[first], "end_mjd": 50 * mjd[last]}
    low, high = surroundings(50 * mjd, far)
    assert (low, high) == (max(far["start_mjd"] - 60, 0.0), min(far["end_mjd"] + 60, 4950.0))


def test_the_surroundings_do_not_cross_a_long_pause():
    mjd = np.append(np.arange(10.0), 500.0)
    event = {"first_epoch": 9, "last_epoch": 9, "start_mjd": 9.0, "end_mjd": 9.0}
    assert surroundings(mjd, event) == (1.0, 69.0)
