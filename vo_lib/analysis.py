"""The analysis of a bin: quality, detections, injections, properties and histograms."""

from dataclasses import dataclass, replace

import numpy as np

from vo_lib.axes import Axis
from vo_lib.filters import FILTER_COLUMNS, STATISTIC_COLUMNS
from vo_lib.finder import DETECTION_COLUMNS, find
from vo_lib.hdf5 import Writer
from vo_lib.histograms import Histogram
from vo_lib.periodic import PERIOD_COLUMNS, search_periods
from vo_lib.properties import PROPERTY_COLUMNS, match_names, summarise
from vo_lib.quality import BIT_COLUMNS, FLAGGED_COLUMNS, QUALITY_BITS, assess, bit_table, flagged_epochs
from vo_lib.recovery import overlapping, recover
from vo_lib.segments import segment_max, segment_median, segment_sum, spread
from vo_lib.series_checks import BAD_DATA_COLUMNS
from vo_lib.simulator import INJECTION_COLUMNS, inject

__all__ = ["SERIES_COLUMNS", "TABLES", "Analysis", "analyse", "write_analysis"]

# Columns of the table of lightcurves: (type, unit, meaning).
SERIES_COLUMNS = {
    "lightcurve": ("U1", "", "key of the lightcurve in the reduced file"),
    "source": ("U1", "", "name in the catalog"),
    "obs": ("U1", "", "observatory"),
    "filter": ("U1", "", "filter of the lightcurve"),
    "n_epochs": ("i8", "", "epochs"),
    "n_flagged": ("i8", "", "epochs flagged for any reason"),
    "n_survey_flag": ("i8", "", "epochs flagged by the survey"),
    "n_offset": ("i8", "", "epochs out of place"),
    "n_bad_value": ("i8", "", "epochs without a time or a flux"),
    "n_bad_error": ("i8", "", "epochs without a positive error"),
    "n_saturated": ("i8", "", "epochs brighter than the limit of the filter"),
    "n_bad_exposure": ("i8", "", "epochs in an exposure in which many sources deviate alike"),
    "noise": ("f8", "uJy", "median noise of the unflagged epochs"),
    "best_snr": ("f8", "", "greatest |S/N| of an unflagged epoch"),
    "n_detections": ("i8", "", "real detections"),
} | STATISTIC_COLUMNS
# Tables of an analysis file and their columns; those of colours follow the properties.
TABLES = {
    "detections": DETECTION_COLUMNS,
    "injections": INJECTION_COLUMNS,
    "properties": PROPERTY_COLUMNS,
    "filters": FILTER_COLUMNS,
    "periods": PERIOD_COLUMNS,
    "series": SERIES_COLUMNS,
    "quality_bits": BIT_COLUMNS,
    "flagged": FLAGGED_COLUMNS,
    "bad_data": BAD_DATA_COLUMNS,
}


@dataclass(frozen=True)
class Analysis:
    """Results of a bin.

    Parameters
    ----------
    tables : dict of str to dict of str to ndarray
        Tables by name, see `TABLES`.
    histograms : list of Histogram
        ``all_scores``, ``good_scores`` and ``quality_values``.
    columns : dict of str to dict of str to tuple
        Type, unit and meaning of the columns of each table.
    """

    tables: dict
    histograms: list
    columns: dict


