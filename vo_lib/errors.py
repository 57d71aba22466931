"""Errors that a user can mend; the message says which file, row or key, and what to do."""

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
    "PluginError",
    "ServiceError",
    "StaleProductError",
    "UnreachableError",
    "UnreadableError",
    "UserError",
    "hint",
    "own_place",
    "plain",
]

LONGEST = 4000  # characters of a message

# Control characters, ends of lines and marks that turn the direction of text: a terminal, a log or a person would
# take what follows for something else.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class UserError(Exception):
    """Base class: shown as one line, without a traceback.

    Attributes
    ----------
    path : str or Path or None
        A product that has to be made again: a job that cannot use it puts it aside.
    """

    path = None

    def __str__(self):
        """One line, see `plain`, in which a very long name or value is cut."""
        return _cut(plain(super().__str__()))


class CatalogError(UserError):
    """A catalog file that is missing, lacks a column or has unusable rows."""


class ConfigError(UserError):
    """A configuration key or value that is not known or not allowed."""


class PluginError(UserError):
    """A class of a user's own that raises, or returns what cannot be used."""


class ServiceError(UserError):
    """A survey archive or database server that gave no usable answer."""


class UnreachableError(ServiceError):
    """A survey archive that cannot be reached, or that asks to come back later."""


class StaleProductError(UserError):
    """A product that was made by other code or parameters than those asked for."""

    def __init__(self, message, path=None):
        super().__init__(message)
        self.path = path


class DamagedProductError(UserError):
    """A product that is not, or not whole, what this workflow wrote."""

    def __init__(self, path, problem):
        super().__init__(f"{path}: {problem}")
        self.path, self.problem = path, problem

    def __str__(self):
        """One line, with what to do."""
        return _cut(plain(f"{self.args[0]}; delete it and run snakemake to make it again"))


class UnreadableError(UserError):
    """A file that the system does not let be read, and that may well be whole: it stays where it is."""

    def __init__(self, path, error):
        self.problem = f"cannot be read ({os.strerror(error.errno)})"
        super().__init__(f"{path}: {self.problem}; see to its disk and permissions and give the same command again")


def _cut(line):
    """A line without its middle if it is very long; what to do is at its end."""
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1000]} ... {line[-900:]}"


def own_place(error):
    """File and line of a user's own that an error comes from, as ``in x.py line 3``; an empty text if of none."""
    libraries = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    others = tuple(f"{folder}/" for folder in (*libraries, Path(__file__).parent))
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith((*others, "<"))]
    return f"in {own[-1].filename} line {own[-1].lineno}" if own else ""


def plain(text):
    r"""Text on one line for a terminal or a log: ends of lines, control characters and the like as ``\n`` or ``\x1b``.

    Parameters
    ----------
    text : str
        Any text, also one with names that others have chosen.

    Returns
    -------
    str
    """
    return _UNSAFE.sub(lambda mark: repr(mark[0])[1:-1], text)


def hint(name, known, elsewhere=()):
    """Words for the end of a message: the known name that is most like a wrong one, else all known ones.

    What is called so ``elsewhere`` goes first.
    """
    near = elsewhere or difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known) or 'none'}"
