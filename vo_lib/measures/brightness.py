"""Statistics of when a source was observed, how bright it is and how its fluxes are distributed."""

from functools import partial

import numpy as np

from vo_lib.measures.sample import statistic
from vo_lib.photometry import mag_from_flux

__all__ = ["BRIGHTNESS"]

# See `vo_lib.statistics`.
BRIGHTNESS = {}

DISANTO = "D'Isanto et al. 2016, doi:10.1093/mnras/stw157"
JOANES = "Joanes & Gill 1998, doi:10.1111/1467-9884.00122"
RICHARDS = "Richards et al. 2011, doi:10.1088/0004-637X/733/1/10"

# Phi^-1 of 7/8, 5/8 and 3/4: quantiles of a Gaussian.
_GAUSSIAN_OCTILES = (1.1503493803760079, 0.3186393639643752, 0.6744897501960817)

_statistic = partial(statistic, BRIGHTNESS)


@_statistic("d", 1)
def duration(s):
    """Time from the first to the last epoch."""
    return s.duration


@_statistic("d", 2)
def cadence(s):
    """Median time from epoch to epoch."""
    return s.median_of(s.time_steps)


@_statistic("d", 2)
def longest_gap(s):
    """Longest time from epoch to epoch."""
    return s.greatest(np.nan_to_num(s.time_steps))


@_statistic("uJy", 1)
def flux_mean(s):
    """Mean flux."""
    return s.flux_mean


@_statistic("uJy", 1)
def flux_weighted_mean(s):
    """Mean flux, weighted by the inverse squares of the errors."""
    return s.median + s.weighted_offset


@_statistic("uJy", 1)
def flux_weighted_mean_err(s):
    """Error of flux_weighted_mean from the errors alone."""
    return 1 / np.sqrt(s.weight_sum)


@_statistic("uJy", 1)
def flux_median(s):
    """Median flux."""
    return s.median


@_statistic("uJy", 1)
def flux_median_err(s):
    """Error of flux_median, sqrt(pi / 2) times robust scatter or median error, the greater, over sqrt(n)."""
    return np.sqrt(np.pi / 2 / s.number) * np.fmax(s.rms_robust, s.error_median)


@_statistic("mag", 1)
def mag_median(s):
    """Magnitude (AB) of the median flux."""
    return mag_from_flux(s.median, flux_median_err(s))[0]


@_statistic("mag", 1)
def mag_median_err(s):
    """Error of mag_median."""
    return mag_from_flux(s.median, flux_median_err(s))[1]


@_statistic("uJy", 1)
def error_median(s):
    """Median error of the flux."""
    return s.error_median


@_statistic("", 1)
def snr_median(s):
    """Median of flux over error."""
    return s.median_of(s.flux / s.error)


@_statistic("uJy", 2)
def flux_rms(s):
    """Standard deviation of the flux (divisor n - 1)."""
    return np.sqrt(s.variance)


@_statistic("uJy", 2)
def flux_rms_robust(s):
    """1.4826 times the median absolute deviation of the flux."""
    return s.rms_robust


@_statistic("uJy", 1)
def flux_amplitude(s):
    """Half the difference of greatest and least flux."""
    return s.width(0.0) / 2


@_statistic("uJy", 10)
def flux_p05(s):
    """Flux that 5 % of the epochs are below."""
    return s.quantile(0.05)


@_statistic("uJy", 4)
def flux_p25(s):
    """Flux that 25 % of the epochs are below."""
    return s.quantile(0.25)


@_statistic("uJy", 4)
def flux_p75(s):
    """Flux that 75 % of the epochs are below."""
    return s.quantile(0.75)


@_statistic("uJy", 10)
def flux_p95(s):
    """Flux that 95 % of the epochs are below."""
    return s.quantile(0.95)


@_statistic("uJy", 4)
def flux_iqr(s):
    """Difference of flux_p75 and flux_p25."""
    return s.width(0.25)


@_statistic("mag", 10)
def mag_amplitude(s):
    """Half the difference of the magnitudes of flux_p05 and flux_p95."""
    return 1.25 * np.log10(s.quantile(0.95) / np.where(s.quantile(0.05) > 0, s.quantile(0.05), np.nan))


@_statistic("", 10, DISANTO)
def relative_width(s):
    """Difference of flux_p95 and flux_p05 over the median flux."""
    return s.width(0.05) / s.median


@_statistic("", 10, RICHARDS)
def width_ratio_20(s):
    """Width of the middle 20 % of the fluxes over that of the middle 90 %; 0.154 for a Gaussian."""
    return s.width(0.4) / s.width(0.05)


@_statistic("", 10, RICHARDS)
def width_ratio_50(s):
    """Width of the middle 50 % of the fluxes over that of the middle 90 %; 0.410 for a Gaussian."""
    return s.width(0.25) / s.width(0.05)


@_statistic("", 10, RICHARDS)
def width_ratio_80(s):
    """Width of the middle 80 % of the fluxes over that of the middle 90 %; 0.779 for a Gaussian."""
    return s.width(0.1) / s.width(0.05)


@_statistic("", 3, JOANES)
def skewness(s):
    """Skewness G1 of the flux; positive where the tail is to the bright side."""
    n = s.number
    return n / ((n - 1) * (n - 2)) * s.sum(s.excess_squared * s.excess) / s.variance**1.5


@_statistic("", 4, JOANES)
def kurtosis(s):
    """Excess kurtosis G2 of the flux; 0 for a Gaussian."""
    n = s.number
    fourth = s.sum(s.excess_squared * s.excess_squared) / s.variance**2
    return (n * (n + 1) / (n - 1) * fourth - 3 * (n - 1) ** 2) / ((n - 2) * (n - 3))


@_statistic("", 4, "Bowley 1920, Elements of Statistics")
def skewness_robust(s):
    """Skewness from quartiles, -1 to 1."""
    return (s.quantile(0.75) + s.quantile(0.25) - 2 * s.median) / s.width(0.25)


@_statistic("", 8, "Moors 1988, doi:10.2307/2348376")
def kurtosis_robust(s):
    """Kurtosis from octiles, less 1.233; 0 for a Gaussian."""
    outer, inner, quarter = _GAUSSIAN_OCTILES
    tails = s.width(0.125) - (s.quantile(0.625) - s.quantile(0.375))
    return tails / s.width(0.25) - (outer - inner) / quarter


@_statistic("", 2, DISANTO)
def beyond_1std(s):
    """Fraction of the epochs beyond one standard deviation from the mean; 0.317 for a Gaussian."""
    return s.mean(s.excess_squared > s.spread(s.variance))
