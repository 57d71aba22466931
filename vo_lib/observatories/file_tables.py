"""Read a user's lightcurve files: their columns as they are, and the columns that are derived from them.

The files may be in any format that `vo_lib.catalogs.files` reads.
"""

import warnings
from dataclasses import dataclass
from datetime import UTC, datetime

import erfa
import numpy as np

from vo_lib.catalogs.files import Columns, read_columns
from vo_lib.catalogs.text import MISSING
from vo_lib.catalogs.units import unit_factor
from vo_lib.errors import CatalogError, plain
from vo_lib.labels import distinct
from vo_lib.numbers import COARSEST_DAYS, single_step
from vo_lib.photometry import AB_ZERO_POINT_UJY
from vo_lib.tables import encode_table, take_rows
from vo_lib.times import MJD_ZERO_JD

__all__ = ["COLUMNS", "PREFIX", "UNITS", "FileTable", "read_table"]

# Prefix of the names of derived columns.
PREFIX = "vo_"
LABEL_BYTES = 64

COLUMNS = {
    "time": ("f8", "d", "time in the system of the file"),
    "exptime": ("f8", "s", "exposure time"),
    "ra": ("f8", "deg", "right ascension, ICRS; that of the source where the file has none"),
    "dec": ("f8", "deg", "declination, ICRS; that of the source where the file has none"),
    "mag": ("f8", "mag", "magnitude in the system of the file"),
    "magerr": ("f8", "mag", "error of the magnitude"),
    "flux": ("f8", "uJy", "flux, AB"),
    "fluxerr": ("f8", "uJy", "error of the flux"),
    "flag": ("i8", "", "quality bits"),
    "filter": (f"S{LABEL_BYTES}", "", "code of the filter"),
    "series": (f"S{LABEL_BYTES}", "", "object or readout"),
}

# A flux of one maggie is magnitude 0.
_MAGGIE_UJY = 10 ** (0.4 * AB_ZERO_POINT_UJY)
_FACTORS = {
    "d": {"d": 1.0, "h": 1 / 24, "min": 1 / 1440, "s": 1 / 86400, "yr": 365.25},
    "s": {"s": 1.0, "ms": 1e-3, "min": 60.0, "h": 3600.0, "d": 86400.0},
    "deg": {"deg": 1.0, "rad": np.degrees(1.0), "hourangle": 15.0, "arcsec": 1 / 3600},
    "mag": {"mag": 1.0, "mmag": 1e-3},
    "uJy": {"uJy": 1.0, "nJy": 1e-3, "mJy": 1e3, "Jy": 1e6, "maggies": _MAGGIE_UJY, "nanomaggies": _MAGGIE_UJY / 1e9},
}
_OTHER_NAMES = dict.fromkeys(("mgy", "maggy"), "maggies") | dict.fromkeys(("nmgy", "nanomaggy"), "nanomaggies")

# Units that a column of numbers may have in a file.
UNITS = {name: tuple(_FACTORS[unit]) for name, (_, unit, _) in COLUMNS.items() if unit}
# An error has the unit of its value; fluxes have no default unit.
_SAME_UNIT = {"magerr": "mag", "fluxerr": "flux"}
_USUAL = {"s": "s", "deg": "deg", "mag": "mag", "uJy": None}


