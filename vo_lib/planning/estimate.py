"""What a run would ask the archives for, and what its products cost, before its first job.

The number of sources is exact: those of the catalog without an answer in the raw archive by the same parameters
and for the same position. The rest comes from what a source of the survey usually takes; None stands for
what nobody has measured.
"""

import math
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce

from vo_lib.download import request_parameters, split_rows
from vo_lib.downloads.manifest import catalog_rows
from vo_lib.planning import cost
from vo_lib.provenance import short_digest
from vo_lib.raw import FAILED, read_index

__all__ = [
    "Computing",
    "SurveyEstimate",
    "compute",
    "estimate",
    "free_mb",
    "jobs_at_a_time",
    "needed_mb",
    "not_counted",
    "space_text",
]

# Lightcurves of a source in each filter, some seasons.
LIGHTCURVES = 4

# Work that is off by default, so that no run that the model is fitted to has it.
NOT_COUNTED = (
    *("combine.by", "detrend.method", "periods.ranges", "quality.checks", "reduce.calibrators"),
    *("save_processed", "save_simulated", "analysis.class", "finder.class", "quality.class", "simulator.class"),
)


@dataclass(frozen=True)
class SurveyEstimate:
    """What a run would ask one survey for.

    Parameters
    ----------
    name : str
        Name of the survey.
    n_sources, n_asked, n_changed : int
        Sources of the catalog; those that the run asks for; and those whose answer is by other
        parameters or for another position, which are among the former unless ``download.on_change`` is ``keep``.
    requests, hours : tuple of float or None
        Least and most.
    kb_per_source : float or None
        Size of a source in the raw archive [kB].
    epochs_per_source : float or None
        Epochs of a source.
    n_stored : int
        Sources in the raw archive that these two are from; 0 where they are what the survey usually sends.
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

    @property
    def mb(self):
        """Size of what is to come [MB], or None."""
        return 0.0 if not self.n_asked else self.kb_per_source and self.n_asked * self.kb_per_source / 1000


@dataclass(frozen=True)
class Computing:
    """What it costs to make all products of a project anew from what archives answer.

    Parameters
    ----------
    seconds : dict of str to float
        Processor time by rule [s].
    cores : int
        Jobs at a time.
    hours : float
        Wall time without waiting for archives [h].
    memory_mb : float
        Memory of the greatest job of a bin [MB].
    disk_mb : dict of str to float
        Size of the products by kind, and of the database [MB]; that of raw archives by the kB of a source.
    """

    seconds: dict
    cores: int
    hours: float
    memory_mb: float
    disk_mb: dict


def estimate(plan, *, cores=None):
    """Estimate what a run would ask for.

    Parameters
    ----------
    plan : Plan
        The run.
    cores : int, optional
        Jobs at a time, as ``--cores`` of Snakemake; without it all that this process may use.

    Returns
    -------
    list of SurveyEstimate
        One for each survey, in the order of the configuration.

    Raises
    ------
    UserError
        Where the run would stop before it asks: an unusable catalog, or a name that stands for another place in
        the raw archive.
    """
    return [_estimate_survey(plan, obs, cores or _own_cores()) for obs in plan.observatories]


def _own_cores():
    """Cores that this process may use, which on a shared machine may be few of all; macOS knows all alone."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _estimate_survey(plan, obs, cores):
    """Estimate of one survey."""
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
    )


