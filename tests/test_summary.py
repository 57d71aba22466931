import json
from types import SimpleNamespace

import pytest

from vo_lib.bins import WIDTH_FILE
from vo_lib.manifest import write_manifest
from vo_lib.paths import manifest_file
from vo_lib.summary import begin, failure_text, plan_text, summary_text


@pytest.fixture
def plan(tmp_path):
    """A plan of three sources in two bins; one bin is done."""
    sources = [{"status": "ok", "n_rows": 1500}, {"status": "failed", "n_rows": 0}]
    write_manifest(tmp_path / manifest_file("X", "ZTF", "RA001"), {"generation": 1}, sources)
    return SimpleNamespace(
        config={"project": "x", "finder": {"snr_threshold": 5}, "bins": {"width_deg": 1}},
        catalog=SimpleNamespace(n_sources=3),
        bins=["RA001", "RA002"],
        observatories=["ZTF"],
        data_root=tmp_path,
        folder="X",
    )


def test_a_run_begins_with_what_it_is_about(plan):
    assert plan_text(plan) == f"x: 3 sources in 2 bins, survey ZTF, products in {plan.data_root / 'X'}"
    begin(plan)
    assert json.loads((plan.data_root / WIDTH_FILE).read_text()) == {"width_deg": 1}


def test_a_run_that_only_downloaded_tells_the_outcomes(plan):
    lines = summary_text(plan).splitlines()
    assert lines[1].split() == ["survey", "sources", "ok", "empty", "failed", "epochs"]
    assert lines[2].split() == ["ZTF", "2", "1", "0", "1", "1,500"]
    assert len(lines) == 4


def test_a_complete_run_tells_detections_rows_and_files(plan):
    folder = plan.data_root / "X"
    (folder / "detections.csv").write_text("source,score\na,9\na,8\n")
    (folder / "database.json").write_text(json.dumps({"rows": {"sources": 3, "detections": 0}}))
    (folder / "report.html").write_text("")
    text = summary_text(plan)
    assert "2 events of S/N >= 5 in 1 source\n" in text
    assert "database rows  sources 3\n" in text
    assert str(folder / "report.html") in text


def test_a_failed_run_tells_where_to_look(plan):
    assert str(plan.data_root / "X" / "logs") in failure_text(plan)
