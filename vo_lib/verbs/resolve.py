"""Look up the positions of targets by name, and make a catalog from a list of names.

For example:

    vo resolve AZV-148 SATURN1 --offline
    vo resolve --list names.txt --out catalogs/my_stars.csv

A name is looked up in config/target_names.yaml, then among earlier results in catalogs/names.tsv and then, unless
--offline is given, with CDS Sesame and the MAST resolver. If the project's catalog has a target under one of its names,
that name is used. A list is a text file with one name per line, or CSV with a column "name"; rows that already have a
position are not changed. Names that cannot be resolved are listed and do not stop the others.
"""

import sys

from vo_lib.errors import UserError
from vo_lib.targets.lists import complete_catalog
from vo_lib.targets.names import CACHE, TABLE, Resolver
from vo_lib.text import count_text, table_lines
from vo_lib.verbs import Verb, add_json, print_found

__all__ = ["VERB"]

HEADER = ("name", "goes under", "ra", "dec", "status")
KEYS = ("name", "goes_under", "ra", "dec", "status")  # the same in JSON


def add_arguments(parser):
    """Add the arguments of the verb."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="names to look up")
    parser.add_argument("--list", metavar="FILE", help="list of names to make a catalog from")
    parser.add_argument("--out", metavar="FILE", help="catalog to write (CSV)")
    parser.add_argument("--offline", action="store_true", help="query no service")
    add_json(parser)


def run(plan, arguments):
    """Print what the names are, or write the catalog of a list."""
    if bool(arguments.names) == bool(arguments.list) or bool(arguments.list) != bool(arguments.out):
        raise UserError("give either names, or both --list and --out")
    if arguments.list:
        return _complete(_resolver(plan, arguments, known=()), arguments)
    return _show(_resolver(plan, arguments, known=_catalog_names(plan)), arguments)


def _resolver(plan, arguments, known):
    """Resolver with the table and the cache of the project's folder."""
    return Resolver(plan.root / TABLE, plan.root / CACHE, known=known, offline=arguments.offline)


def _catalog_names(plan):
    """Names in the project's catalog; none when there is no usable catalog yet."""
    try:
        catalog = plan.catalog
    except UserError:
        return []
    return [name for bin_name in catalog.bins for name in catalog.rows(bin_name)["name"].tolist()]


def _show(resolver, arguments):
    """Print a row for each name; the status is 1 if one of them has no position."""
    names, rows = arguments.names, []
    targets = list(resolver.look_up_all(names))
    for name, target in zip(names, targets, strict=True):
        place = (None, None) if target.problem else (target.ra, target.dec)
        under = name if target.problem and not resolver.table.find(name) else resolver.get_targname(name)
        rows.append((name, under, *place, target.status))
    found = [dict(zip(KEYS, row, strict=True)) for row in rows]
    print_found(arguments, found, table_lines(HEADER, map(_cells, rows)))
    for name, target in zip(names, targets, strict=True):
        if target.problem:
            print(f"'{name}' {target.problem}", file=sys.stderr)
    return int(any(target.problem for target in targets))


def _cells(row):
    """Texts of a row."""
    name, under, ra, dec, status = row
    return name, under, "" if ra is None else f"{ra:.6f}", "" if dec is None else f"{dec:+.6f}", status


def _complete(resolver, arguments):
    """Write a catalog; the status is 1 if names of the list are not in it."""
    found = complete_catalog(arguments.list, arguments.out, resolver)
    for problem in found.problems:
        print(problem.message, file=sys.stderr)
    numbers = {"file": arguments.out, "n_sources": len(found.rows), "n_left_out": len(found.problems)}
    sources, names = count_text(len(found.rows), "source"), count_text(len(found.problems), "name")
    print_found(arguments, numbers, [f"{arguments.out}: {sources}, {names} left out"])
    return int(bool(found.problems))


VERB = Verb("resolve", "look up the positions of targets by name", __doc__, add_arguments, run)
