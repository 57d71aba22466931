"""Numbers, position and motion of a source from its row of the catalog, as surveys need them for a request."""

import numpy as np

from vo_lib.astrometry import propagate
from vo_lib.catalogs.columns import DEFAULT_EPOCH

__all__ = ["cone_radius_deg", "motion_arcsec", "number_of", "position_at", "proper_motion"]


def number_of(cat_row, name):
    """Return a number from a row of a catalog, or None if it is missing, None or NaN (as in a row of a DataFrame)."""
    value = cat_row.get(name)
    return None if value is None or np.isnan(value) else value


def proper_motion(cat_row):
    """Return the proper motion of a source east and north [mas/yr], 0 if missing."""
    return number_of(cat_row, "pmra") or 0.0, number_of(cat_row, "pmdec") or 0.0


def motion_arcsec(cat_row, years):
    """Return how far a source moves in a number of years [arcsec]."""
    return np.hypot(*proper_motion(cat_row)) / 1000 * years


def cone_radius_deg(cat_row, radius_arcsec, years, max_arcsec=np.inf):
    """Return the radius [degrees] of a circle around a star and its path of so many years each way, within a limit."""
    return min(radius_arcsec + motion_arcsec(cat_row, years), max_arcsec) / 3600


def position_at(cat_row, year):
    """Return the position of a source at another time; a missing proper motion or parallax counts as zero.

    Parameters
    ----------
    cat_row : dict
        Row of the catalog; the default epoch is that of Gaia DR3.
    year : float or ndarray
        Julian year.

    Returns
    -------
    ra, dec : float or ndarray
        Position [degrees].
    """
    epoch = number_of(cat_row, "epoch")
    motion = {name: cat_row.get(name) for name in ("pmra", "pmdec", "parallax")}
    start = DEFAULT_EPOCH if epoch is None else epoch
    ra, dec = propagate(cat_row["ra"], cat_row["dec"], epoch=start, to_epoch=year, **motion)
    return ra[()], dec[()]
