"""Results of the analysis of a bin: its tables and histograms, and the file of the tables."""

from dataclasses import dataclass

from vo_lib.contracts import check_table, refuse
from vo_lib.events import EVENT_COLUMNS
from vo_lib.filters import FILTER_COLUMNS
from vo_lib.finder import DETECTION_COLUMNS
from vo_lib.hdf5 import Writer
from vo_lib.periodic import PERIOD_COLUMNS
from vo_lib.properties import PROPERTY_COLUMNS
from vo_lib.quality import BIT_COLUMNS, FLAGGED_COLUMNS
from vo_lib.series_checks import BAD_DATA_COLUMNS
from vo_lib.series_table import SERIES_COLUMNS
from vo_lib.simulator import INJECTION_COLUMNS

__all__ = ["TABLES", "BinResult", "check_result", "write_analysis"]

# Tables of an analysis file and their columns; those of colours follow the properties.
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
}


@dataclass(frozen=True)
class BinResult:
    """Results of a bin.

    Parameters
    ----------
    tables : dict of str to dict of str to ndarray
        Tables by name, see `TABLES`.
    histograms : list of Histogram
        Those of `vo_lib.histogram_axes.HISTOGRAMS`.
    columns : dict of str to dict of str to tuple
        Type, unit and meaning of the columns of each table.
    """

    tables: dict
    histograms: list
    columns: dict


def check_result(plugin, sources, result):
    """Give the answer of an analysis, if it has all tables and a row of properties for each source.

    Parameters
    ----------
    plugin : Analysis
        The analysis.
    sources : dict of str to ndarray
        What its ``analyze_photometry`` was given.
    result : BinResult
        What it returned.

    Returns
    -------
    BinResult

    Raises
    ------
    PluginError
        If a table or a column is missing, or columns have other lengths.
    """
    method = "analyze_photometry"
    if not isinstance(result, BinResult) or not TABLES.keys() <= result.tables.keys() & result.columns.keys():
        refuse(plugin, method, f"a BinResult with the tables {', '.join(TABLES)}", type(result).__name__)
    for name, table in result.tables.items():
        n_rows = len(sources["name"]) if name == "properties" else len(next(iter(table.values())))
        check_table(plugin, method, table, result.columns[name], n_rows=n_rows, where=f"the table {name}")
    return result


def write_analysis(path, analysis, metadata):
    """Write the tables of an analysis to a new HDF5 file, atomically.

    Parameters
    ----------
    path : str or Path
        File to make; see `vo_lib.hdf5.Writer`.
    analysis : BinResult
        See `vo_lib.analysis.Analysis.analyze_photometry`.
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
