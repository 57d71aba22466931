"""Rate limit of requests to an archive, shared by all threads, jobs and projects that use the same file."""

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
    """Even spacing of requests; threads can share an object, and processes its file.

    The file holds only the time of the latest turn, never of a future one. So a process that is killed while it waits
    blocks no turn, and no content of the file, even after the clock was set back, delays a request by more than
    one turn. Hosts that share a file need synchronised clocks. On a disk without file locks, two simultaneous requests
    may take the same turn.

    Parameters
    ----------
    per_second : float, optional
        Maximum number of requests per second; 0 for no limit, and then no file is made.
    path : str or Path, optional
        The file, created with its folder; without one, the limit applies to this object alone.
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
        """Take a turn and return 0, or return the time until one may be free [s]."""
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
        """Time until a turn may be free [s], and the time to record as the latest turn."""
        now = time.time()
        if latest <= now < latest + self._interval:
            return latest + self._interval - now, latest
        # A turn later than now is from before the clock was set back; it counts as taken now.
        return (self._interval if latest > now else 0.0), now


def _read(handle):
    """Time of the latest turn [s]; 0 if the file has none."""
    found = os.pread(handle, _TIME.size, 0)
    return _TIME.unpack(found)[0] if len(found) == _TIME.size else 0.0
