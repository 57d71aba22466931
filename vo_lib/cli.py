"""The command ``vo``, which queries and repairs a project outside the workflow.

Each verb is the `VERB` of a module of `vo_lib.verbs`; a new one needs an entry in `VERBS`. A call loads only its own.
"""

import argparse
import os
import signal
import sys
import traceback
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from textwrap import shorten

from vo_lib.errors import PluginError, StaleProductError, UserError, frames_outside, plain
from vo_lib.observatories.credentials import mask
from vo_lib.plan import read_plan
from vo_lib.provenance import PACKAGE_ROOT

__all__ = ["VERBS", "load_verb", "main", "make_parser"]

VERBS = (
    "status",
    "show",
    "plot",
    "page",
    "get",
    "find",
    "export",
    "estimate",
    "fetch",
    "adopt",
    "resolve",
    "reduce",
    "try",
    "verify",
    "clean",
    "tags",
    "provenance",
    "verdicts",
    "serve",
    "db",
    "help",
    "completion",
)

# Characters shown of an unexpected error: an error of the database may quote everything that was sent to it.
MOST_TOLD = 500


def main(words=None):
    """Run the command.

    Parameters
    ----------
    words : sequence of str, optional
        The arguments after ``vo``; by default those of the process.

    Returns
    -------
    int
        Exit status: 0, also if the reader closes the pipe early; 1 after one line on stderr; 130 if interrupted by the
        user. SIGTERM ends the process with status 143, an invalid command line with 2. An error in the program or in a
        plug-in is one line too, after its traceback if the environment has ``VO_TRACEBACK=1``.
    """
    given = sys.argv[1:] if words is None else words
    parser = make_parser(given[0] if given and given[0] in VERBS else None)
    if not given:
        parser.print_help(sys.stderr)
        sys.exit(2)
    arguments = parser.parse_args(given)
    if words is None:
        signal.signal(signal.SIGTERM, _end)
        _settle_output()
    try:
        read = arguments.verb.read or _read_plan
        status = arguments.run(read(arguments.configfile, arguments.config), arguments)
        print(end="", flush=True)
    except BrokenPipeError:
        # The reader, such as head, has closed the pipe; at exit Python would try to write to it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except (UserError, OSError) as error:
        if isinstance(error, PluginError):
            _show_traceback()
        _say(arguments.verb, f"{error}{_way_round(error, arguments)}")
        return 1
    except Exception as error:
        hint = "" if _show_traceback() else "; set VO_TRACEBACK=1 to see the traceback"
        _say(
            arguments.verb, f"{type(error).__name__}: {shorten(mask(str(error)), MOST_TOLD)} (in {_place(error)}){hint}"
        )
        return 1
    return status


def _read_plan(configfile, changes):
    """Read the plan, and have files written as it says."""
    plan = read_plan(configfile, changes)
    plan.set_permissions()
    return plan


def _settle_output():
    """Write UTF-8 to files and pipes; to a terminal, escape characters that its encoding lacks."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it is closed, and a file that is opened later would take its number
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - until the end
    sys.stdout.reconfigure(**{"errors": "backslashreplace"} if sys.stdout.isatty() else {"encoding": "utf-8"})


def _end(number, _):
    """Exit cleanly, so that nothing that the process started stays behind, such as the database server."""
    sys.exit(128 + number)


def _show_traceback():
    """Print the current traceback if ``VO_TRACEBACK=1``, and return whether it was printed."""
    if wanted := os.environ.get("VO_TRACEBACK") == "1":
        print(mask(traceback.format_exc()), end="", file=sys.stderr)
    return wanted


def _say(verb, text):
    """Print one line to stderr."""
    print(f"vo {verb.name}: {plain(mask(' '.join(text.split())))}", file=sys.stderr)


def _way_round(error, arguments):
    """Suggest the option that accepts a stale product, if the verb has it."""
    has_it = isinstance(error, StaleProductError) and getattr(arguments, "any", None) is False
    return ", or use --any to read it anyway" if has_it else ""


def _place(error):
    """Return the file and line that an error comes from: the last frame outside of libraries."""
    frame = (frames_outside(error) or traceback.extract_tb(error.__traceback__))[-1]
    path = Path(frame.filename)
    return f"{path.relative_to(PACKAGE_ROOT) if path.is_relative_to(PACKAGE_ROOT) else path} line {frame.lineno}"


def load_verb(name):
    """Load a verb, one of `VERBS`; its module has its name, with an underscore if that is a word of Python."""
    return import_module(f"vo_lib.verbs.{name}{'_' * iskeyword(name)}").VERB


def make_parser(name=None):
    """Make the parser of the command with one of `VERBS`; by default with all, which takes longer."""
    parser = argparse.ArgumentParser(
        prog="vo",
        description="Inspect, query and repair a project of the workflow.",
        epilog="Example: vo estimate --configfile config/ztf_white_dwarfs.yaml. Use vo VERB --help for details.",
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for verb in map(load_verb, [name] if name else VERBS):
        _add_verb(verbs, verb, verb)
    return parser


def _add_verb(verbs, verb, first):
    """Add the parser of a verb and of its actions, if any; `first` is the verb that follows ``vo``."""
    own = verbs.add_parser(
        verb.name,
        help=verb.summary,
        description=verb.description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if verb.verbs:
        actions = own.add_subparsers(metavar="ACTION", required=True)
        for action in verb.verbs:
            _add_verb(actions, action, first)
    else:
        verb.add_arguments(own)
    _add_plan(own, again=verb is not first)
    own.set_defaults(verb=first, run=verb.run)


def _add_plan(parser, *, again):
    """Add the arguments that select the project; with `again` they do not reset what was given before the action."""
    default = {"default": argparse.SUPPRESS} if again else {}
    group = parser.add_argument_group("project")
    group.add_argument(
        "--configfile",
        metavar="FILE",
        help="configuration file (default: $VO_CONFIG, else config/config.yaml in the workflow folder)",
        **default,
    )
    group.add_argument(
        "--config",
        nargs="+",
        action="extend",
        metavar="KEY=VALUE",
        help="change keys of the configuration, such as reduce.gap_days=60; values are YAML",
        **({"default": []} | default),
    )
