"""Reader of CSV and ECSV.

Rows are read in blocks, so that a file may be larger than memory. For messages, `lines_of_rows` finds the line of a
row; it reads the file again, because few files need it.
"""

import csv
import io
import itertools
import re

import numpy as np

from vo_lib.errors import CatalogError
from vo_lib.numbers import to_float, to_floats
from vo_lib.text import count_text

__all__ = ["EXACT", "MISSING", "lines_of_rows", "not_utf8", "read_csv", "read_ecsv", "yaml_header", "yaml_units"]

# Up to this number, integers and their floats correspond one to one.
EXACT = 2**53 - 1

MISSING = frozenset({"", "--", "nan", "NaN", "null", "NULL"})

# Separators of cells, most common first.
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}

# Types of columns in the second line of an IPAC table, in any case.
_IPAC_TYPES = frozenset({"", "char", "c", "date", "double", "d", "real", "r", "float", "f", "int", "i", "long", "l"})

_BLOCK_ROWS = 1 << 12
_MAX_LINE = 1 << 20  # bytes; an endless line would fill the memory


class _NotNumbersError(Exception):
    """A column that began with numbers contains something else."""


def read_csv(source):
    """Read the wanted columns of CSV: as floats, or as text if a cell is neither a number nor missing.

    The separator is a comma, semicolon, tab, bar or blanks, see `_find_separator`.

    Parameters
    ----------
    source : Source
        The file; its header and separator are set.

    Returns
    -------
    list of tuple
        Name, values and None (no mask) for each column that exists.
    """
    _refuse_other_text(source)
    source.separator = _find_separator(source)
    return _read_cells(source)


def _refuse_other_text(source):
    """Raise CatalogError for a machine-readable table of the CDS or AAS, or for an IPAC table.

    The former begins with a title, the latter with keywords after a backslash or names between bars.
    """
    with source.open() as file:
        lines = filter(_is_content, _lines(source, file))
        first, second = next(lines, ""), next(lines, "")
    if first.startswith("Title:"):
        raise CatalogError(
            f"{source.path}: is a machine-readable table of the CDS or AAS, which is not read; get or save it as "
            f"VOTable or CSV"
        )
    types = {cell.strip().lower() for cell in second.split("|")}
    if first.startswith("\\") or (first.startswith("|") and second.startswith("|") and types <= _IPAC_TYPES):
        raise CatalogError(f"{source.path}: is an IPAC table, which is not read; get or save it as VOTable or CSV")


def _read_cells(source):
    """Columns of CSV or ECSV; the file is read again with one more column as text until all columns fit."""
    texts = set(source.texts)
    while True:
        try:
            return _read_once(source, texts)
        except _NotNumbersError as error:
            texts.add(error.args[0])


def _read_once(source, texts):
    """Columns of CSV, read in blocks, those in `texts` as text."""
    with source.open() as file:
        reader, _ = _csv_reader(source, file)
        header = [cell.strip() for cell in next(reader, [])]
        where = source.find(header)
        parts = {name: [np.zeros(0, str if name in texts else float)] for name in where}
        filled = filter(None, reader)  # without blank lines
        while rows := list(itertools.islice(filled, _BLOCK_ROWS)):
            if set(map(len, rows)) != {len(source.header)}:
                raise _ragged(source)
            for name, place in where.items():
                cells = [row[place] for row in rows]
                parts[name].append(
                    np.array([cell.strip() for cell in cells]) if name in texts else _numbers(name, cells)
                )
    return [(name, np.concatenate(parts.pop(name)), None) for name in where]


def _find_separator(source):
    """Separator that gives the most wanted columns in the header; of several, the first in `SEPARATORS`.

    If none gives any, it is the first that splits the header; blanks count only if columns are required, because the
    first line of a list of names may be a name of two words.
    """
    header = _header_line(source)
    cells = {sign: {cell.strip() for cell in next(_cells([header], sign), [])} for sign in SEPARATORS}
    wanted = set(source.wanted.values())
    hits = {sign: len(wanted & found) for sign, found in cells.items()}
    if best := max(hits.values()):
        return next(sign for sign in SEPARATORS if hits[sign] == best)
    _refuse_comment(source)
    divides = (sign for sign in SEPARATORS if len(cells[sign]) > 1 and (sign != " " or source.required))
    return next(divides, ",")


def _refuse_comment(source):
    """Raise CatalogError if the header is a comment, as written by TOPCAT and numpy."""
    with source.open() as file:
        lines = _lines(source, file)
        for number, line in enumerate(itertools.takewhile(lambda line: not _is_content(line), lines), 1):
            if source.required and set(source.required) <= set(re.split(r"[\s,;|#]+", line)):
                raise CatalogError(
                    f"{source.path}: line {number} has the names of the columns, but is a comment; remove the # from it"
                )


def _header_line(source):
    """First line that is neither blank nor a comment; empty without one."""
    with source.open() as file:
        return next(filter(_is_content, _lines(source, file)), "")


def _lines(source, file, encoding=None):
    """Lines of the text of an open file."""
    return io.TextIOWrapper(_Bounded(source, file), newline="", encoding=encoding or source.encoding)


class _Bounded(io.BufferedIOBase):
    """Bytes of an open text file; raises an error for a line that is too long."""

    def __init__(self, source, file):
        self._path, self._file, self._number, self._length = source.path, file, 1, 0

    def readable(self):
        """Return True, for `io.TextIOWrapper`."""
        return True

    def read1(self, size=-1):
        """Read bytes with at most one read of the file."""
        data = self._file.read1(size)
        end = max(data.rfind(b"\n"), data.rfind(b"\r"))
        self._number += data.count(b"\n")
        self._length = self._length + len(data) if end < 0 else len(data) - 1 - end
        if self._length > _MAX_LINE:
            raise CatalogError(f"{self._path}: line {self._number} has more than {_MAX_LINE:,} bytes; is it a table?")
        return data


