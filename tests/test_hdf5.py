import h5py
import numpy as np
import pandas as pd
import pytest
from astropy.table import Table

from vo_lib import hdf5
from vo_lib.errors import UserError
from vo_lib.tables import decode_table, encode_table

ROWS = np.array([(1.5, 7, b"g"), (np.nan, -1, b"zr")], dtype=[("mjd", "f8"), ("n", "i8"), ("filter", "S2")])


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "sub" / "x.h5"
    with hdf5.Writer(path) as writer:
        writer.write("a", ROWS)
        writer.write("none", ROWS[:0])
        writer.write_table("table", {"name": np.array(["é", "b" * 9]), "good": np.array([True, False])})
        writer.write_json("metadata", {"x": "y" * 100_000})
        writer.write_texts("texts", ["", "z" * 70_000])
    return path


def test_other_tools_read_the_datasets(file):
    with h5py.File(file) as opened:
        assert opened["a"][1]["filter"] == b"zr"
        frame = pd.DataFrame(opened["a"][:])
        assert opened["none"].shape == (0,)
        assert len(opened["texts"].asstr()[1]) == 70_000
    assert frame["n"].tolist() == [7, -1]
    assert Table.read(file, path="a")["mjd"][0] == 1.5


def test_tables_come_back_as_they_were(file):
    with hdf5.open_file(file) as opened:
        table = hdf5.read_table(opened, "table")
        assert hdf5.read_json(opened, "metadata")["x"] == "y" * 100_000
    assert table["name"].tolist() == ["é", "b" * 9]
    assert table["good"].tolist() == [1, 0]


@pytest.mark.parametrize("table", [{"name": np.array([], dtype="U1"), "x": np.array([])}, {"name": np.array([""])}])
def test_empty_tables_and_texts_survive(table):
    back = decode_table(encode_table(table))
    assert {name: values.tolist() for name, values in back.items()} == {n: v.tolist() for n, v in table.items()}


def test_many_datasets_are_read_into_one_array(file):
    with hdf5.open_file(file) as opened:
        rows = hdf5.read_flat(opened, ["a", "none", "a"], [2, 0, 2], np.dtype([("n", "i8"), ("mjd", "f8")]))
        assert hdf5.read_flat(opened, [], [], ROWS.dtype).shape == (0,)
    assert rows["n"].tolist() == [7, -1, 7, -1]


def test_an_index_that_is_wrong_is_noticed(file):
    with hdf5.open_file(file) as opened, pytest.raises(UserError, match="'a' has 2 rows, its index says 3"):
        hdf5.read_flat(opened, ["a"], [3], ROWS.dtype)


def test_a_file_grows_from_another_without_touching_it(file):
    before = file.read_bytes()
    with hdf5.Writer(file.with_name("y.h5"), base=file) as writer:
        writer.write("a", ROWS[:1])
        writer.write("b", ROWS)
    assert file.read_bytes() == before
    with h5py.File(file.with_name("y.h5")) as opened:
        assert [len(opened[key]) for key in ("a", "b", "none")] == [1, 2, 0]


def test_a_failed_writer_leaves_the_old_file(file):
    before = file.read_bytes()
    with pytest.raises(ValueError, match="stop"), hdf5.Writer(file) as writer:
        writer.write("a", ROWS)
        raise ValueError("stop")
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["x.h5"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such file; run snakemake"), (b"", "not a readable"), (b"x" * 999, "not a readable")],
)
def test_a_file_that_cannot_be_read_says_what_to_do(tmp_path, content, message):
    if content is not None:
        (tmp_path / "x.h5").write_bytes(content)
    with pytest.raises(UserError, match=message):
        hdf5.open_file(tmp_path / "x.h5")


def test_a_missing_table_is_named(file):
    with hdf5.open_file(file) as opened, pytest.raises(UserError, match=r"x\.h5: has no table 'index'"):
        hdf5.read_table(opened, "index")


