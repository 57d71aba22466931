"""What jobs ask a cluster for."""

import re
import tracemalloc
from math import inf
from types import SimpleNamespace

import numpy as np
import pytest
from make_batch import make_batch
from workspace import Workspace

from vo_lib.analysis import Analysis
from vo_lib.downloads.manifest import read_header
from vo_lib.paths import manifest_file
from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.running.runs import read_runs

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
        found[rule, *re.findall(r"bin=(\w+)", names)] = int(amounts["mem_mb"]), int(amounts.get("runtime", 0))
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


def peak_bytes(batch, num_injections):
    """Memory that the analysis of a batch with one source takes at most."""
    row = {"ra": 45.0, "dec": -30.0, "mag": 16.0}
    sources = {"name": np.unique(batch.table["source"])} | {name: np.array([value]) for name, value in row.items()}
    analysis = Analysis(simulator={"num_injections": num_injections})
    tracemalloc.start()
    try:
        analysis.analyze_photometry(sources, batch)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_an_analysis_asks_for_all_copies_of_its_lightcurves(workspace):
    few, many = (asked(workspace.set("simulator.num_injections", number)) for number in (30, 60))
    n_epochs = read_header(workspace.product("manifests/DEMO_photometry_RA123.jsonl"))["counts"]["epochs"]
    more = (many["analyze", "RA123"][0] - few["analyze", "RA123"][0]) * 1e6 / n_epochs
    batch = make_batch([5000])
    assert (peak_bytes(batch, 60) - peak_bytes(batch, 30)) / batch.n_epochs < more


def test_no_job_uses_more_memory_than_it_asks_for(workspace):
    assert workspace.run().status == 0
    limits, runs = asked(workspace, "--forceall"), read_runs(workspace.product(""))
    used = dict(zip(zip(runs["rule"].tolist(), runs["job"].tolist(), strict=True), runs["max_rss"], strict=True))
    found = {(rule, job.rpartition("_")[2]) if job else (rule,): memory for (rule, job), memory in used.items()}
    assert {job for job, memory in found.items() if job in limits and memory > limits[job][0]} == set()
    assert len(found.keys() & limits.keys()) == 12


def test_a_project_that_shares_large_archives_asks_for_its_own_sources(workspace, tmp_path):
    (tmp_path / "part").mkdir()
    part = workspace.beside(tmp_path / "part").set("project", "part").set("select.names", ["sRA1230"])
    whole = asked(workspace)["reduce", "RA123"]
    assert part.run("downloaded").status == 0
    assert asked(part)["reduce", "RA123"][0] < whole[0]


def test_an_analysis_asks_for_the_epochs_that_a_source_has_in_all_surveys():
    config = {"simulator": {"num_injections": 0}, "periods": {"ranges": []}}
    names = {
        "PLAN": SimpleNamespace(config=config, observatories=["DEMO", "ZTF"], folder="DEMO", saved=False),
        "find_header": lambda _: {"counts": {"ok": 1, "empty": 0, "failed": 0, "epochs": 800_000}},
        "manifest_file": manifest_file,
        "BLOCK_EPOCHS": 1_000_000,
        "inf": inf,
    }
    exec((PACKAGE_ROOT / "workflow/rules/resources.smk").read_text(), names)
    assert names["analyzed_epochs"](SimpleNamespace(bin="RA000", keys=lambda: ["bin"])) == pytest.approx(1.6, rel=1e-3)
