"""Draw the figures of a project, and write its report and its final configuration."""

import logging
from pathlib import Path

from vo_lib.config import to_yaml
from vo_lib.files import replacing, write_text
from vo_lib.pages.pictures import draw_pictures
from vo_lib.pages.report_tables import make_tables
from vo_lib.paths import PLOTS
from vo_lib.report import TABLES_FILE, make_page
from vo_lib.results import best_events, read_results

log = logging.getLogger("vo_lib")


def main(project_folder, report, *, params):
    """Make the report of a project with its long tables and figures, and the file of its final configuration."""
    results = read_results(project_folder, params["bins"], params["observatories"], provenance=params["provenance"])
    events = best_events(project_folder, results, params["num_best"])
    settings = {"threshold": params["threshold"], "width_deg": params["config"]["bins"]["width_deg"]}
    pictures = draw_pictures(results, events, **settings)
    for name in PLOTS:
        with replacing(Path(project_folder) / "plots" / f"{name}.png") as part:
            part.write_bytes(pictures[name])
    write_text(params["config_file"], to_yaml(params["config"]))
    tables = make_tables(results, project=project_folder, max_pages=params["max_pages"])
    write_text(Path(report).with_name(TABLES_FILE), tables)
    write_text(report, make_page(results, events, pictures, params=params))
    log.info("%d sources, %d pictures", len(results.properties.get("source", ())), len(pictures))


if __name__ == "__main__":
    from _job import run_job

    run_job(main, "project_folder", "report")
