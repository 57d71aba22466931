"""What a run costs by its sizes."""

import importlib.util
import math
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from vo_lib.planning import cost
from vo_lib.planning.estimate import SurveyEstimate, compute
from vo_lib.provenance import PACKAGE_ROOT

SIZES = cost.Sizes(files=20, bins=10, sources=1000, lightcurves=6000, epochs=3e5)


def test_a_cost_is_the_sum_of_its_parts():
    assert cost.amount((1, 2, 3, 4, 5, 6), SIZES) == 1 + 40 + 30 + 4000 + 30_000 + 18e5
    for rule, values in cost.SECONDS.items():
        twice = cost.Sizes(*(2 * value for value in SIZES.parts[1:]))
        once_more = cost.amount(values, twice) - cost.amount(values, SIZES)
        assert once_more == pytest.approx(cost.amount(values, SIZES) - values[0]), rule


def test_no_part_has_a_negative_cost_and_all_jobs_have_one():
    for table in (cost.SECONDS, cost.MEMORY, cost.DISK):
        for name, values in table.items():
            assert min(values) >= 0 < max(values), name
    assert tuple(cost.MEMORY) == cost.PER_BIN


def test_the_log_of_the_database_does_not_grow_for_ever():
    few, many = cost.disk(SIZES), cost.disk(cost.Sizes(*(1000 * value for value in SIZES.parts[1:])))
    assert list(few) == list(many) == list(cost.DISK)
    assert few["log of the database"] < many["log of the database"] == 1024
    assert many["database"] > 100 * few["database"]


def test_bins_share_the_whole_and_jobs_are_counted():
    assert cost.Sizes(*(10 * value for value in SIZES.per_bin().parts[1:])) == SIZES
    assert SIZES.n_jobs == 2 * 20 + 10 + 6


def test_more_cores_help_jobs_of_bins_and_nothing_else():
    seconds = dict.fromkeys(cost.SECONDS, 100.0)
    start, beside = cost.SNAKEMAKE["start"], cost.SNAKEMAKE["beside"] * SIZES.n_jobs
    assert cost.wall_time(seconds, SIZES, 1) == pytest.approx(start + 300 + beside + 300 + 300)
    assert cost.wall_time(seconds, SIZES, 3) == pytest.approx(start + 100 + beside / 3 + 300 + 100)
    starting = cost.SNAKEMAKE["job"] * SIZES.n_jobs
    assert cost.wall_time(seconds, SIZES, 10**6) == pytest.approx(start + starting + 300 + 100)


def planned(**bins):
    """Project with so many sources in each bin, of a survey with two filters."""
    edges = np.cumsum([0, *bins.values()]).tolist()
    rows = {name: (*edges[place : place + 2], "") for place, name in enumerate(bins)}
    survey = SimpleNamespace(observatory=SimpleNamespace(filters=("a-g", "a-r")))
    return SimpleNamespace(
        catalog=SimpleNamespace(bins=rows, n_sources=edges[-1]), bins=list(bins), surveys={"A": survey}
    )


def estimated(epochs, lightcurves=None):
    """Estimate of a survey whose sources have a number of epochs, and of lightcurves if those have been made."""
    return SurveyEstimate("A", 60, 60, 0, (60, 60), (1, 1), 1.0, epochs, 0, lightcurves)


def test_costs_go_by_the_files_bins_sources_lightcurves_and_epochs_of_all_surveys(monkeypatch):
    monkeypatch.setattr(cost, "SECONDS", {part: tuple(part == other for other in cost.PARTS) for part in cost.PARTS})
    monkeypatch.setattr(cost, "wall_time", lambda *_: 7200.0)
    plan = planned(RA000=35, RA001=25)
    plan.surveys["B"] = SimpleNamespace(observatory=SimpleNamespace(filters=("b-g", "b-r", "b-i")))
    few = SurveyEstimate("B", 60, 0, 0, (0, 0), (0, 0), 0.5, 2, 60, None)
    found = compute(plan, [estimated(500), few])
    # Four lightcurves in each of two filters of A; B has fewer epochs than that.
    wanted = {"run": 1, "file": 4, "bin": 2, "source": 120, "lightcurve": 60 * 8 + 60 * 2, "epoch": 60 * 502}
    assert found.seconds == wanted
    assert (found.hours, found.disk_mb["raw"]) == (2.0, pytest.approx(60 * 1.5 / 1000))


