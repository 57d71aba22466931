"""Read columns of catalogs in CSV, ECSV, FITS, VOTable, HDF5 and parquet.

The format is detected from the first bytes of a file, not from its name, and only the requested columns are kept. CSV
may be separated by commas, semicolons, tabs, bars or blanks and is UTF-8, or UTF-16 with a byte order mark. All formats
but HDF5 and parquet may be compressed with gzip. Text and FITS are read in blocks, so such a file may be larger than
memory. A list of dicts, as in a configuration, is read in the same way.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vo_lib.catalogs.formats import READERS
from vo_lib.catalogs.kind import find_kind
from vo_lib.catalogs.source import Source
from vo_lib.catalogs.text import EXACT, MISSING, lines_of_rows, not_utf8
from vo_lib.catalogs.units import unit_factor
from vo_lib.catalogs.values import as_numbers, take_away
from vo_lib.errors import CatalogError, UserError
from vo_lib.numbers import to_float, to_floats

__all__ = ["LIST", "Columns", "columns_of_list", "read_columns"]

LIST = "catalog.sources"  # where the configuration lists sources

_OF_TABLES = ("FITS", "VOTable", "HDF5")


@dataclass(frozen=True)
class Columns:
    """Some columns of a catalog file.

    Parameters
    ----------
    format : str
        ``CSV``, ``ECSV``, ``FITS``, ``HDF5``, ``VOTable``, ``parquet`` or ``list``.
    source : Source
        The file (or `LIST`), with the names and units in it.
    values : dict of str to ndarray, each of shape (n_rows,)
        The requested columns that exist: float64 with NaN for missing values, or text with ``""``.
    units : dict of str to str
        Their units, ``""`` if the file gives none.
    blanked : dict of str to int
        Number of values of each column that are codes for no value.
    coarse : frozenset of str
        Columns that are in single precision or less in the file.
    """

    format: str
    source: Source
    values: dict
    units: dict
    blanked: dict
    coarse: frozenset = frozenset()

    @property
    def header(self):
        """Names of all columns of the file."""
        return self.source.header

    def where(self, rows):
        """Describe the location of rows, such as ``line 2`` or ``rows 3 and 7``, for messages.

        Parameters
        ----------
        rows : sequence of int
            Rows counted from zero, in increasing order.

        Returns
        -------
        str
            Lines of a text file, found by reading it again, else rows, or entries of a list; all counted from one.
        """
        is_text = self.format in ("CSV", "ECSV")
        numbers = lines_of_rows(self.source, rows) if is_text else [row + 1 for row in rows]
        noun = ("line", "lines") if is_text else ("entry", "entries") if self.format == "list" else ("row", "rows")
        return f"{noun[len(numbers) > 1]} {' and '.join(map(str, numbers))}"

    def place(self, row):
        """Return the location of one row with the file, such as ``stars.csv: line 2``, for messages."""
        return f"{self.source.path}: {self.where([int(row)])}"

    def numbers(self, name):
        """Return a column as floats, even if it is stored as text.

        Parameters
        ----------
        name : str
            Key of `values`.

        Returns
        -------
        ndarray of float, shape (n_rows,)
            NaN for missing values.

        Raises
        ------
        CatalogError
            If a text is not a number; names the first one.
        """
        values = self.values[name]
        if values.dtype.kind == "f":
            return values
        texts = np.where(np.isin(values, list(MISSING)), "nan", values)
        try:
            return to_floats(texts.tolist())
        except ValueError:
            row = next(row for row, text in enumerate(texts.tolist()) if not _is_number(text))
            raise CatalogError(f"{self.place(row)}: {name} is '{texts[row]}', which is not a number") from None


def read_columns(path, columns, *, units=None, texts=(), others=False, needed=(), table=None, missing=None):
    """Read columns of a catalog or another table.

    Parameters
    ----------
    path : str or Path
        The file. Of several tables in FITS, VOTable or HDF5 (compound datasets or groups of columns), the one with
        the most wanted columns is read; of several such, the one with the most columns, then the first.
    columns : dict of str to str
        Name in the file of each wanted column, by the name that it gets in the result.
    units : dict of str to str, optional
        Units to which columns of numbers are converted if the file gives another, for example
        ``{"pmra": "mas/yr"}``; hours become degrees as hour angles.
    texts : collection of str, optional
        Columns that are text whatever they contain; integers keep all their digits. Any other column of numbers is
        float64, or text if it has an integer that a float cannot represent. CSV has no types: a column of it is
        numeric if all its cells are numbers, else text as written.
    others : bool, optional
        Also read all other columns with single values, by their names in the file; then `columns` must not rename
        any.
    needed : collection of str, optional
        Keys of `columns` that the table must have; if several tables have all of them, `table` must be given.
    table : str or int, optional
        The table to read, by name (in HDF5, its path) or by number from one.
    missing : dict of str to list, optional
        Numbers and texts that stand for no value, by the key of the column; a number also matches its value in
        single precision.

    Returns
    -------
    Columns
        The columns that the file has; rows in the order of the file.

    Raises
    ------
    CatalogError
        If the file is missing, damaged or of another kind, the table is missing or not unique, a column holds arrays,
        or a unit cannot be converted.
    """
    path = Path(path)
    kind, packed, encoding = find_kind(path)
    if table is not None and kind not in _OF_TABLES:
        raise CatalogError(f"{path}: is {kind}, which has one table; leave catalog.table empty")
    required = tuple(columns[name] for name in needed)
    source = Source(path, packed, dict(columns), set(texts), others, required, table, encoding)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about irregular headers; what cannot be read is an error
            values, coarse = {}, set()
            for name, *found in READERS[kind](source):
                if name in columns or _is_single(*found):
                    values[name] = _as_column(source, name, *found)
                    coarse |= {name} if np.asarray(found[0]).dtype in (np.float16, np.float32) else set()
            blanked = take_away(values, missing or {}, source.texts)
            given = {name: source.units.get(source.wanted[name], "") for name in values}
            units = given | _convert(source, values, units or {})
            return Columns(kind, source, values, units, blanked, frozenset(coarse))
    except UserError:
        raise
    except UnicodeError as error:
        raise not_utf8(source) if kind == "CSV" else _damaged(path, kind, error) from None
    except Exception as error:  # the libraries may raise anything for a damaged file
        raise _damaged(path, kind, error) from error


def _damaged(path, kind, error):
    """Error for a file that its reader could not read."""
    return CatalogError(f"{path}: cannot be read as {kind} ({' '.join(str(error).split()) or type(error).__name__})")


def columns_of_list(entries, columns, *, texts=(), missing=None):
    """Return the columns of a list of sources.

    Parameters
    ----------
    entries : sequence of dict
        One per source: numbers, text or None, by the name of the column; absent keys are missing values.
    columns, texts, missing : optional
        See `read_columns`.

    Returns
    -------
    Columns
        The columns that any entry has; rows in the order of the list.

    Raises
    ------
    CatalogError
        If a value is neither a number nor text.
    """
    source = Source(LIST, False, dict(columns), set(texts))
    where = source.find(dict.fromkeys(key for entry in entries for key in entry))
    cells = {name: [entry.get(columns[name]) for entry in entries] for name in where}
    values = {name: _as_column(source, name, *_array(cells[name], name in texts)) for name in where}
    blanked = take_away(values, missing or {}, source.texts)
    return Columns("list", source, values, dict.fromkeys(values, ""), blanked)


def _array(cells, is_text):
    """Cells of a list, as floats if all are numbers, and a mask of those that are None."""
    missing = np.array([cell is None for cell in cells], dtype=bool)
    are_numbers = all(cell is None or isinstance(cell, int | float) for cell in cells)
    return np.array(cells, dtype=float if are_numbers and not is_text else object), missing


def _is_single(values, _):
    """Return whether a column holds single values, not arrays."""
    return np.ndim(values) == 1 and np.asarray(values).dtype.kind in "biufSUO"


def _is_number(text):
    """Return whether a text is a number."""
    try:
        to_float(text)
    except ValueError:
        return False
    return True


def _as_column(source, name, values, missing):
    """Float64 or text from an array of any type; `missing` is a mask of rows without a value."""
    values = np.asarray(values)
    if not _is_single(values, missing):
        own = source.wanted[name]
        # This is how astropy stores a Time in FITS.
        advice = f"; of a Time write table['{own}'].jd" if np.shape(values)[1:] == (2,) else ""
        raise CatalogError(f"{source.path}: column '{own}' for the {name} does not hold single values{advice}")
    is_long = values.dtype.kind in "iu" and values.size and max(int(values.max()), -int(values.min())) > EXACT
    if values.dtype.kind in "SUO":
        column = _as_text(values)
    elif name in source.texts or is_long:
        column = values.astype(str)
    else:
        column = values.astype(float)
    absent = values != values if values.dtype.kind in "fO" else np.zeros(len(values), dtype=bool)
    column[absent if missing is None else absent | missing] = "" if column.dtype.kind == "U" else np.nan
    return column


def _as_text(values):
    """Stripped text from bytes, ``str`` or objects."""
    if values.dtype.kind == "O":
        texts = (item.decode() if isinstance(item, bytes) else str(item) for item in values.tolist())
        values = np.array(list(texts), dtype=str)
    elif values.dtype.kind == "S":
        try:
            values = values.astype(str)
        except UnicodeDecodeError:
            values = np.char.decode(values, "utf-8")
    return np.strings.strip(values)


def _convert(source, values, wanted):
    """Convert columns of numbers to the wanted units, in place; return the units of those that changed."""
    changed = {}
    for name, unit in wanted.items():
        given = source.units.get(source.wanted.get(name), "")
        if name not in values or given in ("", unit):
            continue
        values[name] = as_numbers(values[name])
        if values[name].dtype.kind == "f":
            values[name] *= _factor(source, name, given, unit)
            changed[name] = unit
    return changed


def _factor(source, name, given, wanted):
    """Factor that converts a column to the wanted unit."""
    try:
        factor = unit_factor(given, wanted)
    except ValueError:
        factor = None
    if factor is None:
        raise CatalogError(
            f"{source.path}: column '{source.wanted[name]}' has the unit '{given}', which cannot be turned into "
            f"{wanted} for the {name} of a source; correct the unit in the file or name another column"
        )
    return factor
