"""Analyze one bin: quality, detections, injections, properties and histograms of all its lightcurves."""

import logging
from contextlib import ExitStack
from dataclasses import replace
from itertools import product

import numpy as np

from vo_lib.batch import LightcurveBatch
from vo_lib.bin_result import check_result, concatenate_results, write_analysis
from vo_lib.contracts import call
from vo_lib.counts.epoch_counts import unsearched_filters
from vo_lib.counts.histogram_files import write_histograms
from vo_lib.downloads.manifest import read_header, read_manifest
from vo_lib.errors import StaleProductError
from vo_lib.labels import match_names
from vo_lib.paths import manifest_file, processed_file, reduced_file, simulated_file
from vo_lib.reduction.blocks import source_blocks
from vo_lib.reduction.processed import write_processed, write_simulated
from vo_lib.reduction.reduced import ReducedFile
from vo_lib.stages import make_analysis
from vo_lib.tables import take_rows

log = logging.getLogger("vo_lib")


def main(project, analysis, histograms, saved, *, params):
    """Make the tables and histograms of a bin from its reduced files, and save lightcurves if asked for."""
    bin_name, provenance = params["bin"], params["provenance"]
    sources = read_manifest(manifest_file(project, next(iter(params["observatories"])), bin_name))[1]
    settings, wanted = provenance["parameters"], _wanted(saved, project, params)
    stages = make_analysis(settings, **{name: params[name] for name in ("quality", "labels", "colors")})
    with ExitStack() as stack:
        files = [
            stack.enter_context(ReducedFile(reduced_file(project, obs, bin_name), expected))
            for obs, expected in params["observatories"].items()
        ]
        for obs, file in zip(params["observatories"], files, strict=True):
            _check_epochs(file, manifest_file(project, obs, bin_name))
        n_epochs = _count_epochs(sources, files, settings["simulator"]["num_injections"])
        blocks = [take_rows(sources, block) for block in source_blocks(n_epochs)]
        result = concatenate_results([_analyze(stages, block, files, {kind for kind, _ in wanted}) for block in blocks])
    _tell_unsearched(result.histograms, settings["detrend"])
    metadata = {"process": "analyze", "bin": bin_name, "provenance": provenance["id"], "parameters": settings}
    write_analysis(analysis, result, metadata | {"code": provenance["code"]})
    write_histograms(histograms, result.histograms, metadata)
    _save(wanted, result, metadata)
    log.info(
        "%d lightcurves, %d epochs, %d detections",
        *(sum(values(file.index["n_epochs"]) for file in files) for values in (len, np.sum)),
        len(result.tables["detections"]["score"]),
    )


def _check_epochs(file, manifest):
    """Check that a reduced file was made from the epochs of the manifest, unlike an old copy that was put back."""
    found, expected = file.count_raw(), read_header(manifest)["counts"]["epochs"]
    if found != expected:
        raise StaleProductError(
            f"{file.path}: was made of {found} epochs, but {manifest} has {expected}; run snakemake to make it again",
            file.path,
        )


def _count_epochs(sources, files, num_injections):
    """Number of epochs of each source in all reduced files, and the mean one in all its copies with injected events."""
    owner = np.concatenate([match_names(sources["name"], file.index["source"]) for file in files])
    n_epochs = np.concatenate([file.index["n_epochs"] for file in files])
    counts, n_lightcurves = (np.bincount(owner, weights, len(sources["name"])) for weights in (n_epochs, None))
    return counts * (1 + num_injections / np.maximum(n_lightcurves, 1))


def _analyze(stages, sources, files, saved):
    """Analyse the lightcurves of a block of sources, and keep the searched ones only if they are to be saved."""
    parts = [file.read(np.isin(file.index["source"], sources["name"])) for file in files]
    answer = call(stages, "analyze_photometry", sources, LightcurveBatch.concatenate(parts))
    result = check_result(stages, sources, answer, saved=saved)
    return replace(result, **{kind: None for kind in ("processed", "simulated") if kind not in saved})


def _tell_unsearched(histograms, detrend):
    """Warn of filters without any epoch to search because detrending leaves out all epochs, as near a pause."""
    scores = next(histogram for histogram in histograms if histogram.name == "good_scores")
    if detrend["method"] and detrend["edge_days"] and (filters := unsearched_filters(scores)):
        log.warning(
            "no epoch of %s was searched: all are nearer than detrend.edge_days (%g d) to a pause or an end; decrease "
            "it, or increase detrend.gap_days",
            *(", ".join(filters), detrend["edge_days"]),
        )


def _wanted(saved, project, params):
    """Paths of the files of lightcurves to save, by kind and survey."""
    names = product({"processed": processed_file, "simulated": simulated_file}.items(), params["observatories"])
    paths = {(kind, obs): name(project, obs, params["bin"]) for (kind, name), obs in names}
    return {key: path for key, path in paths.items() if path in saved}


def _save(wanted, result, metadata):
    """Write the lightcurves to save, one file for each kind and survey."""
    for (kind, obs), path in wanted.items():
        batch = getattr(result, kind)
        mine = batch.table["obs"] == obs
        if kind == "processed":
            write_processed(path, batch.select(mine), metadata)
        else:
            truth = take_rows(result.tables["injections"], mine)
            write_simulated(path, batch.select(mine), truth, metadata)


if __name__ == "__main__":
    from _job import run_job

    run_job(main, "project", "analysis", "histograms", "saved*")
