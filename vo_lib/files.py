"""Files that are replaced whole: after any crash the old or the new one is there."""

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

FULL = (errno.ENOSPC, errno.EDQUOT)  # of a disk without room
_WAITING = 8  # files that wait for the disk at a time
CLOCK_STEP_S = 2.0  # coarsest time stamps of file systems

log = logging.getLogger("vo_lib")

_MADE = "made %s: %d bytes, sha256 %s"
_MADE_LINE = re.compile(r"^[\d-]+ [\d:,]+ INFO made (.+): \d+ bytes, sha256 ([0-9a-f]{64})$", re.MULTILINE)


@contextmanager
def replacing(path, *, tidy=True, settle=True):
    """Give a path to write to, and put that file in the place of `path` when the block succeeds.

    File and folder are synchronised to disk before the block ends, with the group and modes of the configuration
    (`vo_lib.storage.permissions`); after an exception the new file is removed and the old one, if any, is untouched.

    Parameters
    ----------
    path : str or Path
        The file to make; its folder is created.
    tidy : bool, optional
        First remove what killed processes left of it, and log the digest of the new file, see `logged_digests`; that
        looks through the folder, which takes long in one with thousands of files.
    settle : bool, optional
        Synchronise the folder too; else the caller does, for all of its files at once.

    Yields
    ------
    Path
        A hidden name in the same folder, used by this process alone.

    Raises
    ------
    UserError
        For a folder, a device such as ``/dev/null`` and the like.
    OSError
        If something could not be written; of a full disk it names the file.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise UserError(f"{path}: is no file that could be replaced; name another one")
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
            error.filename = str(path)  # a write alone does not say of what
        raise
    # A rename is an entry of the folder, not of the file.
    if settle:
        sync(path.parent)


@contextmanager
def through_scratch(path):
    """Give a path on a disk of this host to write to, and copy that file to `path` when the block succeeds.

    For files that are written in many small pieces, which takes long on a network disk.

    Parameters
    ----------
    path : Path
        The file to make.

    Yields
    ------
    Path
        A file in a folder of its own below ``$VO_SCRATCH``, in which variables of the environment such as ``$TMPDIR``
        have their values on this host; `path` itself where that is not set, or names a variable that has no value here,
        as one of the nodes has none on the host that gives them their jobs.

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
        raise ConfigError(f"VO_SCRATCH is '{wanted}', and {where}; mend or unset it") from None
    with scratch as own:
        local = Path(own, path.name)
        yield local
        shutil.copyfile(local, path)


def read_json(path):
    """Read a JSON file of `write_json`.

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
        If it is no such file.
    FileNotFoundError
        If there is none.
    """
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: is not JSON as it was written ({error}); mend it or remove it") from None
    if not isinstance(value, dict):
        raise UserError(f"{path}: holds no keys as it was written; mend it or remove it")
    return value


def write_text(path, text):
    """Write a UTF-8 text file in one step, see `replacing`."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_texts(texts):
    """Write UTF-8 text files, each in one step, see `replacing`; their folders are synchronised once, at the end.

    While some wait for the disk the next are made and written, none once one cannot be written.

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
    """Write a JSON file with sorted keys in one step, see `replacing`."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True) + "\n")


def find_json(path):
    """Content of a file of `write_json` that has a dict, None where there is no such file or it is damaged."""
    try:
        return read_json(path)
    except (OSError, UserError):
        return None


def bring_to_now(folder):
    """Give files that were changed in the future, as after the clock was set back, the time of now.

    The order in which they were changed stays, for what is made of a file is to be no older than it.

    Parameters
    ----------
    folder : Path
        Folder of a project.

    Returns
    -------
    int
        How many there were.
    """
    now, found = time.time_ns(), {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    future = {path: changed for path, changed in found.items() if changed > now + CLOCK_STEP_S * 1e9}
    places = {changed: place for place, changed in enumerate(sorted(set(future.values())))}
    for path, changed in future.items():
        # A microsecond after the one before.
        os.utime(path, ns=(now + 1000 * places[changed],) * 2)
    return len(future)


def logged_digests(text):
    """SHA-256 of the files that a job made, from the text of its log: a dict by path as the job had it.

    It is empty where the job did not come to its end.
    """
    return dict(_MADE_LINE.findall(text)) if " INFO done in " in text else {}


def put_aside(path):
    """Give a file another name, which the workflow does not know, so that the next run makes the file again.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    Path
        Where it is now.
    """
    path = Path(path)
    return path.rename(path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}"))


def _log_digest(path, part):
    """Say in the log what takes the place of a file, with the digest unless it is in the file."""
    if path.suffix in SEALED:
        log.info("made %s: %d bytes", path, part.stat().st_size)
        return
    with open(part, "rb") as content:
        log.info(_MADE, path, part.stat().st_size, hashlib.file_digest(content, "sha256").hexdigest())


def _remove_leftovers(path):
    """Remove the unfinished files of processes on this host that were killed."""
    for part in path.parent.glob(f"{glob.escape(f'.{path.name}.part-{platform.node()}-')}*"):
        pid = part.name.rpartition("-")[2]
        if pid.isdecimal() and not _is_alive(int(pid)):
            part.unlink(missing_ok=True)


def _is_alive(pid):
    """Whether there is such a process on this host."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def sync(path):
    """Bring a file, or the entries of a folder where its file system can do that for folders, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL or not Path(path).is_dir():
            raise
    finally:
        os.close(handle)
