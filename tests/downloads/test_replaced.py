"""Two projects on one data root that refetch each other's answers."""

import json

import pytest
from workspace import Workspace

from scripts.download import main
from vo_lib.downloads.manifest import read_header, write_manifest
from vo_lib.errors import ConfigError, UserError
from vo_lib.plan import read_plan
from vo_lib.planning.plan_checks import check_plan
from vo_lib.raw import read_index


@pytest.fixture
def projects(tmp_path):
    """Two projects that refetch; they ask the simulated survey for other numbers of epochs."""
    made = []
    for name, epochs in (("one", 20), ("two", 30)):
        (tmp_path / name).mkdir()
        project = Workspace(tmp_path / name)
        project.catalog.write_text("name,ra,dec\na,10.1,5\nb,10.2,5\n")
        project.data_root = tmp_path / "data"
        project.set("data_root", str(project.data_root)).set("project", name).set("download.on_change", "refetch")
        made.append(project.set("observatories", {"demo": {"epochs_per_filter": epochs}}))
    return made


def planned(project):
    """Plan of a project as it is now, checked as the workflow does."""
    project.save()
    plan = read_plan(project.config_file)
    check_plan(plan)
    return plan


@pytest.fixture
def download(monkeypatch):
    """Do the only download of a project if the workflow would do it; gives whether it did."""

    def do(project):
        plan = planned(project)
        plan.data_root.mkdir(exist_ok=True)
        monkeypatch.chdir(plan.data_root)
        manifest = f"{plan.folder}/manifests/DEMO_photometry_RA010.jsonl"
        params, header = json.loads(plan.parameters("download", "DEMO", "RA010")), read_header(manifest)
        if header and header["generation"] == params["generation"] and header["provenance"] == params["provenance"]:
            return False
        raw = plan.raw_file("DEMO", "RA010")
        main(plan.catalog.path, raw, manifest, params=params, options=json.loads(plan.options()))
        return True

    return do


def refuse(project):
    """Check that a project is stopped before its first job."""
    message = r"replaced 2 sources of this project \(the first is 'a'\) .*set download\.on_change to 'keep'"
    with pytest.raises(ConfigError, match=message):
        planned(project)


def test_the_project_whose_answers_were_replaced_stops_and_they_are_not_refetched_in_turn(projects, download):
    one, two = projects
    assert [download(one), download(two)] == [True, True]
    refuse(one)
    refuse(one)
    assert download(two) is False


@pytest.mark.parametrize(
    "change",
    [
        lambda one, _: one.set("download.on_change", "keep"),
        lambda one, two: one.set("observatories", two.config["observatories"]),
        lambda one, _: one.product("manifests/DEMO_photometry_RA010.jsonl").unlink(),
    ],
)
def test_each_way_out_of_the_message_works(projects, download, change):
    one, two = projects
    download(one), download(two)
    change(one, two)
    assert download(one) is True
    assert download(one) is False


def test_a_project_that_changes_its_own_parameters_refetches(projects, download):
    one, _ = projects
    download(one)
    one.set("observatories.demo.epochs_per_filter", 40)
    assert [download(one), download(one)] == [True, False]


def test_both_may_change_to_the_same_parameters(projects, download):
    one, two = projects
    download(one), download(two)
    for project in projects:
        project.set("observatories.demo.epochs_per_filter", 50)
    assert [download(one), download(two), download(one), download(two)] == [True, True, False, False]


def test_a_project_that_moves_a_star_takes_it_from_the_other(projects, download):
    one, two = projects
    two.config["observatories"] = one.config["observatories"]
    two.catalog.write_text("name,ra,dec\na,10.1005,5\nb,10.2,5\n")
    download(one), download(two)
    with pytest.raises(ConfigError, match=r"replaced 1 source of this project \(the first is 'a'\)"):
        planned(one)


def test_a_lost_archive_and_answers_that_were_kept_are_no_conflict(projects, download):
    one, two = projects
    download(two)
    one.set("download.on_change", "keep")
    download(one)
    one.set("download.on_change", "refetch")
    assert download(one) is True
    for path in one.data_root.rglob("*.h5"):
        path.unlink()
    assert download(one) is True


def test_kept_answers_that_another_project_replaces_are_no_conflict(projects, download):
    one, two = projects
    download(two)
    one.set("download.on_change", "keep")
    download(one)
    two.set("observatories.demo.epochs_per_filter", 40)
    download(two)
    one.set("download.on_change", "refetch")
    assert [download(one), download(one)] == [True, False]


def test_a_manifest_cut_short_is_made_again(projects, download):
    one, two = projects
    download(one), download(two)
    manifest = one.product("manifests/DEMO_photometry_RA010.jsonl")
    manifest.write_text(manifest.read_text()[:-30])
    assert [download(one), download(one)] == [True, False]


def test_a_project_that_changes_its_own_catalog_refetches(projects, download):
    one, two = projects
    download(one), download(two)
    one.catalog.write_text("name,ra,dec\na,10.1,5\nb,10.2,5\nc,10.3,5\n")
    assert [download(one), download(one)] == [True, False]


def test_sources_that_had_failed_have_lost_no_answers(projects, download):
    one, two = projects
    download(one)
    manifest = one.product("manifests/DEMO_photometry_RA010.jsonl")
    sources = map(json.loads, manifest.read_text().splitlines()[1:])
    failed = [row | {"status": "failed", "n_rows": 0, "digest": ""} for row in sources]
    write_manifest(manifest, read_header(manifest), failed)
    download(two)
    assert [download(one), download(one)] == [True, False]


def test_the_same_answers_to_another_request_are_no_conflict(projects, download):
    one, two = projects
    for project in projects:
        project.set("observatories.demo.empty_fraction", 1.0)
    assert [download(one), download(two), download(one), download(two)] == [True, True, False, False]


def test_sources_that_another_project_adds_are_no_conflict(projects, download):
    one, two = projects
    two.config["observatories"] = one.config["observatories"]
    two.catalog.write_text("name,ra,dec\na,10.1,5\nb,10.2,5\nc,10.3,5\n")
    download(one), download(two)
    assert download(one) is False
    assert len(read_index(one.data_root / "DEMO" / "DEMO_photometry_RA010.h5")) == 3


def test_the_default_is_an_error_of_the_second_project(projects, download):
    one, two = projects
    download(one)
    two.set("download.on_change", "error")
    with pytest.raises(UserError, match="2 of 2 sources were downloaded with other parameters"):
        download(two)
