"""Rows of a project's products, bin by bin, for files and programs of others.

What is wanted is said by `Wanted`. One bin at a time is in memory, so a project of any size can be read.
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
from vo_lib.exports.extract_files import columns_of, read_rows, surveys_of
from vo_lib.provenance import check_provenance
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
    """What to read.

    Parameters
    ----------
    what : str, optional
        One of `TABLES`.
    level : str, optional
        One of `LEVELS`, for lightcurves.
    names : tuple of str, optional
        Sources by their names in the catalog; empty for all.
    bins : tuple of str, optional
        Bins; empty for all.
    obs : str, optional
        Survey; empty for all. Raw epochs are those of one survey, for surveys send different columns.
    filter : str, optional
        Filter such as ``ztf-r``; empty for all. Raw epochs have none.
    any_provenance : bool, optional
        Also take products of other code or parameters than those of now.

    Raises
    ------
    UserError
        For another table or level, or for raw or processed rows of a table, which has no levels.
    """

    what: str = "lightcurves"
    level: str = "reduced"
    names: tuple = ()
    bins: tuple = ()
    obs: str = ""
    filter: str = ""
    any_provenance: bool = False

    def __post_init__(self):
        """Check what there can be."""
        for name, known in (("what", TABLES), ("level", LEVELS)):
            if getattr(self, name) not in known:
                raise UserError(f"{name} is '{getattr(self, name)}'; {hint(getattr(self, name), known)}")
        if self.what != "lightcurves" and self.level != "reduced":
            raise UserError(f"{self.what} are not {self.level}, for lightcurves alone have levels; leave the level out")


@dataclass(frozen=True)
class Extract:
    """What there is to read: columns and origin.

    Parameters
    ----------
    columns : dict of str to tuple of str
        Unit and description of each column.
    header : dict of str to str
        Project, provenances, tag, meaning of times and more, for the head of a file.
    tables : callable
        ``tables()`` gives the bins one after the other: a dict of str to ndarray with the columns for each bin that
        has rows, or one without rows where none has; it can be called again.
    has_our_times : bool, optional
        Whether columns with ``mjd`` in their names are UTC at the observatory, which what a survey sent need not be.
    """

    columns: dict
    header: dict
    tables: Callable
    has_our_times: bool = True


def extract(plan, wanted):
    """Find what is wanted in the products of a project.

    Parameters
    ----------
    plan : vo_lib.plan.Plan
        The project.
    wanted : Wanted
        What to read.

    Returns
    -------
    Extract
        Rows in the order of bins, surveys and files; no rows where a source has none.

    Raises
    ------
    UserError
        For a source, bin, survey, filter or table that the project does not have, a filter of rows without one, a
        product that is not there, or, while the rows are read, a whole number of 2**63 or more.
    StaleProductError
        If a product has another provenance than that of now.

    Notes
    -----
    Products of a provenance that is marked as bad are a warning, and the header says so.
    """
    files = _files(plan, wanted)
    found = {each for path, obs, bin_name, _ in files for each in _made_by(plan, wanted, path, obs, bin_name)}
    columns = columns_of(plan, wanted, files)
    _check_filter(plan, wanted, columns)
    _check_survey(plan, wanted, columns)

    def tables():
        empty = True
        for path, obs, bin_name, names in files:
            rows = read_rows(plan, wanted, path, obs, bin_name, names)
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
    """Whole numbers and truth values, of which a survey may send any, as the type that all formats have."""
    if values.dtype.kind not in "bui":
        return values
    if values.dtype.kind == "u" and len(values) and values.max() > np.iinfo(np.int64).max:
        raise UserError(
            f"{name} is {values.max()} in a row, more than the whole numbers of other programs take; let the survey's "
            f"class give it as text"
        )
    return values.astype(np.int64)


def _check_filter(plan, wanted, columns):
    """A filter is one of the surveys', and the rows have one."""
    known = [name for survey in plan.surveys.values() for name in survey.observatory.filters]
    if wanted.filter and wanted.filter not in known:
        raise UserError(f"'{wanted.filter}' is not a filter of the project; {hint(wanted.filter, known)}")
    if wanted.filter and (wanted.level == "raw" or "filter" not in columns):
        raise UserError(f"{describe_extract(plan, wanted)} cannot be chosen by their filter; leave --filter out")


def _check_survey(plan, wanted, columns):
    """A survey is one of the project's, and the rows of a table have one."""
    if wanted.obs and wanted.what != "lightcurves":
        surveys_of(plan, wanted)
        if "obs" not in columns:
            raise UserError(f"{describe_extract(plan, wanted)} cannot be chosen by their survey; leave --obs out")


def describe_extract(plan, wanted):
    """Say in one line what is wanted, such as ``reduced lightcurves of 3 sources``."""
    kind = f"{wanted.level} lightcurves" if wanted.what == "lightcurves" else wanted.what
    whose = f"{len(wanted.names)} sources" if wanted.names else f"project {plan.folder}"
    return f"{kind} of {wanted.names[0] if len(wanted.names) == 1 else whose}"


