"""How often Snakemake plans, what it starts first, and what goes on meanwhile."""

import re
import subprocess
import sys

import psutil
import pytest

ROUND = "Resources before job selection"


def test_jobs_are_planned_when_one_ends_and_not_again_each_second(workspace):
    workspace.catalog.write_text("name,ra,dec\n" + "".join(f"s{place},{place}.5,10\n" for place in range(30)))
    run = workspace.run("downloaded", "--verbose")
    assert run.status == 0
    # Once at the beginning, and once when a job ends or several do.
    assert 2 < run.output.count(ROUND) <= sum(run.jobs.values()) + 3


def test_the_longest_jobs_of_a_project_and_what_they_need_go_first(workspace):
    run = workspace.run("--cores", "1")
    assert run.status == 0, run.output
    order = re.findall(r"^Job \d+: (\w+) of all bins", run.output, flags=re.MULTILINE)
    assert order[:2] == ["merge_histograms", "sync_database"]
    assert set(order[2:4]) == {"merge_tables", "rates"}
    assert order[4:] == ["report", "pages"]


def workers(process):
    """Number of workers that a call of Snakemake has once it plans."""
    for line in process.stdout:
        if line.startswith("Building DAG"):
            break
    commands = [child.cmdline() for child in psutil.Process(process.pid).children()]
    return sum("vo_lib.running.worker" in command for command in commands)


@pytest.mark.parametrize(("arguments", "expected"), [((), 1), (("--dry-run",), 0)])
def test_the_worker_of_a_run_loads_its_libraries_while_snakemake_plans(workspace, arguments, expected):
    with workspace.held_downloads("RA010", "RA200"):
        process = workspace.start("downloaded", *arguments)
        found = workers(process)
    process.communicate()
    assert found == expected


def test_what_needs_no_cores_starts_no_worker(workspace):
    workspace.save()
    command = [sys.executable, "-m", "snakemake", "--configfile", workspace.config_file, "--summary"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, cwd=workspace.root, text=True, **streams) as process:
        assert workers(process) == 0
        process.communicate()
    assert process.returncode == 0
