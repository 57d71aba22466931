"""Spools: one file per raw archive, for answers that have arrived but are not yet in the archive."""

import ast
import hashlib
import json
import mmap
import os
import shutil
import struct
import threading
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np

from vo_lib.files import replacing, sync
from vo_lib.raw import Answer, describe_type
from vo_lib.storage.permissions import apply_permissions

__all__ = ["Spool"]

ROOM = 2**20  # bytes, more than most answers need

# Start of a record: its mark, the SHA-256 of the rest, and the sizes of the answer's metadata and epochs [bytes].
_HEAD = struct.Struct("<16s32sQQ")
_MARK = b"\x93survey answer\r\n"


class Spool:
    """Answers for the sources of one raw file.

    An answer is synchronised to disk before the next request, so a job that is killed at any moment loses none: the
    next job finds them here. Answers are appended to one file, which is removed as a whole, because one file per answer
    takes three times as long. Only one process at a time may use a spool, with any number of threads.

    Parameters
    ----------
    path : str or Path
        The file.
    """

    def __init__(self, path):
        self.path = Path(path)
        _take_over(self.path)
        self._lock, self._places = threading.Lock(), _find_records(self.path)

    def check_room(self):
        """Raise OSError if the disk is full, before a survey is queried for answers that could not be kept."""
        with open(self.path, "ab", buffering=0) as file:
            place = file.seek(0, os.SEEK_END)
            _append(file, bytes(ROOM), place)
            file.truncate(place)

    def put(self, answer):
        """Append an answer and synchronise it to disk."""
        record = _pack(answer)
        with open(self.path, "ab", buffering=0) as file:
            with self._lock:
                place = file.seek(0, os.SEEK_END)
                _append(file, record, place)
                self._places[answer.name] = place, len(record)
            # Outside the lock, so that threads wait for the disk in parallel.
            os.fsync(file.fileno())
        if not place:
            apply_permissions(self.path, growing=True)
            sync(self.path.parent)

    def get(self, name):
        """Return the answer for a source, None if there is none or it is damaged."""
        try:
            place, size = self._places[name]
            with open(self.path, "rb") as file:
                file.seek(place)
                answer = _unpack(file.read(size))
        except Exception:  # missing, or damaged in any way
            return None
        # If another program removed the file and it was started anew, this may be the answer for another source.
        return answer if answer.name == name else None

    def names(self):
        """Return the names of the sources with answers, in the order of the first answer for each."""
        return list(self._places)

    def clear(self):
        """Remove the spool once its answers are in the raw file."""
        self.path.unlink(missing_ok=True)


def _take_over(path):
    """Replace a spool that this user can read but not write, such as that of another user, by a copy."""
    if path.exists() and not os.access(path, os.W_OK):
        with replacing(path, tidy=False) as part:
            shutil.copyfile(path, part)
        apply_permissions(path, growing=True)


def _pack(answer):
    """Record (bytes) of an answer."""
    header = json.dumps(answer.metadata() | {"dtype": describe_type(answer.data.dtype)}).encode()
    epochs = answer.data.tobytes()
    return _HEAD.pack(_MARK, hashlib.sha256(header + epochs).digest(), len(header), len(epochs)) + header + epochs


def _unpack(record):
    """Answer of a record; raises any exception if the record is damaged."""
    _, digest, n_header, n_epochs = _HEAD.unpack_from(record)
    content = record[_HEAD.size :]
    if len(content) != n_header + n_epochs or hashlib.sha256(content).digest() != digest:
        raise ValueError("not whole")
    header = json.loads(content[:n_header])
    return Answer(data=np.frombuffer(content[n_header:], _parse_type(header.pop("dtype"))), **header)


@lru_cache
def _parse_type(text):
    """Compound type described by a text of `vo_lib.raw.describe_type`."""
    return np.lib.format.descr_to_dtype(ast.literal_eval(text))


def _append(file, record, place):
    """Append a record to a file; if the disk is full, leave no part of it."""
    try:
        _write(file, record)
    except OSError:
        file.truncate(place)
        raise


def _write(file, record):
    """Write a whole record; a full disk first accepts a part of it and then raises OSError."""
    rest = memoryview(record)
    while rest:
        rest = rest[file.write(rest) :]


def _find_records(path):
    """Offset and size [bytes] of the last whole record of each source; anything between records is skipped."""
    if not path.is_file() or not path.stat().st_size:
        return {}
    found = {}
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        place = content.find(_MARK)
        while place >= 0:
            name, size = _whole_record(content, place)
            if name is not None:
                found[name] = place, size
            place = content.find(_MARK, place + size)
    return found


def _whole_record(content, place):
    """Name and size [bytes] of the record at an offset; None and 1 if it is damaged."""
    with suppress(Exception):  # damaged in any way
        _, _, n_header, n_epochs = _HEAD.unpack_from(content, place)
        size = _HEAD.size + n_header + n_epochs
        if place + size <= len(content):
            return _unpack(content[place : place + size]).name, size
    return None, 1
