"""Write the pages of the best sources of a project."""

import logging

from vo_lib.pages.vetting import read_ranking, write_pages

log = logging.getLogger("vo_lib")


def main(project, index, *, params):
    """Write the pages, and finally their index."""
    ranked, bin_of = read_ranking(project, params["bins"], provenance=params["provenance"])
    options = {name: params[name] for name in ("observatories", "provenance", "periods", "max_pages")}
    shown = write_pages(project, ranked, bin_of, **options)
    log.info("%s lists %d pages of %d sources to look at", index, len(shown), len(ranked))


if __name__ == "__main__":
    from _job import run_job

    run_job(main, "project", "index")