@pytest.mark.parametrize("number", [0, 24.5])
def test_lightcurves_that_were_made_are_counted_in_place_of_a_guess(monkeypatch, number):
    monkeypatch.setattr(cost, "SECONDS", dict.fromkeys(cost.SECONDS, (0, 0, 0, 0, 1, 0)))
    found = compute(planned(RA000=35, RA001=25), [estimated(500, number)])
    assert set(found.seconds.values()) == {60 * number}


@pytest.mark.parametrize(("rule", "epochs"), [("download", 35e4), ("reduce", 1e5)])
def test_a_download_has_its_bin_in_memory_and_the_other_jobs_a_block_of_it(monkeypatch, rule, epochs):
    monkeypatch.setattr(cost, "MEMORY", {rule: (0, 0, 0, 0, 0, 1)})
    monkeypatch.setattr(cost, "BLOCK_EPOCHS", 100_000)
    assert compute(planned(RA000=35, RA001=25), [estimated(1e4, 0)]).memory_mb == pytest.approx(epochs)


def test_memory_is_that_of_the_greatest_bin():
    few, many = (
        compute(planned(RA000=30, RA001=30), [estimated(1e4)]),
        compute(planned(RA000=59, RA001=1), [estimated(1e4)]),
    )
    assert few.seconds == pytest.approx(many.seconds)
    assert few.disk_mb == pytest.approx(many.disk_mb)
    assert few.memory_mb < many.memory_mb


def test_without_knowing_the_epochs_nothing_is_told():
    assert compute(planned(RA000=60), [estimated(None)]) is None
    assert math.isfinite(compute(planned(RA000=60), [estimated(0)], cores=2).hours)


def test_the_page_on_scale_has_what_the_model_says():
    command = [sys.executable, "benchmarks/scale.py", "predict"]
    table = subprocess.run(command, cwd=PACKAGE_ROOT, capture_output=True, text=True, check=True).stdout
    assert table in (PACKAGE_ROOT / "docs" / "scale.md").read_text()


def test_the_runs_checked_on_the_page_on_scale_are_those_of_the_benchmark_and_predicted_by_the_model():
    spec = importlib.util.spec_from_file_location("benchmark_scale", PACKAGE_ROOT / "benchmarks" / "scale.py")
    scale = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(scale)
    page = (PACKAGE_ROOT / "docs" / "scale.md").read_text()
    (per_source,) = map(int, re.findall(r"with (\d+) lightcurves per source \(", page))
    cells = [line.strip("| ").split(" | ") for line in page.splitlines() if re.match(r"\| ([\d,]+, \d|\| [a-z])", line)]
    runs = [tuple(int(number.replace(",", "")) for number in row[0].split(", ")) for row in cells if len(row) == 5]
    assert [run[:2] for run in runs] == [size[:2] for size in scale.CHECKED]
    predicted = iter([float(row[-2].replace(",", "")) for row in cells])
    for n_sources, n_bins, n_epochs in runs:
        sizes = cost.Sizes(n_bins, n_bins, n_sources, per_source * n_sources, n_epochs)
        seconds = {rule: cost.amount(values, sizes) for rule, values in cost.SECONDS.items()}
        memory = cost.memory(sizes.per_bin()).values()
        found = cost.wall_time(seconds, sizes, 2), sum(seconds.values()), sum(cost.disk(sizes).values()), max(memory)
        assert [next(predicted) for _ in found] == pytest.approx(list(found), rel=0.01)


def test_a_job_holds_the_tables_of_a_large_bin_but_only_a_block_of_its_epochs():
    small, large = cost.Sizes(1, 1, 50, 100, 1e6), cost.Sizes(1, 1, 5000, 10_000, 1e8)
    assert small.of_job("reduce") == small
    assert large.of_job("analyze") == cost.Sizes(1, 1, 5000, 10_000, 1e6)
    assert large.of_job("download") == large


def test_the_memory_of_hdf5_for_lightcurves_that_are_written_stops_growing():
    few, many, more = (cost.memory(cost.Sizes(1, 1, 0, number, 0)) for number in (1000, 10_000, 20_000))
    coefficient = cost.MEMORY["reduce"][4]
    assert few["reduce"] == pytest.approx(cost.MEMORY["reduce"][0] + 10.5 + 1000 * coefficient)
    assert more["reduce"] - many["reduce"] == pytest.approx(10_000 * coefficient)
    assert cost.hdf5_cache("analyze", cost.Sizes(1, 1, 0, 1000, 0)) == 0
