"""Draw the lightcurves of a source, or one of its detections, into a file.

For example:

    vo plot J000017+173931
    vo plot J000017+173931 --filter demo-g --value flux --out star.pdf
    vo plot J000347+404202 --detection 1

Flagged epochs are hollow. The format is that of the suffix: png, pdf or svg.
"""

import numpy as np

from vo_lib.access import DataStore
from vo_lib.errors import UserError
from vo_lib.files import replacing
from vo_lib.summary import count_text
from vo_lib.verbs import Verb, add_json, print_json, table_rows

__all__ = ["VERB"]

SUFFIXES = (".png", ".pdf", ".svg")


def add_arguments(parser):
    """Arguments of the verb."""
    parser.add_argument("name", metavar="NAME", help="name of the source in the catalog")
    parser.add_argument("--out", metavar="FILE", help="file to write (default: NAME.png)")
    parser.add_argument("--obs", metavar="OBS", help="survey (default: all)")
    parser.add_argument("--filter", metavar="FILTER", help="filter, such as ztf-r (default: all)")
    parser.add_argument("--value", choices=("mag", "flux"), default="mag", help="AB mag, or microjansky (default: mag)")
    parser.add_argument("--detection", type=int, metavar="N", help="draw its N-th detection, from 1, best first")
    parser.add_argument("--any", action="store_true", help="also products of other code or another configuration")
    add_json(parser)


def run(plan, arguments):
    """Draw, and say what is in the picture."""
    from vo_lib.canvas import theme

    store = DataStore(arguments.name, plan)
    if not arguments.any:
        store.load_prov_tree()
    out = arguments.out or f"{arguments.name.replace('/', '_')}.png"
    if not out.endswith(SUFFIXES):
        raise UserError(f"{out}: a picture is one of {', '.join(SUFFIXES)}")
    with theme():
        figure, found = _draw(store, arguments) if arguments.detection is None else _draw_detection(store, arguments)
        with replacing(out) as part:
            figure.savefig(part, format=out.rpartition(".")[2])
    if arguments.json:
        print_json({"file": out} | found)
    else:
        print(f"{out}: {', '.join(count_text(number, name[:-1]) for name, number in found.items())}")
    return 0


def _draw(store, arguments):
    """Draw all lightcurves in one picture."""
    from vo_lib.plots import plot_lightcurve

    lightcurves = store.get_lightcurves(arguments.obs, filter=arguments.filter)
    if not lightcurves:
        raise UserError(f"{arguments.name} has no such lightcurves; vo show {arguments.name} lists them")
    columns = {name: np.concatenate([each.data[name] for each in lightcurves]) for name in _columns(lightcurves[0])}
    for name in ("obs", "filter"):
        columns[name] = np.repeat([each.row[name] for each in lightcurves], [len(each) for each in lightcurves])
    flagged = np.concatenate([store.get_flags(each) != 0 for each in lightcurves])
    axes = plot_lightcurve(columns, flagged=flagged, value=arguments.value)
    axes.figure.suptitle(store.name, parse_math=False)
    return axes.figure, {"lightcurves": len(lightcurves), "epochs": len(flagged), "flagged epochs": int(flagged.sum())}


def _columns(lightcurve):
    """Names of the columns of a lightcurve."""
    return lightcurve.data.dtype.names


def _draw_detection(store, arguments):
    """Draw one detection."""
    from vo_lib.plots import plot_detection

    rows = sorted(table_rows(store.get_detections()), key=lambda row: -row["score"])
    if not 1 <= arguments.detection <= len(rows):
        raise UserError(
            f"{store.name} has {count_text(len(rows), 'detection')}, so --detection {arguments.detection} is none"
        )
    row = rows[arguments.detection - 1]
    lightcurve = next(each for each in store.get_lightcurves(row["obs"]) if each.filekey == row["lightcurve"])
    columns = {name: lightcurve.data[name] for name in _columns(lightcurve)}
    columns |= {name: np.array(row[name]) for name in ("obs", "filter")}
    axes, _ = plot_detection(columns, row, flagged=store.get_flags(lightcurve) != 0, value=arguments.value)
    axes.figure.suptitle(f"{store.name}, S/N {row['snr']:.1f}", parse_math=False)
    return axes.figure, {"detections": 1, "epochs": len(lightcurve)}


VERB = Verb("plot", "draw the lightcurves or a detection of a source", __doc__, add_arguments, run)
