"""Measure the cost of runs of different sizes, and predict that of larger ones.

Run it from the project's folder in the activated environment:

    python benchmarks/scale.py fit       # run several sizes (minutes), and fit the tables of vo_lib/planning/cost.py
    python benchmarks/scale.py check     # run larger sizes (a quarter of an hour), and compare with these tables
    python benchmarks/scale.py predict   # print the table of docs/scale.md

Runs are of the simulated survey, as in benchmarks/workflow.py, with the embedded database and the report. The pauses
between seasons start a new lightcurve in some runs and not in others, so that sources have many lightcurves or few.
"""

import argparse
import importlib.util
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from scipy.optimize import nnls

ROOT = Path(__file__).resolve().parent.parent
sys.path[:1] = [str(ROOT)]

from vo_lib.planning import cost  # noqa: E402
from vo_lib.reduction.reduced import ReducedFile  # noqa: E402
from vo_lib.running.runs import read_runs  # noqa: E402

spec = importlib.util.spec_from_file_location("benchmark_workflow", Path(__file__).with_name("workflow.py"))
workflow = importlib.util.module_from_spec(spec)
spec.loader.exec_module(workflow)

# Sources, bins, epochs of each source, and the pause that starts a new lightcurve [days].
FITTED = ((50, 5, 100, 60), (500, 5, 100, 60), (500, 5, 100, 9999), (100, 5, 1500, 60), (100, 5, 1500, 9999))
FITTED += ((60, 60, 100, 60), (300, 60, 300, 60), (2000, 10, 60, 9999))
# Bins of up to three million epochs, to which memory is fitted too.
LARGE_BINS = ((1000, 1, 100, 60), (3000, 1, 300, 60), (100, 1, 10_000, 9999), (10_000, 1, 100, 60), (8000, 1, 375, 60))
CHECKED = ((1000, 10, 100, 60), (1000, 340, 100, 60), (10000, 100, 100, 60), (100_000, 360, 100, 60))
# Sizes on which the cost of a rule depends, by default OF_PROJECT; pages are made for the best sources only.
OF_PROJECT = ("run", "bin", "source", "lightcurve")
OF_ONE_BIN = ("run", "source", "lightcurve", "epoch")
OF_RULE = dict.fromkeys(("download", "reduce"), ("file", "source", "lightcurve", "epoch"))
OF_RULE |= {"analyze": ("bin", "source", "lightcurve", "epoch"), "pages": ("run", "bin")}
# Surveys of the predictions: epochs and lightcurves of a source, requests and seconds for each.
SURVEYS = {
    "ZTF": (1000, 12, 1, 1.0),
    "TESS": (40_000, 3, 3, 2.0),
    "Gaia": (150, 3, 1, 0.5),
}
PREDICTED = (("white dwarfs", 1_280_000, 360), ("all stars", 100_000_000, 36_000))
CORES = (2, 64, 4000)


@dataclass(frozen=True)
class Run:
    """A measured run: sizes, processor time [s] and memory of a job [MB] by rule, disk by kind [MB], wall time [s]."""

    sizes: cost.Sizes
    seconds: dict
    memory: dict
    disk: dict
    wall: float


