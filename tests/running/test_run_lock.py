"""Locks of killed runs go with the next run, those of living ones stay."""

import errno
import subprocess
import sys

import pytest

from vo_lib.running.run_lock import hold_run, keep_locks

HOLD = (
    "import sys; from vo_lib.running.run_lock import hold_run; run = hold_run(sys.argv[1]); print(); sys.stdin.read()"
)


@pytest.fixture
def lock(tmp_path):
    """A lock as Snakemake makes it."""
    folder = tmp_path / ".snakemake" / "locks"
    folder.mkdir(parents=True)
    (folder / "0.input.lock").write_text("a\n")
    return folder / "0.input.lock"


def test_the_lock_of_a_killed_run_goes_and_that_of_a_living_one_stays(tmp_path, lock):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        hold_run(tmp_path).close()
        assert lock.exists()
        process.kill()
        process.wait()
    hold_run(tmp_path).close()
    assert not lock.exists()


def test_locks_of_runs_on_another_host_or_that_nobody_noted_stay(tmp_path, lock):
    hold_run(tmp_path).close()
    assert lock.exists()
    (tmp_path / ".snakemake" / "runs.lock").write_text("another-host\n")
    hold_run(tmp_path).close()
    assert lock.exists()


def test_locks_of_a_run_whose_jobs_are_on_a_cluster_stay(tmp_path, lock):
    run = hold_run(tmp_path)
    lock.write_text("a\n")
    keep_locks(run)
    run.close()
    hold_run(tmp_path).close()
    assert lock.exists()


def test_where_nothing_can_be_written_there_is_no_lock(tmp_path):
    (tmp_path / ".snakemake").write_text("")
    assert hold_run(tmp_path) is None


def test_where_the_disk_is_full_there_is_no_lock(tmp_path, monkeypatch):
    def refuse(handle, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.write", refuse)
    assert hold_run(tmp_path) is None
