# Options of Snakemake with which a product would be taken for what it is not, or jobs would start never or all at once
# (docs/howto/snakemake.md).

from pathlib import Path

from snakemake.settings.types import RerunTrigger

if workflow.is_main_process:
    cores = workflow.resource_settings.cores
    if cores is not None and cores < 1:
        raise WorkflowError(f"--cores {cores}: must be at least 1")
    folder = workflow.overwrite_workdir
    if folder and Path(folder).resolve() != PLAN.data_root.resolve():
        raise WorkflowError(
            f"--directory {folder}: products are in the data root; use --config data_root={folder} instead"
        )
    # Snakemake of some time ago has files only.
    backend = getattr(workflow.workflow_settings, "persistence_backend", "file")
    if str(backend) != "file":
        raise WorkflowError(
            f"--persistence-backend {backend}: not supported, metadata of products are kept in files; omit the option"
        )


def refuse_pretence():
    """End where products of other parameters would count as made by these, and where it would not be noted by which."""
    if not workflow.execution_settings.keep_metadata:
        raise WorkflowError(
            "--drop-metadata: the next run would not know what is out of date; omit the option"
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
            f"{option}: {names[0]}{others} would count as up to date, but a different configuration, catalog or code "
            "made it; `vo status --why` shows which; omit the option"
        )
