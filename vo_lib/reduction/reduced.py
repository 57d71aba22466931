"""Read and write reduced files: the lightcurves of one survey and bin, with an index and an account of all epochs.

Each lightcurve is a compound dataset under its key, ``<name>_reduction_01_of_03``. Beside them are the tables ``index``
(a row per lightcurve), ``sources``, ``left_out`` and ``zero_points`` (measured by calibrators), and the JSON datasets
``metadata`` (how the file was made, and the time system of the survey, whose times the raw archive keeps) and
``columns`` (units and meaning).
"""

import hashlib
from itertools import pairwise

import numpy as np

from vo_lib import hdf5
from vo_lib.batch import COLUMNS, LightcurveBatch
from vo_lib.reduction.blocks import source_blocks
from vo_lib.reduction.calibration import ZERO_POINTS
from vo_lib.reduction.describe import STATISTICS
from vo_lib.segments import starts_from_counts
from vo_lib.storage.flat_rows import CACHED_ROWS, read_columns
from vo_lib.storage.formats import check_format
from vo_lib.tables import concatenate_tables, describe_columns, take_rows

__all__ = [
    "DESCRIPTIONS",
    "ReducedFile",
    "open_lightcurves",
    "open_reduced",
    "read_reduced",
    "write_lightcurves",
    "write_reduced",
]

SCHEMA = 1

# Column of a lightcurve -> (unit, description)
DESCRIPTIONS = {
    "mjd": ("d", "middle of the exposure, UTC, at the observatory"),
    "bmjd_tdb": ("d", "middle of the exposure, BJD_TDB - 2400000.5"),
    "flux": ("uJy", "flux; may be negative"),
    "fluxerr": ("uJy", "error of the flux"),
    "mag": ("mag", "AB magnitude; NaN without a positive flux"),
    "magerr": ("mag", "error of the magnitude"),
    "exptime": ("s", "exposure time"),
    "ra": ("deg", "right ascension measured at this epoch, ICRS"),
    "dec": ("deg", "declination measured at this epoch, ICRS"),
    "flag": ("", "bits of the survey"),
}


def write_reduced(path, reductions, metadata):
    """Write a reduced file, atomically.

    Parameters
    ----------
    path : str or Path
        The file to write or replace.
    reductions : iterable of Reduction
        The reduction of each block of sources, as returned by `vo_lib.reduce.reduce_bin`; at least one, each written
        before the next is taken. Without lightcurves the tables are empty.
    metadata : dict
        JSON values: ``provenance`` and other facts on how the file was made.
    """
    with hdf5.Writer(path) as writer:
        parts = []
        for reduction in reductions:
            index = write_lightcurves(writer, reduction.batch)
            parts.append((index, reduction.sources, reduction.left_out, reduction.zero_points))
            time = reduction.time
        for name, tables in zip(("index", "sources", "left_out", "zero_points"), zip(*parts, strict=True), strict=True):
            writer.write_table(name, concatenate_tables(tables), mapped=name == "index")
        writer.write_json("metadata", {"schema": SCHEMA, "process": "reduce", "survey_time": time} | metadata)
        writer.write_json("columns", describe_columns(DESCRIPTIONS | STATISTICS | ZERO_POINTS))


def write_lightcurves(writer, batch, more=()):
    """Write each lightcurve of a batch under its key.

    Parameters
    ----------
    writer : vo_lib.hdf5.Writer
        The file.
    batch : LightcurveBatch
        Lightcurves.
    more : sequence of tuple of str, optional
        Name and type of each additional column.

    Returns
    -------
    dict of str to ndarray, each of shape (n_lightcurves,)
        The index: the batch's table, and the place of each lightcurve in the file (see `vo_lib.storage.flat_rows`) and
        its digest.
    """
    kinds, starts, keys = [*COLUMNS.items(), *more], batch.starts, batch.table["key"].tolist()
    stored = np.empty(max(CACHED_ROWS, batch.counts.max(initial=0)), kinds)
    places, digests = [], []
    # A few rows at a time, which stay in the cache while their columns are interleaved.
    for block in source_blocks(batch.counts, CACHED_ROWS):
        first, last = starts[[block.start, block.stop]].tolist()
        rows = stored[: last - first]
        for name, _ in kinds:
            rows[name] = batch.columns[name][first:last]
        bounds = (starts[block.start : block.stop + 1] - first).tolist()
        for key, span in zip(keys[block], pairwise(bounds), strict=True):
            lightcurve = rows[slice(*span)]
            places.append(writer.write(key, lightcurve))
            digests.append(hashlib.sha256(lightcurve).hexdigest()[:16])
    return batch.table | {"place": np.array(places, dtype=np.int64), "digest": np.array(digests, dtype="U16")}


def open_reduced(path, **options):
    """Open a reduced file as `vo_lib.hdf5.open_file` does; raise `UserError` if its format is newer than known."""
    file = hdf5.open_file(path, **options)
    check_format(path, hdf5.read_json(file, "metadata").get("schema", 0), SCHEMA)
    return file


def open_lightcurves(path, **options):
    """Open a file of lightcurves of any kind as `open_reduced` does; those saved in a notebook have no metadata."""
    file = hdf5.open_file(path, **options)
    if "metadata" in file:
        check_format(path, hdf5.read_json(file, "metadata").get("schema", 0), SCHEMA)
    return file


class ReducedFile:
    """A reduced file open for reading, as a context manager.

    Parameters
    ----------
    path : str or Path
        The file.
    provenance : str, optional
        Identifier of the provenance that the file must have; any by default.

    Attributes
    ----------
    path : str or Path
        The file.
    index : dict of str to ndarray, each of shape (n_lightcurves,)
        One row for each lightcurve.

    Raises
    ------
    StaleProductError
        If the file has a different provenance.
    UserError
        If the file is missing, is not a reduced file or has a newer format.
    """

    def __init__(self, path, provenance=None):
        self.path, self._file = path, open_reduced(path, provenance=provenance)
        self.index = hdf5.read_table(self._file, "index")
        self._places = self.index.pop("place", None)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._file.close()

    def count_raw(self):
        """Return the number of raw epochs that it was made from: those in lightcurves and those left out."""
        left_out = hdf5.read_table(self._file, "left_out")
        return int(self.index["n_epochs"].sum() + left_out["n_epochs"].sum())

    def read(self, rows=slice(None)):
        """Read lightcurves.

        Parameters
        ----------
        rows : slice or ndarray, optional
            Rows of the index to read; all by default.

        Returns
        -------
        LightcurveBatch
            Lightcurves in the order of `rows`, with these rows of the index as table; may be empty.
        """
        table = take_rows(self.index, rows)
        places = None if self._places is None else self._places[rows]
        starts, kind = starts_from_counts(table["n_epochs"]), np.dtype(list(COLUMNS.items()))
        columns = read_columns(self._file, table["key"].tolist(), table["n_epochs"], kind, places)
        return LightcurveBatch(columns, starts, table)


def read_reduced(path, provenance=None):
    """Read all lightcurves of a reduced file, see `ReducedFile`."""
    with ReducedFile(path, provenance) as file:
        return file.read()
