"""State of every expected product of a project, and the reasons why it is not done.

The reasons are those for which the next run of Snakemake would make a product again: a file is missing, inputs are
newer and differ, or the parameters, the list of inputs or the command have changed. Nothing is run or written.
A test compares the result with Snakemake's dry run.
"""

import hashlib
import json
from collections import Counter
from functools import cache

import numpy as np

from vo_lib import hdf5
from vo_lib.downloads.manifest import find_header, read_header
from vo_lib.errors import DamagedProductError
from vo_lib.planning.jobs import STAGES, expected_jobs, rule_commands
from vo_lib.planning.summary import last_error
from vo_lib.running.records import Records
from vo_lib.storage.differences import difference_text, differences
from vo_lib.text import count_text

__all__ = ["STATES", "project_status", "status_totals"]

STATES = ("done", "empty", "failed", "stale", "pending")
# Largest file of which Snakemake compares the content, its default [bytes].
LARGEST_COMPARED = 1_000_000
# Table of a product that has no rows if there was no data.
EMPTY_TABLES = {"reduce": "index", "analyze": "series", "combine": "index"}
# Meaning of parameters that stand for something else, by the last part of their name, or by stage and last part.
MEANINGS = {
    "code": "its code changed",
    "generation": "data must be downloaded again: sources failed, or the raw archive lacks them",
    "sync_database.generation": "the database was lost or recreated, or the receipt is damaged",
    "rows": "the catalog's rows of this bin changed",
    "bins": "the list of bins changed",
    "raw_schema": "the format of raw archives changed",
}


def project_status(plan):
    """Report for each expected job whether its product is done.

    Parameters
    ----------
    plan : vo_lib.plan.Plan
        The project.

    Returns
    -------
    dict of str to ndarray, each of shape (n_jobs,)
        Table with ``stage``, ``obs`` and ``bin`` (empty for jobs that cover all), ``state``, ``why`` (empty if done)
        and the ``file`` of the product, upstream first. ``state`` is

        - ``done``: as the configuration and the code require;
        - ``empty``: done, but there was no data;
        - ``failed``: sources failed, the latest job ended with an error, or the product is damaged;
        - ``stale``: exists and would be made again;
        - ``pending``: does not exist.

        If the catalog has yet to be fetched, the table has only the row for that job.
    """
    checker = _Checker(plan)
    rows = [checker.row(job) for job in expected_jobs(plan)]
    names = ("stage", "obs", "bin", "state", "why", "file")
    return {name: np.array([row[name] for row in rows], dtype=str) for name in names}


def status_totals(rows):
    """Count the states of each stage.

    Parameters
    ----------
    rows : iterable of dict
        ``stage`` and ``state`` of each job.

    Returns
    -------
    list of dict
        A row for each stage with jobs, in the order of the workflow: ``stage``, ``jobs`` and a number for each state.
    """
    counts, totals = Counter((row["stage"], row["state"]) for row in rows), []
    for stage in STAGES:
        states = {state: counts[stage, state] for state in STATES}
        if any(states.values()):
            totals.append({"stage": stage, "jobs": sum(states.values())} | states)
    return totals


