"""Events that rise at once and fade exponentially: an example of a shape of your own that is injected.

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
    """Nothing before the peak; after it half of what is left goes in each full width at half maximum."""
    return np.where(x < 0, 0.0, np.exp2(-np.maximum(x, 0.0)))


class SuddenEvents(Simulator):
    """Injection that knows the kind ``sudden`` beside the project's."""

    profiles: ClassVar[dict] = {"sudden": Profile(_sudden)}
