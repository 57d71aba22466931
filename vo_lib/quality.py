"""Quality flags: a bit mask that says which epochs should not be trusted and why, separate from the survey's flags.

Everything is computed from the lightcurves themselves, never from earlier results, so checks can be
repeated on the same data and applied to copies with injected events.
"""

from dataclasses import dataclass, replace

import numpy as np

from vo_lib.checks.custom import check_name, run_checks
from vo_lib.checks.exposures import bad_exposures
from vo_lib.checks.offsets import offset_limit, offsets
from vo_lib.checks.series_checks import SERIES_CHECKS, bad_data, judge_series
from vo_lib.errors import ConfigError
from vo_lib.segments import segment_count, segment_of, spread

__all__ = [
    "BIT_COLUMNS",
    "FLAGGED_COLUMNS",
    "QUALITY_BITS",
    "Assessment",
    "assess",
    "bit_table",
    "check_names",
    "epoch_flags",
    "flagged_epochs",
]

# Bits of the quality flag and what they mean.
QUALITY_BITS = {
    "survey_flag": 1,
    "offset": 2,
    "bad_value": 4,
    "bad_error": 8,
    "saturated": 16,
    "bad_exposure": 32,
}
_MEANINGS = {
    "survey_flag": "bad by the survey's flags",
    "offset": "out of place",
    "bad_value": "without a time or a flux",
    "bad_error": "without a positive error",
    "saturated": "brighter than the limit of the filter",
    "bad_exposure": "in an exposure in which many sources deviate alike",
}
# Columns of the tables of bits and of flagged epochs: (type, unit, meaning).
BIT_COLUMNS = {
    "name": ("U1", "", "name of the bit"),
    "bit": ("i8", "", "its value; a quality flag is the sum of those that hold"),
    "meaning": ("U1", "", "what an epoch is that has it"),
}
FLAGGED_COLUMNS = {
    "series": ("i8", "", "row of the lightcurve in the table series, from 0"),
    "epoch": ("i8", "", "row of the epoch in the lightcurve, from 0"),
    "qflag": ("i8", "", "its quality flag, see the table quality_bits; epochs that are not listed have 0"),
}
ACTIONS = ("flag", "remove")


@dataclass(frozen=True)
class Assessment:
    """Result of the quality checks of a batch.

    Parameters
    ----------
    qflag : ndarray of int64, shape (n_epochs,)
        Sum of `bits`; 0 is good.
    distance : ndarray of float, shape (n_epochs,)
        See `vo_lib.checks.offsets.offsets`.
    kept : ndarray of bool, shape (n_epochs,)
        Epochs to search and to use in statistics: all, or only the good ones if flagged epochs are removed.
    bits : dict of str to int
        Bits of the checks by name: `QUALITY_BITS`, then those of user-defined checks.
    bad_data : dict of str to ndarray, each of shape (n_failures,)
        Checks that entire lightcurves failed, see `vo_lib.checks.series_checks.bad_data`.
    """

    qflag: np.ndarray
    distance: np.ndarray
    kept: np.ndarray
    bits: dict
    bad_data: dict

    def take(self, rows):
        """Return the assessment of selected epochs, such as those that are copied; `bad_data` is kept unchanged."""
        values = {name: getattr(self, name)[rows] for name in ("qflag", "distance", "kept")}
        return replace(self, **values)


def assess(
    batch,
    *,
    offset_threshold=3.5,
    exposure_threshold=5.0,
    exposure_min_sources=10,
    bad_flags=None,
    saturation_mag=None,
    checks=(),
    own=None,
    action="flag",
    inherited=None,
    **series,
):
    """Flag the epochs of a batch, measure the offset of each epoch, and check entire lightcurves.

    Parameters
    ----------
    batch : LightcurveBatch
        With the standard columns. Its table may have the columns ``pmra`` and ``pmdec`` [mas/yr] of the sources.
    offset_threshold : float, optional
        Greatest distance from the median position, expressed as the number of standard deviations
        of a one-dimensional Gaussian with the same false-alarm rate (3.5: 0.047 %).
    exposure_threshold, exposure_min_sources : float or None, int, optional
        See `vo_lib.checks.exposures.bad_exposures`.
    bad_flags : dict of str to int, optional
        Bits of the survey's flags that make an epoch bad, by observatory; any bit for observatories that are
        not listed.
    saturation_mag : dict of str to float, optional
        Saturation limit by filter, brighter epochs are saturated [mag, AB]; no limit for filters that are not
        listed.
    checks : sequence of str, optional
        User-defined checks as ``module:function``, see `vo_lib.checks.custom`.
    own : dict of str to ndarray of bool, each of shape (n_epochs,), optional
        Further bad epochs, by the names of their bits, which follow those of `checks`.
    action : str, optional
        ``flag``, or ``remove`` to exclude flagged epochs from `Assessment.kept`.
    inherited : Assessment, optional
        For copies of lightcurves with different fluxes: assessment of the original epochs. Flags and offsets that
        depend on positions or on many sources are taken from it, and entire lightcurves are not checked again.
    **series
        Options of `vo_lib.checks.series_checks.judge_series`.

    Returns
    -------
    Assessment
    """
    _check_options(offset_threshold, action)
    own = own or {}
    check_names([*checks, *own])
    masks, verdicts = run_checks(batch, checks)
    masks |= own
    bits = QUALITY_BITS | _custom_bits([*checks, *own], masks)
    qflag = _flag_values(batch, bad_flags or {}, saturation_mag or {})
    for name, mask in masks.items():
        qflag |= mask * np.int64(bits[name])
    if inherited is None:
        away, distance = _out_of_place(batch, qflag == 0, offset_threshold)
        qflag |= away * np.int64(bits["offset"])
        limits = {"threshold": exposure_threshold, "min_sources": exposure_min_sources}
        qflag |= bad_exposures(batch, qflag == 0, **limits) * np.int64(bits["bad_exposure"])
        verdicts = judge_series(batch, **series) | verdicts
    else:
        qflag |= inherited.qflag & (bits["offset"] | bits["bad_exposure"])
        distance, verdicts = inherited.distance, {}
    kept = qflag == 0 if action == "remove" else np.ones(batch.n_epochs, bool)
    return Assessment(qflag, distance, kept, bits, bad_data(batch, verdicts))


