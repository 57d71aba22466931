"""Make the page of the options of ``vo``: the help of each verb."""

import argparse
import os

from vo_lib.cli import make_parser


def options_of_the_command(_):
    """Return a heading and the help of each verb and of its actions."""
    os.environ["COLUMNS"] = "110"
    texts = [f"{'#' * level} {parser.prog}\n\n```text\n{parser.format_help()}```" for level, parser in parsers()]
    return "\n\n".join(texts)


def parsers():
    """Yield the level of the heading and the parser of each verb and action."""
    for verb in below(make_parser()):
        yield 2, verb
        for action in below(verb):
            yield 3, action


def below(parser):
    """Return the subparsers of a parser."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return groups[0].choices.values() if groups else ()
