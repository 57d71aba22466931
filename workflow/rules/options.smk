# Options of Snakemake with which a product would be taken for what it is not (docs/howto/snakemake.md).

from pathlib import Path

from snakemake.settings.types import RerunTrigger

if workflow.is_main_process:
    folder = workflow.overwrite_workdir
    if folder and Path(folder).resolve() != PLAN.data_root.resolve():
        raise WorkflowError(
            f"--directory {folder}: products are in the data root; say --config data_root={folder}"
        )
    # Snakemake of some time ago has files only.
    backend = getattr(workflow.workflow_settings, "persistence_backend", "file")
    if str(backend) != "file":
        raise WorkflowError(
            f"--persistence-backend {backend}: notes of how products were made are in files; start without it"
        )


def refuse_pretence():
    """End where products of other parameters would count as made by these, and where it would not be noted by which."""
    if not workflow.execution_settings.keep_metadata:
        raise WorkflowError(
            "--drop-metadata: the next run would not know what is out of date; start without it"
        )
    if workflow.touch:
        option, jobs = "--touch", workflow.dag.needrun_jobs()
    elif RerunTrigger.PARAMS not in workflow.rerun_triggers:
        option = "--rerun-triggers without params"
        jobs = (job for job in workflow.dag.jobs if not workflow.dag.needrun(job))
    else:
        return
    changed = workflow.persistence.params_changed
    if names := sorted(str(job.output[0]) for job in jobs if changed(job)):
        others = f" and {len(names) - 1} more" if len(names) > 1 else ""
        raise WorkflowError(
            f"{option}: {names[0]}{others} would be taken for what is asked for, but the configuration, the catalog or "
            "the code was another one; `vo status --why` says which; start without it"
        )
