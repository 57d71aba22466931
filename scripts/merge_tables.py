"""Put the detections, events and properties of all bins of a project into a CSV file each."""

import csv
import math

import numpy as np

from vo_lib import hdf5
from vo_lib.files import replacing
from vo_lib.paths import analysis_file


def main(project, detections, events, properties, *, params):
    """Make the tables of a project: real detections and events by falling score, properties by bin and name."""
    parts = {"detections": [], "events": [], "properties": []}
    for bin_name in params["bins"]:
        with hdf5.open_file(analysis_file(project, bin_name), provenance=params["provenance"]) as file:
            for name, tables in parts.items():
                tables.append(hdf5.read_table(file, name))
    found, merged, summaries = (_concatenate(tables) for tables in parts.values())
    _write_csv(detections, _best_first(found, found["simulated"] == 0))
    _write_csv(events, _best_first(merged, np.ones(len(merged["score"]), bool)))
    _write_csv(properties, summaries)


def _best_first(table, wanted):
    """Wanted rows of a table by falling score."""
    rows = np.flatnonzero(wanted)
    rows = rows[np.lexsort((table["peak_mjd"][rows], table["source"][rows], -table["score"][rows]))]
    return {name: values[rows] for name, values in table.items()}


def _concatenate(tables):
    """Rows of several tables with the same columns."""
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def _write_csv(path, table):
    """Write a table; a missing number is an empty cell."""
    with replacing(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(table)
        columns = [values.tolist() for values in table.values()]
        writer.writerows(map(_cells, zip(*columns, strict=True)))


def _cells(row):
    """Cells of a row."""
    return ["" if isinstance(cell, float) and math.isnan(cell) else cell for cell in row]


if __name__ == "__main__":
    from _job import run_job

    run_job(main, "project", "detections", "events", "properties")
