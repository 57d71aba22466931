"""Which injections count as found again."""

import numpy as np
import pytest
from make_batch import make_batch, put

from vo_lib.batch import LightcurveBatch
from vo_lib.finder import Finder
from vo_lib.quality import check
from vo_lib.recovery import overlapping, recover
from vo_lib.simulator import inject


def _run(batch, **options):
    """Inject into a batch and look for it: the truth table with its outcome."""
    qflag = check(batch)
    injected, truth = inject(batch, qflag, seed=5, **options)
    found = Finder().find(injected, check(injected))
    return recover(truth, injected.table["original"], real=Finder().find(batch, qflag), found=found), found


def _events(peak, *, width=1.0, amplitude=200.0):
    """Truth of one event in each lightcurve."""
    number = len(peak)
    return {
        "peak_mjd": np.array(peak, float),
        "width": np.full(number, width),
        "amplitude": np.full(number, amplitude),
        "injection": np.ones(number, np.int64),
    }


def _find(batch):
    return Finder().find(batch, check(batch))


def test_nearly_all_are_recovered_at_twenty_sigma():
    truth, _ = _run(make_batch([100] * 500), snr_min=20, snr_max=20, width_max_days=2)
    assert truth["recovered"].mean() > 0.99
    np.testing.assert_array_equal(np.isfinite(truth["snr"]), truth["recovered"] == 1)
    assert np.median(truth["snr"]) == pytest.approx(17, abs=3)


def test_nothing_is_recovered_of_nothing():
    truth, found = _run(make_batch([100] * 500), snr_min=1e-6, snr_max=1e-6)
    assert not truth["recovered"].any()
    assert len(found.lightcurve) < 5


def test_recovery_rises_with_the_expected_snr():
    truth, _ = _run(make_batch([100] * 2000), snr_min=2, snr_max=30, width_max_days=1)
    bins = np.digitize(truth["expected_snr"], [4, 6, 8, 12])
    fraction = [truth["recovered"][bins == number].mean() for number in range(5)]
    assert fraction == sorted(fraction)
    assert fraction[0] < 0.05
    assert fraction[-1] > 0.95


def test_dips_are_recovered_with_their_sign():
    truth, _ = _run(make_batch([100] * 50), kinds=("dip",), snr_min=20, snr_max=20, width_max_days=2)
    assert truth["recovered"].mean() > 0.95
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


@pytest.mark.parametrize(("epoch", "expected"), [(37, False), (38, True), (40, True), (46, True), (47, False)])
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
