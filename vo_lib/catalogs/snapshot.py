"""Snapshots of catalogs: the checked sources of a run on disk, sorted by bin and name.

A catalog is read only once. Later starts of the workflow, and the download jobs, read what they need from its snapshot.
"""

import hashlib
import json
import numbers
from dataclasses import dataclass
from pathlib import Path

import erfa
import numpy as np

from vo_lib import hdf5
from vo_lib.bins import Bins
from vo_lib.catalog import read_sources
from vo_lib.catalogs.selection import find_rows
from vo_lib.errors import UserError
from vo_lib.storage.fingerprint import code_fingerprint
from vo_lib.storage.lookup import find_name, map_table, name_index
from vo_lib.storage.seal import check_seal
from vo_lib.tables import decode_table, take_rows

__all__ = ["Snapshot", "take_snapshot"]

FORMAT = 7
_READER = "vo_lib/catalog.py"


@dataclass(frozen=True)
class Snapshot:
    """A checked catalog on disk.

    Parameters
    ----------
    path : Path
        The snapshot file.
    bins : dict of str to tuple
        First row, row after the last and digest of the rows of each bin with sources, in order of right ascension.
        The digest does not depend on the order of the catalog.
    width_deg : float
        Width of the bins [degrees].
    left_out : dict of str to int
        Number of rows of the catalog that ``select`` and each cut exclude, by its text.
    renamed : int
        Number of rows of the catalog that got a suffix, because an earlier row has the same name.
    """

    path: Path
    bins: dict
    width_deg: float
    left_out: dict
    renamed: int

    @property
    def n_sources(self):
        """Number of sources in the snapshot."""
        return max((stop for _, stop, _ in self.bins.values()), default=0)

    def rows(self, bin_name):
        """Return the rows of one bin as a dict of arrays, in the order of names."""
        start, stop, _ = self.bins[bin_name]
        with hdf5.open_file(self.path) as file:
            return decode_table(file["rows"][start:stop])

    def find(self, name):
        """Return the row and the bin of one source, found by the index of names.

        Parameters
        ----------
        name : str
            Name in the catalog, including any suffix.

        Returns
        -------
        row : dict
            The columns of the catalog, see `vo_lib.catalog.read_catalog`.
        bin_name : str
            Its bin.

        Raises
        ------
        CatalogError
            If there is no such source; the message suggests the most similar name.
        """
        with hdf5.open_file(self.path) as file:
            rows = map_table(file, "rows")
            number = find_name(map_table(file, "names"), rows, name)
            if number is None:
                find_rows(decode_table(rows[["name"]])["name"], [name], missing=self._missing())
            row = {key: values[0].item() for key, values in decode_table(rows[number : number + 1]).items()}
        return row, next(key for key, (start, stop, _) in self.bins.items() if start <= number < stop)

    def find_names(self, names):
        """Return the rows of sources.

        Parameters
        ----------
        names : sequence of str
            Names in the catalog, including any suffixes.

        Returns
        -------
        dict of str to ndarray, each of shape (n_names,)
            The columns of the catalog, see `vo_lib.catalog.read_catalog`, in the order of `names`.

        Raises
        ------
        CatalogError
            For the first missing name; the message suggests the most similar one.
        """
        with hdf5.open_file(self.path) as file:
            rows = file["rows"][:]
        known = decode_table(rows[["name"]])["name"]
        return decode_table(rows[find_rows(known, names, missing=self._missing())])

    def _missing(self):
        """Text of an error before a missing name, which may belong to an excluded source."""
        number = sum(self.left_out.values())
        part = f", of which select or catalog.cuts leave out {number:,}," if number else ""
        return f"the catalog{part} has no source"

    def nearest(self, ra, dec, radius_arcsec=2.0):
        """Return the sources near a position, nearest first.

        Parameters
        ----------
        ra, dec : float
            The position [degrees]; right ascension may be outside 0 to 360.
        radius_arcsec : float, optional
            Greatest separation [arcsec].

        Returns
        -------
        dict of str to ndarray, each of shape (n_found,)
            The columns of the catalog, see `vo_lib.catalog.read_catalog`, and the ``separation`` [arcsec] from the
            position in the catalog, without proper motion. Empty arrays without sources.

        Raises
        ------
        TypeError
            If an argument is not a number.
        ValueError
            If an argument is not finite, the declination is out of range or the radius is not positive.
        """
        _check_circle(ra=ra, dec=dec, radius_arcsec=radius_arcsec)
        bins = Bins(self.width_deg)
        touched = map(bins.name, bins.around(ra, dec, radius_arcsec / 3600))
        limits = [self.bins[name][:2] for name in touched if name in self.bins]
        with hdf5.open_file(self.path) as file:
            rows = np.concatenate([file["rows"][start:stop] for start, stop in [(0, 0), *_joined(limits)]])
        separation = np.degrees(erfa.seps(*map(np.radians, (ra, dec, rows["ra"], rows["dec"])))) * 3600
        order = np.argsort(separation, kind="stable")
        order = order[separation[order] <= radius_arcsec]
        return decode_table(rows[order]) | {"separation": separation[order]}

    @classmethod
    def open(cls, path):
        """Open an existing snapshot."""
        with hdf5.open_file(path) as file:
            table, about = hdf5.read_table(file, "bins"), hdf5.read_json(file, "about")
        columns = (table[name].tolist() for name in ("start", "stop", "digest"))
        bins = dict(zip(table["name"].tolist(), zip(*columns, strict=True), strict=True))
        return cls(Path(path), bins, **about)


