"""Formatting of text for people, and a check of which text can be stored."""

import re

from vo_lib.errors import plain

__all__ = ["count_text", "is_storable", "table_lines"]

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def count_text(number, noun):
    """Format a number with its noun, in the plural if required."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def table_lines(header, rows):
    """Format a table as lines, with all columns but the first aligned right and control characters escaped."""
    cells = [header, *([f"{cell:,}" if isinstance(cell, int) else plain(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in cells]


def is_storable(text):
    """Return whether file names, HDF5 and PostgreSQL can hold a text, that is, it has no NUL or surrogates."""
    return not _UNSTORABLE.search(text)
