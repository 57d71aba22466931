"""Small offsets on the sky, right at RA 0 and at the poles."""

import numpy as np

__all__ = ["offsets"]

_ARCSEC = np.degrees(1.0) * 3600.0
# Positions that are looked at together, so that their arrays stay in the cache of the processor.
_BLOCK = 1 << 14


def offsets(ra, dec, center_ra, center_dec):
    """Offsets of positions from centres, in the plane that touches the sphere at each centre.

    Parameters
    ----------
    ra, dec, center_ra, center_dec : ndarray of float, shape (n,)
        Positions and centres [degrees]; or a number each.

    Returns
    -------
    east, north : ndarray of float, shape (n,)
        Offsets [arcsec], good to 1e-5 of themselves within a quarter of a degree; one radian
        each beyond 90 degrees; NaN where a position is.
    """
    if np.size(ra) <= _BLOCK:
        return _project(ra, dec, center_ra, center_dec)
    cuts = np.arange(_BLOCK, len(ra), _BLOCK)
    blocks = zip(*(np.split(values, cuts) for values in (ra, dec, center_ra, center_dec)), strict=True)
    east, north = zip(*(_project(*block) for block in blocks), strict=True)
    return np.concatenate(east), np.concatenate(north)


def _project(ra, dec, center_ra, center_dec):
    """Offsets east and north of one block of positions."""
    turn, delta, center = np.radians(ra - center_ra), np.radians(dec), np.radians(center_dec)
    sine, cosine, across = np.sin(delta), np.cos(delta), np.cos(turn)
    center_sine, center_cosine = np.sin(center), np.cos(center)
    toward = sine * center_sine + cosine * center_cosine * across
    east = cosine * np.sin(turn)
    north = sine * center_cosine - cosine * center_sine * across
    behind = toward <= 0
    return np.where(behind, _ARCSEC, east * _ARCSEC), np.where(behind, _ARCSEC, north * _ARCSEC)
