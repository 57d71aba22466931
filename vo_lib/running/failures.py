"""Record the sources for which a survey gave no usable answer, with the reason and the command to retry.

Each download job writes the failures of its bin to a small file, even if the job itself fails; at the end of a run they
are collected in the project's ``failures.csv``.
"""

import csv
import re
from pathlib import Path

from vo_lib.files import read_json, replacing, write_json
from vo_lib.paths import failures_file

__all__ = ["COLUMNS", "collect_failures", "write_failures"]

COLUMNS = ("source", "survey", "bin", "reason", "url", "retry")

_URL = re.compile(r"https?://\S+")


def write_failures(project, obs, bin_name, failed):
    """Write the failures of one bin, or remove those of an earlier run if there are none.

    Parameters
    ----------
    project, obs, bin_name : str
        Folder of the project below the working folder, which is the data root; survey; and bin.
    failed : dict of str to str
        Reason by name of the source.
    """
    path = Path(failures_file(project, obs, bin_name))
    if failed:
        write_json(path, failed)
    else:
        path.unlink(missing_ok=True)


def collect_failures(folder, manifests, command):
    """Write the ``failures.csv`` of a project, or remove it if nothing failed.

    Its columns are `COLUMNS`: ``url`` is the URL in the reason, without secrets, and empty if no request was made;
    ``retry`` is the command that requests the failed sources of the bin again, on all cores.

    Parameters
    ----------
    folder : Path
        The project's folder.
    manifests : dict of tuple to str
        Manifest of each survey and bin, ``{(obs, bin): file}``: the target of its download.
    command : str
        Snakemake command with the project's configuration, to which a target is added.

    Returns
    -------
    int
        Number of failed sources.
    """
    rows = []
    for (obs, bin_name), target in manifests.items():
        path = folder.parent / failures_file(folder.name, obs, bin_name)
        failed = read_json(path) if path.exists() else {}
        retry = f"{command} -- {target}"
        rows += [(name, obs, bin_name, reason, _url(reason), retry) for name, reason in failed.items()]
    path = folder / "failures.csv"
    if not rows:
        path.unlink(missing_ok=True)
        return 0
    with replacing(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return len(rows)


def _url(reason):
    """URL in a reason; empty without one."""
    found = _URL.search(reason)
    return found[0].rstrip(":;,.)'") if found else ""
