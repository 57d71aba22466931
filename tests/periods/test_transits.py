"""Box-shaped dips against brute force and astropy, and injected ones."""

import math

import numpy as np
import pytest
from astropy.timeseries import BoxLeastSquares
from make_periodic import dips, nightly, noise, scattered

from vo_lib.errors import ConfigError
from vo_lib.periods.transits import count_boxes, measure_box, search_boxes


def _case(seed=0, **options):
    time = scattered(400, 30, seed=seed)
    shape = {"period": 1.7, "duration": 0.1, "depth": 30.0} | options
    return dips(time, seed=seed, **shape)


def test_periods_without_a_dip_are_none_whatever_is_in_memory(monkeypatch):
    def power(*arguments, **options):
        found = search(*arguments, **options)
        found.depth_snr[np.isinf(found.power)] = 1e300
        return found

    time = 58000.0 + np.arange(40)  # all at one phase of a day
    case = time, *noise(time)
    expected, search = search_boxes(*case, [(0.4, 1.0)]), BoxLeastSquares.power
    monkeypatch.setattr(BoxLeastSquares, "power", power)
    assert search_boxes(*case, [(0.4, 1.0)]) == expected
    assert expected.period > 1


def test_an_injected_dip_is_found_with_its_depth():
    box = search_boxes(*_case(), [(0.2, 2.0)], fractions=(0.03, 0.06))
    assert box.period == pytest.approx(1.7, abs=1.7 * 0.1 / 30)
    assert box.duration == pytest.approx(0.1, rel=0.25)
    assert abs((box.time - 58000.1 + 0.85) % 1.7 - 0.85) < 0.03
    assert abs(box.depth - 30) < 4 * box.depth_err
    assert box.snr > 9
    assert box.fap < 1e-9
    assert box.n_dips <= 18
    assert box.n_inside >= box.n_dips


def test_a_known_dip_is_measured_as_astropy_does():
    time, flux, error = _case()
    box = measure_box(time, flux, error, period=1.7, duration=0.1, middle=58000.1)
    stats = BoxLeastSquares(time, flux, error).compute_stats(1.7, 0.1, 58000.1)
    assert (box.depth, box.depth_err) == pytest.approx(stats["depth"], rel=1e-9)
    assert box.n_inside == stats["per_transit_count"].sum()
    assert time[0] <= box.time < time[0] + 1.7


def test_the_best_box_is_that_of_brute_force():
    time, flux, error = _case(depth=60.0)
    box = search_boxes(time, flux, error, [(0.5, 0.7)], fractions=(0.06,))
    best = 0
    for period in 1 / np.linspace(0.5, 0.7, 300):
        duration = 0.06 / math.sqrt(0.5 * 0.7)
        middles = 58000 + np.arange(0, period, duration / 4)
        trials = [measure_box(time, flux, error, period=period, duration=duration, middle=middle) for middle in middles]
        best = max(best, *(trial.snr for trial in trials if trial.n_inside))
    assert box.snr == pytest.approx(best, rel=0.08)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e12])
def test_the_unit_of_the_flux_makes_no_difference(scale):
    time, flux, error = _case()
    box = search_boxes(time, flux * scale, error * scale, [(0.5, 0.7)])
    plain = search_boxes(time, flux, error, [(0.5, 0.7)])
    assert (box.period, box.snr, box.depth) == pytest.approx((plain.period, plain.snr, plain.depth * scale))


def test_there_is_no_dip_without_epochs_variation_or_bands():
    time = np.arange(10.0)
    for args in ((time[:3], time[:3], time[:3] + 1), (time, np.ones(10), np.ones(10)), (time[:0],) * 3):
        assert math.isnan(search_boxes(*args, [(0.2, 0.4)]).snr)
    assert math.isnan(search_boxes(time, time, np.ones(10), []).period)


def test_epochs_all_inside_or_all_outside_have_no_depth():
    time = np.arange(5.0)
    for middle, number in ((0.0, 5), (0.5, 0)):
        box = measure_box(time, time, np.ones(5), period=1.0, duration=0.2, middle=middle)
        assert (box.n_inside, math.isnan(box.depth)) == (number, True)


def test_boxes_are_counted_by_phase_and_drift():
    time = np.linspace(0, 100, 101)
    ((number, steps, inside),) = count_boxes(time, [(np.array([0.1, 0.1002]), 0.5)])
    assert number == pytest.approx(2 * 10 * 5 / 0.5, rel=0.01)
    # Half of a quarter of the span times the step is the mean drift, over a duration of a twentieth of a cycle.
    assert steps == pytest.approx((0.2, 25 * 0.0002 / 0.05), rel=0.02)
    assert inside == pytest.approx(101 / 20, rel=0.01)


def test_too_many_boxes_are_an_error_that_says_what_to_change():
    time = nightly(50, 2000)
    with pytest.raises(ConfigError, match=r"more than periods.max_frequencies 1,000; search longer periods"):
        search_boxes(time, *noise(time), [(1.0, 20.0)], max_frequencies=1000)
