"""What the command ``vo`` can do, a module for each verb."""

import argparse
import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from vo_lib.text import table_lines

__all__ = ["Verb", "add_json", "cell", "make_action", "parse_pair", "print_found", "print_json", "print_rows"]


@dataclass(frozen=True)
class Verb:
    """One verb of the command.

    Parameters
    ----------
    name : str
        The word on the command line.
    summary : str
        One line for the list of verbs.
    description : str
        Its help, with an example.
    add_arguments : callable, optional
        ``add_arguments(parser)`` adds its arguments to those that all verbs have.
    run : callable, optional
        ``run(plan, arguments)`` does it, prints what it found and gives the exit status.
    verbs : tuple of Verb, optional
        What follows a verb that has actions of its own, in the place of the two before.
    """

    name: str
    summary: str
    description: str
    add_arguments: Any = None
    run: Any = None
    verbs: tuple = ()


def make_action(verb, name, summary, example, add_arguments, run):
    """One action of a verb that has several, with an example of the words behind it."""
    text = f"{summary[0].upper()}{summary[1:]}.\n\nFor example:\n\n    vo {verb} {example}"
    return Verb(name, summary, text, add_arguments, run)


def add_json(parser):
    """Add ``--json``, which all verbs have that tell something."""
    parser.add_argument("--json", action="store_true", help="print JSON: an object, or a list of objects")


def print_json(value):
    """Print a JSON value; numbers that are not finite are null, and what JSON has no type for is text."""
    print(json.dumps(_plain(value), indent=1, ensure_ascii=False, default=str), flush=True)


def print_found(arguments, found, lines):
    """Print what was found or done, as JSON where the arguments say so, else lines of text; gives the exit status 0."""
    if arguments.json:
        print_json(found)
    else:
        print("\n".join(lines))
    return 0


def _plain(value):
    """A value in which numbers that are not finite are None."""
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return list(map(_plain, value))
    if isinstance(value, np.generic):
        return _plain(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def cell(row, name):
    """A value in a few characters: ten digits of places and times, six of all else; nothing where it is missing."""
    value = row[name]
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    exact = name in ("ra", "dec") or "mjd" in name
    return f"{value:.{10 if exact else 6}g}" if isinstance(value, float) else value


def print_rows(rows, columns):
    """Print dicts as a table with some of their columns; nothing without rows."""
    if rows:
        print("\n".join(table_lines(columns, [tuple(cell(row, name) for name in columns) for row in rows])))


def parse_pair(text):
    """Two names of an argument ``OURS=THEIRS``."""
    ours, equals, theirs = text.partition("=")
    if not (ours and equals and theirs):
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form OURS=THEIRS, for example mjd=time")
    return ours, theirs
