"""SQL conditions, order and limit of a search by `vo_lib.criteria`, with checks of the given values."""

import numpy as np
import sqlalchemy as sa

from vo_lib.catalogs.sexagesimal import parse_dec, parse_ra
from vo_lib.criteria import ORDERS
from vo_lib.database.models import Detection, Lightcurve, Properties, Source
from vo_lib.errors import UserError
from vo_lib.text import is_storable

__all__ = ["conditions", "name_conditions", "order_of", "parse_limit", "parse_names"]

MOST = 2**63 - 1  # greatest LIMIT of PostgreSQL

# Columns that criteria and orders refer to: magnitude, first and last time, S/N, number of good epochs.
_VALUES = {
    Source: (Source.mag, Properties.mjd_first, Properties.mjd_last, Properties.best_snr, Properties.n_good),
    Lightcurve: (
        Lightcurve.mag_median,
        Lightcurve.mjd_first,
        Lightcurve.mjd_last,
        Lightcurve.snr_max,
        Lightcurve.n_good,
    ),
    Detection: (
        Detection.peak_mag,
        Detection.start_mjd,
        Detection.end_mjd,
        sa.func.abs(Detection.snr),
        Lightcurve.n_good,
    ),
}

# Units of criteria that may be given as astropy quantities.
_UNITS = {"ra": "deg", "dec": "deg", "radius_arcsec": "arcsec", "ra_range": "deg", "dec_range": "deg"}


def conditions(model, given):
    """Yield conditions on the position and the measured values of rows.

    Parameters
    ----------
    model : type
        `Source`, `Lightcurve` or `Detection`; the query joins what `_VALUES` has for it.
    given : dict
        Values of criteria, without those that are None.

    Raises
    ------
    UserError
        If a value is not valid.
    """
    given = {name: _in_unit(name, value) for name, value in given.items()}
    yield from _place(given)
    yield from _values(model, given)


def name_conditions(given):
    """Return conditions on the name, to be tried in turn: the whole name, which has an index, then a part of it."""
    if "name" not in given:
        return [()]
    text = _text("name", given["name"])
    return [(Source.name == text,), (Source.name.icontains(text, autoescape=True),)]


def order_of(model, order):
    """Return the first ORDER BY expression of a query."""
    mag, first, last, snr, _ = _VALUES[model]
    column = {"name": Source.name, "brightest": mag, "earliest": first, "latest": last, "best": snr}[order]
    return (column.desc() if ORDERS[order] else column.asc()).nulls_last()


def parse_limit(max_number):
    """Return the maximum number of rows as an int; None for all."""
    if max_number is None:
        return None
    if not 1 <= (number := _number("max_number", max_number)) <= MOST or number != int(number):
        raise UserError(f"max_number must be at least 1 and a whole number, got {max_number}")
    return int(number)


def parse_names(name, value):
    """Return one or names names as a list, those of surveys in upper case."""
    names = [value] if isinstance(value, str) else value
    if not (isinstance(names, list | tuple) and names and all(isinstance(each, str) for each in names)):
        raise UserError(f"{name} must be a name or a list of names, got {value!r}")
    return [_text(name, each.upper() if name == "obs" else each) for each in names]


def _in_unit(name, value):
    """Return the value of a criterion; an astropy quantity is converted to the unit of the criterion."""
    if name not in _UNITS or not hasattr(value, "to_value"):
        return value
    try:
        return value.to_value(_UNITS[name])
    except ValueError:
        raise UserError(f"{name} must be in units of {_UNITS[name]}, got {value!r}") from None


def _place(given):
    """Yield conditions on the position of the source."""
    cone = [name for name in ("ra", "dec", "radius_arcsec") if name in given]
    if len(cone) not in (0, 3):
        raise UserError(f"a cone needs ra, dec and radius_arcsec, got {' and '.join(cone)} alone")
    if cone:
        yield from _cone(
            float(parse_ra(given["ra"])),
            float(parse_dec(given["dec"])),
            _number("radius_arcsec", given["radius_arcsec"]),
        )
    if "ra_range" in given:
        west, east = _pair("ra_range", given["ra_range"])
        yield _ra_between(west, east)
    if "dec_range" in given:
        yield from _between("dec_range", given["dec_range"], Source.dec, Source.dec)


