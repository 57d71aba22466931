"""The demo on a SLURM of two nodes, one of which fails on the way."""

import json
import re
import shlex
import shutil
import subprocess
import time

import h5py
import numpy as np
import pytest
import yaml
from cluster.slurm import NODES, Slurm, why_not
from workspace import Workspace

from vo_lib.provenance import PACKAGE_ROOT

pytestmark = pytest.mark.slurm
PROFILE = "workflow/profiles/slurm"
PAGE = (PACKAGE_ROOT / "docs" / "howto" / "slurm.md").read_text()
# One core for each job, as the profile has it, and two bins for each, so that both nodes have work.
QUICK = ["--cores", "1", "--group-components", "bins=2", "project=2", "--slurm-init-seconds-before-status-checks", "2"]
QUICK += ["--slurm-keep-successful-logs"]


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    pytest.importorskip("snakemake_executor_plugin_slurm", reason="needs the extra: pip install 'vo-lib[slurm]'")
    if reason := why_not():
        pytest.skip(reason)
    with Slurm(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


def demo(folder):
    """A part of the demo in a workspace of its own."""
    folder.mkdir()
    return (
        Workspace(folder)
        .set("catalog.file", "catalogs/demo.csv")
        .set("select.bins", ["RA045", "RA123", "RA210", "RA300"])
    )


def jobs(state):
    """Number, node and comment of the jobs of the cluster that are in a state."""
    command = ["squeue", "--noheader", "--states", state, "--format", "%i|%N|%k"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.split("|") for line in answer.stdout.splitlines()]


def wait_for(condition, seconds=60):
    """First true value of a condition."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def products(workspace):
    """All that a project found: tables and datasets by file and name, and the number of rows in the database."""
    folder = workspace.product("")
    found = {path.name: path.read_bytes() for kind in ("nc", "csv") for path in folder.glob(f"*.{kind}")}
    for path in folder.glob("*.h5"):
        with h5py.File(path) as file:
            found |= {f"{path.name}/{name}": np.asarray(dataset[()]).tobytes() for name, dataset in file.items()}
    return found | {"rows": json.loads((folder / "database.json").read_text())["rows"]}


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """Products of a local run."""
    local = demo(tmp_path_factory.mktemp("here") / "local")
    assert local.run().status == 0
    return products(local)


def test_when_a_node_fails_the_products_are_those_of_a_local_run(slurm, expected, tmp_path):
    remote = demo(tmp_path / "slurm")
    with remote.start("--profile", PROFILE, *QUICK, "--latency-wait", "10") as run:
        wait_for(lambda: list(remote.product("").glob("*_reduced.h5")))
        (_, node, comment), (_, other, _) = jobs("RUNNING")
        slurm.kill(node)
        output, _ = run.communicate()
    assert run.returncode == 0, output
    assert (comment, {node, other}) == ("rule_bins_analyze_reduce", set(NODES))
    assert [failed[1] for failed in jobs("NODE_FAIL")] == [node]
    assert "Trying to restart job" in output
    # Two of the bins, one of them twice, and one of the project.
    assert len(jobs("COMPLETED")) == 3
    assert products(remote) == expected
    # This SLURM binds no job to its core, and all of the host are seen.
    logs = "".join(path.read_text() for path in remote.data_root.rglob("slurm_logs/**/*.log"))
    assert set(re.findall(r"^Provided cores: (\d+)", logs, flags=re.MULTILINE)) == {"1"}


def test_a_bin_that_fails_is_named_and_not_the_others_of_its_group(slurm, expected, tmp_path):
    remote = demo(tmp_path / "slurm")
    assert remote.run("downloaded").status == 0
    archive = remote.data_root / "DEMO" / "DEMO_photometry_RA123.h5"
    content = bytearray(archive.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = bytes(2000)
    archive.write_bytes(content)
    run = remote.run("--profile", PROFILE, *QUICK, "--retries", "0", "--latency-wait", "10")
    assert run.status != 0
    failed = re.search(r"^(\d+ jobs? failed:\n(?:  .+\n)+)", run.output, flags=re.MULTILINE)[1]
    assert re.fullmatch(r"1 job failed:\n  reduce/DEMO_RA123: .+ is kept as .+\n", failed)
    assert remote.run("--profile", PROFILE, *QUICK, "--latency-wait", "10").status == 0
    assert products(remote) == expected


def pbs_profile(folder):
    """The profile for PBS as the page has it."""
    lines = re.findall(r"^    ((?:executor|cluster-generic-).+)$", PAGE, flags=re.MULTILINE)
    slurm = yaml.safe_load((PACKAGE_ROOT / PROFILE / "config.yaml").read_text())
    kept = {key: value for key, value in slurm.items() if not key.startswith("slurm-")}
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(kept | yaml.safe_load("\n".join(lines))))
    return folder


def test_a_scheduler_that_speaks_pbs_makes_the_products_of_a_local_run(slurm, expected, tmp_path):
    pytest.importorskip("snakemake_executor_plugin_cluster_generic", reason="make slurm installs it")
    if not shutil.which("qsub"):
        pytest.skip("needs qsub (Debian package slurm-wlm-torque)")
    remote = demo(tmp_path / "pbs")
    before = {number for number, *_ in jobs("all")}
    run = remote.run("--profile", pbs_profile(tmp_path / "profile"), "--cores", "1", "--latency-wait", "10")
    assert run.status == 0, run.output
    assert products(remote) == expected
    asked = ["squeue", "--noheader", "--states", "all", "--format", "%i|%m|%l|%T"]
    rows = [line.split("|") for line in subprocess.check_output(asked, text=True).splitlines()]
    # A job that asks for nothing gets the 4000 MB of its node, and the hour of its partition.
    own = [
        (int(memory.rstrip("M")) < 4000, time, state) for number, memory, time, state in rows if number not in before
    ]
    assert sorted(own) == [(True, "16:00", "COMPLETED"), (True, "55:00", "COMPLETED")]
    assert len(list(remote.data_root.glob("snakejob.*.o*"))) == 2


def test_a_whole_run_is_one_job(slurm, tmp_path):
    command = re.search(r"^    (sbatch .+)$", PAGE, flags=re.MULTILINE)[1]
    workspace = demo(tmp_path / "whole")
    workspace.save()
    smaller = {
        "=32": "=1",
        "--mem=64G": "--mem=1G",
        "12:00:00": "10",
        "cores 32": f"cores 1 -n --configfile {workspace.config_file}",
    }
    for large, small in smaller.items():
        assert large in command
        command = command.replace(large, small)
    output = tmp_path / "output"
    subprocess.run([*shlex.split(command), "--output", output], cwd=PACKAGE_ROOT, check=True)
    wait_for(lambda: output.exists() and "Job stats" in output.read_text())
    [refused] = re.findall(r"`(sbatch --test-only .+?)`", PAGE)
    said = subprocess.run([*shlex.split(refused), "--partition=none"], capture_output=True, text=True)
    assert "invalid partition" in said.stderr
