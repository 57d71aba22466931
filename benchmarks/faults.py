"""Disturb runs of the workflow at random (kills, damage, full disks, simultaneous runs), and count what is lost.

Run it from the project's folder in the activated environment:

    python benchmarks/faults.py --trials 200 --seconds 180

Each trial starts from the products of an undisturbed run of a small project, does some damage, repeats the plain
command until it succeeds, and compares all products and the rows of the database. Then eight processes work on one
data root for the given number of seconds. A line is printed for each trial, and at the end, even if stopped, the table
of docs/trust.md. Trials that need a disk of their own need root.
"""

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:1] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "faults")]

import hammer  # noqa: E402
import outside  # noqa: E402
import trials  # noqa: E402
from content import content, differences, rows  # noqa: E402
from workspace import Workspace  # noqa: E402

TRIALS = trials.TRIALS | outside.TRIALS
# Kinds with many cases are more frequent.
TURNS = ("killed", "damaged", "answers", "catalog", "killed", "damaged", "disk_full", "config", "killed", "late")
TURNS += ("damaged", "answers", "read_only", "catalog", "killed", "damaged", "clock_set_back", "config", "two_users")


class Trials:
    """Trials that share an undisturbed run.

    Parameters
    ----------
    folder : Path
        An empty folder, on a disk with 50 MB for the run and as much for a trial.
    """

    def __init__(self, folder):
        self.first = Workspace(folder / "undisturbed")
        self.first.folder.mkdir()
        self.first.catalog.write_text("name,ra,dec,mag\na,10.2,20,15\nb,10.7,-5,16\nc,200.5,1,17\n")
        done = self.first.run()
        assert done.status == 0, done.output
        self.content, self.rows = content(self.first.data_root), rows(self.first.data_root)

    def fresh(self, name):
        """Return a workspace with a copy of the data root."""
        folder = self.first.folder.with_name(name)
        folder.mkdir()
        made = self.first.beside(folder)
        made.data_root = folder / "data"
        made.set("data_root", str(made.data_root))
        subprocess.run(["cp", "-a", self.first.data_root, made.data_root], check=True)
        return made

    def run(self, name, number, **choices):
        """Run one trial; return the products that differ, the tables that lack rows, and all outputs.

        Additional rows, of other projects, are allowed.
        """
        made = self.fresh(f"{name}-{number}")
        try:
            outputs = TRIALS[name][0](made, random.Random(f"{name} {number}"), **choices)
            other = differences(made.data_root, self.content)
            found = rows(made.data_root)
            missing = [table for table, count in self.rows.items() if found[table] < count]
            return other, missing, outputs
        finally:
            shutil.rmtree(made.folder, ignore_errors=True)


def choices_of(name, dice):
    """Choose the details of a trial, such as victim and rule, or damage and product."""
    if name == "killed":
        return {"victim": dice.choice(trials.VICTIMS), "rule": dice.choice(trials.RULES)}
    if name == "damaged":
        return {"damage": dice.choice([*trials.DAMAGES]), "product": dice.choice([*trials.PRODUCTS])}
    if name == "answers":
        survey = dice.choice([*outside.ANSWERS])
        return {"survey": survey, "how": dice.choice(outside.ANSWERS[survey])}
    if name == "catalog":
        return {"damage": dice.choice([*trials.DAMAGES]), "kind": dice.choice([*outside.CATALOGS])}
    if name == "config":
        return {"damage": dice.choice([*trials.DAMAGES])}
    return {"wait": dice.choice(outside.WAITS)} if name == "late" else {}


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=200, help="number of trials (200)")
    parser.add_argument("--seconds", type=float, default=180.0, help="time that eight processes work at once [s] (180)")
    parser.add_argument("--folder", type=Path, help="where to work (a temporary folder)")
    parser.add_argument("--start", type=int, default=0, help="number of the first trial (0)")
    parser.add_argument("--kinds", nargs="+", choices=[*TRIALS], default=TURNS, help="kinds of trials (all)")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    outcomes = {name: Counter() for name in TRIALS}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        shared = Trials(Path(folder))
        with suppress(KeyboardInterrupt):  # the table is printed even if stopped
            for number in range(arguments.start, arguments.start + arguments.trials):
                name = arguments.kinds[number % len(arguments.kinds)]
                print(f"{number:4d} {one_trial(shared, name, number, outcomes[name])}", flush=True)
            if arguments.seconds:
                made = shared.fresh("hammer")
                print(hammer.summary(hammer.hammer(made, arguments.seconds)))
                print(differences(made.data_root, shared.content) or "all products identical")
        print(table(outcomes))


def one_trial(shared, name, number, outcome):
    """Run a trial and count its outcome; return a line about it."""
    about, begin = choices_of(name, random.Random(str(number))), time.monotonic()
    label = " ".join([name, *about.values()])
    try:
        other, missing, _ = shared.run(name, number, **about)
        text = other or "identical"
    except (AssertionError, subprocess.SubprocessError, OSError) as error:
        other, missing, text = ["all"], [], f"FAILED {error}"
    outcome.update(number=1, good=int(not other and not missing), lost=len(missing))
    return f"{label}: {text} {missing or ''} {time.monotonic() - begin:.0f} s"


def table(outcomes):
    """Return the table of the kinds of trials, as in docs/trust.md."""
    lines = ["", "| trial | number | as in an undisturbed run | tables that lost rows |", "| --- | --- | --- | --- |"]
    for name, outcome in outcomes.items():
        if outcome["number"]:
            lines.append(f"| {TRIALS[name][1]} | {outcome['number']} | {outcome['good']} | {outcome['lost']} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
