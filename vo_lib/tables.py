"""Tables: dicts of arrays of equal length in memory, structured arrays in files.

Text is ``str`` (dtype ``U``) in memory and UTF-8 bytes (dtype ``S``) in structured arrays.
"""

import csv
import math

import numpy as np

from vo_lib.errors import DamagedProductError, UserError
from vo_lib.files import replacing

__all__ = [
    "concatenate_tables",
    "count_rows",
    "decode_table",
    "describe_columns",
    "empty_table",
    "encode_table",
    "read_csv",
    "table_rows",
    "take_rows",
    "write_csv",
]


def describe_columns(columns):
    """Convert descriptions of columns to JSON values, as files have them.

    Parameters
    ----------
    columns : dict of str to tuple
        (unit, meaning), or (type, unit, meaning), of each column.

    Returns
    -------
    dict of str to dict
        ``unit`` and ``description`` of each column.
    """
    return {name: {"unit": unit, "description": text} for name, (*_, unit, text) in columns.items()}


def empty_table(columns):
    """Make a table without rows from descriptions of its columns, a dict of (type, unit, meaning)."""
    return {name: np.zeros(0, kind) for name, (kind, *_) in columns.items()}


def concatenate_tables(tables):
    """Concatenate the rows of tables with the same columns; an empty dict without tables."""
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]} if tables else {}


def count_rows(table):
    """Return the number of rows of a dict of arrays; 0 without columns."""
    return len(next(iter(table.values()), ()))


def take_rows(table, rows):
    """Select rows of a dict of arrays by their numbers, a mask or a slice."""
    return {name: values[rows] for name, values in table.items()}


def table_rows(table):
    """Return the rows of a dict of arrays as dicts of native Python values."""
    return [dict(zip(table, row, strict=True)) for row in zip(*(each.tolist() for each in table.values()), strict=True)]


def write_csv(path, tables):
    """Write tables with the same columns to a CSV file in one step; a missing number is an empty cell.

    Parameters
    ----------
    path : str or Path
        File to write; an existing one is replaced.
    tables : iterable of dict of str to ndarray, each of shape (n_rows,)
        Tables, whose rows are written one after the other; without tables the file is empty.
    """
    with replacing(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for number, table in enumerate(tables):
            if not number:
                writer.writerow(table)
            columns = [values.tolist() for values in table.values()]
            writer.writerows(map(_cells, zip(*columns, strict=True)))


def _cells(row):
    """Cells of a row."""
    return ["" if isinstance(cell, float) and math.isnan(cell) else cell for cell in row]


def read_csv(path, columns):
    """Read a table from a CSV file made by `write_csv`.

    Parameters
    ----------
    path : str or Path
        CSV file.
    columns : dict of str to tuple
        Tuple for each column that starts with its type (``U1`` is any text).

    Returns
    -------
    dict of str to ndarray, each of shape (n_rows,)
        Columns in the order of `columns`; empty numbers are NaN.

    Raises
    ------
    UserError
        If the file is missing.
    DamagedProductError
        If the file is not a table with these columns.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        if any(None in row or None in row.values() for row in rows):
            raise ValueError("a row has a different number of cells than the header")
        return {
            name: np.array([row[name] for row in rows], str)
            if kind.startswith("U")
            else np.array([row[name] or "nan" for row in rows], str).astype(kind)
            for name, (kind, *_) in columns.items()
        }
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run snakemake or Project.run to make it") from None
    except (KeyError, OverflowError, ValueError, csv.Error) as error:
        raise DamagedProductError(path, f"is not a table that this workflow wrote ({error})") from None


def _stored(values):
    """Array as stored: text as UTF-8 of the required width, ``bool`` as ``int8``."""
    if values.dtype.kind == "b":
        return values.astype("i1")
    if values.dtype.kind != "U":
        return values
    try:
        return values.astype(f"S{max(np.strings.str_len(values).max(initial=1), 1)}")  # fast, but only for ASCII
    except UnicodeEncodeError:
        return np.char.encode(values, "utf-8")


def encode_table(table):
    """Convert a dict of arrays to a structured array.

    Parameters
    ----------
    table : dict of str to ndarray, each of shape (n_rows,)
        Columns; text of dtype ``U`` becomes UTF-8 bytes, ``bool`` becomes ``int8``.

    Returns
    -------
    ndarray, shape (n_rows,)
        Structured array with the fields in the order of the dict.
    """
    columns = {name: _stored(np.asarray(values)) for name, values in table.items()}
    dtype = [(name, values.dtype) for name, values in columns.items()]
    rows = np.empty(count_rows(columns), dtype)
    for name, values in columns.items():
        rows[name] = values
    return rows


def decode_table(rows):
    """Convert a structured array to a dict of arrays with text as ``str``; inverse of `encode_table`, except `bool`."""
    return {name: _loaded(rows[name]) for name in rows.dtype.names}


def _loaded(values):
    """Array in memory, with text as ``str``; inverse of `_stored`, except for ``bool``."""
    if values.dtype.kind != "S":
        return np.ascontiguousarray(values)
    try:
        return values.astype(str)  # fast, but only for ASCII
    except UnicodeDecodeError:
        return np.char.decode(values, "utf-8")
