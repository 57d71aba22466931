"""Check a plan before its first job runs.

There are two moments. `check_sections` belongs to making a plan: it checks what can be told from the configuration and
the classes of the surveys, so that every command refuses what no run could use. `check_plan` follows when the workflow
starts: it loads the plug-ins that jobs will use, and looks at the catalog, the environment and the data root.
`find_warnings` tells what is allowed all the same.
"""

import os
import shlex

from vo_lib import paths
from vo_lib.bins import check_width
from vo_lib.counts.false_detections import unknown_noise
from vo_lib.counts.histogram_axes import check_size, make_histograms
from vo_lib.downloads.manifest import find_header
from vo_lib.errors import ConfigError
from vo_lib.measures.colors import color_columns
from vo_lib.observatories import OBSERVATORIES
from vo_lib.observatories.credentials import read_secret
from vo_lib.planning.quality_section import custom_check_files
from vo_lib.properties import PROPERTY_COLUMNS, check_options
from vo_lib.provenance import canonical_json
from vo_lib.rates import check_classes
from vo_lib.reduction.calibration import calibrator_files, expect_filters
from vo_lib.stages import stage_class
from vo_lib.storage.permissions import is_own_group

__all__ = ["check_plan", "check_sections", "find_warnings"]

# Largest size of a job's parameters [bytes]: Linux allows 131,072 for one argument, most of which they take.
MOST_BYTES = 120_000
# What to do when a list of the configuration is that long.
ADVICE = {
    "catalog.sources": "put them into a file and name it in catalog.file",
    "select.names": "put these rows of the catalog into a file and name it in catalog.file",
    "bins": "set bins.width_deg to more",
}


def check_sections(plan):
    """Check that sections of the configuration fit the surveys and each other, without reading any data.

    Parameters
    ----------
    plan : vo_lib.plan.Plan
        The plan; only its configuration and surveys are used.

    Raises
    ------
    ConfigError
        For the first value that cannot be used.
    """
    _check_project_name(plan)
    for survey in plan.config["catalog"]["mags"]:
        if survey.upper() not in plan.surveys:
            raise ConfigError(
                f"configuration: catalog.mags.{survey} is not for a survey of the project; use one of "
                f"{', '.join(plan.config['observatories'])}"
            )
    own = stage_class("analysis", plan.config["analysis"]["class"]).columns
    check_options(plan.filters, own=own, **plan.config["properties"])
    check_classes(plan.config["rates"]["classes"], PROPERTY_COLUMNS | color_columns(plan.colors) | own)


def check_plan(plan):
    """Check that the data root, catalog, plug-ins and manifests of a plan are usable, before any product is written.

    Parameters
    ----------
    plan : vo_lib.plan.Plan
        The plan; its catalog is read unless it must be fetched first.

    Raises
    ------
    UserError
        For the first problem that is found.
    """
    custom_check_files(plan.config["quality"]["checks"], plan.root)  # they and the analysis can be loaded
    plan.make_analysis()
    for obs in plan.observatories:
        _check_calibrators(plan, obs)
    _check_histograms(plan)
    _check_combined(plan)
    check_width(plan.data_root, plan.config["bins"]["width_deg"])
    _check_data_root(plan.data_root)
    _check_secrets(plan)
    if plan.has_catalog:
        _check_commands(plan)
        if plan.config["download"]["on_change"] == "refetch":
            from vo_lib.downloads.replaced import check_replaced

            check_replaced(plan)


def find_warnings(plan):
    """Find settings that are allowed but leave a result unknown or a request undone.

    Parameters
    ----------
    plan : vo_lib.plan.Plan
        The plan; only its configuration is used.

    Returns
    -------
    list of str
        A line for each; empty without any.
    """
    lines, group = [], plan.config["permissions"]["group"]
    if group is not None and not is_own_group(group):
        lines.append(
            f"configuration: you are not in permissions.group '{group}' on this host, so files keep their "
            "group; ask the administrator for it, or name another one"
        )
    if not plan.config["rates"]["false_alarms"] and (reason := unknown_noise(plan.config["finder"])):
        lines.append(
            f"configuration: {reason}, so the false detections in rates.csv are unknown and not subtracted; "
            "measure them (docs/rates.md) and set rates.false_alarms"
        )
    return lines


def _check_project_name(plan):
    """Check that the folder of the project is not that of a survey or of the database, beside which it lies."""
    name = plan.config["project"]
    if name.upper() in {*OBSERVATORIES, *plan.surveys, "DATABASE"}:
        raise ConfigError(
            f"configuration: project must not be '{name}': {name.upper()} is a folder of the data root for all "
            f"projects; choose another name, for example '{name}_project'"
        )


def _check_calibrators(plan, obs):
    """Check that calibrators can be loaded, and that their surveys have the filters they name."""
    calibrators, shared = plan.reduce_options(obs)["calibrators"], plan.critical["reduce"]["calibrators"]
    calibrator_files(calibrators, plan.root)
    surveys = plan.observatories if calibrators == shared else [obs]
    expect_filters(calibrators, [name for survey in surveys for name in plan.filters[survey]])


def _check_histograms(plan):
    """Check that the histograms are no larger than allowed."""
    options = dict(plan.config["histograms"])
    max_mb = options.pop("max_mb")
    check_size(make_histograms(**options, **plan.labels), max_mb=max_mb)


def _check_combined(plan):
    """Check that no difference fluxes are to be combined, as they have no zero point in common with others."""
    changes = [name for name, survey in plan.surveys.items() if survey.observatory.measures_change]
    if plan.config["combine"]["by"] and changes:
        raise ConfigError(
            f"configuration: combine.by is set, but fluxes of {changes[0]} are changes since a reference image, "
            f"which cannot be combined; use total fluxes (vo help observatories.{changes[0].lower()}) or move this "
            "survey to another project"
        )


def _check_data_root(root):
    """Check that the data root, or the folder in which it will be made, is writable."""
    folder = root
    while not folder.exists():
        folder = folder.parent
    if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        raise ConfigError(
            f"data_root {root}: {folder} is not a writable folder; choose another data_root or change its permissions"
        )


def _check_secrets(plan):
    """Check that the credentials of surveys with bins to download are in the environment."""
    for obs, survey in plan.surveys.items():
        if survey.observatory.credentials and _is_to_download(plan, obs):
            for secret in survey.observatory.credentials:
                read_secret(secret)


def _is_to_download(plan, obs):
    """Whether a bin of a survey has no manifest yet, as with a catalog that must be fetched first."""
    if not plan.has_catalog:
        return True
    files = (plan.data_root / paths.manifest_file(plan.folder, obs, bin_name) for bin_name in plan.bins)
    return any(find_header(file) is None for file in files)


def _check_commands(plan):
    """Check that the parameters of the report, which include all names and bins, fit into a command."""
    if len(shlex.quote(plan.parameters("report"))) <= MOST_BYTES:
        return
    lists = {
        "catalog.sources": plan.config["catalog"]["sources"],
        "select.names": plan.config["select"]["names"],
        "bins": plan.bins,
    }
    name = max(lists, key=lambda key: len(canonical_json(lists[key])))
    raise ConfigError(
        f"configuration: {name}: {len(lists[name]):,} are too many for the command line of a job; {ADVICE[name]}"
    )
