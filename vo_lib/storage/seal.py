"""Seal files with a digest at their end, which reveals any changed byte wherever the file is copied.

HDF5, and therefore netCDF, ignores what follows its own end of the file.
"""

import hashlib
import os

from vo_lib.errors import DamagedProductError

__all__ = ["SEALED", "check_seal", "is_sealed", "remove_seal", "seal"]

SEALED = (".h5", ".nc")  # suffixes of files that are sealed
MARK = b"\nsha256 "
BLOCK = 2**20  # bytes to read at a time
LENGTH = len(MARK) + 64 + 1
HDF5_END = slice(28, 36)  # end-of-file address in superblock version 3, which the files of this workflow have


def seal(path):
    """Append the SHA-256 of a file to it.

    Parameters
    ----------
    path : str or Path
        File, not open for writing.
    """
    with open(path, "rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    with open(path, "ab") as content:
        content.write(MARK + digest.encode() + b"\n")


def remove_seal(path):
    """Remove the digest at the end of a file, if it has one, so that the file can be changed."""
    with open(path, "rb+") as content:
        content.truncate(_read_end(content)[0])


def is_sealed(path):
    """Return whether a file ends with a digest; other tools remove it when they change an HDF5 file."""
    with open(path, "rb") as content:
        return _read_end(content)[1] is not None


def check_seal(path, *, older=False):
    """Check that no byte of a file has changed since it was sealed.

    Parameters
    ----------
    path : str or Path
        The file.
    older : bool, optional
        Whether to accept an HDF5 file without a digest, from before seals were introduced, if its size is the one that
        HDF5 has recorded.

    Raises
    ------
    DamagedProductError
        If the file has changed or has no digest.
    FileNotFoundError
        If the file does not exist.
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
        raise DamagedProductError(path, "has no digest at its end, so it was cut off or is not from this workflow")
    if digest.hexdigest().encode() != end:
        raise DamagedProductError(path, "does not match the digest at its end")


def _read_end(content):
    """Return the number of bytes before the digest at the end of an open file, and the digest or None."""
    size = content.seek(0, os.SEEK_END)
    content.seek(max(0, size - LENGTH))
    end = content.read()
    if len(end) < LENGTH or not end.startswith(MARK) or not end.endswith(b"\n"):
        return size, None
    return size - LENGTH, end[len(MARK) : -1]
