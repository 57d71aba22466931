"""Fetch the catalog of a project: an archive or a class is asked once, and the answer is kept with what it is."""

import logging

from vo_lib.catalog_class import make_catalog
from vo_lib.fetch_catalog import fetch_catalog

log = logging.getLogger("vo_lib")


def main(target, *, params, options):
    """Make the file of a catalog and its description beside it; `params` is what it is, see `RemoteCatalog.spec`."""
    if params["kind"] == "class":
        asked = {name: options["catalog"].get(name) for name in ("columns", "min_rows")}
        about = make_catalog(params, target, **asked)
    else:
        about = fetch_catalog(params, target, **options["catalog"])
    log.info("%d rows from %s", about["rows"], about["url"])


if __name__ == "__main__":
    from _job import run_job

    run_job(main, "target", options=True)
