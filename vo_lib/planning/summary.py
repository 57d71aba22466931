"""What a run says on the terminal before its first job and after its last."""

import csv
import re
from collections import Counter
from contextlib import suppress
from itertools import product, takewhile
from textwrap import shorten

from vo_lib import hdf5, paths
from vo_lib.bins import WIDTH_FILE
from vo_lib.catalogs.remote import FOLDER
from vo_lib.downloads.manifest import find_header
from vo_lib.downloads.outage import forget_outages
from vo_lib.errors import UserError
from vo_lib.files import CLOCK_STEP_S, bring_to_now, find_json
from vo_lib.running.failures import collect_failures
from vo_lib.running.messages import STOPPED
from vo_lib.text import count_text, table_lines

__all__ = [
    "begin",
    "failure_text",
    "last_error",
    "plan_text",
    "summary_text",
    "warning_lines",
]

MOST_FAILURES = 10  # that are listed on the terminal
LONGEST_ERROR = 400  # letters of an error of the program
# What jobs say that did not come to their end when a run is stopped.
INTERRUPTED, KILLED = "interrupted", "ended without an error message; was it killed, or out of memory?"

TABLES = ("detections.csv", "events.csv", "properties.csv", "rates.csv")
# What differs between jobs that failed for the same reason: names in quotes, numbers, paths and addresses.
_PARTICULAR = re.compile(r"'[^']*'|\S*[\d/]\S*")
_WARNING = re.compile(r"^[\d-]+ [\d:,]+ WARNING (.*)$", re.MULTILINE)
OUTCOMES = ("ok", "empty", "failed", "epochs")


def plan_text(plan):
    """One line on what a run is about: sources, bins, surveys, folder of the products."""
    if not plan.has_catalog:
        return f"{plan.config['project']}: the catalog {plan.catalog_file} is fetched first"
    catalog = plan.catalog
    other = catalog.left_out.get("select", 0)
    counts = {
        "not selected": other,
        "excluded by cuts": sum(catalog.left_out.values()) - other,
        "duplicate names renamed": catalog.renamed,
    }
    notes = ", ".join(f"{number:,} {what}" for what, number in counts.items() if number)
    new = "" if (plan.data_root / WIDTH_FILE).exists() else " (a new data root)"
    return (
        f"{plan.config['project']}: {count_text(catalog.n_sources, 'source')}{f' ({notes})' if notes else ''} "
        f"in {count_text(len(plan.bins), 'bin')}, "
        f"{'surveys' if len(plan.observatories) > 1 else 'survey'} {', '.join(plan.observatories)}, "
        f"products in {plan.data_root / plan.folder}{new}"
    )


def begin(plan):
    """Forget which surveys could not be reached before this run, and note the logs that it finds."""
    forget_outages(plan.data_root / paths.outage_folder())
    plan.old_logs = {path: _state(path) for path in _log_files(plan)}


def summary_text(plan):
    """Outcomes by survey and, as far as the run went, detections, database rows, the files to open and warnings.

    What is older than an analysis is left out: a run that ended before it has left it as it was.

    Under ``verbosity: quiet`` it is the warnings alone, and without any an empty text.
    """
    if plan.config["verbosity"] == "quiet":
        return "\n".join(warning_lines(plan))
    if not plan.has_catalog:
        return ""
    outcomes = table_lines(
        ("survey", "sources", *OUTCOMES, "kept", "left out"), [_outcome(plan, obs) for obs in plan.observatories]
    )
    current = _current(plan, *TABLES, "database.json", "report.html")
    results = {
        "detections": _detections(current),
        "database rows": _rows(current["database.json"]) if "database.json" in current else "",
        "report": str(current.get("report.html", "")),
        "tables": ", ".join(str(current[name]) for name in TABLES if name in current),
    }
    lines = [f"{name:15s}{text}" for name, text in results.items() if text]
    return "\n".join(["", *outcomes, "", *lines, *warning_lines(plan), ""])


