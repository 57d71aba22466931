"""Many datasets of a file as one array or as columns."""

import os

import numpy as np
import pytest

from vo_lib import hdf5
from vo_lib.errors import DamagedProductError, UserError
from vo_lib.storage.flat_rows import read_columns, read_flat

ROWS = np.array([(1.5, 7), (np.nan, -1)], dtype=[("mjd", "f8"), ("n", "i8")])


@pytest.fixture
def file(tmp_path):
    with hdf5.Writer(tmp_path / "x.h5") as writer:
        writer.write("a", ROWS)
        writer.write("none", ROWS[:0])
    return tmp_path / "x.h5"


def test_many_datasets_are_read_into_one_array(file):
    with hdf5.open_file(file) as opened:
        rows = read_flat(opened, ["a", "none", "a"], [2, 0, 2], np.dtype([("n", "i8"), ("mjd", "f8")]))
        assert read_flat(opened, [], [], ROWS.dtype).shape == (0,)
    assert rows["n"].tolist() == [7, -1, 7, -1]


def test_an_index_that_is_wrong_is_noticed(file):
    with hdf5.open_file(file) as opened, pytest.raises(UserError, match="'a' has 2 rows, its index says 3"):
        read_flat(opened, ["a"], [3], ROWS.dtype)


def test_rows_are_copied_from_their_places(tmp_path):
    rows = np.array([(i, i / 7) for i in range(60)], [("a", "<i8"), ("b", "<f8")])
    parts = [rows[:0], rows[:10], rows[10:10], rows[10:45], rows[45:]]
    keys, counts = [f"k{number}" for number in range(5)], np.array([0, 10, 0, 35, 15])
    with hdf5.Writer(tmp_path / "file.h5") as writer:
        places = [writer.write(key, part) for key, part in zip(keys, parts, strict=True)]
    with hdf5.open_file(tmp_path / "file.h5") as file:
        np.testing.assert_array_equal(read_flat(file, keys, counts, rows.dtype, places), rows)
        columns = read_columns(file, keys, counts, rows.dtype, places)
        assert {name: values.tolist() for name, values in columns.items()} == {n: rows[n].tolist() for n in ("a", "b")}
        unknown = [*places[:3], -1, places[4]]
        np.testing.assert_array_equal(read_flat(file, keys, counts, rows.dtype, unknown), rows)
        other = [*places[:3], places[1], places[4]]
        assert read_flat(file, keys, counts, rows.dtype, other)["a"][10:13].tolist() == [0, 1, 2]


def test_rows_that_the_system_gives_in_pieces_are_whole(tmp_path, monkeypatch):
    rows, preadv = np.array([(i, i / 7) for i in range(9)], [("a", "<i8"), ("b", "<f8")]), os.preadv
    with hdf5.Writer(tmp_path / "file.h5") as writer:
        places = [writer.write("x", rows[:4]), writer.write("y", rows[4:])]
    monkeypatch.setattr(os, "preadv", lambda handle, parts, place: preadv(handle, [parts[0][:7]], place))
    with hdf5.open_file(tmp_path / "file.h5") as file:
        np.testing.assert_array_equal(read_flat(file, ["x", "y"], [4, 5], rows.dtype, places), rows)
        monkeypatch.setattr(os, "preadv", lambda *_: 0)
        with pytest.raises(DamagedProductError, match="ends before its datasets"):
            read_flat(file, ["x", "y"], [4, 5], rows.dtype, places)


@pytest.mark.parametrize("places", [True, False])
def test_columns_are_taken_apart_some_rows_at_a_time(tmp_path, monkeypatch, places):
    monkeypatch.setattr("vo_lib.storage.flat_rows.CACHED_ROWS", 7)
    counts, kind = np.array([3, 0, 5, 2, 20, 0, 1]), np.dtype([("n", "i8"), ("x", "f4")])
    parts = [np.array([(number, i / 8) for i in range(count)], kind) for number, count in enumerate(counts.tolist())]
    with hdf5.Writer(tmp_path / "file.h5") as writer:
        found = [writer.write(f"k{number}", part) for number, part in enumerate(parts)]
    wanted = kind if places else np.dtype(kind.descr[::-1])
    with hdf5.open_file(tmp_path / "file.h5") as file:
        keys = [f"k{number}" for number in range(7)]
        columns = read_columns(file, keys, counts, wanted, found if places else None)
        none = read_columns(file, [], [], wanted)
    np.testing.assert_array_equal(columns["n"], np.concatenate(parts)["n"])
    np.testing.assert_array_equal(columns["x"], np.concatenate(parts)["x"])
    assert none["x"].shape == none["n"].shape == (0,)


def test_rows_come_from_the_file_that_was_opened_whatever_has_its_name_now(tmp_path):
    path, kind = tmp_path / "file.h5", [("n", "i8")]
    with hdf5.Writer(path) as writer:
        place = writer.write("a", np.array([(1,), (2,)], kind))
    with hdf5.open_file(path) as file:
        with hdf5.Writer(path) as writer:
            assert writer.write("a", np.array([(8,), (9,)], kind)) == place
        assert read_flat(file, ["a"], [2], np.dtype(kind), [place])["n"].tolist() == [1, 2]


def test_where_places_are_those_of_another_file_keys_are_used(tmp_path):
    rows = np.array([(i, i / 7) for i in range(60)], [("a", "<i8"), ("b", "<f8")])
    with hdf5.Writer(tmp_path / "file.h5") as writer:
        places = [writer.write(key, part) for key, part in (("x", rows[:40]), ("y", rows[40:]))]
    with hdf5.open_file(tmp_path / "file.h5") as file:
        for wrong in ([places[0] + 16, places[1]], [places[0], places[1] - 16], [-1, -1], None):
            np.testing.assert_array_equal(read_flat(file, ["x", "y"], [40, 20], rows.dtype, wrong), rows)
        swapped = read_flat(file, ["x", "y"], [40, 20], rows.dtype.descr[::-1], places)
        assert swapped["b"].tolist() == rows["b"].tolist()
