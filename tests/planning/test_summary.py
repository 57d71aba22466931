import errno
import json
import os
import re
import time
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest

from vo_lib import hdf5
from vo_lib.bins import WIDTH_FILE
from vo_lib.catalogs.remote import FOLDER
from vo_lib.downloads.manifest import write_manifest
from vo_lib.files import write_json, write_text
from vo_lib.paths import failures_file, manifest_file, outage_folder, reduced_file
from vo_lib.planning.summary import (
    begin,
    failure_text,
    plan_text,
    summary_text,
    warning_lines,
)


@pytest.fixture
def plan(tmp_path):
    """A plan of three sources in two bins; one bin is done."""
    sources = [{"status": "ok", "n_rows": 1500}, {"status": "failed", "n_rows": 0}]
    write_manifest(tmp_path / manifest_file("X", "ZTF", "RA001"), {"generation": 1}, sources)
    return SimpleNamespace(
        config={"project": "x", "verbosity": "normal", "finder": {"snr_threshold": 5}, "bins": {"width_deg": 1}},
        has_catalog=True,
        command="snakemake",
        catalog=SimpleNamespace(n_sources=3, left_out={}, renamed=0),
        bins=["RA001", "RA002"],
        observatories=["ZTF"],
        data_root=tmp_path,
        folder="X",
        old_logs={},
        stopped=False,
    )


def test_a_run_begins_with_what_it_is_about(plan):
    text = f"x: 3 sources in 2 bins, survey ZTF, products in {plan.data_root / 'X'}"
    assert plan_text(plan) == f"{text} (a new data root)"
    write_text(plan.data_root / outage_folder() / "ZTF", "x")
    begin(plan)
    assert not (plan.data_root / outage_folder() / "ZTF").exists()
    write_json(plan.data_root / WIDTH_FILE, {"width_deg": 1})
    assert plan_text(plan) == text


def test_sources_that_cuts_leave_out_are_counted(plan):
    plan.catalog.left_out = {"mag < 18": 1200, "dec > 0": 34}
    assert plan_text(plan).startswith("x: 3 sources (1,234 excluded by cuts) in 2 bins")


def test_sources_that_are_not_selected_or_renamed_are_counted(plan):
    plan.catalog.left_out, plan.catalog.renamed = {"select": 2000, "dec > 0": 34}, 2
    notes = "2,000 not selected, 34 excluded by cuts, 2 duplicate names renamed"
    assert plan_text(plan).startswith(f"x: 3 sources ({notes}) in 2 bins, survey ZTF")


def test_a_run_that_only_downloaded_tells_the_outcomes(plan):
    lines = summary_text(plan).splitlines()
    assert lines[1].split() == ["survey", "sources", "ok", "empty", "failed", "epochs", "kept", "left", "out"]
    assert lines[2].split() == ["ZTF", "2", "1", "0", "1", "1,500"]
    assert len(lines) == 4


def test_epochs_that_the_reduction_kept_and_left_out_are_told(plan):
    for bin_name, kept, left in (("RA001", [700, 20], [5, 0]), ("RA002", [1], [2])):
        with hdf5.Writer(plan.data_root / reduced_file("X", "ZTF", bin_name)) as file:
            file.write_table("sources", {"n_kept": np.array(kept), "n_left_out": np.array(left)})
    assert summary_text(plan).splitlines()[2].split()[-2:] == ["721", "7"]


def test_a_complete_run_tells_detections_rows_and_files(plan):
    folder = plan.data_root / "X"
    (folder / "detections.csv").write_text("source,score\na,9\na,8\n")
    assert "detections  " not in summary_text(plan)
    (folder / "events.csv").write_text("source,event\na,1\n")
    (folder / "database.json").write_text(json.dumps({"rows": {"sources": 3, "detections": 0}}))
    (folder / "report.html").write_text("")
    text = summary_text(plan)
    assert "2 detections of 1 event in 1 source\n" in text
    assert "database rows  sources 3\n" in text
    assert str(folder / "report.html") in text


def test_what_is_older_than_an_analysis_is_no_result_of_the_run(plan):
    folder = plan.data_root / "X"
    for name in ("detections.csv", "events.csv", "report.html"):
        (folder / name).write_text("source\na\n")
        os.utime(folder / name, (1e9, 1e9))
    (folder / "rates.csv").write_text("class\n")
    assert "1 detection of 1 event" in summary_text(plan)
    (folder / "RA002_analysis.h5").write_text("")
    results = [line for line in summary_text(plan).splitlines()[3:] if line]
    assert results == [f"tables         {folder / 'rates.csv'}"]


def write_log(plan, name, *lines):
    path = plan.data_root / "X" / "logs" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"2026-01-01 00:00:00,000 {line}\n" for line in lines))
    return path


