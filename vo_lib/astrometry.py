"""Convert positions to another epoch or to the ICRS, for many sources at once.

The motion is that of the Hipparcos and Gaia catalogs: uniform and along a straight line in space
(ESA 1997, SP-1200, vol. 1, section 1.5.5). The light-time effect is neglected; it is below 0.2 mas
in fifty years for the fastest and nearest stars (Butkevich & Lindegren 2014, A&A 570, A62).
"""

import erfa
import numpy as np

__all__ = ["EQUATORIAL", "FRAMES", "propagate", "to_icrs", "triad"]

# Frames whose longitude is a right ascension and may thus be given in hours.
EQUATORIAL = ("icrs", "fk5", "fk4")
FRAMES = (*EQUATORIAL, "galactic", "ecliptic")

# One au per Julian year in km/s, ESA 1997, SP-1200, vol. 1, table 1.2.2
_AU_PER_YEAR = 4.740470446
_MAS = float(np.radians(1 / 3.6e6))
_J2000_JD = 2451545.0


def propagate(ra, dec, *, epoch, to_epoch, pmra=0.0, pmdec=0.0, parallax=0.0, radial_velocity=0.0):
    """Compute positions of sources at another epoch, as seen from the barycentre of the solar system.

    Parameters
    ----------
    ra, dec : array_like of float
        Positions at `epoch` [degrees, ICRS].
    epoch, to_epoch : array_like of float
        Epochs of the given and of the wanted positions [Julian years, TCB or TDB].
    pmra, pmdec : array_like of float, optional
        Proper motions at `epoch` [mas/yr], in right ascension with cos(dec); NaN means none.
    parallax : array_like of float, optional
        Parallaxes [mas]; they matter only together with a radial velocity. NaN, zero and negative values mean none.
    radial_velocity : array_like of float, optional
        Radial velocities [km/s], positive for receding sources; NaN means none.

    Returns
    -------
    ra, dec : ndarray of float
        Positions at `to_epoch` [degrees, ICRS], ``0 <= ra < 360``, in the shape to which the arguments broadcast;
        unchanged to the last digit for a source that does not move. NaN where a position or an epoch is NaN.
    """
    ra, dec, epoch, to_epoch, *motion = np.broadcast_arrays(
        *(np.asarray(values, float) for values in (ra, dec, epoch, to_epoch, pmra, pmdec, parallax, radial_velocity))
    )
    pmra, pmdec, parallax, velocity = (np.where(np.isnan(values), 0.0, values) for values in motion)
    years = to_epoch - epoch
    stretch = 1 + velocity * np.maximum(parallax, 0.0) * _MAS / _AU_PER_YEAR * years
    direction, east, north = triad(np.radians(ra), np.radians(dec))
    shift = pmra * _MAS * years * east + pmdec * _MAS * years * north
    longitude, latitude = _angles(stretch * direction + shift)
    still = (years == 0) | ((pmra == 0) & (pmdec == 0))
    return np.where(still, np.mod(ra, 360.0) + 0 * years, longitude), np.where(still, dec + 0 * years, latitude)


def to_icrs(lon, lat, frame, *, pm_lon=None, pm_lat=None):
    """Convert positions, and proper motions if given, to the ICRS.

    Parameters
    ----------
    lon, lat : array_like of float, shape (n,)
        Positions [degrees].
    frame : str
        ``icrs``; ``fk5``, equinox J2000; ``fk4``, equinox and epoch B1950, without known proper motions; ``galactic``,
        as defined for the Hipparcos and Gaia catalogs; ``ecliptic``, mean of J2000.
    pm_lon, pm_lat : array_like of float, shape (n,), optional
        Proper motions in that frame [mas/yr], in longitude with cos(latitude), NaN if unknown; give both or neither.

    Returns
    -------
    ra, dec : ndarray of float, shape (n,)
        Positions [degrees, ICRS], ``0 <= ra < 360``.
    pmra, pmdec : ndarray of float, shape (n,)
        Proper motions [mas/yr]; returned only if they were given.

    Raises
    ------
    ValueError
        If the frame is unknown, or one proper motion is given without the other, or finite ones with ``fk4``.
    """
    if frame not in FRAMES:
        raise ValueError(f"frame must be one of {', '.join(FRAMES)}, got {frame!r}")
    if (pm_lon is None) != (pm_lat is None):
        raise ValueError("pm_lon and pm_lat belong together; give both or neither")
    if frame == "fk4" and pm_lon is not None and np.isfinite([pm_lon, pm_lat]).any():
        raise ValueError("proper motions in the frame fk4 cannot be turned into the ICRS; convert the catalog first")
    lon, lat = np.radians(np.asarray(lon, float)), np.radians(np.asarray(lat, float))
    if frame == "fk4":
        lon, lat = erfa.fk45z(lon, lat, 1950.0)
    matrix = _matrix(frame)
    direction, east, north = triad(lon, lat)
    position = _angles(_turn(matrix, direction))
    if pm_lon is None:
        return position
    motion = _turn(matrix, np.asarray(pm_lon, float) * east + np.asarray(pm_lat, float) * north)
    _, east, north = triad(*np.radians(position))
    return *position, np.sum(motion * east, axis=0), np.sum(motion * north, axis=0)


def _matrix(frame):
    """Return the rotation matrix from a frame to the ICRS."""
    if frame == "galactic":
        return erfa.s2c(*erfa.g2icrs([0.0, np.pi / 2, 0.0], [0.0, 0.0, np.pi / 2])).T
    if frame == "ecliptic":
        return erfa.ecm06(_J2000_JD, 0.0).T
    return np.eye(3) if frame == "icrs" else erfa.fk5hip()[0]


def _turn(matrix, vectors):
    """Rotate vectors of shape (3, ...)."""
    return np.tensordot(matrix, vectors, axes=1)


def triad(lon, lat):
    """Return the unit vectors toward positions and, perpendicular to those, toward their east and north.

    Parameters
    ----------
    lon, lat : ndarray of float, shape (...)
        Positions [radians].

    Returns
    -------
    direction, east, north : ndarray of float, shape (3, ...)
        Unit vectors, NaN where a position is NaN.
    """
    sin_lon, cos_lon, sin_lat, cos_lat = np.sin(lon), np.cos(lon), np.sin(lat), np.cos(lat)
    zero = np.zeros_like(lon * lat)
    direction = np.stack([cos_lat * cos_lon, cos_lat * sin_lon, sin_lat + zero])
    east = np.stack([zero - sin_lon, zero + cos_lon, zero])
    return direction, east, np.stack([-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat + zero])


def _angles(vectors):
    """Return longitude, ``0 <= longitude < 360``, and latitude [degrees] of vectors of shape (3, ...)."""
    x, y, z = vectors
    longitude = np.degrees(np.arctan2(y, x)) % 360.0
    return np.where(longitude == 360.0, 0.0, longitude), np.degrees(np.arctan2(z, np.hypot(x, y)))
