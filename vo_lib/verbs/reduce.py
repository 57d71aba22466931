"""Reduce one source from a raw file and show its lightcurves.

For example:

    vo reduce DEMO/DEMO_photometry_RA045.h5 --key 'my star' --observatory demo
    vo reduce DEMO/DEMO_photometry_RA045.h5 --key J1 --observatory demo --output out.h5 --config reduce.gap_days=60

The raw file contains the catalog row and everything else that is needed; no other product is read. The options are
those of `reduce` in the configuration. Nothing is stored without --output, which writes a reduced file like the
workflow's. Calibrators see only this source, so those that compare sources, such as readout_offsets, change nothing.
"""

from pathlib import Path

from vo_lib.dataset import RawPhotometry
from vo_lib.downloads.foreign_check import find_problems
from vo_lib.errors import UserError
from vo_lib.planning.survey_plan import find_survey
from vo_lib.reduction.contract import check_reduction
from vo_lib.reduction.reduced import write_reduced
from vo_lib.storage.seal import is_sealed
from vo_lib.tables import table_rows
from vo_lib.text import count_text
from vo_lib.verbs import Verb, add_json, print_found, row_lines

__all__ = ["VERB"]

COLUMNS = ("key", "filter", "series", "n_epochs", "n_good", "mjd_first", "mjd_last", "mag_median")


def add_arguments(parser):
    """Add the arguments of the verb."""
    parser.add_argument("file", metavar="FILE", help="raw file, relative to here or to the data root")
    parser.add_argument("--key", required=True, metavar="NAME", help="name of the source")
    parser.add_argument("--observatory", required=True, metavar="OBS", help="survey of the configuration")
    parser.add_argument("--output", metavar="FILE", help="reduced file to write")
    add_json(parser)


def run(plan, arguments):
    """Print the lightcurves, and what was left out."""
    survey = find_survey(plan.surveys, arguments.observatory)
    observatory, options = survey.observatory, plan.reduce_options(survey.name)
    raw = RawPhotometry.of(_checked(_find(arguments.file, plan.data_root)), arguments.key)
    reduction = check_reduction(observatory, raw.reduce(observatory, **options), len(raw))
    if arguments.output:
        write_reduced(arguments.output, [reduction], {"obs": observatory.name, "parameters": options})
    lines = _lines(raw, reduction, calibrated=bool(options.get("calibrators")))
    return print_found(arguments, table_rows(reduction.batch.table), lines)


def _find(name, data_root):
    """Path of a file in the working folder, else in the data root."""
    places = (Path(name), Path(data_root) / name)
    found = next((path for path in places if path.is_file()), None)
    if found is None:
        raise UserError(f"{name}: no such file here or in {data_root}; give the path of a raw file")
    return found


def _checked(path):
    """Path, if it is of an archive that the workflow made or of a foreign file that is safe to read; else UserError."""
    if not is_sealed(path) and (problem := find_problems([path]).get(str(path))):
        raise UserError(f"{path}: {problem}")
    return path


def _lines(raw, reduction, *, calibrated):
    """Table of the lightcurves, number of epochs used and left out, and a note on calibrators."""
    yield from row_lines(table_rows(reduction.batch.table), COLUMNS)
    left = reduction.left_out
    counts = [f"{number} {reason}" for reason, number in zip(left["reason"], left["n_epochs"], strict=True)]
    yield (
        f"{count_text(len(raw), 'raw epoch')}, {reduction.batch.n_epochs:,} in "
        f"{count_text(reduction.batch.n_lightcurves, 'lightcurve')}, left out: {', '.join(counts) or 'none'}"
    )
    if calibrated:
        yield "calibrators saw only this source; zero points from comparing the sources of a bin are missing"


VERB = Verb("reduce", "reduce one source from a raw file", __doc__, add_arguments, run)
