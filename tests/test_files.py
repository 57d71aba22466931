import errno
import hashlib
import logging
import os
import platform
import subprocess
import threading
import time
from pathlib import Path
from stat import S_ISDIR

import numpy as np
import pytest

from vo_lib.counts.axes import Axis
from vo_lib.counts.histogram_files import write_histograms
from vo_lib.errors import UserError
from vo_lib.files import bring_to_now, logged_digests, put_aside, replacing, write_json, write_text, write_texts
from vo_lib.histograms import Histogram
from vo_lib.tables import write_csv


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


def test_what_is_no_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "to_null").symlink_to(os.devnull)
    for name in ("pipe", "to_null", "."):
        with pytest.raises(UserError, match="is not a regular file that could be replaced"):
            write_text(tmp_path / name, "new")
    assert (tmp_path / "pipe").is_fifo()
    assert (tmp_path / "to_null").is_symlink()


def test_json_does_not_depend_on_the_order_of_keys(tmp_path):
    write_json(tmp_path / "a", {"x": 1, "y": 2})
    write_json(tmp_path / "b", {"y": 2, "x": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_a_killed_process_left_is_removed_and_the_work_of_others_is_not(tmp_path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    leftover = tmp_path / f".x.part-{platform.node()}-{ended.pid}"
    names = (f"{platform.node()}-{os.getppid()}", "elsewhere-1", f"{platform.node()}-2-{ended.pid}")
    others = [tmp_path / f".x.part-{name}" for name in names]
    for file in (leftover, *others):
        file.write_text("half")
    write_text(tmp_path / "x", "whole")
    assert not leftover.exists()
    assert all(file.exists() for file in others)


def test_the_work_of_another_user_s_process_is_not_removed(tmp_path, monkeypatch):
    def kill(pid, _):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "kill", kill)
    part = tmp_path / f".x.part-{platform.node()}-1"
    part.write_text("half")
    write_text(tmp_path / "x", "whole")
    assert part.read_text() == "half"


def test_the_log_of_a_job_that_ended_has_the_digests_of_what_it_made(tmp_path, caplog):
    with caplog.at_level(logging.INFO, "vo_lib"):
        write_text(tmp_path / "a b.csv", "x\n")
    line = f"2026-01-01 00:00:00 INFO {caplog.messages[0]}\n"
    assert logged_digests(line) == {}
    digest = hashlib.sha256(b"x\n").hexdigest()
    assert logged_digests(f"{line}2026-01-01 00:00:00 INFO done in 1 s\n") == {str(tmp_path / "a b.csv"): digest}


def test_a_file_that_ends_with_its_digest_is_not_read_again_for_the_log(tmp_path, caplog):
    with caplog.at_level("INFO"), replacing(tmp_path / "a.h5") as part:
        part.write_text("content")
    assert caplog.messages == [f"made {tmp_path / 'a.h5'}: 7 bytes"]


def test_what_is_put_aside_has_another_name_and_its_content(tmp_path):
    write_text(tmp_path / "x.csv", "damaged")
    aside = put_aside(tmp_path / "x.csv")
    assert [aside] == list(tmp_path.iterdir())
    assert aside.name.startswith("x.csv.damaged-")
    assert aside.read_text() == "damaged"


def test_files_from_the_future_get_the_time_of_now_and_others_keep_theirs(tmp_path):
    for name, age in (("old", -1000), ("new", 86400)):
        write_text(tmp_path / "a" / name, name)
        os.utime(tmp_path / "a" / name, (time.time() + age,) * 2)
    assert bring_to_now(tmp_path) == 1
    assert time.time() - (tmp_path / "a" / "old").stat().st_mtime > 900
    assert abs(time.time() - (tmp_path / "a" / "new").stat().st_mtime) < 60


def test_files_from_the_future_keep_their_order(tmp_path):
    later = time.time() + 3600
    for name, age in {"a": 0, "b": 1, "c": 1, "d": 2, "e": 3}.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, later - 100 * age))
    assert bring_to_now(tmp_path) == 5
    changed = [(tmp_path / name).stat().st_mtime for name in "abcde"]
    assert changed[0] > changed[1] == changed[2] > changed[3] > changed[4]
    assert abs(time.time() - changed[0]) < 60


def test_files_together_bring_their_folders_to_disk_once(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(Path(f"/proc/self/fd/{handle}").readlink()))
    write_texts((tmp_path / folder / name, name) for folder in "ab" for name in "xyz")
    assert (tmp_path / "b" / "z").read_text() == "z"
    assert len(synced) == 6 + 2
    assert set(synced[-2:]) == {tmp_path / "a", tmp_path / "b"}


def test_a_file_system_need_not_synchronise_folders(tmp_path, monkeypatch):
    def refuse(handle):
        if S_ISDIR(os.fstat(handle).st_mode) is wanted:
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", refuse)
    wanted = True
    write_text(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "new"
    wanted = False
    with pytest.raises(OSError, match="Invalid argument"):
        write_text(tmp_path / "b", "new")


def test_a_text_that_cannot_be_made_stops_it_and_leaves_whole_files(tmp_path):
    def texts():
        for number in range(20):
            if number == 12:
                raise KeyError("no such source")
            yield tmp_path / f"{number}", f"page {number}"

    with pytest.raises(KeyError, match="no such source"):
        write_texts(texts())
    written = list(tmp_path.iterdir())
    assert {path.name for path in written} <= {str(number) for number in range(12)}
    assert all(path.read_text() == f"page {path.name}" for path in written)


def test_a_text_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "7").mkdir()
    with pytest.raises(UserError, match="7: is not a regular file that could be replaced"):
        write_texts((tmp_path / str(number), "page") for number in range(20))


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (lambda path: write_json(path, {"a": 1}), "x.json"),
        (lambda path: write_csv(path, [{"a": np.zeros(2)}]), "x.csv"),
        (lambda path: write_histograms(path, [Histogram("h", [Axis("x", edges=[0, 1])])], {}), "x.nc"),
    ],
)
def test_a_full_disk_is_told_with_the_name_of_the_file(tmp_path, monkeypatch, write, name):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("vo_lib.files.apply_permissions", full)
    with pytest.raises(OSError, match=f"No space left on device: '{tmp_path}/{name}'"):
        write(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_name_that_an_error_has_stays(tmp_path):
    with pytest.raises(OSError, match="other.h5"), replacing(tmp_path / "x.h5"):
        raise OSError(errno.ENOSPC, "No space left on device", "other.h5")


def test_no_more_texts_are_made_than_wait_for_the_disk_and_none_once_it_is_full(tmp_path, monkeypatch):
    made, several = [], threading.Event()

    def full(_):
        several.wait(20)
        raise OSError(errno.ENOSPC, "No space left on device")

    def texts():
        for number in range(100):
            made.append(number)
            if number == 8:
                several.set()
            yield tmp_path / f"{number}", "page"

    monkeypatch.setattr("vo_lib.files.sync", full)
    with pytest.raises(OSError, match="No space"):
        write_texts(texts())
    assert len(made) == 9
    assert not list(tmp_path.iterdir())
