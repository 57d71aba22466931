"""Flag epochs without others close in time: an example of a quality check of your own.

    quality:
      class: extensions.lonely_epochs:LonelyEpochs
      kwargs: {neighbours: 1, within_days: 3}

The bit of this check in the quality flag is named LonelyEpochs.
"""

import numpy as np

from vo_lib.quality_checker import QualityChecker

__all__ = ["LonelyEpochs"]


class LonelyEpochs(QualityChecker):
    """Quality checks that also flag epochs which no other epoch of the lightcurve can confirm.

    Parameters
    ----------
    neighbours : int, optional
        Minimum number of other epochs that must be close.
    within_days : float, optional
        Maximum distance in time of close epochs [days].
    **options
        See `vo_lib.quality.assess`.
    """

    def __init__(self, *, neighbours=1, within_days=3.0, **options):
        super().__init__(**options)
        self.neighbours, self.within_days = neighbours, within_days

    def per_lightcurve(self, frame):
        """Flag the epochs with too few others close in time."""
        time = np.sort(frame["mjd"])
        first = np.searchsorted(time, frame["mjd"] - self.within_days, side="left")
        last = np.searchsorted(time, frame["mjd"] + self.within_days, side="right")
        return last - first - 1 < self.neighbours
