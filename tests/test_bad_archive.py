"""A night against an archive that fails in all the ways that were seen, and two kills."""

import os
import signal
import subprocess
import sys
import time

import h5py
from servers.flaky import FlakyServer

from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.raw import read_index

N_SOURCES = 2000
BAD = {"503": 0.05, "html": 0.02, "truncated": 0.01, "reset": 0.01}

JOB = """
import sys
from pathlib import Path
import numpy as np
from vo_lib.download import download_bin
from vo_lib.observatories.ztf import VirtualZTF
path, url, number = sys.argv[1:]
places = np.random.default_rng(0).uniform([10, -20], [11, 80], (int(number), 2)).round(6).tolist()
rows = [{"name": f"s{index}", "ra": ra, "dec": dec} for index, (ra, dec) in enumerate(places)]
survey = VirtualZTF(url=url, route="position", retry_wait_s=0.01, timeout_s=60)
entries = download_bin(survey, rows, Path(path), parameters={"release": "ztf_dr24"}, threads=8)
sys.exit(sum(entry["status"] == "failed" for entry in entries))
"""


def start(path, server):
    """A download of all sources in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(PACKAGE_ROOT), "NO_PROXY": "127.0.0.1"}
    return subprocess.Popen([sys.executable, "-c", JOB, path, server.url, str(N_SOURCES)], env=environment)


def content(path):
    """Status and epochs of each source of a raw file."""
    index = read_index(path)
    with h5py.File(path) as file:
        return {name: (row["status"], file[row["key"]][:].tobytes()) for name, row in index.items()}


def test_a_run_against_a_bad_archive_with_two_kills_is_that_against_a_good_one(tmp_path):
    with FlakyServer() as good:
        assert start(tmp_path / "good.h5", good).wait() == 0
        assert good.n_requests == N_SOURCES
    with FlakyServer(BAD) as bad:
        for kill_at in (500, 1200):
            job = start(tmp_path / "bad.h5", bad)
            while bad.n_requests < kill_at and job.poll() is None:
                time.sleep(0.01)
            job.send_signal(signal.SIGKILL)
            job.wait()
        # A source may fail in all its tries by bad luck; the next run asks for it again.
        assert 0 in (start(tmp_path / "bad.h5", bad).wait() for _ in range(3))
        assert bad.n_requests <= 1.15 * N_SOURCES
    outcome = content(tmp_path / "bad.h5")
    assert outcome == content(tmp_path / "good.h5")
    counts = {status: sum(found == status for found, _ in outcome.values()) for status in ("ok", "empty", "failed")}
    assert counts["ok"] + counts["empty"] == N_SOURCES
    assert 20 < counts["empty"] < 120