class _Checker:
    """Determines the states of jobs, which must be passed upstream first."""

    def __init__(self, plan):
        self.plan = plan
        self.records = Records(plan.data_root)
        self.commands = rule_commands(plan.root)
        self.is_locked = self.records.is_locked
        self.remade = {}
        self.mtime_ns = cache(self._mtime_ns)

    def row(self, job):
        """Row of the table for a job."""
        why = self._reasons(job)
        if why:
            self.remade |= dict.fromkeys(job.outputs, job.name)
        state, why = self._state(job, why)
        row = {"stage": job.stage, "obs": job.obs, "bin": job.bin, "file": job.outputs[0]}
        return row | {"state": state, "why": "; ".join(why)}

    def _state(self, job, why):
        """State of a product, and the reasons."""
        log = self.plan.data_root / job.log_file(self.plan.folder)
        if failed := self._failed_sources(job):
            return "failed", [failed, *why]
        if why and self._runs(job):
            why = ["is running, or a run that was killed left its lock"]
        elif why and log.exists() and (error := last_error(log)):
            return "failed", [error, *why]
        if why:
            made = all(self.mtime_ns(file) is not None for file in job.outputs)
            return ("stale" if made else "pending"), why
        try:
            return ("empty" if self._is_empty(job) else "done"), []
        except DamagedProductError as error:
            return "failed", [str(error)]

    def _runs(self, job):
        """Whether a job belongs to a run that has started it and not ended."""
        return self.is_locked and any(map(self.records.is_incomplete, job.outputs))

    def _failed_sources(self, job):
        """Text on the sources that could not be downloaded; empty if none."""
        header = find_header(self.plan.data_root / job.outputs[0]) if job.stage == "download" else None
        number = header["counts"]["failed"] if header else 0
        return f"{count_text(number, 'source')} failed, see failures.csv" if number else ""

    def _is_empty(self, job):
        """Whether there was no data for the job."""
        path = self.plan.data_root / job.outputs[0]
        if job.stage == "download":
            return read_header(path)["counts"]["ok"] == 0
        if job.stage not in EMPTY_TABLES:
            return False
        with hdf5.open_file(path) as file, hdf5.reading(file):
            return len(file[EMPTY_TABLES[job.stage]]) == 0

    def _reasons(self, job):
        """Reasons why a job would run, checked in Snakemake's order; empty if it would not."""
        if missing := [file for file in job.outputs if self.mtime_ns(file) is None]:
            was_there = " was removed" if self.records.read(missing[0]) else " was not made yet"
            return [missing[0] + was_there]
        if any(map(self.records.is_incomplete, job.outputs)):
            return ["its job was started, but did not finish"]
        if waits := [self.remade[file] for file in job.inputs if file in self.remade]:
            others = f" and {len(waits) - 1} more" if len(waits) > 1 else ""
            return [f"follows {waits[0]}{others}"]
        return [*self._changed_parameters(job), *self._changed_inputs(job), *self._changed_command(job)]

    def _changed_inputs(self, job):
        """Yield whether inputs were added or removed, and which one is newer and differs."""
        known = (self.records.read(job.outputs[0]) or {}).get("input")
        if known is not None and sorted(known) != sorted(job.inputs):
            yield "its list of input files changed"
        oldest = min(map(self.mtime_ns, job.outputs))
        newer = (file for file in job.inputs if self.mtime_ns(file) > oldest and not self._is_same(job, file))
        if first := next(newer, None):
            yield f"{first} is newer"

    def _is_same(self, job, file):
        """Whether an input has the same content as when the job last ran."""
        path, known = self.plan.data_root / file, {self.records.checksums(out).get(file) for out in job.outputs}
        if len(known) != 1 or None in known or path.stat().st_size > LARGEST_COMPARED:
            return False
        with open(path, "rb") as content:
            return known == {hashlib.file_digest(content, "sha256").hexdigest()}

    def _changed_parameters(self, job):
        """Yield what has changed in the parameters."""
        old = next((found for file in job.outputs if (found := self.records.params(file)) is not None), None)
        if old is not None and set(old) != set(job.params):
            yield from _parameter_texts(job.stage, _content(old), _content(job.params))

    def _changed_command(self, job):
        """Yield whether the command of the rule has changed."""
        known = {(self.records.read(file) or {}).get("code") for file in job.outputs} - {None}
        if known - {self.commands[job.stage]}:
            yield "the command of the rule changed"

    def _mtime_ns(self, file):
        """Modification time of a file, or None if it does not exist."""
        try:
            return (self.plan.data_root / file).stat().st_mtime_ns
        except FileNotFoundError:
            return None


def _content(params):
    """Parameters as one dict: those in JSON, and the path of the raw archive if there is one."""
    found = {}
    for text in params:
        found |= json.loads(text) if text.startswith("{") else {"raw_file": text}
    return found


def _parameter_texts(stage, old, new):
    """Texts on the changed parameters of a stage, without those that only follow from others.

    A change reported for ``reduce.gap_days`` is not reported again for ``gap_days``.
    """
    found = [each for each in differences(old, new) if not _follows(each[0])]
    texts = [_meaning(stage, key) or difference_text(_config_key(key), *pair) for key, *pair in found]
    texts = [text for text in texts if not any(other.endswith(f".{text}") for other in texts)]
    return list(dict.fromkeys(texts)) or ["the way its input is made changed"]


def _meaning(stage, key):
    """Text for a parameter that stands for something else; None for others."""
    name = key.rpartition(".")[2]
    return MEANINGS.get(f"{stage}.{name}") or MEANINGS.get(name)


def _follows(key):
    """Whether a parameter is an identifier that follows from others."""
    return (
        key in ("provenance", "provenances", "analysis")
        or key.endswith((".id", ".upstreams"))
        or key.startswith("observatories.")
    )


def _config_key(key):
    """Name of a parameter in the configuration."""
    return key.removeprefix("provenance.parameters.").removeprefix("config.")
