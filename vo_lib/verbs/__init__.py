"""What the command ``vo`` can do, a module for each verb."""

from dataclasses import dataclass
from typing import Any

__all__ = ["Verb"]


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
