"""What docs/howto/slurm.md says."""

import re
import shlex

import pytest
import yaml
from workspace import Workspace

from vo_lib.provenance import PACKAGE_ROOT

PAGE = (PACKAGE_ROOT / "docs" / "howto" / "slurm.md").read_text()
PROFILE = yaml.safe_load((PACKAGE_ROOT / "workflow" / "profiles" / "slurm" / "config.yaml").read_text())


def test_the_command_and_all_options_of_the_page_are_understood(tmp_path):
    pytest.importorskip("snakemake_executor_plugin_slurm", reason="needs the extra: pip install 'vo-lib[slurm]'")
    [command] = re.findall(r"^    snakemake (--profile .+)$", PAGE, flags=re.MULTILINE)
    options = re.findall(r"^\| .+ \| `(--.+)` \|$", PAGE, flags=re.MULTILINE)
    assert len(options) == 7
    plan = (
        Workspace(tmp_path)
        .set("catalog.file", "catalogs/demo.csv")
        .plan(*shlex.split(command), *shlex.split(" ".join(options)))
    )
    assert plan.status == 0, plan.output
    assert plan.jobs["analyze"] == 10


def test_every_rule_of_the_workflow_is_on_the_page_and_runs_where_it_says():
    text = "".join(path.read_text() for path in (PACKAGE_ROOT / "workflow").rglob("*.smk"))
    local = re.search(r"localrules:\n((?:    \w+,\n)+)", (PACKAGE_ROOT / "workflow" / "Snakefile").read_text())[1]
    grouped = {item.split("=")[0] for item in PROFILE["groups"]}
    rules = set(re.findall(r"^(?:rule|checkpoint) (\w+):", text, flags=re.MULTILINE)) - {"downloaded"}
    assert rules - grouped == {"download", "fetch_catalog", "sync_database"}
    assert rules - grouped | {"all", "downloaded"} == set(re.findall(r"\w+", local))
    rows = re.findall(r"^\| (`.+`) \| (.+?) \|", PAGE, flags=re.MULTILINE)
    here = {name for names, where in rows if where == "where Snakemake runs" for name in re.findall(r"`(\w+)`", names)}
    assert here == rules - grouped
