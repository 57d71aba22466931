"""Catalogs of sources: read, checked, sorted into bins and kept in a snapshot.

A catalog is read once and its rows are kept, sorted by bin, in a snapshot file. Later
starts of the workflow, and each download job, read only what they need from there.
"""

import csv
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vo_lib import hdf5
from vo_lib.bins import Bins
from vo_lib.errors import CatalogError, UserError

__all__ = ["COLUMNS", "Snapshot", "read_catalog", "take_snapshot"]

FORMAT = 1

# Column -> (unit, needed, text)
COLUMNS = {
    "name": ("", True, True),
    "ra": ("deg", True, False),
    "dec": ("deg", True, False),
    "pmra": ("mas/yr", False, False),
    "pmdec": ("mas/yr", False, False),
    "parallax": ("mas", False, False),
    "epoch": ("yr", False, False),
    "mag": ("mag", False, False),
    "mag_err": ("mag", False, False),
    "mag_filter": ("", False, True),
}

DEFAULT_EPOCH = 2016.0  # Gaia DR3, Gaia Collaboration 2023, A&A 674, A1


def read_catalog(path, columns=None):
    """Read and check a catalog in CSV.

    Parameters
    ----------
    path : str or Path
        File with a header line; lines that start with ``#`` are skipped.
    columns : dict of str to str, optional
        Name in the file of each column of `COLUMNS`, where it differs.

    Returns
    -------
    dict of str to ndarray
        The columns of `COLUMNS` in the order of the file: coordinates [degrees, ICRS], proper
        motions [mas/yr, with cos(dec)], parallax [mas], epoch [Julian year], magnitudes; NaN or
        an empty text where the catalog has no value. A missing epoch is 2016.0.

    Raises
    ------
    CatalogError
        For a missing file or column, a value that is not a number, coordinates that are missing
        or out of range, and names that are empty or not unique.
    """
    path = Path(path)
    header, rows, lines = _read_rows(path)
    where = _find_columns(path, header, columns or {})
    table = {}
    for name, (_, _, text) in COLUMNS.items():
        cells = [row[where[name]].strip() for row in rows] if name in where else [""] * len(rows)
        table[name] = np.array(cells, dtype=str) if text else _numbers(path, name, cells, lines)
    table["epoch"][np.isnan(table["epoch"])] = DEFAULT_EPOCH
    _check_names(path, table["name"], lines)
    _check_range(path, "ra", table["ra"], lines, (0.0, 360.0))
    _check_range(path, "dec", table["dec"], lines, (-90.0, 90.0))
    return table


def _read_rows(path):
    """Header, rows of a CSV file, and the line on which each row ends."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header, rows, lines = None, [], []
            for row in reader:
                if not row or row[0].lstrip().startswith("#"):
                    continue
                if header is None:
                    header = [cell.strip() for cell in row]
                    continue
                if len(row) != len(header):
                    raise CatalogError(
                        f"{path}: line {reader.line_num} has {len(row)} cells, the header has {len(header)}; "
                        f"quote cells that hold a comma"
                    )
                rows.append(row)
                lines.append(reader.line_num)
    except FileNotFoundError:
        raise CatalogError(f"{path}: no such catalog; check catalog.file in the configuration") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CatalogError(f"{path}: cannot be read as a CSV catalog ({error})") from None
    if header is None or not rows:
        raise CatalogError(f"{path}: holds no sources; a catalog needs a header line and at least one row")
    return header, rows, np.array(lines)


def _find_columns(path, header, columns):
    """Position of each column of `COLUMNS` that the file has."""
    where = {}
    for name, (_, needed, _) in COLUMNS.items():
        wanted = columns.get(name) or name
        if header.count(wanted) > 1:
            raise CatalogError(f"{path}: has {header.count(wanted)} columns '{wanted}'; rename all but one")
        if wanted in header:
            where[name] = header.index(wanted)
        elif needed or columns.get(name):
            raise CatalogError(
                f"{path}: has no column '{wanted}' for the {name} of a source (it has {', '.join(header)}); "
                f"name the right one in catalog.columns.{name}"
            )
    return where


def _numbers(path, name, cells, lines):
    """Floats of a column, NaN for an empty cell."""
    try:
        values = np.array([cell or "nan" for cell in cells], dtype=float)
    except ValueError:
        cell, line = next(found for found in zip(cells, lines, strict=True) if not _is_number(found[0] or "nan"))
        raise CatalogError(f"{path}: line {line}: {name} is '{cell}', which is not a number") from None
    if (infinite := np.isinf(values)).any():
        raise CatalogError(f"{path}: line {lines[infinite][0]}: {name} is infinite; leave the cell empty if unknown")
    return values


def _is_number(text):
    """Whether a text can be read as a float."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_names(path, names, lines):
    """Each source has a name of its own."""
    if (empty := names == "").any():
        raise CatalogError(f"{path}: line {lines[empty][0]}: the source has no name; give it one")
    unique, counts = np.unique(names, return_counts=True)
    if len(unique) < len(names):
        twice = unique[counts > 1]
        listed = ", ".join(
            f"'{name}' on lines {' and '.join(map(str, lines[names == name][:3]))}" for name in twice[:5]
        )
        more = f" and {len(twice) - 5} more" if len(twice) > 5 else ""
        raise CatalogError(f"{path}: names must be unique, but there is {listed}{more}; rename or remove them")