def test_a_failed_run_tells_why_and_where_to_look(plan):
    write_log(plan, "download/ZTF_RA001.log", "INFO run x", "ERROR 2 sources failed")
    write_log(
        plan,
        "report.log",
        "INFO run x",
        "ERROR failed\nTraceback (most recent call last):\n  File x\nKeyError: 'bug'\nof a",
    )
    write_log(plan, "reduce/ZTF_RA001.log", "INFO done in 0.10 s")
    write_log(plan, "analyze/RA001.log", "INFO run x")
    text = failure_text(plan)
    assert "3 jobs failed:\n" in text
    assert "  analyze/RA001: ended without an error message; was it killed" in text
    assert "  download/ZTF_RA001: 2 sources failed\n" in text
    assert "  report: KeyError: 'bug' of a\n" in text
    assert str(plan.data_root / "X" / "logs") in text


@pytest.mark.parametrize(
    ("injections", "shown"),
    [
        (3, "database rows  detections 64 (also of injected events), injections 3\n"),
        (0, "database rows  detections 64\n"),
    ],
)
def test_detections_of_the_database_are_told_from_those_of_the_tables(plan, injections, shown):
    rows = {"detections": 64, "injections": injections}
    write_json(plan.data_root / "X" / "database.json", {"rows": rows})
    assert shown in summary_text(plan)


def test_an_error_of_several_lines_is_shown_from_its_first_and_a_long_one_is_cut(plan):
    trace = 'ERROR failed\nTraceback (most recent call last):\n  File "a.py", line 1\n    x()\nOSError: write failed '
    write_log(plan, "reduce/ZTF_RA001.log", f"{trace}(at noon\n, errno = 28, no space left)")
    write_log(plan, "reduce/ZTF_RA002.log", trace + "very " * 200 + "long")
    text = failure_text(plan)
    assert "  reduce/ZTF_RA001: OSError: write failed (at noon , errno = 28, no space left)\n" in text
    assert re.search(r"  reduce/ZTF_RA002: OSError: write failed (very )+\.\.\.\n", text)


def test_jobs_that_never_began_after_a_failure_in_their_group_are_not_blamed(plan):
    empty = write_log(plan, "analyze/RA001.log")
    assert "1 job failed:\n  analyze/RA001: ended without an error message" in failure_text(plan)
    write_log(plan, "reduce/ZTF_RA002.log", "INFO run x", "ERROR damaged")
    assert empty.exists()
    assert "1 job failed:\n  reduce/ZTF_RA002: damaged\n" in failure_text(plan)


def test_a_run_without_anything_to_look_at_warns_of_nothing(plan):
    write_log(plan, "reduce/ZTF_RA001.log", "INFO done in 0.10 s")
    assert warning_lines(plan) == []
    plan.config["verbosity"] = "quiet"
    assert summary_text(plan) == ""


def test_a_run_ends_with_its_warnings_by_stage_failures_bad_data_and_files_put_aside(plan):
    folder = plan.data_root / "X"
    log = write_log(plan, "download/ZTF_RA001.log", "WARNING slow", "WARNING slower", "INFO done in 0.10 s")
    write_log(plan, "download/ZTF_RA002.log", "WARNING slow", "ERROR gone")
    write_log(plan, "report.log", "WARNING a.py:1: UserWarning: odd", "INFO a WARNING of others", "INFO done in 0.10 s")
    write_json(plan.data_root / failures_file("X", "ZTF", "RA001"), {"a": "HTTP 503"})
    write_text(plan.data_root / "ZTF" / "a.h5.damaged-20260101T000000", "")
    write_text(folder / "b.h5.damaged-20260101T000000", "")
    with hdf5.Writer(folder / "RA002_analysis.h5") as file:
        file.write_table("bad_data", {"lightcurve": np.array(["x", "x", "y"])})
    lines = [
        f"failures       1 source, see {folder / 'failures.csv'}",
        f"bad data       2 lightcurves, see bad_data in {folder}/*_analysis.h5",
        f"put aside      2 damaged files, can be deleted: {folder / 'b.h5.damaged-20260101T000000'}",
        f"download warns 3 times, first in {log}: slow",
        f"report warns   1 time, first in {folder / 'logs' / 'report.log'}: a.py:1: UserWarning: odd",
    ]
    assert warning_lines(plan) == lines
    for verbosity in ("quiet", "normal"):
        plan.config["verbosity"] = verbosity
        assert "\n".join(lines) in summary_text(plan)
    assert "\n".join(lines) in failure_text(plan)


