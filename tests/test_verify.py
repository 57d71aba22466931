"""Digests are those of the content, however it came into memory."""

import hashlib
import subprocess
import sys
import time
from functools import partial
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from make_batch import make_batch

from vo_lib import hdf5, paths, raw
from vo_lib.config import load_schema
from vo_lib.downloads.manifest import write_manifest
from vo_lib.plan import Plan
from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.raw import Answer, data_digest, write_raw
from vo_lib.reduction.blocks import source_blocks
from vo_lib.reduction.reduced import write_lightcurves
from vo_lib.storage import flat_rows
from vo_lib.storage.flat_rows import read_flat
from vo_lib.verify import RENEW, SEE, Report, _check_digest, _check_product, put_damaged_aside, verify


def test_what_was_read_from_a_file_has_the_digest_of_what_was_written(tmp_path):
    rows = np.array([(1.5, b"g"), (2.5, b"r")], dtype=[("mag", "f8"), ("filter", "S1")])
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["a"] = rows
        read = file["a"][:]
    assert read.dtype["filter"].metadata is not None, "what h5py notes must not count"
    assert data_digest(read) == data_digest(rows)


def test_a_file_that_is_as_when_it_was_synced_must_have_that_digest(tmp_path):
    path, report = tmp_path / "x.csv", Report()
    path.write_text("a\n1\n")
    state = path.stat()
    for size, mtime in ((state.st_size, state.st_mtime_ns), (state.st_size, 0)):
        _check_digest(path, "x.csv", None, (size, mtime, "0" * 64), report)
    assert [each["problem"] for each in report.problems] == ["has changed since it was made"]
    assert report.unknown == ["x.csv"]


def test_a_product_without_lightcurves_is_read_and_fine(tmp_path):
    path, report = tmp_path / "x.h5", Report()
    with hdf5.Writer(path) as file:
        file.write_table("index", {"key": np.array([], dtype="U1"), "digest": np.array([], dtype="U1")})
        file.write_table("series", {"n": np.arange(3)})
    _check_product(path, "x.h5", report)
    assert (report.problems, report.n_files, report.n_datasets) == ([], 1, 0)


def write_lightcurves_of(counts, path):
    """Write a file of lightcurves, and return their keys and places in it."""
    with hdf5.Writer(path) as writer:
        index = write_lightcurves(writer, make_batch(counts)) | {"n_epochs": np.array(counts)}
        writer.write_table("index", index)
    return index["key"].tolist(), index["place"].tolist()


def test_lightcurves_are_read_in_blocks_from_their_places_in_the_file(tmp_path, monkeypatch):
    path, report, blocks = tmp_path / "x.h5", Report(), []
    keys, places = write_lightcurves_of([5, 3, 0, 4, 9], path)
    content = bytearray(path.read_bytes())
    content[places[3]] ^= 1
    path.write_bytes(content)
    monkeypatch.setattr("vo_lib.verify.source_blocks", partial(source_blocks, most=8))
    monkeypatch.setattr("vo_lib.verify.read_flat", lambda *options: blocks.append(options[2]) or read_flat(*options))
    monkeypatch.setattr(flat_rows, "_fill_by_keys", lambda *_: pytest.fail("datasets were opened one by one"))
    _check_product(path, "x.h5", report)
    assert [each["key"] for each in report.problems] == ["", keys[3]]
    assert [block.tolist() for block in blocks] == [[5, 3, 0], [4], [9]]
    assert report.n_datasets == 5


CHECK = """
import sys
from pathlib import Path
from vo_lib.verify import Report, _check_product

report = Report()
_check_product(Path(sys.argv[1]), "x.h5", report)
print([each["problem"] for each in report.problems])
"""


def test_zeros_in_texts_do_not_stop_it(tmp_path):
    path = tmp_path / "x.h5"
    with hdf5.Writer(path) as file:
        file.write_table("series", {"n": np.arange(3)})
        file.write_json("metadata", {"provenance": "0" * 20})
    content, texts = path.read_bytes(), path.read_bytes().index(b"GCOL") + 16
    path.write_bytes(content[:texts].ljust(len(content), b"\0"))
    command = [sys.executable, "-c", CHECK, path]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PACKAGE_ROOT, timeout=60)
    assert done.stdout == "['has no digest at its end, so it was cut off or is not from this workflow']\n"


