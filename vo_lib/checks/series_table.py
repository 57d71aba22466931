"""Make the table that has a row for each lightcurve of a bin."""

import numpy as np

from vo_lib.measures.filters import STATISTIC_COLUMNS
from vo_lib.quality import QUALITY_BITS
from vo_lib.segments import segment_max, segment_median, segment_sum

__all__ = ["SERIES_COLUMNS", "series_table"]

# Columns of the table of lightcurves: (type, unit, meaning).
SERIES_COLUMNS = {
    "lightcurve": ("U1", "", "key of the lightcurve in the reduced file"),
    "source": ("U1", "", "name in the catalog"),
    "obs": ("U1", "", "observatory"),
    "filter": ("U1", "", "filter of the lightcurve"),
    "n_epochs": ("i8", "", "epochs"),
    "n_flagged": ("i8", "", "epochs flagged for any reason"),
    "n_survey_flag": ("i8", "", "epochs flagged by the survey"),
    "n_offset": ("i8", "", "epochs out of place"),
    "n_bad_value": ("i8", "", "epochs without a time or a flux"),
    "n_bad_error": ("i8", "", "epochs without a positive error"),
    "n_saturated": ("i8", "", "epochs brighter than the limit of the filter"),
    "n_bad_exposure": ("i8", "", "epochs in an exposure in which many sources deviate alike"),
    "noise": ("f8", "uJy", "median noise of the unflagged epochs"),
    "best_snr": ("f8", "", "greatest |S/N| of an unflagged epoch"),
    "n_detections": ("i8", "", "real detections"),
} | STATISTIC_COLUMNS


def series_table(batch, qflag, finding, statistics):
    """Summarise each lightcurve of a batch in a table.

    Parameters
    ----------
    batch : LightcurveBatch
        Lightcurves.
    qflag : ndarray of int64, shape (n_epochs,)
        Quality flags, 0 for good epochs.
    finding : Finding
        S/N, noise and real detections of the batch.
    statistics : dict of str to ndarray, each of shape (n_lightcurves,)
        `vo_lib.measures.filters.STATISTIC_COLUMNS` of each lightcurve.

    Returns
    -------
    dict of str to ndarray, each of shape (n_lightcurves,)
        `SERIES_COLUMNS`, in the order of the batch.
    """
    good = qflag == 0
    flags = {name: (qflag & bit) != 0 for name, bit in QUALITY_BITS.items()}
    flags["flagged"] = qflag != 0
    table = (
        batch.names(("lightcurve", "source", "obs", "filter"))
        | {f"n_{name}": segment_sum(mask, batch.starts) for name, mask in flags.items()}
        | statistics
        | {
            "n_epochs": batch.counts,
            "noise": segment_median(np.where(good, finding.noise, np.nan), batch.starts),
            "best_snr": segment_max(np.where(good, np.abs(finding.snr), np.nan), batch.starts),
            "n_detections": np.bincount(finding.lightcurve, minlength=batch.n_lightcurves),
        }
    )
    return {name: table[name] for name in SERIES_COLUMNS}
