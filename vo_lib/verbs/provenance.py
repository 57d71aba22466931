"""Show which configuration and code made a product, and compare two of them.

For example:

    vo provenance list
    vo provenance show analyze
    vo provenance diff RA000_analysis.h5
    vo provenance mark-bad reduce --comment 'wrong zero points'

A provenance is given as

    a stage           in its current state, with the survey if there are several: analyze, reduce:ztf
    an identifier     or its first digits
    a product         the path of an HDF5 or netCDF file, relative to here or to the project's folder
    a table           rates.csv, detections.csv, events.csv or properties.csv, if it is current
    TAG/STAGE         what a tag stands for in the database: default/analyze, my_project/reduce:ztf
"""

import json
from functools import partial

from vo_lib.errors import UserError
from vo_lib.storage.differences import difference_text, flatten
from vo_lib.storage.provenance_lookup import compare_provenances, find_provenance, provenance_label
from vo_lib.text import count_text
from vo_lib.verbs import Verb, add_json, make_action, print_found, row_lines

__all__ = ["VERB"]


def _one(parser):
    """Add the argument for one provenance."""
    parser.add_argument("provenance", metavar="PROVENANCE", help="stage, identifier, product or TAG/STAGE")
    add_json(parser)


def _two(parser):
    """Add the arguments for two provenances."""
    parser.add_argument("old", metavar="A", help="stage, identifier, product or TAG/STAGE")
    parser.add_argument("new", metavar="B", nargs="?", help="the same (default: the stage of A in its current state)")
    add_json(parser)


def _marked(parser):
    """Add the argument for one provenance, and those for marking it."""
    _one(parser)
    parser.add_argument("--comment", help="what is wrong with its results")
    parser.add_argument("--take-back", action="store_true", help="remove the mark")


def list_all(plan, arguments):
    """Print the current provenances of the project."""
    rows = [row | {"obs": row["parameters"].get("observatory", "")} for row in plan.provenances]
    return print_found(arguments, plan.provenances, row_lines(rows, ("process", "obs", "id", "code")))


def show(plan, arguments):
    """Print one provenance."""
    row = find_provenance(plan, arguments.provenance)
    head = [
        f"{row['process']} {row['id']}",
        f"code: {row['code']}",
        f"upstreams: {', '.join(row['upstreams']) or 'none'}",
    ]
    values = (f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in flatten(row["parameters"]).items())
    return print_found(arguments, row, [*head, *values])


def diff(plan, arguments):
    """Print the differences; the status is 0 even if there are some."""
    old = find_provenance(plan, arguments.old)
    new = find_provenance(plan, arguments.new or provenance_label(old))
    found = compare_provenances(plan, old, new)
    lines = [f"{old['process']} {old['id']} -> {new['process']} {new['id']}: {count_text(len(found), 'difference')}"]
    lines += [difference_text(*each) for each in found]
    if not found and old["id"] != new["id"]:
        lines.append("their inputs differ, and the database does not have them")
    changes = [dict(zip(("key", "old", "new"), each, strict=True)) for each in found]
    return print_found(arguments, {"old": old["id"], "new": new["id"], "changes": changes}, lines)


def mark_bad(plan, arguments):
    """Mark a provenance, and so everything made from it, as bad, or remove the mark."""
    from vo_lib.database import tags
    from vo_lib.database.session import open_session

    if bool(arguments.comment) == arguments.take_back:
        raise UserError("give either --comment with what is wrong, or --take-back to remove the mark")
    row = find_provenance(plan, arguments.provenance)
    with open_session(plan.database_url, data_root=plan.data_root) as session:
        bad = tags.mark_bad(session, row["id"], None if arguments.take_back else arguments.comment)
    still = f", but still bad: {bad}" if arguments.take_back and bad else ""
    text = f"{row['process']} {row['id']}: {'not ' if arguments.take_back else ''}marked as bad{still}"
    return print_found(arguments, {"id": row["id"], "process": row["process"], "bad": bad}, [text])


_action = partial(make_action, "provenance")


ACTIONS = (
    _action("list", "list the current provenances", "list", add_json, list_all),
    _action("show", "show the configuration and code of one provenance", "show analyze", _one, show),
    _action("mark-bad", "mark results as unusable", "mark-bad reduce --comment 'wrong fluxes'", _marked, mark_bad),
    _action("diff", "show keys and code that differ between two", "diff RA000_analysis.h5", _two, diff),
)

VERB = Verb("provenance", "show the configuration and code of products", __doc__, verbs=ACTIONS)
