"""Catalogs of sources: read, checked, sorted into bins and kept in a snapshot.

A catalog is read once and its rows are kept, sorted by bin, in a snapshot file. Later
starts of the workflow, and each download job, read only what they need from there.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vo_lib import hdf5
from vo_lib.astrometry import to_icrs
from vo_lib.bins import Bins
from vo_lib.catalog_files import read_columns
from vo_lib.cuts import Cut, apply_cuts
from vo_lib.errors import CatalogError, UserError
from vo_lib.sexagesimal import CoordinateError, parse_dec, parse_ra

__all__ = ["COLUMNS", "Snapshot", "read_catalog", "take_snapshot"]

FORMAT = 3

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

UNITS = {name: unit for name, (unit, _, text) in COLUMNS.items() if not text}
TEXTS = frozenset(name for name, (_, _, text) in COLUMNS.items() if text)


def read_catalog(path, columns=None, *, frame="icrs", cuts=(), fill=None):
    """Read and check a catalog.

    Parameters
    ----------
    path : str or Path
        CSV, ECSV, FITS, VOTable, HDF5 or parquet, told by its content, see `vo_lib.catalog_files`.
    columns : dict of str to str, optional
        Name in the file of each column of `COLUMNS`, where it differs.
    frame : str, optional
        Frame of coordinates and proper motions, see `vo_lib.astrometry.to_icrs`.
    cuts : sequence of str, optional
        Conditions that a source must fulfil, see `vo_lib.cuts`, on the columns of `COLUMNS` and on any other column
        of the file by its name there.
    fill : dict, optional
        Value of columns of `COLUMNS` where the catalog has none; without another the epoch is 2016.0.

    Returns
    -------
    dict of str to ndarray
        The columns of `COLUMNS` in the order of the file: coordinates [degrees, ICRS], proper
        motions [mas/yr, with cos(dec)], parallax [mas], epoch [Julian year], magnitudes; NaN or
        an empty text where there is no value. Coordinates in the file may be sexagesimal.

    Raises
    ------
    CatalogError
        For a missing file or column, a value that is not a number, coordinates that are missing
        or out of range, names that are empty or not unique, and cuts that leave nothing.
    """
    return _read(Path(path), columns or {}, frame, cuts, fill or {})[0]


def _read(path, columns, frame, cuts, fill):
    """A catalog, see `read_catalog`, and the number of sources that each cut leaves out."""
    wanted = {name: columns.get(name) or name for name in COLUMNS}
    others = {column: column for text in cuts for column in Cut(text).columns if column not in wanted}
    found = read_columns(path, wanted | others, units=UNITS, texts=TEXTS)
    _check_header(path, found.header, wanted, columns)
    n_rows = len(found.values["name"])
    if n_rows == 0:
        raise CatalogError(f"{path}: holds no sources; a catalog needs a header and at least one row")
    table = {name: _column(path, found, name, n_rows) for name in COLUMNS}
    for name, value in ({"epoch": DEFAULT_EPOCH} | fill).items():
        table[name] = np.where(_is_missing(table[name]), value, table[name])
    _check_names(path, table["name"], found.where)
    _check_range(path, "ra", table["ra"], found.where, (0.0, 360.0))
    _check_range(path, "dec", table["dec"], found.where, (-90.0, 90.0))
    if frame != "icrs":
        motion = {"pm_lon": table["pmra"], "pm_lat": table["pmdec"]}
        names = ("ra", "dec", "pmra", "pmdec")
        try:
            table |= dict(zip(names, to_icrs(table["ra"], table["dec"], frame, **motion), strict=True))
        except ValueError as error:
            raise CatalogError(f"{path}: catalog.frame: {error}") from None
    return _cut(path, table, {name: found.values[name] for name in others if name in found.values}, cuts)


def _check_header(path, header, wanted, columns):
    """The file has each needed column, and each that the configuration names."""
    if not header:
        raise CatalogError(f"{path}: holds no sources; a catalog needs a header and at least one row")
    for name, (_, needed, _) in COLUMNS.items():
        if wanted[name] not in header and (needed or columns.get(name)):
            raise CatalogError(
                f"{path}: has no column '{wanted[name]}' for the {name} of a source (it has {', '.join(header)}); "
                f"name the right one in catalog.columns.{name}"
            )


def _column(path, found, name, n_rows):
    """Values of a column, numbers finite or NaN; empty where the file does not have it."""
    if name not in found.values:
        return np.full(n_rows, "" if name in TEXTS else np.nan)
    values = found.values[name]
    if name in TEXTS:
        return values
    if values.dtype.kind == "U":
        values = _numbers(path, found, name)
    if (infinite := np.isinf(values)).any():
        row = int(np.flatnonzero(infinite)[0])
        raise CatalogError(f"{path}: {found.where([row])}: {name} is infinite; leave it empty if it is not known")
    return values


def _is_missing(values):
    """Mask of the rows without a value."""
    return values == "" if values.dtype.kind == "U" else np.isnan(values)


def _numbers(path, found, name):
    """Numbers that are kept as text, as FITS and others can, and sexagesimal coordinates [degrees]."""
    if name not in ("ra", "dec"):
        return found.numbers(name)
    try:
        return (parse_ra if name == "ra" else parse_dec)(found.values[name])
    except CoordinateError as error:
        raise CatalogError(f"{path}: {found.where([error.index])}: {error}") from None


def _cut(path, table, others, cuts):
    """Rows that fulfil all cuts, of which there must be some, and how many each cut leaves out."""
    kept, left_out = apply_cuts(cuts, table | others)
    if not kept.any():
        raise CatalogError(f"{path}: no source fulfils catalog.cuts; they leave out {left_out}")
    return ({name: values[kept] for name, values in table.items()} if cuts else table), left_out


def _check_names(path, names, where):
    """Each source has a name of its own."""
    if (empty := names == "").any():
        raise CatalogError(f"{path}: {where([int(np.flatnonzero(empty)[0])])}: the source has no name; give it one")
    unique, counts = np.unique(names, return_counts=True)
    if len(unique) < len(names):
        twice = unique[counts > 1]
        listed = ", ".join(f"'{name}' on {where(np.flatnonzero(names == name)[:3].tolist())}" for name in twice[:5])
        more = f" and {len(twice) - 5} more" if len(twice) > 5 else ""
        raise CatalogError(f"{path}: names must be unique, but there is {listed}{more}; rename or remove them")


def _check_range(path, name, values, where, limits):
    """Coordinates are numbers within their limits."""
    low, high = limits
    bad = ~((values >= low) & (values <= high))
    if bad.any():
        more = f" (and {bad.sum() - 1} more)" if bad.sum() > 1 else ""
        raise CatalogError(
            f"{path}: {where([int(np.flatnonzero(bad)[0])])}: {name} is {values[bad][0]}, "
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
    left_out : dict of str to int
        Number of sources that each cut leaves out.
    """

    path: Path
    bins: dict
    left_out: dict

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
            table, left_out = hdf5.read_table(file, "bins"), hdf5.read_json(file, "left_out")
        columns = (table[name].tolist() for name in ("start", "stop", "digest"))
        bins = dict(zip(table["name"].tolist(), zip(*columns, strict=True), strict=True))
        return cls(Path(path), bins, left_out)


