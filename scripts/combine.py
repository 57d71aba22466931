"""Combine one bin: all series of each source in a filter or band become one lightcurve."""

import logging

from vo_lib import hdf5
from vo_lib.batch import LightcurveBatch
from vo_lib.combine import combine
from vo_lib.paths import analysis_file, reduced_file
from vo_lib.quality import epoch_flags
from vo_lib.reduction.combined import write_combined
from vo_lib.reduction.reduced import read_reduced

log = logging.getLogger("vo_lib")


def main(project, combined, *, params):
    """Make the combined lightcurves of a bin from its reduced files and the quality flags of its analysis."""
    bin_name, provenance = params["bin"], params["provenance"]
    batch = LightcurveBatch.concatenate(
        [
            read_reduced(reduced_file(project, obs, bin_name), provenance=expected)
            for obs, expected in params["observatories"].items()
        ]
    )
    with hdf5.open_file(analysis_file(project, bin_name), provenance=params["analysis"]) as file:
        series, flagged = (hdf5.read_table(file, name) for name in ("series", "flagged"))
    qflag = epoch_flags(series, flagged, obs=batch.table["obs"], keys=batch.table["key"], counts=batch.counts)
    combination = combine(batch.with_columns(qflag=qflag), qflag == 0, **provenance["parameters"])
    metadata = {"process": "combine", "bin": bin_name, "provenance": provenance["id"]}
    parameters = {"parameters": provenance["parameters"], "code": provenance["code"]}
    write_combined(combined, combination, metadata | parameters)
    log.info("%d lightcurves combined into %d", batch.n_lightcurves, combination.batch.n_lightcurves)


if __name__ == "__main__":
    from _job import run_job

    run_job(main, "project", "combined")
