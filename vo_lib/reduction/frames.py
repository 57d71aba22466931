"""Lightcurves of a batch as pandas DataFrames, for code that handles one at a time."""

import numpy as np

from vo_lib.tables import take_rows

__all__ = ["lightcurve_frames"]


def lightcurve_frames(batch, epochs=None):
    """Yield the lightcurves of a batch, skipping those without epochs.

    Parameters
    ----------
    batch : LightcurveBatch
        Lightcurves.
    epochs : ndarray of bool, shape (n_epochs,), optional
        Epochs to include; all by default.

    Yields
    ------
    index : int
        Row of the lightcurve in the batch.
    frame : pandas.DataFrame
        A copy of its epochs with the columns of the batch. The index is the position of each epoch in the whole
        lightcurve, from 0; ``attrs`` is the row of the lightcurve in the table.
    """
    import pandas as pd

    for index in range(batch.n_lightcurves):
        columns = batch.lightcurve(index)
        begin, end = batch.starts[index : index + 2].tolist()
        rows = np.arange(end - begin) if epochs is None else np.flatnonzero(epochs[begin:end])
        if len(rows):
            frame = pd.DataFrame(take_rows(columns, rows), index=rows)
            frame.attrs = {name: values[index].item() for name, values in batch.table.items()}
            yield index, frame
