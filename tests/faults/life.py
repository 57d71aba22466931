"""A long life in miniature: a project is edited, killed, damaged and made again, beside a model of what that changes.

The model knows the stages, what each is made of and which settings, rows and files of code decide it, and nothing of
the workflow. After each step it says which jobs are due; the dry-run must say the same, and the run must do them.
"""

import os
import re
import shutil
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from content import content
from trials import DAMAGES, verify, wait_until_gone

from vo_lib import paths
from vo_lib.provenance import PACKAGE_ROOT

__all__ = ["OPERATIONS", "Life", "Model", "jobs_of", "stale_products"]

# What each stage is made of, upstream first; the first three have a job for each bin.
UPSTREAM = {
    "download": (),
    "reduce": ("download",),
    "analyze": ("reduce",),
    "merge_histograms": ("analyze",),
    "merge_tables": ("analyze",),
    "rates": ("analyze",),
    "pages": ("analyze",),
    "report": ("merge_histograms", "merge_tables", "rates"),
    "sync_database": ("merge_histograms",),
}
PER_BIN = ("download", "reduce", "analyze")

# Settings with their values and the first stage that depends on them, None where no result does.
SETTINGS = {
    "observatories.aged.release": ("download", ("dr1", "dr2")),
    "observatories.aged.epochs_per_filter": ("download", (30, 40)),
    "reduce.gap_days": ("reduce", (40, 60)),
    "finder.snr_threshold": ("analyze", (5, 6)),
    "quality.offset_threshold": ("analyze", (3.5, 4)),
    "seed": ("analyze", (0, 7)),
    "rates.classes": ("rates", ({}, {"bright": "mag < 16"})),
    "report.num_best": ("report", (2, 3)),
    "description": ("report", ("some words", "other words")),
    "download.threads": (None, (1, 2)),
    "verbosity": (None, ("normal", "quiet")),
}
CODE = {
    "vo_lib/times.py": "reduce",
    "vo_lib/finder.py": "analyze",
    "scripts/merge_tables.py": "merge_tables",
    "scripts/rates.py": "rates",
    "vo_lib/report.py": "report",
    "vo_lib/database/sync.py": "sync_database",
    "vo_lib/download.py": None,
    "vo_lib/observatories/ztf.py": None,
}
SURVEY = '''
"""The simulated survey with data releases."""

from dataclasses import dataclass

from vo_lib.observatories.demo import VirtualDemo


class Aged(VirtualDemo):
    """Each release has what was observed until then."""

    name = "AGED"

    @dataclass(frozen=True)
    class Parameters(VirtualDemo.Parameters):
        """The name of the release beside those of the demo."""

        release: str = "dr1"
'''
OBS, PROJECT = "AGED", "DEMO_PROJECT"
PLACES = (10.2, 10.7, 200.5, 300.1)  # where sources come [deg]

_JOB = re.compile(r"^(?:local)?rule (\w+):\n((?:    .*\n)+)", re.MULTILINE)
_MESSAGE = re.compile(r"^Job (\d+): (\w+) of all bins:", re.MULTILINE)
_FINISHED = re.compile(r"^Finished jobid: (\d+) ", re.MULTILINE)


def jobs_of(output):
    """Jobs that a run or dry-run names, ``(rule, bin)`` without ``all``, and those that it says are finished."""
    numbers = {number: (rule, "") for number, rule in _MESSAGE.findall(output)}
    for rule, about in _JOB.findall(output):
        bin_name = re.search(r"\bbin=(RA[\d.]+)", about)
        numbers[re.search(r"jobid: (\d+)", about)[1]] = (rule, bin_name[1] if bin_name else "")
    found = {number: job for number, job in numbers.items() if job[0] != "all"}
    return set(found.values()), {found[number] for number in _FINISHED.findall(output) if number in found}


