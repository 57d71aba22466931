"""Check whole lightcurves for signs that something is wrong, and give the reason.

A check is a function ``(batch, settings) -> (success, reason)`` that returns two arrays with a value per lightcurve;
the reason is empty if the check succeeds. Lightcurves that fail a check are neither moved nor dropped nor excluded
from the search, but all failures are listed, see `bad_data`.
"""

from fnmatch import fnmatchcase

import numpy as np

from vo_lib.errors import ConfigError, hint
from vo_lib.segments import segment_count, segment_max, segment_min, segment_steps, segment_sum, starts_from_counts
from vo_lib.tables import take_rows

__all__ = ["BAD_DATA_COLUMNS", "SERIES_CHECKS", "bad_data", "judge_series"]

# Columns of the table of failed checks: (type, unit, meaning).
BAD_DATA_COLUMNS = {
    "source": ("U1", "", "name in the catalog"),
    "obs": ("U1", "", "observatory"),
    "lightcurve": ("U1", "", "key of the lightcurve in the reduced file"),
    "check": ("U1", "", "name of the check of the whole lightcurve that failed"),
    "reason": ("U1", "", "why it failed: a short name, then numbers"),
}


def judge_series(batch, *, min_exptime_s=1.0, bad_observations=None, header_rules=None):
    """Run all checks of whole lightcurves.

    Parameters
    ----------
    batch : LightcurveBatch
        Lightcurves, including those without epochs.
    min_exptime_s : float, optional
        The exposure times of a lightcurve must add up to more than this [s].
    bad_observations : dict of str to sequence of str, optional
        Patterns of series that are known to be bad, with ``*`` and ``?``, by observatory: an observation, or a whole
        programme if the names of its series begin with it.
    header_rules : dict of str to dict of str to sequence, optional
        Allowed values of entries of the table of lightcurves, by observatory.

    Returns
    -------
    dict of str to tuple of ndarray, each of shape (n_lightcurves,)
        Success (bool) and reason (str) by the name of the check: those of `SERIES_CHECKS` and, for each entry that has
        a rule, ``header:<entry>``.

    Raises
    ------
    ConfigError
        For a rule on an entry that the lightcurves do not have.
    """
    settings = {"min_exptime_s": min_exptime_s, "bad_observations": bad_observations or {}}
    verdicts = {name: check(batch, settings) for name, check in SERIES_CHECKS.items()}
    rules = header_rules or {}
    for entry in sorted({entry for rule in rules.values() for entry in rule}):
        allowed = {obs: rule[entry] for obs, rule in rules.items() if entry in rule}
        verdicts[f"header:{entry}"] = _check_header(batch, entry, allowed)
    return verdicts


def bad_data(batch, verdicts):
    """List all failed checks.

    Parameters
    ----------
    batch : LightcurveBatch
        Lightcurves.
    verdicts : dict of str to tuple of ndarray
        Success and reason of each check, see `judge_series`.

    Returns
    -------
    dict of str to ndarray, each of shape (n_failures,)
        `BAD_DATA_COLUMNS`, with a row for each check that a lightcurve failed, in the order of lightcurves, then of
        checks.
    """
    failed = {name: np.flatnonzero(~success) for name, (success, _) in verdicts.items()}
    lightcurve = np.concatenate([np.zeros(0, np.int64), *failed.values()])
    order = np.argsort(lightcurve, kind="stable")
    lightcurve = lightcurve[order]
    reasons = [reason[failed[name]] for name, (_, reason) in verdicts.items()]
    return take_rows(batch.names(("source", "obs", "lightcurve")), lightcurve) | {
        "check": np.repeat(np.array(list(failed), str), [len(rows) for rows in failed.values()])[order],
        "reason": np.concatenate([np.zeros(0, "U1"), *reasons])[order],
    }


def _verdict(success, describe):
    """Return success and reason, for which ``describe(row)`` is called for each failure."""
    rows = np.flatnonzero(~success)
    texts = [describe(row) for row in rows.tolist()]
    reason = np.zeros(len(success), f"U{max(map(len, texts), default=1)}")
    reason[rows] = texts
    return success, reason


def check_no_events(batch, _):
    """Check that a lightcurve has an epoch with a time and a flux."""
    measured = np.isfinite(batch.columns["mjd"]) & np.isfinite(batch.columns["flux"])
    number, counts = segment_sum(measured, batch.starts), batch.counts
    return _verdict(number > 0, lambda row: f"No events: none of {counts[row]} epochs has a time and a flux")


def check_not_singular(batch, _):
    """Check that the epochs are not all at one time; a lightcurve without any times passes."""
    mjd = np.where(np.isfinite(batch.columns["mjd"]), batch.columns["mjd"], np.nan)
    first, last, counts = segment_min(mjd, batch.starts), segment_max(mjd, batch.starts), batch.counts
    return _verdict(first != last, lambda row: f"Singular event: all {counts[row]} epochs at MJD {first[row]:.5f}")


def check_linear(batch, _):
    """Check that times increase from epoch to epoch, apart from epochs without a time."""
    known = np.isfinite(batch.columns["mjd"])
    starts = batch.starts if known.all() else starts_from_counts(segment_sum(known, batch.starts))
    mjd = batch.columns["mjd"] if known.all() else batch.columns["mjd"][known]
    number, steps = segment_sum(segment_steps(mjd, starts) <= 0, starts), np.maximum(np.diff(starts) - 1, 0)
    return _verdict(number == 0, lambda row: f"Non-linear time: {number[row]} of {steps[row]} steps are not forward")


def check_exptime(batch, settings):
    """Check that the exposure times add up to more than the minimum; a lightcurve without any passes."""
    exptime, least = batch.columns["exptime"], settings["min_exptime_s"]
    total, known = segment_sum(exptime, batch.starts), segment_count(exptime, batch.starts) > 0
    return _verdict(~known | (total > least), lambda row: f"Short Exposure: {total[row]:g} s in all")


def check_bad_proposal(batch, settings):
    """Check that the series is not listed as bad."""
    success, series = np.ones(batch.n_lightcurves, bool), batch.table["series"]
    for obs, patterns in settings["bad_observations"].items():
        rows = np.flatnonzero(batch.table["obs"] == obs)
        names, which = np.unique(series[rows], return_inverse=True)
        listed = [any(fnmatchcase(name, pattern) for pattern in patterns) for name in names.tolist()]
        success[rows] = ~np.array(listed, bool)[which]
    return _verdict(success, lambda row: f"Bad Proposal: {series[row]}")


def _check_header(batch, entry, allowed):
    """An entry of the table must have an allowed value, by observatory; lightcurves of others pass."""
    judged = np.isin(batch.table["obs"], list(allowed))
    if not judged.any():
        return _verdict(~judged, str)
    if entry not in batch.table:
        raise ConfigError(f"quality.header_rules: lightcurves have no entry '{entry}'; {hint(entry, batch.table)}")
    values = batch.table[entry]
    success = ~judged
    for obs, good in allowed.items():
        known = [str(value) for value in good] if values.dtype.kind == "U" else list(good)
        success |= (batch.table["obs"] == obs) & np.isin(values, known)
    return _verdict(success, lambda row: f"Bad {entry}: {values[row]}")


SERIES_CHECKS = {
    "no_events": check_no_events,
    "not_singular": check_not_singular,
    "linear": check_linear,
    "exptime": check_exptime,
    "bad_proposal": check_bad_proposal,
}
