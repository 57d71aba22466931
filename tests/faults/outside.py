"""Trials of what comes from outside: answers of archives, catalogs and configurations, and a disk that is late.

As those of `trials`, but where a file of the user is damaged the user mends it before the same command is given again.
"""

import copy
import shutil
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from astropy.table import Table
from content import content, differences
from servers.flaky import FlakyServer
from servers.lightcurve_files import synthetic_file
from servers.mast_portal import MastServer, observation, star, target_files
from trials import DAMAGES, forget, run_again

__all__ = ["ANSWERS", "CATALOGS", "TRIALS", "WAITS", "answers", "catalog", "config", "late"]

LATE = str(Path(__file__).with_name("late"))

# How answers of each archive go wrong: nothing comes, or half of it and then nothing ("stall", "half"), or less than
# there is is announced ("lies"); for the others see the servers.
ANSWERS = {
    "ztf": ("stall", "half", "503", "html", "truncated", "reset", "lies"),
    "tess": ("stall", "half", "503", "html", "short", "reset", "empty", "truncated", "cut_part", "flipped", "foreign"),
}
CATALOGS = {"csv": "ascii.csv", "ecsv": "ascii.ecsv", "fits": "fits", "vot": "votable"}
WAITS = ("long", "short")


def late(workspace, dice, wait=None):
    """Files that jobs make appear late: before Snakemake has waited long enough, or after."""
    wait = wait or dice.choice(WAITS)
    forget(workspace)
    longest = 1.5 if wait == "long" else 4.0
    environment = {"PYTHONPATH": LATE, "LATE_S": f"{longest / 2} {longest}"}
    first = workspace.run(*(["--latency-wait", "1"] if wait == "short" else []), environment=environment)
    assert "Traceback" not in first.output, first.output
    if wait == "long":
        assert first.status == 0, first.output
    else:
        assert "latency-wait" in first.output, first.output
    time.sleep(longest)
    return [first.output, *run_again(workspace, limit=1)]


class _Ztf(FlakyServer):
    """An archive whose next answers go wrong as told."""

    def __init__(self, workspace):
        super().__init__()
        self.steps = []

    def next_behaviour(self):
        """How the next request ends."""
        self.n_requests += 1
        return self.steps.pop(0) if self.steps else "ok"

    @property
    def section(self):
        """Section of a configuration that asks it."""
        return {"url": self.url, "route": "position"}


class _Tess(MastServer):
    """An archive of lightcurve files whose next ones go wrong as told."""

    def __init__(self, workspace):
        stars, files = [], {}
        for row in Table.read(workspace.catalog, format="ascii.csv"):
            number = 100 + len(stars)
            stars.append(star(number, float(row["ra"]), float(row["dec"]), GAIAmag=float(row["mag"])))
            for sector, uri in target_files(number, (1, 2)).items():
                files[uri] = _file(number, sector)
        super().__init__(stars=stars, observations=[observation(uri) for uri in files], files=files)
        self.steps = self.behaviours["GET"]

    @property
    def section(self):
        """Section of a configuration that asks it."""
        return self.parameters


def _file(number, sector):
    """A lightcurve file of invented numbers."""
    rng = np.random.default_rng([number, sector])
    time = 1300 + 27 * sector + np.arange(40) / 72
    columns = {f"{kind}_FLUX": 1000 + 5 * rng.standard_normal(40) for kind in ("SAP", "PDCSAP")}
    return synthetic_file(time=time, keywords={"TICID": number, "SECTOR": sector}, columns=columns)


