"""Provenances of all processes that a tag stands for, with warnings of what is missing or marked as bad."""

import logging

from vo_lib.errors import UserError, hint
from vo_lib.storage.marks import read_marks, spread_marks

__all__ = ["provenance_tree"]

# Processes with one provenance per survey.
PER_SURVEY = ("download", "reduce")

log = logging.getLogger("vo_lib")


def provenance_tree(plan, tag):
    """Find the provenances of a tag.

    Parameters
    ----------
    plan : vo_lib.plan.Plan
        The project.
    tag : str
        ``default``, or the name or the folder of the project, for its provenances as they are now; any other tag is
        looked up in the database, if there is one.

    Returns
    -------
    dict
        Provenance of each process; for ``download`` and ``reduce`` a dict of provenances by survey.

    Raises
    ------
    UserError
        If the tag is unknown.
    """
    known = ("default", plan.config["project"], plan.folder)
    tree = _tree_of(plan) if tag in known else _tree_of_database(plan, tag, known)
    if missing := _missing(tree, plan.observatories):
        log.warning("tag '%s' has no provenance of %s; products of any provenance are read", tag, " and ".join(missing))
    _warn_of_bad(plan.data_root, tree)
    return tree


def _tree_of(plan):
    """Return the provenances that a plan has now."""
    tree = {process: {obs: plan.provenance(process, obs) for obs in plan.observatories} for process in PER_SURVEY}
    project = ["analyze", *(["combine"] if "combined" in plan.per_bin else [])]
    return tree | {process: plan.provenance(process) for process in project}


def _tree_of_database(plan, tag, known):
    """Look up in the database the provenances of a tag that is not one of the project's."""
    from vo_lib.database.existing import existing_session
    from vo_lib.database.tags import tagged

    with existing_session(plan) as session:
        if session is None:
            raise UserError(f"tag '{tag}' is not one of this project; {hint(tag, known)}")
        return tagged(session, tag)


def _missing(tree, observatories):
    """Names of the processes that a tree lacks, and of the surveys that a process of it lacks."""
    processes = [process for process in (*PER_SURVEY, "analyze") if process not in tree]
    surveys = [
        f"{process} {obs}"
        for process in PER_SURVEY
        if process in tree
        for obs in observatories
        if obs not in tree[process]
    ]
    return processes + surveys


def _warn_of_bad(data_root, tree):
    """Warn of the provenances in a tree that are marked as bad, or made of such ones."""
    provenances = [one for found in tree.values() for one in (found.values() if isinstance(found, dict) else [found])]
    links = [(one.id, upstream) for one in provenances for upstream in one.upstreams]
    bad = spread_marks(read_marks(data_root), links)
    for one in provenances:
        if one.id in bad:
            log.warning("%s %s is bad: %s", one.process, one.id, bad[one.id])