def take_snapshot(path, folder, *, columns=None, frame="icrs", cuts=(), fill=None, width_deg=1.0):
    """Give the snapshot of a catalog, made anew only when the catalog or its options changed.

    Parameters
    ----------
    path : str or Path
        The catalog, see `read_catalog`.
    folder : str or Path
        Folder for snapshots.
    columns, frame, cuts, fill : optional
        See `read_catalog`.
    width_deg : float, optional
        Width of the bins [degrees].

    Returns
    -------
    Snapshot
    """
    path = Path(path).absolute()
    options = [columns or {}, frame, list(cuts), fill or {}]
    identity = json.dumps([FORMAT, str(path), *options, width_deg], sort_keys=True)
    target = Path(folder) / f"{hashlib.sha256(identity.encode()).hexdigest()[:20]}.h5"
    state = _file_state(path)
    if _is_current(target, state):
        return Snapshot.open(target)
    _write_snapshot(target, *_read(path, *options), Bins(width_deg), state)
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


def _write_snapshot(target, table, left_out, bins, state):
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
        writer.write_json("left_out", left_out)
        writer.write_json("metadata", state)


def _rows_digest(table, rows):
    """Digest of some rows that does not depend on the width of text columns."""
    digest = hashlib.sha256()
    for name, values in table.items():
        part = values[rows]
        digest.update(json.dumps([name, part.tolist()]).encode() if part.dtype.kind == "U" else part.tobytes())
    return digest.hexdigest()[:20]
