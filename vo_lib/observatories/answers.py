"""Parse survey answers in CSV and JSON with declared types, or reject them with the reason."""

import csv
import io
import json
import re

import numpy as np

from vo_lib.errors import ServiceError
from vo_lib.numbers import to_float, to_floats, to_ints
from vo_lib.observatories.answer_text import check_body, shorten
from vo_lib.positions import offsets
from vo_lib.tables import encode_table

__all__ = [
    "as_bytes",
    "read_cone_answer",
    "read_csv_answer",
    "read_json",
    "read_json_answer",
    "rows_to_table",
]

# How far outside the requested circle the epochs of a source may scatter [arcsec].
SCATTER_ARCSEC = 10.0

MISSING = frozenset({"", "null", "NULL", "none", "None", "NA", "--"})


def read_csv_answer(text, columns):
    """Parse a survey's answer in CSV into a structured array.

    Parameters
    ----------
    text : str
        Body of the answer.
    columns : dict of str to tuple
        Type, unit and description of each required column; types are ``i8``, ``f8`` and ``S`` with a
        width, which grows if a text is longer.

    Returns
    -------
    ndarray, shape (n_rows,)
        Columns in the order of the answer. Undeclared columns are included, as int64 or float64 if
        every value is such a number and as text otherwise. Zero rows for a header alone.

    Raises
    ------
    ServiceError
        If the body is empty, a web page or an error report, lacks a column, has truncated lines, or
        has a value that does not fit the type of its column. None of these means "no data".

    Notes
    -----
    Integers are never read as floats, which would corrupt 64-bit identifiers. A line that is cut
    inside its last value cannot be told from a complete one.
    """
    text = text.removeprefix("\ufeff")
    check_body(text)
    header, rows, lines = _split(text)
    if missing := [name for name in columns if name not in header]:
        raise ServiceError(
            f"the answer has no column '{missing[0]}' (it begins with '{shorten(text.splitlines()[0])}'); "
            f"the survey may have changed its format"
        )
    cells = zip(*rows, strict=True) if rows else [()] * len(header)
    arrays = [
        _read_declared(name, values, np.dtype(columns[name][0]), lines) if name in columns else _read_other(values)
        for name, values in zip(header, cells, strict=True)
    ]
    return encode_table(dict(zip(header, arrays, strict=True)))


def read_cone_answer(text, columns, ra, dec, radius_deg, *, names=("ra", "dec")):
    """Parse the answer in CSV to a query for a circle on the sky.

    Parameters
    ----------
    text, columns
        See `read_csv_answer`.
    ra, dec, radius_deg : float
        Centre and radius of the requested circle [degrees].
    names : tuple of str, optional
        Names of the columns with the positions [degrees].

    Returns
    -------
    ndarray, shape (n_rows,)
        See `read_csv_answer`.

    Raises
    ------
    ServiceError
        As `read_csv_answer`; also if all rows are far outside the circle, which makes them the answer
        to another query.
    """
    data = read_csv_answer(text, columns)
    steps = np.hypot(*offsets(*(data[name] for name in names), ra, dec))
    if len(data) and (steps > radius_deg * 3600 + SCATTER_ARCSEC).all():
        raise ServiceError(
            f"the answer is for another position: its rows are at least {steps.min():.0f} arcsec from "
            f"RA {round(ra, 7) % 360:.7f} Dec {dec:.7f}"
        )
    return data


