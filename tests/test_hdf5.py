import errno
import io
import os
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest
from astropy.table import Table

from vo_lib import hdf5
from vo_lib.errors import DamagedProductError, StaleProductError, UserError
from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.storage.seal import check_seal
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


def test_programs_with_an_hdf5_of_2016_can_read_the_types(file):
    """As PyTables with HDF5 1.14; version 3 of a type came with HDF5 1.8, 5 with HDF5 2.0 alone."""
    with hdf5.Writer(file, base=file) as writer:
        writer.write("more", ROWS)
        writer.write_table("long", {"name": np.full(5000, "é"), "x": np.zeros(5000)})
    with h5py.File(file) as opened:
        versions = {key: opened[key].id.get_type().encode()[2] >> 4 for key in opened}
    assert versions.keys() >= {"a", "more", "long", "metadata", "texts"}
    assert max(versions.values()) <= 3


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


def test_a_file_grows_from_another_without_touching_it(file):
    before = file.read_bytes()
    with hdf5.Writer(file.with_name("y.h5"), base=file) as writer:
        writer.write("a", ROWS[:1])
        writer.write("b", ROWS)
    assert file.read_bytes() == before
    with h5py.File(file.with_name("y.h5")) as opened:
        assert [len(opened[key]) for key in ("a", "b", "none")] == [1, 2, 0]


def test_rows_that_the_system_takes_in_pieces_are_whole(tmp_path, monkeypatch):
    class Pieces(io.FileIO):
        def write(self, content):
            return super().write(content[:7])

    monkeypatch.setattr(hdf5, "_Content", type("InPieces", (hdf5._Content, Pieces), {}))
    with hdf5.Writer(tmp_path / "x.h5") as writer:
        writer.write("a", ROWS)
    with h5py.File(tmp_path / "x.h5") as opened:
        assert opened["a"][:].tobytes() == ROWS.tobytes()


def test_a_file_of_another_provenance_is_refused(tmp_path):
    with hdf5.Writer(tmp_path / "x.h5") as writer:
        writer.write_json("metadata", {"provenance": "old"})
    hdf5.open_file(tmp_path / "x.h5", provenance="old").close()
    with hdf5.Writer(tmp_path / "none.h5") as writer:
        writer.write_json("metadata", {})
    for name, found, whole in (("x", "old", True), ("x", "old", False), ("none", "None", True)):
        with pytest.raises(StaleProductError, match=rf"{name}\.h5: was made with provenance {found}, not new as asked"):
            hdf5.open_file(tmp_path / f"{name}.h5", provenance="new", whole=whole)


def test_a_failed_writer_leaves_the_old_file(file):
    before = file.read_bytes()
    with pytest.raises(ValueError, match="stop"), hdf5.Writer(file) as writer:
        writer.write("a", ROWS)
        raise ValueError("stop")
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["x.h5"]


# Files may have ever more bytes, until one can be written whole; the numbers of the errors until then.
FULL = """
import resource, sys
import numpy as np
from pathlib import Path
from vo_lib import hdf5

folder, based = Path(sys.argv[1]), sys.argv[2:]
table = {"n": np.random.default_rng(1).random(3000)}

def write(path, base):
    with hdf5.Writer(path, base=base) as writer:
        for number in range(20):
            writer.write(f"{number}", np.zeros(30, [("a", float), ("b", "S3")]))
        writer.write_table("table", table)
        writer.write_texts("texts", 100 * ["text" * 20])
        writer.write_json("json", list(range(1000)))

write(base := folder / "base.h5", None)
for size in range(0, 2 * base.stat().st_size, 2048):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        write(folder / "x.h5", base if based else None)
    except OSError as error:
        print(error.errno)
    else:
        print("whole")
        break
    assert [path.name for path in folder.iterdir()] == ["base.h5"]
"""


@pytest.mark.parametrize("based", [[], ["based"]])
def test_a_disk_that_is_full_at_any_moment_is_an_error_and_not_the_end_of_the_process(tmp_path, based):
    command = [sys.executable, "-c", FULL, tmp_path, *based]
    done = subprocess.run(command, cwd=PACKAGE_ROOT, capture_output=True, text=True, check=False)
    *failed, last = done.stdout.split() or [""]
    assert (done.returncode, last, done.stderr) == (0, "whole", "")
    assert len(failed) > 20
    assert set(failed) == {str(errno.EFBIG)}
    hdf5.open_file(tmp_path / "x.h5").close()
    check_seal(tmp_path / "x.h5")


def test_a_disk_that_has_no_room_for_the_size_of_a_file_is_full(tmp_path, monkeypatch):
    class Full(io.FileIO):
        def truncate(self, size=None):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(hdf5, "_Content", type("OnFullDisk", (hdf5._Content, Full), {}))
    with pytest.raises(OSError, match="No space left on device: '.*x.h5"), hdf5.Writer(tmp_path / "x.h5") as writer:
        writer.write("a", ROWS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"run snakemake or Project.run to make it, or check"),
        (b"", "not a readable"),
        (b"x" * 999, "not a readable"),
    ],
)
def test_a_file_that_cannot_be_read_says_what_to_do(tmp_path, content, message):
    if content is not None:
        (tmp_path / "x.h5").write_bytes(content)
    with pytest.raises(UserError, match=message):
        hdf5.open_file(tmp_path / "x.h5")


def test_a_table_of_which_a_crash_left_zeros_is_said_to_be_damaged(tmp_path):
    path = tmp_path / "x.h5"
    with hdf5.Writer(path) as writer:
        writer.write_table("index", {"name": np.array(["a", "β"] * 1000), "n": np.arange(2000)})
    content, problems = path.read_bytes(), set()
    for start in range(48, len(content), 50):
        path.write_bytes(content[:start] + bytes(len(content) - start))
        try:
            with hdf5.open_file(path) as opened:
                hdf5.read_table(opened, "index")
        except DamagedProductError as error:
            problems.add(error.problem)
    assert len(problems) > 3


def test_a_missing_table_is_named(file):
    with (
        hdf5.open_file(file) as opened,
        pytest.raises(UserError, match=r"x\.h5: has no table 'index', so it is damaged or is not from"),
    ):
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


def test_a_file_that_the_user_has_open_with_h5py_can_be_read(file):
    with h5py.File(file), hdf5.open_file(file) as opened:
        assert hdf5.read_rows(opened, ["a"])[0]["n"].tolist() == [7, -1]
