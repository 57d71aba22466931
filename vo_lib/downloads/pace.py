"""Turns of the requests to an archive, evenly spaced over all threads, jobs and projects that share a file."""

import fcntl
import os
import struct
import threading
import time
from contextlib import suppress
from pathlib import Path

__all__ = ["Pace"]

_TIME = struct.Struct("<d")


class Pace:
    """Even spacing of requests; threads may share one, and processes its file.

    The file holds the time of the latest turn and nothing that is to come. So a process that is killed while it waits
    takes no turn with it, and what is left in the file, a clock that was set back included, never makes anybody
    wait longer than for one turn. Hosts that share a file need clocks that agree. On a disk without file locks two may
    take one turn, if they ask in the same moment.

    Parameters
    ----------
    per_second : float, optional
        Requests in a second at most; 0 for no limit, and then there is no file.
    path : str or Path, optional
        The file, made with its folder; without one the pace is that of this object alone.
    """

    def __init__(self, per_second=0.0, path=None):
        self._interval = 1 / per_second if per_second else 0.0
        self._path, self._latest, self._lock = path and Path(path), 0.0, threading.Lock()
        if self._interval and path:
            self._path.parent.mkdir(parents=True, exist_ok=True)

    def wait(self):
        """Sleep until it is this request's turn."""
        if self._interval:
            with self._lock:
                while (pause := self._take()) > 0:
                    time.sleep(pause)

    def _take(self):
        """Take the turn and give 0, or give the seconds until there may be one."""
        if not self._path:
            pause, self._latest = self._judge(self._latest)
            return pause
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            with suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX)
            pause, latest = self._judge(_read(handle))
            os.pwrite(handle, _TIME.pack(latest), 0)
        finally:
            os.close(handle)
        return pause

    def _judge(self, latest):
        """Seconds until there may be a turn, and the time of the latest turn from now on."""
        now = time.time()
        if latest <= now < latest + self._interval:
            return latest + self._interval - now, latest
        # A turn later than now is from before the clock was set back; it counts as one of now.
        return (self._interval if latest > now else 0.0), now


def _read(handle):
    """Time of the latest turn [s]; long ago in a file that holds none."""
    found = os.pread(handle, _TIME.size, 0)
    return _TIME.unpack(found)[0] if len(found) == _TIME.size else 0.0
