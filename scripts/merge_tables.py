"""Put the detections and properties of all bins of a project into two CSV files."""

import csv
import math

import numpy as np

from vo_lib import hdf5
from vo_lib.files import replacing
from vo_lib.paths import analysis_file


def main(project, detections, properties, *, params):
    """Make the tables of a project: real detections by falling score, properties by bin and name."""
    parts = {"detections": [], "properties": []}
    for bin_name in params["bins"]:
        with hdf5.open_file(analysis_file(project, bin_name), provenance=params["provenance"]) as file:
            for name, tables in parts.items():
                tables.append(hdf5.read_table(file, name))
    found, summaries = (_concatenate(tables) for tables in parts.values())
    real = np.flatnonzero(found["simulated"] == 0)
    best_first = real[np.lexsort((found["peak_mjd"][real], found["source"][real], -found["score"][real]))]
    _write_csv(detections, {name: values[best_first] for name, values in found.items()})
    _write_csv(properties, summaries)


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

    run_job(main, "project", "detections", "properties")
