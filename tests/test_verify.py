"""Digests are those of the content, however it came into memory."""

import h5py
import numpy as np

from vo_lib import hdf5
from vo_lib.raw import data_digest
from vo_lib.verify import Report, _check_digest, _check_product


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
    assert [each["problem"] for each in report.problems] == ["is not what it was when it was made"]
    assert report.unknown == ["x.csv"]


def test_a_product_without_lightcurves_is_read_and_fine(tmp_path):
    path, report = tmp_path / "x.h5", Report()
    with hdf5.Writer(path) as file:
        file.write_table("index", {"key": np.array([], dtype="U1"), "digest": np.array([], dtype="U1")})
        file.write_table("series", {"n": np.arange(3)})
    _check_product(path, "x.h5", report)
    assert (report.problems, report.n_files, report.n_datasets) == ([], 1, 0)