@dataclass
class Model:
    """What decides each job now, and what decided it when its products were made.

    Parameters
    ----------
    settings : dict
        Values of `SETTINGS`.
    rows : dict of str to list
        Position and magnitude of each source.
    code : Counter
        Number of edits of the code of each stage.
    made : dict of tuple to str
        What decided each job that was done and whose products are there.
    """

    settings: dict = field(default_factory=lambda: {key: values[0] for key, (_, values) in SETTINGS.items()})
    rows: dict = field(default_factory=dict)
    code: Counter = field(default_factory=Counter)
    made: dict = field(default_factory=dict)

    @property
    def bins(self):
        """Bins with sources."""
        return sorted({f"RA{int(ra):03d}" for ra, *_ in self.rows.values()})

    @property
    def jobs(self):
        """All jobs that the project has, upstream first."""
        return [(stage, name) for stage in UPSTREAM for name in (self.bins if stage in PER_BIN else [""])]

    def upstream(self, job):
        """Jobs whose products a job reads."""
        stage, bin_name = job
        names = [bin_name] if stage in PER_BIN else self.bins
        return [(above, name) for above in UPSTREAM[stage] for name in (names if above in PER_BIN else [""])]

    def decided(self, job):
        """All that decides a job, as text."""
        stage, bin_name = job
        own = [self.settings[key] for key, (first, _) in SETTINGS.items() if first == stage] + [self.code[stage]]
        if stage == "download":
            own.append(sorted((name, *row) for name, row in self.rows.items() if f"RA{int(row[0]):03d}" == bin_name))
        return repr((own, *map(self.decided, self.upstream(job))))

    def due(self, lost=()):
        """Jobs whose products are missing, in doubt or were decided by something else."""
        return {job for job in self.jobs if job in lost or self.made.get(job) != self.decided(job)}

    def with_downstream(self, jobs):
        """Jobs, and all that read what they make."""
        found = set(jobs)
        for job in self.jobs:
            if found.intersection(self.upstream(job)):
                found.add(job)
        return found

    def done(self, jobs):
        """Note that jobs were done."""
        self.made |= {job: self.decided(job) for job in jobs}


class Life:
    """A project that lives, with its model.

    Parameters
    ----------
    workspace : Workspace
        In an empty folder; its code becomes a copy, which is edited.
    dice : random.Random
        What happens.
    """

    def __init__(self, workspace, dice):
        self.workspace, self.dice, self.model, self.number = workspace, dice, Model(), 3
        workspace.root = workspace.folder / "code"
        ignored = shutil.ignore_patterns(".*", "results", "site", "*.egg-info", "tests", "docs")
        shutil.copytree(PACKAGE_ROOT, workspace.root, ignore=ignored)
        (workspace.root / "extensions" / "aged.py").write_text(SURVEY)
        workspace.config["observatories"] = {"aged": {"class": "extensions.aged:Aged"}}
        workspace.set("download.on_change", "refetch").set("report.max_pages", 2)
        for key, value in self.model.settings.items():
            workspace.set(key, value)
        self.model.rows = {"a": [10.2, 20.0, 15.0], "b": [10.7, -5.0, 16.0], "c": [200.5, 1.0, 17.0]}
        self._write_catalog()
        self.run(self.claim())

    def step(self, operation):
        """Do an operation, compare what the dry-run says with the model, and what is done with both.

        Returns
        -------
        what : str
            What happened.
        n_jobs : int
            How many jobs were due.
        """
        what, lost, doubtful = OPERATIONS[operation](self)
        claimed = self.claim()
        least = self.model.with_downstream(self.model.due(lost)) if doubtful is None else self.model.due(lost)
        most = self.model.with_downstream(least | (doubtful or set()))
        assert least <= claimed <= most, (
            f"{what}: the dry-run lacks {sorted(least - claimed)}, and has too many: {sorted(claimed - most)}"
        )
        self.run(claimed)
        return what, len(claimed)

    def claim(self):
        """Jobs that the dry-run says are due."""
        run = self.workspace.plan()
        assert run.status == 0, run.output
        return jobs_of(run.output)[0]

    def run(self, claimed):
        """Run, which must do what was claimed."""
        run = self.workspace.run()
        assert run.status == 0, run.output
        _, finished = jobs_of(run.output)
        assert finished == claimed, f"claimed {sorted(claimed)}, done {sorted(finished)}"
        self.model.done(finished)

    def product(self, job):
        """A product of a job, below the data root."""
        stage, name = job
        raw = paths.raw_file(OBS, name, self.model.settings["observatories.aged.release"]) if name else ""
        files = {
            "download": (raw, paths.manifest_file(PROJECT, OBS, name)),
            "reduce": (paths.reduced_file(PROJECT, OBS, name),),
            "analyze": (paths.analysis_file(PROJECT, name), paths.bin_histograms_file(PROJECT, name)),
            "merge_histograms": (paths.histograms_file(PROJECT, "coverage"),),
            "merge_tables": tuple(f"{PROJECT}/{table}.csv" for table in ("detections", "events", "properties")),
            "rates": (paths.rates_file(PROJECT),),
            "pages": (f"{PROJECT}/pages/index.html",),
            "report": (f"{PROJECT}/report.html", f"{PROJECT}/report_tables.js", f"{PROJECT}/plots/sky.png"),
            "sync_database": (f"{PROJECT}/database.json",),
        }
        return self.workspace.data_root / self.dice.choice(files[stage])

    def set(self, key, value):
        """Edit the configuration."""
        self.model.settings[key] = value
        self.workspace.set(key, value)
        return f"{key}: {value}"

    def edit_rows(self, **rows):
        """Edit the catalog: rows by name, None where one goes."""
        changed = self.model.rows | rows
        self.model.rows = {name: row for name, row in changed.items() if row is not None}
        self._write_catalog()

    def _write_catalog(self):
        rows = [",".join(map(str, (name, *row))) for name, row in self.model.rows.items()]
        self.workspace.catalog.write_text("\n".join(["name,ra,dec,mag", *rows]) + "\n")


