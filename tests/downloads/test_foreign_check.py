"""HDF5 files that others made, and that are not safe to open."""

import h5py
import numpy as np
import pytest

from vo_lib.catalog import read_catalog
from vo_lib.downloads import foreign_check
from vo_lib.downloads.foreign_check import find_problems
from vo_lib.errors import CatalogError

COLUMNS = {"ra": np.array([1.0, 2.0]), "dec": np.array([3.0, 4.0])}


def write(path, names=None, **columns):
    """A catalog as a group of columns; without names for the test to add them."""
    with h5py.File(path, "w") as file:
        for name, values in (COLUMNS | columns | ({"name": names} if names is not None else {})).items():
            file[name] = values
    return path


def link(path):
    """The names are a link to those of another file."""
    other = write(path.with_name("other.h5"), [b"a", b"b"])
    with h5py.File(write(path), "a") as file:
        file["name"] = h5py.ExternalLink(other, "name")


def store_elsewhere(path):
    """The names are bytes of another file."""
    path.with_name("secret").write_bytes(b"0123456789abcdef")
    with h5py.File(write(path), "a") as file:
        file.create_dataset("name", (2,), "S8", external=[(path.with_name("secret"), 0, 16)])


def make_virtual(path):
    """The names are those of another file."""
    layout = h5py.VirtualLayout((2,), "S1")
    layout[:] = h5py.VirtualSource(write(path.with_name("other.h5"), np.array([b"a", b"b"])), "name", (2,))
    with h5py.File(write(path), "a") as file:
        file.create_virtual_dataset("name", layout)


def promise(path):
    """A gigabyte of names that nobody has written."""
    with h5py.File(write(path), "a") as file:
        file.create_dataset("name", (1 << 27,), "S8", chunks=(1 << 20,))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (link, "'name' is a link to another file, which is not followed"),
        (store_elsewhere, "'name' has its data in other files, which are not read"),
        (make_virtual, "'name' has its data in other files, which are not read"),
        (promise, "'name' unpacks to more than 268,435,456 bytes"),
    ],
)
def test_what_is_not_in_the_file_is_refused(tmp_path, make, message):
    make(tmp_path / "x.h5")
    assert message in find_problems([tmp_path / "x.h5"])[str(tmp_path / "x.h5")]
    with pytest.raises(CatalogError, match=f"x.h5: {message}"):
        read_catalog(tmp_path / "x.h5")


def damage(path, place, byte):
    """Change one byte of a file as h5py 3.16 writes it."""
    write(path, ["a", "bb"])
    content = bytearray(path.read_bytes())
    content[place] = byte
    path.write_bytes(content)


def test_a_file_with_which_the_library_comes_to_no_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(foreign_check, "LEAST_S", 3)
    damage(tmp_path / "bad.h5", 2160, 128)
    (problem,) = find_problems([tmp_path / "bad.h5"]).values()
    assert "is damaged: the HDF5 library crashes or never finishes" in problem


def test_a_file_that_ends_the_process_is_refused_and_the_others_are_not(tmp_path):
    damage(tmp_path / "bad.h5", 1729, 255)
    write(tmp_path / "good.h5", ["a", "bb"])
    (tmp_path / "text.h5").write_text("name,ra,dec\n")
    files = [tmp_path / name for name in ("good.h5", "bad.h5", "text.h5", "good.h5", "none.h5")]
    ((bad, problem),) = find_problems(files).items()
    assert bad == str(tmp_path / "bad.h5")
    assert "is damaged: the HDF5 library crashes or never finishes" in problem


def test_files_after_one_that_ends_the_process_are_checked_too(tmp_path):
    damage(tmp_path / "bad.h5", 1729, 255)
    link(tmp_path / "linked.h5")
    files = [str(tmp_path / name) for name in ("bad.h5", "linked.h5")]
    found = find_problems(files)
    assert list(found) == files
    assert "is a link to another file" in found[files[1]]
