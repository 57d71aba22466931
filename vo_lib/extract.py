"""Rows of a project's products, bin by bin, for files and programs of others.

What is wanted is said by `Wanted`. One bin at a time is in memory, so a project of any size can be read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

import vo_lib
from vo_lib import hdf5, paths
from vo_lib.batch import COLUMNS
from vo_lib.errors import UserError, hint
from vo_lib.manifest import read_manifest
from vo_lib.provenance import check_provenance
from vo_lib.raw import read_epochs
from vo_lib.reduced import DESCRIPTIONS
from vo_lib.tables import decode_table

__all__ = ["LEVELS", "TABLES", "Wanted", "describe_extract", "extract"]

LEVELS = ("raw", "reduced", "processed")
TABLES = ("lightcurves", "detections", "events", "injections", "properties", "filters", "series")
# Columns that say whose an epoch is -> (unit, description).
LABELS = {
    "source": ("", "name of the source in the catalog"),
    "obs": ("", "survey"),
    "filter": ("", "filter"),
    "lightcurve": ("", "key of the lightcurve in its file"),
}
QFLAG = {"qflag": ("", "quality flag, 0 for good epochs; bits in the table quality_bits of the analysis file")}
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
    """

    what: str = "lightcurves"
    level: str = "reduced"
    names: tuple = ()
    bins: tuple = ()
    obs: str = ""
    filter: str = ""
    any_provenance: bool = False


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
        has rows; it can be called again.
    """

    columns: dict
    header: dict
    tables: Callable


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
        For a source, bin, survey or table that the project does not have, or a product that is not there.
    StaleProductError
        If a product has another provenance than that of now.
    """
    files = _files(plan, wanted)
    found = {(obs, _check(plan, wanted, path, obs, bin_name)) for path, obs, bin_name, _ in files}
    columns = _columns(plan, wanted, files)

    def tables():
        for path, obs, bin_name, names in files:
            table = _read(plan, wanted, path, obs, bin_name, names)
            if len(table["source"]):
                yield {name: table[name] for name in columns}

    return Extract(columns, _header(plan, wanted, found), tables)


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
    surveys = _surveys(plan, wanted) if wanted.what == "lightcurves" else [""]
    names = _names_by_bin(plan, wanted)
    if wanted.bins and (unknown := [name for name in wanted.bins if name not in plan.bins]):
        raise UserError(f"the project has no bin '{unknown[0]}'; {hint(unknown[0], plan.bins)}")
    bins = [name for name in plan.bins if not wanted.bins or name in wanted.bins]
    return [
        (_path(plan, wanted, obs, of), obs, of, names and names[of])
        for of, obs in product(bins, surveys)
        if names is None or of in names
    ]


def _surveys(plan, wanted):
    """Surveys to read."""
    known = plan.observatories
    if wanted.obs and wanted.obs.upper() not in known:
        raise UserError(f"'{wanted.obs}' is not a survey of the project; {hint(wanted.obs.upper(), known)}")
    if wanted.level == "raw" and not wanted.obs and len(known) > 1:
        raise UserError(f"raw epochs are those of one survey; say which with --obs: {', '.join(known)}")
    return [wanted.obs.upper()] if wanted.obs else known


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


def _current(plan, wanted, obs):
    """Provenance of what is wanted as it would be made now."""
    process = _process(wanted)
    return plan.provenance(process, obs if process in ("download", "reduce") else None).id


def _check(plan, wanted, path, obs, bin_name):
    """Identifier of the provenance of a file, which must be that of now unless any will do."""
    if wanted.level == "raw" and wanted.what == "lightcurves":
        path = plan.data_root / paths.manifest_file(plan.folder, obs, bin_name)
        found = read_manifest(path)[0]["provenance"]
    else:
        with hdf5.open_file(path) as file:
            found = hdf5.read_json(file, "metadata")["provenance"]
    check_provenance(path, found, None if wanted.any_provenance else _current(plan, wanted, obs))
    return found


def _header(plan, wanted, found):
    """What the head of a file says."""
    provenances = {}
    for obs, identifier in sorted(found):
        key = f"provenance of {_process(wanted)} {obs}".rstrip()
        provenances[key] = ", ".join(filter(None, (provenances.get(key), identifier)))
    is_current = all(identifier == _current(plan, wanted, obs) for obs, identifier in found)
    return {
        "content": describe_extract(plan, wanted),
        "project": plan.folder,
        "tag": plan.config["project"] if is_current else "",
        **provenances,
        "configuration": plan.digest,
        "made by": f"vo_lib {vo_lib.__version__}",
        "times": _times(plan, wanted),
    }


def _times(plan, wanted):
    """What times mean."""
    if wanted.what == "lightcurves" and wanted.level == "raw":
        system = plan.surveys[_surveys(plan, wanted)[0]].observatory.time
        return f"as the survey sent them: {system.scale.upper()} at the {system.reference}, {system.stamp} of exposures"
    return TIMES if wanted.what == "lightcurves" else "columns *_mjd and mjd_* are MJD, UTC, as mjd of lightcurves"


