"""Shapes of events, for injection and for the templates of the matched filter.

Every profile is 1 at its peak, falls off on both sides and has a full width at half maximum of 1,
so that an event is defined by its kind, peak time, width and amplitude.
"""

import math
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

__all__ = ["PROFILES", "Profile", "add_profiles"]

# Flare of Tovar Mendoza et al. 2022 (AJ 164, 17, doi:10.3847/1538-3881/ac6fe6): a Gaussian
# convolved with two exponential decays. It supersedes the piecewise shape of Davenport et al. 2014.
_A, _B, _C = 0.9687734504375167, -0.251299705922117, 0.22675974948468916
_SHARE = 0.12695865022878844
_DECAYS = ((0.15551880775110513, _SHARE), (1.2150539528490194, 1 - _SHARE))
# Least impact parameter of the microlensing event, in Einstein radii.
_IMPACT = 0.3
# Duration of ingress and of egress, each in units of the width of the eclipse.
_INGRESS = 0.2


@dataclass(frozen=True)
class Profile:
    """Shape of an event in units of its peak and of its full width at half maximum.

    Parameters
    ----------
    shape : callable
        Function of the time since the peak that returns the flux: 1 at 0, not rising away from it.
    sign : int, optional
        +1 for an increase in flux, -1 for a decrease.
    """

    shape: object
    sign: int = 1

    @cached_property
    def _sides(self):
        """Grid of distances from the peak, and the profile at these before and after it."""
        grid = np.append(0.0, np.geomspace(1e-4, 1e4, 16001))
        return grid, self.shape(-grid), self.shape(grid)

    @cached_property
    def _areas(self):
        """Integrals of both sides in `_sides`, starting at the peak."""
        grid, *sides = self._sides
        return tuple(np.append(0.0, np.cumsum(np.diff(grid) * (side[1:] + side[:-1]) / 2)) for side in sides)

    def mean(self, x, length):
        """Average the profile over time spans, as an exposure does.

        Parameters
        ----------
        x : ndarray of float
            Midpoints of the spans, relative to the peak [full width at half maximum].
        length : float or ndarray of float
            Lengths of the spans, positive [full width at half maximum].

        Returns
        -------
        ndarray of float
        """
        return (self._area(x + length / 2) - self._area(x - length / 2)) / length

    def _area(self, x):
        """Integral of the profile from its peak to `x`, negative before the peak."""
        grid, (before, after) = self._sides[0], self._areas
        return np.where(x < 0, -np.interp(-x, grid, before), np.interp(x, grid, after))

    def reach(self, fraction):
        """Find how far from the peak the profile stays above a fraction of it.

        Parameters
        ----------
        fraction : float or ndarray of float
            Fractions of the peak, greater than 0 and at most 1.

        Returns
        -------
        before, after : float or ndarray of float
            Greatest distances at which the profile is at least `fraction` [full width at half
            maximum], up to 0.12 % too small.
        """
        grid, before, after = self._sides
        return tuple(_inverse(side, grid, fraction) for side in (before, after))


def _inverse(side, grid, fraction):
    """Greatest grid distance at which a falling side is at least `fraction`."""
    return grid[len(grid) - np.searchsorted(side[::-1], fraction, side="left") - 1]


def _gaussian(x):
    """Gaussian with unit full width at half maximum."""
    return np.exp(-4 * math.log(2) * np.square(x))


def _box(x):
    """Box: 1 over its width, else 0."""
    return (np.abs(x) <= 0.5).astype(float)


def _eclipse(x):
    """Trapezoid of ingress, bottom and egress."""
    return np.clip((0.5 + _INGRESS / 2 - np.abs(x)) / _INGRESS, 0.0, 1.0)


def _magnification(u):
    """Magnification by a point lens at a separation in Einstein radii (Paczynski 1986, ApJ 304, 1)."""
    return (u * u + 2) / (u * np.sqrt(u * u + 4))


def _microlens(x):
    """Excess light of a point source that passes a point lens at impact parameter `_IMPACT`."""
    peak = _magnification(_IMPACT) - 1
    half = 1 + peak / 2
    # Squared separation at which half of the excess is left, which is at half the width from the peak.
    distance = 2 * (half / math.sqrt(half * half - 1) - 1)
    scale = 2 * math.sqrt(distance - _IMPACT**2)
    return (_magnification(np.sqrt(_IMPACT**2 + np.square(scale * np.asarray(x)))) - 1) / peak


