"""Put the detections and properties of all bins of a project into two CSV files."""

import numpy as np

from vo_lib import hdf5
from vo_lib.paths import analysis_file
from vo_lib.tables import concatenate_tables, write_csv


def main(project, detections, properties, *, params):
    """Make the tables of a project: real detections by falling score, properties by bin and name."""
    parts = {"detections": [], "properties": []}
    for bin_name in params["bins"]:
        with hdf5.open_file(analysis_file(project, bin_name), provenance=params["provenance"]) as file:
            for name, tables in parts.items():
                tables.append(hdf5.read_table(file, name))
    found, summaries = (concatenate_tables(tables) for tables in parts.values())
    real = np.flatnonzero(found["simulated"] == 0)
    best_first = real[np.lexsort((found["peak_mjd"][real], found["source"][real], -found["score"][real]))]
    write_csv(detections, {name: values[best_first] for name, values in found.items()})
    write_csv(properties, summaries)


if __name__ == "__main__":
    from _job import run_job

    run_job(main, "project", "detections", "properties")
