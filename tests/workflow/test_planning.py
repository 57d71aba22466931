"""How often Snakemake plans."""

ROUND = "Resources before job selection"


def test_jobs_are_planned_when_one_ends_and_not_again_each_second(workspace):
    workspace.catalog.write_text("name,ra,dec\n" + "".join(f"s{place},{place}.5,10\n" for place in range(30)))
    run = workspace.run("downloaded", "--verbose")
    assert run.status == 0
    # Once at the beginning, and once when a job ends or several do.
    assert 2 < run.output.count(ROUND) <= sum(run.jobs.values()) + 3
