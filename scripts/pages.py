"""Write the pages of the best sources of a project."""

import logging
from pathlib import Path

import numpy as np

from vo_lib import hdf5
from vo_lib.paths import analysis_file
from vo_lib.tables import concatenate_tables
from vo_lib.vetting import write_pages

log = logging.getLogger("vo_lib")

COLUMNS = {"properties": ("source", "interest"), "detections": ("source", "score")}


def main(project, index, *, params):
    """Write the pages and their list, which is written last."""
    parts = {name: [] for name in COLUMNS}
    for bin_name in params["bins"]:
        with hdf5.open_file(analysis_file(project, bin_name), provenance=params["provenance"]) as file:
            for name, columns in COLUMNS.items():
                table = hdf5.read_table(file, name)
                rows = table.get("simulated", np.zeros(len(table["source"]))) == 0
                kept = {column: table[column][rows] for column in columns}
                parts[name].append(kept | {"bin": np.full(rows.sum(), bin_name)})
    tables = {name: concatenate_tables(part) for name, part in parts.items()}
    options = {name: params[name] for name in ("observatories", "provenance", "periods", "max_pages")}
    shown = write_pages(project, **tables, **options)
    log.info("%d pages, %s lists them", len(shown), Path(index))


if __name__ == "__main__":
    from _job import run_job

    run_job(main, "project", "index")
