"""Try a finder, a quality check, a simulator or an analysis on existing lightcurves, without the workflow.

For example:

    vo try finder
    vo try finder J000017+173931 --class extensions.flare_probability:FlareProbability --kwargs prior=0.01
    vo try analysis --class extensions.my_analysis:NewAnalysis --kwargs num_kernels=20 --json

The class is taken from --class or the configuration, with its options. It is called twice and must give the same result
both times. Its results are shown next to those of the project's own class with the same keys of the configuration, with
the time that each takes. Nothing is stored. Bad exposures are judged only by the sources that are tried.
"""

import math
import sys
from contextlib import redirect_stdout

from vo_lib.plan import read_plan
from vo_lib.text import count_text, table_lines
from vo_lib.trial import KINDS, stored_lightcurves, try_part
from vo_lib.verbs import Verb, add_json, print_found

__all__ = ["VERB"]


def add_arguments(parser):
    """Add the arguments of the verb."""
    parser.add_argument("kind", choices=sorted(KINDS), help="part of the analysis")
    parser.add_argument("names", nargs="*", metavar="NAME", help="sources of the catalog (default: the first ones)")
    parser.add_argument(
        "--class", dest="path", metavar="MODULE:CLASS", help="class to use instead of the configured one"
    )
    parser.add_argument(
        "--kwargs",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="options of the class; values are YAML",
    )
    parser.add_argument(
        "--sources", type=int, default=10, metavar="N", help="number of sources if no NAME is given (default: 10)"
    )
    add_json(parser)


def run(plan, arguments):
    """Print what the classes find."""
    kind = arguments.kind
    if arguments.path or arguments.kwargs:
        # The options of the configured class do not apply to another one.
        own = [f"{kind}.class={arguments.path}", f"{kind}.kwargs=", f"{kind}.kwargs={{}}"] if arguments.path else []
        own += [f"{kind}.kwargs.{text}" for text in arguments.kwargs]
        plan = read_plan(arguments.configfile, [*arguments.config, *own], root=plan.root)
    sources, batch = stored_lightcurves(plan, arguments.names, n_sources=arguments.sources)
    with redirect_stdout(sys.stderr):  # what a class prints is not part of the result
        trials = try_part(plan, kind, sources, batch)
    counts = {"sources": len(sources["name"]), "lightcurves": batch.n_lightcurves, "epochs": batch.n_epochs}
    return print_found(arguments, {"kind": kind, **counts, "trials": list(map(_trial, trials))}, _lines(counts, trials))


def _trial(trial):
    """Result of a class, for JSON."""
    return {"class": trial.name, "seconds_per_lightcurve": trial.seconds, "rows": trial.rows}


def _lines(counts, trials):
    """Table of the rows of all classes, grouped by lightcurve or source, and the run times."""
    names = list(dict.fromkeys(name for trial in trials for row in trial.rows for name in row))
    rows = [(row, trial.name.rpartition(":")[2]) for trial in trials for row in trial.rows]
    place = {first: number for number, first in enumerate(dict.fromkeys(row[names[0]] for row, _ in rows))}
    rows.sort(key=lambda found: (place[found[0][names[0]]], found[0].get("peak_mjd", 0)))
    table = table_lines((*names, "by"), [(*(_cell(row.get(name, "")) for name in names), by) for row, by in rows])
    yield ", ".join(count_text(number, name[:-1]) for name, number in counts.items())
    yield from ("", *(table if rows else ["nothing found"]), "")
    for trial in trials:
        yield f"{trial.name}: {count_text(len(trial.rows), 'row')}, {trial.seconds * 1000:.3g} ms per lightcurve"


def _cell(value):
    """Value as a short text."""
    return (
        value if isinstance(value, int | str) else "" if math.isnan(value) else f"{value:.5f}".rstrip("0").rstrip(".")
    )


VERB = Verb("try", "run a part of the analysis on stored lightcurves", __doc__, add_arguments, run)
