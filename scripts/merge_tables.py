"""Put the detections, events and properties of all bins of a project into a CSV file each."""

import numpy as np

from vo_lib import hdf5
from vo_lib.paths import analysis_file
from vo_lib.tables import concatenate_tables, write_csv


def main(project, detections, events, properties, *, params):
    """Make the tables of a project: real detections and events by falling score, properties by bin and name."""
    parts = {"detections": [], "events": [], "properties": []}
    for bin_name in params["bins"]:
        with hdf5.open_file(analysis_file(project, bin_name), provenance=params["provenance"]) as file:
            for name, tables in parts.items():
                tables.append(hdf5.read_table(file, name))
    found, merged, summaries = (concatenate_tables(tables) for tables in parts.values())
    write_csv(detections, _best_first(found, found["simulated"] == 0))
    write_csv(events, _best_first(merged, np.ones(len(merged["score"]), bool)))
    write_csv(properties, summaries)


def _best_first(table, wanted):
    """Wanted rows of a table by falling score."""
    rows = np.flatnonzero(wanted)
    rows = rows[np.lexsort((table["peak_mjd"][rows], table["source"][rows], -table["score"][rows]))]
    return {name: values[rows] for name, values in table.items()}


if __name__ == "__main__":
    from _job import run_job

    run_job(main, "project", "detections", "events", "properties")
