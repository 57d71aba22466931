"""Errors that a user can mend; the message says which file, row or key, and what to do."""

import difflib

__all__ = [
    "CatalogError",
    "ConfigError",
    "DamagedProductError",
    "PluginError",
    "ServiceError",
    "StaleProductError",
    "UserError",
    "hint",
]


class UserError(Exception):
    """Base class: shown as one line, without a traceback.

    Attributes
    ----------
    path : str or Path or None
        A product that has to be made again: a job that cannot use it puts it aside.
    """

    path = None


class CatalogError(UserError):
    """A catalog file that is missing, lacks a column or has unusable rows."""


class ConfigError(UserError):
    """A configuration key or value that is not known or not allowed."""


class PluginError(UserError):
    """A class of a user's own that raises, or returns what cannot be used."""


class ServiceError(UserError):
    """A survey archive or database server that gave no usable answer."""


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
        return f"{self.args[0]}; delete it and run snakemake, which makes it again"


def hint(name, known):
    """Words for the end of a message: the known name that is most like a wrong one, else all known ones."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known) or 'none'}"
