"""Write lightcurves or tables to files for other programs.

For example:

    vo export lightcurves.ecsv --name J000017+173931
    vo export detections.fits --what detections
    vo export epochs.parquet --format nested --bin RA045
    vo export series --format skyportal --name J000017+173931 --instrument-id 1 --filter-name demo-g=sdssg

Without --name, --list or --bin all sources of the project are written. Bins are read one after the other, so memory
use does not grow with the project, and the file appears only when it is complete.

    csv        with comments (#) in the header; pandas.read_csv(file, comment="#")
    ecsv       text with units and types; astropy.table.Table.read(file)
    votable    for astropy, TOPCAT, Aladin; with the time systems of the columns
    fits       one binary table, for astropy, TOPCAT
    parquet    pandas.read_parquet(file)
    nested     parquet with one row per lightcurve and its epochs as lists; nested_pandas.read_parquet(file)
    skyportal  a folder with one HDF5 file per lightcurve, for the SkyPortal API photometric_series

The header gives units, time scales, provenance and tag. Fluxes are in microjansky, magnitudes in the AB system. Times
are MJD (UTC) at the middle of the exposure (mjd), and BJD_TDB - 2400000.5 (bmjd_tdb). Raw epochs are as the survey
sent them.
"""

from pathlib import Path

from vo_lib.errors import UserError
from vo_lib.export import FORMATS, export
from vo_lib.extract import LEVELS, TABLES, Wanted, describe_extract
from vo_lib.text import count_text
from vo_lib.verbs import Verb, add_json, parse_pair, print_found

__all__ = ["VERB", "add_content", "make_wanted"]


def add_content(parser):
    """Add the arguments that select what to export of the sources."""
    parser.add_argument("--what", choices=TABLES, default="lightcurves", help="kind of rows (default: lightcurves)")
    parser.add_argument("--level", choices=LEVELS, default="reduced", help="of lightcurves (default: reduced)")
    parser.add_argument("--obs", default="", metavar="OBS", help="survey (default: all)")
    parser.add_argument("--filter", default="", metavar="FILTER", help="filter, such as ztf-r (default: all)")
    parser.add_argument("--any", action="store_true", help="also use products of other code or another configuration")


def make_wanted(arguments, names, bins=()):
    """Return the selection that the arguments of `add_content` ask for of these sources and bins."""
    content = {name: getattr(arguments, name) for name in ("what", "level", "obs", "filter")}
    return Wanted(names=tuple(names), bins=tuple(bins), any_provenance=arguments.any, **content)


def add_arguments(parser):
    """Add the arguments of the verb."""
    parser.add_argument("file", metavar="FILE", help="file to write; a folder for skyportal")
    parser.add_argument("--format", choices=FORMATS, help="format (default: by the suffix of FILE)")
    parser.add_argument("--name", nargs="+", action="extend", default=[], metavar="NAME", help="sources of the catalog")
    parser.add_argument("--list", metavar="FILE", help="file with one source name per line")
    parser.add_argument("--bin", nargs="+", action="extend", default=[], metavar="BIN", help="bins, such as RA045")
    add_content(parser)
    parser.add_argument("--instrument-id", type=int, metavar="N", help="ID of the instrument in SkyPortal")
    parser.add_argument(
        "--filter-name",
        nargs="+",
        action="extend",
        type=parse_pair,
        default=[],
        metavar="OURS=THEIRS",
        help="name of a filter in SkyPortal, one of sncosmo's (default: those that the surveys define)",
    )
    add_json(parser)


def run(plan, arguments):
    """Write the file and print what it contains."""
    wanted = make_wanted(arguments, [*arguments.name, *_listed(arguments.list)], arguments.bin)
    options = {"instrument_id": arguments.instrument_id, "filter_names": dict(arguments.filter_name)}
    number = export(plan, wanted, arguments.file, format=arguments.format, **options)
    noun = "file" if arguments.format == "skyportal" else "row"
    found = {"file": arguments.file, "content": describe_extract(plan, wanted), f"{noun}s": number}
    return print_found(arguments, found, [f"{arguments.file}: {found['content']}, {count_text(number, noun)}"])


def _listed(path):
    """Names in a file; empty without a file."""
    if path is None:
        return []
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; --list needs a file with one name per line") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8 text; convert the file") from None
    if not (names := [line.strip() for line in lines if line.strip()]):
        raise UserError(f"{path}: contains no names; write one per line")
    return names


VERB = Verb("export", "write lightcurves or tables for other programs", __doc__, add_arguments, run)