def read_json(text):
    """Parse an answer in JSON; raise `ServiceError` if it is not JSON or is nested too deeply."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ServiceError(
            f"the answer is not JSON but '{shorten(text) or 'empty'}' ({error}); it may have been cut off"
        ) from None


def read_json_answer(text, list_name):
    """Return the list of objects in a survey's JSON answer.

    Parameters
    ----------
    text : str
        Body of the answer: a JSON object.
    list_name : str
        Key of the list in that object.

    Returns
    -------
    rows : list of dict
    rest : dict
        The answer without the list.

    Raises
    ------
    ServiceError
        If the body is empty, a web page, or not an object with such a list.
    """
    check_body(text)
    answer = read_json(text)
    rows = answer.pop(list_name, None) if isinstance(answer, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ServiceError(f"the answer has no list '{list_name}' ('{shorten(text)}'); the survey may have changed it")
    return rows, answer


def rows_to_table(rows, columns):
    """Convert the objects of a JSON answer to a structured array.

    Parameters
    ----------
    rows : list of dict
        One object per row of the table; keys that `columns` does not name are ignored.
    columns : dict of str to tuple
        As for `read_csv_answer`.

    Returns
    -------
    ndarray, shape (n_rows,)
        A null float becomes NaN, a null text becomes empty.

    Raises
    ------
    ServiceError
        If an object lacks one of the columns, or has a value that does not fit the column's type.
    """
    return encode_table({name: _json_column(rows, name, np.dtype(kind)) for name, (kind, _, _) in columns.items()})


def _json_column(rows, name, dtype):
    """One column of `rows_to_table`; true and false become 1 and 0."""
    if missing := [number for number, row in enumerate(rows) if name not in row]:
        raise ServiceError(f"row {missing[0]} of the answer has no '{name}'; the survey may have changed its format")
    values = [row[name] for row in rows]
    if dtype.kind == "S":
        return as_bytes(["" if value is None else str(value) for value in values], dtype.itemsize)
    if dtype.kind == "f":
        values = [np.nan if value is None else value for value in values]
    for number, value in enumerate(values):
        if not isinstance(value, int if dtype.kind == "i" else int | float):
            raise ServiceError(f"row {number} of the answer has {shorten(repr(value), 40)} for {name}, not a number")
    try:
        return np.array(values, dtype)
    except OverflowError:
        raise ServiceError(f"the answer has a value of {name} that is not a 64-bit number") from None


def _split(text):
    """Header, rows, and the number of the line on which each row ends."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        numbered = [(row, reader.line_num) for row in reader if row]
    except csv.Error as error:
        raise ServiceError(f"line {reader.line_num} of the answer is not CSV ({error})") from None
    header = [name.strip() for name in numbered[0][0]]
    if len(set(header)) < len(header) or "" in header:
        raise ServiceError(f"the answer's header has empty or repeated names: {shorten(','.join(header))}")
    for row, line in numbered[1:]:
        if len(row) != len(header):
            raise ServiceError(
                f"line {line} of the answer has {len(row)} values, the header has {len(header)}; the answer was cut off"
            )
    return header, [row for row, _ in numbered[1:]], [line for _, line in numbered[1:]]


def _read_declared(name, values, dtype, lines):
    """Column of a declared type; a missing float becomes NaN."""
    if dtype.kind == "S":
        return as_bytes(values, dtype.itemsize)
    try:
        return to_ints(values, dtype) if dtype.kind in "iu" else to_floats(values).astype(dtype)
    except (ValueError, OverflowError):
        return np.array([_convert(name, *cell, dtype) for cell in zip(values, lines, strict=True)], dtype)


def _convert(name, value, line, dtype):
    """One value; a `ServiceError` names the line of a wrong one."""
    try:
        return to_ints([value], dtype)[0] if dtype.kind in "iu" else _float_or_nan(value)
    except (ValueError, OverflowError):
        raise ServiceError(
            f"line {line} of the answer has '{shorten(value, 40)}' for {name}, not a number of its type"
        ) from None


def _float_or_nan(value):
    """Float of a text; NaN for any spelling of a missing value."""
    return np.nan if value.strip() in MISSING else to_float(value)


def _read_other(values):
    """Undeclared column: as integers, floats or text, the first that fits all values."""
    try:
        return to_ints(values)
    except OverflowError:
        return as_bytes(values)
    except ValueError:
        # An integer too long for int64 must not become a float.
        if any(re.fullmatch(r"\s*[+-]?\d{16,}\s*", value) for value in values):
            return as_bytes(values)
    try:
        return to_floats(values)
    except ValueError:
        return as_bytes(values)


def as_bytes(values, width=1):
    """Encode texts as an array of UTF-8 bytes.

    Parameters
    ----------
    values : sequence of str
        The texts.
    width : int, optional
        Minimum item size of the array [bytes].

    Returns
    -------
    ndarray of bytes, shape (n_values,)

    Raises
    ------
    ServiceError
        If a text has a lone surrogate, which JSON can contain and UTF-8 cannot.
    """
    try:
        encoded = [value.encode() for value in values]
    except UnicodeEncodeError as error:
        raise ServiceError(f"the answer has text that cannot be stored ({error.reason}): {error.object!a}") from None
    return np.array(encoded, f"S{max([width, *map(len, encoded)])}")
