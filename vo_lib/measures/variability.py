"""Statistics of whether and how a source varies, beyond its errors and over time."""

from functools import partial

import numpy as np

from vo_lib.measures.sample import statistic
from vo_lib.special import correlation_tail

__all__ = ["VARIABILITY"]

# See `vo_lib.statistics`.
VARIABILITY = {}

DISANTO = "D'Isanto et al. 2016, doi:10.1093/mnras/stw157"
KIM = "Kim et al. 2014, doi:10.1051/0004-6361/201323252"
SOKOLOVSKY = "Sokolovsky et al. 2017, doi:10.1093/mnras/stw2262"
STETSON = "Stetson 1996, doi:10.1086/133808"
VAUGHAN = "Vaughan et al. 2003, doi:10.1046/j.1365-2966.2003.07042.x"

_statistic = partial(statistic, VARIABILITY)


@_statistic("", 2)
def chi2(s):
    """Chi-square of a constant flux, about the weighted mean."""
    return s.chi2


@_statistic("", 2)
def chi2_reduced(s):
    """Chi-square of a constant flux over n - 1."""
    return s.chi2 / (s.number - 1)


@_statistic("", 2, "Enoch et al. 2003, doi:10.1086/376598")
def roms(s):
    """Robust median statistic, sum of |flux - median| / error over n - 1; 0.8 for noise."""
    return s.sum(np.abs(s.centred) / s.error) / (s.number - 1)


@_statistic("", 2)
def poisson_factor(s):
    """Standard deviation over root mean square error; 1 for noise."""
    return np.sqrt(s.variance / s.error_variance)


@_statistic("", 2, VAUGHAN)
def excess_variance(s):
    """Variance less mean squared error, over the squared mean flux; negative values are noise."""
    return (s.variance - s.error_variance) / s.flux_mean**2


@_statistic("", 2, VAUGHAN)
def excess_variance_err(s):
    """Error of excess_variance from the errors of the fluxes, eq. 11 of the reference."""
    relative = s.error_variance / s.flux_mean**2
    return np.sqrt((2 * relative**2 + 4 * relative * np.maximum(excess_variance(s), 0)) / s.number)


@_statistic("", 2)
def rms_excess(s):
    """Robust scatter beyond the median error over the median flux, if that is positive."""
    excess = np.sqrt(np.maximum(s.rms_robust**2 - s.error_median**2, 0))
    return excess / np.where(s.median > 0, s.median, np.nan)


@_statistic("", 2, "von Neumann 1941, doi:10.1214/aoms/1177731677")
def von_neumann(s):
    """Mean squared step from epoch to epoch over the variance; 2 for white noise, less if smooth."""
    return s.sum(s.flux_steps**2) / (s.number - 1) / s.variance


@_statistic("", 2, KIM)
def von_neumann_irregular(s):
    """Mean squared slope times the squared mean step in time over the variance, eta^e; equal times are left out."""
    steps = s.sum(s.time_steps > 0)
    return s.duration**2 * s.sum(s.slopes**2) / steps**3 / s.variance


@_statistic("", 2, STETSON)
def stetson_j(s):
    """Index J of epochs paired within a day; 0 for noise in pairs, positive if both deviate alike."""
    scores, number = s.pair_scores
    return s.sum(scores) / number


@_statistic("", 2, STETSON)
def stetson_k(s):
    """Index K, mean over root mean square of |residual|; 0.798 for a Gaussian, 0.9 for a sine."""
    return s.sum(np.abs(s.residual)) / np.sqrt(s.number * s.chi2)


@_statistic("", 2, SOKOLOVSKY)
def stetson_l(s):
    """Index L, J times K over 0.798."""
    return np.sqrt(np.pi / 2) * stetson_j(s) * stetson_k(s)


@_statistic("", 2, KIM)
def cusum(s):
    """Range of the cumulative sum of flux - mean, over n standard deviations."""
    # The excess sums to zero over each lightcurve, so one running sum serves all.
    running = np.cumsum(s.excess)
    return (s.greatest(running) - s.least(running)) / s.number / np.sqrt(s.variance)


@_statistic("uJy/d", 2, DISANTO)
def max_slope(s):
    """Greatest |slope| from epoch to epoch."""
    return s.greatest(np.abs(s.slopes))


@_statistic("uJy/d", 3)
def trend(s):
    """Slope of the straight line of least chi-square."""
    return s.trend[0]


@_statistic("uJy/d", 3)
def trend_err(s):
    """Error of trend from the errors alone."""
    return s.trend[1]


@_statistic("", 3)
def pearson_r(s):
    """Correlation of flux and time."""
    return s.correlation


@_statistic("", 3)
def pearson_p(s):
    """Probability of as strong a correlation by chance."""
    return correlation_tail(s.correlation, s.number)
