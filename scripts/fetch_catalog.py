"""Fetch the catalog of a project once, from an archive or a class, and store it with its description."""

import logging

from vo_lib.catalogs.classes import make_catalog
from vo_lib.catalogs.remote import service_of
from vo_lib.fetch_catalog import fetch_catalog
from vo_lib.observatories.pace import Pace
from vo_lib.paths import pace_file

log = logging.getLogger("vo_lib")


def main(target, *, params, options):
    """Make the file of a catalog, and its description beside it; for `params` see `RemoteCatalog.spec`.

    Requests to its archive are paced together with those of downloads.
    """
    if params["kind"] == "class":
        asked = {name: options["catalog"].get(name) for name in ("columns", "min_rows")}
        about = make_catalog(params, target, **asked)
    else:
        pace = Pace(options["per_second"], pace_file(service_of(params, options["catalog"].get("url"))))
        about = fetch_catalog(params, target, pace=pace, **options["catalog"])
    log.info("%d rows from %s", about["rows"], about["url"])


if __name__ == "__main__":
    from _job import run_job

    run_job(main, "target", options=True)