def _current(plan, *names):
    """Paths by name of those products of the project that are there and not older than an analysis."""
    analyses = (plan.data_root / paths.analysis_file(plan.folder, bin_name) for bin_name in plan.bins)
    latest = max((path.stat().st_mtime for path in analyses if path.exists()), default=0)
    files = {name: plan.data_root / plan.folder / name for name in names}
    there = {name: path for name, path in files.items() if path.exists()}
    return {name: path for name, path in there.items() if path.stat().st_mtime >= latest - CLOCK_STEP_S}


def _detections(current):
    """How many detections and events there are, or an empty text without one of the tables."""
    if not {"detections.csv", "events.csv"} <= current.keys():
        return ""
    found, merged = _sources(current["detections.csv"]), _sources(current["events.csv"])
    return (
        f"{count_text(len(found), 'detection')} of {count_text(len(merged), 'event')} in "
        f"{count_text(len(set(merged)), 'source')}"
    )


def _sources(path):
    """Column of sources of a CSV file."""
    with open(path, newline="", encoding="utf-8") as file:
        return [row["source"] for row in csv.DictReader(file)]


def _rows(receipt):
    """Rows of the database by table, or an empty text without any."""
    rows = (find_json(receipt) or {}).get("rows", {})
    notes = {"detections": " (also of injected events)"} if rows.get("injections") else {}
    return ", ".join(f"{name} {count:,}{notes.get(name, '')}" for name, count in rows.items() if count)


def failure_text(plan, *, cluster=False):
    """Why jobs of this run, maybe on a cluster, failed, a line for each of the first, and what to do.

    Files from the future, which Snakemake takes for changed as long as they are, get the time of now.
    """
    failed = _failed_jobs(plan)
    head = [STOPPED] if plan.stopped else []
    if failed:
        lines = [f"  {_job_of(path, plan)}: {line}" for path, line in _most_telling(failed)]
        more = len(failed) - MOST_FAILURES
        head += [f"{count_text(len(failed), 'job')} failed:", *lines, *([f"  and {more} more"] if more > 0 else [])]
    elif not plan.stopped:
        head.append("The run failed, but no job reported a reason; see Snakemake's messages above.")
        if cluster:
            head.append("The scheduler may have lost or rejected jobs, see docs/howto/slurm.md.")
    head += warning_lines(plan)
    if future := bring_to_now(plan.data_root / plan.folder):
        head.append(
            f"{count_text(future, 'file')} had a time in the future, which was set to now; was the clock set back?"
        )
    what = "fix the cause and repeat the command" if failed or not plan.stopped else "repeat the command to continue"
    tail = [
        f"All finished work is kept; {what}.",
        f"The logs are in {plan.data_root / plan.folder / 'logs'}",
    ]
    return "\n".join(["", *head, "", *tail, ""])


def _most_telling(failed):
    """As many of the failed jobs as are listed, in their order: the first of each reason before others of the same."""
    repeats, seen = [], Counter()
    for _, line in failed:
        repeats.append(seen[reason := _PARTICULAR.sub("", line)])
        seen[reason] += 1
    first = sorted(range(len(failed)), key=repeats.__getitem__)[:MOST_FAILURES]
    return [failed[number] for number in sorted(first)]


def _failed_jobs(plan):
    """Logs of the jobs of this run that failed, with why; without those that ended because a person stopped it.

    Empty logs are those of jobs that never began, as after a failure in their group on a cluster, and count if there
    are no others.
    """
    found = [(path, line) for path in _new_logs(plan) if (line := last_error(path))]
    found = [(path, line) for path, line in found if not (plan.stopped and line in (INTERRUPTED, KILLED))]
    return [(path, line) for path, line in found if path.stat().st_size] or found


def warning_lines(plan):
    """What a person should look at after a run, and where; no lines where there is nothing.

    Sources without an answer, lightcurves that are bad as a whole, damaged files that were put aside, and by stage the
    warnings in the logs of this run.
    """
    folder = plan.data_root / plan.folder
    places = (folder, *map(plan.data_root.joinpath, plan.observatories))
    aside = [path for place in places for path in sorted(place.rglob("*.damaged-*"))]
    bad = _bad_data(plan) if plan.has_catalog else 0
    found = {
        "failures": _failures(plan) if plan.has_catalog else "",
        "bad data": f"{count_text(bad, 'lightcurve')}, see bad_data in {folder}/*_analysis.h5" if bad else "",
        "put aside": f"{count_text(len(aside), 'damaged file')}, can be deleted: {aside[0]}" if aside else "",
    }
    found |= {f"{stage} warns": text for stage, text in _log_warnings(plan).items()}
    return [f"{name + ' ':15s}{text}" for name, text in found.items() if text]


