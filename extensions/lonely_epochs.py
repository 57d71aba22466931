"""Epochs without another one near in time: an example of a check of quality of your own.

    quality:
      class: extensions.lonely_epochs:LonelyEpochs
      kwargs: {neighbours: 1, within_days: 3}

Their bit in the quality flag is named LonelyEpochs.
"""

import numpy as np

from vo_lib.quality_checker import QualityChecker

__all__ = ["LonelyEpochs"]


class LonelyEpochs(QualityChecker):
    """Checks of quality that mark epochs which no other one of the lightcurve can confirm.

    Parameters
    ----------
    neighbours : int, optional
        Fewest other epochs that must be near.
    within_days : float, optional
        How near [days].
    **options
        Of `vo_lib.quality.assess`.
    """

    def __init__(self, *, neighbours=1, within_days=3.0, **options):
        super().__init__(**options)
        self.neighbours, self.within_days = neighbours, within_days

    def per_lightcurve(self, frame):
        """Mark the epochs with too few others about them."""
        time = np.sort(frame["mjd"])
        first = np.searchsorted(time, frame["mjd"] - self.within_days, side="left")
        last = np.searchsorted(time, frame["mjd"] + self.within_days, side="right")
        return last - first - 1 < self.neighbours
