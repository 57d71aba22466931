"""Turn the detections and injections of all bins of a project into rates of events."""

from vo_lib import hdf5
from vo_lib.paths import analysis_file
from vo_lib.rates import TABLES, measure_rates
from vo_lib.tables import concatenate_tables, write_csv


def main(project, rates, *, params):
    """Make the table of rates of a project."""
    parts = {name: [] for name in TABLES}
    for bin_name in params["bins"]:
        with hdf5.open_file(analysis_file(project, bin_name), provenance=params["provenance"]) as file:
            for name, tables in parts.items():
                tables.append(hdf5.read_table(file, name))
    tables = {name: concatenate_tables(part) for name, part in parts.items()}
    write_csv(rates, measure_rates(tables, **params["rates"]))


if __name__ == "__main__":
    from _job import run_job

    run_job(main, "project", "rates")
