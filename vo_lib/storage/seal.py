"""A digest at the end of a file, by which any changed byte shows wherever the file is taken.

HDF5, and so netCDF, leaves what follows its own end of the file alone.
"""

import hashlib
import os

from vo_lib.errors import DamagedProductError

__all__ = ["SEALED", "check_seal", "is_sealed", "remove_seal", "seal"]

SEALED = (".h5", ".nc")  # kinds of files that have it
MARK = b"\nsha256 "
BLOCK = 2**20  # bytes that are read at a time
LENGTH = len(MARK) + 64 + 1
HDF5_END = slice(28, 36)  # of the superblock of version 3, which HDF5 files of this workflow have


def seal(path):
    """Append the SHA-256 of what is in a file.

    Parameters
    ----------
    path : str or Path
        A file that is closed.
    """
    with open(path, "rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    with open(path, "ab") as content:
        content.write(MARK + digest.encode() + b"\n")


def remove_seal(path):
    """Cut the digest off a file, so that it can be changed; one without stays as it is."""
    with open(path, "rb+") as content:
        content.truncate(_read_end(content)[0])


def is_sealed(path):
    """Whether a file has a digest at its end, which other tools take away when they change an HDF5 file."""
    with open(path, "rb") as content:
        return _read_end(content)[1] is not None


def check_seal(path, *, older=False):
    """Check that a file is, byte by byte, what was sealed.

    Parameters
    ----------
    path : str or Path
        The file.
    older : bool, optional
        Whether it may be an HDF5 file from before there were seals, which ends where HDF5 says that it does.

    Raises
    ------
    DamagedProductError
        If it is not, or has no digest.
    FileNotFoundError
        If there is no such file.
    """
    with open(path, "rb") as content:
        size, end = _read_end(content)
        content.seek(0)
        if end is None and older and int.from_bytes(content.read(HDF5_END.stop)[HDF5_END], "little") == size > 0:
            return
        content.seek(0)
        digest = hashlib.sha256()
        for start in range(0, size, BLOCK):
            digest.update(content.read(min(BLOCK, size - start)))
    if end is None:
        raise DamagedProductError(path, "has no digest at its end, so it is cut off or not of this workflow")
    if digest.hexdigest().encode() != end:
        raise DamagedProductError(path, "is not what was written, by the digest at its end")


def _read_end(content):
    """Number of bytes before the digest at the end of an open file, and that digest; None of a file without."""
    size = content.seek(0, os.SEEK_END)
    content.seek(max(0, size - LENGTH))
    end = content.read()
    if len(end) < LENGTH or not end.startswith(MARK) or not end.endswith(b"\n"):
        return size, None
    return size - LENGTH, end[len(MARK) : -1]
