"""Make catalogs from lists of names, by adding positions to the rows without one.

Moving targets cannot be in a catalog, which is sorted by right ascension; they are reported as problems.
"""

import csv
from pathlib import Path
from typing import NamedTuple

from vo_lib.catalogs.files import read_columns
from vo_lib.catalogs.text import MISSING
from vo_lib.errors import CatalogError
from vo_lib.files import replacing

__all__ = ["COLUMNS", "REPEATED", "Problem", "Resolved", "complete_catalog", "resolve_list"]

COLUMNS = ("name", "ra", "dec", "pmra", "pmdec", "epoch")
# Epoch of the positions from services [Julian year].
EPOCH = 2000.0
REPEATED = "repeated"


class Problem(NamedTuple):
    """A name without a row in the catalog.

    Parameters
    ----------
    name : str
        The name as given.
    kind : str
        A status of `vo_lib.targets.target` other than found, or `REPEATED` if its target already has a row.
    message : str
        What is wrong and what to do, in a sentence.
    """

    name: str
    kind: str
    message: str


class Resolved(NamedTuple):
    """Rows and problems from a list of names.

    Parameters
    ----------
    rows : list of dict
        A row per target, in the order of the list, with `COLUMNS` and, from `complete_catalog`, those of the list.
    problems : list of Problem
        The names without a row, in the order of the list.
    """

    rows: list
    problems: list


def resolve_list(names, resolver):
    """Find the positions of targets.

    Parameters
    ----------
    names : iterable of str
        Their names.
    resolver : Resolver
        Resolver of names, see `vo_lib.targets.names`.

    Returns
    -------
    Resolved
        A row for each target found: its name as given, ICRS position at epoch 2000.0 [degrees] and proper motion
        with cos(dec) [mas/yr], None if no service gives it. Two names of one target give one row, with the first name.
    """
    names, rows, problems, seen = list(names), [], [], {}
    for name, target in zip(names, resolver.look_up_all(names), strict=True):
        if target.problem:
            problems.append(Problem(name, target.status, f"'{name}' {target.problem}"))
        elif target.canonical in seen:
            problems.append(Problem(name, REPEATED, f"'{name}' is the same target as '{seen[target.canonical]}'"))
        else:
            seen[target.canonical] = name
            place = (target.ra, target.dec, target.pmra, target.pmdec, EPOCH)
            rows.append(dict(zip(COLUMNS, (name, *place), strict=True)))
    return Resolved(rows, problems)


def complete_catalog(path, out, resolver):
    """Complete a list of names to a catalog in which each row has a position, and write it.

    Parameters
    ----------
    path : str or Path
        A list of names: CSV (see `vo_lib.catalogs.files`) with a column ``name``, or a text file with one name per
        line; lines that begin with ``#`` are comments. Rows with ``ra`` and ``dec`` stay unchanged. The others get a
        position, its epoch and, if a service knows it, proper motion; their other columns stay unchanged.
    out : str or Path
        The catalog to write, CSV with `COLUMNS` (ICRS) and the other columns of the list; its folder must exist. The
        problems are written to the CSV file ``<out>_problems.csv`` beside it, which is removed if there are none.
    resolver : Resolver
        Resolver of names, see `vo_lib.targets.names`.

    Returns
    -------
    Resolved
        The rows of the catalog, in which values from the list are text, and the problems.

    Raises
    ------
    CatalogError
        If the list is missing, empty, of another form or would be overwritten, if the folder of `out` is missing, or,
        after the problems are written, if no row has a position.
    """
    path, out = Path(path), Path(out)
    report = out.with_name(f"{out.stem}_problems.csv")
    for file, content in ((out, "catalog"), (report, "problems")):
        if path.exists() and file.exists() and file.samefile(path):
            raise CatalogError(f"{file}: is the list itself, which the {content} would overwrite; choose another --out")
    if not out.parent.is_dir():
        raise CatalogError(f"{out}: there is no folder {out.parent}; create it first or write elsewhere")
    header, rows = _read_list(path)
    found, problems = resolve_list([row["name"] for row in rows if not _has_place(row)], resolver)
    places = {row["name"]: row for row in found}
    complete = [row if _has_place(row) else _fill(row, places.pop(row["name"], None)) for row in rows]
    complete = [row for row in complete if row is not None]
    report.unlink(missing_ok=True)
    if problems:
        _write(report, Problem._fields, map(Problem._asdict, problems))
    if not complete:
        raise CatalogError(f"{path}: none of its {len(rows)} names has a position; {report} says why")
    _write(out, header, complete)
    return Resolved(complete, problems)


def _read_list(path):
    """Header and rows (as text) of a list of names."""
    if not path.is_file():
        raise CatalogError(f"{path}: no such file; check the path given with --list")
    header = read_columns(path, {column: column for column in ("name", "ra", "dec")}).header
    if len(header) > 1 and "name" not in header:
        raise CatalogError(f"{path}: has no column 'name' (it has {', '.join(header)}); rename the one with the names")
    columns = {column: column for column in header}
    found = read_columns(path, columns, texts=columns)
    if found.format != "CSV":
        raise CatalogError(f"{path}: is {found.format}; write the names to a text file or CSV")
    cells = {column: values.tolist() for column, values in found.values.items()}
    if header and "name" not in header:
        cells = {"name": [header[0], *cells[header[0]]]}
    if not cells.get("name"):
        raise CatalogError(f"{path}: contains no names")
    header = [*COLUMNS, *(column for column in cells if column not in COLUMNS)]
    rows = [dict.fromkeys(header, "") | dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]
    for number, row in enumerate(rows):
        _check_row(found, number, row)
    return header, rows


def _check_row(found, number, row):
    """Check that a row has a name, and both coordinates or none."""
    if not row["name"]:
        raise CatalogError(f"{found.place(number)}: the source has no name; give it one")
    given = [column for column in ("ra", "dec") if row[column] not in MISSING]
    if len(given) == 1:
        raise CatalogError(f"{found.place(number)}: has only {given[0]}; give both coordinates or neither")


def _has_place(row):
    """Return whether a row has a position in the list."""
    return row["ra"] not in MISSING


def _fill(row, place):
    """Row with the position and proper motion that were found, None without a position."""
    return None if place is None else row | {column: value for column, value in place.items() if value is not None}


def _write(path, header, rows):
    """Write rows as CSV."""
    with replacing(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, header, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
