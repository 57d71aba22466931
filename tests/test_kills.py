"""kill -9 at any moment of a download loses nothing."""

import os
import random
import signal
import subprocess
import sys
import time

import h5py

from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.raw import read_index

KILLS = 40
N_SOURCES = 60

JOB = """
import sys
from pathlib import Path
from vo_lib.download import download_bin
from vo_lib.observatories.demo import VirtualDemo
path, first, stop = sys.argv[1:]
numbers = range(int(first), int(stop))
rows = [{"name": f"s/{index}", "ra": 10.0 + index / 100, "dec": 20.0, "mag": 15.0} for index in numbers]
survey = VirtualDemo(latency_s=0.004, epochs_per_filter=20, empty_fraction=0.1)
download_bin(survey, rows, Path(path), parameters={"release": ""}, threads=2)
"""


def start(path, first=0, stop=N_SOURCES):
    """A download of some sources in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(PACKAGE_ROOT)}
    return subprocess.Popen([sys.executable, "-c", JOB, path, str(first), str(stop)], env=environment)


def content(path):
    """What a raw file holds but the times of download: digest and status of each source, and its bytes."""
    index = read_index(path)
    with h5py.File(path) as file:
        return {name: (row["digest"], row["status"], file[row["key"]][:].tobytes()) for name, row in index.items()}


def kill_until_complete(path, dice, duration, limit):
    """Start the download again and again, each killed at a random moment, until one ends by itself.

    Returns the number of kills, and the time that an undisturbed run took if the first one ended by itself, else None.
    """
    for kills in range(limit):
        begin, job = time.monotonic(), start(path)
        try:
            # Early enough to stop it again and again, late enough to come to the writing of the file.
            assert job.wait(timeout=dice.uniform(0.5, 1.0) * duration) == 0
        except subprocess.TimeoutExpired:
            job.send_signal(signal.SIGKILL)
            job.wait()
        else:
            return kills, None if kills else time.monotonic() - begin
    assert start(path).wait() == 0
    return limit, None


def test_after_forty_kills_the_archives_are_those_of_an_undisturbed_run(tmp_path):
    undisturbed = tmp_path / "undisturbed.h5"
    begin = time.monotonic()
    assert start(undisturbed).wait() == 0
    duration = time.monotonic() - begin
    expected, dice, kills, archive = content(undisturbed), random.Random(1), 0, 0
    assert len(expected) == N_SOURCES
    while kills < KILLS:
        archive += 1
        path = tmp_path / f"{archive}.h5"
        more, whole = kill_until_complete(path, dice, duration, KILLS - kills)
        # What a whole run takes follows the load of the machine.
        kills, duration = kills + more, whole or duration
        assert content(path) == expected
        assert sorted(found.name for found in tmp_path.glob(f".{archive}.h5*")) == [f".{archive}.h5.lock"]


def test_two_jobs_on_one_archive_wait_for_each_other(tmp_path):
    path = tmp_path / "shared.h5"
    # Each has sources that no other has, which are lost where two write at a time.
    jobs = [start(path, first, first + N_SOURCES // 2) for first in range(0, N_SOURCES // 2 + 1, N_SOURCES // 4)]
    assert [job.wait() for job in jobs] == [0, 0, 0]
    assert sorted(content(path)) == sorted(f"s/{index}" for index in range(N_SOURCES))
