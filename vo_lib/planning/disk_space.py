"""Disk space that a run needs, and that is free."""

import shutil
from contextlib import suppress

__all__ = ["free_mb", "needed_mb", "space_text"]


def needed_mb(plan, surveys, computing):
    """Estimate the disk space that a run still needs in the data root [MB].

    Parameters
    ----------
    plan : Plan
        The run.
    surveys : sequence of SurveyEstimate
        See `vo_lib.planning.estimate.estimate`.
    computing : Computing or None
        See `vo_lib.planning.estimate.compute`.

    Returns
    -------
    float
        Space for the answers to come and, if known, for products beyond those that exist.
    """
    folder, products = plan.data_root / plan.folder, dict(computing.disk_mb if computing else {}, raw=0.0)
    if plan.database_url or (folder / "database.json").exists():
        products |= dict.fromkeys(("database", "log of the database"), 0.0)
    there = sum(map(_bytes, folder.rglob("*"))) / 1e6
    return sum(survey.mb or 0 for survey in surveys) + max(sum(products.values()) - there, 0.0)


def _bytes(path):
    """Size of a file, which a run may remove meanwhile; 0 for a folder."""
    with suppress(FileNotFoundError):
        return path.stat().st_size if path.is_file() else 0
    return 0


def free_mb(plan):
    """Return the free disk space of the data root [MB]."""
    folder = plan.data_root
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free / 1e6


def space_text(plan):
    """Warn before a run if the disk is too small for the raw archives that do not exist yet.

    Parameters
    ----------
    plan : Plan
        The run.

    Returns
    -------
    str
        One line; empty if the disk is large enough, or if the catalog or the typical size of answers is not known.
        Existing archives are not read.
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
