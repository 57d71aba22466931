"""The table of detections that candidates become."""

import numpy as np

from vo_lib.segments import range_rows, rank_within, segment_steps, segment_sum, starts_from_counts
from vo_lib.tables import take_rows

__all__ = ["DETECTION_COLUMNS", "detection_table"]

DAY_S = 86400.0
# Columns of the table of detections: (type, unit, meaning).
DETECTION_COLUMNS = {
    "source": ("U1", "", "name in the catalog"),
    "obs": ("U1", "", "observatory"),
    "lightcurve": ("U1", "", "key of the lightcurve in the reduced file"),
    "filter": ("U1", "", "filter of the lightcurve"),
    "series": ("U1", "", "object or readout channel of the survey"),
    "number": ("i8", "", "number of the detection in its lightcurve, from 1 in order of time"),
    "method": ("U4", "", "how it was found"),
    "template": ("U1", "", "shape that fits best, epoch for a single one; empty without templates"),
    "simulated": ("i8", "", "1 where the lightcurve has an injected event"),
    "injection": ("i8", "", "number of the injection of the source, 0 if real"),
    "event": ("i8", "", "number of the source's event that it is part of, see the table events; 0 if simulated"),
    "sign": ("i8", "", "+1 brighter, -1 fainter than usual"),
    "snr": ("f8", "", "signed (flux - median) / noise of the epoch of the peak"),
    "score": ("f8", "", "what is compared with the threshold"),
    "threshold": ("f8", "", "least score of a detection"),
    "peak_mjd": ("f8", "d", "time of the peak (UTC, mid-exposure), of the template where there is one"),
    "start_mjd": ("f8", "d", "time of the first epoch"),
    "end_mjd": ("f8", "d", "time of the last epoch"),
    "duration": ("f8", "d", "from the beginning of the first to the end of the last exposure"),
    "width": ("f8", "d", "full width at half maximum of the template"),
    "amplitude": ("f8", "uJy", "flux of the peak less the median, of the template where there is one"),
    "amplitude_err": ("f8", "uJy", "its error"),
    "fluence": ("f8", "uJy d", "flux less the median, integrated over the unflagged epochs"),
    "first_epoch": ("i8", "", "row of the first epoch in the lightcurve, from 0"),
    "last_epoch": ("i8", "", "row of the last epoch, included"),
    "peak_epoch": ("i8", "", "row of the peak"),
    "n_epochs": ("i8", "", "epochs of the detection that were searched"),
    "n_flagged": ("i8", "", "flagged epochs from its first to its last epoch"),
    "offset": ("f8", "", "greatest offset of its epochs from the median position in units of the scatter"),
    "peak_mag": ("f8", "mag", "magnitude at the peak (AB)"),
    "dmag": ("f8", "mag", "magnitude at the peak minus the median, negative if brighter"),
}


def detection_table(batch, good, searched, found, values):
    """Make the table of detections.

    Parameters
    ----------
    batch : LightcurveBatch
        Lightcurves.
    good, searched : ndarray of bool, shape (n_epochs,)
        Unflagged epochs, and those that were searched.
    found : dict of str to ndarray, each of shape (n,)
        `vo_lib.search.candidates.CANDIDATE_COLUMNS`, in order of lightcurve and time.
    values : dict of str to ndarray, each of shape (n_epochs,)
        ``snr``, ``dmag`` [mag], ``excess`` over the median [uJy] and ``noise`` [uJy] of the epochs.

    Returns
    -------
    dict of str to ndarray, each of shape (n,)
        `DETECTION_COLUMNS`, in the same order.
    """
    first, last, peak, where = (found[name] for name in ("first", "last", "peak", "lightcurve"))
    offset, mjd, fitted = batch.starts[where], batch.columns["mjd"], np.isfinite(found["amplitude"])
    exptime = np.nan_to_num(batch.columns["exptime"]) / DAY_S
    names = take_rows(batch.names(("source", "obs", "lightcurve", "filter", "series")), where)
    zero = np.zeros(len(peak), np.int64)
    table = names | {name: found[name] for name in ("method", "template", "sign", "score", "threshold", "n_epochs")}
    table |= {
        "number": rank_within(where, first),
        "simulated": zero,
        "injection": zero,
        "event": zero,
        "snr": values["snr"][peak],
        "peak_mjd": np.where(np.isfinite(found["peak_time"]), found["peak_time"], mjd[peak]),
        "start_mjd": mjd[first],
        "end_mjd": mjd[last],
        "duration": mjd[last] - mjd[first] + (exptime[first] + exptime[last]) / 2,
        "width": found["width"],
        "amplitude": np.where(fitted, found["amplitude"], values["excess"][peak]),
        "amplitude_err": np.where(fitted, found["amplitude_err"], values["noise"][peak]),
        "first_epoch": first - offset,
        "last_epoch": last - offset,
        "peak_epoch": peak - offset,
        "offset": np.full(len(peak), np.nan),
        "peak_mag": batch.columns["mag"][peak],
        "dmag": values["dmag"][peak],
    }
    table |= _over_epochs(first, last, mjd=mjd, exptime=exptime, excess=values["excess"], good=good, searched=searched)
    return {name: table[name] for name in DETECTION_COLUMNS}


def _over_epochs(first, last, *, mjd, exptime, excess, good, searched):
    """Compute what is summed over the epochs of each detection: its fluence and its number of flagged epochs.

    The fluence is the trapezoidal integral over the searched epochs, plus half an exposure at either end.
    """
    starts = starts_from_counts(last - first + 1)
    rows = range_rows(first, starts)
    flagged = segment_sum(~good[rows], starts)
    used = searched[rows] & np.isfinite(excess[rows])
    rows, starts = rows[used], starts_from_counts(segment_sum(used, starts))
    flux, steps = excess[rows], segment_steps(mjd[rows], starts)
    before = flux - segment_steps(flux, starts) / 2
    ends = segment_sum(np.where(_is_end(starts), flux * exptime[rows], 0.0), starts) / 2
    single = np.diff(starts) == 1
    fluence = segment_sum(before * steps, starts) + np.where(single, 2 * ends, ends)
    return {"n_flagged": flagged, "fluence": fluence}


def _is_end(starts):
    """Return a mask of the first and the last value of each segment."""
    mask = np.zeros(starts[-1], bool)
    filled = starts[1:] > starts[:-1]
    mask[starts[:-1][filled]] = mask[starts[1:][filled] - 1] = True
    return mask
