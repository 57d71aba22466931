"""States of products that no run made: bins without data, failures, jobs that ended with an error."""

import errno
import json
import os
from functools import partial

import numpy as np
import pytest
from make_project import make_project, make_workspace
from workspace import Workspace

from vo_lib import hdf5, paths
from vo_lib.downloads.manifest import write_manifest
from vo_lib.errors import UserError
from vo_lib.plan import read_plan
from vo_lib.running.records import Records
from vo_lib.status import _parameter_texts, project_status, status_totals
from vo_lib.tables import table_rows


@pytest.fixture
def plan(tmp_path):
    """A project whose sources have no data, and one of which failed."""
    workspace = make_workspace(tmp_path, partial(make_project, data=False))
    made = read_plan(workspace.config_file)
    for name in made.bins:
        manifest = made.data_root / paths.manifest_file(made.folder, "DEMO", name)
        header, *sources = map(json.loads, manifest.read_text().splitlines())
        del header["digest"]
        write_manifest(manifest, header | {"generation": 1}, sources)
        path = made.data_root / paths.reduced_file(made.folder, "DEMO", name)
        with hdf5.Writer(path, base=path) as file:
            file.write_table("index", {"key": np.array([], dtype="U1")})
        for file in (paths.analysis_file(made.folder, name), paths.bin_histograms_file(made.folder, name)):
            (made.data_root / file).touch()
    (made.data_root / paths.rates_file(made.folder)).touch()
    return made


def states(plan):
    """State and reason by stage and bin."""
    rows = table_rows(project_status(plan))
    return {(row["stage"], row["bin"]): (row["state"], row["why"]) for row in rows}


def test_bins_without_data_are_empty_and_failed_sources_are_told(plan):
    found = states(plan)
    assert [found[stage, "RA010"] for stage in ("download", "reduce", "analyze")] == [("empty", "")] * 3
    assert found["download", "RA200"] == ("failed", "1 source failed, see failures.csv")
    assert found["merge_tables", ""][0] == "pending"


def test_a_product_that_nobody_knows_the_making_of_is_taken_as_it_is(plan):
    assert Records(plan.data_root).read("DEMO_/RA010_analysis.h5") is None
    assert states(plan)["rates", ""] == ("done", "")


@pytest.mark.parametrize(
    ("stage", "file"),
    [
        ("download", paths.manifest_file("DEMO_", "DEMO", "RA010")),
        ("reduce", paths.reduced_file("DEMO_", "DEMO", "RA010")),
        ("analyze", paths.analysis_file("DEMO_", "RA010")),
    ],
)
def test_a_file_that_a_crash_emptied_is_told_beside_the_others(plan, stage, file):
    before = states(plan)
    changed = (plan.data_root / file).stat().st_mtime_ns
    (plan.data_root / file).write_bytes(b"")
    os.utime(plan.data_root / file, ns=(changed, changed))
    found = states(plan)
    state, why = found[stage, "RA010"]
    assert state == "failed"
    assert file in why
    assert "delete it and run snakemake" in why
    assert found | {(stage, "RA010"): before[stage, "RA010"]} == before


@pytest.mark.parametrize(("stage", "file"), [("reduce", paths.reduced_file), ("analyze", paths.analysis_file)])
def test_a_file_of_which_a_crash_left_zeros_is_told_beside_the_others(plan, stage, file):
    names = ("DEMO_", "DEMO", "RA010") if stage == "reduce" else ("DEMO_", "RA010")
    path = plan.data_root / file(*names)
    content = path.read_bytes()
    path.write_bytes(content[:48] + bytes(len(content) - 48))
    state, why = states(plan)[stage, "RA010"]
    assert state == "failed"
    assert f"{path}: not a readable HDF5 file" in why
    assert states(plan)[stage, "RA200"][0] == "empty"


def test_a_job_that_ended_with_an_error_is_failed_and_says_why(plan):
    log = plan.data_root / "DEMO_" / "logs" / "merge_tables.log"
    log.parent.mkdir()
    log.write_text("12:00 INFO run\n12:01 ERROR the disk is full\n")
    missing = "DEMO_/detections.csv was not made yet"
    assert states(plan)["merge_tables", ""] == ("failed", f"the disk is full; {missing}")
    log.write_text("12:00 INFO run\n12:01 INFO done in 1.0 s\n")
    assert states(plan)["merge_tables", ""] == ("pending", missing)


def test_a_job_that_was_killed_is_stale_and_what_follows_too(plan):
    record = Records(plan.data_root)._path("incomplete", "DEMO_/RA010_analysis.h5")
    record.parent.mkdir(parents=True)
    record.write_text("{}")
    found = states(plan)
    assert found["analyze", "RA010"] == ("stale", "its job was started, but did not finish")
    assert found["rates", ""] == ("stale", "follows analyze RA010")


def test_a_job_that_runs_is_not_failed(plan):
    records = Records(plan.data_root)
    for path in (records._path("incomplete", "DEMO_/detections.csv"), records.folder / "locks" / "0.output.lock"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    log = plan.data_root / "DEMO_" / "logs" / "merge_tables.log"
    log.parent.mkdir()
    log.write_text("12:00 INFO run\n")
    assert states(plan)["merge_tables", ""] == ("pending", "is running, or a run that was killed left its lock")


def test_states_are_counted_by_stage_in_the_order_of_the_workflow(plan):
    totals = status_totals(table_rows(project_status(plan)))
    names = ["download", "reduce", "analyze", "merge_histograms", "merge_tables"]
    names += ["rates", "report", "pages", "sync_database"]
    assert [each["stage"] for each in totals] == names
    assert totals[0] == {"stage": "download", "jobs": 2, "done": 0, "empty": 1, "failed": 1, "stale": 0, "pending": 0}
    assert sum(each["jobs"] for each in totals) == len(states(plan))


def test_before_its_catalog_is_fetched_a_project_has_one_job(tmp_path):
    workspace = Workspace(tmp_path)
    workspace.config["catalog"] = {"default": "WD"}
    workspace.save()
    found = states(read_plan(workspace.config_file))
    assert list(found) == [("fetch_catalog", "")]
    assert found["fetch_catalog", ""][0] == "pending"


def test_records_that_may_not_be_read_are_told(tmp_path, monkeypatch):
    def refuse(path, **options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_text", refuse)
    with pytest.raises(UserError, match=r"you may not read the record of DEMO_/rates\.csv; .* owner and group"):
        Records(tmp_path).read("DEMO_/rates.csv")


def test_records_of_long_names_are_in_pieces(tmp_path):
    (tmp_path / ".snakemake" / "metadata").mkdir(parents=True)
    file = f"{'long' * 60}/x.h5"
    path = Records(tmp_path)._path("metadata", file)
    assert [len(part) for part in path.relative_to(tmp_path / ".snakemake" / "metadata").parts] == [255, 74]
    path.parent.mkdir()
    path.write_text('{"params": ["\'a\'"], "code": "x", "record_format_version": 5}')
    assert Records(tmp_path).read(file) == {"params": None, "code": "x", "record_format_version": 5}
    assert Records(tmp_path).params(file) is None


def test_a_change_is_told_once_by_its_full_name():
    old, new = (
        {"gap_days": days, "provenance": {"parameters": {"config": {"reduce": {"gap_days": days}}}}}
        for days in (40, 60)
    )
    assert _parameter_texts("reduce", old, new) == ["reduce.gap_days: 40 -> 60"]
    assert _parameter_texts("reduce", old, new | {"provenance": old["provenance"]}) == ["gap_days: 40 -> 60"]
