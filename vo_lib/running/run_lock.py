"""Track the runs on a data root, so that Snakemake locks left by a killed run do not block the next.

Snakemake locks the files that a run works on, and a run that is killed leaves these locks behind. Here each run holds a
shared file lock, which the system releases when its process ends, even by a kill. A process that gets this lock
exclusively knows that no other run is active, and that any locks of Snakemake are left over.
"""

import fcntl
import os
import platform
from pathlib import Path

__all__ = ["hold_run", "keep_locks"]


def hold_run(data_root):
    """Register a run on a data root, and remove the Snakemake locks of killed runs.

    The locks are removed if no other run is active and all runs since the last time that none was were on this host,
    as file locks may not work across a network.

    Parameters
    ----------
    data_root : str or Path
        The data root.

    Returns
    -------
    file or None
        The run ends when this is closed, at the latest when the process ends; None if files cannot be written or
        locked.
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
    """Have the locks of this run stay if it is killed, as its jobs on a cluster continue; a person must remove them.

    Parameters
    ----------
    runs : file or None
        See `hold_run`.
    """
    if runs is not None:
        _note(runs, "a cluster")


def _note(runs, where):
    """Append where a run is to the file of runs, unbuffered so that a full disk is noticed at once."""
    os.write(runs.fileno(), f"{where}\n".encode())


def _remove_locks(folder, runs):
    """Remove the locks of runs that have ended if all were on this host, according to the file of runs."""
    runs.seek(0)
    locks = list(folder.glob("*.lock"))
    if set(runs.read().splitlines()) == {platform.node()}:
        for lock in locks:
            lock.unlink(missing_ok=True)
        locks = []
    if not locks:
        runs.truncate(0)
