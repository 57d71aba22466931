"""The command ``vo``: questions about a project, and repairs, beside the workflow.

Each verb is a `Verb` of a module in `vo_lib.verbs`; a new one has a line in `VERBS`.
"""

import argparse
import os
import sys

from vo_lib.errors import UserError
from vo_lib.observatories.credentials import mask
from vo_lib.plan import read_plan
from vo_lib.verbs import adopt, estimate, fetch, resolve

__all__ = ["VERBS", "main"]

VERBS = (fetch.VERB, adopt.VERB, estimate.VERB, resolve.VERB)


def main(words=None):
    """Run the command.

    Parameters
    ----------
    words : sequence of str, optional
        The command line after ``vo``; without it that of the process.

    Returns
    -------
    int
        Exit status: 0, or 1 after one line on stderr, or 130 where the user stopped it. Words that make no command
        end the process with status 2.
    """
    arguments = _make_parser().parse_args(words)
    try:
        status = arguments.verb.run(read_plan(arguments.configfile, arguments.config), arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader, such as head, has seen enough; at its end Python would try to write again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    except (UserError, OSError) as error:
        print(f"vo {arguments.verb.name}: {mask(' '.join(str(error).split()))}", file=sys.stderr)
        return 1
    return status


def _make_parser():
    """Parser of the command, with what all verbs have."""
    parser = argparse.ArgumentParser(
        prog="vo",
        description="Ask about a project of the workflow, or mend it.",
        epilog="Example: vo estimate --configfile config/ztf_white_dwarfs.yaml; vo VERB --help tells more.",
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for verb in VERBS:
        own = verbs.add_parser(
            verb.name,
            help=verb.summary,
            description=verb.description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        verb.add_arguments(own)
        _add_plan(own)
        own.set_defaults(verb=verb)
    return parser


def _add_plan(parser):
    """Arguments that say which project it is about."""
    group = parser.add_argument_group("project")
    group.add_argument(
        "--configfile", metavar="FILE", help="the configuration (default: config/config.yaml of the project's folder)"
    )
    group.add_argument(
        "--config",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="change keys of the configuration, such as reduce.gap_days=60; values are YAML",
    )