def analyse(
    sources,
    batch,
    *,
    quality=None,
    finder=None,
    simulator=None,
    periods=None,
    properties=None,
    histograms=None,
    seed=0,
):
    """Analyse all lightcurves of a bin.

    Parameters
    ----------
    sources : dict of str to ndarray, each of shape (n_sources,)
        name, ra, dec [degrees] and mag (NaN if unknown) of every source of the bin; pmra and pmdec
        [mas/yr] where known.
    batch : LightcurveBatch
        Their lightcurves from all observatories; not changed.
    quality, finder, simulator, periods, properties : dict, optional
        Keyword arguments of `vo_lib.quality.assess`, `vo_lib.finder.find`, `vo_lib.simulator.inject`,
        `vo_lib.periodic.search_periods` and `vo_lib.properties.summarise`. Where flagged epochs are removed, they are
        counted, but neither searched nor in statistics and histograms.
    histograms : dict, optional
        Keyword arguments of `fill_histograms`: ``snr_range``, ``offset_range``, ``mag_range``, each
        (least, greatest, step), and ``filters``.
    seed : int, optional
        Seed of the project.

    Returns
    -------
    Analysis
        Simulated detections follow the real ones; only those near their injected event are listed.
        Every source has one row of properties, also without data.
    """
    quality, finder = quality or {}, finder or {}
    batch = _with_motion(batch, sources)
    assessment = assess(batch, **quality)
    qflag, kept = assessment.qflag, assessment.kept
    real = _search(batch, qflag, kept, finder)
    injected, truth = inject(batch, qflag, seed=seed, **(simulator or {}))
    inherited = qflag[batch.epochs_of(injected.table["original"])[0]]
    repeated = assess(injected, inherited=inherited, **quality)
    found = _search(injected, repeated.qflag, repeated.kept, finder)
    periods = search_periods(batch, qflag == 0, seed=seed, **(periods or {}))
    summary = summarise(sources, batch, qflag, real, periods=periods, **(properties or {}))
    tables = {
        "detections": _all_detections(real, found, truth),
        "injections": recover(truth, injected.table["original"], real=real, found=found),
        "properties": summary.properties,
        "filters": summary.filters,
        "periods": periods,
        "series": _series(batch, qflag, real, summary.series),
        "quality_bits": bit_table(assessment.bits, quality.get("checks", ())),
        "flagged": flagged_epochs(qflag, batch.starts),
        "bad_data": assessment.bad_data,
    }
    columns = TABLES | {"properties": summary.columns}
    mag = sources["mag"][match_names(sources["name"], batch.table["source"])]
    measured = (values[kept] for values in (qflag, assessment.distance, real.snr))
    left = batch if kept.all() else batch.keep(kept)
    return Analysis(tables, fill_histograms(left, mag, *measured, **(histograms or {})), columns)


def _with_motion(batch, sources):
    """Batch with the proper motions of its sources in its table [mas/yr], NaN where not known."""
    owner = match_names(sources["name"], batch.table["source"])
    unknown = np.full(len(sources["name"]), np.nan)
    motion = {name: sources.get(name, unknown)[owner] for name in ("pmra", "pmdec")}
    return replace(batch, table=batch.table | motion)


def _search(batch, qflag, kept, finder):
    """Search the epochs that are kept; of the others S/N and noise are NaN, and detections count them too."""
    if kept.all():
        return find(batch, qflag, **finder)
    left = batch.keep(kept)
    finding = find(left, qflag[kept], **finder)
    rows, where, table = np.flatnonzero(kept), finding.lightcurve, finding.detections
    whole = {
        name: rows[left.starts[where] + table[name]] - batch.starts[where]
        for name in ("first_epoch", "last_epoch", "peak_epoch")
    }
    values = {name: np.full(batch.n_epochs, np.nan) for name in ("snr", "dmag", "noise")}
    for name, column in values.items():
        column[kept] = getattr(finding, name)
    return replace(finding, detections=table | whole, **values)


def _all_detections(real, found, truth):
    """Real detections, then those near an injected event marked as simulated."""
    rows = np.flatnonzero(overlapping(truth, found))
    simulated = {name: values[rows] for name, values in found.detections.items()}
    simulated["simulated"] = np.ones(len(rows), np.int64)
    simulated["injection"] = truth["injection"][found.lightcurve[rows]]
    return {name: np.concatenate([values, simulated[name]]) for name, values in real.detections.items()}


def _series(batch, qflag, finding, statistics):
    """Table with a row per lightcurve."""
    good = qflag == 0
    names = {name: batch.table["key" if name == "lightcurve" else name] for name in list(SERIES_COLUMNS)[:4]}
    flags = {name: (qflag & bit) != 0 for name, bit in QUALITY_BITS.items()}
    flags["flagged"] = qflag != 0
    table = (
        names
        | {f"n_{name}": segment_sum(mask, batch.starts) for name, mask in flags.items()}
        | statistics
        | {
            "n_epochs": batch.counts,
            "noise": segment_median(np.where(good, finding.noise, np.nan), batch.starts),
            "best_snr": segment_max(np.where(good, np.abs(finding.snr), np.nan), batch.starts),
            "n_detections": np.bincount(finding.lightcurve, minlength=batch.n_lightcurves),
        }
    )
    return {name: table[name] for name in SERIES_COLUMNS}


