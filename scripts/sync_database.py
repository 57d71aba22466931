"""Mirror the products of a project into PostgreSQL, and write a receipt of what is stored."""

import logging
import time
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from vo_lib.database.session import open_engine
from vo_lib.database.sync import sync_project
from vo_lib.database.url import configured_url, database_identity
from vo_lib.errors import ConfigError
from vo_lib.files import write_json

log = logging.getLogger("vo_lib")


def main(project_folder, receipt, *, params):
    """Update the database to match the products below the working folder, which is the data root."""
    if params["database"] != "embedded" and configured_url() is None:
        raise ConfigError(
            f"the project's database is {params['database']}, but its URL is not known; set VO_DATABASE_URL"
        )
    start, data_root = time.monotonic(), Path.cwd()
    names = ("project", "bins", "observatories", "histograms", "provenances", "catalog", "code")
    given = {name: params[name] for name in names if name in params}
    with open_engine(data_root=data_root) as engine:
        result = sync_project(engine, data_root, project_folder, **given)
        with engine.connect() as connection:
            version = connection.scalar(sa.text("SHOW server_version"))
    report = {
        "schema": 1,
        "project": params["project"],
        "folder": project_folder,
        "generation": params.get("generation", 1),
        "database": {"identity": database_identity(), "server_version": version},
        "rows": result.rows,
        "bins": {"synced": result.synced, "skipped": result.skipped, "removed": result.removed},
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - start, 3),
    }
    write_json(receipt, report)
    log.info("%d bins synced, %d unchanged, %d removed", *map(len, report["bins"].values()))


if __name__ == "__main__":
    from _job import run_job

    run_job(main, "project_folder", "receipt")
