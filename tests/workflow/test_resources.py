"""What jobs ask a cluster for."""

import re

import pytest
from workspace import Workspace

JOB = re.compile(r"rule (\w+):\n(?:    .*\n)*?    wildcards: (.*)\n    resources: (.*)\n")
PROJECT_JOB = re.compile(r"Job \d+: (\w+) of all bins: .* \((\d+) MB, (\d+) min\)\n")
BINS = {"RA045": 10, "RA123": 200}


@pytest.fixture
def workspace(tmp_path):
    """A project whose archives are there, of a small and a large bin."""
    made = Workspace(tmp_path)
    rows = [f"s{name}{i},{name[2:]}.5,{-30 + i / 3:.3f}" for name, number in BINS.items() for i in range(number)]
    made.catalog.write_text("\n".join(["name,ra,dec", *rows]))
    assert made.run("downloaded").status == 0
    return made


def asked(workspace, *arguments):
    """Memory [MB] and time [min] of the jobs of a dry-run, by rule and bin, or rule alone."""
    output = workspace.plan(*arguments).output
    found = {(rule,): (int(memory), int(time)) for rule, memory, time in PROJECT_JOB.findall(output)}
    for rule, names, resources in JOB.findall(output):
        amounts = dict(item.split("=") for item in resources.split(", "))
        found[rule, *re.findall(r"bin=(\w+)", names)] = int(amounts["mem_mb"]), int(amounts["runtime"])
    return found


def test_memory_and_time_grow_with_the_bin_each_attempt_and_a_search_for_periods(workspace):
    first, second = asked(workspace), asked(workspace, "--attempt", "2")
    # Two bins, each reduced and analysed, and six jobs of the project.
    assert len(first) == 10
    for rule in ("reduce", "analyze"):
        small, large = first[rule, "RA045"], first[rule, "RA123"]
        assert large[0] > small[0] > 500
        assert large[1] >= small[1] >= 1
    for job, (memory, time) in first.items():
        assert second[job] == (pytest.approx(2 * memory, abs=1), pytest.approx(2 * time, abs=1))
    (workspace.folder / "periods").mkdir()
    periods = asked(workspace.beside(workspace.folder / "periods").set("periods.ranges", ["days"]))
    assert periods["analyze", "RA123"][1] > first["analyze", "RA123"][1]
