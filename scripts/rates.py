"""Turn the detections and injections of all bins of a project into rates of events."""

from vo_lib import hdf5
from vo_lib.paths import analysis_file
from vo_lib.rates import TABLES, measure_rates
from vo_lib.tables import concatenate_tables, write_csv

# Bins are processed together until they have at least this many lightcurves.
_TOGETHER = 50_000


def main(project, rates, *, params):
    """Make the table of rates of a project."""
    write_csv(rates, [measure_rates(_tables(project, params), **params["rates"])])


def _tables(project, params):
    """Yield the tables of groups of bins."""
    parts, number = [], 0
    for bin_name in params["bins"]:
        with hdf5.open_file(analysis_file(project, bin_name), provenance=params["provenance"]) as file:
            parts.append({name: hdf5.read_table(file, name, columns) for name, columns in TABLES.items()})
        number += len(parts[-1]["series"]["source"])
        if number >= _TOGETHER or bin_name == params["bins"][-1]:
            yield {name: concatenate_tables([part[name] for part in parts]) for name in TABLES}
            parts, number = [], 0


if __name__ == "__main__":
    from _job import run_job

    run_job(main, "project", "rates")
