"""Where events may peak: windows around good epochs, their length, and times away from real detections."""

import numpy as np
import pytest
from make_batch import make_batch
from scipy.stats import kstest

from vo_lib.finder import Finder
from vo_lib.injection.placement import Windows, first_free, near, reach_days
from vo_lib.profiles import PROFILES


def _windows(mjd, before, after, good=None):
    mjd = np.array(mjd, float)
    good = np.ones(len(mjd), bool) if good is None else np.array(good, bool)
    return Windows(mjd, good, np.array([0, len(mjd)]), np.array([before]), np.array([after]))


@pytest.mark.parametrize(
    ("mjd", "good", "days"),
    [
        ([10.0], [True], 3.0),
        ([10.0, 11.0], [True, True], 4.0),
        ([10.0, 20.0], [True, True], 6.0),
        ([10.0, 11.0, 12.0], [True, False, True], 5.0),
        ([10.0, 10.0, 30.0], [True, True, True], 6.0),
        ([10.0], [False], 0.0),
        ([], [], 0.0),
    ],
)
def test_the_length_of_the_windows_is_that_of_their_union(mjd, good, days):
    assert _windows(mjd, 1.0, 2.0, good).days[0] == pytest.approx(days, abs=1e-9)


def test_peaks_are_uniform_within_the_union_and_nowhere_else():
    rng = np.random.default_rng(1)
    mjd = np.sort(rng.uniform(0, 300, 60))
    windows = _windows(mjd, 0.5, 2.5)
    peaks = windows.peaks(rng.random((20_000, 1)))[:, 0]
    grid = np.linspace(-5, 305, 310_001)
    inside = ((grid[:, None] >= mjd - 2.5) & (grid[:, None] <= mjd + 0.5)).any(axis=1)
    assert windows.days[0] == pytest.approx(inside.sum() * 0.001, abs=0.1)
    assert ((peaks[:, None] > mjd - 2.5 - 1e-9) & (peaks[:, None] < mjd + 0.5 + 1e-9)).any(axis=1).all()
    fraction = np.interp(peaks, grid, np.cumsum(inside) / inside.sum())
    assert kstest(fraction, "uniform").pvalue > 0.001


def test_windows_of_a_lightcurve_do_not_depend_on_its_neighbours():
    rng = np.random.default_rng(2)
    counts = [30, 0, 1, 40]
    starts = np.append(0, np.cumsum(counts))
    mjd = np.concatenate([np.sort(rng.uniform(0, 100, number)) for number in counts])
    before, after, random = rng.random(4), rng.random(4), rng.random(4)
    together = Windows(mjd, np.ones(71, bool), starts, before, after)
    peaks = together.peaks(random)
    for row in range(4):
        part = slice(starts[row], starts[row + 1])
        alone = _windows(mjd[part], before[row], after[row])
        assert alone.days[0] == together.days[row]
        np.testing.assert_array_equal(alone.peaks(random[row : row + 1])[0], peaks[row])
    assert np.isnan(peaks[1])


@pytest.mark.parametrize("kind", list(PROFILES))
def test_an_event_has_an_snr_of_one_at_its_reach(kind):
    snr, width = np.array([2.0, 5.0, 30.0]), np.array([0.1, 1.0, 3.0])
    before, after = reach_days(np.array([kind] * 3), PROFILES[kind].sign * snr, width)
    for phase in (-before / width, after / width):
        value = snr * PROFILES[kind].shape(phase)
        assert (value >= 1 - 1e-9).all()
        assert (value <= 1.02).all() or kind in ("box", "eclipse")


def test_a_weak_event_reaches_as_far_as_84_percent_of_its_peak():
    """Of a Gaussian that is a quarter of the width from the peak: 2**(-4 / 16)."""
    snr = np.array([0.01, -1.0, 2**0.25])
    before, after = reach_days(np.full(3, "gaussian"), snr, np.array([1.0, 2.0, 4.0]))
    np.testing.assert_allclose([before, after], [[0.25, 0.5, 1.0]] * 2, rtol=2e-3)


@pytest.mark.parametrize("kind", ["flare", "gaussian", "eclipse"])
def test_events_that_peak_out_of_reach_are_practically_never_found(kind):
    """Each peaks just outside all windows of its lightcurve, where it would be seen best."""
    batch = make_batch([60] * 3000, cadence=1.0, seed=3)
    snr, width = np.full(3000, PROFILES[kind].sign * 30.0), np.full(3000, 0.02)
    before, after = reach_days(np.array([kind] * 3000), snr, width)
    beyond = np.where(np.arange(3000) % 2, -1.002 * after, 1.002 * before)
    peak = 58030.0 + beyond
    phase = (batch.columns["mjd"] - np.repeat(peak, 60)) / 0.02
    light = 10.0 * np.repeat(snr, 60) * PROFILES[kind].shape(phase)
    assert 8.5 < np.abs(light).max() < 10.01
    found = Finder().find(batch.with_columns(flux=batch.columns["flux"] + light), np.zeros(batch.n_epochs, np.int64))
    assert len(found.lightcurve) < 3


def test_the_first_free_time_is_taken_and_the_first_one_where_none_is_free():
    peaks = np.array([[1.0, 5.0], [5.0, 1.0], [9.0, 9.0]])
    occupied = np.array([0, 2, 3]), np.array([0.5, 5.5, 0.0]), np.array([1.5, 6.5, 20.0])
    assert first_free(peaks, np.ones(2), np.ones(2), occupied).tolist() == [9.0, 5.0]


@pytest.mark.parametrize(("start", "expected"), [(7.9, False), (8.0, True), (10.0, True), (13.0, True), (13.1, False)])
def test_near_means_in_reach(start, expected):
    assert near(10.0, 2.0, 3.0, start, start) == expected
