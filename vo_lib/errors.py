"""Errors that a user can fix; the message says which file, row or key is wrong, and what to do."""

import difflib
import os
import re
import sysconfig
import traceback
from pathlib import Path

__all__ = [
    "CatalogError",
    "ConfigError",
    "DamagedProductError",
    "NewerFormatError",
    "PluginError",
    "ServiceError",
    "StaleProductError",
    "UnreachableError",
    "UnreadableError",
    "UserError",
    "frames_outside",
    "hint",
    "own_place",
    "plain",
]

LONGEST = 4000  # characters of a message

# Control characters, line breaks and bidirectional marks, with which text can look like something else in a terminal
# or a log.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class UserError(Exception):
    """Base class of errors that are shown as one line, without a traceback.

    Attributes
    ----------
    path : str or Path or None
        A product that has to be made again; a job that cannot use it puts it aside.
    """

    path = None

    def __str__(self):
        """Return the message as one line, see `plain`, shortened if it is very long."""
        return _cut(plain(super().__str__()))


class CatalogError(UserError):
    """A catalog is missing, lacks a column or has unusable rows."""


class ConfigError(UserError):
    """A configuration key or value is unknown or not allowed."""


class PluginError(UserError):
    """A user-defined class raised an exception or returned something unusable."""


class ServiceError(UserError):
    """A survey archive or database server gave no usable answer."""


class UnreachableError(ServiceError):
    """A survey archive cannot be reached, or asks to be contacted again later."""


class StaleProductError(UserError):
    """A product was made by other code or parameters than requested."""

    def __init__(self, message, path=None):
        super().__init__(message)
        self.path = path


class DamagedProductError(UserError):
    """A product is damaged or incomplete, or was not written by this workflow."""

    def __init__(self, path, problem):
        super().__init__(f"{path}: {problem}")
        self.path, self.problem = path, problem

    def __str__(self):
        """Return the message as one line that ends with what to do."""
        return _cut(plain(f"{self.args[0]}; delete it and run snakemake or Project.run to make it again"))


class NewerFormatError(UserError):
    """A file is of a newer format than this version knows; it is whole, and stays where it is."""

    remedy = "upgrade vo_lib to the version that made it"

    def __init__(self, path, problem):
        super().__init__(f"{path}: {problem}; {self.remedy}")
        self.problem = problem


class UnreadableError(UserError):
    """The system cannot read a file, which may well be intact and therefore stays where it is."""

    def __init__(self, path, error):
        self.problem = f"cannot be read ({os.strerror(error.errno)})"
        super().__init__(f"{path}: {self.problem}; check its disk and permissions, then repeat the command")


def _cut(line):
    """Shorten a very long line in the middle, since its end says what to do."""
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1000]} ... {line[-900:]}"


def frames_outside(error, *folders):
    """Return the frames of an error's traceback that are neither in libraries nor in one of some folders."""
    libraries = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    others = tuple(f"{folder}/" for folder in (*libraries, *folders))
    frames = traceback.extract_tb(error.__traceback__)
    return [frame for frame in frames if not frame.filename.startswith((*others, "<"))]


def own_place(error):
    """Return the file and line of user code that an error comes from, as ``in x.py line 3``; empty if there is none."""
    own = frames_outside(error, Path(__file__).parent)
    return f"in {own[-1].filename} line {own[-1].lineno}" if own else ""


def plain(text):
    r"""Put text on one line for a terminal or a log: escape line breaks, control characters and the like, as ``\n``.

    Parameters
    ----------
    text : str
        Any text, even from untrusted sources.

    Returns
    -------
    str
    """
    return _UNSAFE.sub(lambda mark: repr(mark[0])[1:-1], text)


def hint(name, known, elsewhere=()):
    """Make the end of a message on a wrong name: suggest the most similar known name, else list all known ones.

    The first name of ``elsewhere``, if any, is suggested instead.
    """
    near = elsewhere or difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known) or 'none'}"
