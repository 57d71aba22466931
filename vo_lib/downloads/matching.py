"""Match tables with sources of the catalog, by key, attribute, regular expression or position of the epochs."""

import re

import erfa
import numpy as np

from vo_lib.astrometry import propagate
from vo_lib.downloads.manifest import catalog_rows
from vo_lib.errors import UserError
from vo_lib.paths import decode_key
from vo_lib.positions import displace, offsets
from vo_lib.times import MJD_J2000, MJD_ZERO_JD

__all__ = [
    "AmbiguousError",
    "CatalogSources",
    "NoSourceError",
    "by_attribute",
    "by_key",
    "by_position",
    "by_regex",
    "check_values",
    "median_place",
    "place_of_epochs",
]

# More than any star moves between the epochs of a catalog and a survey [arcsec]: Barnard's star has 10.4 arcsec/yr.
LARGEST_MOTION_ARCSEC = 360.0


class NoSourceError(UserError):
    """A table matches no source of the catalog."""


class AmbiguousError(UserError):
    """A table matches several sources, or several tables match one."""


class CatalogSources:
    """Sources of a catalog, to be found by name or position.

    Parameters
    ----------
    snapshot : Snapshot
        The catalog.
    """

    def __init__(self, snapshot):
        self._tables = {bin_name: snapshot.rows(bin_name) for bin_name in snapshot.bins}
        self._places = {
            name: (bin_name, number)
            for bin_name, table in self._tables.items()
            for number, name in enumerate(table["name"].tolist())
        }
        self._nearest = snapshot.nearest

    def __contains__(self, name):
        return name in self._places

    def bin_of(self, name):
        """Return the bin of a source."""
        return self._places[name][0]

    def row(self, name, obs=""):
        """Return the catalog row of a source in JSON values, as in a download from a survey."""
        bin_name, number = self._places[name]
        return catalog_rows({column: values[[number]] for column, values in self._tables[bin_name].items()}, obs)[0]

    def near(self, ra, dec, year, radius_arcsec):
        """Return the names of the sources near a position at a given time.

        Parameters
        ----------
        ra, dec : float
            The position [degrees].
        year : float
            The time [Julian year], to which positions are propagated by proper motion.
        radius_arcsec : float
            Greatest separation [arcsec].

        Returns
        -------
        list of str
            In any order.
        """
        found = self._nearest(ra, dec, radius_arcsec + LARGEST_MOTION_ARCSEC)
        return found["name"][_separation(found, ra, dec, year) <= radius_arcsec].tolist()

    def separation(self, name, ra, dec, year):
        """Return the distance between a position and a source at that time [arcsec], see `near`; NaN for NaN."""
        bin_name, number = self._places[name]
        row = {column: values[number] for column, values in self._tables[bin_name].items()}
        return float(_separation(row, ra, dec, year))


def _separation(rows, ra, dec, year):
    """Distances of sources from a position at a given time [arcsec], accurate where they are small."""
    moving = {name: rows[name] for name in ("ra", "dec", "epoch", "pmra", "pmdec", "parallax")}
    return np.hypot(*offsets(*propagate(**moving, to_epoch=year), ra, dec))


def by_key(prefix="", suffix=""):
    """Match tables by key: the key or its last part is the name of a source between a prefix and a suffix.

    For a table at the root of a file, the key is the name of the file without its extension.

    Parameters
    ----------
    prefix, suffix : str, optional
        Text before and after the name.

    Returns
    -------
    callable
        ``match(table, sources, observatory, data, altdata)`` returns a name or raises `NoSourceError` or
        `AmbiguousError`.
    """

    def match(table, sources, *_):
        whole = table.key or table.file.stem
        for key in (whole, whole.rpartition("/")[2]):
            if key.startswith(prefix) and key.endswith(suffix) and len(key) >= len(prefix) + len(suffix):
                name = decode_key(key[len(prefix) : len(key) - len(suffix)])
                if name in sources:
                    return name
        between = f" between '{prefix}' and '{suffix}'" if prefix or suffix else ""
        raise NoSourceError(f"the catalog has no source with this key{between}")

    return match


def by_attribute(attribute):
    """Match tables by an HDF5 attribute that is the name of a source, see `by_key`."""

    def match(table, sources, *_):
        if attribute not in table.attributes:
            raise NoSourceError(f"has no attribute '{attribute}'")
        return _known(table.attributes[attribute], sources)

    return match


