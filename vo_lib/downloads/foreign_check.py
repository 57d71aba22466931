"""Whether HDF5 files that others made can be read, found out in a process of its own.

A damaged file can end a process within the HDF5 library, or keep it busy for ever. A file can also have its data in
other files, or stand for more than any memory holds.
"""

import json
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import h5py

from vo_lib.catalogs.source import most_bytes

__all__ = ["find_problems"]

# A file takes so long at most [s], and so much more for its size [bytes/s].
LEAST_S, BYTES_PER_S = 60, 10_000_000

_ENDED = "is damaged: the HDF5 library breaks off or does not come to an end with it; make or copy it again"


def find_problems(paths):
    """Read all of some HDF5 files in another process.

    Parameters
    ----------
    paths : sequence of str or Path
        The files.

    Returns
    -------
    dict
        What is wrong by path: with which the library does not come to an end, that have data in other files, or that
        have more data than `most_bytes` allows. Files that can be opened here without harm are not in it, be they
        readable or not.
    """
    todo, problems = list(map(str, paths)), {}
    while todo:
        found = _ask_child(todo)
        if len(found) < len(todo):
            found.append(_ENDED)
        problems |= {path: problem for path, problem in zip(todo, found, strict=False) if problem}
        todo = todo[len(found) :]
    return problems


def _ask_child(paths):
    """Problem of each file, empty without one, up to the one that ended the process."""
    command = [sys.executable, "-m", "vo_lib.downloads.foreign_check", str(LEAST_S)]
    child = subprocess.run(command, input=json.dumps(paths), capture_output=True, text=True)  # noqa: S603 - our own module
    if child.returncode > 0:
        raise RuntimeError(f"HDF5 files cannot be checked: {child.stderr.strip()[-500:]}")
    return list(map(json.loads, child.stdout.splitlines()))


def _find_problem(path):
    """What is wrong with a file; empty for one that is no HDF5 file, which opening it tells."""
    try:
        most = most_bytes(path)
        with h5py.File(path, "r", locking=False) as file:
            found = file.visititems_links(_judge_link)
            found = found or _judge_item("/", file, most)
            return found or file.visititems(lambda name, item: _judge_item(name, item, most)) or ""
    except Exception:  # the reader has better words for what can be told
        return ""


def _judge_link(name, link):
    """Problem of a link, None without one."""
    if isinstance(link, h5py.ExternalLink):
        return f"'{name}' is a link to another file, which is not followed; copy what it links to into this one"
    return None


def _judge_item(name, item, most):
    """Problem of a dataset, None without one; reads it and all attributes."""
    with suppress(Exception):
        dict(item.attrs)
        if not isinstance(item, h5py.Dataset):
            return None
        if item.external or item.is_virtual:
            return f"'{name}' has its data in other files, which are not read; copy them into this one"
        if item.size * item.id.get_type().get_size() > most:
            return f"'{name}' unpacks to more than {most:,} bytes, which no table does; write it without compression"
        item[()]
    return None


def main():
    """Say what is wrong with the files that standard input names, a line each; SIGALRM ends what takes too long."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for path in json.load(sys.stdin):
        with suppress(OSError):
            signal.alarm(int(sys.argv[1]) + Path(path).stat().st_size // BYTES_PER_S)
        sys.stdout.write(json.dumps(_find_problem(path)) + "\n")
        sys.stdout.flush()
        signal.alarm(0)


if __name__ == "__main__":
    main()
