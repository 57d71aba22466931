"""Which epochs are not to be trusted, and why: a bit mask beside the survey's own flags.

Everything is computed from the lightcurves as they are, never from an earlier result, so a
check may be repeated on the same data or made on copies with injected events.
"""

from dataclasses import dataclass, replace

import numpy as np

from vo_lib.checks.custom import check_name, run_checks
from vo_lib.checks.exposures import bad_exposures
from vo_lib.checks.offsets import offset_limit, offsets
from vo_lib.checks.series_checks import SERIES_CHECKS, bad_data, judge_series
from vo_lib.errors import ConfigError
from vo_lib.segments import segment_count, spread

__all__ = [
    "BIT_COLUMNS",
    "FLAGGED_COLUMNS",
    "QUALITY_BITS",
    "Assessment",
    "assess",
    "bit_table",
    "check",
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
# Columns of the table of bits and of that of flagged epochs: (type, unit, meaning).
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
    """What the checks say of a batch.

    Parameters
    ----------
    qflag : ndarray of int64, shape (n_epochs,)
        Sum of `bits`; 0 is good.
    distance : ndarray of float, shape (n_epochs,)
        See `offsets`.
    kept : ndarray of bool, shape (n_epochs,)
        Epochs to search and to make statistics of: all, or the good ones where flagged ones are removed.
    bits : dict of str to int
        Bits of the checks by name: `QUALITY_BITS`, then those of one's own.
    bad_data : dict of str to ndarray, each of shape (n_failures,)
        Checks that whole lightcurves failed, see `vo_lib.checks.series_checks.bad_data`.
    """

    qflag: np.ndarray
    distance: np.ndarray
    kept: np.ndarray
    bits: dict
    bad_data: dict

    def take(self, rows):
        """Assessment of some epochs, as of those of which copies are made; `bad_data` stays that of all."""
        values = {name: getattr(self, name)[rows] for name in ("qflag", "distance", "kept")}
        return replace(self, **values)


def check(batch, **options):
    """Flag the epochs of a batch; the `Assessment.qflag` of `assess`."""
    return assess(batch, **options).qflag


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
    """Flag the epochs of a batch, measure how far each is out of place, and judge whole lightcurves.

    Parameters
    ----------
    batch : LightcurveBatch
        With the standard columns. Its table may have ``pmra`` and ``pmdec`` [mas/yr] of the sources.
    offset_threshold : float, optional
        Greatest distance from the median position, given as the number of standard deviations
        of a one-dimensional Gaussian with the same false-alarm rate (3.5: 0.047 %).
    exposure_threshold, exposure_min_sources : float or None, int, optional
        See `vo_lib.checks.exposures.bad_exposures`.
    bad_flags : dict of str to int, optional
        Bits of the survey's flags that make an epoch bad, by observatory; any bit where an
        observatory is not named.
    saturation_mag : dict of str to float, optional
        Brighter epochs are saturated, by filter [mag, AB]; no limit where a filter is not named.
    checks : sequence of str, optional
        Checks of one's own as ``module:function``, see `vo_lib.checks.custom`.
    own : dict of str to ndarray of bool, each of shape (n_epochs,), optional
        More bad epochs by the names of their bits, which follow those of `checks`.
    action : str, optional
        ``flag``, or ``remove`` to leave flagged epochs out of `Assessment.kept`.
    inherited : Assessment, optional
        For copies of lightcurves with other fluxes: that of the epochs that these are copies of. What
        comes from positions or from many sources is taken from it, and whole lightcurves are not judged again.
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
    """Raise ValueError for a threshold or an action that cannot be."""
    if not offset_threshold > 0:
        raise ValueError(f"offset_threshold must be positive, got {offset_threshold!r}")
    if action not in ACTIONS:
        raise ValueError(f"action must be one of {', '.join(ACTIONS)}, got {action!r}")


def _out_of_place(batch, good, threshold):
    """Mask of the epochs that are out of place, and how far each is in units of the scatter of the good ones."""
    distance = offsets(batch, good)
    measured = segment_count(good & np.isfinite(distance), batch.starts)
    return distance > spread(offset_limit(threshold, measured), batch.starts), distance


def check_names(checks):
    """Raise `ConfigError` when a check of one's own has the name of another check."""
    taken = [*QUALITY_BITS, *SERIES_CHECKS]
    for path in checks:
        if check_name(path) in taken:
            raise ConfigError(f"quality.checks: there is another check '{check_name(path)}' beside {path}; rename it")
        taken.append(check_name(path))


def _custom_bits(checks, masks):
    """Bits of one's own checks of epochs, by their place among all of one's own."""
    first = max(QUALITY_BITS.values()) << 1
    bits = {check_name(path): first << place for place, path in enumerate(checks)}
    return {name: bits[name] for name in masks}


def _flag_values(batch, bad_flags, saturation_mag):
    """Flags of what each epoch shows by itself."""
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
    """Value of each name, or the default where it has none."""
    known, which = np.unique(names, return_inverse=True)
    return np.array([values.get(name, default) for name in known.tolist()], kind)[which]


def bit_table(bits, checks):
    """Table of the bits of a quality flag.

    Parameters
    ----------
    bits : dict of str to int
        See `Assessment`.
    checks : sequence of str
        Checks of one's own, as `assess` was given them.

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
    """Table of the flagged epochs of a batch, see `FLAGGED_COLUMNS`, in the order of the batch."""
    rows = np.flatnonzero(qflag)
    series = np.searchsorted(starts, rows, side="right") - 1
    return {"series": series, "epoch": rows - starts[series], "qflag": qflag[rows]}


def epoch_flags(series, flagged, *, obs, keys, counts):
    """Quality flags of the epochs of lightcurves, from the tables of an analysis.

    Parameters
    ----------
    series, flagged : dict of str to ndarray
        Tables of the analysis, which may have other lightcurves too, in any order.
    obs, keys : ndarray of str, shape (n_lightcurves,)
        Survey and key of each lightcurve.
    counts : ndarray of int, shape (n_lightcurves,)
        Their numbers of epochs.

    Returns
    -------
    ndarray of int64, shape (n_epochs,)
        Flags, lightcurve after lightcurve.
    """
    rows = {name: row for row, name in enumerate(zip(obs.tolist(), keys.tolist(), strict=True))}
    names = zip(series["obs"].tolist(), series["lightcurve"].tolist(), strict=True)
    row = np.array([rows.get(name, -1) for name in names], np.int64)[flagged["series"]]
    known = row >= 0
    qflag = np.zeros(counts.sum(), np.int64)
    qflag[(np.cumsum(counts) - counts)[row[known]] + flagged["epoch"][known]] = flagged["qflag"][known]
    return qflag
