"""Events that rise instantly and fade exponentially: an example of an event shape of your own for injections.

simulator:
  class: extensions.sudden_events:SuddenEvents
  kinds: [sudden, flare]
"""

from typing import ClassVar

import numpy as np

from vo_lib.event_simulator import Simulator
from vo_lib.profiles import Profile

__all__ = ["SuddenEvents"]


def _sudden(x):
    """Zero before the peak; after it, the flux halves in each full width at half maximum."""
    return np.where(x < 0, 0.0, np.exp2(-np.maximum(x, 0.0)))


class SuddenEvents(Simulator):
    """Simulator with the kind ``sudden`` in addition to the project's own."""

    profiles: ClassVar[dict] = {"sudden": Profile(_sudden)}
