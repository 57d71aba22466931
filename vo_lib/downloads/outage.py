"""Outages of surveys, shared by the jobs of all projects through a file.

1. Jobs `count` the failed requests in a row to a survey that cannot be reached.
2. The job that reaches the limit begins an outage: the survey is unreachable since then. During an outage, jobs request
   one source every `PAUSE_S` and `note` each failure, for as long as their `patience` lasts.
3. After that the outage `is_hopeless`: jobs request nothing, except for one source every `AGAIN_S`.
4. An answer of any kind ends the outage at any time (`end`), and so does the start of a run (`forget_outages`).
"""

import os
import struct
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

__all__ = ["AGAIN_S", "PATIENCE_S", "PAUSE_S", "Outage", "forget_outages"]

# Time for which jobs wait for the end of an outage, about a night; then they give up.
PATIENCE_S = 6 * 3600.0
# Time between two requests of a waiting job.
PAUSE_S = 60.0
# Time without requests after a job gave up.
AGAIN_S = 600.0

# The fields of `_State`, in their order.
_STATE = struct.Struct("<?ddq")


class _State(NamedTuple):
    """Content of the file."""

    answered: bool = False  # a job of this run had an answer
    since: float = 0.0  # time at which the survey was found to be unreachable, 0 if it was not
    latest: float = 0.0  # time of the latest entry
    failures: int = 0  # failed requests in a row, before an outage

    @property
    def patience(self):
        """Time for which jobs wait: none before an answer shows that network and address are right."""
        return PATIENCE_S if self.answered else 0.0


class Outage:
    """What jobs know about the outage of a survey, if there is one.

    Failed requests in a row are counted over all jobs, because one bin may have too few sources. A file that is old,
    damaged or from the future (the clock was set back) records no outage; if the file cannot be written, each job
    discovers the outage itself. Hosts that share a file need synchronised clocks.

    Parameters
    ----------
    path : str or Path, optional
        The file, created with its folder; without one, nothing is recorded.
    """

    def __init__(self, path=None):
        self._path = path and Path(path)

    @property
    def since(self):
        """Time at which the survey was found to be unreachable [s]; None if it was not."""
        return self._read().since or None

    @property
    def patience(self):
        """Time for which jobs wait from then on [s]; 0 until an answer shows that network and address are right."""
        return self._read().patience

    @property
    def is_hopeless(self):
        """Whether a job gave up waiting so recently that requests are pointless."""
        state = self._read()
        return state.since > 0 and state.latest - state.since >= state.patience and time.time() - state.latest < AGAIN_S

    @property
    def failures(self):
        """Number of failed requests in a row, before the survey counts as unreachable."""
        return self._read().failures

    def note(self, since=None):
        """Record a failed request to a survey that is unreachable, since now or an earlier time [s]."""
        self._write(since=since or time.time())

    def count(self, failures):
        """Record the number of failed requests in a row."""
        if self.since is None:
            self._write(failures=failures)

    def end(self):
        """Record that the survey answers."""
        self._write(answered=True)

    def _write(self, **changes):
        """Write the file with the current time; readers always find it whole, because it is never truncated."""
        if self._path:
            state = _State(answered=self._read().answered, latest=time.time())._replace(**changes)
            with suppress(OSError):
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with open(os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o666), "wb", buffering=0) as file:
                    file.write(_STATE.pack(*state))

    def _read(self):
        """Content of the file; without a valid outage, only whether there was an answer."""
        try:
            state = _State(*_STATE.unpack(self._path.read_bytes()))
        except (AttributeError, OSError, struct.error):
            return _State()
        is_recent = state.since <= state.latest <= time.time() < state.latest + PATIENCE_S
        return state if is_recent else _State(answered=state.answered)


def forget_outages(folder):
    """Forget all outages, so that a new run queries all surveys.

    Parameters
    ----------
    folder : Path
        The folder of the files.
    """
    for path in folder.glob("*"):
        with suppress(OSError):
            path.unlink(missing_ok=True)