def answers(workspace, dice, survey=None, how=None):
    """Some answers of an archive go wrong; then it is well, and a project is as it would have been."""
    survey = survey or dice.choice(list(ANSWERS))
    how = how or dice.choice(ANSWERS[survey])
    folder = workspace.folder / "asking"
    folder.mkdir()
    asking = workspace.beside(folder).set("project", "asking")
    with {"ztf": _Ztf, "tess": _Tess}[survey](workspace) as server:
        section = server.section | {"retries": 0, "retry_wait_s": 0.01}
        asking.set("observatories", {survey: section})
        assert asking.run().status == 0
        expected = content(asking.data_root)
        forget(asking)
        shutil.rmtree(asking.data_root / survey.upper())
        asking.set("observatories", {survey: section | {"timeout_s": 1}})
        server.steps += [how] * dice.randint(1, 4)
        outputs = _until_all_answered(asking)
    assert differences(asking.data_root, expected) == []
    shutil.rmtree(asking.product("."))
    shutil.rmtree(asking.data_root / survey.upper())
    return outputs


def _until_all_answered(workspace, limit=5):
    """Give the plain command until no source lacks an answer; each run says how many do and where their reasons are."""
    outputs, failures = [], workspace.product("failures.csv")
    for _ in range(limit):
        outputs += run_again(workspace)
        if not failures.exists():
            return outputs
        assert "failures.csv" in outputs[-1], outputs[-1]
        assert "Traceback" not in failures.read_text()
    raise AssertionError(f"no answers after {limit} runs:\n{outputs[-1]}")


def catalog(workspace, dice, damage=None, kind=None):
    """The catalog is damaged, and mended when a run says so."""
    damage, kind = damage or dice.choice(list(DAMAGES)), kind or dice.choice(list(CATALOGS))
    file, original = workspace.folder / f"catalog.{kind}", workspace.catalog
    Table.read(original, format="ascii.csv").write(file, format=CATALOGS[kind], overwrite=True)
    intact = original.read_bytes()
    workspace.set("catalog.file", str(file))
    with _archives_kept(workspace):
        whole = file.read_bytes()
        file.write_bytes(DAMAGES[damage](whole, dice))
        outputs = _refused(workspace, file.name)
        file.write_bytes(whole)
        outputs += run_again(workspace, limit=1)
        original.write_bytes(intact)
        workspace.set("catalog.file", str(original))
        return [*outputs, *run_again(workspace, limit=1)]


def config(workspace, dice, damage=None):
    """The configuration is damaged behind the line of the data root, and mended when a run says so."""
    damage = damage or dice.choice(list(DAMAGES))
    workspace.config = {"data_root": workspace.config["data_root"]} | workspace.config
    workspace.save()
    head, end, rest = workspace.config_file.read_bytes().partition(b"\n")
    with _archives_kept(workspace):
        bad = DAMAGES[damage](rest, dice)
        workspace.config_file.write_bytes(head + end + bad if damage in ("flipped", "truncated") else bad)
        as_it_is = copy.copy(workspace)
        as_it_is.save = lambda: None
        return [*_refused(as_it_is, ""), *run_again(workspace, limit=1)]


def _refused(workspace, name):
    """Run with a damaged input: refused with one line that names the file, unless it still is a valid one."""
    run = workspace.run()
    assert "Traceback" not in run.output, run.output
    if run.status != 0:
        assert run.errors, run.output
        assert name in run.output, run.output
    return [run.output]


@contextmanager
def _archives_kept(workspace):
    """Take away what a damaged input that still is a valid one adds to the data root, for that stays by design."""
    before, copies = _files(workspace.data_root), workspace.folder / "archives"
    shutil.copytree(workspace.data_root / "DEMO", copies)
    yield
    for path in _files(workspace.data_root) - before:
        path.unlink()
    shutil.copytree(copies, workspace.data_root / "DEMO", dirs_exist_ok=True)


def _files(data_root):
    """Files of projects and archives."""
    return {path for path in data_root.rglob("*") if path.is_file() and "database" not in path.parts}


TRIALS = {
    "late": (late, "files appear late, before or after Snakemake has waited for them"),
    "answers": (answers, "answers of an archive stall, stop, lie about their length, are cut, foreign or damaged"),
    "catalog": (catalog, "a flipped bit, or a cut, empty or foreign catalog of some format"),
    "config": (config, "a flipped bit, or a cut, empty or foreign configuration"),
}
