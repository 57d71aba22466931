"""Reduced files: the lightcurves of one survey and bin, with an index and an account of all epochs.

Each lightcurve is a compound dataset under its key, ``<name>_reduction_01_of_03``. Beside them
are the tables ``index`` (a row per lightcurve), ``sources``, ``left_out`` and ``zero_points`` (what calibrators
measured), and as JSON ``metadata`` (what made the file, and what the survey's own times mean, which the raw archive
keeps) and ``columns`` (units and meaning).
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
from vo_lib.tables import concatenate_tables, take_rows

__all__ = [
    "DESCRIPTIONS",
    "ReducedFile",
    "described",
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
    """Write a reduced file, in one step.

    Parameters
    ----------
    path : str or Path
        The file to replace.
    reductions : iterable of Reduction
        What `vo_lib.reduce.reduce_bin` returned for each block of sources, one at least, which are written one by
        one; without lightcurves the tables are empty.
    metadata : dict
        JSON values: ``provenance`` and what else says how it was made.
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
        measured = {name: (unit, text) for name, (_, unit, text) in ZERO_POINTS.items()}
        writer.write_json("columns", described(DESCRIPTIONS | STATISTICS | measured))


def write_lightcurves(writer, batch, more=()):
    """Write each lightcurve of a batch under its key.

    Parameters
    ----------
    writer : vo_lib.hdf5.Writer
        The file.
    batch : LightcurveBatch
        Lightcurves.
    more : sequence of tuple of str, optional
        Name and type of columns beside the standard ones.

    Returns
    -------
    dict of str to ndarray, each of shape (n_lightcurves,)
        The index: the batch's table, with the place in the file (see `vo_lib.storage.flat_rows`) and digest of each.
    """
    kinds, starts, keys = [*COLUMNS.items(), *more], batch.starts, batch.table["key"].tolist()
    stored = np.empty(max(CACHED_ROWS, batch.counts.max(initial=0)), kinds)
    places, digests = [], []
    # A few rows at a time, which stay in the cache while their columns are put side by side.
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


def described(columns):
    """Units and descriptions as JSON values, from a dict of both by column."""
    return {name: {"unit": unit, "description": text} for name, (unit, text) in columns.items()}


def open_reduced(path, **options):
    """Open a reduced file as `vo_lib.hdf5.open_file` does; one of a newer format is a `UserError`."""
    file = hdf5.open_file(path, **options)
    check_format(path, hdf5.read_json(file, "metadata").get("schema", 0), SCHEMA)
    return file


class ReducedFile:
    """A reduced file that is open for reading; use it as a context manager.

    Parameters
    ----------
    path : str or Path
        The file.
    provenance : str, optional
        Identifier that it must have been made with; without it any will do.

    Attributes
    ----------
    path : str or Path
        The file.
    index : dict of str to ndarray, each of shape (n_lightcurves,)
        A row for each lightcurve.

    Raises
    ------
    StaleProductError
        If the file was made with another provenance.
    UserError
        If the file is missing, of a newer format or not one of these.
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
        """Number of raw epochs that it was made of: those in lightcurves and those left out."""
        left_out = hdf5.read_table(self._file, "left_out")
        return int(self.index["n_epochs"].sum() + left_out["n_epochs"].sum())

    def read(self, rows=slice(None)):
        """Read lightcurves.

        Parameters
        ----------
        rows : slice or ndarray, optional
            Which of the index; all by default.

        Returns
        -------
        LightcurveBatch
            Lightcurves in the order of the index, whose rows are its table; none of an empty file.
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
