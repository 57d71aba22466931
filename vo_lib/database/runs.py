"""What the jobs of a project cost, from the files that Snakemake writes for each."""

import csv
import logging
from pathlib import Path

import numpy as np

from vo_lib.database.records import Run

__all__ = ["read_runs"]

log = logging.getLogger("vo_lib")

MEASURED = tuple(name for name, column in Run.__table__.columns.items() if column.type.python_type is float)


def read_runs(project_folder):
    """Read the benchmark files of a project.

    Parameters
    ----------
    project_folder : str or Path
        Folder of the project, with ``benchmarks/<rule>.tsv`` and ``benchmarks/<rule>/<wildcards>.tsv``.

    Returns
    -------
    dict of str to ndarray, each of shape (n_jobs,)
        Rule, job and what was measured, NaN where it was not; ordered by rule and job.
        A file that a killed process left unfinished is no row; the log names it.
    """
    folder = Path(project_folder) / "benchmarks"
    found = {path.relative_to(folder): _measured(path) for path in sorted(folder.rglob("*.tsv"))}
    rows = {path: row for path, row in found.items() if row is not None}
    names = np.array([_names(path) for path in rows], dtype=str).reshape(-1, 2)
    values = np.array(list(rows.values()), dtype=float).reshape(-1, len(MEASURED))
    return {"rule": names[:, 0], "job": names[:, 1]} | dict(zip(MEASURED, values.T, strict=True))


def _names(path):
    """Rule and wildcards of a job by the name of its file."""
    return (path.stem, "") if len(path.parts) == 1 else (path.parts[0], "/".join((*path.parts[1:-1], path.stem)))


def _measured(path):
    """What a file says of `MEASURED`, None where it is not whole."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    try:
        (row,) = rows
        return [_number(row[name]) for name in MEASURED]
    except (KeyError, TypeError, ValueError):
        log.warning("%s: is not the benchmark of one job and is left out", path)
        return None


def _number(text):
    """A number, NaN for ``-`` and ``NA``."""
    return float("nan") if text in ("-", "NA") else float(text)
