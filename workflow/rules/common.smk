import os
import sys
from pathlib import Path

ROOT = Path(workflow.basedir).parent
sys.path.insert(0, str(ROOT))
from vo_lib.config import load_schema
from vo_lib.errors import UserError
from vo_lib.plan import HISTOGRAMS, Plan
from vo_lib.summary import begin, failure_text, plan_text, summary_text

if not workflow.overwrite_configfiles:

    configfile: ROOT / "config" / "config.yaml"


try:
    PLAN = Plan(config, load_schema(ROOT / "workflow/schemas/config.schema.yaml"), ROOT)
    PLAN.check()
except UserError as error:
    raise WorkflowError(str(error)) from None

# What jobs need to know but what changes no result is in their environment, not in their params.
# There are: this interpreter and this vo_lib first; and the URL of the database, which may hold a password.
os.environ.update(
    PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
    PYTHONPATH=f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
    VO_SCRIPTS=str(ROOT / "scripts"),
    VO_CATALOG=str(PLAN.catalog.path),
    VO_OPTIONS=PLAN.options(),
    VO_DATABASE_URL=PLAN.database_url or "",
)

if workflow.is_main_process and PLAN.config["verbosity"] == "normal":
    print(plan_text(PLAN), file=sys.stderr)


PLOTS = [f"plots/{name}.png" for name in ("sky", "scores", "detections")]


wildcard_constraints:
    project=PLAN.folder,
    obs="|".join(PLAN.observatories),
    bin=r"RA\d{3}(\.\d+)?",


def stage(process):
    """Params function of a rule: the canonical JSON of all that decides its result."""

    def parameters(wildcards):
        return PLAN.parameters(process, **dict(wildcards))

    return parameters


def connections():
    """Resources of a download job: the connections that it takes of its own survey, by name of the resource."""

    def taken_by(obs):
        return lambda wildcards: PLAN.connections if wildcards.obs == obs else 0

    return {f"{obs.lower()}_connections": taken_by(obs) for obs in PLAN.observatories}


def analyzed(name):
    """Products of all bins that the report and the database read."""
    per_survey = dict(bin=PLAN.bins, obs=PLAN.observatories, allow_missing=True)
    files = {
        "manifests": expand(
            "{project}/manifests/{obs}_photometry_{bin}.jsonl", **per_survey
        ),
        "reduced": expand("{project}/{obs}_photometry_{bin}_reduced.h5", **per_survey),
        "analysis": expand(
            "{project}/{bin}_analysis.h5", bin=PLAN.bins, allow_missing=True
        ),
        "bin_histograms": expand(
            "{project}/{bin}_histograms.nc", bin=PLAN.bins, allow_missing=True
        ),
        "histograms": expand(
            "{project}/histograms_{name}.nc", name=HISTOGRAMS, allow_missing=True
        ),
    }
    return files[name]


def per_bin_products():
    """Products of all bins, which are made again when they are gone."""
    names = ["manifests", "reduced", "analysis", "bin_histograms"]
    return [
        path.format(project=PLAN.folder) for name in names for path in analyzed(name)
    ]