def _flare_at(t):
    """Flare of the paper at one time, in units of its own time scale."""
    return sum(
        share * math.exp(-rate * t + (_B / _C + rate * _C / 2) ** 2) * math.erfc((_B - t) / _C + _C * rate / 2)
        for rate, share in _DECAYS
    )


@cache
def _flare_table():
    """Values of the flare at equal steps, index of the peak, step [width], and slower decay rate [per width]."""
    times = np.concatenate([np.linspace(-2.0, 3.0, 4001), np.linspace(3.0, 15.0, 1201)[1:]])
    values = np.array([_flare_at(t) for t in times.tolist()])
    peak = int(values.argmax())
    values /= values[peak]
    above = np.flatnonzero(values >= 0.5)
    first, last = above[0], above[-1]
    rise = np.interp(0.5, values[first - 1 : first + 1], times[first - 1 : first + 1])
    fall = np.interp(0.5, values[last : last + 2][::-1], times[last : last + 2][::-1])
    even = np.linspace(times[0], times[-1], 13601)
    return np.interp(even, times, values), peak, (even[1] - even[0]) / (fall - rise), _DECAYS[0][0] * (fall - rise)


def _flare(x):
    """Flare of Tovar Mendoza et al. 2022, scaled to its peak and width."""
    values, peak, step, rate = _flare_table()
    # Linear interpolation between equal steps, which needs no search for the interval.
    place = np.asarray(x) / step + peak
    index = np.clip(place, 0, len(values) - 2).astype(np.intp)
    low = values[index]
    height = low + np.minimum(place - index, 1.0) * (values[index + 1] - low)
    late = np.maximum(place - (len(values) - 1), 0.0)
    return np.where(place < 0, 0.0, height) * np.exp(-rate * step * late)


PROFILES = {
    "flare": Profile(_flare),
    "gaussian": Profile(_gaussian),
    "box": Profile(_box),
    "microlens": Profile(_microlens),
    "dip": Profile(_gaussian, sign=-1),
    "eclipse": Profile(_eclipse, sign=-1),
}
_OWN = frozenset(PROFILES)
# Tolerance on the peak and the full width at half maximum of a profile, and on any rise away from the peak.
_TOLERANCE = 0.01


def add_profiles(profiles):
    """Add user-defined shapes to `PROFILES`, replacing earlier additions with the same name.

    Parameters
    ----------
    profiles : dict of str to Profile
        Shapes by kind of event.

    Raises
    ------
    ValueError
        If a kind is built in, a sign is not 1 or -1, or a shape does not have a peak and a full width at half maximum
        of 1 or rises away from its peak.
    """
    for kind, profile in profiles.items():
        if kind in _OWN:
            raise ValueError(f"the profile '{kind}' has the name of a built-in one; rename it")
        try:
            wrong = _fault(profile)
        except Exception as error:
            wrong = f"raises {type(error).__name__} for an array of times ({error})"
        if wrong:
            raise ValueError(f"the profile '{kind}' {wrong}; correct it")
    PROFILES.update(profiles)


def _fault(profile):
    """Describe what is wrong with a profile; empty if nothing is."""
    if not isinstance(profile, Profile):
        return f"is a {type(profile).__name__}, not a vo_lib.profiles.Profile"
    if profile.sign not in (-1, 1):
        return f"has the sign {profile.sign!r}, which must be 1 or -1"
    grid, before, after = profile._sides
    if not np.shape(before) == np.shape(after) == np.shape(grid):
        return "does not give a value for each time"
    if not (np.isfinite(before) & np.isfinite(after)).all() or abs(after[0] - 1) > _TOLERANCE:
        return f"must be finite and 1 at its peak, it is {after[0]}"
    if any((side - np.minimum.accumulate(side) > _TOLERANCE).any() for side in (before, after)):
        return "rises away from its peak"
    width = sum(profile.reach(0.5))
    return f"has a full width at half maximum of {width:.3f}, not 1" if abs(width - 1) > _TOLERANCE else ""
