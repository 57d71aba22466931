"""Show which products of the project are up to date, and why others are not.

For example:

    vo status
    vo status --why
    vo status --stage analyze --json

Each bin and stage has one state:

    done      up to date with the configuration and the code
    empty     done, but there are no data
    failed    sources failed, the latest job ended with an error, or the product is damaged
    stale     exists, but the next run makes it again
    pending   does not exist yet

The next run of snakemake makes everything that is not done or empty. This command runs and writes nothing. Its exit
status is 1 if something failed.
"""

from vo_lib.errors import UserError, hint
from vo_lib.planning.jobs import STAGES
from vo_lib.status import STATES, project_status, status_totals
from vo_lib.tables import table_rows
from vo_lib.text import count_text, table_lines
from vo_lib.verbs import Verb, add_json, print_found

__all__ = ["VERB"]

FINE = ("done", "empty")


def add_arguments(parser):
    """Add the arguments of the verb."""
    parser.add_argument("--why", action="store_true", help="list each bin and stage that is not done, with the reason")
    parser.add_argument("--stage", choices=STAGES, metavar="STAGE", help=f"only this stage: {', '.join(STAGES)}")
    parser.add_argument("--bin", metavar="BIN", help="only this bin, such as RA045")
    add_json(parser)


def run(plan, arguments):
    """Print the states."""
    if arguments.bin is not None and arguments.bin not in plan.bins:
        raise UserError(f"the project has no bin '{arguments.bin}'; {hint(arguments.bin, plan.bins)}")
    table = project_status(plan)
    rows = [row for row in table_rows(table) if _is_wanted(row, arguments)]
    print_found(arguments, rows, [*_lines(plan, rows, arguments), *(_reasons(rows) if arguments.why else ())])
    return int(any(row["state"] == "failed" for row in rows))


def _is_wanted(row, arguments):
    """Whether a row has the requested stage and bin."""
    return arguments.stage in (None, row["stage"]) and arguments.bin in (None, row["bin"])


def _lines(plan, rows, arguments):
    """Totals of each stage, and how much is to be done."""
    totals = status_totals(rows)
    names = ("stage", "jobs", *STATES)
    yield from table_lines(names, [tuple(each[name] for name in names) for each in totals])
    todo = sum(row["state"] not in FINE for row in rows)
    number = count_text(todo, "job")
    part = "" if arguments.stage is arguments.bin is None else " in this selection"
    yield f"{plan.folder}: {f'the next run has {number}' if todo else 'nothing to be done'}{part}"


def _reasons(rows):
    """A line for each bin and stage that is not done."""
    open_ones = [row for row in rows if row["state"] not in FINE]
    names = ("stage", "obs", "bin", "state")
    lines = table_lines(names, [tuple(row[name] for name in names) for row in open_ones]) if open_ones else []
    return [f"{line}  {why}" for line, why in zip(lines, ["why", *(row["why"] for row in open_ones)], strict=False)]


VERB = Verb("status", "show which products are up to date, and why others are not", __doc__, add_arguments, run)
