"""Files that are replaced whole: after any crash the old or the new one is there."""

import json
import os
from contextlib import contextmanager
from pathlib import Path

__all__ = ["replacing", "write_json", "write_text"]


@contextmanager
def replacing(path):
    """Give a path to write to, and put that file in the place of `path` when the block succeeds.

    File and folder are synchronised to disk before the block ends; after an exception
    the new file is removed and the old one, if any, is untouched.

    Parameters
    ----------
    path : str or Path
        The file to make; its folder is created.

    Yields
    ------
    Path
        A hidden name in the same folder, used by this process alone.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part{os.getpid()}")
    try:
        yield part
        with open(part, "rb") as handle:
            os.fsync(handle.fileno())
        part.replace(path)
        _sync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)


def write_text(path, text):
    """Write a UTF-8 text file in one step, see `replacing`."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path, value):
    """Write a JSON file with sorted keys in one step, see `replacing`."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True) + "\n")


def _sync_folder(folder):
    """Make a rename durable: it is an entry of the folder, not of the file."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
