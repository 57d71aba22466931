"""Texts for people: numbers with their nouns, tables in lines, and which texts can be kept."""

import re

from vo_lib.errors import plain

__all__ = ["count_text", "is_storable", "table_lines"]

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def count_text(number, noun):
    """A number with its noun, in the plural where that is due."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def table_lines(header, rows):
    """Lines of a table with the numbers aligned at the right; texts of others move no cursor and begin no line."""
    cells = [header, *([f"{cell:,}" if isinstance(cell, int) else plain(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in cells]


def is_storable(text):
    """Whether names of files, HDF5 and PostgreSQL can hold a text: one without NUL and halves of characters."""
    return not _UNSTORABLE.search(text)
