"""Show what the products of the project have of one source.

For example:

    vo show J030020-413839
    vo show J030020-413839 --json

The database is not needed. Products that were made by other code or another configuration than those of now are an
error; --any shows them all the same.
"""

import json
import math

from vo_lib.access import DataStore
from vo_lib.summary import count_text, table_lines
from vo_lib.verbs import Verb

__all__ = ["VERB"]

LIGHTCURVE = ("obs", "filter", "series", "n_epochs", "n_good", "mjd_first", "mjd_last", "mag_median", "snr_max", "key")
DETECTION = ("obs", "filter", "peak_mjd", "duration", "snr", "score", "peak_mag", "lightcurve")


def add_arguments(parser):
    """Arguments of the verb."""
    parser.add_argument("name", metavar="NAME", help="name of the source in the catalog")
    parser.add_argument("--any", action="store_true", help="show products of any provenance")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(plan, arguments):
    """Print catalog row, summary, lightcurves and detections."""
    store = DataStore(arguments.name, plan)
    if not arguments.any:
        store.load_prov_tree()
    found = _collect(store)
    print(json.dumps(found, indent=1) if arguments.json else "\n".join(_lines(store, found)))
    return 0


def _collect(store):
    """All that is known, as JSON values."""
    detections = store.get_detections()
    rows = zip(*(values.tolist() for values in detections.values()), strict=True)
    return {
        "source": _plain(store.row),
        "bin": store.bin,
        "properties": _plain(store.get_properties()),
        "lightcurves": [_plain(lightcurve.row) for lightcurve in store.get_lightcurves()],
        "detections": [_plain(dict(zip(detections, row, strict=True))) for row in rows],
    }


def _plain(row):
    """A row in which numbers that are not finite are None."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()
    }


def _lines(store, found):
    """Text of all that is known."""
    properties, row = found["properties"], found["source"]
    yield f"{store.name} at RA {row['ra']:.6f} Dec {row['dec']:+.6f}, bin {store.bin}, project {store.plan.folder}"
    yield (
        ", ".join(count_text(properties[f"n_{noun}s"], noun) for noun in ("lightcurve", "epoch", "detection"))
        + f", interest: {properties['interest']}"
    )
    for columns, rows in ((LIGHTCURVE, found["lightcurves"]), (DETECTION, found["detections"])):
        if rows:
            yield ""
            yield from table_lines(columns, [tuple(_cell(row[name]) for name in columns) for row in rows])


def _cell(value):
    """A value in a few characters."""
    if value is None:
        return ""
    return f"{value:.10g}" if isinstance(value, float) else value


VERB = Verb("show", "show what the products have of one source", __doc__, add_arguments, run)
