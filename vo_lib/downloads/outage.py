"""What one job learned of a survey that cannot be reached, for the other jobs of all projects that share a file."""

import os
import struct
import time
from contextlib import suppress
from pathlib import Path

__all__ = ["AGAIN_S", "PATIENCE_S", "PAUSE_S", "Outage", "forget_outages"]

# So long after it was found the jobs wait for the end of an outage, and then give up.
PATIENCE_S = 3600.0
# Between two questions of a job that waits.
PAUSE_S = 60.0
# So long nobody asks again after the last one gave up.
AGAIN_S = 600.0

_STATE = struct.Struct("<ddq")


class Outage:
    """A survey that could not be reached; the file goes with the first answer and at the start of a run.

    It holds since when the survey is taken to be unreachable, or 0 while it is not, when it was last asked in vain, and
    how often in a row until then, over all jobs: a bin may have too few sources to tell. One that was left behind, is
    damaged or of a clock that was set back says nothing, and one that cannot be written is found anew by each job.
    Hosts that share a file need clocks that agree.

    Parameters
    ----------
    path : str or Path, optional
        The file, made with its folder; without one nothing is known and nothing is told.
    """

    def __init__(self, path=None):
        self._path = path and Path(path)

    @property
    def since(self):
        """When the survey was found to be unreachable [s]; None where that is not known."""
        return self._read()[0]

    @property
    def is_hopeless(self):
        """Whether a job gave up waiting a short while ago, so that there is no use in asking."""
        since, latest, _ = self._read()
        return since is not None and latest - since > PATIENCE_S and time.time() - latest < AGAIN_S

    @property
    def failures(self):
        """How often in a row the survey was asked in vain, before it is taken to be unreachable."""
        return self._read()[2]

    def note(self, since=None):
        """Tell the others that the survey is unreachable, and was asked in vain; since now or another time [s]."""
        self._write(since or time.time(), 0)

    def count(self, failures):
        """Tell the others how often in a row the survey was asked in vain."""
        if self.since is None:
            self._write(0.0, failures)

    def end(self):
        """Tell the others that the survey answers."""
        if self._path:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    def _write(self, since, failures):
        """Write the file, as of now; who reads it meanwhile finds it whole, for it is never cut."""
        if self._path:
            with suppress(OSError):
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with open(os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o666), "wb", buffering=0) as file:
                    file.write(_STATE.pack(since, time.time(), failures))

    def _read(self):
        """Both times [s], the first None where there is no outage, and the failures in a row."""
        try:
            since, latest, failures = _STATE.unpack(self._path.read_bytes())
        except (AttributeError, OSError, struct.error):
            return None, None, 0
        if not since <= latest <= time.time() < latest + PATIENCE_S:
            return None, None, 0
        return since or None, latest, failures


def forget_outages(folder):
    """Have a new run ask all surveys.

    Parameters
    ----------
    folder : Path
        The folder of the files.
    """
    for path in folder.glob("*"):
        with suppress(OSError):
            path.unlink(missing_ok=True)
