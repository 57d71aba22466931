"""Sources that a survey gave no answer for, with the reason and what to do.

Each download job leaves the failures of its bin in a small file, also when it fails itself;
at the end of a run they are put together in the project's ``failures.csv``.
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
    """Keep the failures of one bin, or remove those of an earlier run when there are none.

    Parameters
    ----------
    project, obs, bin_name : str
        Whose they are; files are below the working folder, the data root.
    failed : dict of str to str
        Reason by name of the source.
    """
    path = Path(failures_file(project, obs, bin_name))
    if failed:
        write_json(path, failed)
    else:
        path.unlink(missing_ok=True)


def collect_failures(folder, manifests, command):
    """Write ``failures.csv`` of a project; without failures there is none.

    Its columns are `COLUMNS`: ``url`` is the address that the reason names, without secrets, and empty where no request
    was made; ``retry`` is the command that asks again for the failed sources of the bin, on all cores.

    Parameters
    ----------
    folder : Path
        The project's folder.
    manifests : dict of tuple to str
        Target of the download of each survey and bin, ``{(obs, bin): file}``.
    command : str
        Call of Snakemake with the project's configuration; a target is added.

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
    """Address that was asked, empty without one."""
    found = _URL.search(reason)
    return found[0].rstrip(":;,.)'") if found else ""
