"""Columns of catalog files in the formats that astronomers exchange: CSV, ECSV, FITS, VOTable, HDF5 and parquet.

The format is told from the first bytes of a file, not from its name, and only the columns that are asked
for are kept. All but HDF5 and parquet may be packed by gzip. Text and FITS are read in pieces, so such a file
may be larger than the memory.
"""

import csv
import gzip
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vo_lib.catalog_formats import READERS, Source
from vo_lib.catalog_text import EXACT, lines_of_rows
from vo_lib.errors import CatalogError

__all__ = ["Columns", "read_columns"]

_MAGIC = {b"SIMPLE  =": "FITS", b"\x89HDF\r\n\x1a\n": "HDF5", b"PAR1": "parquet", b"# %ECSV": "ECSV"}
_UNIT_NAMES = {"degrees": "deg", "radians": "rad", "hours": "h", "hourangle": "h"}
_DAMAGE = (OSError, ValueError, KeyError, NotImplementedError, EOFError, SyntaxError, zlib.error, csv.Error)


@dataclass(frozen=True)
class Columns:
    """Some columns of a catalog file.

    Parameters
    ----------
    format : str
        ``CSV``, ``ECSV``, ``FITS``, ``HDF5``, ``VOTable`` or ``parquet``.
    source : Source
        The file and the names and units in it.
    values : dict of str to ndarray, each of shape (n_rows,)
        The columns that were asked for and are there: float64 with NaN for no value, or text with ``""``.
    units : dict of str to str
        Their units, ``""`` where the file has none.
    """

    format: str
    source: Source
    values: dict
    units: dict

    @property
    def header(self):
        """Names of all columns of the file."""
        return self.source.header

    def where(self, rows):
        """Tell a person where rows are, as in ``line 2`` or ``rows 3 and 7``.

        Parameters
        ----------
        rows : sequence of int
            Rows counted from zero, in increasing order.

        Returns
        -------
        str
            Lines of a text file, found by reading it again; rows of any other, counted from one.
        """
        is_text = self.format in ("CSV", "ECSV")
        numbers = lines_of_rows(self.source, self.format, rows) if is_text else [row + 1 for row in rows]
        plural = "s" if len(numbers) > 1 else ""
        return f"{'line' if is_text else 'row'}{plural} {' and '.join(map(str, numbers))}"


def read_columns(path, columns, *, units=None, texts=()):
    """Read some columns of a catalog.

    Parameters
    ----------
    path : str or Path
        The file. Of FITS and VOTable its first table is read, of HDF5 the table (compound dataset or group
        of columns) that has most of the wanted columns.
    columns : dict of str to str
        Name in the file of each wanted column by the name that it gets here.
    units : dict of str to str, optional
        Units that columns of numbers are turned into where the file says that they have another, for
        example ``{"pmra": "mas/yr"}``; hours become degrees as hour angles do.
    texts : collection of str, optional
        Columns that are text whatever they hold; whole numbers keep all their digits. Any other column of numbers
        is float64, or text where one is a whole number that a float cannot hold. CSV has no types: there a column is
        one of numbers if all its cells are, and text as it is written otherwise.

    Returns
    -------
    Columns
        Without the columns that the file does not have; rows in the order of the file.

    Raises
    ------
    CatalogError
        For a file that is missing, damaged or of another kind, a column that holds arrays, and a unit that
        cannot be turned into the one wanted.
    """
    path = Path(path)
    kind, packed = _format(path)
    source = Source(path, packed, dict(columns), set(texts))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about sloppy headers; what cannot be read is an error
            values = {name: _as_column(source, name, *found) for name, *found in READERS[kind](source)}
            given = {name: source.units.get(columns[name], "") for name in values}
            return Columns(kind, source, values, given | _convert(source, values, units or {}))
    except _DAMAGE as error:
        raise CatalogError(f"{path}: cannot be read as a {kind} catalog ({' '.join(str(error).split())})") from None


def _format(path):
    """Format of a file and whether it is packed by gzip."""
    try:
        with open(path, "rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else open(path, "rb") as file:
            start = file.read(4096)
    except FileNotFoundError:
        raise CatalogError(f"{path}: no such catalog; check catalog.file in the configuration") from None
    except (OSError, EOFError, zlib.error) as error:
        raise CatalogError(f"{path}: cannot be read ({error})") from None
    kind = next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), None)
    if kind is None:
        is_xml = start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")
        kind = "VOTable" if is_xml and b"VOTABLE" in start else "CSV"
    if kind == "CSV" and b"\0" in start:
        raise CatalogError(f"{path}: is not a catalog; known are CSV, ECSV, FITS, VOTable, HDF5 and parquet")
    if packed and kind in ("HDF5", "parquet"):
        raise CatalogError(f"{path}: is {kind} packed by gzip; unpack it with gunzip first")
    return kind, packed


def _as_column(source, name, values, missing):
    """Float64 or text from an array of any type; `missing` marks the rows without a value."""
    values = np.asarray(values)
    if values.ndim != 1 or values.dtype.kind not in "biufSUO":
        raise CatalogError(f"{source.path}: column '{source.wanted[name]}' for the {name} does not hold single values")
    is_long = values.dtype.kind in "iu" and values.size and max(int(values.max()), -int(values.min())) > EXACT
    if values.dtype.kind in "SUO":
        column = _as_text(values)
    elif name in source.texts or is_long:
        column = values.astype(str)
    else:
        column = values.astype(float)
    if missing is not None:
        column[missing] = "" if column.dtype.kind == "U" else np.nan
    return column


def _as_text(values):
    """Text without blanks around it from bytes, ``str`` or objects."""
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
    """Bring columns of numbers to the wanted units, in place, and give those that changed."""
    changed = {}
    for name, unit in wanted.items():
        given = source.units.get(source.wanted.get(name), "")
        if name in values and values[name].dtype.kind == "f" and given not in ("", unit):
            values[name] *= _factor(source, name, given, unit)
            changed[name] = unit
    return changed


def _factor(source, name, given, wanted):
    """What to multiply a column by."""
    from astropy import units as u

    if wanted == "mag" and "mag" in given.lower():
        return 1.0  # mag(AB), Vega mag: which is for mag_filter to say
    for style in ("generic", "fits", "vounit", "cds"):
        try:
            unit = u.Unit(_UNIT_NAMES.get(given.lower(), given), format=style)
            return unit.to(u.hour) * 15.0 if wanted == "deg" and unit.is_equivalent(u.hour) else unit.to(wanted)
        except (ValueError, TypeError):
            continue
    raise CatalogError(
        f"{source.path}: column '{source.wanted[name]}' has the unit '{given}', which cannot be turned into {wanted} "
        f"for the {name} of a source; correct the unit in the file or name another column"
    )
