"""What came of a project, gathered from its products."""

import numpy as np
import pytest
from make_project import BINS, NASTY, SURVEYS, damage, make_project

from vo_lib.errors import DamagedProductError, UserError
from vo_lib.paths import reduced_file
from vo_lib.quality import QUALITY_BITS
from vo_lib.results import best_events, read_results, recovery


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_project(tmp_path)
    return tmp_path


def test_outcomes_account_for_all_sources_and_epochs(project):
    results = read_results("DEMO", BINS, SURVEYS)
    assert [(row["bin"], row["ok"], row["empty"], row["failed"]) for row in results.outcomes] == [
        ("RA010", 2, 1, 0),
        ("RA200", 2, 0, 1),
    ]
    assert all(row["n_raw"] == row["n_kept"] + row["n_left_out"] == 420 for row in results.outcomes)
    assert results.left_out == {("DEMO", "other object"): 40}
    assert len(results.flagged) == len(QUALITY_BITS)
    assert +results.flagged == {("DEMO", "bad by the survey's flags"): 2}
    assert results.bad_data == {("DEMO", "Short Exposure"): 4, ("DEMO", "Bad Proposal"): 2}
    assert results.failures == [("lost", "DEMO", "RA200", "HTTP 503")]
    assert len(results.properties["source"]) == 6


def test_detections_are_the_real_ones_best_first(project):
    found = read_results("DEMO", BINS, SURVEYS).detections
    assert found["source"].tolist() == [NASTY, "flare"]
    assert found["bin"].tolist() == ["RA010", "RA200"]
    assert not found["simulated"].any()


def test_best_events_come_with_their_lightcurves_and_flags(project):
    results = read_results("DEMO", BINS, SURVEYS)
    first, second = best_events("DEMO", results, 6)
    assert first.columns["flux"][50] == 1200.0
    assert np.flatnonzero(first.flagged).tolist() == [20]
    assert first.position == (10.0, -30.0)
    assert second.detection["sign"] == -1
    assert (first.value, second.value) == ("mag", "mag")
    assert len(best_events("DEMO", results, 1)) == 1


def test_no_event_is_of_a_reduced_file_that_is_damaged(project):
    results = read_results("DEMO", BINS, SURVEYS)
    damage(project / reduced_file("DEMO", "DEMO", "RA010"))
    with pytest.raises(DamagedProductError, match="does not match the digest at its end"):
        best_events("DEMO", results, 1)


def test_an_event_with_negative_flux_is_drawn_as_flux(project):
    event = best_events("DEMO", read_results("DEMO", BINS, SURVEYS), 1)[0]
    event.columns["mag"][51] = np.nan
    assert event.value == "flux"


def test_no_bins_are_no_results(project):
    results = read_results("DEMO", [], SURVEYS)
    assert (results.outcomes, results.detections, best_events("DEMO", results, 6)) == ([], {}, [])
    assert recovery(results.injections) == []


@pytest.mark.parametrize(
    "name", ["RA010_analysis.h5", "DEMO_photometry_RA010_reduced.h5", "manifests/DEMO_photometry_RA010.jsonl"]
)
def test_a_missing_product_is_named(project, name):
    (project / "DEMO" / name).unlink()
    with pytest.raises(UserError, match=f"{name}: no such"):
        read_results("DEMO", BINS, SURVEYS)


def test_recovery_counts_every_injection_once():
    snr = np.array([0.0, 2.9, 3.0, -4.0, 20.0, 1e9, np.nan])
    injections = {"expected_snr": snr, "recovered": np.array([0, 0, 0, 1, 1, 1, 0])}
    rows = recovery(injections)
    assert [row[:2] for row in rows[:-1]] == [(0, 3), (3, 5), (20, np.inf)]
    assert [row[2:] for row in rows] == [(2, 0), (2, 1), (2, 2), (1, 0)]
    assert np.isnan(rows[-1][:2]).all()
