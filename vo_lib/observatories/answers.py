"""Survey answers in CSV and JSON: read with declared types, or refused with the reason."""

import csv
import html
import io
import json
import re

import numpy as np

from vo_lib.errors import ServiceError
from vo_lib.numbers import to_float, to_floats, to_ints
from vo_lib.positions import offsets
from vo_lib.tables import encode_table

__all__ = [
    "as_bytes",
    "check_body",
    "describe_markup",
    "read_cone_answer",
    "read_csv_answer",
    "read_json",
    "read_json_answer",
    "rows_to_table",
    "shorten",
]

# Epochs of a source may scatter as far out of the circle that was asked for [arcsec].
SCATTER_ARCSEC = 10.0

MISSING = frozenset({"", "null", "NULL", "none", "None", "NA", "--"})

_INFO = re.compile(r"<(?:\w+:)?INFO\b([^>]*?)(?:/>|>(.*?)</(?:\w+:)?INFO>)", re.DOTALL | re.IGNORECASE)
_VALUE = re.compile(r"\bvalue\s*=\s*[\"']([^\"']*)[\"']", re.IGNORECASE)
# What the archives of ESA say on a page of an error.
_MESSAGE = re.compile(r"<li><b>Message:\s*</b>(.*?)(?:</li>|$)", re.DOTALL)
_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL | re.IGNORECASE)


def read_csv_answer(text, columns):
    """Turn the text of a survey's answer into a structured array.

    Parameters
    ----------
    text : str
        Body of the answer.
    columns : dict of str to tuple
        Type, unit and description of each column that must be there; types are ``i8``, ``f8`` and
        ``S`` with a width, which grows where a text is longer.

    Returns
    -------
    ndarray, shape (n_rows,)
        Columns in the order of the answer, those that are not declared too: as int64 or float64
        when every value is such a number, else as text. Zero rows for a header alone.

    Raises
    ------
    ServiceError
        If the body is empty, a page or an error report, lacks a column, has lines that are cut
        off, or a value that its column cannot have. None of these means "no data".

    Notes
    -----
    Integers are never read as floats, which would change 64-bit identifiers. A line cut inside
    its last value cannot be told from a whole one.
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
    """Table of an answer for a circle on the sky, as of `read_csv_answer`.

    Parameters
    ----------
    text, columns
        See `read_csv_answer`.
    ra, dec, radius_deg : float
        Centre and radius of the circle that was asked for [degrees].
    names : tuple of str, optional
        Columns of the positions [degrees].

    Returns
    -------
    ndarray, shape (n_rows,)

    Raises
    ------
    ServiceError
        Also if all rows are far outside the circle, for then it is the answer to another question.
    """
    data = read_csv_answer(text, columns)
    steps = np.hypot(*offsets(*(data[name] for name in names), ra, dec))
    if len(data) and (steps > radius_deg * 3600 + SCATTER_ARCSEC).all():
        raise ServiceError(
            f"the answer is for another place: its rows are at least {steps.min():.0f} arcsec from "
            f"RA {round(ra, 7) % 360:.7f} Dec {dec:.7f}"
        )
    return data


def read_json(text):
    """Give the value of an answer in JSON; `ServiceError` for what is none, or nested too deep."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ServiceError(
            f"the answer is not JSON but '{shorten(text) or 'empty'}' ({error}); it may have been cut off"
        ) from None


