"""Checks of the numbers of a catalog; each error says where the first bad value is and what to do."""

import logging
import math

import erfa
import numpy as np

from vo_lib.catalogs.files import LIST
from vo_lib.errors import CatalogError

__all__ = ["check_values", "first_place", "near_pairs", "place", "tell_odd_units"]

log = logging.getLogger("vo_lib")

# Julian years that an epoch can be: an MJD, an age or a two-digit year is none of them.
_EPOCHS = (1800.0, 2200.0)
# Fastest motion that is believed in one coordinate [mas/yr]; Barnard's star has 10,393 (Gaia Collaboration 2023,
# A&A 674, A1).
_MOTIONS = (-15_000.0, 15_000.0)
# The Sun has -26.8 in V (Willmer 2018, ApJS 236, 47), and no survey reaches 33.
_MAGS = (-30.0, 40.0)
_MAG_ERRS = (0.0, 40.0)
# Greatest separation of two sources that may be one.
_NEAR_ARCSEC = 1.0
# Unit -> one turn in it, and a quarter of a turn in the unit of declinations that go with it.
_ODD_UNITS = {"radians": (2 * math.pi, math.pi / 2), "hours": (24.0, 90.0)}
# As few sources may be in one corner of the sky by chance.
_FEW = 10
# A unit vector that is near no axis and no plane of them.
_ASKEW = np.array([0.2, 0.5, math.sqrt(0.71)])


def check_values(found, table, mags):
    """Raise unless all coordinates are there and no value is beyond what it can be.

    Parameters
    ----------
    found : vo_lib.catalogs.files.Columns
        The catalog, for messages.
    table : dict of str to ndarray, each of shape (n_sources,)
        Its columns: ``ra`` and ``dec`` [degrees], ``epoch`` [Julian year], ``pmra`` and ``pmdec`` [mas/yr],
        magnitudes and ``mag_err``; NaN where there is no value.
    mags : iterable of str
        Names of the magnitudes.

    Raises
    ------
    CatalogError
        For the first column with such a value.
    """
    _check_coordinate(found, "ra", table["ra"], (0.0, 360.0))
    _check_coordinate(found, "dec", table["dec"], (-90.0, 90.0))
    _check_range(found, "epoch", table["epoch"], _EPOCHS, "a Julian year such as 2016.0, ")
    for name in ("pmra", "pmdec"):
        words = {"unit": " mas/yr (no star is faster)", "mend": _code_mend("correct it or its unit", name)}
        _check_range(found, name, table[name], _MOTIONS, **words)
    for name in mags:
        _check_range(found, name, table[name], _MAGS, unit=" mag", mend=_code_mend("correct it", "mag"))
    _check_range(found, "mag_err", table["mag_err"], _MAG_ERRS, unit=" mag", mend=_code_mend("correct it", "mag_err"))


def tell_odd_units(found):
    """Warn of coordinates without a unit that fill a sky in radians or hours, but a corner of it in degrees.

    Parameters
    ----------
    found : vo_lib.catalogs.files.Columns
        The catalog, with coordinates as they are in the file.
    """
    ra, dec = found.values["ra"], found.values["dec"]
    if found.units["ra"] or len(ra) < _FEW or "U" in (ra.dtype.kind, dec.dtype.kind):
        return
    for unit, (turn, quarter) in _ODD_UNITS.items():
        if ra.max() <= turn and np.abs(dec).max() <= quarter and np.ptp(ra) > 0.75 * turn and np.ptp(dec) > quarter / 2:
            log.warning(
                "%s: no ra is above %.4g, as if it were in %s; it is taken for degrees, convert the file if it is not",
                *(found.source.path, ra.max(), unit),
            )
            return


def near_pairs(ra, dec):
    """Find sources within an arc second of another one.

    Parameters
    ----------
    ra, dec : ndarray of float, shape (n_sources,)
        Their places [degrees].

    Returns
    -------
    ndarray of int, shape (n_pairs, 2)
        The rows of each pair, in their order. Of many sources at one place there is one pair less than there are.
    """
    ra, dec, limit = np.radians(ra), np.radians(dec), np.radians(_NEAR_ARCSEC / 3600)
    # Near in space is near along any line; along one that is askew to the axes a grid has few at one place.
    along = erfa.s2c(ra, dec) @ _ASKEW
    order = np.argsort(along, kind="stable")
    ra, dec, along = ra[order], dec[order], along[order]
    first, step, pairs = np.arange(len(order)), 0, [np.zeros((0, 2), np.int64)]
    while first.size:
        step += 1
        first = first[first + step < len(order)]
        first = first[along[first + step] - along[first] <= limit]
        near = erfa.seps(ra[first], dec[first], ra[first + step], dec[first + step]) <= limit
        pairs.append(np.stack([order[first[near]], order[first[near] + step]], axis=1))
        first = first[~near]
    pairs = np.sort(np.concatenate(pairs), axis=1)
    return pairs[np.lexsort(pairs.T[::-1])]


def _code_mend(mend, column):
    """What to do with a value that may be a code."""
    return f"; {mend}, or name it in catalog.missing_values.{column} if it stands for no value"


def _check_coordinate(found, name, values, limits):
    """Coordinates are there, and within their limits."""
    if (missing := np.isnan(values)).any():
        raise CatalogError(
            f"{first_place(found, missing)}: {name} is missing{_more(missing)}; give the source a position or remove "
            f"the row (vo resolve --list finds positions of names)"
        )
    # YAML reads 12:34:56 as the number 45296.
    quotes = "; put sexagesimal coordinates in quotes" if found.source.path == LIST else ""
    _check_range(found, name, values, limits, unit=" degrees", mend=quotes)


def _check_range(found, name, values, limits, what="", *, unit="", mend=""):
    """Numbers that are there are within limits; the words say what they are."""
    low, high = limits
    bad = (values < low) | (values > high)
    if bad.any():
        raise CatalogError(
            f"{first_place(found, bad)}: {name} is {values[bad][0]}, "
            f"it must be {what}between {low:g} and {high:g}{unit}{_more(bad)}{mend}"
        )


def place(found, row):
    """Where a row of a catalog is, for messages."""
    return f"{found.source.path}: {found.where([row])}"


def first_place(found, rows):
    """Where the first row of a mask is, for messages."""
    return place(found, int(np.flatnonzero(rows)[0]))


def _more(rows):
    """How many rows of a mask there are beside the first, for messages."""
    return f" (and {rows.sum() - 1} more)" if rows.sum() > 1 else ""
