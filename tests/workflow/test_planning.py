"""How often Snakemake plans, and what it starts first."""

import re

ROUND = "Resources before job selection"


def test_jobs_are_planned_when_one_ends_and_not_again_each_second(workspace):
    workspace.catalog.write_text("name,ra,dec\n" + "".join(f"s{place},{place}.5,10\n" for place in range(30)))
    run = workspace.run("downloaded", "--verbose")
    assert run.status == 0
    # Once at the beginning, and once when a job ends or several do.
    assert 2 < run.output.count(ROUND) <= sum(run.jobs.values()) + 3


def test_the_report_and_what_it_needs_are_made_before_what_nothing_waits_for(workspace):
    run = workspace.run("--cores", "1")
    assert run.status == 0, run.output
    order = re.findall(r"^Job \d+: (\w+) of all bins", run.output, flags=re.MULTILINE)
    assert set(order[:4]) == {"merge_histograms", "merge_tables", "rates", "report"}
    assert set(order[4:]) == {"pages", "sync_database"}
