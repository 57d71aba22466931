"""Shapes of events: their peak, width and reach, and what they were taken from."""

import math

import numpy as np
import pytest
from scipy.integrate import quad

from vo_lib.profiles import PROFILES

X = np.linspace(-5, 5, 1_000_001)


@pytest.mark.parametrize("kind", sorted(PROFILES))
def test_full_width_at_half_maximum_is_one(kind):
    shape = PROFILES[kind].shape(X)
    above = X[shape >= 0.5]
    assert above[-1] - above[0] == pytest.approx(1, rel=0.001)
    assert shape.max() == PROFILES[kind].shape(np.zeros(1))[0] == 1


@pytest.mark.parametrize("kind", sorted(PROFILES))
def test_profiles_fall_on_both_sides_and_end_at_nothing(kind):
    distance = np.geomspace(1e-4, 1e5, 2000)
    for side in (PROFILES[kind].shape(-distance), PROFILES[kind].shape(distance)):
        assert (np.diff(side) <= 1e-12).all()
        assert side[-1] < 1e-9


@pytest.mark.parametrize("kind", sorted(PROFILES))
@pytest.mark.parametrize("fraction", [0.999, 0.84, 0.5, 0.1, 0.001, 1e-9])
def test_reach_is_where_the_fraction_is_left(kind, fraction):
    profile = PROFILES[kind]
    for distance, side in zip(profile.reach(fraction), (-1, 1), strict=True):
        near, far = profile.shape(side * distance * np.array([0.998, 1.002]))
        assert far <= fraction <= near + 1e-12


def test_reach_takes_many_fractions():
    before, after = PROFILES["gaussian"].reach(np.array([0.5, 1.0]))
    np.testing.assert_allclose(before, [0.5, 0.0], atol=1e-3)
    np.testing.assert_allclose(after, before)


def test_the_flare_is_a_gaussian_convolved_with_two_decays():
    # Integrals of the definition (Tovar Mendoza et al. 2022) in place of its closed form.
    b, c, fast, slow, share = -0.251299705922117, 0.22675974948468916, 1.2150539528490194, 0.15551880775110513, 0.127

    def convolved(t):
        def product(u, rate):
            return math.exp(-(((u - b) / c) ** 2)) * math.exp(-rate * (t - u))

        parts = [quad(product, b - 6 * c, min(t, b + 6 * c), args=(rate,))[0] for rate in (slow, fast)]
        return share * parts[0] + (1 - share) * parts[1]

    times = np.linspace(-0.5, 6, 27)
    direct = np.array([convolved(t) for t in times])
    fine = np.linspace(-0.4, 0.4, 801)
    peak = fine[np.argmax([convolved(t) for t in fine])]
    width = _width(convolved, peak)
    ours = PROFILES["flare"].shape((times - peak) / width)
    np.testing.assert_allclose(ours, direct / convolved(peak), atol=2e-3)
    late = np.array([8.0, 14.0, 20.0, 40.0])
    direct = np.array([convolved(t) for t in late]) / convolved(peak)
    np.testing.assert_allclose(PROFILES["flare"].shape((late - peak) / width), direct, rtol=2e-3)


def _width(function, peak):
    """Full width at half maximum, by bisection."""

    def edge(low, high):
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if function(middle) > function(peak) / 2 else (low, middle)
        return low

    return edge(peak, peak + 3) - edge(peak, peak - 3)


def test_flares_rise_much_faster_than_they_decay():
    before, after = PROFILES["flare"].reach(0.5)
    assert before < 0.4 < after
    assert after + before == pytest.approx(1, abs=1e-3)


def test_the_microlensing_event_is_that_of_paczynski():
    u0 = 0.3
    peak = (u0**2 + 2) / (u0 * math.sqrt(u0**2 + 4)) - 1
    tau = np.linspace(0, 3, 50)
    u = np.hypot(u0, tau)
    excess = ((u**2 + 2) / (u * np.sqrt(u**2 + 4)) - 1) / peak
    half = np.interp(0.5, excess[::-1], tau[::-1])
    np.testing.assert_allclose(PROFILES["microlens"].shape(tau / (2 * half)), excess, atol=2e-3)


def test_an_eclipse_has_a_flat_bottom_and_ends():
    eclipse = PROFILES["eclipse"]
    phase, flux = [-0.61, -0.55, -0.5, -0.39, 0.0, 0.45, 0.5, 0.61], [0, 0.25, 0.5, 1, 1, 0.75, 0.5, 0]
    np.testing.assert_allclose(eclipse.shape(np.array(phase)), flux, atol=1e-12)
    assert eclipse.sign == PROFILES["dip"].sign == -1