def by_regex(pattern):
    """Match tables by a regular expression, searched in the key, then in file name and key, see `by_key`.

    Parameters
    ----------
    pattern : str
        Regular expression with a group ``name``, such as ``lc_(?P<name>.+)``.

    Returns
    -------
    callable

    Raises
    ------
    UserError
        If it is not a regular expression or lacks the group.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UserError(f"'{pattern}' is not a regular expression ({error})") from None
    if "name" not in compiled.groupindex:
        raise UserError(f"'{pattern}' has no group 'name'; write for example 'lc_(?P<name>.+)'")

    def match(table, sources, *_):
        found = compiled.search(table.key) or compiled.search(f"{table.file.name}/{table.key}")
        if not found:
            raise NoSourceError(f"'{pattern}' does not match '{table.file.name}/{table.key}'")
        return _known(decode_key(found["name"] or ""), sources)

    return match


def _known(name, sources):
    """Return a name if the catalog has it."""
    if name not in sources:
        raise NoSourceError(f"the catalog has no source '{name}'")
    return name


def by_position(radius_arcsec):
    """Match tables by position: the only source near the median position at the median time, see `by_key`.

    Parameters
    ----------
    radius_arcsec : float
        Greatest separation [arcsec].

    Returns
    -------
    callable

    Raises
    ------
    UserError
        If the radius is not positive.
    """
    if not radius_arcsec > 0:
        raise UserError(f"the radius must be a positive number of arcsec, got {radius_arcsec:g}")

    def match(table, sources, observatory, data, altdata):
        ra, dec, year = place_of_epochs(observatory, data, altdata)
        if np.isnan([ra, year]).any():
            raise NoSourceError("has no epoch with a position, or none with a time")
        names = sources.near(ra, dec, year, radius_arcsec)
        where = f"within {radius_arcsec:g} arcsec of RA {ra:.6f} Dec {dec:.6f}"
        if not names:
            raise NoSourceError(f"the catalog has no source {where}")
        if len(names) > 1:
            raise AmbiguousError(f"the catalog has {len(names)} sources {where}: {', '.join(sorted(names)[:3])}")
        return names[0]

    return match


def place_of_epochs(observatory, data, altdata):
    """Return the median position and time of the epochs of an answer.

    Parameters
    ----------
    observatory : VirtualObservatory
        The survey.
    data : ndarray, shape (n_epochs,)
        Epochs with the survey's columns.
    altdata : dict
        Metadata that came with them.

    Returns
    -------
    ra, dec : float
        Median position [degrees], see `median_place`.
    year : float
        Median time [Julian year]; NaN without times.

    Raises
    ------
    UserError
        If the survey's module cannot interpret the epochs.
    """
    columns = _standardise(observatory, data, altdata)
    mjd = np.asarray(columns["time"], dtype=float) + (observatory.time.zero_jd - MJD_ZERO_JD)
    known = mjd[np.isfinite(mjd)]
    year = 2000 + (float(np.median(known)) - MJD_J2000) / 365.25 if len(known) else np.nan
    return *median_place(columns["ra"], columns["dec"]), year


def check_values(observatory, data, altdata):
    """Raise `UserError` unless some epochs have a position, some a time and some a flux or magnitude.

    Parameters
    ----------
    observatory, data, altdata
        See `place_of_epochs`.
    """
    columns = _standardise(observatory, data, altdata)
    known = {name: np.isfinite(columns[name]) for name in ("ra", "dec", "time", "flux", "mag") if name in columns}
    brightness = known.get("flux", known.get("mag"))
    for what, good in (("position", known["ra"] & known["dec"]), ("time", known["time"]), ("flux", brightness)):
        if not good.any():
            raise UserError(f"has {len(data)} epochs, but none with a {what}; name its columns with --columns")


def _standardise(observatory, data, altdata):
    """Common columns of the epochs of another program."""
    try:
        return observatory.standardise(data, altdata)
    except KeyError as error:
        raise UserError(f"lacks metadata that {observatory.name} sends with the epochs: {error}") from None
    except ValueError as error:
        raise UserError(f"has values that {observatory.name} does not send: {error}") from None


def median_place(ra, dec):
    """Return the median of positions that are near each other, correct at RA 0 and at the poles.

    Parameters
    ----------
    ra, dec : ndarray of float, shape (n,)
        Positions [degrees]; those that are not finite are ignored.

    Returns
    -------
    ra, dec : float
        Mean direction plus the median offsets from it to the east and north [degrees]; NaN without positions.
    """
    good = np.isfinite(ra) & np.isfinite(dec)
    if not good.any():
        return np.nan, np.nan
    x, y, z = erfa.s2c(np.radians(ra[good]), np.radians(dec[good])).mean(axis=0)
    center = np.degrees(np.arctan2(y, x)), np.degrees(np.arctan2(z, np.hypot(x, y)))
    east, north = offsets(ra[good], dec[good], *center)
    return displace(*center, east=np.median(east), north=np.median(north))
