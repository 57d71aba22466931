"""Recover the known rate of simulated surveys with the whole workflow, as a user runs it, and print Markdown.

Run it from the project's folder in the activated environment:

    python benchmarks/validate_workflow.py [--seeds 20] [--first 100] [--cores 2]

Each survey is written as a catalog and a file of epochs, which a project of its own reads with the survey ``files`` and
analyses with Snakemake, with default options except for the injected events. Everything is in a temporary folder.
"""

import argparse
import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "benchmarks")]

from make_survey import SIMULATOR, make_survey  # noqa: E402 - needs the paths
from validate_rates import COVERAGE, HEADER, TEXTS, coverage, describe, print_table  # noqa: E402

COLUMNS = ("mjd", "flux", "fluxerr", "exptime")


def rate_of_workflow(folder, survey, cores):
    """Run Snakemake on one survey as a user's own files; return its row of rates.csv."""
    write_survey(folder, survey)
    simulator = {name: list(value) if isinstance(value, tuple) else value for name, value in SIMULATOR.items()}
    columns = {"time": "mjd", "source": "source"} | {name: name for name in COLUMNS[1:]}
    files = {"path": str(folder / "epochs.csv"), "columns": columns, "units": {"flux": "uJy"}, "filter": "r"}
    files |= {"time_format": "mjd", "time_scale": "utc", "time_reference": "observatory", "time_stamp": "mid"}
    config = {"project": "known_rate", "data_root": str(folder / "data"), "simulator": simulator, "seed": survey.seed}
    config |= {"catalog": {"file": str(folder / "catalog.csv")}, "observatories": {"files": files}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "snakemake", "KNOWN_RATE/rates.csv", "--cores", str(cores)]
    subprocess.run([*command, "--configfile", str(folder / "config.yaml")], cwd=ROOT, check=True, capture_output=True)
    with open(folder / "data" / "KNOWN_RATE" / "rates.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    return {name: float(value) for name, value in row.items() if name not in TEXTS}


def write_survey(folder, survey):
    """Write the catalog of a survey, with a bin of right ascension for each part, and all its epochs in one file."""
    with (
        open(folder / "catalog.csv", "w", newline="") as catalog,
        open(folder / "epochs.csv", "w", newline="") as epochs,
    ):
        sources, table = csv.writer(catalog), csv.writer(epochs)
        sources.writerow(["name", "ra", "dec", "mag"])
        table.writerow(["source", *COLUMNS])
        for number, (_, batch) in enumerate(survey.bins):
            names = batch.table["source"].tolist()
            mag = np.median(batch.columns["mag"].reshape(len(names), -1), axis=1).tolist()
            for row, name in enumerate(names):
                sources.writerow([name, 10 + 20 * number + 0.003 * row, -0.05 * row, mag[row]])
            rows = zip(np.repeat(names, batch.counts), *(batch.columns[name].tolist() for name in COLUMNS), strict=True)
            table.writerows(rows)


def main():
    """Print the rate of each survey, and how many agree with the truth within their errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, metavar="N", help="surveys (default: 20)")
    parser.add_argument("--first", type=int, default=100, metavar="N", help="seed of the first one (default: 100)")
    parser.add_argument("--cores", type=int, default=2, metavar="N", help="jobs at a time (default: 2)")
    arguments = parser.parse_args()
    rows = []
    print_table(HEADER, [], end="")
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        survey = make_survey(seed, n_sources=300)
        with tempfile.TemporaryDirectory() as folder:
            rows.append(rate_of_workflow(Path(folder), survey, arguments.cores))
        print(f"| {' | '.join(describe(str(seed), rows[-1], survey.rate))} |", flush=True)
    print()
    print_table(COVERAGE, [coverage(rows, survey.rate)])


if __name__ == "__main__":
    main()