def edit_configuration(life):
    """Another value of a key."""
    key = life.dice.choice(list(SETTINGS))
    others = [value for value in SETTINGS[key][1] if value != life.model.settings[key]]
    return life.set(key, life.dice.choice(others)), (), None


def edit_catalog(life):
    """A source comes, goes, moves or gets another name."""
    name = life.dice.choice(list(life.model.rows))
    row, life.number = life.model.rows[name], life.number + 1
    kind = life.dice.choice(["comes", "goes", "moves", "renamed"])
    if kind == "comes" or len(life.model.rows) < 2:
        place = life.dice.choice(PLACES)
        life.edit_rows(**{f"s{life.number}": [place, round(life.dice.uniform(-30, 30), 3), 16.0]})
        return f"a source comes at RA {place}", (), None
    if kind == "moves":
        # By more than what counts as one place, and back, so that it stays one object for all archives.
        home = round(row[1], 3)
        life.edit_rows(**{name: [row[0], home if row[1] != home else round(home + 1 / 3600, 7), row[2]]})
        return f"{name} moves by 1 arcsec", (), None
    life.edit_rows(**{name: None} | ({f"s{life.number}": row} if kind == "renamed" else {}))
    return f"{name} {kind}", (), None


def edit_code(life):
    """A module of a stage gets another constant."""
    file, stage = life.dice.choice(list(CODE.items()))
    path = life.workspace.root / file
    life.number += 1
    path.write_text(f"{path.read_text()}\nCHANGED_{life.number} = True\n")
    life.model.code[stage] += 1
    return f"code of {file}", (), None


def delete(life):
    """A product goes."""
    job = life.dice.choice(life.model.jobs)
    path = life.product(job)
    path.unlink()
    return f"{path.name} deleted", {job}, None


def damage(life):
    """A product is damaged, found and put aside."""
    job, kind = life.dice.choice(life.model.jobs), life.dice.choice(list(DAMAGES))
    path = life.product(job)
    path.write_bytes(DAMAGES[kind](path.read_bytes(), life.dice))
    status, found = verify(life.workspace, "--put-aside")
    assert status == 1, found
    assert not path.exists(), found
    return f"{path.name} damaged ({kind})", {job}, None


def touch(life):
    """A product, whose content is as it was, gets another time."""
    path, hours = life.product(life.dice.choice(life.model.jobs)), life.dice.choice([-1, 0])
    now = time.time() + 3600 * hours
    os.utime(path, (now, now))
    return f"{path.name} has the time of {'now' if hours == 0 else 'an hour ago'}", (), None


def kill(life):
    """An edit, and a run that is killed at a random moment; jobs that had begun are in doubt."""
    what, lost, _ = life.dice.choice([edit_configuration, edit_catalog, edit_code])(life)
    process = life.workspace.start()
    time.sleep(life.dice.uniform(2, 12))
    process.kill()
    output, _ = process.communicate()
    wait_until_gone(process.pid)
    begun, finished = jobs_of(output)
    life.model.done(finished)
    return f"{what}; killed after {len(finished)} jobs", lost, begun - finished


OPERATIONS = {
    "configuration": edit_configuration,
    "catalog": edit_catalog,
    "code": edit_code,
    "deleted": delete,
    "damaged": damage,
    "touched": touch,
    "killed": kill,
}


def stale_products(life):
    """Products of a life that are not those of a fresh run with its last configuration, catalog and code.

    Raw archives hold more, and products of bins and configurations that were left stay.
    """
    folder = life.workspace.folder / "fresh"
    folder.mkdir()
    fresh = life.workspace.beside(folder)
    fresh.data_root = folder / "data"
    fresh.set("data_root", str(fresh.data_root))
    run = fresh.run()
    assert run.status == 0, run.output
    expected, found = (_of_project(content(each.data_root), life) for each in (fresh, life.workspace))
    return sorted(path for path in expected.keys() | found.keys() if expected.get(path) != found.get(path))


def _of_project(found, life):
    """What of a data root is of the project as it is now."""
    bins, newest = set(life.model.bins), max(life.workspace.product(".").glob("00_config_*"), key=_time).name
    return {
        path: value
        for path, value in found.items()
        if path.startswith(PROJECT)
        and set(re.findall(r"RA\d{3}", path)) <= bins
        and (newest in path or "00_config_" not in path)
    }


def _time(path: Path):
    return path.stat().st_mtime_ns