def compute(plan, surveys, *, cores=None):
    """Estimate what all products of a project cost.

    Parameters
    ----------
    plan : Plan
        The project.
    surveys : sequence of SurveyEstimate
        See `estimate`.
    cores : int, optional
        Jobs at a time; without it all that this process may use.

    Returns
    -------
    Computing or None
        None where nobody has measured how many epochs a source of a survey has.
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
        max(
            cost.amount(values, one_bin if rule == "download" else one_bin.per_block())
            for rule, values in cost.MEMORY.items()
        ),
        cost.disk(whole) | {"raw": raw},
    )


def not_counted(plan):
    """Keys of the configuration that ask for work which `compute` knows nothing of; none by default."""
    values = {key: reduce(lambda part, name: part[name], key.split("."), plan.config) for key in NOT_COUNTED}
    return [key for key, value in values.items() if value]


def _sizes(plan, surveys, n_bins, n_sources):
    """Sizes of a number of bins with so many sources together."""
    epochs = [n_sources * survey.epochs_per_source for survey in surveys]
    filters = (max(1, len(plan.surveys[survey.name].observatory.filters)) for survey in surveys)
    lightcurves = (min(number, n_sources * LIGHTCURVES * n) for number, n in zip(epochs, filters, strict=True))
    return cost.Sizes(n_bins * len(surveys), n_bins, n_sources * len(surveys), math.fsum(lightcurves), sum(epochs))


def _count(plan, obs, *, keep):
    """Sources to ask for of each bin that has any, changed and stored ones, bytes and epochs of the raw archive."""
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
    """Download jobs of a survey at a time: by the cores, and by the connections to its archive."""
    limit = plan.limits.get(plan.surveys[obs].observatory.service)
    return cores if limit is None else min(cores, max(1, limit // plan.connections(obs)))


def _requests(observatory, n_asked):
    """Least and most requests, or None."""
    each = observatory.requests_per_source
    return (0, 0) if not n_asked else each and tuple(n_asked * number for number in each)


def _hours(observatory, asked, jobs, *, threads, per_second):
    """Least and most hours, or None; the formula is in the help of ``vo estimate``."""
    requests, seconds = observatory.requests_per_source, observatory.seconds_per_request
    if not asked:
        return 0.0, 0.0
    if requests is None or seconds is None:
        return None
    rounds = sum(-(-number // threads) for number in asked)
    turns = sum(asked) / per_second if per_second else 0.0
    return tuple(requests[end] * max(rounds * seconds[end] / jobs, turns) / 3600 for end in (0, 1))


def needed_mb(plan, surveys, computing):
    """Disk space that a run still needs in the data root [MB].

    Parameters
    ----------
    plan : Plan
        The run.
    surveys : sequence of SurveyEstimate
        See `estimate`.
    computing : Computing or None
        See `compute`.

    Returns
    -------
    float
        For answers to come and, where that is known, for products beyond what the project has of them.
    """
    folder, products = plan.data_root / plan.folder, dict(computing.disk_mb if computing else {}, raw=0.0)
    if plan.database_url or (folder / "database.json").exists():
        products |= dict.fromkeys(("database", "log of the database"), 0.0)
    there = sum(map(_bytes, folder.rglob("*"))) / 1e6
    return sum(survey.mb or 0 for survey in surveys) + max(sum(products.values()) - there, 0.0)


def _bytes(path):
    """Size of a file that a run may remove meanwhile; 0 of a folder."""
    with suppress(FileNotFoundError):
        return path.stat().st_size if path.is_file() else 0
    return 0


def free_mb(plan):
    """Free disk space for the data root [MB]."""
    folder = plan.data_root
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free / 1e6


def space_text(plan):
    """Say before a run where the disk is too small for the raw archives that are not there yet.

    Parameters
    ----------
    plan : Plan
        The run.

    Returns
    -------
    str
        A line; empty where the disk is large enough, and where the catalog or what surveys send is not known.
        Archives that are there are not looked into.
    """
    if not plan.has_catalog:
        return ""
    missing = sum(
        (stop - start) * (survey.observatory.kb_per_source or 0.0) / 1000
        for obs, survey in plan.surveys.items()
        for name, (start, stop, _) in plan.catalog.bins.items()
        if not (plan.data_root / plan.raw_file(obs, name)).exists()
    )
    if missing <= (free := free_mb(plan)):
        return ""
    return (
        f"Not enough disk space: the missing raw archives usually take {missing:,.0f} MB, but {plan.data_root} has "
        f"{free:,.0f} MB free. Whatever is downloaded before the disk is full is kept."
    )
