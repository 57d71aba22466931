"""Small offsets between positions on the sky, and displacement by them; correct at RA 0 and at the poles."""

import numpy as np

__all__ = ["NEAR", "SAME_OBJECT_ARCSEC", "displace", "offsets", "offsets_nearby"]

# Positions of one name that are farther apart than this belong to two objects [arcsec].
SAME_OBJECT_ARCSEC = 10.0
# Angle up to which two terms of the series give its sine to a relative 1e-14 [rad].
NEAR = 1e-3
_ARCSEC = np.degrees(1.0) * 3600.0
# Positions processed at a time, so that their arrays stay in the processor's cache.
_BLOCK = 1 << 14


def displace(ra, dec, *, east, north):
    """Move positions by small distances on the sky.

    The steps are made in the tangent plane at each position, so they are correct at the poles
    and across right ascension 0. This is the standard model of proper motion without radial
    velocity (ESA 1997, The Hipparcos and Tycho Catalogues, SP-1200, vol. 1, section 1.5.5).

    Parameters
    ----------
    ra, dec : float or ndarray
        Positions [degrees].
    east, north : float or ndarray
        Steps [arcsec].

    Returns
    -------
    ra, dec : float or ndarray
        New positions [degrees], right ascension in [0, 360).
    """
    ra, dec, east, north = np.radians(ra), np.radians(dec), np.radians(east / 3600), np.radians(north / 3600)
    outward = np.cos(dec) - north * np.sin(dec)
    x = outward * np.cos(ra) - east * np.sin(ra)
    y = outward * np.sin(ra) + east * np.cos(ra)
    z = np.sin(dec) + north * np.cos(dec)
    longitude = np.degrees(np.arctan2(y, x)) % 360
    # The remainder of a tiny negative number is rounded to 360.
    return np.where(longitude < 360, longitude, 0.0)[()], np.degrees(np.arctan2(z, np.hypot(x, y)))


def offsets(ra, dec, center_ra, center_dec):
    """Compute the offsets of positions from centres, in the tangent plane at each centre.

    Parameters
    ----------
    ra, dec, center_ra, center_dec : ndarray of float, shape (n,)
        Positions and centres [degrees]; each may also be a single number.

    Returns
    -------
    east, north : ndarray of float, shape (n,)
        Offsets [arcsec], to a relative 1e-5 within a quarter of a degree; both one radian if the position is 90
        degrees or more from the centre; NaN where the position is.
    """
    if np.size(ra) <= _BLOCK:
        return _project(ra, dec, center_ra, center_dec)
    cuts = np.arange(_BLOCK, len(ra), _BLOCK)
    whole = np.broadcast_arrays(ra, dec, center_ra, center_dec)
    blocks = zip(*(np.split(values, cuts) for values in whole), strict=True)
    east, north = zip(*(_project(*block) for block in blocks), strict=True)
    return np.concatenate(east), np.concatenate(north)


def offsets_nearby(turn, rise, sine, cosine):
    """Compute offsets in the tangent plane at a centre, for positions less than 90 degrees away in declination.

    Parameters
    ----------
    turn, rise : ndarray of float, shape (n,)
        Right ascension and declination minus those of the centre [rad].
    sine, cosine : float or ndarray of float, shape (n,)
        Sine and cosine of the declination of the centre.

    Returns
    -------
    east, north : ndarray of float, shape (n,)
        Offsets [rad].
    """
    # Sines of small differences are exact, and their cosines are positive.
    half, north = _sine(turn / 2), _sine(rise)
    flat = cosine * np.sqrt(1 - north * north) - sine * north
    east = 2 * flat * half
    north += east * half * sine
    return east * np.sqrt(1 - half * half), north


def _sine(angle):
    """Sine, from its series if all angles are small."""
    return np.sin(angle) if (np.abs(angle) > NEAR).any() else angle * (1 - angle * angle / 6)


def _project(ra, dec, center_ra, center_dec):
    """Offsets east and north of one block of positions."""
    turn, rise, center = np.radians(ra - center_ra), np.radians(dec - center_dec), np.radians(center_dec)
    sine, cosine = np.sin(center), np.cos(center)
    if not ((np.abs(turn) > NEAR) | (np.abs(rise) > NEAR)).any():
        return tuple(_ARCSEC * axis for axis in offsets_nearby(turn, rise, sine, cosine))
    delta = np.radians(dec)
    up, flat, across = np.sin(delta), np.cos(delta), np.cos(turn)
    behind = up * sine + flat * cosine * across <= 0
    east, north = flat * np.sin(turn), up * cosine - flat * sine * across
    return np.where(behind, _ARCSEC, east * _ARCSEC), np.where(behind, _ARCSEC, north * _ARCSEC)
