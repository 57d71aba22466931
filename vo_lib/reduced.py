"""Reduced files: the lightcurves of one survey and bin, with an index and an account of all epochs.

Each lightcurve is a compound dataset under its key, ``<name>_reduction_01_of_03``. Beside them
are the tables ``index`` (a row per lightcurve), ``sources``, ``left_out`` and ``zero_points`` (what calibrators
measured), and as JSON ``metadata`` (what made the file, and what the survey's own times mean, which the raw archive
keeps) and ``columns`` (units and meaning).
"""

import hashlib

import numpy as np

from vo_lib import hdf5
from vo_lib.batch import COLUMNS, LightcurveBatch
from vo_lib.calibration import ZERO_POINTS
from vo_lib.describe import STATISTICS
from vo_lib.segments import starts_from_counts

__all__ = ["DESCRIPTIONS", "described", "read_reduced", "write_lightcurves", "write_reduced"]

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


def write_reduced(path, reduction, metadata):
    """Write a reduced file, in one step.

    Parameters
    ----------
    path : str or Path
        The file to replace.
    reduction : Reduction
        What `vo_lib.reduce.reduce_bin` returned; without lightcurves the tables are empty.
    metadata : dict
        JSON values: ``provenance`` and what else says how it was made.
    """
    with hdf5.Writer(path) as writer:
        write_lightcurves(writer, reduction.batch)
        writer.write_table("sources", reduction.sources)
        writer.write_table("left_out", reduction.left_out)
        writer.write_table("zero_points", reduction.zero_points)
        writer.write_json("metadata", {"schema": SCHEMA, "process": "reduce", "survey_time": reduction.time} | metadata)
        measured = {name: (unit, text) for name, (_, unit, text) in ZERO_POINTS.items()}
        writer.write_json("columns", described(DESCRIPTIONS | STATISTICS | measured))


def write_lightcurves(writer, batch, more=()):
    """Write each lightcurve of a batch under its key, and the index.

    Parameters
    ----------
    writer : vo_lib.hdf5.Writer
        The file.
    batch : LightcurveBatch
        Its table becomes the index, with the place in the file (see `vo_lib.hdf5.read_flat`) and digest of each.
    more : sequence of tuple of str, optional
        Name and type of columns beside the standard ones.
    """
    kinds = [*COLUMNS.items(), *more]
    rows = np.empty(batch.n_epochs, kinds)
    for name, _ in kinds:
        rows[name] = batch.columns[name]
    spans = zip(batch.table["key"].tolist(), batch.starts[:-1].tolist(), batch.starts[1:].tolist(), strict=True)
    places, digests = [], []
    for key, start, stop in spans:
        places.append(writer.write(key, rows[start:stop]))
        digests.append(hashlib.sha256(rows[start:stop]).hexdigest()[:16])
    where = {"place": np.array(places, dtype=np.int64), "digest": np.array(digests, dtype="U16")}
    writer.write_table("index", batch.table | where)


def described(columns):
    """Units and descriptions as JSON values, from a dict of both by column."""
    return {name: {"unit": unit, "description": text} for name, (unit, text) in columns.items()}


def read_reduced(path, provenance=None):
    """Read the lightcurves of a reduced file.

    Parameters
    ----------
    path : str or Path
        The file.
    provenance : str, optional
        Identifier that it must have been made with; without it any will do.

    Returns
    -------
    LightcurveBatch
        All lightcurves in the order of the index, which is its table; none of an empty file.

    Raises
    ------
    StaleProductError
        If the file was made with another provenance.
    UserError
        If the file is missing or not one of these.
    """
    with hdf5.open_file(path, provenance=provenance) as file:
        table = hdf5.read_table(file, "index")
        starts = starts_from_counts(table["n_epochs"])
        keys, places, kind = table["key"].tolist(), table.pop("place", None), np.dtype(list(COLUMNS.items()))
        rows = hdf5.read_flat(file, keys, table["n_epochs"], kind, places)
    return LightcurveBatch({name: np.ascontiguousarray(rows[name]) for name in COLUMNS}, starts, table)
