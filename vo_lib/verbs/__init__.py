"""What the command ``vo`` can do, a module for each verb."""

import argparse
import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from vo_lib.observatories.credentials import mask
from vo_lib.text import table_lines

__all__ = ["Verb", "add_json", "make_action", "parse_pair", "print_found", "print_json", "row_lines"]


@dataclass(frozen=True)
class Verb:
    """A verb of the command ``vo``.

    Parameters
    ----------
    name : str
        The word on the command line.
    summary : str
        One line for the list of verbs.
    description : str
        Its help, with an example.
    add_arguments : callable, optional
        ``add_arguments(parser)`` adds its arguments to those of all verbs.
    run : callable, optional
        ``run(plan, arguments)`` runs the verb, prints the result and returns the exit status.
    verbs : tuple of Verb, optional
        Actions of a verb that has several, in place of `add_arguments` and `run`.
    read : callable, optional
        ``read(configfile, changes)`` returns what `run` gets in place of the plan, for a verb that does without.
    """

    name: str
    summary: str
    description: str
    add_arguments: Any = None
    run: Any = None
    verbs: tuple = ()
    read: Any = None


def make_action(verb, name, summary, example, add_arguments, run):
    """Make an action of a verb that has several; `example` is what follows the verb on the command line."""
    text = f"{summary[0].upper()}{summary[1:]}.\n\nFor example:\n\n    vo {verb} {example}"
    return Verb(name, summary, text, add_arguments, run)


def add_json(parser):
    """Add the option ``--json``, which all verbs have that report something."""
    parser.add_argument("--json", action="store_true", help="print JSON: an object, or a list of objects")


def print_json(value):
    """Print a value as JSON.

    Numbers that are not finite become null, types that JSON lacks become text, and credentials are masked.
    """
    print(json.dumps(_plain(value), indent=1, ensure_ascii=False, default=str), flush=True)


def print_found(arguments, found, lines):
    """Print a result, as JSON if the arguments ask for it, else as lines of text; return the exit status 0."""
    if arguments.json:
        print_json(found)
    else:
        print("".join(f"{line}\n" for line in lines), end="")
    return 0


def _plain(value):
    """Value with None in place of numbers that are not finite, and with credentials masked."""
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return list(map(_plain, value))
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, str):
        return mask(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def row_lines(rows, columns):
    """Format dicts as the lines of a table with the given columns."""
    return table_lines(columns, [tuple(_cell(name, row[name]) for name in columns) for row in rows])


def _cell(name, value):
    """Value for a table: ten digits of positions and times, six of other numbers, empty if it is missing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    exact = name in ("ra", "dec") or "mjd" in name
    return f"{value:.{10 if exact else 6}g}" if isinstance(value, float) else value


def parse_pair(text):
    """Parse the two names of an argument ``OURS=THEIRS``."""
    ours, equals, theirs = text.partition("=")
    if not (ours and equals and theirs):
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form OURS=THEIRS, for example mjd=time")
    return ours, theirs
