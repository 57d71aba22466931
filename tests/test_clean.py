"""What each level of a cleaning takes, and what stays whatever happens: files of persons, answers of other projects."""

from types import SimpleNamespace

import numpy as np
import pytest
from workspace import Workspace

from vo_lib import paths
from vo_lib.clean import plan_cleaning
from vo_lib.downloads.manifest import write_manifest
from vo_lib.errors import DamagedProductError, UserError
from vo_lib.plan import read_plan
from vo_lib.raw import Answer, write_raw

ROW = {"ra": 10.5, "dec": 1.0, "epoch": 2016.0}
ROW |= dict.fromkeys(("pmra", "pmdec", "parallax", "mag", "mag_err", "mag_filter"))
ANALYSIS = {
    *("A_analysis.h5", "A_histograms.nc", "A_combined.h5", "histograms_score.nc"),
    *("S_photometry_A_processed.h5", "S_photometry_A_simulated.h5"),
    *("detections.csv", "events.csv", "properties.csv", "rates.csv", "report.html", "report_tables.js"),
    *("plots/sky.png", "pages/index.html", "pages/A/star.html"),
}
REDUCED = {"S_photometry_A_reduced.h5"}
RAW = {"manifests/S_photometry_A.jsonl", "failures/S_A.json", "failures.csv"}
STAYS = {"00_config_1.yaml", "verdicts.csv", "database.json", "logs/reduce/S_A.log", "mine.h5", "plots/x.gif"}