def read_json_answer(text, list_name):
    """Give the list of objects in a survey's answer.

    Parameters
    ----------
    text : str
        Body of the answer: a JSON object.
    list_name : str
        Name of the list in it.

    Returns
    -------
    rows : list of dict
    rest : dict
        The answer without the list.

    Raises
    ------
    ServiceError
        For a body that is empty, a page or not such an object.
    """
    check_body(text)
    answer = read_json(text)
    rows = answer.pop(list_name, None) if isinstance(answer, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ServiceError(f"the answer has no list '{list_name}' ('{shorten(text)}'); the survey may have changed it")
    return rows, answer


def rows_to_table(rows, columns):
    """Make a structured array of objects of a JSON answer.

    Parameters
    ----------
    rows : list of dict
        One for each row of the table; what `columns` does not name is left out.
    columns : dict of str to tuple
        As for `read_csv_answer`.

    Returns
    -------
    ndarray, shape (n_rows,)
        A float that is null is NaN, a text that is null is empty.

    Raises
    ------
    ServiceError
        For an object without one of the columns, or with a value that the column cannot have.
    """
    return encode_table({name: _json_column(rows, name, np.dtype(kind)) for name, (kind, _, _) in columns.items()})


def _json_column(rows, name, dtype):
    """One column of `rows_to_table`; true and false are 1 and 0."""
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
        raise ServiceError(f"the answer has a value of {name} that is no 64-bit number") from None


def shorten(text, length=200):
    """Put a text on one line of limited length."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 3] + "..."


def check_body(text):
    """Raise `ServiceError` for a body that is empty or in XML or HTML, and say what it is about.

    Parameters
    ----------
    text : str
        The body or its beginning.
    """
    start = text[:2000].lstrip()
    if not start:
        raise ServiceError("the answer is empty; a table would have a header at least")
    if start.startswith("<"):
        raise ServiceError(f"the answer is not a table but {describe_markup(text)}")


def describe_markup(text):
    """Say what an answer in XML or HTML is about.

    Parameters
    ----------
    text : str
        Beginning of the answer, or all of it.

    Returns
    -------
    str
        ``an error report: ...`` or ``a page: ...`` with the message or title, on one line of limited length.
    """
    for attributes, content in _INFO.findall(text):
        if "QUERY_STATUS" in attributes and "ERROR" in attributes:
            return f"an error report: {shorten(html.unescape(content)) or 'without a message'}"
    for attributes, _ in _INFO.findall(text):
        if re.search(r"name\s*=\s*[\"']error[\"']", attributes, re.IGNORECASE) and (value := _VALUE.search(attributes)):
            return f"an error report: {shorten(html.unescape(value[1]))}"
    if message := _MESSAGE.search(text):
        return f"an error report: {shorten(html.unescape(message[1]))}"
    title = _TITLE.search(text)
    return f"a page: {shorten(html.unescape(title[1] if title else text))}"


def _split(text):
    """Header, rows, and the line on which each row ends."""
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
    """Column of a declared type; a float without a value is NaN."""
    if dtype.kind == "S":
        return as_bytes(values, dtype.itemsize)
    try:
        return to_ints(values, dtype) if dtype.kind in "iu" else to_floats(values).astype(dtype)
    except (ValueError, OverflowError):
        return np.array([_convert(name, *cell, dtype) for cell in zip(values, lines, strict=True)], dtype)


def _convert(name, value, line, dtype):
    """One value, or an error that says where it stands."""
    try:
        return to_ints([value], dtype)[0] if dtype.kind in "iu" else _float_or_nan(value)
    except (ValueError, OverflowError):
        raise ServiceError(
            f"line {line} of the answer has '{shorten(value, 40)}' for {name}, not a number of its type"
        ) from None


def _float_or_nan(value):
    """Float of a text, NaN for the ways of writing nothing."""
    return np.nan if value.strip() in MISSING else to_float(value)


def _read_other(values):
    """Column that is not declared: whole numbers, numbers or text, whichever fits all values."""
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
    """Put texts into an array of UTF-8.

    Parameters
    ----------
    values : sequence of str
        The texts.
    width : int, optional
        Least width of the array's type [bytes].

    Returns
    -------
    ndarray of bytes, shape (n_values,)

    Raises
    ------
    ServiceError
        For half a character, which JSON can hold.
    """
    try:
        encoded = [value.encode() for value in values]
    except UnicodeEncodeError as error:
        raise ServiceError(f"the answer has text that no file can keep ({error.reason}): {error.object!a}") from None
    return np.array(encoded, f"S{max([width, *map(len, encoded)])}")
