"""Aliases of nightly sampling, and their absence without nights."""

import numpy as np
import pytest
from make_periodic import nightly, noise, scattered, sinusoid

from vo_lib.periods.aliases import LINES, SIDEREAL, aliases, harmonics, window_line, window_lines
from vo_lib.periods.peaks import highest_peak, scan
from vo_lib.periods.sinusoids import Sinusoids


def _search(band, period_range=(0.1, 20)):
    fit, limits = Sinusoids([band]), (1 / period_range[1], 1 / period_range[0])
    return fit, highest_peak(fit, [limits], *scan(fit, [limits], oversampling=5, max_frequencies=10**6))


def test_nights_have_lines_and_random_times_have_none():
    time = nightly(200, 300)
    fit = Sinusoids([(time, *noise(time))])
    assert [line for line in window_lines(fit) if line[0] == "day"] == [("day", 1), ("day", 2), ("day", 3)]
    assert all(0.1 < power < 1 for power in fit.window(np.array([1.0, 2.0, 3.0])))
    time = scattered(200, 300)
    assert window_lines(Sinusoids([(time, *noise(time))])) == []


def test_even_times_mirror_periods_at_the_cadence():
    time = 58000 + np.arange(400) * 0.45
    fit, peak = _search(sinusoid(time, period=0.7, amplitude=15.0), (0.55, 10))
    found = aliases(fit, peak.frequency, peak.power, window_lines(fit))
    periods = [peak.period, *(alias.period for alias in found if alias.delta_chi2 < 0.1)]
    for period in (0.7, 1 / (1 / 0.45 - 1 / 0.7)):
        assert min(abs(np.array(periods) - period)) < 0.01


def test_lines_are_those_of_the_sky():
    # A year has one sidereal day more than solar days.
    assert pytest.approx(1 + 1 / 365.2422, abs=1e-7) == SIDEREAL
    assert dict(reversed(LINES)) == pytest.approx(
        {"day": 1, "sidereal day": SIDEREAL, "month": 0.0338632, "year": 0.0027379}, rel=1e-4
    )


def test_the_alias_of_a_strong_period_is_listed_and_clearly_worse():
    fit, peak = _search(sinusoid(nightly(200, 300), period=0.37, amplitude=25.0))
    assert peak.period == pytest.approx(0.37, rel=1e-4)
    found = aliases(fit, peak.frequency, peak.power, window_lines(fit))
    nearest = {alias.name: alias for alias in reversed(found)}["day"]
    assert min(abs(1 / nearest.period - abs(1 / 0.37 + side)) for side in (-1, 1)) < 1 / 300
    assert nearest.delta_chi2 > 50
    assert [alias.power for alias in found] == sorted((alias.power for alias in found), reverse=True)


def test_a_wrong_daily_alias_names_the_true_period():
    seen = 0
    for seed in range(40):
        fit, peak = _search(sinusoid(nightly(80, 100, seed=seed, hours=3), period=0.37, amplitude=8.0, seed=seed))
        if abs(peak.frequency - 1 / 0.37) > 1 / fit.span and peak.fap < 1e-3:
            seen += 1
            found = aliases(fit, peak.frequency, peak.power, window_lines(fit))
            close = [alias for alias in found if abs(1 / alias.period - 1 / 0.37) < 1 / fit.span]
            assert close
            assert close[0].delta_chi2 < 15
    assert seen >= 3


def test_a_trend_shows_at_a_line_of_the_window():
    time = nightly(200, 300)
    flux, error = noise(time)
    fit, peak = _search((time, flux + 0.5 * (time - time[0]), error), (0.1, 5))
    assert window_line(peak.frequency, window_lines(fit), fit.span) in {"day", "sidereal day"}
    assert window_line(peak.frequency + 3 / fit.span, window_lines(fit), fit.span) == ""
    assert window_line(1.0, [], 100.0) == ""


def test_harmonics_have_their_powers():
    time = scattered(300, 100)
    flux, error = noise(time)
    flux = flux + 10 * np.cos(2 * np.pi * time / 1.7) + 8 * np.cos(4 * np.pi * time / 1.7)
    fit, peak = _search((time, flux, error))
    found = harmonics(fit, peak.frequency, peak.power)
    assert peak.period == pytest.approx(1.7, rel=1e-3)
    assert (found[0].name, found[0].period) == ("x 2", pytest.approx(0.85, rel=1e-3))
    assert [alias.name for alias in found[1:]] != []
    assert found[0].power > 5 * found[1].power
