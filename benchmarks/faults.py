"""Kill, damage, fill and crowd runs of the workflow at random, and count what is lost.

Run it from the project's folder in the activated environment:

    python benchmarks/faults.py --trials 200 --seconds 180

Each trial starts from the products of an undisturbed run of a small project, does something bad, gives the plain
command until it succeeds, and compares all products and the rows of the database. Then eight processes work on one
data root for so many seconds. It prints the table of docs/trust.md; trials with a disk of their own need root.
"""

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:1] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "faults")]

import hammer  # noqa: E402
import trials  # noqa: E402
from content import content, differences, rows  # noqa: E402
from workspace import Workspace  # noqa: E402

# Those with many cases come more often.
TURNS = ("killed", "damaged", "killed", "damaged", "disk_full", "killed", "damaged", "read_only", "killed", "damaged")
TURNS += ("clock_set_back", "two_users")


class Trials:
    """Trials that share an undisturbed run.

    Parameters
    ----------
    folder : Path
        Folder of its own, on a disk with 50 MB for the run and as much for a trial.
    """

    def __init__(self, folder):
        self.first = Workspace(folder / "undisturbed")
        self.first.folder.mkdir()
        self.first.catalog.write_text("name,ra,dec,mag\na,10.2,20,15\nb,10.7,-5,16\nc,200.5,1,17\n")
        done = self.first.run()
        assert done.status == 0, done.output
        self.content, self.rows = content(self.first.data_root), rows(self.first.data_root)

    def fresh(self, name):
        """Workspace with a copy of the data root."""
        folder = self.first.folder.with_name(name)
        folder.mkdir()
        made = self.first.beside(folder)
        made.data_root = folder / "data"
        made.set("data_root", str(made.data_root))
        subprocess.run(["cp", "-a", self.first.data_root, made.data_root], check=True)
        return made

    def run(self, name, number, **choices):
        """Do one trial; gives the number of products that differ and of rows that are missing, and all outputs.

        Rows of other projects may be more.
        """
        made = self.fresh(f"{name}-{number}")
        try:
            outputs = getattr(trials, name)(made, random.Random(f"{name} {number}"), **choices)
            other = differences(made.data_root, self.content)
            found = rows(made.data_root)
            missing = [table for table, count in self.rows.items() if found[table] < count]
            return other, missing, outputs
        finally:
            shutil.rmtree(made.folder, ignore_errors=True)


def choices_of(name, dice):
    """What a trial is about: victim and rule, or damage and product."""
    if name == "killed":
        return {"victim": dice.choice(trials.VICTIMS), "rule": dice.choice(trials.RULES)}
    if name == "damaged":
        return {"damage": dice.choice([*trials.DAMAGES]), "product": dice.choice([*trials.PRODUCTS])}
    return {}


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=200, help="number of trials (200)")
    parser.add_argument("--seconds", type=float, default=180.0, help="time that eight processes work at once [s] (180)")
    parser.add_argument("--folder", type=Path, help="where to work (a temporary folder)")
    parser.add_argument("--start", type=int, default=0, help="number of the first trial (0)")
    arguments = parser.parse_args()
    done, good, lost = Counter(), Counter(), Counter()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        shared, turns = Trials(Path(folder)), TURNS
        for number in range(arguments.start, arguments.start + arguments.trials):
            name = turns[number % len(turns)]
            about = choices_of(name, random.Random(str(number)))
            label, begin = " ".join([name, *about.values()]), time.monotonic()
            done[name] += 1
            try:
                other, missing, _ = shared.run(name, number, **about)
            except (AssertionError, subprocess.SubprocessError, OSError) as error:
                print(f"{number:4d} {label}: FAILED {error}", flush=True)
                continue
            good[name] += not other and not missing
            lost[name] += len(missing)
            seconds = time.monotonic() - begin
            print(f"{number:4d} {label}: {other or 'identical'} {missing or ''} {seconds:.0f} s", flush=True)
        print(
            "\n| trial | number | identical to an undisturbed run | tables that lost rows |\n| --- | --- | --- | --- |"
        )
        for name in trials.TRIALS:
            print(f"| {trials.TRIALS[name]} | {done[name]} | {good[name]} | {lost[name]} |")
        if arguments.seconds:
            made = shared.fresh("hammer")
            print(hammer.summary(hammer.hammer(made, arguments.seconds)))
            print(differences(made.data_root, shared.content) or "all products identical")


if __name__ == "__main__":
    main()