def _columns(plan, wanted, files):
    """Unit and description of each column."""
    if wanted.what != "lightcurves":
        return _table_columns(wanted, files)
    if wanted.level == "reduced":
        return LABELS | DESCRIPTIONS | QFLAG
    if wanted.level == "processed":
        described = (_processed_columns(path) for path, *_ in files)
        return LABELS | next(filter(None, described), DESCRIPTIONS | QFLAG)
    sent = plan.surveys[_surveys(plan, wanted)[0]].observatory.columns
    return {"source": LABELS["source"]} | {name: (unit, text) for name, (_, unit, text) in sent.items()}


def _table_columns(wanted, files):
    """Columns of a table of the analysis."""
    if not files:
        raise UserError("the project has no bins; is its catalog empty?")
    with hdf5.open_file(files[0][0]) as file:
        described = hdf5.read_json(file, "columns")[wanted.what]
        names = file[wanted.what].dtype.names
    texts = {name: (each["unit"], each["description"]) for name, each in described.items()}
    return {name: texts.get(name, ("", "")) for name in names}


def _processed_columns(path):
    """Columns of the lightcurves of a processed file; none without lightcurves."""
    with hdf5.open_file(path) as file:
        described, index = hdf5.read_json(file, "columns"), file["index"]
        names = file[index[0]["key"]].dtype.names if len(index) else ()
    return {name: (described[name]["unit"], described[name]["description"]) for name in names}


def _read(plan, wanted, path, obs, bin_name, names):
    """Table of one file."""
    if wanted.what != "lightcurves":
        return _read_rows(wanted, path, names)
    if wanted.level == "raw":
        return _read_raw(plan, path, obs, bin_name, names)
    index, counts, rows = _read_series(wanted, path, names)
    labels = {name: index["key" if name == "lightcurve" else name] for name in LABELS}
    table = {name: np.repeat(values, counts) for name, values in labels.items()} | rows
    if wanted.level == "reduced":
        table |= {"qflag": _quality_flags(plan, wanted, obs, bin_name, index["key"], counts)}
    return table


def _read_raw(plan, path, obs, bin_name, names):
    """Epochs that a survey sent of the project's sources, which must be those of its manifest."""
    _, sources = read_manifest(plan.data_root / paths.manifest_file(plan.folder, obs, bin_name))
    chosen = np.ones(len(sources["name"]), bool) if names is None else np.isin(sources["name"], list(names))
    sources = {name: values[chosen] for name, values in sources.items()}
    rows, counts = read_epochs(path, sources, plan.surveys[obs].observatory.dtype)
    return {"source": np.repeat(sources["name"], counts)} | decode_table(rows)


def _read_series(wanted, path, names):
    """Index of the wanted lightcurves of a file, their numbers of epochs and the epochs."""
    with hdf5.open_file(path) as file:
        index = hdf5.read_table(file, "index")
        chosen = _chosen(index, wanted, names)
        index = {name: values[chosen] for name, values in index.items()}
        keys = index["key"].tolist()
        kind = file[keys[0]].dtype if keys else np.dtype(list(COLUMNS.items()))
        rows = hdf5.read_flat(file, keys, index["n_epochs"], kind)
    return index, index["n_epochs"], decode_table(rows)


def _chosen(index, wanted, names):
    """Rows of an index that are wanted."""
    mask = np.ones(len(index["source"]), bool) if names is None else np.isin(index["source"], list(names))
    return np.flatnonzero(mask & (index["filter"] == wanted.filter) if wanted.filter else mask)


def _read_rows(wanted, path, names):
    """Rows of a table of the analysis; of detections the real ones."""
    with hdf5.open_file(path) as file:
        table = hdf5.read_table(file, wanted.what)
    mask = np.ones(len(table["source"]), bool) if names is None else np.isin(table["source"], list(names))
    if wanted.what == "detections":
        mask &= table["simulated"] == 0
    for name, value in (("obs", wanted.obs.upper()), ("filter", wanted.filter)):
        if value and name in table:
            mask &= table[name] == value
    return {name: values[mask] for name, values in table.items()}


def _quality_flags(plan, wanted, obs, bin_name, keys, counts):
    """Quality flags of epochs from the analysis of their bin, see `vo_lib.quality`."""
    path = plan.data_root / paths.analysis_file(plan.folder, bin_name)
    expected = None if wanted.any_provenance else plan.provenance("analyze").id
    with hdf5.open_file(path, provenance=expected) as file:
        series, flagged = hdf5.read_table(file, "series"), hdf5.read_table(file, "flagged")
    own = {key: number for number, key in enumerate(keys.tolist())}
    names = zip(series["lightcurve"].tolist(), (series["obs"] == obs).tolist(), strict=True)
    place = np.array([own.get(key, -1) if mine else -1 for key, mine in names], dtype=np.int64)
    starts = np.cumsum(counts) - counts
    qflag, where = np.zeros(int(counts.sum()), np.int64), place[flagged["series"]]
    known = where >= 0
    qflag[starts[where[known]] + flagged["epoch"][known]] = flagged["qflag"][known]
    return qflag
