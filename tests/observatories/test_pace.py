"""Turns of requests over threads and processes."""

import errno
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from itertools import cycle

import numpy as np
import pytest
from servers.local import LocalArchive, LocalHandler, LocalServer
from still_clock import StillClock

from vo_lib.observatories import pace
from vo_lib.observatories.http import HttpClient
from vo_lib.observatories.pace import Pace
from vo_lib.provenance import PACKAGE_ROOT

JOB = """
import sys, threading
from vo_lib.observatories.http import HttpClient
from vo_lib.observatories.pace import Pace
url, path, per_second, threads, number = sys.argv[1:]
client = HttpClient(retry_wait_s=0, pace=Pace(float(per_second), path))
def work():
    for _ in range(int(number)):
        client.get(url, read=str)
for _ in range(int(threads)):
    threading.Thread(target=work).start()
"""


class Clock(LocalArchive):
    """An archive that notes when it is asked; some requests are sent on or get a 503 first.

    Parameters
    ----------
    trouble : sequence of str, optional
        What the first requests get: "ok", "503" or "302".
    """

    def __init__(self, trouble=()):
        self.trouble, self.times, self.lock = list(trouble), [], threading.Lock()

    def make_server(self):
        return LocalServer(("127.0.0.1", 0), _Handler)


class _Handler(LocalHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        archive = self.server.archive
        with archive.lock:
            archive.times.append(time.monotonic())
            status = int((archive.trouble.pop(0) if archive.trouble else "ok").replace("ok", "200"))
        self.send_response(status)
        self.send_header("Location", f"{archive.address}/elsewhere")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")


def start(server, path, *, per_second, threads=1, number=1):
    """A process that asks for something on several threads."""
    environment = os.environ | {"PYTHONPATH": str(PACKAGE_ROOT), "NO_PROXY": "127.0.0.1"}
    arguments = [server.address, str(path), str(per_second), str(threads), str(number)]
    return subprocess.Popen([sys.executable, "-c", JOB, *arguments], env=environment)


def write_time(path, seconds):
    """Say that the latest turn was then."""
    path.write_bytes(struct.pack("<d", seconds))


@pytest.fixture
def clock(monkeypatch):
    """The clock of paces in this process; what they wait for takes no time."""
    clock = StillClock(1000.0)
    monkeypatch.setattr(pace, "time", clock)
    return clock


def test_threads_of_three_processes_never_ask_more_often_than_allowed(tmp_path):
    with Clock() as server:
        begin = time.monotonic()
        jobs = [start(server, tmp_path / "pace", per_second=20, threads=4, number=5) for _ in range(3)]
        assert [job.wait() for job in jobs] == [0, 0, 0]
    assert len(server.times) == 60
    # A request comes after its turn: however slow the machine is, none comes before its time.
    assert all(at - begin >= turn / 20 for turn, at in enumerate(server.times))


def test_no_two_turns_are_closer_than_allowed(tmp_path):
    paces, turns = [Pace(200, tmp_path / "pace") for _ in range(3)], []

    def work(pace):
        for _ in range(10):
            pace.wait()
            turns.append(time.time())

    threads = [threading.Thread(target=work, args=(pace,)) for pace in paces * 3]
    begin = time.time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # A turn is noted after it came: however slow the machine is, none comes before its time.
    assert all(at - begin >= turn / 200 for turn, at in enumerate(sorted(turns)))


@pytest.mark.parametrize(("name", "users"), [("pace", 1), ("pace", 3), (None, 1)])
def test_a_turn_is_a_whole_interval_after_the_last_whenever_it_is_asked_for(tmp_path, clock, name, users):
    paces, turns = cycle([Pace(0.1, name and tmp_path / name) for _ in range(users)]), []
    # At last the clock is set back.
    for later in (0, 3, 8, 0, 25, -100):
        clock.now += later
        next(paces).wait()
        turns.append(clock.now)
    assert turns == [1000, 1010, 1020, 1030, 1055, 965]


def test_retries_and_redirections_take_turns(tmp_path):
    trouble = ["503", "302", "ok", "302", "503"]
    with Clock(trouble) as server:
        client, begin = HttpClient(retry_wait_s=0, pace=Pace(20, tmp_path / "pace")), time.monotonic()
        for _ in range(2):
            client.get(server.address, read=str)
    assert len(server.times) == 6
    assert all(at - begin >= turn / 20 for turn, at in enumerate(server.times))


def test_a_process_that_is_killed_takes_no_turn_with_it(tmp_path, clock):
    path = tmp_path / "pace"
    with Clock() as server:
        job = start(server, path, per_second=2, threads=16, number=10)
        while len(server.times) < 2:
            assert job.poll() is None
            time.sleep(0.01)
        job.send_signal(signal.SIGKILL)
        job.wait()
    # Each of its threads waited for a turn; the file has that of the last request and nothing of them.
    clock.now = time.time()
    before = clock.now
    Pace(2, path).wait()
    assert clock.now <= before + 0.5


@pytest.mark.parametrize("hours", [1, 1e6, float("inf"), float("nan")])
def test_a_clock_that_was_set_back_costs_one_turn(tmp_path, clock, hours):
    write_time(tmp_path / "pace", clock.now + 3600 * hours)
    for _ in range(2):
        Pace(0.1, tmp_path / "pace").wait()
    assert clock.now == (1010 if np.isnan(hours) else 1020)


@pytest.mark.parametrize("content", [b"", b"x", b"long ago"])
def test_a_damaged_file_is_no_obstacle(tmp_path, clock, content):
    (tmp_path / "pace").write_bytes(content)
    for _ in range(2):
        Pace(0.1, tmp_path / "pace").wait()
    assert clock.now in (1010, 1020)


def test_a_disk_without_locks_is_no_obstacle(tmp_path, clock, monkeypatch):
    def refuse(handle, kind):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", refuse)
    for _ in range(2):
        Pace(0.1, tmp_path / "pace").wait()
    assert clock.now == 1010


def test_a_first_turn_comes_at_once_and_makes_the_file(tmp_path, clock):
    Pace(0.1, tmp_path / "new" / "pace").wait()
    assert clock.now == 1000
    assert (tmp_path / "new" / "pace").exists()


def test_without_a_file_the_pace_is_that_of_one_object(clock):
    for one in [Pace(0.1)] * 3 + [Pace(0.1), Pace(0.1)]:
        one.wait()
    assert clock.now == 1020


def test_without_a_limit_nobody_waits_and_there_is_no_file(tmp_path, clock):
    free = Pace(0, tmp_path / "pace")
    for _ in range(1000):
        free.wait()
    assert clock.now == 1000
    assert not (tmp_path / "pace").exists()


def test_a_turn_costs_little(tmp_path):
    """Less than 0.2 ms of CPU time."""
    pace, number = Pace(1e9, tmp_path / "pace"), 2000
    begin = time.process_time()
    for _ in range(number):
        pace.wait()
    assert (time.process_time() - begin) / number < 0.2e-3
