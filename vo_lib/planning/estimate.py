"""Estimate what a run will request from the archives and what its products will cost, before its first job.

The number of sources is exact: those of the catalog that have no answer in the raw archive for the same parameters and
position. All else comes from what a source of the survey typically takes; None stands for what has not been measured.
"""

import math
import os
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce

from vo_lib import hdf5, paths
from vo_lib.download import request_parameters, split_rows
from vo_lib.downloads.manifest import catalog_rows
from vo_lib.errors import UserError
from vo_lib.planning import cost
from vo_lib.provenance import short_digest
from vo_lib.raw import FAILED, read_index

__all__ = [
    "Computing",
    "SurveyEstimate",
    "compute",
    "estimate",
    "jobs_at_a_time",
    "not_counted",
]

# Typical lightcurves of a source in each filter, before any are made: a few seasons.
LIGHTCURVES = 4

# Keys of work that is off by default and so is missing from the runs to which the model is fitted.
NOT_COUNTED = (
    *("combine.by", "detrend.method", "periods.ranges", "quality.checks", "reduce.calibrators"),
    *("save_processed", "save_simulated", "analysis.class", "finder.class", "quality.class", "simulator.class"),
)


@dataclass(frozen=True)
class SurveyEstimate:
    """What a run will request from one survey.

    Parameters
    ----------
    name : str
        Name of the survey.
    n_sources, n_asked, n_changed : int
        Number of sources in the catalog; of those that the run requests; and of those whose stored answer is for
        other parameters or another position, which are requested unless ``download.on_change`` is ``keep``.
    requests, hours : tuple of float or None
        Least and greatest number of requests and duration [h].
    kb_per_source : float or None
        Size of a source in the raw archive [kB].
    epochs_per_source : float or None
        Number of epochs of a source.
    n_stored : int
        Number of sources in the raw archive from which these two are measured; 0 if they are the survey's typical
        values.
    lightcurves_per_source : float or None
        Number of lightcurves of a source in the reduced files of the project; None if there are none.
    """

    name: str
    n_sources: int
    n_asked: int
    n_changed: int
    requests: tuple
    hours: tuple
    kb_per_source: float
    epochs_per_source: float
    n_stored: int
    lightcurves_per_source: float

    @property
    def mb(self):
        """Size of the answers to come [MB], or None."""
        return 0.0 if not self.n_asked else self.kb_per_source and self.n_asked * self.kb_per_source / 1000


@dataclass(frozen=True)
class Computing:
    """Cost of making all products of a project from scratch, once the archives have answered.

    Parameters
    ----------
    seconds : dict of str to float
        Processor time by rule [s].
    cores : int
        Number of jobs at a time.
    hours : float
        Wall time without waiting for archives [h].
    memory_mb : float
        Memory of the largest job of a bin [MB].
    disk_mb : dict of str to float
        Size of the products by kind, and of the database [MB]; raw archives by the size of a source.
    """

    seconds: dict
    cores: int
    hours: float
    memory_mb: float
    disk_mb: dict


def estimate(plan, *, cores=None):
    """Estimate what a run will request from each survey.

    Parameters
    ----------
    plan : Plan
        The run.
    cores : int, optional
        Number of jobs at a time, as ``--cores`` of Snakemake; by default, the cores that this process may use.

    Returns
    -------
    list of SurveyEstimate
        One for each survey, in the order of the configuration.

    Raises
    ------
    UserError
        If the run would stop before its first request: an unusable catalog, or a name that has another position in
        the raw archive.
    """
    return [_estimate_survey(plan, obs, cores or _own_cores()) for obs in plan.observatories]


