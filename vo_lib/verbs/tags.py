"""List the tags of the database: names for the provenances of results.

For example:

    vo tags
    vo tags --json

The tag of a project stands for its latest sync, `default` for the latest sync of any project. `now` tells whether the
results are those of the current code and the configuration that is used here: stale results and those of other
projects are not. `bad` is what is wrong with them, see vo provenance mark-bad.
"""

from vo_lib.storage.provenance_lookup import list_tags
from vo_lib.verbs import Verb, add_json, print_found, row_lines

__all__ = ["VERB"]


def run(plan, arguments):
    """Print the tags."""
    rows = list_tags(plan)
    shown = [row | {"now": "yes" if row["is_current"] else "no"} for row in rows]
    columns = ("tag", "process", "obs", "provenance", "files", "now", "bad")
    return print_found(arguments, rows, row_lines(shown, columns) if rows else [])


VERB = Verb("tags", "list the tags of the database", __doc__, add_json, run)
