"""Measure the waiting times of a user: the demo, a run with nothing to do, a dry-run, and the fixed cost of jobs.

Run it from the project's folder in the activated environment:

    python benchmarks/start.py

It works in a temporary folder and prints medians and ranges of whole-process wall times.
"""

import platform
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
PER_BIN_RULES = ("download", "reduce", "analyze")


def seconds(command, **options):
    """Measure the wall time of a command, which must succeed [s]."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    return time.perf_counter() - start


def report(label, times):
    """Print a line of the table."""
    print(f"{label:44s} {statistics.median(times):6.2f} s   ({min(times):.2f} to {max(times):.2f}, {len(times)} runs)")


def snakemake(folder, **changes):
    """Return the command that runs the demo's configuration with some changes and `folder` as data root."""
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text()) | {"data_root": str(folder)} | changes
    file = folder.parent / f"config{len(list(folder.parent.glob('config*')))}.yaml"
    file.write_text(yaml.safe_dump(config))
    return [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", str(file)]


def workflow(folder, repeats=3):
    """Measure the demo, a run with nothing to do, and dry-runs."""
    demo, first = snakemake(folder), []
    for _ in range(repeats):
        shutil.rmtree(folder, ignore_errors=True)
        first.append(seconds(demo, cwd=ROOT))
    report("demo, first run", first)
    report("demo, nothing to be done", [seconds(demo, cwd=ROOT) for _ in range(repeats)])
    changed = [*snakemake(folder, finder={"snr_threshold": 6}), "--dry-run"]
    report("dry-run after a change of the threshold", [seconds(changed, cwd=ROOT) for _ in range(repeats)])
    shutil.rmtree(folder)
    report("dry-run of all jobs", [seconds([*demo, "--dry-run"], cwd=ROOT) for _ in range(repeats)])


def job_command(log):
    """Return the command that repeats a job, from its log."""
    return shlex.split(re.search(r"INFO run (.*)", log.read_text())[1])


def jobs(folder, repeats=5):
    """Measure the wall time of the jobs of a bin with one source without data: the fixed cost of a job."""
    catalog = folder.parent / "empty.csv"
    catalog.write_text("name,ra,dec\nno data,10.5,20\n")
    empty = {
        "catalog": {"file": str(catalog)},
        "observatories": {"demo": {"empty_fraction": 1}},
        "project": "fixed_cost",
    }
    subprocess.run(
        snakemake(folder, **empty), cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    for rule in PER_BIN_RULES:
        log = next((folder / "FIXED_COST" / "logs" / rule).glob("*RA010.log"))
        command = job_command(log)
        report(f"fixed cost of a {rule} job", [seconds(command, cwd=folder) for _ in range(repeats)])
    bare = [sys.executable, "-c", "import numpy, h5py"]
    report("python with numpy and h5py, for comparison", [seconds(bare) for _ in range(repeats)])


def main():
    """Print the table."""
    print(f"Python {platform.python_version()}, {platform.machine()}, {platform.system()}")
    with tempfile.TemporaryDirectory() as folder:
        workflow(Path(folder) / "data")
        jobs(Path(folder) / "data")


if __name__ == "__main__":
    main()
