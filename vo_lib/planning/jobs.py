"""List the jobs that a project needs, with the inputs, outputs and parameters that the rules give them.

The rules define these; the list here answers questions without Snakemake, as `vo_lib.status.project_status` does. A
test compares it with what Snakemake recorded of a run.
"""

import ast
import re
import textwrap
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from vo_lib import paths
from vo_lib.catalogs.remote import FOLDER
from vo_lib.counts.histogram_axes import HISTOGRAMS

__all__ = ["PER_BIN_STAGES", "STAGES", "Job", "expected_jobs", "rule_commands"]

PER_BIN_STAGES = ("download", "reduce", "analyze", "combine")
STAGES = (
    *("fetch_catalog", *PER_BIN_STAGES),
    *("merge_histograms", "merge_tables", "rates", "report", "pages", "sync_database"),
)


@dataclass(frozen=True)
class Job:
    """A job of the workflow.

    Parameters
    ----------
    stage : str
        Name of its rule.
    outputs, inputs : tuple of str
        Paths relative to the data root.
    params : tuple of str
        Its parameters, of which the last is the canonical JSON of `vo_lib.plan.Plan.parameters`.
    obs, bin : str, optional
        Survey and bin; empty if the job covers all of them.
    """

    stage: str
    outputs: tuple
    inputs: tuple
    params: tuple
    obs: str = ""
    bin: str = ""

    @property
    def name(self):
        """Readable name of the job, such as ``reduce DEMO RA045``."""
        return " ".join(filter(None, (self.stage, self.obs, self.bin)))

    def log_file(self, project):
        """Return the path of its log, relative to the data root."""
        if self.stage == "fetch_catalog":
            return f"{FOLDER}/logs/{Path(self.outputs[0]).name}.log"
        below = f"/{'_'.join(filter(None, (self.obs, self.bin)))}" if self.bin else ""
        return f"{project}/logs/{self.stage}{below}.log"


def expected_jobs(plan):
    """List the jobs that make everything a configuration asks for.

    Parameters
    ----------
    plan : vo_lib.plan.Plan
        The project.

    Returns
    -------
    list of Job
        Upstream first, in the order of stages and of bins; only the job that fetches the catalog as long as the bins
        are not known without it.
    """
    jobs = []
    if plan.remote_catalog:
        catalog = f"{FOLDER}/{plan.remote_catalog.name}"
        jobs.append(Job("fetch_catalog", (catalog, f"{catalog}.json"), (), (plan.parameters("fetch_catalog"),)))
    if not plan.has_catalog:
        return jobs
    for stage in PER_BIN_STAGES if "combined" in plan.per_bin else PER_BIN_STAGES[:-1]:
        surveys = plan.observatories if stage in ("download", "reduce") else [""]
        jobs += [_BIN_JOBS[stage](plan, bin_name, obs) for bin_name, obs in product(plan.bins, surveys)]
    return [*jobs, *_project_jobs(plan)]


def _download(plan, bin_name, obs):
    """Job that completes the raw archive of a bin."""
    params = (plan.raw_file(obs, bin_name), plan.parameters("download", obs, bin_name))
    return Job("download", (paths.manifest_file(plan.folder, obs, bin_name),), (), params, obs, bin_name)


def _reduce(plan, bin_name, obs):
    """Job that turns the raw photometry of a bin into lightcurves."""
    params = (plan.raw_file(obs, bin_name), plan.parameters("reduce", obs, bin_name))
    inputs = (paths.manifest_file(plan.folder, obs, bin_name),)
    return Job("reduce", (paths.reduced_file(plan.folder, obs, bin_name),), inputs, params, obs, bin_name)


def _analyze(plan, bin_name, _):
    """Job that analyses a bin."""
    surveys, folder = plan.observatories, plan.folder
    saved = {"processed": paths.processed_file, "simulated": paths.simulated_file}
    outputs = [paths.analysis_file(folder, bin_name), paths.bin_histograms_file(folder, bin_name)]
    outputs += [saved[kind](folder, obs, bin_name) for obs, kind in product(surveys, plan.saved)]
    inputs = [name(folder, obs, bin_name) for name in (paths.manifest_file, paths.reduced_file) for obs in surveys]
    params = (plan.parameters("analyze", bin=bin_name),)
    return Job("analyze", tuple(outputs), tuple(inputs), params, bin=bin_name)


def _combine(plan, bin_name, _):
    """Job that combines the series of each source of a bin."""
    reduced = [paths.reduced_file(plan.folder, obs, bin_name) for obs in plan.observatories]
    inputs = (paths.analysis_file(plan.folder, bin_name), *reduced)
    params = (plan.parameters("combine", bin=bin_name),)
    return Job("combine", (paths.combined_file(plan.folder, bin_name),), inputs, params, bin=bin_name)


_BIN_JOBS = {"download": _download, "reduce": _reduce, "analyze": _analyze, "combine": _combine}


def _project_jobs(plan):
    """Jobs of the whole project."""
    folder, surveys, bins = plan.folder, plan.observatories, plan.bins
    manifests = [paths.manifest_file(folder, *of) for of in product(surveys, bins)]
    reduced = [paths.reduced_file(folder, *of) for of in product(surveys, bins)]
    analysis = [paths.analysis_file(folder, name) for name in bins]
    of_bins = [paths.bin_histograms_file(folder, name) for name in bins]
    merged = [paths.histograms_file(folder, name) for name in HISTOGRAMS]
    tables = [f"{folder}/{name}.csv" for name in ("detections", "events", "properties")]
    rates, products = [paths.rates_file(folder)], [*manifests, *reduced, *analysis, *merged]
    page = [f"{folder}/{name}" for name in ("report.html", "report_tables.js")]
    page += [plan.config_file, *(f"{folder}/plots/{name}.png" for name in paths.PLOTS)]
    files = {
        "merge_histograms": (merged, of_bins),
        "merge_tables": (tables, analysis),
        "rates": (rates, analysis),
        "report": (page, [*products, tables[0], tables[2], *rates]),
        "pages": ([f"{folder}/pages/index.html"], [*manifests, *reduced, *analysis]),
        "sync_database": ([f"{folder}/database.json"], products),
    }
    return [
        Job(stage, tuple(outputs), tuple(inputs), (plan.parameters(stage),))
        for stage, (outputs, inputs) in files.items()
    ]


def rule_commands(root):
    """Read the shell command of each rule.

    Parameters
    ----------
    root : str or Path
        Folder of the workflow, which holds ``workflow/rules``.

    Returns
    -------
    dict of str to str
        Command by the name of the rule.
    """
    found = {}
    for path in sorted((Path(root) / "workflow" / "rules").glob("*.smk")):
        for block in re.split(r"^(?=rule |checkpoint )", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
            head, shell, command = block.partition("    shell:\n")
            if shell:
                found[head.split()[1].rstrip(":")] = ast.literal_eval(f"({textwrap.dedent(command)})")
    return found
