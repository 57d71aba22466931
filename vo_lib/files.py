"""Replace files atomically: after any crash either the old or the new file is there, complete."""

import errno
import glob
import hashlib
import json
import logging
import os
import platform
import re
import shutil
import tempfile
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from vo_lib.errors import ConfigError, UserError
from vo_lib.storage.permissions import apply_permissions
from vo_lib.storage.seal import SEALED

__all__ = [
    "FULL",
    "bring_to_now",
    "find_json",
    "logged_digests",
    "put_aside",
    "read_json",
    "replacing",
    "sync",
    "through_scratch",
    "write_json",
    "write_text",
    "write_texts",
]

FULL = (errno.ENOSPC, errno.EDQUOT)  # errors of a full disk
_WAITING = 8  # maximum number of files that wait for the disk
CLOCK_STEP_S = 2.0  # coarsest resolution of time stamps in file systems

log = logging.getLogger("vo_lib")

_MADE = "made %s: %d bytes, sha256 %s"
_MADE_LINE = re.compile(r"^[\d-]+ [\d:,]+ INFO made (.+): \d+ bytes, sha256 ([0-9a-f]{64})$", re.MULTILINE)


@contextmanager
def replacing(path, *, tidy=True, settle=True):
    """Yield a path to write to, and replace `path` by that file if the block succeeds.

    On exit, the file gets the configured group and mode (`vo_lib.storage.permissions`), and file and folder are
    synchronised to disk; after an exception the new file is removed and the old one, if any, is untouched.

    Parameters
    ----------
    path : str or Path
        The file to create or replace; its folder is created.
    tidy : bool, optional
        First remove leftovers of killed processes, and log the digest of the new file, see `logged_digests`. This
        lists the folder, which is slow if it has thousands of files.
    settle : bool, optional
        Synchronise the folder too; if false, the caller must, once for all of its files.

    Yields
    ------
    Path
        A hidden name in the same folder, used by this process alone.

    Raises
    ------
    UserError
        If `path` exists and is not a regular file, but a folder or a device such as ``/dev/null``.
    OSError
        If something cannot be written; if the disk is full, the error names the file.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise UserError(f"{path}: is not a regular file that could be replaced; name another one")
    path.parent.mkdir(parents=True, exist_ok=True)
    if tidy:
        _remove_leftovers(path)
    part = path.with_name(f".{path.name}.part-{platform.node()}-{os.getpid()}")
    try:
        yield part
        if tidy:
            _log_digest(path, part)
        apply_permissions(part)
        sync(part)
        part.replace(path)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in FULL and error.filename is None:
            error.filename = str(path)  # an error of a write does not name the file
        raise
    # A rename changes the folder, not the file.
    if settle:
        sync(path.parent)


@contextmanager
def through_scratch(path):
    """Yield a path on a local disk to write to, and copy that file to `path` if the block succeeds.

    Use it for files that are written in many small pieces, which is slow on a network disk.

    Parameters
    ----------
    path : Path
        The file to create.

    Yields
    ------
    Path
        A file in a temporary folder below ``$VO_SCRATCH``, in which environment variables such as ``$TMPDIR`` are
        expanded on this host; `path` itself if that is not set, or names a variable that is not set here, such as one
        that exists only on the nodes of a cluster.

    Raises
    ------
    ConfigError
        If the folder cannot be written to.
    """
    wanted = os.environ.get("VO_SCRATCH", "")
    folder = os.path.expandvars(wanted)
    if not folder or "$" in folder:
        yield path
        return
    try:
        scratch = tempfile.TemporaryDirectory(prefix="vo-", dir=folder)
    except OSError as error:
        where = f"'{folder}' on {platform.node()} cannot be written to ({error.strerror})"
        raise ConfigError(f"VO_SCRATCH is '{wanted}', and {where}; correct or unset it") from None
    with scratch as own:
        local = Path(own, path.name)
        yield local
        shutil.copyfile(local, path)


def read_json(path):
    """Read a JSON file written by `write_json`.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    dict

    Raises
    ------
    UserError
        If the file is not JSON, or not an object.
    FileNotFoundError
        If there is no such file.
    """
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: is no longer the JSON that was written ({error}); correct or remove it") from None
    if not isinstance(value, dict):
        raise UserError(f"{path}: no longer has the keys that were written; correct or remove it")
    return value


def write_text(path, text):
    """Write a UTF-8 text file atomically, see `replacing`."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_texts(texts):
    """Write UTF-8 text files, each atomically, see `replacing`; their folders are synchronised once, at the end.

    While some files wait for the disk, the next are made and written; a failure stops this.

    Parameters
    ----------
    texts : iterable of tuple
        Path and text of each file.
    """
    folders, waiting = set(), deque()

    def write(file):
        path, text = file
        with replacing(path, settle=False) as part:
            part.write_text(text, encoding="utf-8")
        return Path(path).parent

    with ThreadPoolExecutor(_WAITING) as pool:
        for file in texts:
            if len(waiting) == _WAITING:
                folders.add(waiting.popleft().result())
            waiting.append(pool.submit(write, file))
        folders.update(each.result() for each in waiting)
    for folder in folders:
        sync(folder)


def write_json(path, value):
    """Write a JSON file with sorted keys atomically, see `replacing`."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True) + "\n")


def find_json(path):
    """Return the dict in a file of `write_json`, or None if the file is missing or damaged."""
    try:
        return read_json(path)
    except (OSError, UserError):
        return None


def bring_to_now(folder):
    """Set the modification times of files from the future, as left by a clock that was set back, to now.

    Their order is kept, since a product must not be older than the files that it is made from.

    Parameters
    ----------
    folder : Path
        Folder of a project.

    Returns
    -------
    int
        Number of files changed.
    """
    now, found = time.time_ns(), {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    future = {path: changed for path, changed in found.items() if changed > now + CLOCK_STEP_S * 1e9}
    places = {changed: place for place, changed in enumerate(sorted(set(future.values())))}
    for path, changed in future.items():
        # Each a microsecond after the previous one.
        os.utime(path, ns=(now + 1000 * places[changed],) * 2)
    return len(future)


def logged_digests(text):
    """Read the SHA-256 digests of the files that a job made from the text of its log, as a dict by path in the log.

    It is empty if the job did not finish.
    """
    return dict(_MADE_LINE.findall(text)) if " INFO done in " in text else {}


def put_aside(path):
    """Rename a file to a name that the workflow does not know, so that the next run makes the file again.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    Path
        The new path.
    """
    path = Path(path)
    return path.rename(path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}"))


def _log_digest(path, part):
    """Log the path and size of a new file, and its digest unless the file contains that."""
    if path.suffix in SEALED:
        log.info("made %s: %d bytes", path, part.stat().st_size)
        return
    with open(part, "rb") as content:
        log.info(_MADE, path, part.stat().st_size, hashlib.file_digest(content, "sha256").hexdigest())


def _remove_leftovers(path):
    """Remove unfinished files of killed processes on this host."""
    start = f".{path.name}.part-{platform.node()}-"
    for part in path.parent.glob(f"{glob.escape(start)}*"):
        pid = part.name.removeprefix(start)  # not a number for a host whose name begins with that of this one
        if pid.isdecimal() and not _is_alive(int(pid)):
            part.unlink(missing_ok=True)


def _is_alive(pid):
    """Return whether a process exists on this host."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def sync(path):
    """Synchronise a file, or a folder if its file system supports that, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL or not Path(path).is_dir():
            raise
    finally:
        os.close(handle)
