"""Simulate the long life of a small project: edits, kills and damage, and what must be made again after each.

Run it from the project's folder in the activated environment:

    python benchmarks/soak.py --steps 200

Each step edits the configuration, the catalog or a copy of the code, deletes, damages or touches a product, or kills a
run. A model predicts which jobs this makes due (`tests/faults/life.py`); the dry-run must list the same jobs, and the
next run must do exactly these. At the end all products must equal those of a fresh run. It prints the table of
docs/trust.md.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:1] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "faults")]

from life import OPERATIONS, Life, stale_products  # noqa: E402
from workspace import Workspace  # noqa: E402


def main():
    """Do and print each step, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=200, help="number of steps (200)")
    parser.add_argument("--seed", type=int, default=0, help="start of the random numbers (0)")
    parser.add_argument("--folder", type=Path, help="where to work (a temporary folder)")
    arguments = parser.parse_args()
    dice, done, jobs = random.Random(arguments.seed), Counter(), Counter()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        life = Life(Workspace(folder), dice)
        for number in range(arguments.steps):
            name, begin = dice.choice(list(OPERATIONS)), time.monotonic()
            what, n_jobs = life.step(name)
            done[name], jobs[name] = done[name] + 1, jobs[name] + n_jobs
            print(f"{number:4d} {what}: {n_jobs} jobs, {time.monotonic() - begin:.0f} s", flush=True)
        stale = stale_products(life)
    print("\n| step | number | jobs that were due, claimed and done |\n| --- | --- | --- |")
    for name in OPERATIONS:
        print(f"| {name} | {done[name]} | {jobs[name]} |")
    print("other than in a fresh run:", *stale or ["nothing"])


if __name__ == "__main__":
    main()
