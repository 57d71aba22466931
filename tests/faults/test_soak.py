"""A life of a few steps; `python benchmarks/soak.py` is a long one."""

import random

import pytest
from life import OPERATIONS, PER_BIN, Life, Model, jobs_of, stale_products
from workspace import Workspace


def test_in_a_life_of_edits_kills_and_damage_the_dry_run_the_run_and_the_model_agree(tmp_path):
    dice = random.Random(2)
    life = Life(Workspace(tmp_path), dice)
    for operation in dice.sample([*OPERATIONS], len(OPERATIONS)):
        life.step(operation)
    assert stale_products(life) == []


def test_the_model_says_what_is_due():
    model = Model(rows={"a": [10.2, 20.0, 15.0], "b": [200.5, 1.0, 17.0]})
    model.done(model.jobs)
    assert model.due() == set()
    model.settings["finder.snr_threshold"] = 6
    late = {"merge_histograms", "merge_tables", "rates", "pages", "report", "sync_database"}
    assert model.due() == {("analyze", "RA010"), ("analyze", "RA200")} | {(stage, "") for stage in late}
    model.done(model.due())
    model.rows["b"] = [200.5, 1.1, 17.0]
    assert {job for job in model.due() if job[1]} == {(stage, "RA200") for stage in PER_BIN}
    assert model.with_downstream({("rates", "")}) == {("rates", ""), ("report", "")}


@pytest.mark.parametrize(
    ("output", "found", "finished"),
    [
        ("rule rates:\n    output: a\n    jobid: 3\n", {("rates", "")}, set()),
        ("Job 3: rates of all bins: a\nFinished jobid: 3 (Rule: rates)\n", {("rates", "")}, {("rates", "")}),
        (
            "localrule download:\n    jobid: 4\n    wildcards: obs=X, bin=RA010\nFinished jobid: 4 (Rule: download)\n",
            {("download", "RA010")},
            {("download", "RA010")},
        ),
        ("localrule all:\n    jobid: 0\nFinished jobid: 0 (Rule: all)\n", set(), set()),
    ],
)
def test_jobs_are_read_from_what_snakemake_says(output, found, finished):
    assert jobs_of(output) == (found, finished)
