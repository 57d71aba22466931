"""Any changed byte of a sealed file shows."""

import h5py
import numpy as np
import pytest

from vo_lib import hdf5
from vo_lib.errors import DamagedProductError
from vo_lib.storage.seal import check_seal


def sealed(path, base=None):
    """A sealed file."""
    with hdf5.Writer(path, base=base) as file:
        file.write_table("a" if base is None else "b", {"x": np.arange(5000)})
        file.write_json("metadata", {"provenance": "p"})
    return path


def test_every_changed_byte_shows(tmp_path):
    path = sealed(tmp_path / "x.h5")
    content = path.read_bytes()
    for place in [*range(0, len(content), 97), *range(len(content) - 80, len(content))]:
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        for older in (False, True):
            with pytest.raises(DamagedProductError, match="digest at its end.*; delete it and run snakemake"):
                check_seal(path, older=older)


@pytest.mark.parametrize("block", [1000, 2**20])
def test_a_file_of_several_blocks_is_looked_at_to_its_end(tmp_path, monkeypatch, block):
    monkeypatch.setattr("vo_lib.storage.seal.BLOCK", block)
    path = sealed(tmp_path / "x.h5")
    check_seal(path)
    content = bytearray(path.read_bytes())
    content[-74] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedProductError, match="does not match the digest at its end"):
        check_seal(path)


@pytest.mark.parametrize("length", [0, 10, 90, -74, -73, -72, -1])
def test_a_file_that_is_cut_off_shows(tmp_path, length):
    path = sealed(tmp_path / "x.h5")
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DamagedProductError, match="has no digest at its end"):
        check_seal(path)


def test_a_file_that_is_made_from_an_older_one_has_one_seal_of_its_own(tmp_path):
    path = sealed(tmp_path / "x.h5")
    sealed(path, base=path)
    check_seal(path)
    assert path.read_bytes().count(b"\nsha256 ") == 1
    with h5py.File(path) as file:
        assert sorted(file) == ["a", "b", "metadata"]


def test_an_archive_from_before_there_were_seals_is_taken_where_that_is_allowed(tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file["a"] = np.arange(5)
    check_seal(path, older=True)
    with pytest.raises(DamagedProductError):
        check_seal(path)


def test_what_is_opened_with_a_provenance_must_be_whole(tmp_path):
    path = sealed(tmp_path / "x.h5")
    hdf5.open_file(path, provenance="p").close()
    path.write_bytes(path.read_bytes().replace((7).to_bytes(8, "little"), (6).to_bytes(8, "little"), 1) + b"\0")
    with pytest.raises(DamagedProductError):
        hdf5.open_file(path, provenance="p")