def _is_content(line):
    """Return whether a line is neither blank nor a comment."""
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _is_row_of_tabs(line, separator):
    """Return whether a line consists of empty cells separated by tabs."""
    return separator == "\t" and line.isspace() and "\t" in line


def _cells(lines, separator):
    """Reader of rows of cells; the separator blank stands for any blanks and tabs, and initial blanks are ignored.

    Comments and blank lines become empty lines, so that line numbers agree with the file; a quoted # does not begin a
    comment.
    """
    lines = (line if _is_content(line) or _is_row_of_tabs(line, separator) else "\n" for line in lines)
    if separator == " ":
        lines = (line.strip().replace("\t", " ") for line in lines)
    return csv.reader(lines, delimiter=separator, skipinitialspace=True)


def _csv_reader(source, file):
    """Reader of CSV, starting at the header, and the number of lines before it."""
    text = _lines(source, file)
    for n_lines, line in enumerate(text):
        if _is_content(line):
            return _cells(itertools.chain([line], text), source.separator), n_lines
    return csv.reader([]), 0


def _numbers(name, cells):
    """Floats of cells, NaN for missing values; raises `_NotNumbersError` for anything else."""
    try:
        values = to_floats(cells)
    except ValueError:
        try:
            values = np.array([np.nan if cell.strip() in MISSING else to_float(cell) for cell in cells])
        except ValueError:
            raise _NotNumbersError(name) from None
    if any(cells[row].strip().lstrip("+-").isdigit() for row in np.flatnonzero(np.abs(values) > EXACT)):
        raise _NotNumbersError(name)
    return values


def _ragged(source):
    """Error for the first row that is longer or shorter than the header."""
    with source.open() as file:
        reader, before = _csv_reader(source, file)
        row = next(row for row in reader if row and len(row) != len(source.header))
        separators = SEPARATORS[source.separator]
        mend = f"quote cells that contain {separators}" if len(row) > len(source.header) else "add the missing ones"
        return CatalogError(
            f"{source.path}: line {before + reader.line_num} has {count_text(len(row), 'cell')}, the header has "
            f"{len(source.header)}, separated by {separators}; {mend}"
        )


def not_utf8(source):
    """Return the error for the first line that is not UTF-8, which all text without a byte order mark must be.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    CatalogError
        Its message has a command that converts a file from the most common other encoding.
    """
    if source.encoding != "utf-8-sig":
        return CatalogError(f"{source.path}: is not {source.encoding} text, though it begins so; convert it to UTF-8")
    with source.open() as file:
        lines = (line.encode("latin-1") for line in _lines(source, file, "latin-1"))
        number, byte = next(filter(all, map(_foreign_byte, itertools.count(1), lines)))
    return CatalogError(
        f"{source.path}: line {number} is not UTF-8 text: it has the byte 0x{byte.hex()}, "
        f"'{byte.decode('cp1252', errors='replace')}' in Latin-1 as Windows writes it; "
        f"convert the file, if it is that, with: iconv -f WINDOWS-1252 -t UTF-8 '{source.path}' > new.csv"
    )


def _foreign_byte(number, line):
    """Number of a line and the first byte in it that is not UTF-8, empty without one."""
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return number, line[error.start : error.start + 1]
    return number, b""


def lines_of_rows(source, rows):
    """Return the lines on which rows of CSV or ECSV end, found by reading the file again.

    Parameters
    ----------
    source : Source
        The file, after it was read.
    rows : sequence of int
        Rows counted from zero, in increasing order.

    Returns
    -------
    list of int
        Lines, counted from one.
    """
    wanted, lines = set(rows), []
    with source.open() as file:
        reader, before = _csv_reader(source, file)
        next(reader)
        numbers = (before + reader.line_num for row in reader if row)
        for row, line in enumerate(itertools.islice(numbers, max(wanted, default=-1) + 1)):
            if row in wanted:
                lines.append(line)
    return lines


def read_ecsv(source):
    """Read the wanted columns of ECSV, whose header has the delimiter, the units and the types.

    Parameters
    ----------
    source : Source
        The file; its header and units are set.

    Returns
    -------
    list of tuple
        Name, values and None (no mask) for each column that exists.
    """
    header = _ecsv_header(source)
    texts = {column["name"] for column in header["datatype"] if column["datatype"] == "string"}
    source.units = yaml_units(header)
    source.texts = source.texts | {name for name, column in source.wanted.items() if column in texts}
    source.texts |= texts if source.others else set()
    source.separator = header.get("delimiter", " ")
    return _read_cells(source)


def _ecsv_header(source):
    """Header of an ECSV file, which is YAML in the comments at its start."""
    with source.open() as file:
        lines = itertools.dropwhile(lambda line: not line.startswith("# %ECSV"), _lines(source, file))
        lines = itertools.takewhile(lambda line: line.startswith("#"), lines)
        return yaml_header([line[2:].rstrip() for line in lines][1:])


def yaml_header(lines):
    """Return the header that astropy stores with a table, given as lines of YAML, as a dict."""
    from astropy.table.meta import YamlParseError, get_header_from_yaml

    try:
        return get_header_from_yaml(lines)
    except YamlParseError as error:
        raise ValueError(f"its header is not YAML: {error.__cause__}") from None


def yaml_units(header):
    """Return the units in a `yaml_header` by column."""
    return {column["name"]: str(column["unit"]) for column in header["datatype"] if column.get("unit")}
