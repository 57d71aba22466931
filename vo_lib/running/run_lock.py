"""Runs on a data root, so that what a killed one left locked is free again for the next.

Snakemake notes which files a run works on, and a run that is killed leaves the note. Here each run holds a shared file
lock as long as it lives, which the system takes away from a killed process: who can have the lock alone knows that
nobody else runs, and that what notes there are come from the dead.
"""

import fcntl
import os
import platform
from pathlib import Path

__all__ = ["hold_run", "keep_locks"]


def hold_run(data_root):
    """Take part in the runs on a data root, and remove the locks that Snakemake has of killed ones.

    Locks are removed if no other run goes on and all runs since the last time that nobody ran were on this host, for
    file locks need not reach over a network.

    Parameters
    ----------
    data_root : str or Path
        The data root.

    Returns
    -------
    file or None
        The run ends when it is closed, at the latest with the process; None where files cannot be written or locked.
    """
    folder = Path(data_root, ".snakemake")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        runs = open(folder / "runs.lock", "a+", encoding="utf-8")  # noqa: SIM115 - it stays open
    except OSError:
        return None
    try:
        fcntl.flock(runs, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pass
    except OSError:
        runs.close()
        return None
    else:
        _remove_locks(folder / "locks", runs)
    fcntl.flock(runs, fcntl.LOCK_SH)
    try:
        _note(runs, platform.node())
    except OSError:  # a disk that is full
        runs.close()
        return None
    return runs


def keep_locks(runs):
    """Leave what this run locks to a person if it is killed, for its jobs on a cluster go on without it.

    Parameters
    ----------
    runs : file or None
        See `hold_run`.
    """
    if runs is not None:
        _note(runs, "a cluster")


def _note(runs, where):
    """Add where a run is to the file of runs; nothing of it waits in memory where the disk is full."""
    os.write(runs.fileno(), f"{where}\n".encode())


def _remove_locks(folder, runs):
    """Remove the locks of runs that are over; the file of runs says on which hosts they were."""
    runs.seek(0)
    locks = list(folder.glob("*.lock"))
    if set(runs.read().splitlines()) == {platform.node()}:
        for lock in locks:
            lock.unlink(missing_ok=True)
        locks = []
    if not locks:
        runs.truncate(0)
