"""Templates of the matched filter: shapes of events, and widths such that neighbouring templates are alike.

Events that differ only in sign, such as ``gaussian`` and ``dip``, share a kernel. A kernel is a table of the
profile before and after its peak, cut where it falls below `CUT` of the peak.
"""

import math
from dataclasses import dataclass, field
from functools import cache, cached_property

import numpy as np

from vo_lib.profiles import PROFILES

__all__ = ["CELLS", "CUT", "STEPS", "Kernel", "make_kernels", "make_widths", "ratio_of"]

# A template is 0 where it is below this fraction of its peak.
CUT = 0.15
# Steps of a table in one full width at half maximum.
STEPS = 128
# Cells of time in one full width at half maximum.
CELLS = 4


@dataclass(frozen=True, eq=False)
class Kernel:
    """One shape of events, brighter, fainter or both.

    Parameters
    ----------
    kinds : dict of int to str
        Name of the events in `vo_lib.profiles.PROFILES`, by sign.
    before, after : ndarray of float
        Profile in steps of `1 / STEPS` of the width before and after the peak; both start at the peak and end with 0.
    """

    kinds: dict
    before: np.ndarray = field(repr=False)
    after: np.ndarray = field(repr=False)

    @property
    def reach(self):
        """How far the kernel extends before and after its peak [full width at half maximum]."""
        return (len(self.before) - 1) / STEPS, (len(self.after) - 1) / STEPS

    def __call__(self, x):
        """Evaluate the profile at times after the peak [full width at half maximum], an array of any shape."""
        step = np.rint(np.asarray(x) * STEPS).astype(np.int64)
        before, after = self.before.take(-step, mode="clip"), self.after.take(step, mode="clip")
        return np.where(step < 0, before, after)

    @cached_property
    def in_cells(self):
        """Kernel as a function of the distance of two cells, averaged over epochs anywhere in them; 1 at the peak."""
        fine, cell = np.concatenate([self.before[:0:-1], self.after]), STEPS // CELLS
        mean = np.convolve(fine, np.convolve(np.ones(cell), np.ones(cell)) / cell**2)
        peak = len(self.before) + cell - 2
        mean[peak] = 1.0
        return Kernel(self.kinds, np.append(mean[peak::-1], 0.0), np.append(mean[peak:], 0.0))


def make_widths(least, greatest, overlap):
    """Choose the widths of templates so that neighbours are alike.

    Parameters
    ----------
    least, greatest : float
        Range of full widths at half maximum [days].
    overlap : float
        Least correlation of two Gaussians with neighbouring widths, above 0 and below 1.

    Returns
    -------
    ndarray of float
        Widths in equal ratios, including the least and the greatest [days].
    """
    if not 0 < least <= greatest < np.inf:
        raise ValueError(f"widths must be positive and in order, got {least!r} and {greatest!r}")
    if not 0 < overlap < 1:
        raise ValueError(f"overlap must be above 0 and below 1, got {overlap!r}")
    number = 1 + math.ceil(math.log(greatest / least) / math.log(ratio_of(overlap)) - 1e-9)
    return np.geomspace(least, greatest, number)


def ratio_of(overlap):
    """Return the ratio r of the widths of two Gaussians whose correlation, sqrt(2 r / (1 + r**2)), is the overlap."""
    return (1 + math.sqrt(1 - overlap**4)) / overlap**2


def make_kernels(shapes):
    """Make the kernels of some shapes of events.

    Parameters
    ----------
    shapes : tuple of str
        Names in `vo_lib.profiles.PROFILES`.

    Returns
    -------
    tuple of Kernel

    Raises
    ------
    ValueError
        For an unknown shape, or without shapes.
    """
    unknown = sorted(set(shapes) - set(PROFILES))
    if unknown or not shapes:
        raise ValueError(f"shapes must be some of {', '.join(PROFILES)}, got {', '.join(shapes) or 'none'}")
    return _make_kernels(shapes, tuple(PROFILES[name] for name in shapes))


@cache
def _make_kernels(shapes, profiles):
    """Make the kernels; the profiles are arguments so that the cache notices if a name gets another profile."""
    kernels = []
    for function in dict.fromkeys(profile.shape for profile in profiles):
        alike = {name: each for name, each in zip(shapes, profiles, strict=True) if each.shape is function}
        kinds = {each.sign: name for name, each in alike.items()}
        kernels.append(Kernel(kinds, *(_table(next(iter(alike.values())), side) for side in (0, 1))))
    return tuple(kernels)


def _table(profile, side):
    """Tabulate a profile on one side of its peak: 0 before, 1 after."""
    x = np.arange(math.floor(profile.reach(CUT)[side] * STEPS + 0.5) + 1) / STEPS
    return np.append(profile.shape(x if side else -x), 0.0)