def _joined(limits):
    """Sorted ranges of rows with adjacent ones merged, since a circle at a pole covers all bins."""
    joined = []
    for start, stop in sorted(limits):
        if joined and joined[-1][1] == start:
            joined[-1][1] = stop
        else:
            joined.append([start, stop])
    return joined


def _check_circle(**circle):
    """Check the position and the radius of a circle on the sky."""
    for name, value in circle.items():
        if not isinstance(value, numbers.Real) or isinstance(value, bool):
            raise TypeError(f"{name} must be a number, got {value!r}")
        if not np.isfinite(value):
            raise ValueError(f"{name} must be finite, got {value}")
    if abs(circle["dec"]) > 90:
        raise ValueError(f"dec must be between -90 and 90 degrees, got {circle['dec']}")
    if circle["radius_arcsec"] <= 0:
        raise ValueError(f"radius_arcsec must be positive, got {circle['radius_arcsec']}")


def take_snapshot(catalog, folder, *, width_deg=1.0, **options):
    """Return the snapshot of a catalog, made only if the catalog, its options or the code that reads it changed.

    Parameters
    ----------
    catalog : str, Path or list of dict
        The catalog, see `vo_lib.catalog.read_catalog`. A file counts as unchanged if its size and modification time
        are, a list if its content is.
    folder : str or Path
        Folder for snapshots.
    width_deg : float, optional
        Width of the bins [degrees].
    **options
        ``columns``, ``mags``, ``table``, ``missing_values``, ``frame``, ``cuts``, ``fill``, ``on_duplicate`` and
        ``select``, see `vo_lib.catalog.read_sources`. Each selection has a snapshot of its own.

    Returns
    -------
    Snapshot
    """
    is_file = isinstance(catalog, (str, Path))
    catalog = Path(catalog).absolute() if is_file else catalog
    state = {"code": code_fingerprint(_READER), "file": _file_state(catalog) if is_file else None}
    options["width_deg"] = width_deg
    identity = json.dumps([FORMAT, str(catalog) if is_file else catalog, options], sort_keys=True)
    target = Path(folder) / f"{hashlib.sha256(identity.encode()).hexdigest()[:20]}.h5"
    if not _is_current(target, state):
        _write_snapshot(target, read_sources(catalog, **options), width_deg, state)
    return Snapshot.open(target)


def _is_current(snapshot, state):
    """Return whether a snapshot exists, is intact and agrees with the state of the catalog."""
    try:
        with hdf5.open_file(snapshot) as file:
            check_seal(snapshot)
            return hdf5.read_json(file, "metadata") == state
    except UserError:
        return False


def _file_state(path):
    """Size and modification time of a file, by which a change is detected; None without a file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns}


def _write_snapshot(target, sources, width_deg, state):
    """Sort sources by bin and name and write them with the digest of each bin."""
    bins = Bins(width_deg)
    index = bins.index(sources.table["ra"])
    order = np.lexsort((sources.table["name"], index))
    table = take_rows(sources.table, order)
    filled, starts = np.unique(index[order], return_index=True)
    stops = np.append(starts[1:], len(order))
    digests = [_rows_digest(table, slice(*limits)) for limits in zip(starts, stops, strict=True)]
    names = np.array([bins.name(number) for number in filled])
    with hdf5.Writer(target) as writer:
        writer.write_table("rows", table)
        writer.write_table("names", name_index(table["name"]))
        writer.write_table("bins", {"name": names, "start": starts, "stop": stops, "digest": np.array(digests)})
        writer.write_json("about", {"width_deg": width_deg, "left_out": sources.left_out, "renamed": sources.renamed})
        writer.write_json("metadata", state)


def _rows_digest(table, rows):
    """Digest of rows, independent of the width of text columns."""
    digest = hashlib.sha256()
    for name, values in table.items():
        part = values[rows]
        digest.update(json.dumps([name, part.tolist()]).encode() if part.dtype.kind == "U" else part.tobytes())
    return digest.hexdigest()[:20]
