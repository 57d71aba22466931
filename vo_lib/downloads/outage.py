"""What one job learned of a survey that cannot be reached, for the other jobs of all projects that share a file."""

import os
import struct
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

__all__ = ["AGAIN_S", "PATIENCE_S", "PAUSE_S", "Outage", "forget_outages"]

# So long after it was found the jobs wait for the end of an outage, and then give up: a night, more or less.
PATIENCE_S = 6 * 3600.0
# Between two questions of a job that waits.
PAUSE_S = 60.0
# So long nobody asks again after the last one gave up.
AGAIN_S = 600.0

# Whether it answered, and the rest in the order of the fields of `_State`.
_STATE = struct.Struct("<?ddq")


class _State(NamedTuple):
    """What the file holds: see `Outage`."""

    answered: bool = False
    since: float = 0.0
    latest: float = 0.0
    failures: int = 0

    @property
    def patience(self):
        """See `Outage.patience`."""
        return PATIENCE_S if self.answered else 0.0


class Outage:
    """A survey that could not be reached; its file is forgotten at the start of a run.

    It holds whether the survey answered a job of the run, since when it is taken to be unreachable, or 0 while it is
    not, when it was last asked in vain, and how often in a row until then, over all jobs, for a bin may have too few
    sources to tell. One that was left behind, is damaged or of a clock that was set back tells of no outage, and one
    that cannot be written is found anew by each job. Hosts that share a file need clocks that agree.

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
        return self._read().since or None

    @property
    def patience(self):
        """How long jobs wait from then on [s]: not at all where no answer shows that the network and address serve."""
        return self._read().patience

    @property
    def is_hopeless(self):
        """Whether a job gave up waiting a short while ago, so that there is no use in asking."""
        state = self._read()
        return state.since > 0 and state.latest - state.since >= state.patience and time.time() - state.latest < AGAIN_S

    @property
    def failures(self):
        """How often in a row the survey was asked in vain, before it is taken to be unreachable."""
        return self._read().failures

    def note(self, since=None):
        """Tell the others that the survey is unreachable, and was asked in vain; since now or another time [s]."""
        self._write(since=since or time.time())

    def count(self, failures):
        """Tell the others how often in a row the survey was asked in vain."""
        if self.since is None:
            self._write(failures=failures)

    def end(self):
        """Tell the others that the survey answers."""
        self._write(answered=True)

    def _write(self, **changes):
        """Write the file, as of now; who reads it meanwhile finds it whole, for it is never cut."""
        if self._path:
            state = _State(answered=self._read().answered, latest=time.time())._replace(**changes)
            with suppress(OSError):
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with open(os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o666), "wb", buffering=0) as file:
                    file.write(_STATE.pack(*state))

    def _read(self):
        """What the file holds; of an outage that it cannot know, only whether there was an answer."""
        try:
            state = _State(*_STATE.unpack(self._path.read_bytes()))
        except (AttributeError, OSError, struct.error):
            return _State()
        known = state.since <= state.latest <= time.time() < state.latest + PATIENCE_S
        return state if known else _State(answered=state.answered)


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
