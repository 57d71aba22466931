"""Histograms of epochs: how often each S/N and offset occurs, and how much was observed."""

import numpy as np

from vo_lib.injection.efficiency import project
from vo_lib.quality import QUALITY_BITS
from vo_lib.segments import segment_of, segment_sum, spread
from vo_lib.tables import take_rows

__all__ = ["count_coverage", "count_scores", "unsearched_filters"]

_MILLISECONDS = 1000.0


def count_scores(histograms, batch, mag, qflag, distance, snr):
    """Count epochs by S/N or offset, catalog magnitude of their source and filter.

    Parameters
    ----------
    histograms : dict of str to Histogram
        ``all_scores`` (all epochs), ``good_scores`` (unflagged epochs) and ``quality_values`` (all epochs); empty, and
        filled in place.
    batch : LightcurveBatch
        Lightcurves.
    mag : ndarray of float, shape (n_lightcurves,)
        Catalog magnitude of each lightcurve's source; NaN if unknown.
    qflag : ndarray of int64, shape (n_epochs,)
        0 for good epochs.
    distance, snr : ndarray of float, shape (n_epochs,)
        Offset in units of the scatter and S/N.
    """
    scores, good_scores, offsets = (histograms[name] for name in ("all_scores", "good_scores", "quality_values"))
    code = _codes(scores, "filter", batch.table["filter"])
    common = {"mag": spread(mag, batch.starts), "filter": spread(code, batch.starts)}
    scores.fill(snr=snr, **common)
    # Few epochs are flagged, so it is quicker to count these and subtract than to count the rest.
    bad = np.flatnonzero(qflag)
    flagged = good_scores.copy()
    flagged.fill(snr=snr[bad], **take_rows(common, bad))
    good_scores.counts += scores.counts - flagged.counts
    offsets.fill(offset=distance, **common)


def unsearched_filters(good_scores):
    """Filters that have good epochs, none of which was searched.

    Parameters
    ----------
    good_scores : Histogram
        S/N of the unflagged epochs, filled by `count_scores`.

    Returns
    -------
    list of str
        In the order of the axis.
    """
    labels = next(axis for axis in good_scores.axes if axis.name == "filter").labels
    # Epochs that are not searched have no S/N, for which there is the last bin.
    *searched, others = project(good_scores, "snr", "filter")
    nowhere = (others > 0) & (np.sum(searched, axis=0) == 0)
    return [label for label, is_so in zip(labels, nowhere.tolist(), strict=False) if is_so]


def _codes(histogram, name, labels):
    """Return the index of each label among those of an axis, -1 for others."""
    known = next(axis for axis in histogram.axes if axis.name == name).labels
    unique, which = np.unique(labels, return_inverse=True)
    return np.array([known.index(label) if label in known else -1 for label in unique.tolist()], np.int64)[which]


def count_coverage(histograms, batch, mag, qflag):
    """Count epochs and their exposure time by quality, magnitude, filter and survey.

    Parameters
    ----------
    histograms : dict of str to Histogram
        ``coverage`` and ``exposure_time``, which are filled in place: each epoch counts once, as good or under the
        lowest bit of its flag; ``other`` stands for the bits of user-defined checks. Exposure times are rounded to
        milliseconds, so that sums are exact; unknown ones count as 0.
    batch, mag, qflag
        See `count_scores`; includes epochs that are removed from the search.
    """
    time = np.nan_to_num(batch.columns["exptime"], nan=0.0, posinf=0.0, neginf=0.0)
    milliseconds = np.rint(np.maximum(time, 0.0) * _MILLISECONDS).astype(np.int64)
    labels = {"filter": batch.table["filter"][:, None], "survey": batch.table["obs"][:, None]}
    bad = np.flatnonzero(qflag)
    where = segment_of(bad, batch.starts)
    code, place = _first_bit(qflag[bad]), [*range(len(QUALITY_BITS) + 1), -1]
    for name, values in (("coverage", np.ones(batch.n_epochs, np.int64)), ("exposure_time", milliseconds)):
        # Good epochs, each of the bits, and other bits; integers, so that sums are exact.
        parts = np.zeros((batch.n_lightcurves, len(place)), np.int64)
        np.add.at(parts, (where, code), values[bad])
        parts[:, 0] = segment_sum(values, batch.starts) - parts.sum(axis=1)
        histograms[name].fill(parts.astype(np.uint64), quality=place, mag=mag[:, None], **labels)


def _first_bit(qflag):
    """Return the position of the lowest bit of each flag among the labels after good; the last for bits without one."""
    code = np.full(len(qflag), len(QUALITY_BITS) + 1)
    for place, bit in reversed(list(enumerate(QUALITY_BITS.values(), start=1))):
        code[(qflag & bit) != 0] = place
    return code