def test_files_that_cannot_be_read_do_not_hide_what_a_run_says(plan):
    for path in ("RA001_analysis.h5", "ZTF_photometry_RA001_reduced.h5", "manifests/ZTF_photometry_RA001.jsonl"):
        (plan.data_root / "X" / path).write_text("half")
    assert warning_lines(plan) == []
    assert summary_text(plan).splitlines()[2].split() == ["ZTF", "0", "0", "0", "0", "0"]


def test_a_run_ends_with_its_failed_jobs_where_the_table_of_failures_cannot_be_made(plan, monkeypatch):
    write_text(plan.data_root / "X" / "logs" / "rates.log", "12:00 ERROR the disk is full\n")
    emptied = plan.data_root / failures_file("X", "ZTF", "RA001")
    write_text(emptied, "")
    assert f"failures       {emptied}: is no longer the JSON that was written" in failure_text(plan)
    write_json(emptied, {"a": "HTTP 503"})
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr("vo_lib.running.failures.replacing", Mock(side_effect=full))
    text = failure_text(plan)
    assert "rates: the disk is full" in text
    assert "failures       [Errno 28] No space left on device" in text


def test_of_many_failures_the_first_are_listed(plan):
    for number in range(25):
        write_log(plan, f"reduce/ZTF_RA{number:03d}.log", "ERROR disk full")
        if number == 10:
            assert "and 1 more" in failure_text(plan)
    assert failure_text(plan).count("disk full") == 10
    assert "and 15 more" in failure_text(plan)


def test_each_reason_is_listed_before_others_of_the_same(plan):
    for number in range(25):
        write_log(
            plan,
            f"download/ZTF_RA{number:03d}.log",
            f"ERROR ZTF RA{number:03d}: 3 of 9 failed; 'a{number}': x/{number}: no connection",
        )
    write_log(
        plan, "download/ZTF_RA024.log", "ERROR ZTF/ZTF_RA024.h5: 1 of 9 sources was fetched with other parameters"
    )
    write_log(plan, "reduce/ZTF_RA001.log", "ERROR disk full")
    lines = failure_text(plan).splitlines()
    assert [line.split(":")[0].strip() for line in lines[2:12]] == [
        *(f"download/ZTF_RA{number:03d}" for number in range(8)),
        "download/ZTF_RA024",
        "reduce/ZTF_RA001",
    ]
    assert lines[12] == "  and 16 more"


def test_a_run_that_fails_before_its_jobs_says_so(plan):
    text = failure_text(plan)
    assert "The run failed, but no job reported a reason; see Snakemake's messages above.\n" in text
    assert "All finished work is kept; fix the cause and repeat the command.\n" in text
    assert "cheduler" not in text
    assert "may have lost or rejected jobs" in failure_text(plan, cluster=True)


@pytest.mark.parametrize("late_s", [-86_400, 0, 86_400])
def test_a_run_tells_of_its_own_logs_whatever_the_clock_says(plan, late_s):
    same, again = write_log(plan, "old.log", "ERROR of yesterday"), write_log(plan, "reduce.log", "ERROR gone")
    os.utime(same, (time.time() + 600,) * 2)  # the clock was set back since, or that of the disk is ahead
    begin(plan)
    write_log(plan, "reduce.log", "WARNING slow", "ERROR disk full")
    os.utime(again, (time.time() + late_s,) * 2)
    text = failure_text(plan)
    assert "1 job failed:\n  reduce: disk full\n" in text
    assert f"reduce warns   1 time, first in {again}: slow\n" in text
    assert "yesterday" not in text


def test_a_catalog_that_could_not_be_fetched_is_a_failed_job(plan):
    write_text(plan.data_root / FOLDER / "logs" / "wd.fits.log", "2026-01-01 00:00:00,000 ERROR no network\n")
    assert "1 job failed:\n  fetch_catalog wd.fits: no network\n" in failure_text(plan)


def test_files_from_the_future_get_the_time_of_now(plan):
    path = write_log(plan, "report.log", "ERROR disk full")
    assert "in the future" not in failure_text(plan)
    os.utime(path, (time.time() + 86_400,) * 2)
    assert "1 file had a time in the future, which was set to now; was the clock set back?\n" in failure_text(plan)
    assert path.stat().st_mtime <= time.time() + 1


def test_a_run_that_is_stopped_says_so_and_blames_no_job_that_this_ended(plan):
    plan.stopped = True
    write_log(plan, "download/ZTF_RA001.log", "INFO run x", "ERROR interrupted")
    write_log(plan, "analyze/RA001.log", "INFO run x")
    lines = failure_text(plan).splitlines()
    assert lines[1:4] == [
        "The run was stopped.",
        "",
        "All finished work is kept; repeat the command to continue.",
    ]
    write_log(plan, "report.log", "ERROR disk full")
    text = failure_text(plan)
    assert "The run was stopped.\n1 job failed:\n  report: disk full\n" in text
    assert "fix the cause and repeat the command" in text
