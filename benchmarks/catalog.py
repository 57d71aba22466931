"""Measure the cost of a large catalog: its first and later parses, memory, and which bins a new source makes run again.

Run it from the project's folder in the activated environment:

    python benchmarks/catalog.py [--sources 1280000]
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]


def write_catalog(path, number, seed=0):
    """Write a catalog of simulated sources as CSV, evenly spread in right ascension and random otherwise."""
    rng = np.random.default_rng(seed)
    columns = {
        "ra": rng.permutation((np.arange(number) + 0.5) * 360 / number),
        "dec": np.degrees(np.arcsin(rng.uniform(-1, 1, number))),
        "pmra": rng.normal(0, 30, number),
        "pmdec": rng.normal(0, 30, number),
        "parallax": rng.exponential(5, number),
        "mag": rng.uniform(13, 21, number),
    }
    with open(path, "w", encoding="utf-8") as file:
        file.write(",".join(["name", *columns]) + "\n")
        for index, cells in enumerate(zip(*(values.tolist() for values in columns.values()), strict=True)):
            file.write(f"source{index:07d},{','.join(f'{cell:.7f}' for cell in cells)}\n")


PARSE = """
import resource, sys, time
from vo_lib.catalogs.snapshot import take_snapshot
start, cpu = time.perf_counter(), time.process_time()
take_snapshot(*sys.argv[1:])
wall, cpu = time.perf_counter() - start, time.process_time() - cpu
print(wall, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)
"""


def parse(catalog, folder):
    """Measure wall time [s], CPU time [s] and peak memory [GB] of a parse in a process of its own."""
    command = [sys.executable, "-c", PARSE, str(catalog), str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    return [float(number) for number in done.stdout.split()]


def dry_run(catalog, data_root):
    """Measure the wall time of a dry-run [s]."""
    options = [f"data_root={data_root}", f"catalog={{file: {catalog}}}", "observatories={demo: {}}"]
    command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "all", "--config", *options]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    return time.perf_counter() - start


def changed_bins(catalog, folder):
    """List the bins whose rows change when a source is appended to a catalog."""
    from vo_lib.catalogs.snapshot import take_snapshot

    before = take_snapshot(catalog, folder).bins
    with open(catalog, "a", encoding="utf-8") as file:
        file.write("one more,200.5,-10.25,0,0,1,18\n")
    after = take_snapshot(catalog, folder).bins
    return [name for name in after if name not in before or after[name][2] != before[name][2]]


def main():
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sources", type=int, default=1_280_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small, large = folder / "small.csv", folder / "large.csv"
        write_catalog(small, 360)
        write_catalog(large, arguments.sources)
        print(f"{arguments.sources:,} sources, a file of {large.stat().st_size / 1e6:.0f} MB")
        (first, cpu, memory), (later, *_) = (parse(large, folder / "snapshots") for _ in range(2))
        print(f"first parse {first:.1f} s ({cpu:.1f} s CPU) with {memory:.2f} GB, later ones {1000 * later:.0f} ms")
        new, later = {}, {}
        for catalog in (small, large):
            new[catalog], *again = (dry_run(catalog, folder / f"data_{catalog.stem}") for _ in range(4))
            later[catalog] = min(again)
        print(f"dry-run on a new data root {new[large]:.1f} s; later {later[large]:.2f} s, and")
        print(f"{later[large] - later[small]:+.2f} s beside a catalog of 360 sources in as many bins")
        print(f"bins that run again for one source more: {', '.join(changed_bins(large, folder / 'snapshots'))}")
    print(f"(peak memory of this program {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB)")


if __name__ == "__main__":
    main()