def _check_options(offset_threshold, action):
    """Raise ValueError for an invalid threshold or action."""
    if not offset_threshold > 0:
        raise ValueError(f"offset_threshold must be positive, got {offset_threshold!r}")
    if action not in ACTIONS:
        raise ValueError(f"action must be one of {', '.join(ACTIONS)}, got {action!r}")


def _out_of_place(batch, good, threshold):
    """Mask of the epochs with too large an offset, and offsets in units of the scatter of the good epochs."""
    distance = offsets(batch, good)
    measured = segment_count(good & np.isfinite(distance), batch.starts)
    return distance > spread(offset_limit(threshold, measured), batch.starts), distance


def check_names(checks):
    """Raise `ConfigError` if a user-defined check has the name of another check."""
    taken = [*QUALITY_BITS, *SERIES_CHECKS]
    for path in checks:
        if check_name(path) in taken:
            raise ConfigError(f"quality.checks: {path} has the name of another check, '{check_name(path)}'; rename it")
        taken.append(check_name(path))


def _custom_bits(checks, masks):
    """Bits of user-defined checks of epochs, numbered by their position among all user-defined checks."""
    first = max(QUALITY_BITS.values()) << 1
    bits = {check_name(path): first << place for place, path in enumerate(checks)}
    return {name: bits[name] for name in masks}


def _flag_values(batch, bad_flags, saturation_mag):
    """Flags that depend on each epoch alone."""
    columns, bits = batch.columns, QUALITY_BITS
    survey = (columns["flag"] & spread(_by_name(batch.table["obs"], bad_flags, -1, np.int64), batch.starts)) != 0
    no_value = ~(np.isfinite(columns["mjd"]) & np.isfinite(columns["flux"]))
    no_error = ~(np.isfinite(columns["fluxerr"]) & (columns["fluxerr"] > 0))
    qflag = survey * np.int64(bits["survey_flag"])
    qflag |= no_value * np.int64(bits["bad_value"])
    qflag |= no_error * np.int64(bits["bad_error"])
    if saturation_mag:
        limit = spread(_by_name(batch.table["filter"], saturation_mag, -np.inf, float), batch.starts)
        qflag |= (columns["mag"] < limit) * np.int64(bits["saturated"])
    return qflag


def _by_name(names, values, default, kind):
    """Value of each name, or the default for names without one."""
    known, which = np.unique(names, return_inverse=True)
    return np.array([values.get(name, default) for name in known.tolist()], kind)[which]


def bit_table(bits, checks):
    """Make the table of quality bits.

    Parameters
    ----------
    bits : dict of str to int
        See `Assessment`.
    checks : sequence of str
        User-defined checks, as passed to `assess`.

    Returns
    -------
    dict of str to ndarray, each of shape (n_bits,)
        `BIT_COLUMNS`.
    """
    meanings = _MEANINGS | {check_name(path): f"by {path}" for path in checks}
    return {
        "name": np.array(list(bits)),
        "bit": np.array(list(bits.values()), np.int64),
        "meaning": np.array([meanings[name] for name in bits]),
    }


def flagged_epochs(qflag, starts):
    """Make the table of the flagged epochs of a batch, in the order of the batch; see `FLAGGED_COLUMNS`."""
    rows = np.flatnonzero(qflag)
    series = segment_of(rows, starts)
    return {"series": series, "epoch": rows - starts[series], "qflag": qflag[rows]}


def epoch_flags(series, flagged, *, obs, keys, counts):
    """Rebuild the quality flags of the epochs of lightcurves from the tables of an analysis.

    Parameters
    ----------
    series, flagged : dict of str to ndarray
        Tables of the analysis, which may include other lightcurves, in any order.
    obs, keys : ndarray of str, shape (n_lightcurves,)
        Survey and key of each lightcurve.
    counts : ndarray of int, shape (n_lightcurves,)
        Number of epochs of each lightcurve.

    Returns
    -------
    ndarray of int64, shape (n_epochs,)
        Flags of all epochs, in the order of the lightcurves.
    """
    rows = {name: row for row, name in enumerate(zip(obs.tolist(), keys.tolist(), strict=True))}
    names = zip(series["obs"].tolist(), series["lightcurve"].tolist(), strict=True)
    row = np.array([rows.get(name, -1) for name in names], np.int64)[flagged["series"]]
    known = row >= 0
    qflag = np.zeros(counts.sum(), np.int64)
    qflag[(np.cumsum(counts) - counts)[row[known]] + flagged["epoch"][known]] = flagged["qflag"][known]
    return qflag
