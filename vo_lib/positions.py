"""Small offsets on the sky, right at RA 0 and at the poles."""

import numpy as np

__all__ = ["offsets"]

_ARCSEC = np.degrees(1.0) * 3600.0


def offsets(ra, dec, center_ra, center_dec):
    """Offsets of positions from centres, in the plane that touches the sphere at each centre.

    Parameters
    ----------
    ra, dec, center_ra, center_dec : ndarray of float, shape (n,)
        Positions and centres [degrees].

    Returns
    -------
    east, north : ndarray of float, shape (n,)
        Offsets [arcsec], good to 1e-5 of themselves within a quarter of a degree; one radian
        each beyond 90 degrees; NaN where a position is.
    """
    turn, delta, center = np.radians(ra - center_ra), np.radians(dec), np.radians(center_dec)
    sine, cosine, across = np.sin(delta), np.cos(delta), np.cos(turn)
    toward = sine * np.sin(center) + cosine * np.cos(center) * across
    east = cosine * np.sin(turn)
    north = sine * np.cos(center) - cosine * np.sin(center) * across
    behind = toward <= 0
    return np.where(behind, _ARCSEC, east * _ARCSEC), np.where(behind, _ARCSEC, north * _ARCSEC)
