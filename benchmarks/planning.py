"""Measure the cost of planning 360 bins in three surveys: beyond that of Snakemake itself, and with nothing to do.

Run it from the project's folder in the activated environment:

    python benchmarks/planning.py [--sources 1280000] [--pairs 5]

Dry-runs of all 2,527 jobs for a large catalog alternate with dry-runs of benchmarks/plain.smk, a workflow of the same
jobs without this library. Then a project with two sources in each bin is run on one core, which takes minutes, and
again with nothing left to do. The surveys are the simulated one under three names.
"""

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml

ROOT = Path(__file__).resolve().parent.parent

spec = importlib.util.spec_from_file_location("benchmark_catalog", Path(__file__).with_name("catalog.py"))
catalog = importlib.util.module_from_spec(spec)
spec.loader.exec_module(catalog)

SURVEYS = """
import numpy as np

from vo_lib.observatories.demo import FILTERS, VirtualDemo


class Renamed(VirtualDemo):
    def standardise(self, data, altdata):
        columns = super().standardise(data, altdata)
        return columns | {"filter": np.char.replace(columns["filter"], "demo", self.name.lower())}


class DemoB(Renamed):
    name, filters = "DEMO_B", tuple(f"demo_b-{code}" for code in FILTERS)


class DemoC(Renamed):
    name, filters = "DEMO_C", tuple(f"demo_c-{code}" for code in FILTERS)
"""


def snakemake(folder, *arguments):
    """Run Snakemake; return its output, wall time [s] and processor time without that of jobs [s]."""
    command = [sys.executable, "-m", "snakemake", "--cores", "1"]
    command += ["--workflow-profile", str(ROOT / "workflow" / "profiles" / "default"), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    begin = time.perf_counter()
    with open(folder / "output.txt", "w+") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = 0
        output.seek(0)
        text = output.read()
    if status:
        sys.exit(text[-3000:])
    return text, time.perf_counter() - begin, used.ru_utime + used.ru_stime


def configure(folder, n_sources, **changes):
    """Write the catalog and configuration of a project in three surveys; return the arguments of Snakemake."""
    sources, file = folder / f"{n_sources}.csv", folder / f"{len(list(folder.glob('*.yaml')))}.yaml"
    if not sources.exists():
        catalog.write_catalog(sources, n_sources)
    survey = {"epochs_per_filter": 30}
    own = {f"demo_{name}": survey | {"class": f"three_surveys:Demo{name.upper()}"} for name in "bc"}
    config = {"project": "planning", "data_root": str(folder / f"data{n_sources}"), "catalog": {"file": str(sources)}}
    file.write_text(yaml.safe_dump(config | {"observatories": {"demo": survey} | own} | changes))
    return "--configfile", file


def show(what, times, digits=2):
    """Print a row of the table: median and range of one or more times [s]."""
    low, median, high = (f"{value:.{digits}f}" for value in (min(times), statistics.median(times), max(times)))
    print(f"| {what} | {median} s{f' ({low} to {high})' if len(times) > 1 else ''} |", flush=True)


def job_counts(text):
    """Return the table of jobs by rule that a dry-run prints at its end."""
    return text.rpartition("Job stats:")[2].partition("\n\n")[0]


def compare(folder, n_sources, pairs):
    """Compare, in turn, dry-runs of the workflow, of the plain one, and of that with the same garbage collection."""
    ours = "--dry-run", *configure(folder, n_sources)
    plain = "--dry-run", "--snakefile", ROOT / "benchmarks" / "plain.smk"
    plain += "--config", f"data_root={folder / 'plain'}", "freeze="
    frozen = *plain[:-1], "freeze=true"
    text, _, cpu = snakemake(folder, *ours)
    if job_counts(text) != job_counts(snakemake(folder, *plain)[0]):
        sys.exit("benchmarks/plain.smk has other jobs than the workflow")
    show(f"first dry-run with {n_sources:,} sources, which reads the catalog", [cpu], 1)
    times = np.array([[snakemake(folder, *each)[2] for each in (ours, plain, frozen)] for _ in range(pairs)])
    show("dry-run of this workflow", times[:, 0])
    show("dry-run of the plain one", times[:, 1])
    show("beside the plain one", times[:, 0] - times[:, 1])
    show("beside the plain one with garbage collected as here", times[:, 0] - times[:, 2])


def rest(folder, repeats):
    """Measure a run of all jobs, then runs with nothing to do and dry-runs after a change of the threshold."""
    done = configure(folder, 720)
    changed = "--dry-run", *configure(folder, 720, finder={"snr_threshold": 6})
    _, wall, cpu = snakemake(folder, *done)
    show("run of all jobs, wall time", [wall], 0)
    show("run of all jobs, processor time of Snakemake and clients of jobs", [cpu], 0)
    for what, arguments in {"nothing to do": done, "dry-run after a change of the threshold": changed}.items():
        _, walls, cpus = zip(*(snakemake(folder, *arguments) for _ in range(repeats)), strict=True)
        show(f"{what}, wall time", walls, 1)
        show(f"{what}, processor time", cpus, 1)


def main():
    """Print the figures as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=int, default=1_280_000)
    parser.add_argument("--pairs", type=int, default=5)
    arguments = parser.parse_args()
    print("| what | time |\n| --- | --- |")
    with tempfile.TemporaryDirectory(prefix="vo-benchmark-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "three_surveys.py").write_text(SURVEYS)
        compare(folder, arguments.sources, arguments.pairs)
        rest(folder, arguments.pairs)


if __name__ == "__main__":
    main()