def put(folder, names):
    """Make files with a letter in them."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")


def planned(tmp_path):
    """A data root with the folder of a project, as far as a cleaning asks for it."""
    return SimpleNamespace(data_root=tmp_path, folder="P")


def archive(plan, names, *, folder="P", bin_name="A", archived=None):
    """A raw archive with answers, and the manifest of some of them."""
    raw, manifest = paths.raw_file("S", bin_name), paths.manifest_file(folder, "S", bin_name)
    data, answers = np.zeros(3, [("mag", "f8")]), archived or dict.fromkeys(names, "ok")
    write_raw(plan.data_root / raw, [Answer({"name": n} | ROW, s, data) for n, s in answers.items()], columns={})
    sources = [{"name": n, "status": "ok", "n_rows": 3, "digest": "d", "reason": ""} | ROW for n in names]
    write_manifest(plan.data_root / manifest, {"raw_file": raw}, sources)
    return plan.data_root / raw, plan.data_root / manifest


@pytest.mark.parametrize(("level", "goes"), [("analysis", ANALYSIS), ("reduced", ANALYSIS | REDUCED)])
def test_a_level_takes_its_products_and_those_of_the_levels_before(tmp_path, level, goes):
    put(tmp_path / "P", ANALYSIS | REDUCED | RAW | STAYS)
    put(tmp_path / "Q", ANALYSIS | REDUCED | RAW)
    cleaning = plan_cleaning(planned(tmp_path), level)
    assert cleaning.files == sorted(tmp_path / "P" / name for name in goes)
    assert (cleaning.n_bytes, cleaning.kept, cleaning.rows) == (len(goes), [], False)


def test_the_level_of_raw_archives_takes_manifests_failures_and_what_they_are_of(tmp_path):
    plan = planned(tmp_path)
    put(tmp_path / "P", ANALYSIS | REDUCED | RAW | STAYS)
    raw, _ = archive(plan, ["a", "b"], archived={"a": "ok", "b": "empty", "c": "failed"})
    other, _ = archive(plan, ["z"], folder="Q", bin_name="B")
    cleaning = plan_cleaning(plan, "raw")
    assert set(cleaning.files) == {tmp_path / "P" / name for name in ANALYSIS | REDUCED | RAW} | {raw}
    assert (cleaning.kept, other.exists()) == ([], True)


def test_an_archive_that_is_gone_is_no_error(tmp_path):
    raw, manifest = archive(planned(tmp_path), ["a"])
    raw.unlink()
    assert plan_cleaning(planned(tmp_path), "raw").files == [manifest]


def test_an_archive_of_another_release_than_that_of_another_project_goes(tmp_path):
    raw, manifest = archive(planned(tmp_path), ["a"])
    write_manifest(tmp_path / "Q/manifests" / manifest.name, {"raw_file": "S/dr2/S_photometry_A.h5"}, [])
    cleaning = plan_cleaning(planned(tmp_path), "raw")
    assert (raw in cleaning.files, cleaning.kept) == (True, [])


@pytest.mark.parametrize("status", ["ok", "empty"])
def test_an_archive_with_an_answer_that_no_manifest_lists_stays(tmp_path, status):
    raw, manifest = archive(planned(tmp_path), ["a"], archived={"a": "ok", "theirs": status})
    cleaning = plan_cleaning(planned(tmp_path), "raw")
    assert (cleaning.files, cleaning.kept) == ([manifest], [(raw, [])])


def test_a_damaged_manifest_takes_no_answers_of_others(tmp_path):
    raw, manifest = archive(planned(tmp_path), ["a"], archived={"a": "ok", "theirs": "ok"})
    manifest.write_text(manifest.read_text().replace('"name": "a"', '"name": "o"'))
    cleaning = plan_cleaning(planned(tmp_path), "raw")
    assert (cleaning.files, cleaning.kept) == ([manifest], [(raw, [])])


@pytest.mark.parametrize("folder", ["P", "Q"])
def test_a_manifest_that_does_not_say_of_what_it_is_is_named_and_nothing_goes(tmp_path, folder):
    plan = planned(tmp_path)
    archive(plan, ["a"])
    _, manifest = archive(plan, ["a"], folder=folder)
    manifest.write_text(manifest.read_text().replace('"raw_file": "S/', '"raw_file": "T/'))
    with pytest.raises(
        DamagedProductError, match=f"{folder}/manifests/S_photometry_A.jsonl: its first line does not match"
    ):
        plan_cleaning(plan, "raw")


def test_a_damaged_archive_stays(tmp_path):
    raw, manifest = archive(planned(tmp_path), ["a"])
    raw.write_bytes(raw.read_bytes()[:100])
    cleaning = plan_cleaning(planned(tmp_path), "raw")
    assert (cleaning.files, cleaning.kept) == ([manifest], [(raw, [])])


@pytest.fixture
def workspace(tmp_path):
    """A project with products of a bin that it has and of another, and a file of a person."""
    made = Workspace(tmp_path)
    made.catalog.write_text("name,ra,dec\nstar,10.5,1.0\n")
    for bin_name in ("RA010", "RA011"):
        names = [paths.manifest_file("P", "DEMO", bin_name), paths.analysis_file("P", bin_name)]
        names += [name("P", "DEMO", bin_name) for name in (paths.reduced_file, paths.processed_file)]
        names += [paths.bin_histograms_file("P", bin_name), paths.combined_file("P", bin_name)]
        put(made.data_root, names)
    put(made.data_root, ["P/histograms_score.nc", "P/mine.h5", "DEMO/DEMO_photometry_RA011.h5"])
    return made.set("project", "p")


def left(workspace):
    """Names of what left a project."""
    workspace.save()
    return {path.name for path in plan_cleaning(read_plan(workspace.config_file), "left").files}


def test_products_of_a_bin_that_left_and_those_that_are_no_longer_asked_for_are_left(workspace):
    of_bin = {"_photometry_RA011.jsonl", "_photometry_RA011_reduced.h5"}
    wanted = {f"DEMO{name}" for name in of_bin} | {"RA011_analysis.h5", "RA011_histograms.nc"}
    not_asked = {f"{name}_combined.h5" for name in ("RA010", "RA011")}
    not_asked |= {f"DEMO_photometry_{name}_processed.h5" for name in ("RA010", "RA011")}
    assert left(workspace) == wanted | not_asked
    workspace.set("save_processed", True).set("combine.by", "band")
    assert left(workspace) == {name for name in wanted | not_asked if "RA010" not in name}


def test_nothing_has_left_as_long_as_the_catalog_is_not_fetched(workspace):
    workspace.config["catalog"] = {"default": "WD"}
    with pytest.raises(UserError, match="fits: the catalog has not been fetched yet, so it is unknown which bins"):
        left(workspace)
