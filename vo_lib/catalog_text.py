"""Reader of CSV and ECSV that keeps count of lines.

Rows are read in blocks, so that a file may be larger than the memory. Beside the columns there is the way back,
from a row to its line, for messages; it reads the file again, since few files need it.
"""

import csv
import io
import itertools

import numpy as np

from vo_lib.errors import CatalogError

__all__ = ["EXACT", "MISSING", "lines_of_rows", "read_csv", "read_ecsv", "yaml_header", "yaml_units"]

# Up to here each whole number is a float.
EXACT = 2**53

MISSING = frozenset({"", "--", "nan", "NaN", "null", "NULL"})

# Separators of tables that are no CSV, the most telling first.
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}

_BLOCK_ROWS = 1 << 12


class _NotNumbersError(Exception):
    """A column that began with numbers holds something else."""


def read_csv(source, delimiter=","):
    """Read the wanted columns of CSV: floats, or text where a cell is neither a number nor missing.

    Parameters
    ----------
    source : Source
        The file; its header is filled in.
    delimiter : str, optional
        Separator of cells.

    Returns
    -------
    list of tuple
        Name, values and None of each column that is there.
    """
    texts = set(source.texts)
    while True:
        try:
            return _read_csv_once(source, texts, delimiter)
        except _NotNumbersError as error:
            texts.add(error.args[0])


def _read_csv_once(source, texts, delimiter):
    """Columns of CSV, block by block, those in `texts` as text."""
    with source.open() as file:
        reader, _ = _csv_reader(file, delimiter)
        header = [cell.strip() for cell in next(reader, [])]
        _check_separator(source, header, delimiter)
        where = source.find(header)
        parts = {name: [np.zeros(0, str if name in texts else float)] for name in where}
        for rows in _csv_blocks(reader):
            if set(map(len, rows)) != {len(source.header)}:
                raise _ragged(source, delimiter)
            for name, place in where.items():
                cells = [row[place] for row in rows]
                parts[name].append(
                    np.array([cell.strip() for cell in cells]) if name in texts else _numbers(name, cells)
                )
    return [(name, np.concatenate(parts.pop(name)), None) for name in where]


def _check_separator(source, header, delimiter):
    """Raise for a table whose only column is several with another separator; a name with blanks may head a list."""
    if delimiter != "," or len(header) != 1:
        return
    separators = _SEPARATORS if len(source.wanted) > 1 else [sign for sign in _SEPARATORS if sign != " "]
    if sign := next((sign for sign in separators if sign in header[0]), None):
        raise CatalogError(
            f"{source.path}: has columns separated by {_SEPARATORS[sign]}, as in {header[0][:40]!r}; "
            f"the separator must be a comma"
        )


def _csv_reader(file, delimiter):
    """Reader of CSV that starts with the header line, and the number of lines before it."""
    text = io.TextIOWrapper(file, newline="", encoding="utf-8-sig")
    for n_lines, line in enumerate(text):
        if line.strip() and not line.lstrip().startswith("#"):
            lines = itertools.chain([line], text)
            return csv.reader(lines, delimiter=delimiter, skipinitialspace=delimiter == " "), n_lines
    return csv.reader([]), 0


def _csv_blocks(reader):
    """Rows of CSV in blocks, without blank lines and comments."""
    while block := list(itertools.islice(reader, _BLOCK_ROWS)):
        if rows := list(filter(_is_row, block)):
            yield rows


def _is_row(row):
    """Whether cells are those of a source."""
    return bool(row) and not ("#" in row[0] and row[0].lstrip().startswith("#"))


def _numbers(name, cells):
    """Floats of cells, NaN for no value."""
    try:
        values = np.fromiter(map(float, cells), float, len(cells))
    except ValueError:
        try:
            values = np.array([np.nan if cell.strip() in MISSING else float(cell) for cell in cells])
        except ValueError:
            raise _NotNumbersError(name) from None
    if any(cells[row].strip().lstrip("+-").isdigit() for row in np.flatnonzero(np.abs(values) > EXACT)):
        raise _NotNumbersError(name)
    return values


def _ragged(source, delimiter):
    """The error for the first row that is longer or shorter than the header."""
    with source.open() as file:
        reader, before = _csv_reader(file, delimiter)
        row = next(row for row in reader if _is_row(row) and len(row) != len(source.header))
        mend = "quote cells that hold a comma" if delimiter == "," else f"cells are separated by {delimiter!r}"
        return CatalogError(
            f"{source.path}: line {before + reader.line_num} has {len(row)} cells, "
            f"the header has {len(source.header)}; {mend}"
        )


def lines_of_rows(source, kind, rows):
    """Lines on which rows of CSV or ECSV end, found by reading the file again.

    Parameters
    ----------
    source : Source
        The file.
    kind : str
        ``CSV`` or ``ECSV``.
    rows : sequence of int
        Rows counted from zero, in increasing order.

    Returns
    -------
    list of int
        Lines, counted from one.
    """
    delimiter = _ecsv_header(source).get("delimiter", " ") if kind == "ECSV" else ","
    wanted, lines = set(rows), []
    with source.open() as file:
        reader, before = _csv_reader(file, delimiter)
        next(reader)
        numbers = (before + reader.line_num for row in reader if _is_row(row))
        for row, line in enumerate(itertools.islice(numbers, max(wanted, default=-1) + 1)):
            if row in wanted:
                lines.append(line)
    return lines


def read_ecsv(source):
    """Read the wanted columns of ECSV, whose header knows the delimiter, the units and what is text.

    Parameters
    ----------
    source : Source
        The file; its header and units are filled in.

    Returns
    -------
    list of tuple
        Name, values and None of each column that is there.
    """
    header = _ecsv_header(source)
    texts = {column["name"] for column in header["datatype"] if column["datatype"] == "string"}
    source.units = yaml_units(header)
    source.texts = source.texts | {name for name, column in source.wanted.items() if column in texts}
    source.texts |= texts if source.others else set()
    return read_csv(source, header.get("delimiter", " "))


def _ecsv_header(source):
    """Header of an ECSV file, which is YAML in its first comments."""
    with source.open() as file:
        lines = itertools.takewhile(lambda line: line.startswith(b"#"), file)
        return yaml_header([line.decode()[2:].rstrip() for line in lines][1:])


def yaml_header(lines):
    """Read the header that astropy writes beside a table, as a dict, from its lines of YAML."""
    from astropy.table.meta import YamlParseError, get_header_from_yaml

    try:
        return get_header_from_yaml(lines)
    except YamlParseError as error:
        raise ValueError(f"its header is no YAML: {error.__cause__}") from None


def yaml_units(header):
    """Units by column of a `yaml_header`."""
    return {column["name"]: str(column["unit"]) for column in header["datatype"] if column.get("unit")}
