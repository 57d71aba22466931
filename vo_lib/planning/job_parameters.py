"""Parameters of the jobs of a plan: all that determines the result of each.

A rule without a function of its own here has the parameters of a job on the whole project.
"""

from pathlib import Path

from vo_lib import paths
from vo_lib.counts.false_detections import expected_noise
from vo_lib.counts.histogram_axes import HISTOGRAMS
from vo_lib.downloads.manifest import next_generation
from vo_lib.files import find_json
from vo_lib.pages.page import static_digest
from vo_lib.profiles import PROFILES
from vo_lib.storage.fingerprint import code_fingerprint

__all__ = ["PROJECT_TABLES", "job_parameters"]

# Processes whose products are tables that are not mirrored in the database.
PROJECT_TABLES = ("merge_tables", "rates")


def job_parameters(plan, process, obs, bin_name):
    """Return the parameters of a job.

    Parameters
    ----------
    plan : vo_lib.plan.Plan
        The project.
    process : str
        Name of the rule.
    obs, bin_name : str or None
        Survey and bin of the job, if its rule has these wildcards.

    Returns
    -------
    dict
        Values that JSON can hold.
    """
    return _OF_RULES.get(process, _of_project)(plan, process, obs, bin_name)


def _of_fetch_catalog(plan, *_):
    return plan.remote_catalog.spec


def _of_download(plan, _, obs, bin_name):
    manifest = plan.data_root / paths.manifest_file(plan.folder, obs, bin_name)
    raw = plan.data_root / plan.raw_file(obs, bin_name)
    survey = plan.surveys[obs]
    return {
        "observatory": obs,
        "class": survey.class_path,
        "bin": bin_name,
        "rows": plan.catalog.bins[bin_name][2],
        "survey": survey.answer,
        "raw_schema": survey.observatory.raw_schema,
        "generation": next_generation(manifest, raw, keep=plan.config["download"]["on_change"] == "keep"),
        "provenance": plan.provenance("download", obs).id,
    }


def _of_reduce(plan, _, obs, bin_name):
    survey = plan.surveys[obs]
    return {
        "observatory": obs,
        "class": survey.class_path,
        "bin": bin_name,
        "survey": survey.answer | survey.made,
        "reduce": plan.reduce_options(obs),
        "provenance": plan.provenance("reduce", obs).as_row(),
    }


def _of_analyze(plan, _, __, bin_name):
    return {
        "bin": bin_name,
        "observatories": {obs: plan.provenance("reduce", obs).id for obs in plan.observatories},
        **plan.survey_options,
        "provenance": plan.provenance("analyze").as_row(),
    }


def _of_combine(plan, _, __, bin_name):
    return {
        "bin": bin_name,
        "observatories": {obs: plan.provenance("reduce", obs).id for obs in plan.observatories},
        "analysis": plan.provenance("analyze").id,
        "provenance": plan.provenance("combine").as_row(),
    }


def _of_project(plan, process, *_):
    return {
        "project": plan.config["project"],
        "bins": plan.bins,
        "observatories": plan.observatories,
        "code": code_fingerprint(f"scripts/{process}.py", root=plan.root),
        "provenance": plan.provenance("analyze").id,
    }


def _of_rates(plan, process, *_):
    plan.make_analysis()  # a simulator that is a plug-in registers its profiles
    kinds = {kind: PROFILES[kind].sign for kind in plan.config["simulator"]["kinds"]}
    rates = {"kinds": kinds, "min_epochs": plan.config["simulator"]["min_epochs"]}
    section = plan.config["rates"]
    rates |= expected_noise(plan.config["finder"], section["false_alarms"]) | {"classes": section["classes"]}
    return _of_project(plan, process) | {"rates": rates}


def _of_report(plan, process, *_):
    return _of_project(plan, process) | {
        "config": plan.critical | {"description": plan.config["description"]},
        "config_file": plan.config_file,
        "threshold": expected_noise(plan.config["finder"])["threshold"],
        "num_best": plan.config["report"]["num_best"],
        "max_pages": plan.config["report"]["max_pages"],
        "static": static_digest(),
        "provenances": plan.provenances,
    }


def _of_pages(plan, process, *_):
    pages = plan.page_options | {"max_pages": plan.config["report"]["max_pages"], "static": static_digest()}
    return _of_project(plan, process) | pages


def _of_sync_database(plan, process, *_):
    return _of_project(plan, process) | {
        "database": plan.database,
        "catalog": _catalog_counts(plan),
        "generation": _sync_generation(plan),
        "histograms": list(HISTOGRAMS),
        "provenances": [row for row in plan.provenances if row["process"] not in PROJECT_TABLES],
    }


def _catalog_counts(plan):
    """Name of the catalog, and the number of its rows that were used, renamed and left out."""
    return {
        "name": "sources" if plan.config["catalog"]["sources"] else Path(plan.catalog_file).name,
        "n_sources": plan.catalog.n_sources,
        "n_renamed": plan.catalog.renamed,
        "left_out": plan.catalog.left_out,
    }


def _sync_generation(plan):
    """Generation that the receipt should show: its own, one more if its database is gone, 0 if it is damaged.

    A database created after the receipt, for another project or by ``vo db start``, has no rows of this project.
    """
    receipt = plan.data_root / plan.folder / "database.json"
    if not receipt.exists():
        return 1
    if (found := find_json(receipt)) is None:
        return 0
    is_lost = plan.database == "embedded" and not _made_before(plan.data_root, receipt)
    return found.get("generation", 1) + is_lost


def _made_before(data_root, receipt):
    """Whether the project's own database exists and is older than a receipt; assumed if another account owns it."""
    try:
        made = (data_root / "database" / "postgres" / "PG_VERSION").stat()
    except FileNotFoundError:
        return False
    except PermissionError:
        return True
    return made.st_mtime_ns <= receipt.stat().st_mtime_ns


_OF_RULES = {
    "fetch_catalog": _of_fetch_catalog,
    "download": _of_download,
    "reduce": _of_reduce,
    "analyze": _of_analyze,
    "combine": _of_combine,
    "rates": _of_rates,
    "report": _of_report,
    "pages": _of_pages,
    "sync_database": _of_sync_database,
}