def _check_range(path, name, values, lines, limits):
    """Coordinates are numbers within their limits."""
    low, high = limits
    bad = ~((values >= low) & (values <= high))
    if bad.any():
        more = f" (and {bad.sum() - 1} more)" if bad.sum() > 1 else ""
        raise CatalogError(
            f"{path}: line {lines[bad][0]}: {name} is {values[bad][0]}, "
            f"it must be between {low:g} and {high:g} degrees{more}"
        )


@dataclass(frozen=True)
class Snapshot:
    """A checked catalog on disk, sorted by bin and name.

    Parameters
    ----------
    path : Path
        The snapshot file.
    bins : dict of str to tuple
        First row, row after the last and digest of the rows of each bin with sources, in the
        order of right ascension. The digest does not depend on the order of the catalog.
    """

    path: Path
    bins: dict

    @property
    def n_sources(self):
        """Number of sources in the catalog."""
        return max((stop for _, stop, _ in self.bins.values()), default=0)

    def rows(self, bin_name):
        """Rows of one bin as a dict of arrays, in the order of names."""
        start, stop, _ = self.bins[bin_name]
        with hdf5.open_file(self.path) as file:
            return hdf5.decode_table(file["rows"][start:stop])

    @classmethod
    def open(cls, path):
        """Open an existing snapshot."""
        with hdf5.open_file(path) as file:
            table = hdf5.read_table(file, "bins")
        columns = (table[name].tolist() for name in ("start", "stop", "digest"))
        return cls(Path(path), dict(zip(table["name"].tolist(), zip(*columns, strict=True), strict=True)))


def take_snapshot(path, folder, *, columns=None, width_deg=1.0):
    """Give the snapshot of a catalog, made anew only when the catalog or its options changed.

    Parameters
    ----------
    path : str or Path
        The catalog, see `read_catalog`.
    folder : str or Path
        Folder for snapshots.
    columns : dict, optional
        See `read_catalog`.
    width_deg : float, optional
        Width of the bins [degrees].

    Returns
    -------
    Snapshot
    """
    path = Path(path).absolute()
    options = json.dumps([FORMAT, str(path), columns or {}, width_deg], sort_keys=True)
    target = Path(folder) / f"{hashlib.sha256(options.encode()).hexdigest()[:20]}.h5"
    state = _file_state(path)
    if _is_current(target, state):
        return Snapshot.open(target)
    _write_snapshot(target, read_catalog(path, columns), Bins(width_deg), state)
    return Snapshot.open(target)


def _is_current(snapshot, state):
    """Whether a snapshot is there, whole and of the catalog as it is; a damaged one is made again."""
    try:
        with hdf5.open_file(snapshot) as file:
            return hdf5.read_json(file, "metadata") == state
    except UserError:
        return False


def _file_state(path):
    """Size and time of change of a file, which tell whether it is the same."""
    try:
        status = path.stat()
    except OSError:
        return None
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns}


def _write_snapshot(target, table, bins, state):
    """Sort a catalog by bin and name and write it with the digest of each bin."""
    index = bins.index(table["ra"])
    order = np.lexsort((table["name"], index))
    table = {name: values[order] for name, values in table.items()}
    numbers, starts = np.unique(index[order], return_index=True)
    stops = np.append(starts[1:], len(order))
    digests = [_rows_digest(table, slice(*limits)) for limits in zip(starts, stops, strict=True)]
    names = np.array([bins.name(number) for number in numbers])
    with hdf5.Writer(target) as writer:
        writer.write_table("rows", table)
        writer.write_table("bins", {"name": names, "start": starts, "stop": stops, "digest": np.array(digests)})
        writer.write_json("metadata", state)


def _rows_digest(table, rows):
    """Digest of some rows that does not depend on the width of text columns."""
    digest = hashlib.sha256()
    for name, values in table.items():
        part = values[rows]
        digest.update(json.dumps([name, part.tolist()]).encode() if part.dtype.kind == "U" else part.tobytes())
    return digest.hexdigest()[:20]
