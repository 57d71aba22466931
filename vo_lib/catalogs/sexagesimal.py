"""Parse and format sexagesimal coordinates without loss.

Conversions use integer multiples of the last digit, so that a text becomes the nearest float and a float the nearest
text, never with 60 seconds and never without its sign.
"""

import re

import numpy as np

from vo_lib.numbers import to_float, to_floats

__all__ = ["CoordinateError", "format_dec", "format_ra", "parse_dec", "parse_ra"]

MISSING = ("", "nan")

_DASHES = str.maketrans({"−": "-", "–": "-", "‐": "-", "ʰ": "h", "ᵐ": "m", "ˢ": "s", "º": "°"})
_NUMBER = r"([0-9]{1,3}(?:\.[0-9]{0,30})?)"
# 12:34:56.7 and 12 34 56.7, with one separator throughout
_PLAIN = re.compile(rf"([+-]?)\s*{_NUMBER}\s*([:\s])\s*{_NUMBER}(?:\s*\3\s*{_NUMBER})?")
# 12h34m56.7s, -5d30', 5.5h
_LETTERS = re.compile(rf"([+-]?)\s*{_NUMBER}\s*([hd°])(?:\s*{_NUMBER}\s*[m'′](?:\s*{_NUMBER}\s*(?:s|\"|″|'')?)?)?")


class CoordinateError(ValueError):
    """A text is not a coordinate.

    Parameters
    ----------
    message : str
        The text and what is wrong with it.
    index : int, optional
        Index of the text in the flattened input.
    """

    def __init__(self, message, index=0):
        super().__init__(message)
        self.index = index


def parse_ra(texts):
    """Parse right ascensions.

    Parameters
    ----------
    texts : array_like of str or float
        Hours, minutes and seconds (``12:34:56.7``, ``12 34 56.7``, ``12h34m56.7s``, ``12h34.9m``), degrees with
        a unit (``188d44m10s``), or degrees as a number; empty if missing.

    Returns
    -------
    ndarray of float, of the same shape
        Right ascensions [degrees]; NaN for an empty text. The range of plain numbers is not checked.

    Raises
    ------
    CoordinateError
        For the first text that is not a right ascension between 0 and 24 hours.
    """
    return _parse(texts, "right ascension", "h", 360)


def parse_dec(texts):
    """Parse declinations.

    Parameters
    ----------
    texts : array_like of str or float
        Degrees, minutes and seconds (``-00:30:00``, ``-0 30 0``, ``-0d30m0s``, ``-0°30'``) with any kind
        of minus, or degrees as a number; empty if missing.

    Returns
    -------
    ndarray of float, of the same shape
        Declinations [degrees]; NaN for an empty text. The range of plain numbers is not checked.

    Raises
    ------
    CoordinateError
        For the first text that is not a declination between -90 and 90 degrees.
    """
    return _parse(texts, "declination", "d", 90)


def _parse(texts, what, unit, limit):
    """Degrees of texts or numbers; in one step if all are numbers."""
    texts = np.asarray(texts)
    if texts.dtype.kind in "iuf":
        return texts.astype(float)[()]
    texts = texts.astype(str)
    try:
        return to_floats(np.where(texts == "", "nan", texts).ravel().tolist()).reshape(texts.shape)[()]
    except ValueError:
        pass
    degrees = np.empty(texts.size)
    for index, text in enumerate(texts.ravel().tolist()):
        try:
            degrees[index] = _parse_one(text, unit, limit)
        except ValueError as error:
            raise CoordinateError(f"'{text}' is not a {what}: {error}", index) from None
    return degrees.reshape(texts.shape)[()]


