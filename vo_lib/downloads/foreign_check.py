"""Check in a separate process that HDF5 files from elsewhere can be read safely.

A damaged file can crash the HDF5 library or keep it busy forever. A file can also refer to data in other files, or
unpack to more than fits into memory.
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

# Time limit for a file [s], plus its size divided by a rate [bytes/s].
LEAST_S, BYTES_PER_S = 60, 10_000_000

_ENDED = "is damaged: the HDF5 library crashes or never finishes reading it; make or copy it again"


def find_problems(paths):
    """Read HDF5 files completely in another process and report those that cannot be opened safely.

    Parameters
    ----------
    paths : sequence of str or Path
        The files.

    Returns
    -------
    dict
        Problem by path, of files that crash or block the library, refer to data in other files, or have more data
        than `most_bytes` allows. Files that are safe to open are not included, whether readable or not.
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
    """Problem of each file, empty without one, up to the file that ended the process."""
    command = [sys.executable, "-m", "vo_lib.downloads.foreign_check", str(LEAST_S)]
    child = subprocess.run(command, input=json.dumps(paths), capture_output=True, text=True)  # noqa: S603 - our own module
    if child.returncode > 0:
        raise RuntimeError(f"HDF5 files cannot be checked: {child.stderr.strip()[-500:]}")
    return list(map(json.loads, child.stdout.splitlines()))


def _find_problem(path):
    """Problem of a file; empty without one, and for a file that is not HDF5, which is reported when it is opened."""
    try:
        most = most_bytes(path)
        with h5py.File(path, "r", locking=False) as file:
            found = file.visititems_links(_judge_link)
            found = found or _judge_item("/", file, most)
            return found or file.visititems(lambda name, item: _judge_item(name, item, most)) or ""
    except Exception:  # the reader gives a better message for such errors
        return ""


def _judge_link(name, link):
    """Problem of a link, None without one."""
    if isinstance(link, h5py.ExternalLink):
        return f"'{name}' is a link to another file, which is not followed; copy what it links to into this one"
    return None


def _judge_item(name, item, most):
    """Problem of an object, None without one; reads its attributes and, of a dataset, all data."""
    with suppress(Exception):
        dict(item.attrs)
        if not isinstance(item, h5py.Dataset):
            return None
        if item.external or item.is_virtual:
            return f"'{name}' has its data in other files, which are not read; copy them into this one"
        if item.size * item.id.get_type().get_size() > most:
            return f"'{name}' unpacks to more than {most:,} bytes, too large for a table; write it without compression"
        item[()]
    return None


def main():
    """Write the problem of each file listed on standard input, one per line; SIGALRM ends what takes too long."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for path in json.load(sys.stdin):
        with suppress(OSError):
            signal.alarm(int(sys.argv[1]) + Path(path).stat().st_size // BYTES_PER_S)
        sys.stdout.write(json.dumps(_find_problem(path)) + "\n")
        sys.stdout.flush()
        signal.alarm(0)


if __name__ == "__main__":
    main()