def _own_cores():
    """Number of cores that this process may use: on a shared machine maybe a few; on macOS, which cannot tell, all."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _estimate_survey(plan, obs, cores):
    """Estimate what a run will request from one survey."""
    observatory, options = plan.surveys[obs].observatory, plan.config["download"]
    asked, n_changed, n_stored, n_bytes, n_epochs = _count(plan, obs, keep=options["on_change"] == "keep")
    jobs = min(jobs_at_a_time(plan, obs, cores), max(len(asked), 1))
    return SurveyEstimate(
        obs,
        plan.catalog.n_sources,
        sum(asked),
        n_changed,
        _requests(observatory, sum(asked)),
        _hours(observatory, asked, jobs, threads=plan.connections(obs), per_second=options["per_second"]),
        n_bytes / 1000 / n_stored if n_stored else observatory.kb_per_source,
        n_epochs / n_stored if n_stored else observatory.epochs_per_source,
        n_stored,
        _lightcurves_per_source(plan, obs),
    )


def compute(plan, surveys, *, cores=None):
    """Estimate the cost of all products of a project.

    Parameters
    ----------
    plan : Plan
        The project.
    surveys : sequence of SurveyEstimate
        See `estimate`.
    cores : int, optional
        Number of jobs at a time; by default, the cores that this process may use.

    Returns
    -------
    Computing or None
        None if the number of epochs of a source has not been measured for some survey.
    """
    if any(survey.epochs_per_source is None for survey in surveys):
        return None
    n_sources, n_bins, cores = plan.catalog.n_sources, len(plan.bins), cores or _own_cores()
    greatest = max((stop - start for start, stop, _ in plan.catalog.bins.values()), default=0)
    whole, one_bin = (_sizes(plan, surveys, *counts) for counts in ((n_bins, n_sources), (1, greatest)))
    seconds = {rule: cost.amount(values, whole) for rule, values in cost.SECONDS.items()}
    raw = math.fsum(survey.n_sources * survey.kb_per_source for survey in surveys) / 1000
    return Computing(
        seconds,
        cores,
        cost.wall_time(seconds, whole, cores) / 3600,
        max(cost.memory(one_bin).values()),
        cost.disk(whole) | {"raw": raw},
    )


def not_counted(plan):
    """Return the configured keys that ask for work that `compute` does not count; none by default."""
    values = {key: reduce(lambda part, name: part[name], key.split("."), plan.config) for key in NOT_COUNTED}
    return [key for key, value in values.items() if value]


def _sizes(plan, surveys, n_bins, n_sources):
    """Sizes of `n_bins` bins that have `n_sources` sources in total."""
    epochs = [n_sources * survey.epochs_per_source for survey in surveys]
    lightcurves = math.fsum(n_sources * _lightcurves(plan, survey) for survey in surveys)
    return cost.Sizes(n_bins * len(surveys), n_bins, n_sources * len(surveys), lightcurves, sum(epochs))


def _lightcurves(plan, survey):
    """Number of lightcurves of a source, counted or typical; a lightcurve has at least one epoch."""
    if survey.lightcurves_per_source is not None:
        return survey.lightcurves_per_source
    n_filters = max(1, len(plan.surveys[survey.name].observatory.filters))
    return min(survey.epochs_per_source, LIGHTCURVES * n_filters)


def _lightcurves_per_source(plan, obs):
    """Lightcurves of a source in the undamaged reduced files of a survey; None if there are none."""
    n_lightcurves = n_sources = 0
    for bin_name in plan.bins:
        path = plan.data_root / paths.reduced_file(plan.folder, obs, bin_name)
        with suppress(UserError), hdf5.open_file(path) as file, hdf5.reading(file):
            n_lightcurves += len(file["index"])
            n_sources += len(file["sources"])
    return n_lightcurves / n_sources if n_sources else None


def _count(plan, obs, *, keep):
    """Sources to request in each bin that has any; changed and stored sources; bytes and epochs of the raw archive."""
    survey, asked, n_changed, n_stored, n_bytes, n_epochs = plan.surveys[obs], [], 0, 0, 0, 0
    digest = short_digest(request_parameters(survey.observatory, survey.answer))
    for bin_name in plan.bins:
        path = plan.data_root / plan.raw_file(obs, bin_name)
        index = read_index(path)
        if not index:
            start, stop, _ = plan.catalog.bins[bin_name]
            asked.append(stop - start)
            continue
        missing, changed = split_rows(path, index, catalog_rows(plan.catalog.rows(bin_name), obs), digest)
        asked.append(len(missing) + (0 if keep else len(changed)))
        n_changed += len(changed)
        n_stored += sum(row["status"] != FAILED for row in index.values())
        n_bytes += path.stat().st_size
        n_epochs += sum(row["n_rows"] for row in index.values())
    return [number for number in asked if number], n_changed, n_stored, n_bytes, n_epochs


def jobs_at_a_time(plan, obs, cores):
    """Return how many download jobs of a survey run at a time, given the cores and the connections to its archive."""
    limit = plan.limits.get(plan.surveys[obs].observatory.service)
    return cores if limit is None else min(cores, max(1, limit // plan.connections(obs)))


def _requests(observatory, n_asked):
    """Least and greatest number of requests, or None."""
    each = observatory.requests_per_source
    return (0, 0) if not n_asked else each and tuple(n_asked * number for number in each)


def _hours(observatory, asked, jobs, *, threads, per_second):
    """Least and greatest duration [h], or None; the formula is in the help of ``vo estimate``."""
    requests, seconds = observatory.requests_per_source, observatory.seconds_per_request
    if not asked:
        return 0.0, 0.0
    if requests is None or seconds is None:
        return None
    rounds = sum(-(-number // threads) for number in asked)
    turns = sum(asked) / per_second if per_second else 0.0
    return tuple(requests[end] * max(rounds * seconds[end] / jobs, turns) / 3600 for end in (0, 1))
