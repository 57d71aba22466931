"""Write lightcurves after analysis: processed ones, and copies with injected events.

A processed lightcurve has the columns of the reduced one, the quality flag and the S/N; its key has ``processed`` in
place of ``reduction``. A simulated one is a copy of it with an injected event, and its key is like
``…_processed_01_of_03_simulated_01_of_02``. Both kinds of files have the table ``index`` and the JSON datasets
``metadata`` and ``columns`` of reduced files, and are read like these.
"""

from dataclasses import replace

import numpy as np

from vo_lib import hdf5
from vo_lib.paths import lightcurve_key, simulated_key
from vo_lib.reduction.describe import STATISTICS
from vo_lib.reduction.reduced import DESCRIPTIONS, write_lightcurves
from vo_lib.segments import rank_within
from vo_lib.simulator import INJECTION_COLUMNS
from vo_lib.tables import describe_columns

__all__ = ["COLUMNS_OF_ANALYSIS", "write_batch", "write_processed", "write_simulated"]

# Column that a processed lightcurve has beside the standard ones -> (type, unit, meaning).
COLUMNS_OF_ANALYSIS = {
    "qflag": ("i8", "", "quality flag, 0 for good epochs; the table quality_bits of the analysis file has its bits"),
    "snr": ("f8", "", "signed (flux - median) / noise"),
    "flux_raw": ("f8", "uJy", "flux before its trend was taken off"),
    "trend": ("f8", "uJy", "trend that was taken off; NaN for none"),
    "light": ("f8", "uJy", "mean flux of the injected event in the exposure"),
}
# The same for the index of simulated lightcurves.
_INDEX = {"rms": ("f8", "uJy", "robust scatter of the lightcurve without the event")}


def write_processed(path, batch, metadata):
    """Write the lightcurves of one survey and bin after quality checks and search, atomically.

    Parameters
    ----------
    path : str or Path
        The file to write or replace.
    batch : LightcurveBatch
        As returned by `vo_lib.reduction.reduced.read_reduced`, with the additional columns ``qflag`` and ``snr``, and
        ``flux_raw`` and ``trend`` if trends were removed.
    metadata : dict
        JSON values: ``provenance`` and other facts on how the file was made.
    """
    with hdf5.Writer(path) as writer:
        write_batch(writer, replace(batch, table=batch.table | {"key": _processed_keys(batch.table)}), metadata)


def write_simulated(path, batch, truth, metadata):
    """Write copies of the lightcurves of one survey and bin with injected events, atomically.

    Parameters
    ----------
    path : str or Path
        The file to write or replace.
    batch : LightcurveBatch
        As returned by `vo_lib.simulator.inject`, with the columns of `write_processed`. Copies of a lightcurve are
        numbered in the order of their ``injection``.
    truth : dict of str to ndarray, each of shape (n_injections,)
        The injected events, which become the table ``injections`` with the key of each copy as column ``key``.
    metadata : dict
        JSON values.
    """
    table = batch.table
    _, original = np.unique(table["original"], return_inverse=True)
    number, count = rank_within(original, table["injection"]), np.bincount(original)[original]
    rows = zip(_processed_keys(table).tolist(), number.tolist(), count.tolist(), strict=True)
    keys = np.array([simulated_key(*row) for row in rows], dtype=str)
    # Statistics and digest are left out, as they are those of the original lightcurve, which the key names.
    index = {
        name: table[name] for name in table if name not in {*STATISTICS, "original", "digest"} or name == "n_epochs"
    }
    with hdf5.Writer(path) as writer:
        write_batch(writer, replace(batch, table=index | {"key": keys}), metadata, INJECTION_COLUMNS | _INDEX)
        writer.write_table("injections", {"key": keys} | truth)


def write_batch(writer, batch, metadata, more=None):
    """Write lightcurves with the columns of an analysis, their index, the metadata and the meaning of columns.

    Parameters
    ----------
    writer : vo_lib.hdf5.Writer
        The file.
    batch : LightcurveBatch
        Lightcurves, with any of `COLUMNS_OF_ANALYSIS`; the table becomes the index.
    metadata : dict
        JSON values.
    more : dict of str to tuple, optional
        Type, unit and meaning of the columns of other tables of the file; columns of lightcurves take precedence.
    """
    added = {name: COLUMNS_OF_ANALYSIS[name] for name in COLUMNS_OF_ANALYSIS if name in batch.columns}
    index = write_lightcurves(writer, batch, [(name, kind) for name, (kind, _, _) in added.items()])
    writer.write_table("index", index, mapped=True)
    writer.write_json("metadata", metadata)
    writer.write_json("columns", describe_columns(DESCRIPTIONS | STATISTICS | (more or {}) | added))


def _processed_keys(table):
    """Keys that reduced lightcurves have after processing."""
    rows = zip(*(table[name].tolist() for name in ("source", "number", "count")), strict=True)
    return np.array([lightcurve_key(*row, kind="processed") for row in rows], dtype=str)
