"""Measure whole runs of the workflow: wall time, processor time, memory and disk, in total and by part.

Run it from the project's folder in the activated environment:

    python benchmarks/workflow.py [SOURCESxBINS ...] [--epochs 100] [--cores 2]

Each argument is a number of sources, evenly spread over a number of bins of right ascension. They are run with the
simulated survey without delay, the embedded database and the report, in a temporary folder. After the first run there
are one with nothing to do, a dry-run, and a run with a different threshold of the search. Default: 1000x10, 1000x340
(few stars all over the sky) and 10000x100.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path[:1] = [str(ROOT)]  # in place of this folder, whose modules share names with other packages

from vo_lib.running.runs import read_runs  # noqa: E402

SIZES = ("1000x10", "1000x340", "10000x100")
FILTERS = 3  # of the simulated survey
KINDS = {
    "raw": "DEMO/*.h5",
    "reduced": "BENCHMARK/*_reduced.h5",
    "analysis": "BENCHMARK/*_analysis.h5",
    "histograms": "BENCHMARK/*_histograms.nc",
    "database": "database/**/base/**/*",
    "log of the database": "database/**/pg_wal/*",
    "logs and manifests": "BENCHMARK/[lm]*/**/*",
}


def write_catalog(path, n_sources, n_bins):
    """Write a catalog with sources spread evenly over `n_bins` bins all around the sky."""
    rng = np.random.default_rng(1)
    bins = np.linspace(0, 360, n_bins, endpoint=False).astype(int)
    ra = np.resize(bins, n_sources) + rng.uniform(0.01, 0.99, n_sources)
    dec = rng.uniform(-30, 80, n_sources)
    rows = [f"S{number:06d},{a:.6f},{d:.6f}\n" for number, (a, d) in enumerate(zip(ra, dec, strict=True))]
    path.write_text("name,ra,dec\n" + "".join(rows))


def snakemake(folder, cores, *options, **changes):
    """Run the workflow; return wall time [s], processor time of Snakemake and its clients [s], and peak memory [MB]."""
    config = yaml.safe_load((folder / "config.yaml").read_text()) | changes
    file = folder / "changed.yaml"
    file.write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--configfile", str(file), *options]
    begin = time.perf_counter()
    with open(folder / "output.txt", "w") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
        _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit((folder / "output.txt").read_text()[-3000:])
    process.returncode = 0
    return time.perf_counter() - begin, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def row(what, value):
    """Print a row of the table."""
    print(f"| {what} | {value} |", flush=True)


def report_jobs(runs, wall, cores):
    """Print the cost of the jobs of a run by rule."""
    by_rule = defaultdict(list)
    for rule, *measured in zip(*(runs[name] for name in ("rule", "s", "cpu_time", "max_rss")), strict=True):
        by_rule[rule].append(measured)
    for rule, jobs in by_rule.items():
        seconds, cpu, memory = np.array(jobs).T
        used = f"{seconds.sum():.1f} s, {cpu.sum():.1f} s of processor time, at most {memory.max():.0f} MB"
        row(f"&nbsp; {rule}", f"{len(jobs)} jobs, {used}")
    n_jobs = len(runs["s"])
    overhead = (wall * cores - runs["s"].sum()) / n_jobs
    row("&nbsp; wall time of all cores outside of jobs, for each job", f"{overhead:.3f} s")


def measure(size, epochs, cores):
    """Print the table of one size."""
    n_sources, n_bins = map(int, size.split("x"))
    print(f"\n| {n_sources:,} sources in {n_bins} bins, {epochs} epochs each | |\n| --- | --- |")
    with tempfile.TemporaryDirectory(prefix="vo-benchmark-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        write_catalog(folder / "catalog.csv", n_sources, n_bins)
        config = {
            "project": "benchmark",
            "data_root": str(folder / "data"),
            "catalog": {"file": str(folder / "catalog.csv")},
            "observatories": {"demo": {"epochs_per_filter": max(1, round(epochs / FILTERS)), "hole_radius_deg": 0}},
        }
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        wall, cpu, memory = snakemake(folder, cores)
        runs = read_runs(folder / "data" / "BENCHMARK")
        row("first run", f"**{wall:.1f} s**")
        row("&nbsp; Snakemake and clients of jobs", f"{cpu:.1f} s of processor time, {memory:.0f} MB")
        report_jobs(runs, wall, cores)
        for kind, pattern in KINDS.items():
            files = [path for path in (folder / "data").glob(pattern) if path.is_file()]
            size = sum(path.stat().st_blocks * 512 for path in files)
            row(
                f"&nbsp; {kind} on disk",
                f"{len(files)} files, {size / 1e6:.1f} MB, {size / n_sources / 1e3:.1f} kB a source",
            )
        row("nothing to do", f"{snakemake(folder, cores)[0]:.1f} s")
        again = {"finder": {"snr_threshold": 6}}
        row("dry-run after a change of the threshold", f"{snakemake(folder, cores, '--dry-run', **again)[0]:.1f} s")
        changed = snakemake(folder, cores, **again)[0]
        row("run after a change of the threshold", f"{changed:.1f} s, {changed / wall:.0%} of the first")


def main():
    """Print the figures as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="*", default=SIZES, metavar="SOURCESxBINS")
    parser.add_argument("--epochs", type=int, default=100, help="of each source (default: 100)")
    parser.add_argument("--cores", type=int, default=2)
    arguments = parser.parse_args()
    print(f"Python {platform.python_version()}, {platform.machine()}, {arguments.cores} cores")
    for size in arguments.sizes:
        measure(size, arguments.epochs, arguments.cores)


if __name__ == "__main__":
    main()
