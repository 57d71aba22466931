"""Find sources, lightcurves or detections of the project in the database.

For example:

    vo find sources --ra 45.0 --dec=-41.6 --radius-arcsec 3600
    vo find detections --snr-min 8 --filter demo-g --order best --max-number 10
    vo find lightcurves --mag-range 15 18 --json
    vo find sources --tag demo_project --include-bad

All criteria must be met; an unknown value meets none. Negative values need "=", as in --dec=-41.6. A range may be open
at one end: --mag-range none 18. --filter and --obs may be given several times.
"""

import argparse
import sys

from vo_lib.criteria import CRITERIA, ORDERS
from vo_lib.errors import UserError
from vo_lib.text import count_text
from vo_lib.verbs import Verb, add_json, print_found, row_lines

__all__ = ["VERB"]

KINDS = {
    "sources": ("find_sources", ("name", "bin", "ra", "dec", "mag")),
    "lightcurves": ("find_lightcurves", ("source", "obs", "filter", "n_good", "mag_median", "snr_max", "key")),
    "detections": ("find_detections", ("source", "obs", "filter", "peak_mjd", "snr", "score", "peak_mag", "key")),
}


def add_arguments(parser):
    """Add the arguments of the verb."""
    parser.add_argument("kind", choices=KINDS, help="what to find")
    for name, meaning in CRITERIA.items():
        is_range, is_text = name.endswith("_range"), name in ("name", "ra", "dec", "filter", "obs")
        kind = {"nargs": 2, "metavar": ("FROM", "TO")} if is_range else {"metavar": "TEXT" if is_text else "N"}
        kind |= {"action": "append"} if name in ("filter", "obs") else {}
        parse = _end if is_range else str if is_text else float
        parser.add_argument(f"--{name.replace('_', '-')}", type=parse, help=meaning, **kind)
    parser.add_argument("--tag", help="only results of the provenances of this tag, see vo tags (default: all)")
    parser.add_argument("--include-bad", action="store_true", help="include results of provenances marked as bad")
    parser.add_argument(
        "--order",
        choices=ORDERS,
        default="name",
        help="order (default: name); best sorts by |S/N|, while the report sorts by score",
    )
    parser.add_argument(
        "--max-number", type=int, default=100, metavar="N", help="maximum number of rows (default: 100)"
    )
    add_json(parser)


def _end(text):
    """Parse an end of a range; None if it is open."""
    try:
        return None if text.lower() == "none" else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is neither a number nor none") from None


def run(plan, arguments):
    """Print what was found; the status is 0 even if that is nothing."""
    from vo_lib.database import find
    from vo_lib.database.existing import existing_session
    from vo_lib.database.schema import NO_TABLES

    function, columns = KINDS[arguments.kind]
    options = {name: getattr(arguments, name) for name in (*CRITERIA, "order", "tag", "include_bad")}
    with existing_session(plan) as session:
        if session is None:
            raise UserError(NO_TABLES)
        # One row more than is shown tells whether there are more.
        options["max_number"] = arguments.max_number + (arguments.max_number > 0)
        found = getattr(find, function)(session, project=plan.folder, **options)
        rows = [_row(row) for row in found[: arguments.max_number]]
        notes = ["there are more; --max-number sets how many are shown"] if len(found) > len(rows) else []
        notes += _notes(session, plan, arguments)
    lines = row_lines(rows, columns) if rows else []
    print_found(arguments, rows, [*lines, f"{count_text(len(rows), arguments.kind[:-1])} of project {plan.folder}"])
    for note in notes:
        print(f"vo find: {note}", file=sys.stderr)
    return 0


def _notes(session, plan, arguments):
    """Yield what a user should know of the provenances of the project's rows."""
    import sqlalchemy as sa

    from vo_lib.database.find import project_id
    from vo_lib.database.records import File, Provenance

    of_project = sa.exists().where(File.project_id == project_id(session, plan.folder))
    is_bad = of_project.where(File.provenance_id == Provenance.id, Provenance.is_bad)
    if not arguments.include_bad and session.scalar(sa.select(is_bad)):
        yield "results of provenances marked as bad are left out; see --include-bad"
    current = [row["id"] for row in plan.provenances]
    if session.scalar(sa.select(of_project.where(File.provenance_id.not_in(current)))):
        yield "some rows come from another configuration or other code; see vo status"


def _row(row):
    """Columns of a row, with the source's name and the key of its lightcurve."""
    cells = {column.name: getattr(row, column.name) for column in row.__table__.columns}
    if hasattr(row, "source"):
        cells["source"] = row.source.name
    if hasattr(row, "lightcurve"):
        cells["key"] = row.lightcurve.key
    return cells


VERB = Verb("find", "find sources, lightcurves or detections in the database", __doc__, add_arguments, run)
