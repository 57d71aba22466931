"""Codes that stand for no value in catalogs."""

import numpy as np

from vo_lib.catalogs.text import EXACT
from vo_lib.numbers import to_float, to_floats

__all__ = ["MISSING_VALUES", "as_numbers", "codes_of", "take_away"]

_CODES = [-999, -9999, 1e20]
_MAG_CODES = [99, 99.9, 99.99, 99.999, 999, -99, -99.9, -99.99, *_CODES]

# Codes for no value in each column; those of "all" apply to every column, including those of cuts.
MISSING_VALUES = {
    "all": [],
    "pmra": _CODES,
    "pmdec": _CODES,
    "parallax": _CODES,
    "epoch": _CODES,
    "mag": _MAG_CODES,
    "mag_err": _MAG_CODES,
}


def codes_of(missing_values, columns, mags=()):
    """Return the codes for no value of each column.

    Parameters
    ----------
    missing_values : dict of str to list, or None
        Codes by column that replace those of `MISSING_VALUES`.
    columns : iterable of str
        All columns to read.
    mags : collection of str, optional
        Columns, besides ``mag``, that are magnitudes.

    Returns
    -------
    dict of str to list
        Codes by column; the column ``name`` has none.
    """
    codes = MISSING_VALUES | (missing_values or {})
    own = {name: codes.get("mag" if name in mags else name, []) for name in columns if name not in ("name", "all")}
    return {name: [*codes["all"], *found] for name, found in own.items()}


def take_away(values, codes, texts):
    """Blank values that are codes for no value, in place.

    Parameters
    ----------
    values : dict of str to ndarray
        Columns of floats or text, in which codes become NaN or empty text.
    codes : dict of str to list
        Numbers and texts by column. A number also matches its value in single precision, and a text of it.
    texts : collection of str
        Columns that stay text; any other text column that then has only numbers becomes numeric.

    Returns
    -------
    dict of str to int
        Number of values blanked, for the columns that had any.
    """
    found = {}
    for name in values.keys() & codes.keys():
        if (is_code := _are_codes(values[name], codes[name])).any():
            values[name][is_code] = "" if values[name].dtype.kind == "U" else np.nan
            found[name] = int(is_code.sum())
            if name not in texts:
                values[name] = as_numbers(values[name])
    return found


def _are_codes(values, codes):
    """Mask of the values that are among given numbers and texts."""
    numbers = np.array([code for code in codes if not isinstance(code, str)], dtype=float)
    with np.errstate(over="ignore"):
        numbers = np.unique([numbers, numbers.astype(np.float32).astype(float)])
    if values.dtype.kind == "f":
        return np.isin(values, numbers)
    unique, which = np.unique(values, return_inverse=True)
    are = [text in codes or _number(text) in numbers for text in unique.tolist()]
    return np.array(are, dtype=bool)[which]


def as_numbers(values):
    """Return text as floats if all of it is numbers that floats can represent, or empty; else return it unchanged."""
    try:
        numbers = to_floats(np.where(values == "", "nan", values).tolist()) if values.dtype.kind == "U" else values
    except ValueError:
        return values
    return values if (np.abs(numbers) > EXACT).any() else numbers


def _number(text):
    """Number that a text represents, NaN for other text."""
    try:
        return to_float(text)
    except ValueError:
        return np.nan
