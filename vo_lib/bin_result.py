"""Results of the analysis of a bin: its tables and histograms, and the file with the tables."""

from dataclasses import dataclass, replace

import numpy as np

from vo_lib.batch import LightcurveBatch
from vo_lib.checks.series_checks import BAD_DATA_COLUMNS
from vo_lib.checks.series_table import SERIES_COLUMNS
from vo_lib.contracts import check_table, refuse, shown
from vo_lib.counts.histogram_axes import HISTOGRAMS
from vo_lib.hdf5 import Writer
from vo_lib.histograms import Histogram, merge
from vo_lib.measures.filters import FILTER_COLUMNS
from vo_lib.periods.periodic import PERIOD_COLUMNS
from vo_lib.properties import PROPERTY_COLUMNS
from vo_lib.quality import BIT_COLUMNS, FLAGGED_COLUMNS
from vo_lib.search.detections import DETECTION_COLUMNS
from vo_lib.search.detrend import LOSS_COLUMNS
from vo_lib.search.events import EVENT_COLUMNS
from vo_lib.segments import starts_from_counts
from vo_lib.simulator import INJECTION_COLUMNS
from vo_lib.tables import concatenate_tables, count_rows, describe_columns, empty_table, take_rows

__all__ = ["TABLES", "BinResult", "check_result", "concatenate_results", "write_analysis"]

# Tables of an analysis file and their columns; columns of colours follow those of the properties.
TABLES = {
    "detections": DETECTION_COLUMNS,
    "events": EVENT_COLUMNS,
    "injections": INJECTION_COLUMNS,
    "properties": PROPERTY_COLUMNS,
    "filters": FILTER_COLUMNS,
    "periods": PERIOD_COLUMNS,
    "series": SERIES_COLUMNS,
    "quality_bits": BIT_COLUMNS,
    "flagged": FLAGGED_COLUMNS,
    "bad_data": BAD_DATA_COLUMNS,
    "signal_loss": LOSS_COLUMNS,
}
# Tables that are left empty if a custom analysis does not make them.
OPTIONAL = ("signal_loss",)


@dataclass(frozen=True)
class BinResult:
    """Results of the analysis of a bin.

    Parameters
    ----------
    tables : dict of str to dict of str to ndarray
        Tables by name, see `TABLES`.
    histograms : list of Histogram
        The histograms of `vo_lib.counts.histogram_axes.HISTOGRAMS`.
    columns : dict of str to dict of str to tuple
        Type, unit and meaning of the columns of each table.
    processed, simulated : LightcurveBatch, optional
        Lightcurves as they were searched, and copies with injected events, with the columns ``qflag`` and ``snr``; the
        files of `vo_lib.reduction.processed` are made from them.
    """

    tables: dict
    histograms: list
    columns: dict
    processed: LightcurveBatch | None = None
    simulated: LightcurveBatch | None = None


def concatenate_results(results):
    """Join the results of the blocks of sources of a bin.

    Parameters
    ----------
    results : list of BinResult
        At least one, in the order of the sources.

    Returns
    -------
    BinResult
        Simulated detections follow all real ones; row numbers of lightcurves refer to the whole bin.

    Raises
    ------
    ValueError
        If the tables, their columns or the axes of histograms differ between blocks.
    """
    if len(results) == 1:
        return results[0]
    first = results[0]
    described = [{name: result.columns[name] for name in result.tables} for result in results]
    for name in {name: None for columns in described for name in columns}:
        if any(columns.get(name) != described[0].get(name) for columns in described):
            raise ValueError(f"not all blocks of a bin have the table {name} with the same columns")
    tables = {name: concatenate_tables([result.tables[name] for result in results]) for name in first.tables}
    # The bits are the same in all blocks.
    tables["quality_bits"] = first.tables["quality_bits"]
    before = starts_from_counts([len(result.tables["series"]["lightcurve"]) for result in results])[:-1].tolist()
    shifted = [result.tables["flagged"]["series"] + rows for result, rows in zip(results, before, strict=True)]
    simulated = [_counted_from(result.simulated, rows) for result, rows in zip(results, before, strict=True)]
    tables["flagged"]["series"] = np.concatenate(shifted)
    order = np.argsort(tables["detections"]["simulated"], kind="stable")
    tables["detections"] = take_rows(tables["detections"], order)
    histograms = merge({histogram.name: histogram for histogram in result.histograms} for result in results)
    return BinResult(
        tables,
        list(histograms.values()),
        first.columns,
        processed=_joined([result.processed for result in results]),
        simulated=_joined(simulated),
    )