def _cone(ra, dec, radius_arcsec):
    """Yield conditions for positions in a cone: a box, for which there is an index, and the angular distance."""
    if not (0 <= ra <= 360 and abs(dec) <= 90 and 0 < radius_arcsec <= 648000):
        raise UserError(f"the cone ra={ra:g}, dec={dec:g}, radius_arcsec={radius_arcsec:g} is not on the sky")
    radius = radius_arcsec / 3600
    margin = radius + 1e-9
    yield Source.dec.between(dec - margin, dec + margin)
    if abs(dec) + margin < 90:
        half = np.degrees(np.arcsin(np.sin(np.radians(margin)) / np.cos(np.radians(dec)))) + 1e-9
        yield _ra_between(ra - half, ra + half)
    # The haversine is accurate for small separations; it exceeds 1 only by rounding.
    here, there = np.radians(dec), sa.func.radians(Source.dec)
    across = sa.func.power(sa.func.sin(sa.func.radians(Source.ra - ra) / 2), 2)
    along = sa.func.power(sa.func.sin((there - float(here)) / 2), 2)
    yield along + float(np.cos(here)) * sa.func.cos(there) * across <= float(np.sin(np.radians(radius) / 2) ** 2)


def _ra_between(west, east):
    """Return the condition for right ascensions from west to east; always true for a full turn or more."""
    if east - west >= 360:
        return sa.true()
    west, east = float(west % 360), float(east % 360)
    if west <= east:
        return Source.ra.between(west, east)
    return sa.or_(Source.ra >= west, Source.ra <= east)


def _pair(name, value):
    """Check that a value is a pair of finite numbers, and return them."""
    try:
        low, high = map(float, _ends(value))
    except (TypeError, ValueError):
        raise UserError(f"{name} must be a pair of numbers, got {value!r}") from None
    if not np.isfinite([low, high]).all():
        raise UserError(f"{name} must be finite, got {value!r}")
    return low, high


def _ends(value):
    """Return a range unless it is a string, which would be unpacked into its letters."""
    if isinstance(value, str):
        raise TypeError(value)
    return value


def _number(name, value):
    """Check that a value is a finite number, and return it as a Python float."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise UserError(f"{name} must be a number, got {value!r}") from None
    if not np.isfinite(number):
        raise UserError(f"{name} must be finite, got {value!r}")
    return number


def _between(name, value, first, last):
    """Yield conditions for the interval from `first` to `last` to overlap a range, one end of which may be None."""
    try:
        low, high = (None if end is None else _number(name, end) for end in _ends(value))
    except (TypeError, ValueError):
        raise UserError(f"{name} must be a pair of numbers, got {value!r}") from None
    if low is None and high is None:
        raise UserError(f"{name} is open at both ends; give one of them, or leave it out")
    if None not in (low, high) and low > high:
        raise UserError(f"{name} must be [least, greatest], got {value!r}")
    yield from () if low is None else (last >= low,)
    yield from () if high is None else (first <= high,)


def _values(model, given):
    """Yield conditions on measured values."""
    mag, first, last, snr, n_good = _VALUES[model]
    if "mag_range" in given:
        yield from _between("mag_range", given["mag_range"], mag, mag)
    if "mjd_range" in given:
        yield from _between("mjd_range", given["mjd_range"], first, last)
    for name, column in (("snr_min", snr), ("n_good_min", n_good), ("n_detections_min", Properties.n_detections)):
        if name in given:
            yield column >= _number(name, given[name])
    for name in ("filter", "obs"):
        if name in given:
            own = getattr(Lightcurve if model is Source else model, name)
            among = own.in_(parse_names(name, given[name]))
            yield Source.lightcurves.any(among) if model is Source else among


def _text(name, value):
    """Check that a value is text that a database can store, and return it as a Python str."""
    if not isinstance(value, str) or not is_storable(value):
        raise UserError(f"{name} must be text, got {value!r}")
    return str(value)
