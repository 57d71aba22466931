"""Print the data of one source as CSV.

For example:

    vo get J000017+173931 --filter demo-g
    vo get J000017+173931 --level raw --obs demo
    vo get J000017+173931 --what detections --json

The header (lines with #) gives units, time scales and provenance. For other formats or many sources use `vo export`.
"""

import sys

from vo_lib.exports.text import write_csv
from vo_lib.extract import extract
from vo_lib.tables import table_rows
from vo_lib.verbs import Verb, add_json, print_json
from vo_lib.verbs.export import add_content, make_wanted

__all__ = ["VERB"]


def add_arguments(parser):
    """Add the arguments of the verb."""
    parser.add_argument("name", metavar="NAME", help="name of the source in the catalog")
    add_content(parser)
    add_json(parser)


def run(plan, arguments):
    """Print the rows."""
    found = extract(plan, make_wanted(arguments, [arguments.name]))
    if arguments.json:
        print_json([row for table in found.tables() for row in table_rows(table)])
    else:
        write_csv(sys.stdout, found)
    return 0


VERB = Verb("get", "print the data of one source as CSV", __doc__, add_arguments, run)
