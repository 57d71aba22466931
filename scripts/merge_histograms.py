"""Add the histograms of all bins of a project, one file for each histogram."""

from vo_lib.counts.histogram_files import read_histograms, read_metadata, write_histograms
from vo_lib.histograms import merge
from vo_lib.paths import bin_histograms_file, histograms_file
from vo_lib.provenance import check_provenance


def main(project, *, params):
    """Make the merged histogram files of a project."""
    total = merge(_read(bin_histograms_file(project, bin_name), params["provenance"]) for bin_name in params["bins"])
    metadata = {"process": "merge_histograms", "provenance": params["provenance"], "bins": params["bins"]}
    for name, histogram in total.items():
        write_histograms(histograms_file(project, name), [histogram], metadata)


def _read(path, provenance):
    """Histograms of one bin, made with the provenance asked for."""
    check_provenance(path, read_metadata(path).get("provenance"), provenance)
    return read_histograms(path)


if __name__ == "__main__":
    from _job import run_job

    run_job(main, "project")
