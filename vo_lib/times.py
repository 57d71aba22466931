"""Conversion of survey times to UTC at the observatory and to BJD_TDB, for millions of epochs at once.

All corrections are computed in seconds and added to the survey's own numbers once, at the
end, so that a time that needs no conversion is returned unchanged.

The light travel time is that of a plane wave, ``position . direction / c``, as in
Eastman, Siverd & Gaudi 2010, PASP 122, 935 (their Roemer delay; the Shapiro and Einstein
terms of the observatory's position are below 0.02 ms). It agrees with
``astropy.time.Time.light_travel_time`` and the built-in ephemeris to 0.1 ms.
"""

from dataclasses import dataclass
from functools import lru_cache

import erfa
import numpy as np

from vo_lib.astrometry import triad
from vo_lib.segments import run_starts

__all__ = ["MJD_J2000", "MJD_ZERO_JD", "REFERENCES", "SCALES", "STAMPS", "TimeSystem", "standard_times"]

MJD_ZERO_JD = 2400000.5
MJD_J2000 = 51544.5

SCALES = ("utc", "tai", "tt", "tdb", "tcb")
REFERENCES = ("observatory", "geocentre", "heliocentre", "barycentre")
STAMPS = {"start": 0.5, "mid": 0.0, "end": -0.5}

_DAY = 86400.0
_AU_SECONDS = erfa.DAU / erfa.CMPS
# erfa.epv00 is valid from 1900 to 2100; the error of cubic interpolation grows as the fourth power of
# the step and is 0.06 ms here, mostly due to the Moon.
_FIRST_MJD, _STEP, _INTERVALS = 15020.0, 4.0, 18262
_LAST_MJD = _FIRST_MJD + _STEP * _INTERVALS
# Intervals in a cached piece of the ephemeris, which takes about 7 ms to compute.
_CHUNK = 128
# Epochs converted at a time, so that intermediate arrays stay in the cache.
_BLOCK = 1 << 14
# Earth rotation angle [turns] at J2000.0 and turns per day, IERS Conventions 2010, eq. 5.15.
_ERA_J2000, _ERA_RATE = 0.7790572732640, 1.00273781191135448
# Motion of the celestial pole along X [radians per day], the linear term of IERS Conventions 2010, eq. 5.16.
_POLE_RATE = 2004.191903 * erfa.DAS2R / erfa.DJC
# MJD at which TCB and TDB differ only by erfa.TDB0, IAU 2006 resolution B3.
_TCB_ZERO_MJD = 43144.0003725


@dataclass(frozen=True)
class TimeSystem:
    """Definition of a survey's times.

    Parameters
    ----------
    scale : str
        Time scale: ``utc``, ``tai``, ``tt``, ``tdb`` or ``tcb``.
    reference : str
        Where the wavefront is at that time: ``observatory``, ``geocentre``, ``heliocentre`` or ``barycentre``.
    stamp : str
        Point in the exposure: ``start``, ``mid`` or ``end``.
    zero_jd : float
        Julian date of time 0 [days]: 2400000.5 for MJD, 0 for JD, 2457000 for BTJD.

    Raises
    ------
    ValueError
        If a parameter has an unknown value.
    """

    scale: str
    reference: str
    stamp: str
    zero_jd: float

    def __post_init__(self):
        for name, known in (("scale", SCALES), ("reference", REFERENCES), ("stamp", tuple(STAMPS))):
            if (value := getattr(self, name)) not in known:
                raise ValueError(f"time system: {name} must be one of {', '.join(known)}, got {value!r}")
        if not np.isfinite(self.zero_jd):
            raise ValueError(f"time system: zero_jd must be a Julian date, got {self.zero_jd!r}")


