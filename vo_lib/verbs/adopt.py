"""Import sources from other HDF5 files into the raw archives of the project.

For example:

    vo adopt old/*.h5 --observatory ztf --by key
    vo adopt theirs.h5 --observatory ztf --by regex 'lc_(?P<name>.+)' --columns mjd=time mag=psfmag

The files are raw archives of other data roots, or any HDF5 files with one compound dataset, group of one-dimensional
datasets or pandas frame (HDFStore, fixed or table) per source. They are only read. Each table must have the columns
that the survey sends, with a position, a time and a flux or magnitude in some of its epochs. The next run does not
download the sources that were adopted.

A table is matched with a source of the catalog by

    key               the key in the file, or its last part, is the name, optionally between --prefix and --suffix
    attribute NAME    an HDF5 attribute of the table is the name
    regex PATTERN     the group (?P<name>...) of a regular expression in the key, else in FILE/KEY, is the name
    position          the median position of the epochs is within --radius-arcsec of exactly one source

However a table is matched, epochs more than 10 arcsec (or the radius of the survey, if larger) from the position of
the source at that time are not used. The metadata of the data record their file and key, the date, and the distance.

The outcome for each table is adopted, already there (kept unless --replace), no source, ambiguous or unusable. The
exit status is 1 unless all tables are adopted or already there.
"""

from dataclasses import asdict

from vo_lib.downloads.adopt import ADOPTED, OUTCOMES, THERE, adopt
from vo_lib.downloads.matching import by_attribute, by_key, by_position, by_regex
from vo_lib.errors import ConfigError
from vo_lib.verbs import Verb, add_json, parse_pair, print_found

__all__ = ["VERB"]

WITH_ARGUMENT = {"attribute": by_attribute, "regex": by_regex}
WAYS = ("key", *WITH_ARGUMENT, "position")


def add_arguments(parser):
    """Add the arguments of the verb."""
    parser.add_argument("files", nargs="+", metavar="FILES", help="HDF5 files")
    parser.add_argument("--observatory", required=True, metavar="OBS", help="survey of the configuration")
    parser.add_argument(
        "--by", required=True, nargs="+", metavar=("WAY", "ARGUMENT"), help=f"way of matching: {', '.join(WAYS)}"
    )
    parser.add_argument("--prefix", default="", metavar="TEXT", help="text before the name in keys")
    parser.add_argument("--suffix", default="", metavar="TEXT", help="text after the name in keys")
    parser.add_argument("--radius-arcsec", type=float, default=2.0, metavar="R", help="for position (default: 2)")
    parser.add_argument(
        "--columns",
        nargs="+",
        action="extend",
        type=parse_pair,
        default=[],
        metavar="OURS=THEIRS",
        help="column names in the files, where they differ from the survey's",
    )
    parser.add_argument("--replace", action="store_true", help="overwrite data that are already in the raw archives")
    add_json(parser)


def run(plan, arguments):
    """Print the outcome of each table, and the number of tables by outcome."""
    found = adopt(
        plan,
        arguments.files,
        arguments.observatory,
        _matcher(arguments),
        columns=dict(arguments.columns),
        replace_known=arguments.replace,
    )
    found.sort(key=lambda each: OUTCOMES.index(each.outcome))
    print_found(arguments, [asdict(each) for each in found], _lines(found))
    return int(any(each.outcome not in (ADOPTED, THERE) for each in found))


def _lines(found):
    """Line for each table, and the number of tables by outcome."""
    for each in found:
        what = ": ".join(filter(None, (str(each.file), each.key, each.name and f"'{each.name}'", each.reason)))
        yield f"{each.outcome:14s}{' '.join(what.split())}"
    counts = {outcome: sum(each.outcome == outcome for each in found) for outcome in OUTCOMES}
    yield ", ".join(f"{number:,} {outcome}" for outcome, number in counts.items())


def _matcher(arguments):
    """Function that matches tables with the catalog."""
    way, *rest = arguments.by
    if way not in WAYS:
        raise ConfigError(f"--by {way} is not known; known are {', '.join(WAYS)}")
    if len(rest) != (way in WITH_ARGUMENT):
        wanted = "one argument" if way in WITH_ARGUMENT else "no argument (files go before it)"
        raise ConfigError(f"--by {way} takes {wanted}, got {len(rest)}")
    if way == "key":
        return by_key(arguments.prefix, arguments.suffix)
    return by_position(arguments.radius_arcsec) if way == "position" else WITH_ARGUMENT[way](*rest)


VERB = Verb("adopt", "import sources from other HDF5 files into the raw archives", __doc__, add_arguments, run)
