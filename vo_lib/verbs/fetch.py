"""Request one source from a survey and show the response; nothing is stored.

For example:

    vo fetch 'WD J0000+5123' --observatory ztf --configfile config/ztf_white_dwarfs.yaml
    vo fetch 'my star' --observatory demo --ra 45.2 --dec 12 --rows 3
    vo fetch 'my star' --observatory demo --ra 03:00:48 --dec=-12:34:56.7

The request is the same as in a download, with the parameters of the configuration. The output shows the columns of the
response with units and first rows, its metadata, and the epochs of each filter and series with their times.
"""

import argparse
import json
import re
from datetime import datetime, timedelta

import numpy as np

from vo_lib.downloads.fetch_source import count_series, fetch_source
from vo_lib.observatories.answer_text import shorten
from vo_lib.observatories.credentials import mask
from vo_lib.text import count_text, table_lines
from vo_lib.verbs import Verb, add_json, print_found

__all__ = ["VERB"]

LONGEST_CELL, LONGEST_LINE = 24, 400
MJD_ZERO = datetime(1858, 11, 17)


def add_arguments(parser):
    """Add the arguments of the verb."""
    parser.add_argument("name", metavar="NAME", help="name of the source in the catalog; any name with --ra and --dec")
    parser.add_argument("--observatory", required=True, metavar="OBS", help="survey of the configuration")
    # Without this, argparse takes a declination such as -12:34:56 for an option, except in --dec=-12:34:56.
    parser._negative_number_matcher = re.compile(r"-[0-9]")
    parser.add_argument(
        "--ra", metavar="RA", help="right ascension in degrees or as 12:34:56.7 (default: the catalog's)"
    )
    parser.add_argument(
        "--dec", metavar="DEC", help="declination in degrees or as -12:34:56.7 (default: the catalog's)"
    )
    parser.add_argument("--rows", type=_count, default=3, metavar="N", help="number of rows to show (default: 3)")
    add_json(parser)


def _count(text):
    """Parse a number of rows."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of rows, such as 3")
    return int(text)


def run(plan, arguments):
    """Print the answer: its columns, metadata, outcome, and the epochs of each series."""
    fetched = fetch_source(plan, arguments.observatory, arguments.name, ra=arguments.ra, dec=arguments.dec)
    lines = [*_columns(fetched, arguments.rows), *_beside(fetched), _headline(fetched), *_series(fetched)]
    return print_found(arguments, _described(fetched, arguments.rows), map(mask, lines))


def _described(fetched, n_rows):
    """Answer as a value for JSON, with bytes decoded."""
    data, units = fetched.data, fetched.observatory.columns
    columns = {
        name: {"type": data.dtype[name].str[1:], "unit": units.get(name, ("", ""))[1]} for name in data.dtype.names
    }
    return {
        "observatory": fetched.observatory.name,
        "release": fetched.observatory.release,
        "source": {name: fetched.row[name] for name in ("name", "ra", "dec")},
        "n_epochs": len(data),
        "seconds": round(fetched.seconds, 3),
        "columns": columns,
        "rows": [dict(zip(columns, map(_plain, row), strict=True)) for row in data[:n_rows].tolist()],
        "altdata": fetched.altdata,
        "series": count_series(fetched),
    }


def _plain(value):
    """Value of the answer, decoded if it is bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _headline(fetched):
    """Line with the survey, the source and the outcome."""
    row, observatory = fetched.row, fetched.observatory
    outcome = f"ok, {count_text(len(fetched.data), 'epoch')}" if len(fetched.data) else "empty, the survey has no data"
    return (
        f"{observatory.name} {observatory.release}".rstrip()
        + f": {row['name']} at RA {row['ra']:.6f} Dec {row['dec']:+.6f}: {outcome} (after {fetched.seconds:.1f} s)"
    )


def _columns(fetched, n_rows):
    """Line for each column of the answer, with its first rows."""
    data, described = fetched.data[:n_rows], fetched.observatory.columns
    header = ("column", "type", "unit", *(f"row {number}" for number in range(1, len(data) + 1)))
    rows = [
        (name, data.dtype[name].str[1:], described.get(name, ("", "", ""))[1], *map(_cell, data[name].tolist()))
        for name in data.dtype.names
    ]
    return [*table_lines(header, rows), ""]


def _cell(value):
    """Value as text, shortened."""
    return shorten(str(_plain(value)), LONGEST_CELL)


def _beside(fetched):
    """Line for each item of the metadata that came with the table."""
    return [*(f"{name}: {shorten(json.dumps(value), LONGEST_LINE)}" for name, value in fetched.altdata.items()), ""]


def _series(fetched):
    """Epochs of each filter and series, and the range of times."""
    found = count_series(fetched)
    if not found:
        return []
    rows = [
        (each["filter"], str(each["series"]), each["n_epochs"], each["n_bad"], _mjd(each["first"]), _mjd(each["last"]))
        for each in found
    ]
    return [*table_lines(("filter", "series", "epochs", "bad", "first MJD", "last MJD"), rows), _range(fetched, found)]


def _mjd(time):
    """Time with five decimals, about a second; empty if it is not finite."""
    return f"{time:.5f}" if np.isfinite(time) else ""


def _range(fetched, found):
    """First and last time of all series as dates."""
    times = [time for each in found for time in (each["first"], each["last"]) if np.isfinite(time)]
    if not times:
        return "no epoch has a time"
    try:
        first, last = (f"{MJD_ZERO + timedelta(days=float(time)):%Y-%m-%d}" for time in (min(times), max(times)))
    except OverflowError:
        return f"from MJD {min(times):g} to {max(times):g}, not all of which are valid dates"
    system = fetched.observatory.time
    stamp = {"mid": "middle"}.get(system.stamp, system.stamp)
    return f"from {first} to {last} ({system.scale.upper()} at the {system.reference}, {stamp} of the exposure)"


VERB = Verb("fetch", "request one source from a survey and show the response", __doc__, add_arguments, run)
