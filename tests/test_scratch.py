import os
import platform
from pathlib import Path

import h5py
import numpy as np
import pytest

from vo_lib import hdf5
from vo_lib.errors import ConfigError
from vo_lib.files import replacing, through_scratch

ROWS = np.array([(1.5, 7)], dtype=[("mjd", "f8"), ("n", "i8")])


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """A local disk that jobs know as $NODE_DISK."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("NODE_DISK", str(folder))
    monkeypatch.setenv("VO_SCRATCH", "$NODE_DISK")
    return folder


def test_files_of_hdf5_are_made_on_the_local_disk_and_then_moved(tmp_path, scratch):
    target = tmp_path / "disk" / "x.h5"
    with hdf5.Writer(target) as writer:
        writer.write("a", ROWS)
        [made] = scratch.rglob("*.h5*")
        assert not any(path.stat().st_size for path in target.parent.iterdir())
    with hdf5.Writer(target, base=target) as writer:
        writer.write("b", ROWS)
    with h5py.File(target) as file:
        assert sorted(file) == ["a", "b"]
    assert not made.exists()
    assert list(scratch.iterdir()) == []
    assert list(target.parent.iterdir()) == [target]


def test_after_a_failure_nothing_is_left_on_either_disk(tmp_path, scratch):
    with pytest.raises(RuntimeError, match="stop"), hdf5.Writer(tmp_path / "x.h5") as writer:
        writer.write("a", ROWS)
        raise RuntimeError("stop")
    assert list(scratch.iterdir()) == []
    assert list(tmp_path.iterdir()) == [scratch]


def test_what_came_from_the_local_disk_is_on_the_other_before_it_has_its_name(tmp_path, scratch, monkeypatch):
    calls, fsync = [], os.fsync

    def noted(handle):
        calls.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    with replacing(tmp_path / "x") as part, through_scratch(part) as local:
        local.write_bytes(b"whole")
    assert calls == [str(part), str(tmp_path)]
    assert (tmp_path / "x").read_bytes() == b"whole"


@pytest.mark.parametrize("wanted", ["$NO_SUCH_VARIABLE", "${NO_SUCH_VARIABLE}/scratch", "$EMPTY"])
def test_where_the_variable_of_the_nodes_has_no_value_files_are_made_in_place(tmp_path, monkeypatch, wanted):
    monkeypatch.setenv("VO_SCRATCH", wanted)
    monkeypatch.setenv("EMPTY", "")
    with through_scratch(tmp_path / "x") as local:
        assert local == tmp_path / "x"


def test_a_local_disk_that_cannot_be_written_to_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for wanted, why in (("/no/such/folder", "No such file"), (str(tmp_path / "file"), "Not a directory")):
        monkeypatch.setenv("VO_SCRATCH", wanted)
        with pytest.raises(ConfigError, match=rf"VO_SCRATCH is '{wanted}', .* {platform.node()} cannot .*\({why}"):
            hdf5.Writer(tmp_path / "x.h5").__enter__()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
