"""Fetch the catalog of a project: the archive is asked once, and the answer is kept with what it is."""

import logging

from vo_lib.fetch_catalog import fetch_catalog

log = logging.getLogger("vo_lib")


def main(target, *, params, options):
    """Make the file of a catalog and its description beside it; `params` is what it is, see `RemoteCatalog.spec`."""
    about = fetch_catalog(params, target, **options["catalog"])
    log.info("%d rows from %s", about["rows"], about["url"])


if __name__ == "__main__":
    from _job import run_job

    run_job(main, "target", options=True)
