"""Read rows of a project's products, bin by bin, for export to other programs.

`Wanted` selects the rows. Only one bin at a time is in memory, so a project of any size can be read.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

import vo_lib
from vo_lib import hdf5, paths
from vo_lib.downloads.manifest import read_manifest
from vo_lib.errors import UserError, hint
from vo_lib.exports.extract_files import ProductFile, columns_of, read_rows, surveys_of
from vo_lib.provenance import check_provenance
from vo_lib.reduction.reduced import open_reduced
from vo_lib.storage.marks import read_marks, spread_marks

__all__ = ["LEVELS", "TABLES", "Wanted", "describe_extract", "extract"]

log = logging.getLogger(__name__)

LEVELS = ("raw", "reduced", "processed")
TABLES = ("lightcurves", "detections", "events", "injections", "properties", "filters", "series")
TIMES = (
    "mjd is MJD, UTC, in the middle of the exposure, at the observatory; "
    "bmjd_tdb is BJD_TDB - 2400000.5, in the middle of the exposure"
)


@dataclass(frozen=True)
class Wanted:
    """Selection of the rows to read.

    Parameters
    ----------
    what : str, optional
        One of `TABLES`.
    level : str, optional
        One of `LEVELS`, for lightcurves.
    names : tuple of str, optional
        Names of sources in the catalog; empty for all.
    bins : tuple of str, optional
        Names of bins; empty for all.
    obs : str, optional
        Survey; empty for all. Raw epochs must be those of one survey, since surveys send different columns.
    filter : str, optional
        Filter such as ``ztf-r``; empty for all. Raw epochs cannot be selected by filter.
    any_provenance : bool, optional
        Accept products made by other code or parameters than the current ones.

    Raises
    ------
    UserError
        If the table or the level is unknown, or a level other than ``reduced`` is given for a table other than
        ``lightcurves``, which alone has levels.
    """

    what: str = "lightcurves"
    level: str = "reduced"
    names: tuple = ()
    bins: tuple = ()
    obs: str = ""
    filter: str = ""
    any_provenance: bool = False

    def __post_init__(self):
        """Check the table and the level."""
        for name, known in (("what", TABLES), ("level", LEVELS)):
            if getattr(self, name) not in known:
                raise UserError(f"{name} is '{getattr(self, name)}'; {hint(getattr(self, name), known)}")
        if self.what != "lightcurves" and self.level != "reduced":
            raise UserError(
                f"{self.what} are not {self.level}, because only lightcurves have levels; leave the level out"
            )


@dataclass(frozen=True)
class Extract:
    """Selected rows, with their columns and origin.

    Parameters
    ----------
    columns : dict of str to tuple of str
        Unit and description of each column.
    header : dict of str to str
        Project, provenances, tag, meaning of times and more, for the header of a file.
    tables : callable
        ``tables()`` iterates over the files: it yields a dict of str to ndarray with the columns for each file that
        has rows, or a single one without rows if none has. It can be called repeatedly.
    has_our_times : bool, optional
        Whether columns with ``mjd`` in their names are UTC at the observatory, which need not hold for raw epochs.
    """

    columns: dict
    header: dict
    tables: Callable
    has_our_times: bool = True


def extract(plan, wanted):
    """Find the wanted rows in the products of a project.

    Parameters
    ----------
    plan : Plan or Project
        The project.
    wanted : Wanted
        The rows to read.

    Returns
    -------
    Extract
        Rows in the order of bins, surveys and files; sources without data have no rows.

    Raises
    ------
    UserError
        If the project does not have the source, bin, survey, filter or table, the rows cannot be selected by filter or
        survey, a product does not exist, or, while the rows are read, an integer is 2**63 or greater.
    StaleProductError
        If a product does not have the current provenance, unless any is accepted.

    Notes
    -----
    Products of a provenance that is marked as bad cause a warning, and the header says so.
    """
    plan = getattr(plan, "plan", plan)
    files = _files(plan, wanted)
    found = {each for file in files for each in _made_by(plan, wanted, file)}
    columns = columns_of(plan, wanted, files)
    _check_filter(plan, wanted, columns)
    _check_survey(plan, wanted, columns)

    def tables():
        empty = True
        for file in files:
            rows = read_rows(plan, wanted, file)
            table = {name: _plain(name, rows[name]) for name in columns}
            if len(rows["source"]):
                empty = False
                yield table
        if empty:
            yield table

    system = _sent_times(plan, wanted)
    is_ours = system is None or (system.scale, system.reference) == ("utc", "observatory")
    return Extract(columns, _header(plan, wanted, found), tables, is_ours)


def _plain(name, values):
    """Convert integers and booleans, of which a survey may send any type, to the type that all formats have."""
    if values.dtype.kind not in "bui":
        return values
    if values.dtype.kind == "u" and len(values) and values.max() > np.iinfo(np.int64).max:
        raise UserError(
            f"{name} is {values.max()} in a row, too large for the integers of other programs; let the survey's class "
            f"return it as text"
        )
    return values.astype(np.int64)


def _check_filter(plan, wanted, columns):
    """Check that a wanted filter belongs to a survey of the project, and that the rows have filters."""
    known = [name for survey in plan.surveys.values() for name in survey.observatory.filters]
    if wanted.filter and wanted.filter not in known:
        raise UserError(f"'{wanted.filter}' is not a filter of the project; {hint(wanted.filter, known)}")
    if wanted.filter and (wanted.level == "raw" or "filter" not in columns):
        raise UserError(f"{describe_extract(plan, wanted)} cannot be selected by filter; leave --filter out")


def _check_survey(plan, wanted, columns):
    """Check that a survey wanted of a table belongs to the project, and that the rows have surveys."""
    if wanted.obs and wanted.what != "lightcurves":
        surveys_of(plan, wanted)
        if "obs" not in columns:
            raise UserError(f"{describe_extract(plan, wanted)} cannot be selected by survey; leave --obs out")


def describe_extract(plan, wanted):
    """Describe in one line what is wanted, such as ``reduced lightcurves of 3 sources``."""
    kind = f"{wanted.level} lightcurves" if wanted.what == "lightcurves" else wanted.what
    whose = f"{len(wanted.names)} sources" if wanted.names else f"project {plan.folder}"
    return f"{kind} of {wanted.names[0] if len(wanted.names) == 1 else whose}"


def _process(wanted):
    """Return the process that makes what is wanted."""
    if wanted.what != "lightcurves":
        return "analyze"
    return {"raw": "download", "reduced": "reduce", "processed": "analyze"}[wanted.level]


def _files(plan, wanted):
    """List the files to read."""
    surveys = surveys_of(plan, wanted) if wanted.what == "lightcurves" else [""]
    names = _names_by_bin(plan, wanted)
    if unknown := [name for name in wanted.bins if name not in plan.bins]:
        raise UserError(f"the project has no bin '{unknown[0]}'; {hint(unknown[0], plan.bins)}")
    bins = [name for name in plan.bins if not wanted.bins or name in wanted.bins]
    if names and names.keys().isdisjoint(bins):
        where, known = ", ".join(wanted.bins), ", ".join(names)
        raise UserError(f"{where} has none of the named sources, which are in {known}; leave the bin out")
    return [
        ProductFile(_path(plan, wanted, obs, bin_name), obs, bin_name, names and names[bin_name])
        for bin_name, obs in product(bins, surveys)
        if names is None or bin_name in names
    ]


def _names_by_bin(plan, wanted):
    """Return the names of the wanted sources by bin, or None for all."""
    if not wanted.names:
        return None
    found = {}
    for name in wanted.names:
        found.setdefault(plan.catalog.find(name)[1], set()).add(name)
    return found


def _path(plan, wanted, obs, bin_name):
    """Return the path of the file with what is wanted of a bin."""
    if wanted.what != "lightcurves":
        return plan.data_root / paths.analysis_file(plan.folder, bin_name)
    if wanted.level == "raw":
        return plan.data_root / plan.raw_file(obs, bin_name)
    name = paths.reduced_file if wanted.level == "reduced" else paths.processed_file
    path = plan.data_root / name(plan.folder, obs, bin_name)
    if wanted.level == "processed" and not path.exists():
        raise UserError(
            f"{path}: no such file; set save_processed: true and run snakemake or Project.run to keep these lightcurves"
        )
    return path


def _made_by(plan, wanted, file):
    """Yield process, survey and provenance identifier of a file, and of the analysis with its quality flags.

    They must be current unless any provenance is accepted.
    """
    process = _process(wanted)
    origins = [(process, file.obs, file.path)]
    if process == "reduce":
        origins.append(("analyze", "", plan.data_root / paths.analysis_file(plan.folder, file.bin)))
    for process, obs, path in origins:
        if process == "download":
            path = plan.data_root / paths.manifest_file(plan.folder, obs, file.bin)
            found = read_manifest(path)[0]["provenance"]
        else:
            open_product = open_reduced if process == "reduce" else hdf5.open_file
            with open_product(path) as product:
                found = hdf5.read_json(product, "metadata")["provenance"]
        check_provenance(path, found, None if wanted.any_provenance else plan.provenance(process, obs).id)
        yield process, obs, found


def _header(plan, wanted, found):
    """Make the header of a file."""
    provenances = {}
    for process, obs, identifier in sorted(found, key=lambda each: (each[0] != _process(wanted), *each)):
        key = f"provenance of {process} {obs}".rstrip()
        provenances[key] = ", ".join(filter(None, (provenances.get(key), identifier)))
    is_current = all(identifier == plan.provenance(process, obs).id for process, obs, identifier in found)
    return {
        "content": describe_extract(plan, wanted),
        "project": plan.folder,
        "tag": plan.config["project"] if is_current else "",
        **provenances,
        **_bad(plan, found),
        "configuration": plan.digest if is_current else "",
        "made by": f"vo_lib {vo_lib.__version__}",
        "times": _times(plan, wanted),
    }


def _bad(plan, found):
    """Warn of provenances that are marked as bad, and return the header line on them; empty without any."""
    links = [(row["id"], upstream) for row in plan.provenances for upstream in row["upstreams"]]
    marks = spread_marks(read_marks(plan.data_root), links)
    # A comment may have several lines, but the header has one for it.
    marked = [identifier for *_, identifier in sorted(found) if identifier in marks]
    bad = [f"{identifier} is bad: {' '.join(marks[identifier].split())}" for identifier in marked]
    for line in bad:
        log.warning("provenance %s", line)
    return {"marked as bad": "; ".join(bad)} if bad else {}


def _sent_times(plan, wanted):
    """Return the time system of the survey whose raw epochs are wanted; None if the times are standard ones."""
    return plan.surveys[surveys_of(plan, wanted)[0]].observatory.time if wanted.level == "raw" else None


def _times(plan, wanted):
    """Describe the meaning of times."""
    if system := _sent_times(plan, wanted):
        return f"as the survey sent them: {system.scale.upper()} at the {system.reference}, {system.stamp} of exposures"
    return TIMES if wanted.what == "lightcurves" else "columns *_mjd and mjd_* are MJD, UTC, as mjd of lightcurves"
