"""Probability of a flare at each epoch: an example of a finder of your own that searches a whole bin at once.

    finder:
      class: extensions.flare_probability:FlareProbability
      kwargs: {prior: 0.001, amplitude: 10, probability: 0.99}

The S/N of an epoch is modelled as drawn from one of two Gaussians: N(0, 1) while the source is quiet, and
N(0, 1 + amplitude²) during a flare, whose light adds scatter. With the prior probability of a flare, Bayes' theorem
gives the posterior in closed form. Runs of epochs with a high probability are the detections.
"""

import math

import numpy as np

from vo_lib.finder import Finder
from vo_lib.peak import find_runs

__all__ = ["FlareProbability", "flare_probability"]


class FlareProbability(Finder):
    """Finder of runs of epochs in which a source probably flares.

    Parameters
    ----------
    prior : float, optional
        Expected fraction of epochs in flares, between 0 and 1.
    amplitude : float, optional
        Scatter of the S/N that flares add to that of the noise.
    probability, sideband_probability : float, optional
        Minimum probability of the peak and of the epochs beside it, the latter above 0.
    **options
        See `vo_lib.finder.Finder`; ``max_gap_days`` and ``min_epochs`` apply here too.
    """

    def __init__(self, *, prior=1e-3, amplitude=10.0, probability=0.99, sideband_probability=0.5, **options):
        if not (0 < prior < 1 and amplitude > 0 and 0 < sideband_probability <= probability < 1):
            raise ValueError("prior and probabilities must be between 0 and 1, amplitude above 0")
        super().__init__(**options)
        self.model = {"prior": prior, "amplitude": amplitude}
        self.limits = {"thresholds": (1.0, probability), "sidebands": (1.0, sideband_probability)}
        self.runs = {name: self.peak[name] for name in ("max_gap_days", "min_epochs")}

    def search(self, batch, searched, snr, noise):
        """Find runs of probable flares; their score is the maximum probability."""
        return find_runs(
            batch, np.flatnonzero(searched), flare_probability(snr, **self.model), **self.limits, **self.runs
        )


def flare_probability(snr, *, prior, amplitude):
    """Compute the posterior probability of a flare; 0 for epochs that are not brighter than usual.

    Parameters
    ----------
    snr : ndarray of float
        Signed S/N.
    prior, amplitude : float
        See `FlareProbability`.

    Returns
    -------
    ndarray of float, shape of `snr`
        NaN where `snr` is NaN.
    """
    variance = 1 + amplitude**2
    log_odds = math.log(prior / (1 - prior)) - math.log(variance) / 2 + snr**2 * (1 - 1 / variance) / 2
    return np.where(snr > 0, 1 / (1 + np.exp(-np.clip(log_odds, -700, 700))), np.where(np.isnan(snr), np.nan, 0.0))
