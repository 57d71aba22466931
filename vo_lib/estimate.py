"""What a run would ask the archives for: sources, requests, megabytes and hours, before its first job.

The number of sources is exact: those of the catalog without an answer in the raw archive by the same parameters
and for the same position. The rest comes from what a source of the survey usually takes; None stands for
what nobody has measured.
"""

import os
import shutil
from dataclasses import dataclass

from vo_lib.download import request_parameters, split_rows
from vo_lib.manifest import catalog_rows
from vo_lib.provenance import short_digest
from vo_lib.raw import FAILED, read_index

__all__ = ["SurveyEstimate", "estimate", "free_mb", "jobs_at_a_time"]


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
    n_stored : int
        Sources in the raw archive that this size is from; 0 where it is what the survey usually sends.
    """

    name: str
    n_sources: int
    n_asked: int
    n_changed: int
    requests: tuple
    hours: tuple
    kb_per_source: float
    n_stored: int

    @property
    def mb(self):
        """Size of what is to come [MB], or None."""
        return 0.0 if not self.n_asked else self.kb_per_source and self.n_asked * self.kb_per_source / 1000


def estimate(plan, *, cores=None):
    """Estimate what a run would ask for.

    Parameters
    ----------
    plan : Plan
        The run.
    cores : int, optional
        Jobs at a time, as ``--cores`` of Snakemake; without it all cores of this machine.

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
    return [_estimate_survey(plan, obs, cores or os.cpu_count() or 1) for obs in plan.observatories]


def _estimate_survey(plan, obs, cores):
    """Estimate of one survey."""
    observatory, options = plan.surveys[obs].observatory, plan.config["download"]
    asked, n_changed, n_stored, n_bytes = _count(plan, obs, keep=options["on_change"] == "keep")
    jobs = min(jobs_at_a_time(plan, obs, cores), max(len(asked), 1))
    return SurveyEstimate(
        obs,
        plan.catalog.n_sources,
        sum(asked),
        n_changed,
        _requests(observatory, sum(asked)),
        _hours(observatory, asked, jobs, threads=plan.connections(obs), per_second=options["per_second"]),
        n_bytes / 1000 / n_stored if n_stored else observatory.kb_per_source,
        n_stored,
    )


def _count(plan, obs, *, keep):
    """Sources to ask for of each bin that has any, changed ones, stored ones, and bytes of the raw archive."""
    survey, asked, n_changed, n_stored, n_bytes = plan.surveys[obs], [], 0, 0, 0
    digest = short_digest(request_parameters(survey.observatory, survey.answer))
    for bin_name in plan.bins:
        path = plan.data_root / plan.raw_file(obs, bin_name)
        index = read_index(path)
        missing, changed = split_rows(path, index, catalog_rows(plan.catalog.rows(bin_name), obs), digest)
        asked.append(len(missing) + (0 if keep else len(changed)))
        n_changed += len(changed)
        n_stored += sum(row["status"] != FAILED for row in index.values())
        n_bytes += path.stat().st_size if index else 0
    return [number for number in asked if number], n_changed, n_stored, n_bytes


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


def free_mb(plan):
    """Free disk space for the data root [MB]."""
    folder = plan.data_root
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free / 1e6
