"""Show everything the products of the project contain about one source.

For example:

    vo show J030020-413839
    vo show J030020-413839 --json

The database is not needed. Products made by other code or another configuration than the current ones are an error,
unless --any is given.
"""

from vo_lib.access import DataStore
from vo_lib.tables import table_rows
from vo_lib.text import count_text
from vo_lib.verbs import Verb, add_json, print_found, row_lines

__all__ = ["VERB"]

LIGHTCURVE = ("obs", "filter", "series", "n_epochs", "n_good", "mjd_first", "mjd_last", "mag_median", "snr_max", "key")
DETECTION = ("obs", "filter", "peak_mjd", "duration", "snr", "score", "peak_mag", "lightcurve")


def add_arguments(parser):
    """Add the arguments of the verb."""
    parser.add_argument("name", metavar="NAME", help="name of the source in the catalog")
    parser.add_argument("--any", action="store_true", help="show products of any provenance")
    add_json(parser)


def run(plan, arguments):
    """Print catalog row, summary, lightcurves and detections."""
    store = DataStore(arguments.name, plan)
    if not arguments.any:
        store.load_prov_tree()
    found = _collect(store)
    return print_found(arguments, found, _lines(store, found))


def _collect(store):
    """Everything that the products contain about the source."""
    return {
        "source": store.row,
        "bin": store.bin,
        "properties": store.get_properties(),
        "lightcurves": [lightcurve.row for lightcurve in store.get_lightcurves()],
        "detections": table_rows(store.get_detections()),
    }


def _lines(store, found):
    """Lines with a summary of the source, its lightcurves and its detections."""
    properties, row = found["properties"], found["source"]
    yield f"{store.name} at RA {row['ra']:.6f} Dec {row['dec']:+.6f}, bin {store.bin}, project {store.plan.folder}"
    yield (
        ", ".join(count_text(properties[f"n_{noun}s"], noun) for noun in ("lightcurve", "epoch", "detection"))
        + f", interest: {properties['interest']}"
    )
    for columns, rows in ((LIGHTCURVE, found["lightcurves"]), (DETECTION, found["detections"])):
        if rows:
            yield ""
            yield from row_lines(rows, columns)


VERB = Verb("show", "show what the products contain about one source", __doc__, add_arguments, run)
