"""A clock that pauses alone move on, so that it does not matter how long anything takes."""

__all__ = ["StillClock"]


class StillClock:
    """What a module has of `time`, for the place of `time` in it.

    Parameters
    ----------
    now : float, optional
        Time of the begin [s].

    Attributes
    ----------
    now : float
        Time of now [s].
    """

    def __init__(self, now=0.0):
        self.now = now

    def time(self):
        """Time of now [s]."""
        return self.now

    monotonic = time

    def sleep(self, seconds):
        """Let a time pass at once."""
        self.now += seconds