def test_what_the_system_does_not_let_be_read_is_named_and_stays(tmp_path):
    report = Report()
    for name in ("x.h5", "x.nc", "x.csv"):
        (tmp_path / name).mkdir()
        _check_product(tmp_path / name, name, report)
        _check_digest(tmp_path / name, name, "0" * 64, None, report)
    problem = {"key": "", "problem": "cannot be read (Is a directory)", "remedy": SEE}
    assert report.problems == [{"file": name} | problem for name in ("x.h5", "x.nc", "x.csv")]
    assert put_damaged_aside(SimpleNamespace(data_root=tmp_path), report) == {}
    assert len(list(tmp_path.iterdir())) == 3


def test_tens_of_thousands_of_problems_are_told_at_once():
    report, begin = Report(), time.process_time()
    for number in range(30_000):
        report.add("x.h5", "its answer is another", RENEW, f"star {number}")
    assert len(report.problems) == 30_000
    assert time.process_time() - begin < 3


def make(folder, name, text, log):
    """Make a table as a job does, with a line in its log."""
    (folder / name).write_text(text)
    made = f"made X/{name}: {len(text)} bytes, sha256 {hashlib.sha256(text.encode()).hexdigest()}"
    lines = (f"2026-01-01 00:00:00,000 INFO {line}\n" for line in (made, "done in 1 s"))
    (folder / "logs" / log).write_text("".join(lines))


def make_plan(folder):
    """Plan of the demo survey for one source."""
    (folder / "catalog.csv").write_text("name,ra,dec,mag\nstar,45.3,10,15\n")
    config = {"project": "x", "data_root": str(folder), "catalog": {"file": str(folder / "catalog.csv")}}
    schema = load_schema(PACKAGE_ROOT / "workflow/schemas/config.schema.yaml")
    return Plan(config | {"observatories": {"demo": None}}, schema, PACKAGE_ROOT)


def test_a_raw_archive_of_a_newer_format_needs_an_upgrade_and_stays(tmp_path, monkeypatch):
    plan = make_plan(tmp_path)
    file, known = plan.raw_file("DEMO", "RA045"), raw.SCHEMA
    path, manifest = (tmp_path / name for name in (file, paths.manifest_file(plan.folder, "DEMO", "RA045")))
    for each in (path, manifest):
        each.parent.mkdir(parents=True)
    with monkeypatch.context() as later:
        later.setattr(raw, "SCHEMA", known + 1)
        answer = Answer({"name": "star", "ra": 45.3, "dec": 10.0}, "empty", np.zeros(0, [("jd", "f8")]))
        write_raw(path, [answer], columns={})
    write_manifest(manifest, {"generation": 1, "counts": {"failed": 0}}, [])
    report = verify(plan)
    assert [each["file"] for each in report.problems] == [file]
    problem = f"has format {known + 1}, but this version of vo_lib reads formats only up to {known}"
    assert report.problems[0]["problem"] == problem
    assert report.problems[0]["remedy"] == "upgrade vo_lib to the version that made it"
    assert put_damaged_aside(plan, report) == {}


def test_what_a_run_makes_again_meanwhile_is_not_damaged(tmp_path, monkeypatch):
    plan = make_plan(tmp_path)
    folder = tmp_path / "X"
    (folder / "logs").mkdir(parents=True)
    make(folder, "detections.csv", "a\n", "merge_tables.log")
    make(folder, "rates.csv", "a\n1\n", "rates.log")
    assert verify(plan).problems == []

    def check(path, file, *others):
        if file == "X/detections.csv":
            make(folder, "rates.csv", "a\n2\n", "rates.log")
        _check_digest(path, file, *others)

    monkeypatch.setattr("vo_lib.verify._check_digest", check)
    report = verify(plan)
    assert (report.problems, report.n_files, report.unknown) == ([], 2, [])
    (folder / "rates.csv").write_text("a\n1\n")
    monkeypatch.undo()
    assert [each["file"] for each in verify(plan).problems] == ["X/rates.csv"]
