import json
import os

import numpy as np
import pytest

from vo_lib.downloads.manifest import (
    catalog_rows,
    find_header,
    next_generation,
    raw_state,
    read_header,
    read_manifest,
    write_manifest,
)
from vo_lib.errors import DamagedProductError, UnreadableError, UserError
from vo_lib.raw import Answer, write_raw

ROW = {"pmra": None, "pmdec": None, "parallax": None, "epoch": 2016.0, "mag": 15.5, "mag_err": None, "mag_filter": "G"}


def source(name, status="ok", n_rows=3):
    return {"name": name, "ra": 1.0, "dec": 2.0, **ROW, "status": status, "n_rows": n_rows, "digest": "d", "reason": ""}


def test_a_manifest_comes_back_as_it_was(tmp_path):
    path = tmp_path / "m.jsonl"
    write_manifest(path, {"generation": 2}, [source("é\n"), source("b", "empty", 0)])
    header, table = read_manifest(path)
    assert header == read_header(path)
    assert header["counts"] == {"ok": 1, "empty": 1, "failed": 0, "epochs": 3}
    assert table["name"].tolist() == ["é\n", "b"]
    assert np.isnan(table["pmra"]).all()
    assert table["n_rows"].tolist() == [3, 0]


@pytest.fixture
def bin_files(tmp_path):
    """A raw file of two sources and the manifest of a project that has both."""
    raw, manifest = tmp_path / "raw.h5", tmp_path / "m.jsonl"
    data = np.zeros(3, [("jd", "f8")])
    index = write_raw(raw, [Answer(source(name), "ok", data) for name in "ab"], columns={})
    sources = [source(name) | {"digest": index[name]["digest"]} for name in "ab"]
    write_manifest(manifest, {"generation": 4, "raw": raw_state(raw)}, sources)
    return manifest, raw


def add(raw, name, n_rows):
    """Another project's answer in the same raw file."""
    write_raw(raw, [Answer(source(name), "ok", np.zeros(n_rows, [("jd", "f8")]))], columns={})


def test_a_complete_download_is_not_pending(bin_files):
    assert next_generation(*bin_files) == 4


def test_sources_that_another_project_adds_do_not_matter(bin_files):
    add(bin_files[1], "c", 5)
    assert next_generation(*bin_files) == 4


def test_a_source_that_another_project_fetched_anew_is_pending(bin_files):
    add(bin_files[1], "b", 5)
    assert next_generation(*bin_files) == 5


def test_a_lost_or_partly_restored_archive_is_pending(bin_files):
    bin_files[1].unlink()
    assert next_generation(*bin_files) == 5
    add(bin_files[1], "b", 3)
    assert next_generation(*bin_files) == 5


@pytest.mark.parametrize(("stored", "is_pending"), [("empty", 0), ("failed", 1)])
def test_an_answer_without_epochs_is_not_one_that_failed(tmp_path, stored, is_pending):
    """Both have no epochs, and so the same digest."""
    manifest, raw = tmp_path / "m.jsonl", tmp_path / "raw.h5"
    index = write_raw(raw, [Answer(source("a"), stored, np.zeros(0, [("jd", "f8")]))], columns={})
    write_manifest(manifest, {"generation": 4}, [source("a", "empty", 0) | {"digest": index["a"]["digest"]}])
    assert next_generation(manifest, raw) == 4 + is_pending


def test_the_state_of_an_archive_is_of_its_size_and_of_the_time_of_its_change(tmp_path):
    assert raw_state(tmp_path / "raw.h5") is None
    states = []
    for content, changed in ((b"old", 10), (b"old", 11), (b"longer", 11)):
        (tmp_path / "raw.h5").write_bytes(content)
        os.utime(tmp_path / "raw.h5", ns=(changed, changed))
        states.append(raw_state(tmp_path / "raw.h5"))
    assert states == [[3, 10], [3, 11], [6, 11]]


@pytest.mark.parametrize(
    "damaged", [lambda content: content[:-1000], lambda content: content[:48].ljust(len(content), b"\0")]
)
def test_a_damaged_archive_is_pending(bin_files, damaged):
    bin_files[1].write_bytes(damaged(bin_files[1].read_bytes()))
    assert next_generation(*bin_files) == 5


def test_failed_sources_are_pending(bin_files):
    write_manifest(bin_files[0], {"generation": 4, "raw": raw_state(bin_files[1])}, [source("a", "failed", 0)])
    assert next_generation(*bin_files) == 5


def test_answers_to_other_parameters_are_pending_once_they_are_not_to_be_kept(bin_files):
    header, _ = read_manifest(bin_files[0])
    manifest, raw = bin_files
    write_manifest(manifest, header | {"kept": ["a"], "raw": raw_state(raw)}, [source("a")])
    assert next_generation(manifest, raw, keep=True) == 4
    assert next_generation(manifest, raw) == 5


def test_the_first_download_is_generation_one(tmp_path):
    assert read_header(tmp_path / "none") is None
    assert next_generation(tmp_path / "none", tmp_path / "raw") == 1


def test_rows_of_a_catalog_have_none_for_what_is_missing():
    table = {"name": np.array(["a"]), "mag": np.array([np.nan]), "ra": np.array([1.5])}
    assert catalog_rows(table) == [{"name": "a", "mag": None, "ra": 1.5}]


def test_a_manifest_that_cannot_be_read_says_what_to_do(tmp_path):
    with pytest.raises(UserError, match="no such manifest; run snakemake"):
        read_manifest(tmp_path / "none")
    (tmp_path / "m").write_text("half a li")
    with pytest.raises(UserError, match="is not a manifest .*delete it and run snakemake"):
        read_header(tmp_path / "m")


@pytest.mark.parametrize("part", [0.01, 0.3, 0.9])
def test_any_changed_byte_of_a_manifest_shows_and_the_download_is_pending(bin_files, part):
    manifest, raw = bin_files
    content = manifest.read_bytes()
    place = int(part * len(content))
    manifest.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    with pytest.raises(DamagedProductError, match="delete it and run snakemake"):
        read_manifest(manifest)
    assert part > 0.5 or next_generation(manifest, raw) == 0


def test_a_manifest_from_before_there_were_digests_is_read(bin_files):
    manifest, raw = bin_files
    head, *rows = manifest.read_text().splitlines()
    header = json.loads(head) | {"schema": 1}
    del header["digest"], header["sources"]
    manifest.write_text("\n".join([json.dumps(header), *rows, ""]))
    assert len(read_manifest(manifest)[1]["name"]) == 2
    assert next_generation(manifest, raw) == 4
    manifest.write_text("\n".join([json.dumps(header | {"schema": 2}), *rows, ""]))
    with pytest.raises(DamagedProductError, match="its first line does not match the digest"):
        read_header(manifest)


@pytest.mark.parametrize("read", [find_header, read_manifest, lambda path: next_generation(path, path)])
def test_a_manifest_that_the_system_does_not_let_be_read_is_named_and_not_made_again(tmp_path, read):
    (tmp_path / "x.jsonl").mkdir()
    with pytest.raises(UnreadableError, match=r"x\.jsonl: cannot be read \(Is a directory\); check its disk"):
        read(tmp_path / "x.jsonl")
