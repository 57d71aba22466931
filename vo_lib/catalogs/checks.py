"""Checks of the values of a catalog; each error states where the first bad value is and what to do."""

import logging
import math

import erfa
import numpy as np

from vo_lib.catalogs.files import LIST
from vo_lib.errors import CatalogError

__all__ = ["check_values", "code_mend", "near_pairs", "tell_odd_units"]

log = logging.getLogger("vo_lib")

# Range of epochs [Julian year]; excludes MJDs, ages and two-digit years.
_EPOCHS = (1800.0, 2200.0)
# Range of plausible proper motions in one coordinate [mas/yr]; Barnard's star has 10,393 (Gaia Collaboration 2023,
# A&A 674, A1).
_MOTIONS = (-15_000.0, 15_000.0)
# The Sun has -26.8 in V (Willmer 2018, ApJS 236, 47); no survey reaches 33.
_MAGS = (-30.0, 40.0)
_MAG_ERRS = (0.0, 40.0)
# Largest separation of two rows that may be one source.
_NEAR_ARCSEC = 1.0
# Unit -> a full turn in it, and a quarter turn in the unit of declination used along with it.
_ODD_UNITS = {"radians": (2 * math.pi, math.pi / 2), "hours": (24.0, 90.0)}
# Fewer sources than this may be in one corner of the sky by chance.
_FEW = 10
# A unit vector far from all axes and the planes between them.
_ASKEW = np.array([0.2, 0.5, math.sqrt(0.71)])


def check_values(found, table, mags):
    """Check that all coordinates are given and all values are within their ranges.

    Parameters
    ----------
    found : vo_lib.catalogs.files.Columns
        The catalog, for messages.
    table : dict of str to ndarray, each of shape (n_sources,)
        Its columns: ``ra`` and ``dec`` [degrees], ``epoch`` [Julian year], ``pmra`` and ``pmdec`` [mas/yr],
        magnitudes and ``mag_err``; NaN for missing values.
    mags : iterable of str
        Names of the columns of magnitudes.

    Raises
    ------
    CatalogError
        For the first column with a missing coordinate or a value out of range.
    """
    _check_coordinate(found, "ra", table["ra"], (0.0, 360.0))
    _check_coordinate(found, "dec", table["dec"], (-90.0, 90.0))
    _check_range(found, "epoch", table["epoch"], _EPOCHS, "a Julian year such as 2016.0, ")
    for name in ("pmra", "pmdec"):
        words = {"unit": " mas/yr (no star is faster)", "mend": code_mend("correct it or its unit", name)}
        _check_range(found, name, table[name], _MOTIONS, **words)
    for name in mags:
        _check_range(found, name, table[name], _MAGS, unit=" mag", mend=code_mend("correct it", "mag"))
    _check_range(found, "mag_err", table["mag_err"], _MAG_ERRS, unit=" mag", mend=code_mend("correct it", "mag_err"))


def tell_odd_units(found):
    """Warn about coordinates without a unit that cover the sky in radians or hours, but only a corner in degrees.

    Parameters
    ----------
    found : vo_lib.catalogs.files.Columns
        The catalog, with coordinates as in the file.
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
    """Find pairs of sources within one arcsecond of each other.

    Parameters
    ----------
    ra, dec : ndarray of float, shape (n_sources,)
        Their positions [degrees].

    Returns
    -------
    ndarray of int, shape (n_pairs, 2)
        The rows of each pair, sorted. N sources at one position give N - 1 pairs.
    """
    ra, dec, limit = np.radians(ra), np.radians(dec), np.radians(_NEAR_ARCSEC / 3600)
    # Points near in space are near along any line; along an oblique one, few points of a grid coincide.
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


def code_mend(mend, column):
    """Return the advice for a value of a column that may be a code for no value.

    Parameters
    ----------
    mend : str
        What to do if it is not.
    column : str
        Key of ``catalog.missing_values``.

    Returns
    -------
    str
        The end of an error message, with a leading semicolon.
    """
    return f"; {mend}, or name it in catalog.missing_values.{column} if it stands for no value"


def _check_coordinate(found, name, values, limits):
    """Check that coordinates are given and within limits."""
    if (missing := np.isnan(values)).any():
        raise CatalogError(
            f"{found.place(missing.argmax())}: {name} is missing{_more(missing)}; give the source a position or remove "
            f"the row (vo resolve --list finds positions of names)"
        )
    # YAML reads 12:34:56 as the number 45296.
    quotes = "; put sexagesimal coordinates in quotes" if found.source.path == LIST else ""
    _check_range(found, name, values, limits, unit=" degrees", mend=quotes)


def _check_range(found, name, values, limits, what="", *, unit="", mend=""):
    """Check that numbers, where given, are within limits; `what`, `unit` and `mend` are for the message."""
    low, high = limits
    bad = (values < low) | (values > high)
    if bad.any():
        raise CatalogError(
            f"{found.place(bad.argmax())}: {name} is {values[bad][0]}, "
            f"it must be {what}between {low:g} and {high:g}{unit}{_more(bad)}{mend}"
        )


def _more(rows):
    """Number of further rows of a mask after the first, for messages."""
    return f" (and {rows.sum() - 1} more)" if rows.sum() > 1 else ""
