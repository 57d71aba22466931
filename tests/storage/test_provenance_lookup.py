"""Provenances by stage, identifier and product, and what differs between two, as far as that is known."""

from types import SimpleNamespace

import pytest

from vo_lib import hdf5
from vo_lib.errors import UserError
from vo_lib.storage import provenance_lookup
from vo_lib.storage.provenance_lookup import compare_provenances, find_provenance, provenance_label


def made(process, identifier, code="new", upstreams=(), **parameters):
    """A row as plans have it."""
    return {"id": identifier, "process": process, "parameters": parameters, "code": code, "upstreams": list(upstreams)}


NOW = [
    made("download", "d1aaaa", observatory="ZTF"),
    made("reduce", "e1aaaa", upstreams=["d1aaaa"], observatory="ZTF", gap_days=40),
    made("reduce", "e2aaaa", observatory="DEMO", gap_days=40),
    made("analyze", "a1aaaa", upstreams=["e1aaaa", "e2aaaa"], finder={"snr_threshold": 5}),
]


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """A project, and what the database has of former times, which is empty until a test adds to it."""
    found = SimpleNamespace(provenances=NOW, data_root=tmp_path, folder="P", stored=[])
    monkeypatch.setattr(
        provenance_lookup, "_in_database", lambda plan, text: [row for row in plan.stored if row["id"] == text]
    )
    return found


def product(plan, name="old.h5", **metadata):
    """A product of the project."""
    with hdf5.Writer(plan.data_root / "P" / name) as writer:
        writer.write_json("metadata", metadata)
    return name


@pytest.mark.parametrize(
    ("text", "identifier"),
    [("analyze", "a1aaaa"), ("reduce:ztf", "e1aaaa"), ("a1aa", "a1aaaa"), ("e2aaaa", "e2aaaa")],
)
def test_a_stage_and_the_first_digits_name_one(plan, text, identifier):
    assert find_provenance(plan, text)["id"] == identifier


@pytest.mark.parametrize(("text", "number"), [("reduce", 2), ("a1a", 0), ("1aaa", 0), ("reduce:gaia", 0)])
def test_what_names_none_or_several_is_refused(plan, text, number):
    with pytest.raises(UserError, match=f"'{text}' matches {number} provenances"):
        find_provenance(plan, text)


def test_a_product_is_found_in_the_projects_folder_and_known_by_the_project_or_the_database(plan):
    assert find_provenance(plan, product(plan, provenance="a1aaaa")) == NOW[3]
    plan.stored = [made("analyze", "a0aaaa", code="old")]
    assert find_provenance(plan, product(plan, provenance="a0aaaa")) == plan.stored[0]
    with pytest.raises(UserError, match="old.h5: does not say what its provenance is"):
        find_provenance(plan, product(plan))


def test_a_file_that_is_here_goes_before_one_of_the_project(plan, monkeypatch):
    product(plan, provenance="a1aaaa")
    with hdf5.Writer(plan.data_root / "here" / "old.h5") as writer:
        writer.write_json("metadata", {"provenance": "e1aaaa"})
    monkeypatch.chdir(plan.data_root / "here")
    assert find_provenance(plan, "old.h5")["id"] == "e1aaaa"


def test_a_product_of_former_times_tells_itself_what_made_it(plan):
    name = product(plan, provenance="e0aaaa", process="reduce", parameters={"observatory": "ZTF"}, code="old")
    assert find_provenance(plan, name) == made("reduce", "e0aaaa", code="old", observatory="ZTF")


def test_what_a_product_does_not_tell_is_not_told_as_a_difference(plan):
    old = find_provenance(
        plan, product(plan, provenance="a0aaaa", process="analyze", parameters={"finder": {"snr_threshold": 6}})
    )
    assert compare_provenances(plan, old, NOW[3]) == [("analyze.finder.snr_threshold", 6, 5)]
    bare = find_provenance(plan, product(plan, provenance="e0aaaa", process="reduce"))
    assert (bare["parameters"], bare["code"], provenance_label(bare)) == ({}, "", "reduce")


def test_differences_go_upstream_as_far_as_that_is_known(plan):
    old = made("analyze", "a0aaaa", code="old", upstreams=["e0aaaa", "e2aaaa"], finder={"snr_threshold": 5})
    assert compare_provenances(plan, old, NOW[3]) == [("analyze.code", "old", "new")]
    plan.stored = [made("reduce", "e0aaaa", upstreams=["d0aaaa"], observatory="ZTF", gap_days=60)]
    plan.stored += [made("download", "d0aaaa", code="older", observatory="ZTF")]
    assert sorted(compare_provenances(plan, old, NOW[3])) == [
        ("analyze.code", "old", "new"),
        ("download:ztf.code", "older", "new"),
        ("reduce:ztf.gap_days", 60, 40),
    ]
    assert compare_provenances(plan, NOW[3], NOW[3]) == []


def test_two_surveys_are_not_compared(plan):
    with pytest.raises(UserError, match="reduce:ztf and reduce:demo have different keys"):
        compare_provenances(plan, NOW[1], NOW[2])
