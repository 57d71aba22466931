import grp
import logging
import os
from stat import S_IMODE

import pytest

from vo_lib.files import write_text
from vo_lib.storage import permissions
from vo_lib.storage.permissions import is_own_group, set_permissions


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    """The environment is as before afterwards, and warnings come again."""
    monkeypatch.setenv(permissions.VARIABLE, "null")
    permissions._warn.cache_clear()


def wanted(**section):
    return {"group": None, "mode_file": None, "mode_dir": None} | section


def mode(path):
    return S_IMODE(path.stat().st_mode)


def test_files_and_folders_below_the_data_root_have_the_modes_wanted_and_others_do_not(tmp_path):
    root = tmp_path / "data"
    set_permissions(root, wanted(mode_file="0640", mode_dir="2750"))
    write_text(root / "X" / "logs" / "a.csv", "x")
    write_text(tmp_path / "elsewhere" / "a.csv", "x")
    assert mode(root / "X" / "logs" / "a.csv") == 0o640
    assert [mode(root / below) for below in (".", "X", "X/logs")] == [0o2750] * 3
    umask = os.umask(0)
    os.umask(umask)
    assert mode(tmp_path / "elsewhere" / "a.csv") == 0o666 & ~umask
    # A folder has the bit for groups of the one that it is in.
    assert mode(tmp_path / "elsewhere") & 0o777 == 0o777 & ~umask


def test_no_folder_above_the_data_root_is_touched(tmp_path, monkeypatch):
    """Nothing is changed here, for folders above are those of the host."""
    touched, root = [], tmp_path / "data"
    monkeypatch.setattr(permissions, "_apply", lambda path, *_: touched.append(path))
    set_permissions(root, wanted(mode_file="0640", mode_dir="2750"))
    write_text(root / "X" / "a", "x")
    assert touched[1:] == [root / "X", root]
    write_text(tmp_path / "elsewhere", "x")
    assert len(touched) == 3


def test_nothing_wanted_leaves_files_to_the_umask(tmp_path):
    set_permissions(tmp_path, wanted())
    folder = mode(tmp_path)
    write_text(tmp_path / "a", "x")
    umask = os.umask(0)
    os.umask(umask)
    assert (mode(tmp_path / "a"), mode(tmp_path)) == (0o666 & ~umask, folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has all groups")
def test_files_and_folders_get_the_group(tmp_path):
    group = next(group for group in grp.getgrall() if group.gr_gid != os.getegid())
    assert is_own_group(group.gr_name)
    set_permissions(tmp_path, wanted(group=group.gr_name))
    write_text(tmp_path / "X" / "a", "x")
    assert {path.stat().st_gid for path in (tmp_path, tmp_path / "X", tmp_path / "X" / "a")} == {group.gr_gid}


def test_a_group_that_is_missing_is_one_warning_and_the_files_are_there(tmp_path, caplog):
    assert not is_own_group("no such group")
    set_permissions(tmp_path, wanted(group="no such group", mode_file="0600"))
    with caplog.at_level(logging.WARNING, "vo_lib"):
        for name in "ab":
            write_text(tmp_path / name, "x")
    assert (tmp_path / "b").read_text() == "x"
    assert [record.getMessage() for record in caplog.records] == [
        "the configured permissions cannot be given to files (no group 'no such group' on this host); "
        "those of the umask are used"
    ]
