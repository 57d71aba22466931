"""Merge the detections, events and properties of all bins of a project into one CSV file each."""

from vo_lib import hdf5
from vo_lib.paths import analysis_file
from vo_lib.search.events import best_first
from vo_lib.tables import concatenate_tables, take_rows, write_csv


def main(project, detections, events, properties, *, params):
    """Make the tables of a project: real detections and events by decreasing score, properties by bin and name."""
    found, merged = [], []

    def bins():
        for bin_name in params["bins"]:
            with hdf5.open_file(analysis_file(project, bin_name), provenance=params["provenance"]) as file:
                real, each, summaries = (hdf5.read_table(file, name) for name in ("detections", "events", "properties"))
            found.append(take_rows(real, real["simulated"] == 0))
            merged.append(each)
            yield summaries

    write_csv(properties, bins())
    write_csv(detections, [best_first(concatenate_tables(found))])
    write_csv(events, [best_first(concatenate_tables(merged))])


if __name__ == "__main__":
    from _job import run_job

    run_job(main, "project", "detections", "events", "properties")