def _joined(batches):
    """Join batches; None if there are none."""
    return None if batches[0] is None else LightcurveBatch.concatenate(batches)


def _counted_from(batch, rows):
    """Add an offset to the row numbers of the originals of injected lightcurves."""
    if batch is None:
        return None
    return replace(batch, table=batch.table | {"original": batch.table["original"] + rows})


def check_result(plugin, sources, result, *, saved=()):
    """Check that the result of an analysis has all tables and histograms, and a row of properties for each source.

    Parameters
    ----------
    plugin : Analysis
        The analysis.
    sources : dict of str to ndarray
        The sources passed to its ``analyze_photometry``.
    result : BinResult
        What it returned.
    saved : sequence of str, optional
        Lightcurves that will be saved to files: ``processed``, ``simulated``.

    Returns
    -------
    BinResult
        The result, with empty tables for those of `OPTIONAL` that it lacks.

    Raises
    ------
    PluginError
        If a table, a column, a histogram or lightcurves to be saved are missing, or the length or type of a column is
        wrong.
    """
    method, needed = "analyze_photometry", [name for name in TABLES if name not in OPTIONAL]
    if not isinstance(result, BinResult) or not {*needed} <= result.tables.keys() & result.columns.keys():
        refuse(plugin, method, f"a BinResult with the tables {', '.join(needed)}", type(result).__name__)
    if unknown := result.tables.keys() - result.columns.keys():
        refuse(plugin, method, "a BinResult with the columns of each table", f"none of the table {min(unknown)}")
    made = {histogram.name for histogram in result.histograms if isinstance(histogram, Histogram)}
    if missing := [name for name in HISTOGRAMS if name not in made]:
        refuse(plugin, method, f"a BinResult with the histograms {', '.join(HISTOGRAMS)}", f"none named {missing[0]}")
    result = _completed(result)
    for kind in saved:
        if not isinstance(found := getattr(result, kind), LightcurveBatch):
            wanted = f"a BinResult with a LightcurveBatch as {kind}, for save_{kind} is true"
            refuse(plugin, method, wanted, shown(found))
    for name, table in result.tables.items():
        n_rows = len(sources["name"]) if name == "properties" else count_rows(table)
        check_table(plugin, method, table, result.columns[name], n_rows=n_rows, where=f"the table {name}")
    return result


def _completed(result):
    """Add empty tables for the optional ones that are missing."""
    columns = {name: TABLES[name] for name in OPTIONAL if name not in result.tables}
    if not columns:
        return result
    empty = {name: empty_table(described) for name, described in columns.items()}
    return replace(result, tables=result.tables | empty, columns=result.columns | columns)


def write_analysis(path, analysis, metadata):
    """Write the tables of an analysis to a new HDF5 file, atomically.

    Parameters
    ----------
    path : str or Path
        The file to write, see `vo_lib.hdf5.Writer`.
    analysis : BinResult
        See `vo_lib.analysis.Analysis.analyze_photometry`.
    metadata : dict
        JSON values: schema, process, provenance, parameters, ...
    """
    described = {table: describe_columns(columns) for table, columns in analysis.columns.items()}
    with Writer(path) as writer:
        for name, table in analysis.tables.items():
            writer.write_table(name, table)
        writer.write_json("metadata", metadata)
        writer.write_json("columns", described)