def _parse_one(text, unit, limit):
    """Degrees of one text, as the nearest float."""
    plain = text.translate(_DASHES).strip().lower()
    if plain in MISSING:
        return np.nan
    if match := _PLAIN.fullmatch(plain):
        sign, first, _, *rest = match.groups()
    elif match := _LETTERS.fullmatch(plain):
        sign, first, letter, *rest = match.groups()
        if letter == "h" != unit:
            raise ValueError("it is in degrees, not in hours")
        unit = letter if unit == "h" else unit
    else:
        return _number(plain, unit)
    degrees = _combine([part for part in (first, *rest) if part], 15 if unit == "h" else 1)
    if degrees > limit:
        raise ValueError(f"it must be at most {'24 hours' if unit == 'h' else f'{limit} degrees'}")
    if sign == "-" and limit == 360:
        raise ValueError("it cannot be negative")
    return -degrees if sign == "-" else degrees


def _number(text, unit):
    """A plain number of degrees."""
    try:
        return to_float(text)
    except ValueError:
        examples = "12:34:56.7 (hours) or 188.73625" if unit == "h" else "-12:34:56.7 or -12.58242"
        raise ValueError(f"write it as {examples} (degrees)") from None


def _combine(parts, factor):
    """Degrees from one to three parts given as text, of which only the last may have decimals."""
    if any("." in part for part in parts[:-1]):
        raise ValueError("only the last part may have decimals")
    for name, part in zip(("minutes", "seconds"), parts[1:], strict=False):
        if float(part) >= 60:
            raise ValueError(f"its {name} must be below 60")
    decimals = parts[-1].partition(".")[2]
    scale = 10 ** len(decimals)
    whole = sum(int(part.partition(".")[0]) * 60 ** (2 - place) for place, part in enumerate(parts))
    ticks = whole * scale + int(decimals or 0) * 60 ** (3 - len(parts))
    return ticks * factor / (3600 * scale)


def format_ra(ra, *, decimals=2):
    """Format right ascensions as ``12:34:56.70``.

    Parameters
    ----------
    ra : array_like of float
        Right ascensions [degrees]; may be outside 0 to 360.
    decimals : int, optional
        Decimals of the seconds.

    Returns
    -------
    ndarray of str, of the same shape
        Rounded to nearest, 24 hours as ``00:00:00.00``; empty if not finite.
    """
    turn = 86400 * 10**decimals
    return _format(ra, lambda value: _fields(_ticks(value, 240 * 10**decimals) % turn, decimals))


def format_dec(dec, *, decimals=1):
    """Format declinations as ``-00:30:00.0``, always with a sign.

    Parameters
    ----------
    dec : array_like of float
        Declinations [degrees], between -90 and 90.
    decimals : int, optional
        Decimals of the seconds.

    Returns
    -------
    ndarray of str, of the same shape
        Rounded to nearest, ``+`` if that is zero; empty if not finite.

    Raises
    ------
    ValueError
        If a declination is out of range.
    """
    outside = np.abs(np.asarray(dec, float)) > 90
    if np.any(outside & np.isfinite(dec)):
        raise ValueError(f"declinations must be from -90 to 90 degrees, got {np.asarray(dec)[outside].flat[0]}")
    return _format(dec, lambda value: _signed_fields(value, decimals))


def _signed_fields(dec, decimals):
    """Text of one declination."""
    ticks = _ticks(abs(dec), 3600 * 10**decimals)
    return ("-" if dec < 0 and ticks else "+") + _fields(ticks, decimals)


def _format(values, write):
    """Texts of all finite values."""
    values = np.asarray(values, float)
    texts = [write(value) if np.isfinite(value) else "" for value in values.ravel().tolist()]
    return np.array(texts, dtype=str).reshape(values.shape)[()]


def _ticks(degrees, per_degree):
    """Nearest integer number of the smallest unit, exact for any float."""
    numerator, denominator = degrees.as_integer_ratio()
    return (2 * numerator * per_degree + denominator) // (2 * denominator)


def _fields(ticks, decimals):
    """``dd:mm:ss.s`` of a number of the smallest unit."""
    seconds, part = divmod(ticks, 10**decimals)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}.{part:0{decimals}d}" if decimals else text
