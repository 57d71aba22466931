"""Summary of each source of a bin, those without any data included."""

import numpy as np

from vo_lib.finder import baseline
from vo_lib.segments import (
    rank_within,
    segment_count,
    segment_max,
    segment_mean,
    segment_median,
    segment_min,
    segment_std,
    segment_steps,
    segment_sum,
    spread,
    starts_from_counts,
)

__all__ = ["PROPERTY_COLUMNS", "match_names", "summarise", "variability"]

# Columns of the table of properties: (type, unit, meaning).
PROPERTY_COLUMNS = {
    "source": ("U1", "", "name in the catalog"),
    "ra": ("f8", "deg", "right ascension in the catalog (ICRS)"),
    "dec": ("f8", "deg", "declination in the catalog (ICRS)"),
    "mag": ("f8", "mag", "magnitude in the catalog"),
    "n_lightcurves": ("i8", "", "lightcurves of all observatories"),
    "n_epochs": ("i8", "", "epochs of all lightcurves"),
    "n_good": ("i8", "", "unflagged epochs"),
    "mjd_first": ("f8", "d", "first epoch (UTC)"),
    "mjd_last": ("f8", "d", "last epoch (UTC)"),
    "n_detections": ("i8", "", "real detections"),
    "best_snr": ("f8", "", "greatest |S/N| of an unflagged epoch"),
    "chi2_reduced": ("f8", "", "reduced chi-square of a constant flux, of the lightcurve with most unflagged epochs"),
    "rms_excess": ("f8", "", "robust rms beyond the median error over the median flux, of the same lightcurve"),
    "von_neumann": ("f8", "", "mean squared step over variance, of the same lightcurve; 2 for white noise"),
}


def match_names(names, wanted):
    """Row of each wanted name in a list of unique names.

    Parameters
    ----------
    names : ndarray of str, shape (n,)
        Unique names in any order.
    wanted : ndarray of str, shape (m,)
        Names to look up.

    Returns
    -------
    ndarray of int64, shape (m,)
        Indices into `names`.

    Raises
    ------
    ValueError
        If a name is not there.
    """
    order = np.argsort(names)
    place = np.minimum(np.searchsorted(names, wanted, sorter=order), max(len(names) - 1, 0))
    rows = order[place] if len(names) else np.zeros(len(wanted), np.int64)
    missing = np.flatnonzero(names[rows] != wanted) if len(names) else np.arange(len(wanted))
    if missing.size:
        raise ValueError(f"source '{wanted[missing[0]]}' has lightcurves but is not among the {len(names)} sources")
    return rows


def summarise(sources, batch, qflag, finding):
    """Summarise every source in one row.

    Parameters
    ----------
    sources : dict of str to ndarray, each of shape (n_sources,)
        name, ra, dec [degrees] and mag (NaN if unknown), in the wanted order.
    batch : LightcurveBatch
        Lightcurves of these sources.
    qflag : ndarray of int64, shape (n_epochs,)
        0 for good epochs.
    finding : Finding
        S/N and real detections of the batch.

    Returns
    -------
    dict of str to ndarray, each of shape (n_sources,)
        `PROPERTY_COLUMNS`. Sources without data have counts of 0 and NaN.

    Raises
    ------
    ValueError
        If a lightcurve belongs to no source.
    """
    good = np.asarray(qflag) == 0
    owner = match_names(sources["name"], batch.table["source"])
    order = np.argsort(owner, kind="stable")
    starts = starts_from_counts(np.bincount(owner, minlength=len(sources["name"])))
    n_good = segment_sum(good, batch.starts)
    best_snr = segment_max(np.where(good, np.abs(finding.snr), np.nan), batch.starts)
    n_detections = np.bincount(finding.lightcurve, minlength=batch.n_lightcurves)
    main = order[rank_within(owner[order], -n_good[order]) == 1]
    table = {name: sources["name" if name == "source" else name] for name in ("source", "ra", "dec", "mag")} | {
        "n_lightcurves": np.diff(starts),
        "n_epochs": segment_sum(batch.counts[order], starts),
        "n_good": segment_sum(n_good[order], starts),
        "mjd_first": segment_min(segment_min(batch.columns["mjd"], batch.starts)[order], starts),
        "mjd_last": segment_max(segment_max(batch.columns["mjd"], batch.starts)[order], starts),
        "n_detections": segment_sum(n_detections[order], starts),
        "best_snr": segment_max(best_snr[order], starts),
    }
    part = batch.select(main, columns=("flux", "fluxerr"))
    for name, values in variability(part, good[batch.epochs_of(main)[0]]).items():
        table[name] = np.full(len(sources["name"]), np.nan)
        table[name][owner[main]] = values
    return table


def variability(batch, good):
    """Measures of variability of each lightcurve from its good epochs.

    Parameters
    ----------
    batch : LightcurveBatch
        With the columns flux and fluxerr [uJy], in order of time.
    good : ndarray of bool, shape (n_epochs,)
        Epochs to use.

    Returns
    -------
    dict of str to ndarray, each of shape (n_lightcurves,)
        ``chi2_reduced`` about the weighted mean, ``rms_excess`` (NaN where the median flux is not
        positive) and ``von_neumann``, the ratio of von Neumann (1941, doi:10.1214/aoms/1177731677);
        NaN below two good epochs, the last also for a constant flux.
    """
    starts = starts_from_counts(segment_sum(good, batch.starts))
    flux, error = batch.columns["flux"][good], batch.columns["fluxerr"][good]
    counts = segment_count(flux, starts)
    weight = _ratio(np.ones(len(error)), np.maximum(error, 0) ** 2)
    mean = _ratio(segment_sum(flux * weight, starts), segment_sum(weight, starts))
    chi2 = segment_sum((flux - spread(mean, starts)) ** 2 * weight, starts)
    median, rms = baseline(batch, good)
    excess = np.sqrt(np.maximum(rms**2 - segment_median(error, starts) ** 2, 0))
    # Counted from the median, constant values are exactly zero and so is their variance.
    centred = flux - spread(median, starts)
    variance, steps = segment_std(centred, starts) ** 2, segment_steps(centred, starts)
    return {
        "chi2_reduced": _ratio(chi2, counts - 1),
        "rms_excess": np.where(counts > 1, _ratio(excess, median), np.nan),
        "von_neumann": _ratio(segment_mean(steps * steps, starts), variance),
    }


def _ratio(numerator, denominator):
    """Quotient, NaN where the denominator is not positive."""
    return np.divide(numerator, denominator, out=np.full(len(numerator), np.nan), where=denominator > 0)