@dataclass(frozen=True)
class FileTable:
    """Epochs of one file, with derived columns.

    Parameters
    ----------
    path : str
        The file.
    found : Columns
        The file's own columns.
    made : dict of str to ndarray, each of shape (n_rows,)
        Derived columns: names of `COLUMNS` with the prefix `PREFIX`.
    by_source : dict of str to ndarray, or None
        Rows of each source in file order; None for a file of one source.
    """

    path: str
    found: Columns
    made: dict
    by_source: dict | None

    def rows_of(self, name):
        """Return the rows of a source in increasing order; empty if it has none."""
        n_rows = len(self.made[PREFIX + "time"])
        return np.arange(n_rows) if self.by_source is None else self.by_source.get(name, np.zeros(0, np.int64))

    @property
    def taken(self):
        """Names of the file's columns that are kept, in file order: named columns of single values."""
        return [name for name in self.found.header if name and name in self.found.values]

    @property
    def notes(self):
        """Units of the file's columns, and the columns that are not kept, as JSON values."""
        units = {name: unit for name, unit in self.found.units.items() if unit}
        return {"units": units, "not_taken": [name for name in self.found.header if name not in self.taken]}

    def epochs(self, rows, **more):
        """Return rows as a structured array: the file's columns in file order, then the derived ones.

        Parameters
        ----------
        rows : ndarray of int, shape (n_epochs,)
            Rows in increasing order.
        **more : ndarray, shape (n_epochs,)
            Additional columns.

        Raises
        ------
        CatalogError
            If two rows with a time are identical.
        """
        own = {name: self.found.values[name] for name in self.taken}
        data = encode_table(take_rows(own | self.made, rows) | more)
        timed = np.isfinite(data[PREFIX + "time"])
        _check_rows_differ(self, data[timed], rows[timed])
        return data


def read_table(path, columns, *, units, time_unit, time_scale):
    """Read a file of lightcurves.

    Parameters
    ----------
    path : str or Path
        The file.
    columns : dict of str to str
        Names in the file of ``source`` and of each name of `COLUMNS` that it has.
    units : dict of str to str
        Units of numeric columns by their names in `UNITS`; they must agree with units in the file.
    time_unit : str
        Default unit of times; empty for dates as text.
    time_scale : str
        Scale of times as text; in UTC, a day may have a leap second.

    Returns
    -------
    FileTable

    Raises
    ------
    CatalogError
        If the file cannot be read, or a column is missing or has an invalid value or unit.
    """
    is_text = not time_unit
    texts = {columns[name] for name in ("source", "filter", "series", *["time"] * is_text) if name in columns}
    found = read_columns(path, {column: column for column in columns.values()}, texts=texts, others=True)
    _check_header(path, found, columns)
    makers = {"flag": _whole_numbers, "filter": _labels, "series": _labels}
    makers |= {"time": lambda found, column: _days(found, column, time_scale)} if is_text else {}
    usual = _USUAL | {"d": time_unit}
    made = {}
    for name, column in columns.items():
        if name in makers:
            made[PREFIX + name] = makers[name](found, column)
        elif name != "source":
            unit = units.get(name, units.get(_SAME_UNIT.get(name)))
            made[PREFIX + name] = found.numbers(column) * _factor(found, column, name, unit, usual)
    _check_precision(found, columns["time"], made[PREFIX + "time"])
    by_source = _rows_by_source(found.values[columns["source"]]) if "source" in columns else None
    return FileTable(str(path), found, made, by_source)


def _check_header(path, found, columns):
    """Check that the file has the named columns, each in one piece, and none with the name of a derived column."""
    if f"{(whole := columns['time'].removesuffix('.jd1'))}.jd2" in found.header:
        raise CatalogError(
            f"{path}: the time '{whole}' is in two columns, as astropy stores a Time; write it as one: "
            f"table['{whole}'] = table['{whole}'].jd"
        )
    for name, column in columns.items():
        if column not in found.header:
            raise CatalogError(
                f"{path}: has no column '{column}' for the {name} (it has {', '.join(found.header) or 'none'}); "
                f"name the right one in columns.{name}"
            )
    if ours := [column for column in found.header if column in {PREFIX + name for name in COLUMNS}]:
        raise CatalogError(f"{path}: column '{ours[0]}' has a name that is reserved here; rename it")


def _check_precision(found, column, days):
    """Check that the times have not lost precision in a file with single-precision floats."""
    if column in found.coarse and (step := single_step(days)) > COARSEST_DAYS:
        raise CatalogError(
            f"{found.source.path}: column '{column}' for the time is in single precision, which resolves such times "
            f"only to {step:.2g} days; write it in double precision"
        )


