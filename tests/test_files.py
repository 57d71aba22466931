import os
import platform
import subprocess

import pytest

from vo_lib.files import replacing, write_json, write_text


def test_a_file_and_its_folder_are_made(tmp_path):
    write_text(tmp_path / "a" / "b.txt", "Ω")
    assert (tmp_path / "a" / "b.txt").read_text(encoding="utf-8") == "Ω"


def test_after_a_failure_the_old_file_is_whole_and_nothing_else_is_there(tmp_path):
    target = tmp_path / "x"
    write_text(target, "old")
    with pytest.raises(RuntimeError, match="disk"), replacing(target) as part:
        part.write_text("half")
        raise RuntimeError("disk")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_json_does_not_depend_on_the_order_of_keys(tmp_path):
    write_json(tmp_path / "a", {"x": 1, "y": 2})
    write_json(tmp_path / "b", {"y": 2, "x": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_a_killed_process_left_is_removed_and_the_work_of_others_is_not(tmp_path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    leftover = tmp_path / f".x.part-{platform.node()}-{ended.pid}"
    others = [tmp_path / f".x.part-{platform.node()}-{os.getppid()}", tmp_path / ".x.part-elsewhere-1"]
    for file in (leftover, *others):
        file.write_text("half")
    write_text(tmp_path / "x", "whole")
    assert not leftover.exists()
    assert all(file.exists() for file in others)