@pytest.mark.parametrize("n_rows", [1_000, 100_000])
def test_a_long_table_is_compressed_and_read_by_all_tools(tmp_path, n_rows):
    table = {"name": np.resize(["a", "β"], n_rows), "mjd": np.arange(n_rows) + 0.1, "n": np.full(n_rows, 7)}
    with hdf5.Writer(tmp_path / "long.h5") as writer:
        writer.write_table("index", table)
        writer.write_table("short", {name: values[:9] for name, values in table.items()})
    with hdf5.open_file(tmp_path / "long.h5") as found:
        assert found["index"].id.get_storage_size() < found["index"].nbytes / 2
        assert (found["index"].compression, found["short"].compression) == ("gzip", None)
        for name, values in hdf5.read_table(found, "index").items():
            np.testing.assert_array_equal(values, table[name])
        assert pd.DataFrame(found["index"][:])["n"].sum() == 7 * n_rows
    assert (Table.read(tmp_path / "long.h5", path="index")["mjd"] == table["mjd"]).all()


def test_rows_are_copied_from_their_places(tmp_path):
    rows = np.array([(i, i / 7) for i in range(60)], [("a", "<i8"), ("b", "<f8")])
    parts = [rows[:0], rows[:10], rows[10:10], rows[10:45], rows[45:]]
    keys, counts = [f"k{number}" for number in range(5)], np.array([0, 10, 0, 35, 15])
    with hdf5.Writer(tmp_path / "file.h5") as writer:
        places = [writer.write(key, part) for key, part in zip(keys, parts, strict=True)]
    with hdf5.open_file(tmp_path / "file.h5") as file:
        np.testing.assert_array_equal(hdf5.read_flat(file, keys, counts, rows.dtype, places), rows)
        columns = hdf5.read_columns(file, keys, counts, rows.dtype, places)
        assert {name: values.tolist() for name, values in columns.items()} == {n: rows[n].tolist() for n in ("a", "b")}
        other = [*places[:3], places[1], places[4]]
        assert hdf5.read_flat(file, keys, counts, rows.dtype, other)["a"][10:13].tolist() == [0, 1, 2]


@pytest.mark.parametrize("places", [True, False])
def test_columns_are_taken_apart_some_rows_at_a_time(tmp_path, monkeypatch, places):
    monkeypatch.setattr("vo_lib.hdf5.CACHED_ROWS", 7)
    counts, kind = np.array([3, 0, 5, 2, 20, 0, 1]), np.dtype([("n", "i8"), ("x", "f4")])
    parts = [np.array([(number, i / 8) for i in range(count)], kind) for number, count in enumerate(counts.tolist())]
    with hdf5.Writer(tmp_path / "file.h5") as writer:
        found = [writer.write(f"k{number}", part) for number, part in enumerate(parts)]
    wanted = kind if places else np.dtype(kind.descr[::-1])
    with hdf5.open_file(tmp_path / "file.h5") as file:
        keys = [f"k{number}" for number in range(7)]
        columns = hdf5.read_columns(file, keys, counts, wanted, found if places else None)
        none = hdf5.read_columns(file, [], [], wanted)
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
        assert hdf5.read_flat(file, ["a"], [2], np.dtype(kind), [place])["n"].tolist() == [1, 2]


def test_where_places_are_those_of_another_file_keys_are_used(tmp_path):
    rows = np.array([(i, i / 7) for i in range(60)], [("a", "<i8"), ("b", "<f8")])
    with hdf5.Writer(tmp_path / "file.h5") as writer:
        places = [writer.write(key, part) for key, part in (("x", rows[:40]), ("y", rows[40:]))]
    with hdf5.open_file(tmp_path / "file.h5") as file:
        for wrong in ([places[0] + 16, places[1]], [places[0], places[1] - 16], [-1, -1], None):
            np.testing.assert_array_equal(hdf5.read_flat(file, ["x", "y"], [40, 20], rows.dtype, wrong), rows)
        swapped = hdf5.read_flat(file, ["x", "y"], [40, 20], rows.dtype.descr[::-1], places)
        assert swapped["b"].tolist() == rows["b"].tolist()
