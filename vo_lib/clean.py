"""Remove products of a project, level by level: first list what would be removed, then remove it.

Raw archives belong to all projects of a data root; those with sources of another project are kept.
"""

from dataclasses import dataclass, field

from vo_lib.downloads.manifest import read_header, read_manifest
from vo_lib.errors import UserError
from vo_lib.planning.jobs import expected_jobs
from vo_lib.raw import FAILED, read_index
from vo_lib.running.records import Records

__all__ = ["LEVELS", "Cleaning", "plan_cleaning", "remove_files", "remove_rows"]

# What each level removes in addition to the levels before it, as patterns below the project's folder.
PATTERNS = {
    "analysis": (
        "*_analysis.h5",
        "*_histograms.nc",
        "*_processed.h5",
        "*_simulated.h5",
        "*_combined.h5",
        "histograms_*.nc",
        "detections.csv",
        "events.csv",
        "properties.csv",
        "rates.csv",
        "report.html",
        "report_tables.js",
        "plots/*.png",
        "pages/index.html",
        "pages/*/*.html",
    ),
    "reduced": ("*_reduced.h5",),
    "raw": ("manifests/*.jsonl", "failures/*.json", "failures.csv"),
}
LEVELS = (*PATTERNS, "left", "db")
# Products of a bin, which remain when the bin is no longer in the project.
OF_BINS = ("*_photometry_*.h5", "*_analysis.h5", "*_histograms.nc", "*_combined.h5", "manifests/*.jsonl")


@dataclass(frozen=True)
class Cleaning:
    """What a cleaning removes.

    Parameters
    ----------
    files : list of Path
        Files to remove: those in the project's folder, then raw archives, each sorted by name.
    kept : list of tuple
        Raw archives that are kept, each with a list of the folders of other projects that use it; the list is empty
        if the archive is kept because it may have answers that no manifest lists.
    rows : bool
        Whether to remove the rows of the project in the database and the receipt, see `remove_rows`.
    """

    files: list = field(default_factory=list)
    kept: list = field(default_factory=list)
    rows: bool = False

    @property
    def n_bytes(self):
        """Total size of the files [bytes]."""
        return sum(path.stat().st_size for path in self.files)


def plan_cleaning(plan, level):
    """List what a cleaning would remove, without removing it.

    Parameters
    ----------
    plan : vo_lib.plan.Plan
        The project.
    level : str
        ``analysis``: what is made from lightcurves; ``reduced``: that and the lightcurves; ``raw``: all that and the
        raw archives; ``left``: products of bins or surveys that the project no longer has; ``db``: the rows of the
        database.

    Returns
    -------
    Cleaning

    Raises
    ------
    UserError
        If a run holds the lock, or for ``left`` if the catalog, which determines the bins, has not been fetched.
    """
    if Records(plan.data_root).is_locked:
        raise UserError(
            f"{plan.data_root}: a run of snakemake is active or was killed; wait until it ends, or run "
            f"snakemake --unlock"
        )
    folder = plan.data_root / plan.folder
    if level == "db":
        return Cleaning(rows=True)
    if level == "left":
        return Cleaning(_left_files(plan, folder))
    levels = list(PATTERNS)[: list(PATTERNS).index(level) + 1]
    files = _matching(folder, [pattern for name in levels for pattern in PATTERNS[name]])
    if level != "raw":
        return Cleaning(files)
    raw, kept = _raw_files(plan, folder)
    return Cleaning([*files, *raw], kept)


def _matching(folder, patterns):
    """Return the files below a folder that match any of the patterns, sorted and without repeats."""
    return sorted({path for pattern in patterns for path in folder.glob(pattern)})


def _left_files(plan, folder):
    """Return products of bins and surveys that the project does not have."""
    if not plan.has_catalog:
        raise UserError(
            f"{plan.catalog_file}: the catalog has not been fetched yet, so it is unknown which bins the project no "
            f"longer has; run snakemake to fetch it"
        )
    expected = {plan.data_root / file for job in expected_jobs(plan) for file in job.outputs}
    return [path for path in _matching(folder, OF_BINS) if path not in expected]


def _raw_files(plan, folder):
    """Return the raw archives that only this project uses, and the shared ones with the folders of their users."""
    own, shared = [], []
    for manifest in sorted((folder / "manifests").glob("*.jsonl")):
        raw = _raw_file(manifest)
        others = [path for path in plan.data_root.glob(f"*/manifests/{manifest.name}") if path != manifest]
        users = sorted(path.parent.parent.name for path in others if _raw_file(path) == raw)
        path = plan.data_root / raw
        if path.exists():
            shared.append((path, users)) if users or _has_more(path, manifest) else own.append(path)
    return own, shared


def _has_more(path, manifest):
    """Return whether a raw archive has answers that a manifest does not list, or may have, since one is damaged.

    Such answers belong to another project whose download failed before it wrote a manifest.
    """
    try:
        index, (_, sources) = read_index(path), read_manifest(manifest)
    except UserError:
        return True
    own = {*sources["name"].tolist()}
    return any(name not in own and row["status"] != FAILED for name, row in index.items())


def _raw_file(manifest):
    """Return the raw archive that a manifest belongs to."""
    return read_header(manifest)["raw_file"]


def remove_files(cleaning):
    """Remove the files of a `Cleaning`; files that are already gone are ignored."""
    for path in cleaning.files:
        path.unlink(missing_ok=True)


def remove_rows(plan):
    """Remove the rows of a project from the database, and its receipt; rows of other projects are kept.

    Parameters
    ----------
    plan : vo_lib.plan.Plan
        The project, with ``folder``, ``data_root`` and ``database_url``.
    """
    from vo_lib.database.existing import existing_session
    from vo_lib.database.sync_group import remove_project

    with existing_session(plan) as session:
        if session:
            remove_project(session.connection(), plan.folder)
            session.commit()
    (plan.data_root / plan.folder / "database.json").unlink(missing_ok=True)