def standard_times(time, system, *, exptime, ra, dec, moved=(0.0, 0.0), site=None):
    """Convert survey times to the two time columns of a reduced lightcurve.

    The shift to the middle of the exposure is made at the observatory, where the shutter is. Times that a
    survey gives for another place are first converted to the observatory by fixed-point iteration.

    Parameters
    ----------
    time : array_like of float, shape (n_epochs,)
        Times as the survey gives them [days], in any order.
    system : TimeSystem
        Definition of these times.
    exptime : float or array_like, shape (n_epochs,)
        Exposure times [s]; not used if the stamp is ``mid``.
    ra, dec : float or array_like, shape (n_epochs,)
        Direction of the source [degrees, ICRS]; fastest if successive epochs have the same direction.
    moved : tuple of float or array_like, shape (n_epochs,), optional
        Displacement of the source from there to the east and north, in the tangent plane [arcsec].
    site : tuple of float, optional
        Longitude [degrees east], geodetic latitude [degrees] and height [m] of the observatory
        on the WGS84 ellipsoid; by default the observatory is at the geocentre.

    Returns
    -------
    mjd : ndarray of float, shape (n_epochs,)
        Middle of the exposure [MJD, UTC, at the observatory].
    bmjd_tdb : ndarray of float, shape (n_epochs,)
        Middle of the exposure [BJD_TDB - 2400000.5].
        Both are NaN where the time (or a required exposure time) is NaN or the time is outside
        1900-2099, the range of the ephemeris; `bmjd_tdb` is also NaN where the direction is NaN.
        Before 1972, UTC is taken to be TAI - 10 s. Empty without epochs.

    Raises
    ------
    ValueError
        If the shapes do not agree.
    """
    time = np.atleast_1d(np.asarray(time, float))
    shift = STAMPS[system.stamp] * np.asarray(exptime, float) if STAMPS[system.stamp] else 0.0
    try:
        inputs = (time, shift, ra, dec, *moved)
        inputs = [np.broadcast_to(np.asarray(values, float), time.shape) for values in inputs]
    except ValueError:
        raise ValueError(
            f"exptime, ra, dec and moved must be numbers or have shape {time.shape} like the times"
        ) from None
    if time.ndim != 1:
        raise ValueError(f"times must be one-dimensional, got shape {time.shape}")
    mjd, bmjd_tdb = np.empty((2, len(time)))
    site = None if site is None else erfa.gd2gc(1, *np.radians(site[:2]), site[2]) / erfa.CMPS
    for start in range(0, len(time), _BLOCK):
        span = slice(start, start + _BLOCK)
        times, shifts, *place = (values[span] for values in inputs)
        mjd[span], bmjd_tdb[span] = _convert(system, site, times, shifts, _directions(*place))
    return mjd, bmjd_tdb


def _directions(ra, dec, *moved):
    """Unit vectors toward sources, from their positions [degrees] and displacements [arcsec], shape (3, n_epochs)."""
    first = run_starts(ra, dec)
    place = np.cumsum(first) - 1
    direction, east, north = triad(np.radians(ra[first]), np.radians(dec[first]))
    direction = direction.take(place, axis=1)
    if not np.any(moved):
        return direction
    east_by, north_by = (np.radians(values / 3600.0) for values in moved)
    direction += east.take(place, axis=1) * east_by
    direction += north.take(place, axis=1) * north_by
    return direction / np.sqrt(1 + east_by * east_by + north_by * north_by)


def _convert(system, site, time, shift, direction):
    """Convert a block of epochs; `shift` is the time from the stamp to the middle of the exposure [s]."""
    time = time + (system.zero_jd - MJD_ZERO_JD)
    time = np.where((time >= _FIRST_MJD + 1) & (time < _LAST_MJD - 1), time, np.nan)
    leap_seconds = _leap_seconds()
    to_tt = _to_tt(time, system.scale, leap_seconds)
    path = _Path(time + to_tt / _DAY, direction, site, leap_seconds)
    later = -path.arrival(system.reference) + shift
    tt = to_tt + later
    to_utc = tt - erfa.TTMTAI - _tai_minus_utc(time + (tt - erfa.TTMTAI) / _DAY, leap_seconds, "tai")
    to_bmjd = tt + path.tdb_minus_tt + path.delay("barycentre", later)
    return time + to_utc / _DAY, time + to_bmjd / _DAY


