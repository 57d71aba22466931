"""Draw a figure of a source or of the whole project.

For example:

    vo plot J000017+173931
    vo plot J000017+173931 --filter demo-g --flux --date --out star.pdf
    vo plot J000347+404202 --fold 0.41 --out folded.png
    vo plot J000347+404202 --what detection --number 2
    vo plot completeness --out completeness.svg

Figures of a source are lightcurve, detection, periodogram and injection; flagged epochs are drawn hollow. Figures of
the project are sky, sky_coverage, downloads, scores, coverage, filters, exposure, efficiency, completeness, rates and
detections. The suffix of the file sets the format: png, pdf or svg.
"""

import difflib
from math import inf

from vo_lib.canvas import PIXELS_PER_INCH, theme
from vo_lib.errors import CatalogError, UserError
from vo_lib.files import replacing
from vo_lib.verbs import Verb, add_json, print_found

__all__ = ["VERB"]

MOST_DPI = 2400
SUFFIXES = (".png", ".pdf", ".svg")
# Figures of a source, and the options that apply to each.
SOURCE_WORDS = {
    "lightcurve": ("obs", "filter", "flux", "date", "fold", "sigma"),
    "detection": ("number", "flux", "date"),
    "periodogram": ("obs", "filter", "flux", "date"),
    "injection": ("number", "flux", "date"),
}
OPTIONS = sorted(set().union(*SOURCE_WORDS.values()))


def add_arguments(parser):
    """Add the arguments of the verb."""
    parser.add_argument("name", metavar="NAME", help="name of the source in the catalog, or a figure of the project")
    parser.add_argument("--what", choices=list(SOURCE_WORDS), help="figure of the source (default: lightcurve)")
    parser.add_argument(
        "--number", type=int, metavar="N", help="which detection, best first, or injection (default: 1)"
    )
    parser.add_argument("--obs", metavar="OBS", help="survey (default: all)")
    parser.add_argument("--filter", metavar="FILTER", help="filter, such as ztf-r (default: all)")
    parser.add_argument(
        "--flux",
        action="store_true",
        help="fluxes in microjansky instead of AB magnitudes, which at most a tenth of the epochs may lack",
    )
    parser.add_argument("--date", action="store_true", help="dates (UTC) instead of MJD")
    parser.add_argument("--fold", type=float, metavar="DAYS", help="fold the lightcurve with this period [days]")
    parser.add_argument(
        "--sigma", type=float, metavar="N", help="shade N standard deviations about each filter's median"
    )
    parser.add_argument("--out", metavar="FILE", help="file to write (default: NAME.png)")
    parser.add_argument("--dpi", type=int, default=PIXELS_PER_INCH, metavar="N", help="pixels per inch (default: 180)")
    parser.add_argument("--any", action="store_true", help="also use products of other code or another configuration")
    add_json(parser)


def run(plan, arguments):
    """Draw the figure and print its path."""
    out = arguments.out or f"{arguments.name.replace('/', '_')}.png"
    _check(arguments)
    if not out.endswith(SUFFIXES):
        raise UserError(f"{out}: the suffix must be one of {', '.join(SUFFIXES)}; choose such a name with --out")
    what, source = _write(plan, arguments, out)
    return print_found(
        arguments, {"file": out, "figure": what, "source": source}, [f"{out}: {what} of {source or plan.folder}"]
    )


def _check_options(arguments, what):
    """Refuse options that do not apply to a figure."""
    for name in OPTIONS:
        if (
            (value := getattr(arguments, name)) is not None
            and value is not False
            and name not in SOURCE_WORDS.get(what, ())
        ):
            heed = ", ".join(word for word, names in SOURCE_WORDS.items() if name in names)
            raise UserError(f"--{name} does not apply to the figure {what}, only to these of a source: {heed}")


def _check(arguments):
    """Raise UserError for numbers out of range."""
    if not 1 <= arguments.dpi <= MOST_DPI:
        raise UserError(f"--dpi must be from 1 to {MOST_DPI}, got {arguments.dpi}")
    for name, unit in (("fold", " of days"), ("sigma", "")):
        value = getattr(arguments, name)
        if value is not None and not 0 < value < inf:
            raise UserError(f"--{name} must be a positive number{unit}, got {value:g}")


def _write(plan, arguments, out):
    """Draw into the file; return the name of the figure and its source, None for the project."""
    from vo_lib.figures import PROJECT_FIGURES

    choices = {"any_provenance": arguments.any}
    if arguments.what is None and arguments.name in PROJECT_FIGURES:
        words = (arguments.name, None)
    else:
        words = (arguments.what or "lightcurve", arguments.name)
        choices |= {"number": 1 if arguments.number is None else arguments.number}
        choices |= {name: getattr(arguments, name) for name in ("obs", "filter")}
        choices |= {"value": "flux" if arguments.flux else None, "time": "date" if arguments.date else "mjd"}
        choices |= {"period": arguments.fold, "sigma": arguments.sigma}
    _check_options(arguments, words[0])
    with theme():
        figure = _draw(plan, *words, **choices)
        with replacing(out) as part:
            figure.savefig(part, format=out.rpartition(".")[2], dpi=arguments.dpi)
    return words


def _draw(plan, what, name, **choices):
    """Draw a figure; an unknown source may be a misspelt figure of the project."""
    from vo_lib.figures import PROJECT_FIGURES, draw

    try:
        return draw(plan, what, name, **choices)
    except CatalogError as error:
        near = difflib.get_close_matches(str(name), PROJECT_FIGURES, n=1)
        raise CatalogError(f"{error}; the project has a figure '{near[0]}'") if near else error from None


VERB = Verb("plot", "draw a figure of a source or of the project", __doc__, add_arguments, run)
