"""Positions on a grid, for example for forced photometry of blank sky: an example of a catalog of your own.

catalog:
  class: extensions.sky_grid:SkyGrid
  kwargs: {ra: 45, dec: 12, size_deg: 0.5, step_deg: 0.1}
"""

import numpy as np

from vo_lib.source_list import SourceList

__all__ = ["SkyGrid"]


class SkyGrid(SourceList):
    """Grid of positions around a centre.

    Parameters
    ----------
    ra, dec : float
        Centre [degrees, ICRS].
    size_deg, step_deg : float, optional
        Length of a side, and distance between neighbours [degrees on the sky].
    """

    def __init__(self, *, ra, dec, size_deg=1.0, step_deg=0.1):
        if not 0 < step_deg <= size_deg:
            raise ValueError(f"step_deg must be above 0 and not above size_deg, got {step_deg}")
        self.centre, number = (ra, dec), round(size_deg / step_deg)
        self.offsets = step_deg * (np.arange(number + 1) - number / 2)

    def rows(self):
        """Return the positions, named by their row and column."""
        ra, dec = self.centre
        return [
            {"name": f"grid_{row:03d}_{column:03d}", "ra": (ra + x / np.cos(np.radians(dec + y))) % 360, "dec": dec + y}
            for row, y in enumerate(self.offsets.tolist())
            for column, x in enumerate(self.offsets.tolist())
        ]
