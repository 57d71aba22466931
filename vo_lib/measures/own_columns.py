"""Columns of the properties that a user's analysis class measures, source by source."""

from collections.abc import Mapping

import numpy as np

from vo_lib.contracts import call, check_values
from vo_lib.properties import PROPERTY_COLUMNS
from vo_lib.reduction.frames import lightcurve_frames

__all__ = ["check_columns", "measure_sources"]


def check_columns(columns):
    """Raise an error for columns that cannot be added to the properties, see `vo_lib.analysis.Analysis.columns`."""
    if not isinstance(columns, Mapping):
        raise TypeError(f"columns must be a dict of (type, unit, meaning) by name, got {columns!r}")
    for name, described in columns.items():
        if name in PROPERTY_COLUMNS or str(name).startswith("color_") or not str(name).isidentifier():
            raise ValueError(f"columns: '{name}' must be a new name for a column of the properties; rename it")
        texts = isinstance(described, tuple | list) and all(isinstance(part, str) for part in described)
        if not texts or len(described) != 3 or described[0] not in ("f8", "i8", "U1"):
            raise ValueError(f"columns: {name} must be (f8, i8 or U1, unit, meaning), got {described!r}")


def measure_sources(analysis, sources, batch):
    """Call ``per_source`` of an analysis for each source.

    Parameters
    ----------
    analysis : vo_lib.analysis.Analysis
        Instance of the class.
    sources : dict of str to ndarray, each of shape (n_sources,)
        Catalog rows of the bin.
    batch : LightcurveBatch
        Their lightcurves, with the columns that the frames are to have.

    Returns
    -------
    dict of str to ndarray, each of shape (n_sources,)
        ``analysis.columns``, in the order of the sources; empty without columns.
    """
    if not analysis.columns:
        return {}
    frames = {name: [] for name in sources["name"].tolist()}
    for _, frame in lightcurve_frames(batch):
        frames[frame.attrs["source"]].append(frame)
    rows = []
    for number, name in enumerate(frames):
        row, where = {key: values[number] for key, values in sources.items()}, f"source {name}"
        answer = call(analysis, "per_source", row, frames[name], where=where)
        rows.append(check_values(analysis, "per_source", answer, analysis.columns, where=where))
    kinds = {name: str if kind.startswith("U") else kind for name, (kind, *_) in analysis.columns.items()}
    return {name: np.array([row[name] for row in rows], kind) for name, kind in kinds.items()}
