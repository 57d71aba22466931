"""Bins of right ascension, the unit of work and of files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vo_lib.errors import ConfigError
from vo_lib.files import read_json, write_json

__all__ = ["Bins", "check_width", "claim_width"]

WIDTH_FILE = "bins.json"

# Far more than rounding errors of degrees, far less than any radius [degrees].
_MARGIN_DEG = 1e-9


@dataclass(frozen=True)
class Bins:
    """Equal bins of right ascension, named by their lower edge.

    Parameters
    ----------
    width_deg : float, optional
        Width of a bin [degrees]: a whole number that divides 360, or one degree divided by
        a whole number, with at most four decimals (0.5, 0.25, 0.1, 0.05, ...).
    """

    width_deg: float = 1.0

    def __post_init__(self):
        width = self.width_deg
        whole = width >= 1 and float(width).is_integer() and 360 % width == 0
        part = 0 < width < 1 and float(round(1 / width, 9)).is_integer() and round(width, 4) == width
        if not (whole or part):
            raise ConfigError(
                f"bins.width_deg must be whole degrees that divide 360 or a decimal fraction of one degree, "
                f"got {width!r}; use for example 1, 5, 0.5 or 0.1"
            )

    @property
    def number(self):
        """Number of bins around the sky."""
        return round(360 / self.width_deg)

    def index(self, ra):
        """Compute the bin of each right ascension.

        Parameters
        ----------
        ra : array_like of float
            Right ascension [degrees]; it may lie outside 0 to 360.

        Returns
        -------
        ndarray of int64
            ``floor(ra mod 360 / width)``; 360.0 is in bin 0.
        """
        turns = np.mod(np.asarray(ra, dtype=float), 360.0)
        # 0.3 / 0.1 is 2.9999999999999996 but 0.3 * 10 is 3, which puts an edge into its own bin.
        edges = turns * round(1 / self.width_deg) if self.width_deg < 1 else turns / self.width_deg
        return np.floor(edges).astype(np.int64) % self.number

    def around(self, ra, dec, radius_deg):
        """Find the bins that a circle on the sky touches.

        Parameters
        ----------
        ra, dec : float
            Centre of the circle [degrees].
        radius_deg : float
            Radius of the circle [degrees].

        Returns
        -------
        ndarray of int64
            Each bin once, from west to east; all bins if a pole is inside.
        """
        if abs(dec) + radius_deg >= 90:
            return np.arange(self.number)
        half = np.degrees(np.arcsin(np.sin(np.radians(radius_deg)) / np.cos(np.radians(dec)))) + _MARGIN_DEG
        first, last = np.floor(np.array([ra - half, ra + half]) / self.width_deg).astype(np.int64)
        return np.arange(first, min(last, first + self.number - 1) + 1) % self.number

    def name(self, index):
        """Name a bin by its lower edge: ``RA123``, or ``RA123.50`` if bins are finer than a degree."""
        if self.width_deg >= 1:
            return f"RA{round(index * self.width_deg):03d}"
        decimals = max(2, len(str(self.width_deg).partition(".")[2]))
        return f"RA{index * self.width_deg:0{4 + decimals}.{decimals}f}"


def claim_width(data_root, width_deg):
    """Record the bin width of a data root, or check it against the recorded one.

    Parameters
    ----------
    data_root : str or Path
        The data root; created when absent.
    width_deg : float
        Width of a bin [degrees].

    Raises
    ------
    ConfigError
        If the data root was made with another width.
    """
    path = Path(data_root) / WIDTH_FILE
    check_width(data_root, width_deg)
    if not path.exists():
        write_json(path, {"width_deg": width_deg})


def check_width(data_root, width_deg):
    """Raise `ConfigError` if another bin width is recorded for a data root; write nothing."""
    path = Path(data_root) / WIDTH_FILE
    if path.exists() and (known := read_json(path).get("width_deg")) != width_deg:
        raise ConfigError(
            f"bins.width_deg is {width_deg} but {path} says {known}: one data root has one width; "
            f"set bins.width_deg to {known} or choose another data_root"
        )
