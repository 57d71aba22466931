"""Formats of files that several projects share, or that go from one place to another: each has a number."""

from vo_lib.errors import NewerFormatError

__all__ = ["check_format"]


def check_format(path, found, known):
    """Check that this version can read a file of some format.

    Parameters
    ----------
    path : str or Path
        The file.
    found : int
        Number of its format, which it says of itself.
    known : int
        Number of the newest format that this version can read.

    Raises
    ------
    NewerFormatError
        If the file is of a newer one.
    """
    if found > known:
        raise NewerFormatError(path, f"has format {found}, but this version of vo_lib reads formats only up to {known}")
