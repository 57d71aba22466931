"""Provenance of each stage of a plan: its parameters, its code and its upstream provenances."""

from vo_lib.planning.quality_section import custom_check_files
from vo_lib.provenance import Provenance
from vo_lib.reduction.calibration import calibrator_files
from vo_lib.stages import stage_files
from vo_lib.storage.fingerprint import code_fingerprint

__all__ = ["ANALYSIS_SECTIONS", "stage_provenance"]

ANALYSIS_SECTIONS = ("analysis", "detrend", "finder", "histograms", "periods", "properties", "quality", "simulator")


def stage_provenance(plan, process, obs):
    """Return the provenance of a stage.

    Parameters
    ----------
    plan : vo_lib.plan.Plan
        The project.
    process : str
        Name of the stage.
    obs : str or None
        Survey, for ``download`` and ``reduce``.

    Returns
    -------
    Provenance
    """
    return _OF_STAGES.get(process, _of_project)(plan, process, obs)


def _of_download(plan, process, obs):
    survey = plan.surveys[obs]
    parameters = survey.answer | {"observatory": obs}
    return Provenance(process, parameters, f"raw schema {survey.observatory.raw_schema}")


def _of_reduce(plan, process, obs):
    parameters = plan.reduce_options(obs) | plan.surveys[obs].made | {"observatory": obs}
    calibrators = calibrator_files(parameters["calibrators"], plan.root)
    code = code_fingerprint("scripts/reduce.py", plan.surveys[obs].module(plan.root), *calibrators, root=plan.root)
    return Provenance(process, parameters, code, (plan.provenance("download", obs).id,))


def _of_analyze(plan, process, _):
    parameters = {name: plan.critical[name] for name in ANALYSIS_SECTIONS} | {"seed": plan.config["seed"]}
    upstreams = tuple(plan.provenance("reduce", obs).id for obs in plan.observatories)
    own = [*custom_check_files(plan.config["quality"]["checks"], plan.root), *stage_files(plan.config, plan.root)]
    code = code_fingerprint("scripts/analyze.py", *own, root=plan.root)
    return Provenance(process, parameters, code, upstreams)


def _of_project(plan, process, _):
    parameters = plan.critical[process] if process in ("combine", "rates") else {}
    code = code_fingerprint(f"scripts/{process}.py", root=plan.root)
    return Provenance(process, parameters, code, (plan.provenance("analyze").id,))


_OF_STAGES = {"download": _of_download, "reduce": _of_reduce, "analyze": _of_analyze}
