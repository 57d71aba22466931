"""Which injections count as found again."""

import numpy as np
import pytest
from make_batch import make_batch, put
from scipy.stats import norm

from vo_lib.batch import LightcurveBatch
from vo_lib.finder import Finder
from vo_lib.injection.recovery import REASONS, overlapping, recover, separate
from vo_lib.quality import assess
from vo_lib.simulator import inject


def _run(batch, **options):
    """Inject into a batch and look for it: the truth table with its outcome."""
    qflag = assess(batch).qflag
    injected, truth = inject(batch, qflag, seed=5, **options)
    found = Finder(methods=["peak"]).find(injected, assess(injected).qflag)
    return recover(
        truth, injected.table["original"], real=Finder(methods=["peak"]).find(batch, qflag), found=found
    ), found


def _events(peak, *, width=4.1, amplitude=200.0):
    """Truth of one box in each lightcurve."""
    number = len(peak)
    return {
        "kind": np.full(number, "box"),
        "peak_mjd": np.array(peak, float),
        "width": np.full(number, width),
        "amplitude": np.full(number, amplitude),
        "expected_snr": np.full(number, amplitude / 10),
        "seen_snr": np.full(number, amplitude / 10),
        "injection": np.ones(number, np.int64),
    }


def _find(batch):
    return Finder(methods=["peak"]).find(batch, assess(batch).qflag)


def test_nearly_all_are_recovered_at_twenty_sigma():
    truth, _ = _run(make_batch([100] * 500), snr_min=20, snr_max=20, width_max_days=2)
    seen = truth["seen_snr"] > 10
    assert 200 < seen.sum() < 500
    assert truth["recovered"][seen].mean() > 0.99
    np.testing.assert_array_equal(np.isfinite(truth["snr"]), truth["recovered"] == 1)
    assert np.nanmedian(truth["snr"] / truth["seen_snr"]) == pytest.approx(1, abs=0.05)


def test_nothing_is_recovered_of_nothing():
    truth, found = _run(make_batch([100] * 500), snr_min=1e-6, snr_max=1e-6)
    assert not truth["recovered"].any()
    assert len(found.lightcurve) < 5


def test_recovery_rises_with_the_expected_snr():
    truth, _ = _run(make_batch([100] * 2000), snr_min=2, snr_max=30, width_max_days=1)
    bins = np.digitize(truth["seen_snr"], [3, 4, 6, 8])
    fraction = [truth["recovered"][bins == number].mean() for number in range(5)]
    assert fraction == sorted(fraction)
    assert fraction[0] < 0.05
    assert fraction[-1] > 0.95


def test_dips_are_recovered_with_their_sign():
    truth, _ = _run(make_batch([100] * 50), kinds=("dip",), snr_min=20, snr_max=20, width_max_days=2)
    assert truth["recovered"][truth["seen_snr"] < -10].mean() > 0.95
    assert np.nanmax(truth["snr"]) < -5


def test_a_detection_that_was_there_before_does_not_count():
    batch = put(make_batch([100, 100], seed=2), 1, [40], flux=1500.0)
    real = _find(batch)
    copies = put(batch, 0, [40], flux=1500.0)
    truth = recover(_events([58020.0, 58020.0]), np.array([0, 1]), real=real, found=_find(copies))
    assert truth["recovered"].tolist() == [1, 0]
    assert np.isnan(truth["snr"][1])


def test_a_new_event_beside_an_old_one_counts():
    batch = put(make_batch([100], seed=2), 0, [40], flux=1500.0)
    found = _find(put(batch, 0, [44], flux=1300.0))
    truth = recover(_events([58022.0]), np.array([0]), real=_find(batch), found=found)
    assert truth["recovered"].tolist() == [1]
    assert truth["snr"][0] == found.detections["snr"][1]


def test_the_other_sign_does_not_count():
    batch = make_batch([100], seed=2)
    found = _find(put(batch, 0, [40], flux=700.0))
    assert overlapping(_events([58020.0]), found).all()
    assert recover(_events([58020.0]), np.array([0]), real=_find(batch), found=found)["recovered"].tolist() == [0]


@pytest.mark.parametrize(("epoch", "expected"), [(35, False), (36, True), (40, True), (44, True), (45, False)])
def test_only_detections_near_the_event_belong_to_it(epoch, expected):
    found = _find(put(make_batch([100], seed=2), 0, [epoch], flux=1500.0))
    assert overlapping(_events([58020.0]), found).tolist() == [expected]


def test_the_best_of_several_detections_is_kept():
    batch = make_batch([100], seed=2)
    found = _find(put(batch, 0, [40, 42, 44], flux=[1200.0, 1500.0, 1300.0]))
    truth = recover(_events([58020.0]), np.array([0]), real=_find(batch), found=found)
    assert len(found.lightcurve) == 3
    assert truth["snr"][0] == found.detections["score"].max()


def test_without_injections_nothing_happens():
    finding = _find(LightcurveBatch.empty())
    truth = recover(_events([]), np.zeros(0, np.int64), real=finding, found=finding)
    assert truth["snr"].shape == truth["recovered"].shape == (0,)


