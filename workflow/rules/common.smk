import gc
import os
import sys
from math import ceil, inf
from pathlib import Path

ROOT = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parents[1]
sys.path.insert(0, str(ROOT))
from vo_lib.planning.disk_space import space_text
from vo_lib.errors import UserError
from vo_lib.counts.histogram_axes import HISTOGRAMS
from vo_lib.downloads.manifest import find_header
from vo_lib.paths import PLOTS, manifest_file
from vo_lib.plan import Plan, read_schema
from vo_lib.planning.plan_checks import check_plan, find_warnings
from vo_lib.planning.repeated_keys import refuse_repeated_keys
from vo_lib.planning.summary import begin, failure_text, plan_text, summary_text
from vo_lib.reduction.blocks import BLOCK_EPOCHS
from vo_lib.running.messages import note_stop, shorten_error, tell_stop
from vo_lib.running.run_lock import hold_run, keep_locks
from vo_lib.running.worker import start_worker

if not workflow.overwrite_configfiles:
    # Absolute, since Snakemake's report reads it from the data root.
    named = Path(
        os.environ.get("VO_CONFIG") or ROOT / "config" / "config.yaml"
    ).resolve()

    configfile: named


try:
    for file in workflow.configfiles:
        refuse_repeated_keys(file)
    PLAN = Plan(
        config,
        read_schema(ROOT),
        ROOT,
        changes=workflow.config_settings.config,
        configfiles=workflow.configfiles,
    )
    PLAN.set_permissions()
    check_plan(PLAN)
except UserError as error:
    raise WorkflowError(str(error)) from None

# Before Snakemake locks the files of this run.
if workflow.is_main_process:
    sys.excepthook = tell_stop
    logger.addFilter(shorten_error)
    RUN = hold_run(PLAN.data_root)

# Captions of figures quote the configuration with its defaults; this part of it has no secrets.
config.update(PLAN.critical)

# Surveys of one archive share its connections; their number can be set with --resources irsa_connections=8.
for service, limit in PLAN.limits.items():
    name = f"{service}_connections"
    if name not in workflow.global_resources:
        workflow.register_resource(name, limit)
    limit = workflow.global_resources[name]  # a plain number before Snakemake 9.16.3
    PLAN.limits[service] = getattr(limit, "value", limit)

# What jobs need without effect on their results is in their environment, not in their params. This interpreter and this
# vo_lib come first; the URL of the database may hold a password.
os.environ.update(
    PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
    PYTHONPATH=f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
    VO_SCRIPTS=str(ROOT / "scripts"),
    VO_CATALOG=str(PLAN.catalog.path) if PLAN.has_catalog else "",
    VO_OPTIONS=PLAN.options(),
    VO_DATABASE_URL=PLAN.database_url or "",
    # Docstrings describe the columns of products; Python would leave them out.
    PYTHONOPTIMIZE="0",
    # Products are never changed in place, and some network file systems refuse the locks that netCDF takes.
    HDF5_USE_FILE_LOCKING="FALSE",
    # A job has one core, on which several threads of linear algebra would only wait for each other.
    OMP_NUM_THREADS="1",
    OPENBLAS_NUM_THREADS="1",
)

# The worker for the jobs that this process runs loads its libraries while Snakemake plans. Jobs with their own software
# environments have no worker. On a node of a cluster, the process that runs jobs is the one without --executor. A
# command that needs no cores, such as --summary, runs no jobs.
on_node = workflow.remote_exec and "--executor" not in sys.argv
provided = workflow.resource_settings.cores or workflow.resource_settings.nodes
in_run = workflow.is_main_process and provided and not workflow.output_settings.dryrun
if (in_run or on_node) and not workflow.deployment_settings.deployment_method:
    os.environ.update(VO_WORKER=start_worker(ROOT / "scripts"))

# Jobs of a group share the cores that SLURM allocated to it. Unless SLURM binds them, Snakemake sees all of the node.
if on_node and (cores := os.environ.get("SLURM_CPUS_PER_TASK")):
    workflow.global_resources["_cores"] = int(cores)

if workflow.is_main_process and PLAN.config["verbosity"] == "normal":
    print(plan_text(PLAN), *find_warnings(PLAN), sep="\n", file=sys.stderr)


def plan_when_jobs_end():
    """Have Snakemake plan only when a local job ends, not again a second later for every job that has ended.

    It does the latter to enforce its limit on the rate of jobs, by default 100 per second. An explicit limit is kept.
    """
    rate = workflow.scheduling_settings.max_jobs_per_timespan
    if (
        rate
        and (rate.max_jobs, rate.timespan) == (100, 1)
        and not workflow.non_local_exec
    ):
        workflow.scheduler.job_rate_limiter = None


# Imported objects stay; without this, each garbage collection while the graph is built would traverse all of them.
gc.freeze()


PLOT_FILES = [f"plots/{name}.png" for name in PLOTS]


wildcard_constraints:
    project=PLAN.folder,
    obs="|".join(PLAN.observatories),
    bin=r"RA\d{3}(\.\d+)?",
    catalog=r"[A-Za-z0-9_.-]+",


def catalog():
    """Wait for a catalog that must be fetched: before that, its bins and hence the jobs are not known."""
    if PLAN.remote_catalog:
        checkpoints.fetch_catalog.get(catalog=PLAN.remote_catalog.name)
        try:
            os.environ.update(VO_CATALOG=str(PLAN.catalog.path))
        except UserError as error:
            raise WorkflowError(str(error)) from None


def stage(process):
    """Return the params function of a rule: the canonical JSON of all that determines its result."""

    def parameters(wildcards):
        catalog()
        return PLAN.parameters(process, **dict(wildcards))

    return parameters


def connections():
    """Return the resources of a download job: the number of its connections to the archive of its survey."""

    def taken_of(service):
        def taken(wildcards):
            own = PLAN.surveys[wildcards.obs].observatory.service == service
            return PLAN.connections(wildcards.obs) if own else 0

        return taken

    return {f"{service}_connections": taken_of(service) for service in PLAN.limits}


PER_BIN = {
    "manifests": "{project}/manifests/{obs}_photometry_{bin}.jsonl",
    "reduced": "{project}/{obs}_photometry_{bin}_reduced.h5",
    "analysis": "{project}/{bin}_analysis.h5",
    "bin_histograms": "{project}/{bin}_histograms.nc",
    "processed": "{project}/{obs}_photometry_{bin}_processed.h5",
    "simulated": "{project}/{obs}_photometry_{bin}_simulated.h5",
    "combined": "{project}/{bin}_combined.h5",
}


def all_bins(*names):
    """Return an input function: the products of all bins with these names in `PER_BIN`."""

    def files(wildcards):
        catalog()
        values = dict(project=PLAN.folder, bin=PLAN.bins, obs=PLAN.observatories)
        return [path for name in names for path in expand(PER_BIN[name], **values)]

    return files
