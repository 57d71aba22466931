"""Add up the histograms of all bins of a project, one file for each histogram."""

from vo_lib.counts.histogram_files import read_histograms, write_histograms
from vo_lib.histograms import merge
from vo_lib.paths import bin_histograms_file, histograms_file


def main(project, *, params):
    """Make the merged histogram files of a project."""
    files, provenance = (bin_histograms_file(project, bin_name) for bin_name in params["bins"]), params["provenance"]
    total = merge(read_histograms(file, provenance=provenance) for file in files)
    metadata = {"process": "merge_histograms", "provenance": provenance, "bins": params["bins"]}
    for name, histogram in total.items():
        write_histograms(histograms_file(project, name), [histogram], metadata)


if __name__ == "__main__":
    from _job import run_job

    run_job(main, "project")
