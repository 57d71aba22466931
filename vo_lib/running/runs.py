"""Cost of the jobs of a project, written to the last line of a job's log and read from there."""

import re
import resource
import sys
from pathlib import Path

import numpy as np

__all__ = ["done_text", "read_runs"]

# Columns and their types.
COLUMNS = dict.fromkeys(("rule", "job", "version", "host"), str) | dict.fromkeys(("s", "cpu_time", "max_rss"), float)
_NUMBER = r"(\d+(?:\.\d+)?)"
DONE = re.compile(rf" INFO done in {_NUMBER} s, {_NUMBER} s of processor time, {_NUMBER} MB of memory$", re.MULTILINE)
STARTED = re.compile(r" INFO vo_lib (\S+), Python \S+, host (.*)$", re.MULTILINE)
RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # [byte], see getrusage(2)


def done_text(seconds):
    """Describe the resources that this process has used.

    Parameters
    ----------
    seconds : float
        Wall time [s].

    Returns
    -------
    str
        The wall time, the processor time (user and system) [s] and the maximum resident set size [MB].
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu_time, memory = used.ru_utime + used.ru_stime, used.ru_maxrss * RSS_UNIT / 1e6
    return f"done in {seconds:.2f} s, {cpu_time:.2f} s of processor time, {memory:.0f} MB of memory"


def read_runs(project_folder):
    """Read the cost of the jobs of a project from their logs.

    Parameters
    ----------
    project_folder : str or Path
        Folder of the project, with ``logs/<rule>.log`` and ``logs/<rule>/<wildcards>.log``.

    Returns
    -------
    dict of str to ndarray, each of shape (n_jobs,)
        ``rule``, ``job``, ``version`` of vo_lib and ``host``; ``s``, ``cpu_time`` and ``max_rss`` as in `done_text`.
        Ordered by the path of the log. A job that did not finish has no row.
    """
    folder = Path(project_folder) / "logs"
    rows = [row for path in sorted(folder.rglob("*.log")) if (row := _read_log(path, path.relative_to(folder)))]
    return {name: np.array([row[name] for row in rows], kind) for name, kind in COLUMNS.items()}


def _read_log(path, name):
    """Row of a job, or None if it did not finish."""
    text = path.read_text(encoding="utf-8", errors="replace")
    started, done = STARTED.search(text), DONE.search(text)
    if not (started and done):
        return None
    rule, job = (path.stem, "") if len(name.parts) == 1 else (name.parts[0], "/".join((*name.parts[1:-1], path.stem)))
    return dict(zip(COLUMNS, (rule, job, *started.groups(), *done.groups()), strict=True))
