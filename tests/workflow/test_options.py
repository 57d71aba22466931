"""Options of Snakemake with which products would be taken for what they are not, and Snakefiles around the workflow."""

import csv
import os
import subprocess
import sys

import pytest

from vo_lib.provenance import PACKAGE_ROOT

INCLUDED = """
include: "{root}/workflow/Snakefile"
"""
MODULE = """
configfile: "{root}/config/config.yaml"
module vo:
    snakefile: "{root}/workflow/Snakefile"
    config: config
use rule * from vo
"""
MINE = """
rule mine:
    input: "DEMO_PROJECT/rates.csv"
    output: "DEMO_PROJECT/mine.txt"
    shell: "wc -l {input} > {output}"
"""


def _classes(workspace):
    """Classes of sources that the table of rates has."""
    with open(workspace.product("rates.csv"), newline="") as file:
        return {row["class"] for row in csv.DictReader(file)}


@pytest.mark.parametrize("options", [["--touch"], ["--rerun-triggers", "mtime", "code"], ["--drop-metadata"]])
def test_rates_of_other_classes_are_not_taken_for_what_is_asked_for(finished, options):
    finished.set("rates.classes.bright", "mag < 16")
    run = finished.run(*options)
    assert run.status == 1
    (told,) = [line for line in run.output.splitlines() if line.startswith(options[0])]
    assert told.endswith("omit the option")
    assert "Traceback" not in run.output
    assert _classes(finished) == {"all"}
    assert finished.plan().jobs == {"rates": 1, "report": 1}
    assert finished.run("--quiet").status == 0
    assert _classes(finished) == {"bright"}


def _run_in_environment(workspace, *arguments):
    """Call Snakemake with the configuration in the environment, by a relative path."""
    workspace.save()
    environment = {"VO_CONFIG": os.path.relpath(workspace.config_file, PACKAGE_ROOT), "VO_DATABASE_URL": ""}
    words = [sys.executable, "-m", "snakemake", *map(str, arguments)]
    return subprocess.run(
        words, cwd=PACKAGE_ROOT, env=os.environ | environment, capture_output=True, text=True, check=False
    )


def test_failures_name_the_configuration_of_the_environment(workspace):
    workspace.set("observatories.demo", {"fail_fraction": 1.0})
    assert "2 of 2 sources failed" in _run_in_environment(workspace, "--cores", "2", "downloaded").stderr
    with open(workspace.product("failures.csv"), newline="") as file:
        commands = [row["retry"] for row in csv.DictReader(file)]
    assert len(commands) == 3
    assert all(f"--configfile {workspace.config_file} -- " in command for command in commands)


def test_the_report_of_snakemake_finds_the_configuration_of_the_environment(finished, tmp_path):
    made = _run_in_environment(finished, "--report", tmp_path / "report.html")
    assert made.returncode == 0, made.stderr


@pytest.mark.parametrize("options", [["--touch", "--forceall"], ["--rerun-triggers", "mtime", "--forcerun", "rates"]])
def test_options_that_change_no_meaning_are_for_use(finished, options):
    assert finished.run(*options).status == 0
    assert finished.plan().idle


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--directory", "elsewhere"], "use --config data_root=elsewhere instead"),
        (["--persistence-backend", "db"], "omit the option"),
        (["--cores", "0"], "--cores 0: must be at least 1"),
        (["--cores", "-1"], "--cores -1: must be at least 1"),
    ],
)
def test_options_with_which_a_run_could_not_end_well_are_refused(workspace, options, told):
    run = workspace.run(*options)
    assert run.status == 1
    assert told in run.output
    assert not workspace.product("rates.csv").exists()


def test_the_folder_of_the_data_root_may_be_named(finished):
    assert finished.plan("--directory", finished.data_root).idle


def test_the_width_of_bins_is_on_record_without_hooks(workspace):
    assert workspace.run("--no-hooks", "downloaded").status == 0
    workspace.set("bins.width_deg", 2)
    run = workspace.run("--no-hooks", "downloaded")
    assert run.status == 1
    assert "one data root has one width" in run.output


@pytest.mark.parametrize("around", [INCLUDED, MODULE])
def test_the_workflow_is_a_part_of_another_snakefile(tmp_path, around):
    (tmp_path / "Snakefile").write_text(around.format(root=PACKAGE_ROOT) + MINE)
    variables = os.environ | {"VO_DATA": str(tmp_path / "data"), "VO_DATABASE_URL": ""}
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "mine", "--config", "select={bins: [RA045]}"]
    run = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "data" / "DEMO_PROJECT" / "mine.txt").exists()