def _leap_seconds():
    """Nodes of TAI - UTC as a piecewise linear function, from the table of erfa: (MJD UTC, seconds).

    A day with a leap second has 86,401 s, which its MJD counts evenly (the quasi-JD of SOFA,
    also used by astropy), so the difference increases linearly during that day.
    """
    table = erfa.leap_seconds.get()
    table = table[table["year"] >= 1972]
    days = erfa.cal2jd(table["year"], table["month"], 1)[1]
    corners = np.column_stack([days[1:] - 1, days[1:]]).ravel()
    return corners, np.column_stack([table["tai_utc"][:-1], table["tai_utc"][1:]]).ravel()


def _tai_minus_utc(mjd, leap_seconds, scale):
    """TAI - UTC [s] at times in UTC or TAI; the last known value for the future."""
    corners, seconds = leap_seconds
    return np.interp(mjd, corners + seconds / _DAY if scale == "tai" else corners, seconds)


def _to_tt(mjd, scale, leap_seconds):
    """Seconds to add to MJD in a time scale to get MJD in TT."""
    if scale == "tt":
        return np.zeros(len(mjd))
    if scale == "tai":
        return np.full(len(mjd), erfa.TTMTAI)
    if scale == "utc":
        return erfa.TTMTAI + _tai_minus_utc(mjd, leap_seconds, "utc")
    to_tdb = erfa.TDB0 - erfa.ELB * (mjd - _TCB_ZERO_MJD) * _DAY if scale == "tcb" else np.zeros(len(mjd))
    return to_tdb - _Nodes(mjd + to_tdb / _DAY).tdb_minus_tt()


class _Path:
    """Light path from sources to the observatory, around given times [MJD, TT].

    Parameters
    ----------
    tt : ndarray of float, shape (n_epochs,)
        Times to which the argument ``later`` of the methods is relative [MJD, TT].
    direction : ndarray of float, shape (3, n_epochs)
        Unit vectors toward the sources.
    site : ndarray of float, shape (3,), or None
        Geocentric position of the observatory in the Earth-fixed frame [light seconds].
    leap_seconds : tuple
        See `_leap_seconds`. UT1 is taken to be UTC (within 0.9 s, or 1.4 microseconds of light time).
    """

    def __init__(self, tt, direction, site, leap_seconds):
        self._nodes = _Nodes(tt)
        self._site = site
        self._direction = x, y, z = direction
        self._cubics = {}
        self.tdb_minus_tt = self._nodes.tdb_minus_tt()
        if site is not None:
            tai = tt - erfa.TTMTAI / _DAY
            days = tai - _tai_minus_utc(tai, leap_seconds, "tai") / _DAY - MJD_J2000
            turn = 2 * np.pi * (_ERA_J2000 + days % 1.0 + (_ERA_RATE - 1) * days)
            self._turned = np.cos(turn), np.sin(turn)
            # Directions relative to the equator and pole of date; neglecting nutation costs 0.002 ms.
            pole = _POLE_RATE * days
            self._of_date = x - pole * z, y, z + pole * x

    def delay(self, reference, later):
        """Light time from the observatory's wavefront to that of a reference [s], at `later` [s] after the times."""
        if reference == "observatory":
            return np.zeros(len(self._direction[0]))
        seconds = self._site_delay(later) if self._site is not None else 0.0
        if reference == "geocentre":
            return seconds + np.zeros(len(self._direction[0]))
        if reference not in self._cubics:
            self._cubics[reference] = self._nodes.project(reference, self._direction)
        a, b, c, d = self._cubics[reference]
        u = self._nodes.fraction + later / (_STEP * _DAY)
        return seconds + (a + u * (b + u * (c + u * d)))

    def arrival(self, reference):
        """Light time to a reference [s] for a wavefront that is at the *reference* at the given times.

        The observatory moves at 1e-4 of the speed of light, so each iteration gains four digits
        and three iterations reduce an error of at most 500 s to a nanosecond.
        """
        seconds = 0.0
        for _ in range(3 if reference != "observatory" else 1):
            seconds = self.delay(reference, -seconds)
        return seconds

    def _site_delay(self, later):
        """Light time from the site to the geocentre [s], neglecting polar motion (0.0001 ms)."""
        x, y, z = self._site
        cosine, sine = self._turned
        if np.any(later):
            # At most 0.05 radians; the fifth-order term is 0.1 ns of light time from the site.
            step = 2 * np.pi * _ERA_RATE / _DAY * later
            square = step * step
            aside, along = step * (1 - square / 6), 1 - square / 2 * (1 - square / 12)
            cosine, sine = cosine * along - sine * aside, sine * along + cosine * aside
        ahead, side, up = self._of_date
        return cosine * (x * ahead + y * side) + sine * (x * side - y * ahead) + z * up