def _factor(found, column, name, configured, usual):
    """Factor from a column's unit (in the file, configured or default, in this order) to that of `COLUMNS`."""
    wanted, given = COLUMNS[name][1], found.units[column]
    known = _FACTORS[wanted]
    own = known.get(_OTHER_NAMES.get(given.lower(), given))
    if own is None and given:
        try:
            own = unit_factor(given, wanted)
        except ValueError as error:
            raise _unit_error(found, column, name, f"{error} for the {name}; correct it in the file") from None
    if own is None:
        unit = configured or (None if given else usual[wanted])
        if unit is None:
            which = f"the unit '{given}', which is not known" if given else "no unit in the file"
            raise _unit_error(found, column, name, f"it has {which}; set units.{name} to one of {', '.join(known)}")
        return known[unit]
    if configured and not np.isclose(own, known[configured], rtol=1e-3, atol=0):
        raise _unit_error(
            found, column, name, f"its unit is '{given}' in the file and '{configured}' in units.{name}; correct one"
        )
    return own


def _unit_error(found, column, name, text):
    """Error about the unit of a column."""
    return CatalogError(f"{found.source.path}: column '{column}' for the {name}: {text}")


def _row_error(found, column, row, text):
    """Error that names the row and value of a column."""
    return CatalogError(f"{found.place(row)}: {column} is '{found.values[column][row]}', {text}")


def _whole_numbers(found, column):
    """Column of integers, exact to all 64 bits."""
    values = found.values[column]
    if values.dtype.kind == "U":
        try:
            return np.array([int(text) for text in values.tolist()], np.int64)
        except (ValueError, OverflowError):
            values = found.numbers(column)
    if (wrong := ~(np.isfinite(values) & (values == np.round(values)) & (np.abs(values) < 2.0**53))).any():
        raise _row_error(found, column, np.flatnonzero(wrong)[0], "which is not a whole number of 64 bits")
    return values.astype(np.int64)


def _labels(found, column):
    """Column of texts, which must not be too long or have control characters."""
    values = found.values[column]
    if (long := np.char.str_len(np.char.encode(values, "utf-8")) > LABEL_BYTES).any():
        raise _row_error(found, column, np.flatnonzero(long)[0], f"which is longer than {LABEL_BYTES} bytes")
    if odd := [text for text in distinct(values)[0].tolist() if text != plain(text)]:
        raise _row_error(found, column, np.flatnonzero(values == odd[0])[0], "which has a control character")
    return values


def _days(found, column, scale):
    """Dates and times of day as MJD, NaN where missing; in UTC a day with a leap second has 86401 s."""
    values = found.values[column]
    rows = np.flatnonzero(~np.isin(values, list(MISSING)))
    fields = [_fields(found, column, row, scale) for row in rows.tolist()]
    mjd = np.full(len(values), np.nan)
    if fields:
        *whole, seconds = np.array(fields).T
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", erfa.ErfaWarning)  # about distant years, which are rejected elsewhere
            midnight, fraction = erfa.dtf2d(scale.upper(), *(part.astype(np.intc) for part in whole), seconds)
        mjd[rows] = midnight - MJD_ZERO_JD + fraction
    return mjd


def _fields(found, column, row, scale):
    """Year, month, day, hour, minute and second of a text; a time with a zone is converted to UTC."""
    try:
        moment = datetime.fromisoformat(str(found.values[column][row]))
    except ValueError:
        raise _row_error(found, column, row, "which is not a time such as 2024-05-01T12:30:00.5") from None
    if moment.tzinfo is not None:
        if scale != "utc":
            raise _row_error(found, column, row, f"which has a time zone, but time_scale is {scale}")
        moment = moment.astimezone(UTC)
    return (*moment.timetuple()[:5], moment.second + moment.microsecond / 1e6)


def _rows_by_source(names):
    """Rows of each name, in increasing order."""
    order = np.argsort(names, kind="stable")
    unique, starts = np.unique(names[order], return_index=True)
    return dict(zip(unique.tolist(), np.split(order, starts[1:]), strict=True)) if len(names) else {}


def _check_rows_differ(table, data, rows):
    """Raise if two rows are identical in all columns."""
    _, first, which = np.unique(data.view(f"S{data.itemsize}"), return_index=True, return_inverse=True)
    if len(first) < len(data):
        second = int(np.flatnonzero(first[which] != np.arange(len(data)))[0])
        same = [int(rows[first[which[second]]]), int(rows[second])]
        raise CatalogError(f"{table.path}: {table.found.where(same)} are the same; remove all but one")
