"""Answers on their way to a raw archive: each is whole or not there."""

import errno
import os
import threading
from stat import S_IMODE

import numpy as np
import pytest

from vo_lib.downloads.spool import Spool
from vo_lib.raw import FAILED, OK, Answer
from vo_lib.storage.permissions import set_permissions


def answer(name, n_rows, **others):
    data = np.array([(number / 7, b"g") for number in range(n_rows)], [("jd", "<f8"), ("band", "S2")])
    return Answer({"name": name, "ra": 1.0, "dec": None}, OK, data, {"note": "\u00e9"}, **others)


def same(found, expected):
    return found == expected and found.digest == expected.digest


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "sub" / "spool")


@pytest.fixture(autouse=True)
def folder(tmp_path):
    (tmp_path / "sub").mkdir()


def test_answers_come_back_also_to_the_next_job(spool):
    answers = [answer("a/b \n", 3), answer("b", 0), answer("c", 70_000)]
    for each in answers:
        spool.put(each)
    for reader in (spool, Spool(spool.path)):
        assert all(same(reader.get(each.name), each) for each in answers)
        assert reader.get("d") is None
    assert [path.name for path in spool.path.parent.iterdir()] == ["spool"]
    spool.clear()
    assert Spool(spool.path).get("b") is None
    assert not spool.path.exists()


def test_an_answer_is_on_disk_before_the_next_is_asked_for(spool, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append((os.fstat(handle).st_ino, os.fstat(handle).st_size)))
    spool.put(answer("a", 3))
    # A new file is an entry of its folder, which has to be there after a crash too.
    assert synced == [(path.stat().st_ino, path.stat().st_size) for path in (spool.path, spool.path.parent)]
    spool.put(answer("b", 0))
    assert synced[2:] == [(spool.path.stat().st_ino, spool.path.stat().st_size)]


def test_the_last_answer_for_a_source_counts(spool):
    spool.put(Answer({"name": "a"}, FAILED, np.zeros(0, [("jd", "<f8")]), reason="down"))
    spool.put(answer("a", 2))
    assert same(spool.get("a"), answer("a", 2))
    assert same(Spool(spool.path).get("a"), answer("a", 2))


@pytest.mark.parametrize("kept", [1, 20, 63, 64, 100, -1])
def test_what_a_kill_cut_off_is_passed_over(spool, kept):
    for name in "ab":
        spool.put(answer(name, 5))
    whole = spool.path.read_bytes()
    record = whole[: len(whole) // 2]
    spool.path.write_bytes(whole + record[:kept])
    again = Spool(spool.path)
    again.put(answer("c", 4))
    last = Spool(spool.path)
    assert all(same(last.get(name), answer(name, 5)) for name in "ab")
    assert same(last.get("c"), answer("c", 4))


def test_damage_in_the_middle_costs_one_answer(spool):
    for name in "abc":
        spool.put(answer(name, 5))
    content = bytearray(spool.path.read_bytes())
    content[len(content) // 2] ^= 1
    spool.path.write_bytes(content)
    again = Spool(spool.path)
    assert again.get("b") is None
    assert same(again.get("a"), answer("a", 5))
    assert same(again.get("c"), answer("c", 5))


def test_answers_may_hold_what_looks_like_a_record(spool):
    spool.put(answer("a", 1))
    record = spool.path.read_bytes()
    data = np.frombuffer(record + record, [("byte", "u1")])
    spool.put(Answer({"name": "b"}, OK, data))
    again = Spool(spool.path)
    assert same(again.get("a"), answer("a", 1))
    assert again.get("b").data.tobytes() == record + record


def test_threads_add_answers_at_the_same_time(spool):
    def work(part):
        for number in range(part, 200, 8):
            spool.put(answer(f"s{number}", number))

    threads = [threading.Thread(target=work, args=(part,)) for part in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for reader in (spool, Spool(spool.path)):
        assert all(same(reader.get(f"s{number}"), answer(f"s{number}", number)) for number in range(200))


def test_a_full_disk_leaves_the_answers_before(spool, monkeypatch):
    spool.put(answer("a", 3))
    size = spool.path.stat().st_size

    def full(file, record):
        file.write(record[: len(record) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("vo_lib.downloads.spool._write", full)
    with pytest.raises(OSError, match="No space"):
        spool.put(answer("b", 3))
    monkeypatch.undo()
    assert spool.path.stat().st_size == size
    assert spool.get("b") is None
    spool.put(answer("c", 3))
    assert same(Spool(spool.path).get("c"), answer("c", 3))


def test_answers_are_added_where_products_are_read_only(spool, monkeypatch):
    monkeypatch.setenv("VO_PERMISSIONS", "null")
    set_permissions(spool.path.parent, {"group": None, "mode_file": "0440", "mode_dir": None})
    spool.put(answer("a", 3))
    assert S_IMODE(spool.path.stat().st_mode) == 0o640


def test_a_spool_of_someone_else_is_taken_over(spool, tmp_path, monkeypatch):
    monkeypatch.setenv("VO_PERMISSIONS", "null")
    spool.put(answer("a", 3))
    spool.path.chmod(0o444)
    # A second name keeps the inode of the first file from being given to the new one.
    before = tmp_path / "before"
    os.link(spool.path, before)
    monkeypatch.setattr("vo_lib.downloads.spool.os.access", lambda path, mode: mode != os.W_OK)
    set_permissions(spool.path.parent, {"group": None, "mode_file": "0440", "mode_dir": None})
    again = Spool(spool.path)
    again.put(answer("b", 2))
    assert all(same(Spool(spool.path).get(name), answer(name, n)) for name, n in (("a", 3), ("b", 2)))
    assert (spool.path.samefile(before), S_IMODE(spool.path.stat().st_mode)) == (False, 0o640)
    assert len(list(spool.path.parent.iterdir())) == 1
