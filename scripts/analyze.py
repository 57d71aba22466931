"""Analyze one bin: quality, detections, injections, properties and histograms of all its lightcurves."""

import logging

from vo_lib.batch import LightcurveBatch
from vo_lib.bin_result import check_result, write_analysis
from vo_lib.contracts import call
from vo_lib.histogram_files import write_histograms
from vo_lib.manifest import read_manifest
from vo_lib.paths import manifest_file, reduced_file
from vo_lib.reduce import read_reduced
from vo_lib.stages import make_analysis

log = logging.getLogger("vo_lib")


def main(project, analysis, histograms, *, params):
    """Make the tables and histograms of a bin from its reduced files."""
    bin_name, provenance = params["bin"], params["provenance"]
    sources = read_manifest(manifest_file(project, next(iter(params["observatories"])), bin_name))[1]
    batch = LightcurveBatch.concatenate(
        [
            read_reduced(reduced_file(project, obs, bin_name), provenance=expected)
            for obs, expected in params["observatories"].items()
        ]
    )
    settings = provenance["parameters"]
    stages = make_analysis(settings, **{name: params[name] for name in ("quality", "labels", "colors")})
    result = check_result(stages, sources, call(stages, "analyze_photometry", sources, batch))
    metadata = {"process": "analyze", "bin": bin_name, "provenance": provenance["id"], "parameters": settings}
    write_analysis(analysis, result, metadata | {"code": provenance["code"]})
    write_histograms(histograms, result.histograms, metadata)
    log.info(
        "%d lightcurves, %d epochs, %d detections",
        batch.n_lightcurves,
        batch.n_epochs,
        len(result.tables["detections"]["score"]),
    )


if __name__ == "__main__":
    from _job import run_job

    run_job(main, "project", "analysis", "histograms")