def test_why_an_event_was_missed_is_told():
    batch = put(make_batch([100] * 6, seed=2), 1, [40], flux=1500.0)
    copies = put(put(put(batch, 0, [40], flux=1300.0), 1, [40], flux=1700.0), 2, [40], flux=700.0)
    truth = _events([58020.0] * 6) | {"seen_snr": np.array([20.0, 20, 20, 20, 0.5, 4])}
    seen = np.array([20.0, 20, 20, 7, 0.5, 4])
    truth = recover(truth, np.arange(6), real=_find(batch), found=_find(copies), seen=seen)
    assert truth["reason"].tolist() == ["recovered", "merged", "wrong sign", "flagged", "not seen", "below threshold"]
    assert set(truth["reason"]) == set(REASONS)
    assert truth["match"].tolist() == truth["n_found"].tolist() == truth["recovered"].tolist() == [1, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (20.0, 17.9, "flagged"),
        (20.0, 18.1, "below threshold"),
        (-20.0, -17.9, "flagged"),
        (0.99, 0.99, "not seen"),
        (1.01, 1.01, "below threshold"),
        (-1.01, -1.01, "below threshold"),
        (np.nan, np.nan, "not seen"),
    ],
)
def test_flags_took_an_event_that_lost_a_tenth_and_none_is_seen_below_an_snr_of_one(before, after, reason):
    nothing = _find(make_batch([100], seed=2))
    truth = _events([58020.0], amplitude=np.copysign(200.0, before)) | {"seen_snr": np.array([before])}
    truth = recover(truth, np.array([0]), real=nothing, found=nothing, seen=np.array([after]))
    assert truth["reason"].tolist() == [reason]


@pytest.mark.parametrize(("epoch", "flux"), [(90, 1500.0), (40, 500.0)])
def test_an_event_is_not_merged_with_a_real_one_at_another_time_or_of_the_other_sign(epoch, flux):
    real = _find(put(make_batch([100], seed=2), 0, [epoch], flux=flux))
    truth = recover(_events([58020.0]), np.array([0]), real=real, found=real)
    assert len(real.lightcurve) == 1
    assert truth["reason"].tolist() == ["below threshold"]


def test_separate_detections_of_one_event_are_counted():
    batch = make_batch([100], seed=2)
    found = _find(put(batch, 0, [38, 40, 42], flux=[1200.0, 1500.0, 1300.0]))
    truth = recover(_events([58020.0]), np.array([0]), real=_find(batch), found=found)
    assert (truth["n_found"][0], truth["match"][0]) == (3, 2)


def _boxes(snr_min, snr_max):
    """Boxes that cover exactly one epoch, and what came of them."""
    batch = make_batch([200] * 3000, cadence=1.0, seed=11)
    qflag = np.zeros(batch.n_epochs, np.int64)
    width = {"width_min_days": 0.9, "width_max_days": 0.9}
    injected, truth = inject(batch, qflag, seed=1, kinds=("box",), snr_min=snr_min, snr_max=snr_max, **width)
    found = Finder(methods=["peak"]).find(injected, qflag)
    return recover(
        truth, injected.table["original"], real=Finder(methods=["peak"]).find(batch, qflag), found=found
    ), found


def test_completeness_is_that_of_gaussian_noise():
    truth, _ = _boxes(3.0, 9.0)
    for low, high in ((2.5, 3.5), (3.5, 4.5), (4.5, 5), (5, 6), (6, 8)):
        chosen = (truth["seen_snr"] >= low) & (truth["seen_snr"] < high)
        expected, number = norm.sf(5 - truth["seen_snr"][chosen]).mean(), chosen.sum()
        tolerance = 4 * np.sqrt(expected * (1 - expected) / number)
        assert truth["recovered"][chosen].mean() == pytest.approx(expected, abs=tolerance)


def test_flux_and_time_of_what_is_recovered_are_unbiased():
    truth, found = _boxes(12.0, 30.0)
    assert truth["recovered"].all()
    pull = truth["snr"] - truth["seen_snr"]
    assert pull.mean() == pytest.approx(0, abs=4 / np.sqrt(3000))
    assert pull.std() == pytest.approx(1, abs=0.06)
    is_match = found.detections["number"] == truth["match"][found.lightcurve]
    late = found.detections["peak_mjd"][is_match] - truth["peak_mjd"]
    assert np.abs(late).max() < 0.45
    assert late.mean() == pytest.approx(0, abs=4 * 0.9 / np.sqrt(12 * 3000))


def test_detections_that_share_epochs_are_one():
    columns = {"first_epoch": [5, 9, 0, 7, 0, 5], "last_epoch": [8, 9, 4, 9, 9, 8], "sign": [1, 1, 1, 1, 1, -1]}
    detections = {name: np.array(values) for name, values in columns.items()}
    assert sorted(separate(np.array([0, 0, 0, 0, 1, 0]), detections).tolist()) == [0, 2, 4, 5]
    assert separate(np.zeros(0, np.int64), {name: values[:0] for name, values in detections.items()}).shape == (0,)


def test_detections_elsewhere_and_old_dips_are_no_reason():
    batch = put(put(make_batch([100] * 3, seed=2), 0, [90], flux=1500.0), 1, [40], flux=700.0)
    truth = recover(
        _events([58020.0] * 3), np.arange(3), real=_find(batch), found=_find(put(batch, 2, [90], flux=700.0))
    )
    assert set(truth["reason"]) == {"below threshold"}
