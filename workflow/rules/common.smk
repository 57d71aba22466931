import os
import sys
from pathlib import Path

ROOT = Path(workflow.basedir).parent
sys.path.insert(0, str(ROOT))
# The jobs use this vo_lib, also where another one is installed.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
)

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

PYTHON = sys.executable
SCRIPTS = ROOT / "scripts"

# What the jobs need to know but what changes no result stays out of their params.
OPTIONS = PLAN.options()

# The URL may hold a password, so jobs get it in their environment alone.
if PLAN.database_url:
    os.environ["VO_DATABASE_URL"] = PLAN.database_url

if workflow.is_main_process and PLAN.config["verbosity"] == "normal":
    print(plan_text(PLAN), file=sys.stderr)


wildcard_constraints:
    project=PLAN.folder,
    obs="|".join(PLAN.observatories),
    bin=r"RA\d{3}(\.\d+)?",


def stage(process):
    """Params function of a rule: the canonical JSON of all that decides its result."""

    def parameters(wildcards):
        return PLAN.parameters(process, **dict(wildcards))

    return parameters