class _Nodes:
    """Interpolation in the grid of the ephemeris at given times.

    Parameters
    ----------
    mjd : ndarray of float, shape (n_epochs,)
        Times [MJD, TT or TDB]; NaN gives NaN.
    """

    def __init__(self, mjd):
        place = (mjd - _FIRST_MJD) / _STEP
        index = np.where(np.isnan(place), 0.0, place).astype(np.int64)
        self.fraction = place - index
        present = index[~np.isnan(place)]
        first, last = (int(present.min()), int(present.max())) if present.size else (0, 0)
        pieces = [_ephemeris(chunk) for chunk in range(first // _CHUNK, last // _CHUNK + 1)]
        self._index = np.clip(index - first // _CHUNK * _CHUNK, 0, None)
        self._tables = {name: np.concatenate([piece[name] for piece in pieces], axis=-1) for name in pieces[0]}

    def tdb_minus_tt(self):
        """TDB - TT [s] at the geocentre; the observatory's own term is 0.002 ms."""
        value, slope = (row.take(self._index) for row in self._tables["tdb_minus_tt"])
        return value + self.fraction * slope

    def project(self, reference, direction):
        """Coefficients of the Earth's position along directions [light seconds], as cubics in `fraction`."""
        return [
            sum(axis.take(self._index) * cosine for axis, cosine in zip(power, direction, strict=True))
            for power in self._tables[reference]
        ]


@lru_cache(maxsize=512)
def _ephemeris(chunk):
    """Piece of the ephemeris: cubic Hermite coefficients [light seconds] (4, 3, _CHUNK) per reference, and TDB - TT."""
    mjd = _FIRST_MJD + _STEP * np.clip(np.arange(_CHUNK + 1) + chunk * _CHUNK, None, _INTERVALS)
    places = dict(zip(("heliocentre", "barycentre"), erfa.epv00(MJD_ZERO_JD, mjd), strict=True))
    tables = {
        name: _hermite(place["p"].T * _AU_SECONDS, place["v"].T * _AU_SECONDS * _STEP) for name, place in places.items()
    }
    tdb = erfa.dtdb(MJD_ZERO_JD, mjd, 0.0, 0.0, 0.0, 0.0)
    return {**tables, "tdb_minus_tt": np.stack([tdb[:-1], np.diff(tdb)])}


def _hermite(value, slope):
    """Coefficients of the cubics through values with given slopes (per step); the power is the first axis."""
    rise = np.diff(value)
    begin, end = slope[..., :-1], slope[..., 1:]
    return np.stack([value[..., :-1], begin, 3 * rise - 2 * begin - end, begin + end - 2 * rise])