def _process(wanted):
    """Process that makes what is wanted."""
    if wanted.what != "lightcurves":
        return "analyze"
    return {"raw": "download", "reduced": "reduce", "processed": "analyze"}[wanted.level]


def _files(plan, wanted):
    """Path, survey, bin and names (None for all) of each file to read."""
    surveys = surveys_of(plan, wanted) if wanted.what == "lightcurves" else [""]
    names = _names_by_bin(plan, wanted)
    if wanted.bins and (unknown := [name for name in wanted.bins if name not in plan.bins]):
        raise UserError(f"the project has no bin '{unknown[0]}'; {hint(unknown[0], plan.bins)}")
    bins = [name for name in plan.bins if not wanted.bins or name in wanted.bins]
    if names and names.keys().isdisjoint(bins):
        where, known = ", ".join(wanted.bins), ", ".join(names)
        raise UserError(f"{where} has none of the named sources, which are in {known}; leave the bin out")
    return [
        (_path(plan, wanted, obs, of), obs, of, names and names[of])
        for of, obs in product(bins, surveys)
        if names is None or of in names
    ]


def _names_by_bin(plan, wanted):
    """Names of the wanted sources by bin, or None for all."""
    if not wanted.names:
        return None
    found = {}
    for name in wanted.names:
        found.setdefault(plan.catalog.find(name)[1], set()).add(name)
    return found


def _path(plan, wanted, obs, bin_name):
    """File that has what is wanted of a bin."""
    if wanted.what != "lightcurves":
        return plan.data_root / paths.analysis_file(plan.folder, bin_name)
    if wanted.level == "raw":
        return plan.data_root / plan.raw_file(obs, bin_name)
    name = paths.reduced_file if wanted.level == "reduced" else paths.processed_file
    path = plan.data_root / name(plan.folder, obs, bin_name)
    if wanted.level == "processed" and not path.exists():
        raise UserError(f"{path}: no such file; processed lightcurves are kept by save_processed: true and a run")
    return path


def _made_by(plan, wanted, path, obs, bin_name):
    """Process, survey and identifier of the provenance of a file, and of the analysis that quality flags come from."""
    yield _check(plan, wanted, path, _process(wanted), obs, bin_name)
    if wanted.what == "lightcurves" and wanted.level == "reduced":
        analysis = plan.data_root / paths.analysis_file(plan.folder, bin_name)
        yield _check(plan, wanted, analysis, "analyze", "", bin_name)


def _current(plan, process, obs):
    """Identifier of what a process would make now."""
    return plan.provenance(process, obs if process in ("download", "reduce") else None).id


def _check(plan, wanted, path, process, obs, bin_name):
    """Process, survey and identifier of a file, which must be that of now unless any will do."""
    if process == "download":
        path = plan.data_root / paths.manifest_file(plan.folder, obs, bin_name)
        found = read_manifest(path)[0]["provenance"]
    else:
        with hdf5.open_file(path) as file:
            found = hdf5.read_json(file, "metadata")["provenance"]
    check_provenance(path, found, None if wanted.any_provenance else _current(plan, process, obs))
    return process, obs, found


def _header(plan, wanted, found):
    """What the head of a file says."""
    provenances = {}
    for process, obs, identifier in sorted(found, key=lambda each: (each[0] != _process(wanted), *each)):
        key = f"provenance of {process} {obs}".rstrip()
        provenances[key] = ", ".join(filter(None, (provenances.get(key), identifier)))
    is_current = all(identifier == _current(plan, process, obs) for process, obs, identifier in found)
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
    """Line of the head on provenances that are marked as bad, of which the log warns; empty without any."""
    links = [(row["id"], upstream) for row in plan.provenances for upstream in row["upstreams"]]
    marks = spread_marks(read_marks(plan.data_root), links)
    # A comment may have several lines, a head has one for it.
    marked = [identifier for *_, identifier in sorted(found) if identifier in marks]
    bad = [f"{identifier} is bad: {' '.join(marks[identifier].split())}" for identifier in marked]
    for line in bad:
        log.warning("provenance %s", line)
    return {"marked as bad": "; ".join(bad)} if bad else {}


def _sent_times(plan, wanted):
    """Time system of the survey whose raw epochs are wanted; None where times are ours."""
    is_raw = wanted.what == "lightcurves" and wanted.level == "raw"
    return plan.surveys[surveys_of(plan, wanted)[0]].observatory.time if is_raw else None


def _times(plan, wanted):
    """What times mean."""
    if system := _sent_times(plan, wanted):
        return f"as the survey sent them: {system.scale.upper()} at the {system.reference}, {system.stamp} of exposures"
    return TIMES if wanted.what == "lightcurves" else "columns *_mjd and mjd_* are MJD, UTC, as mjd of lightcurves"
