"""Combine one bin: all series of each source in a filter or band become one lightcurve."""

import logging

import numpy as np

from vo_lib import hdf5
from vo_lib.batch import LightcurveBatch
from vo_lib.combine import combine
from vo_lib.paths import analysis_file, reduced_file
from vo_lib.reduction.combined import write_combined
from vo_lib.reduction.reduced import read_reduced

log = logging.getLogger("vo_lib")


def main(project, combined, *, params):
    """Make the combined lightcurves of a bin from its reduced files, and quality flags from its analysis."""
    bin_name, provenance = params["bin"], params["provenance"]
    batch = LightcurveBatch.concatenate(
        [
            read_reduced(reduced_file(project, obs, bin_name), provenance=expected)
            for obs, expected in params["observatories"].items()
        ]
    )
    qflag = _quality_flags(batch, analysis_file(project, bin_name), params["analysis"])
    combination = combine(batch.with_columns(qflag=qflag), qflag == 0, **provenance["parameters"])
    metadata = {"process": "combine", "bin": bin_name, "provenance": provenance["id"]}
    parameters = {"parameters": provenance["parameters"], "code": provenance["code"]}
    write_combined(combined, combination, metadata | parameters)
    log.info("%d lightcurves in %d combined ones", batch.n_lightcurves, combination.batch.n_lightcurves)


def _quality_flags(batch, analysis, provenance):
    """Quality flags of the epochs from the analysis, whose lightcurves are in another order where it took blocks."""
    with hdf5.open_file(analysis, provenance=provenance) as file:
        series, flagged = (hdf5.read_table(file, name) for name in ("series", "flagged"))
    names = zip(batch.table["obs"].tolist(), batch.table["key"].tolist(), strict=True)
    known = {name: row for row, name in enumerate(names)}
    names = zip(series["obs"].tolist(), series["lightcurve"].tolist(), strict=True)
    rows = np.array([known[name] for name in names], np.int64)
    qflag = np.zeros(batch.n_epochs, np.int64)
    qflag[batch.starts[rows[flagged["series"]]] + flagged["epoch"]] = flagged["qflag"]
    return qflag


if __name__ == "__main__":
    from _job import run_job

    run_job(main, "project", "combined")