def _bad_data(plan):
    """Number of lightcurves that failed a check of the whole series, as far as the bins are analysed."""
    files = (plan.data_root / paths.analysis_file(plan.folder, bin_name) for bin_name in plan.bins)
    return sum(len(set(table["lightcurve"].tolist())) for table in _read_tables(files, "bad_data"))


def _read_tables(files, name):
    """A table of each of some files that is there and whole; the next job, or `vo verify`, names those that are not."""
    for path in files:
        with suppress(UserError, OSError, ValueError, KeyError, RuntimeError), hdf5.open_file(path) as file:
            yield hdf5.read_table(file, name)


def _log_warnings(plan):
    """For each stage that warned in this run how often, in which log first, and in which words."""
    found = {}
    for path in _new_logs(plan):
        stage = re.split("[ /]", _job_of(path, plan))[0]
        for line in _WARNING.findall(path.read_text(encoding="utf-8", errors="replace")):
            found.setdefault(stage, []).append(f"{path}: {line}")
    return {stage: f"{count_text(len(lines), 'time')}, first in {lines[0]}" for stage, lines in found.items()}


def _log_files(plan):
    """Logs of all jobs of a project, and of the downloads of catalogs."""
    logs = plan.data_root / plan.folder / "logs"
    return sorted([*logs.rglob("*.log"), *(plan.data_root / FOLDER / "logs").glob("*.log")])


def _new_logs(plan):
    """Logs that this run wrote: what has changed since `begin`, as clocks can be set back and differ between hosts."""
    return [path for path in _log_files(plan) if _state(path) != plan.old_logs.get(path)]


def _state(path):
    """Modification time [ns] and size of a file."""
    found = path.stat()
    return found.st_mtime_ns, found.st_size


def _job_of(log, plan):
    """Name of a job by its log."""
    below = log.relative_to(plan.data_root).with_suffix("")
    return "/".join(below.parts[2:]) if below.parts[0] == plan.folder else f"fetch_catalog {below.name}"


def _failures(plan):
    """How many sources failed, put together in a table, or an empty text; what the matter is where that cannot be."""
    targets = {of: paths.manifest_file(plan.folder, *of) for of in product(plan.observatories, plan.bins)}
    try:
        number = collect_failures(plan.data_root / plan.folder, targets, plan.command)
    except (OSError, UserError) as error:
        return str(error)
    return f"{count_text(number, 'source')}, see {plan.data_root / plan.folder / 'failures.csv'}" if number else ""


def last_error(log):
    """Why the job of a log failed, or an empty text."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    found = [line.partition(" ERROR ") for line in lines if " ERROR " in line]
    if not found:
        ended = any(" INFO done in " in line for line in lines)
        return "" if ended else KILLED
    if found[-1][2] != "failed":
        return found[-1][2]
    # After an error of the program: what follows the frames of its traceback, maybe some lines.
    said = list(takewhile(lambda line: not line.startswith((" ", "Traceback ")), reversed(lines)))[::-1]
    return shorten(" ".join(said), LONGEST_ERROR, placeholder=" ...")


def _outcome(plan, obs):
    """Row of the table of outcomes for one survey."""
    files = (plan.data_root / paths.manifest_file(plan.folder, obs, bin_name) for bin_name in plan.bins)
    counts = [header["counts"] for header in map(find_header, files) if header]
    totals = [sum(count[name] for count in counts) for name in OUTCOMES]
    return (obs, sum(totals[:3]), *totals, *_kept(plan, obs))


def _kept(plan, obs):
    """Epochs in lightcurves and epochs left out, as far as the bins are reduced; empty before the first one is."""
    files = (plan.data_root / paths.reduced_file(plan.folder, obs, bin_name) for bin_name in plan.bins)
    counts = [(table["n_kept"].sum(), table["n_left_out"].sum()) for table in _read_tables(files, "sources")]
    return [int(sum(column)) for column in zip(*counts, strict=True)] or ["", ""]
