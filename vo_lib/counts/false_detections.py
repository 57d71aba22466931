"""The false detections that noise is expected to make, as a search promises them or as they were measured."""

import numpy as np

from vo_lib.counts.rate_intervals import quotient
from vo_lib.errors import ConfigError
from vo_lib.profiles import PROFILES
from vo_lib.search.noise_model import error_spread, false_detections, scatter_over_error
from vo_lib.tables import take_rows

__all__ = ["MODEL_ERR", "count_false", "expected_noise", "unknown_noise"]

# Relative standard error of the promised number of false detections; docs/validation/rates.md compares that number with
# copies of noise.
MODEL_ERR = 0.5
# The true noise is estimated from groups of at least `_ALIKE` lightcurves with similar errors, in at most `_PARTS`
# groups.
_ALIKE, _PARTS = 100, 10


def count_false(series, bands, *, threshold, false_alarms, false_alarms_err, false_from):
    """Compute the number of false detections of one sign to expect in each lightcurve.

    Parameters
    ----------
    series : dict of str to ndarray, each of shape (n_lightcurves,)
        Table of lightcurves, see `vo_lib.checks.series_table`.
    bands : list of tuple of str
        Surveys and filters.
    threshold, false_alarms, false_alarms_err : float
        See `vo_lib.rates.measure_rates`, of one sign.
    false_from : str
        See `expected_noise`.

    Returns
    -------
    number, error : ndarray of float, shape (n_lightcurves,)
        The number and its standard error; NaN if unknown.
    """
    number = np.full(len(series["obs"]), np.nan if false_from == "unknown" else false_alarms)
    if false_from != "promised":
        return number, np.where(np.isnan(number), np.nan, false_alarms_err)
    good = series["n_epochs"] - series["n_flagged"]
    for rows in _alike(series, bands):
        part = take_rows(series, rows)
        ratio = scatter_over_error(good[rows], _searched_scatter(part), part["error_median"])
        error_rms = quotient(part["flux_rms"], part["poisson_factor"])
        spread = error_spread(good[rows], error_rms, part["flux_weighted_mean_err"])
        options = {"threshold": threshold, "false_alarms": false_alarms, "spread": spread}
        number[rows] = false_detections(good[rows], ratio=ratio, **options)
    return number, MODEL_ERR * number


def unknown_noise(finder):
    """Explain why the number of false detections of a search is unknown.

    Parameters
    ----------
    finder : dict
        Section ``finder`` of a configuration.

    Returns
    -------
    str
        The key that is responsible and its effect; empty if the promised number of false alarms holds.
    """
    reasons = {
        "finder.class is a search of your own": finder["class"],
        "finder.min_epochs leaves out single epochs": finder["min_epochs"] > 1,
        "finder.max_detections leaves out detections": finder["max_detections"],
        "finder.mask_flagged false searches flagged epochs": not finder["mask_flagged"],
        f"finder.noise {finder['noise']} may be smaller than the noise": finder["noise"] != "greater",
    }
    return next((text for text, holds in reasons.items() if holds), "")


def expected_noise(finder, measured=None):
    """Determine the false detections to expect from the section ``finder`` of a configuration.

    Parameters
    ----------
    finder : dict
        Section ``finder``.
    measured : pair of float, or a pair of such pairs, optional
        Number of detections per lightcurve of noise and its standard error, for each sign or as separate pairs for
        fainter and brighter ones, see `vo_lib.noise_copies.false_alarms_of`. Replaces what the search promises.

    Returns
    -------
    dict
        Arguments of `vo_lib.rates.measure_rates`: ``threshold``, ``false_alarms``, ``false_from`` and, if measured,
        ``false_alarms_err``.

    Raises
    ------
    ConfigError
        If `measured` has another form.
    """
    if measured:
        if {np.shape(part) for part in measured} not in ({()}, {(2,)}) or len(measured) != 2:
            raise ConfigError(
                "rates.false_alarms must be [number, error] for both signs or [[number, error], [number, error]] for "
                f"fainter and brighter ones, got {measured}"
            )
        number, error = np.broadcast_to(measured, (2, 2)).T.tolist()
        return {"threshold": None, "false_alarms": number, "false_alarms_err": error, "false_from": "measured"}
    options, methods = finder["matched_filter"], finder["methods"]
    signs = [PROFILES[name].sign for name in options["shapes"]] if "matched_filter" in methods else []
    each = options["false_alarms"] / max(len(set(signs)), 1)
    number = [each if sign in signs else 0.0 for sign in (-1, 1)]
    return {
        "threshold": finder["snr_threshold"] if "peak" in methods else None,
        "false_alarms": number,
        "false_from": "unknown" if unknown_noise(finder) else "promised",
    }


def _alike(series, bands):
    """Rows of the lightcurves of each survey and filter in groups of similar errors, whose accuracy differs."""
    for obs, band in bands:
        rows = np.flatnonzero((series["obs"] == obs) & (series["filter"] == band))
        parts = np.clip(len(rows) // _ALIKE, 1, _PARTS)
        yield from np.array_split(rows[np.argsort(series["error_median"][rows], kind="stable")], parts)


def _searched_scatter(series):
    """Robust scatter of the searched fluxes, without trends; 0 if it is only known to be below the errors."""
    error, reduced = series["error_median"], series["flux_rms_robust"]
    # The noise is that scatter if it exceeds the error; a smaller scatter is known only if there are no trends.
    return np.where(series["noise"] <= error, np.where(reduced <= error, reduced, 0.0), series["noise"])