def fill_histograms(
    batch,
    mag,
    qflag,
    distance,
    snr,
    *,
    snr_range=(-20.0, 20.0, 0.1),
    offset_range=(0.0, 10.0, 0.1),
    mag_range=(13.0, 22.0, 0.5),
    filters=None,
):
    """Count epochs by S/N or offset, catalog magnitude of their source and filter.

    Parameters
    ----------
    batch : LightcurveBatch
        Lightcurves.
    mag : ndarray of float, shape (n_lightcurves,)
        Magnitude of each lightcurve's source in the catalog; NaN if unknown.
    qflag : ndarray of int64, shape (n_epochs,)
        0 for good epochs.
    distance, snr : ndarray of float, shape (n_epochs,)
        Offset in units of the scatter and S/N.
    snr_range, offset_range, mag_range : tuple of float, optional
        Least and greatest edge and width of the bins.
    filters : sequence of str, optional
        Labels; other filters are counted together. Default those of the batch, which only
        adds up with batches of the same filters.

    Returns
    -------
    list of Histogram
        ``all_scores``, of all epochs; ``good_scores``, of unflagged ones; ``quality_values``, of all.
    """
    labels, code = np.unique(batch.table["filter"], return_inverse=True)
    filters = tuple(labels.tolist() or ["none"]) if filters is None else tuple(filters)
    code = np.array([filters.index(label) if label in filters else -1 for label in labels.tolist()], np.int64)[code]
    axes = (
        Axis("mag", edges=_edges("mag_range", mag_range), unit="mag", description="magnitude in the catalog"),
        Axis("filter", labels=filters, description="filter of the lightcurve"),
    )
    score = Axis("snr", edges=_edges("snr_range", snr_range), description="(flux - median) / noise")
    place = Axis("offset", edges=_edges("offset_range", offset_range), description="offset in units of the scatter")
    common = {"mag": spread(mag, batch.starts), "filter": spread(code, batch.starts)}
    scores = Histogram("all_scores", (score, *axes), "S/N of all epochs")
    scores.fill(snr=snr, **common)
    # What is flagged is little, so it is quicker to count and take away than to count the rest.
    bad = np.flatnonzero(qflag)
    good_scores = Histogram("good_scores", (score, *axes), "S/N of the unflagged epochs")
    good_scores.fill(snr=snr[bad], **{name: values[bad] for name, values in common.items()})
    np.subtract(scores.counts, good_scores.counts, out=good_scores.counts)
    values = Histogram("quality_values", (place, *axes), "offsets of all epochs")
    values.fill(offset=distance, **common)
    return [scores, good_scores, values]


def _edges(name, limits):
    """Edges of equal bins from (least, greatest, step)."""
    least, greatest, step = limits
    number = round((greatest - least) / step) if step > 0 else 0
    if number < 1 or abs(least + number * step - greatest) > 1e-6 * step:
        raise ValueError(
            f"histograms.{name} must be [least, greatest, step] with a whole number of steps, got {limits}"
        )
    # Rounded to the floats that the decimal numbers are read as.
    return np.round(np.linspace(least, greatest, number + 1), 9)


def write_analysis(path, analysis, metadata):
    """Write the tables of an analysis to a new HDF5 file, atomically.

    Parameters
    ----------
    path : str or Path
        File to make; see `vo_lib.hdf5.Writer`.
    analysis : Analysis
        See `analyse`.
    metadata : dict
        JSON values: schema, process, provenance, parameters, ...
    """
    described = {
        table: {name: {"unit": unit, "description": text} for name, (_, unit, text) in columns.items()}
        for table, columns in analysis.columns.items()
    }
    with Writer(path) as writer:
        for name, table in analysis.tables.items():
            writer.write_table(name, table)
        writer.write_json("metadata", metadata)
        writer.write_json("columns", described)