def measure(n_sources, n_bins, epochs, gap_days, cores):
    """Run the workflow once."""
    with tempfile.TemporaryDirectory(prefix="vo-benchmark-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        workflow.write_catalog(folder / "catalog.csv", n_sources, n_bins)
        survey = {"epochs_per_filter": max(1, round(epochs / workflow.FILTERS)), "hole_radius_deg": 0}
        config = {"project": "benchmark", "data_root": str(folder / "data"), "reduce": {"gap_days": gap_days}}
        config |= {"catalog": {"file": str(folder / "catalog.csv")}, "observatories": {"demo": survey}}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        wall = workflow.snakemake(folder, cores)[0]
        project = folder / "data" / "BENCHMARK"
        counts = np.zeros(2, np.int64)
        for path in project.glob("*_reduced.h5"):
            with ReducedFile(path) as file:
                counts += len(file.index["n_epochs"]), file.index["n_epochs"].sum()
        runs = read_runs(project)
        of_rule = {rule: runs["rule"] == rule for rule in cost.SECONDS}
        disk = {
            kind: sum(path.stat().st_blocks * 512 for path in (folder / "data").glob(pattern) if path.is_file()) / 1e6
            for kind, pattern in workflow.KINDS.items()
        }
        return Run(
            cost.Sizes(n_bins, n_bins, n_sources, *counts.tolist()),
            {rule: runs["cpu_time"][mask].sum() for rule, mask in of_rule.items()},
            {rule: runs["max_rss"][of_rule[rule]].max() for rule in cost.PER_BIN},
            disk,
            wall,
        )


def fit(amounts, sizes, units):
    """Fit non-negative coefficients by least squares of the relative errors."""
    used = [part in units for part in cost.PARTS]
    design = np.array([each.parts for each in sizes], float)[:, used]
    scale = design.max(axis=0)
    found = np.zeros(len(cost.PARTS))
    found[used] = nnls(design / scale / np.array(amounts)[:, None], np.ones(len(amounts)))[0] / scale
    return tuple(float(f"{value:.3g}") for value in found)


def fit_all(runs, cores):
    """Fit and print the tables of vo_lib/planning/cost.py, from runs of `FITTED` and then of `LARGE_BINS`."""
    one_bin = [run.sizes.per_bin() for run in runs]
    memory = {}
    for rule in cost.PER_BIN:
        rest = [run.memory[rule] - cost.hdf5_cache(rule, each) for run, each in zip(runs, one_bin, strict=True)]
        memory[rule] = fit(rest, [each.of_job(rule) for each in one_bin], OF_ONE_BIN)
    runs = runs[: len(FITTED)]
    sizes = [run.sizes for run in runs]
    seconds = {
        rule: fit([run.seconds[rule] for run in runs], sizes, OF_RULE.get(rule, OF_PROJECT)) for rule in cost.SECONDS
    }
    disk = {kind: fit([run.disk[kind] for run in runs], sizes, (*OF_PROJECT, "epoch")) for kind in runs[0].disk}
    for name, table in (("SECONDS", seconds), ("MEMORY", memory), ("DISK", disk)):
        print(f"{name} = {{")
        for key, values in table.items():
            print(f'    "{key}": ({", ".join(f"{value:g}" for value in values)}),')
        print("}")
    cost.SECONDS.update(seconds)

    cost.SNAKEMAKE.update(start=0.0, beside=0.0)
    rest = [run.wall - cost.wall_time(run.seconds, run.sizes, cores) for run in runs]
    beside, start = np.polyfit([run.sizes.n_jobs / cores for run in runs], rest, 1)
    print(f'SNAKEMAKE["start"], SNAKEMAKE["beside"] = {start:.3g}, {beside:.3g}')


def check(runs, cores):
    """Print the measured and predicted costs of runs."""
    print("| sources, bins, epochs | quantity | measured | predicted | ratio |\n| --- | --- | --- | --- | --- |")
    for run in runs:
        name = f"{run.sizes.sources:,}, {run.sizes.bins}, {run.sizes.epochs:,}"
        seconds = {rule: cost.amount(values, run.sizes) for rule, values in cost.SECONDS.items()}
        rows = {"wall time [s]": (run.wall, cost.wall_time(seconds, run.sizes, cores))}
        rows["processor time [s]"] = sum(run.seconds.values()), sum(seconds.values())
        rows["disk [MB]"] = sum(run.disk.values()), sum(cost.disk(run.sizes).values())
        rows["memory of a job of a bin [MB]"] = (
            max(run.memory[rule] for rule in cost.PER_BIN),
            max(cost.memory(run.sizes.per_bin()).values()),
        )
        for what, (measured, predicted) in rows.items():
            print(f"| {name} | {what} | {measured:.3g} | {predicted:.3g} | {predicted / measured:.2f} |")


def predict():
    """Print the predicted cost of large catalogs."""
    print("| catalog | bins | requests | processor time | disk | database |", *(f"{n} cores |" for n in CORES))
    print("| --- |" + " --- |" * (5 + len(CORES)))
    for name, n_sources, n_bins in PREDICTED:
        epochs, lightcurves, requests, _ = (n_sources * sum(values) for values in zip(*SURVEYS.values(), strict=True))
        sizes = cost.Sizes(n_bins * len(SURVEYS), n_bins, n_sources * len(SURVEYS), lightcurves, epochs)
        seconds = {rule: cost.amount(values, sizes) for rule, values in cost.SECONDS.items()}
        disk = {kind: megabytes / 1e6 for kind, megabytes in cost.disk(sizes).items()}
        files = sum(disk.values()) - disk["database"]
        walls = (cost.wall_time(seconds, sizes, cores) / 3600 for cores in CORES)
        cells = [f"{n_sources / 1e6:.3g} M {name}", f"{n_bins:,}", f"{requests / 1e6:.3g} M"]
        cells += [f"{rounded(sum(seconds.values()) / 3600)} h", f"{rounded(files)} TB"]
        cells += [f"{rounded(disk['database'])} TB", *(f"{rounded(hours)} h" for hours in walls)]
        print("|", " | ".join(cells), "|")


def rounded(value):
    """Format a number with two significant digits, without an exponent."""
    return f"{float(f'{value:.2g}'):,g}"


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("fit", "check", "predict"))
    parser.add_argument("--cores", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.what == "predict":
        predict()
        return
    chosen, print_them = (FITTED + LARGE_BINS, fit_all) if arguments.what == "fit" else (CHECKED, check)
    print_them([measure(*size, arguments.cores) for size in chosen], arguments.cores)


if __name__ == "__main__":
    main()
