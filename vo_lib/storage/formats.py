"""Formats of files that several projects share, or that go from one place to another: each has a number."""

from vo_lib.errors import UserError

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
    UserError
        If the file is of a newer one; it is whole, and stays where it is.
    """
    if found > known:
        raise UserError(
            f"{path}: is of format {found}, and this version of vo_lib knows those up to {known}; upgrade vo_lib to "
            "that which made it"
        )
