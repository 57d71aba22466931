"""Trial runs of parts of an analysis, such as a finder, on existing lightcurves, without the workflow."""

import re
import time
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from vo_lib.batch import LightcurveBatch
from vo_lib.bin_result import check_result
from vo_lib.bins import Bins
from vo_lib.contracts import call, class_name
from vo_lib.downloads.manifest import read_manifest
from vo_lib.errors import CatalogError, PluginError, UserError
from vo_lib.event_simulator import check_injection
from vo_lib.paths import manifest_file, reduced_file
from vo_lib.quality_checker import check_assessment
from vo_lib.reduction.reduced import read_reduced
from vo_lib.tables import concatenate_tables, table_rows, take_rows

__all__ = ["KINDS", "Trial", "stored_lightcurves", "try_part"]

# Parts that can be tried, and the columns of their results to show.
KINDS = {
    "analysis": ("source", "interest", "n_detections", "best_snr"),
    "finder": ("lightcurve", "peak_mjd", "sign", "score", "snr", "duration", "n_epochs"),
    "quality": ("bit", "n_epochs"),
    "simulator": ("lightcurve", "injection", "kind", "peak_mjd", "width", "amplitude", "expected_snr"),
}


@dataclass(frozen=True)
class Trial:
    """Result of one class for some lightcurves.

    Parameters
    ----------
    name : str
        The class, as ``module:Class``.
    seconds : float
        Time per lightcurve [s].
    rows : list of dict
        Rows of the result with the columns in `KINDS`, and for an analysis its own columns.
    """

    name: str
    seconds: float
    rows: list


def stored_lightcurves(plan, names=(), *, n_sources=10):
    """Read the reduced lightcurves of some sources of a project.

    Parameters
    ----------
    plan : Plan
        The project.
    names : sequence of str, optional
        Names of sources in the catalog.
    n_sources : int, optional
        Without names, use this many sources with lightcurves, in the order of bins.

    Returns
    -------
    sources : dict of str to ndarray
        Catalog rows of the sources.
    batch : LightcurveBatch
        Lightcurves of the sources from all surveys.

    Raises
    ------
    UserError
        If a name is not in the catalog, `n_sources` is less than 1, or the sources have no reduced lightcurves.
    """
    if n_sources < 1:
        raise UserError(f"the number of sources must be at least 1, got {n_sources}")
    parts, number = [], 0
    for bin_name in _bins_of(plan, names) if names else plan.bins:
        sources, batch = _read_bin(plan, bin_name)
        wanted = names or np.unique(batch.table["source"])[: n_sources - number].tolist()
        rows = np.isin(sources["name"], wanted)
        chosen = take_rows(sources, rows)
        parts.append((chosen, batch.select(np.isin(batch.table["source"], wanted))))
        number += len(wanted)
        if not names and number >= n_sources:
            break
    batch = LightcurveBatch.concatenate([batch for _, batch in parts if batch.n_lightcurves])
    if not batch.n_lightcurves:
        first = plan.data_root / reduced_file(plan.folder, plan.observatories[0], plan.bins[0])
        raise UserError(
            f"{first}: no lightcurves of {', '.join(names) or 'any source'}; run snakemake or Project.run to make them"
        )
    return concatenate_tables([sources for sources, _ in parts]), batch


def _bins_of(plan, names):
    """Bins of some sources, without duplicates."""
    try:
        found = plan.catalog.find_names(names)
    except CatalogError as error:
        looks = [name for name in names if re.fullmatch(r"[A-Za-z_][\w.]*:\w+", name)]
        raise CatalogError(f"{error} (to try a class, use --class {looks[0]})" if looks else str(error)) from None
    bins = Bins(plan.config["bins"]["width_deg"])
    return [bins.name(index) for index in np.unique(bins.index(found["ra"])).tolist()]


def _read_bin(plan, bin_name):
    """Sources and lightcurves of a bin, without those of surveys that are not reduced yet."""
    files = [plan.data_root / reduced_file(plan.folder, obs, bin_name) for obs in plan.observatories]
    batch = LightcurveBatch.concatenate([read_reduced(file) for file in files if file.exists()])
    if not batch.n_lightcurves:
        return plan.catalog.rows(bin_name), batch
    manifest = manifest_file(plan.folder, plan.observatories[0], bin_name)
    return read_manifest(plan.data_root / manifest)[1], batch


def try_part(plan, kind, sources, batch):
    """Run a part of the analysis as configured and, if its class is user-defined, also the built-in class.

    Parameters
    ----------
    plan : Plan
        The project.
    kind : str
        Part of the analysis, of `KINDS`.
    sources, batch
        See `stored_lightcurves`.

    Returns
    -------
    list of Trial
        Trial of the configured class, then that of the built-in class if it is a different one.

    Raises
    ------
    UserError
        If a class cannot be instantiated, returns an invalid result, or a different result when called again.
    """
    section = plan.config[kind]
    sections = [section, section | {"class": None, "kwargs": {}}] if section["class"] else [section]
    return [_try(plan.make_analysis(**{kind: each}), kind, sources, batch) for each in sections]


def _try(analysis, kind, sources, batch):
    """Run one part of an analysis twice, and compare the results."""
    name = class_name(analysis if kind == "analysis" else getattr(analysis, kind))
    before = None if kind in ("analysis", "quality") else analysis.quality.assess(batch).qflag
    first = _RUN[kind](analysis, sources, batch, before)  # not timed, because of late imports
    start = time.perf_counter()
    rows = _RUN[kind](analysis, sources, batch, before)
    seconds = (time.perf_counter() - start) / batch.n_lightcurves
    for one, other in zip_longest(first, rows):
        if str(one) != str(other):  # NaN is not equal to itself
            raise PluginError(
                f"{name} returns something else when it is called again with the same lightcurves: {one}, then "
                f"{other}; let nothing depend on earlier calls, and seed random numbers in each call"
            )
    return Trial(name, seconds, rows)


def _run_analysis(analysis, sources, batch, _):
    """Properties of each source."""
    result = check_result(analysis, sources, call(analysis, "analyze_photometry", sources, batch))
    return _rows(result.tables["properties"], (*KINDS["analysis"], *analysis.columns))


def _run_finder(analysis, _, batch, qflag):
    """Detections."""
    return _rows(analysis.finder.find(batch, qflag).detections, KINDS["finder"])


def _run_quality(analysis, _, batch, __):
    """Number of flagged epochs for each bit."""
    found = check_assessment(analysis.quality, batch, call(analysis.quality, "assess", batch))
    counts = {name: int(np.count_nonzero(found.qflag & bit)) for name, bit in found.bits.items()}
    return [{"bit": name, "n_epochs": number} for name, number in counts.items()]


def _run_simulator(analysis, _, batch, qflag):
    """Injected events."""
    simulator = analysis.simulator
    answer = call(simulator, "inject", batch, qflag, seed=analysis.seed)
    return _rows(check_injection(simulator, batch, answer)[1], KINDS["simulator"])


def _rows(table, names):
    """Rows of a table as dicts, with selected columns."""
    return table_rows({name: table[name] for name in names})


_RUN = {
    "analysis": _run_analysis,
    "finder": _run_finder,
    "quality": _run_quality,
    "simulator": _run_simulator,
}
