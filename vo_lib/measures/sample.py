"""Definition of the statistics of lightcurves, and what several of them share, computed once when first needed."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vo_lib.segments import ROBUST_SCALE, segment_median, segment_quantiles, segment_steps, spread

__all__ = ["PAIR_DAYS", "Sample", "Statistic", "statistic"]

# Epochs at most this far apart, as within one night, form a pair for Stetson's J [days].
PAIR_DAYS = 1.0
# Quantiles that the statistics need; a single sort gives all of them.
_QUANTILES = (0.0, 0.05, 0.1, 0.125, 0.25, 0.375, 0.4, 0.5, 0.6, 0.625, 0.75, 0.875, 0.9, 0.95, 1.0)


class Sample:
    """Concatenated epochs of many lightcurves, and quantities derived from them.

    Fluxes are measured from their median and times from the first epoch, so that nothing is lost to
    rounding and a constant flux has a variance of exactly zero.

    Parameters
    ----------
    time : ndarray of float, shape (n_epochs,)
        Times in order within each lightcurve [days].
    flux, error : ndarray of float, shape (n_epochs,)
        Finite values and their errors, in the same unit. An error that is not positive counts as missing: whatever
        needs the errors of its lightcurve is NaN, except medians, which are of the other errors.
    starts : ndarray of int64, shape (n_lightcurves + 1,)
        Offsets of the lightcurves, each with at least one epoch.
    """

    def __init__(self, time, flux, error, starts):
        self.time, self.flux, self.starts = time, flux, starts
        self.error = np.where(error > 0, error, np.nan)

    def sum(self, values):
        """Sum over the epochs of each lightcurve; booleans are counted."""
        return np.add.reduceat(values, self.starts[:-1], dtype=float)

    def mean(self, values):
        """Mean over the epochs of each lightcurve."""
        return self.sum(values) / self.number

    def greatest(self, values):
        """Greatest value of each lightcurve."""
        return np.maximum.reduceat(values, self.starts[:-1])

    def least(self, values):
        """Least value of each lightcurve."""
        return np.minimum.reduceat(values, self.starts[:-1])

    def median_of(self, values):
        """Median of the values of each lightcurve."""
        return segment_median(values, self.starts)

    def spread(self, per_lightcurve):
        """Repeat the value of each lightcurve for its epochs."""
        return spread(per_lightcurve, self.starts)

    @cached_property
    def number(self):
        """Number of epochs of each lightcurve, as float."""
        return np.diff(self.starts).astype(float)

    @cached_property
    def _quantiles(self):
        return dict(zip(_QUANTILES, segment_quantiles(self.flux, self.starts, _QUANTILES), strict=True))

    def quantile(self, fraction):
        """Quantile of the flux, for one of the fractions listed in this module."""
        return self._quantiles[fraction]

    def width(self, fraction):
        """Distance between the quantiles of the flux that leave out a fraction on each side."""
        return self.quantile(1 - fraction) - self.quantile(fraction)

    @property
    def median(self):
        """Median flux."""
        return self.quantile(0.5)

    @cached_property
    def centred(self):
        """Flux minus its median."""
        return self.flux - self.spread(self.median)

    @cached_property
    def rms_robust(self):
        """Median absolute deviation of the flux, scaled to the standard deviation of a Gaussian."""
        return ROBUST_SCALE * self.median_of(np.abs(self.centred))

    @cached_property
    def flux_mean(self):
        """Mean flux."""
        return self.median + self.mean(self.centred)

    @cached_property
    def excess(self):
        """Flux minus its mean."""
        return self.centred - self.spread(self.mean(self.centred))

    @cached_property
    def excess_squared(self):
        """Square of the flux minus its mean."""
        return self.excess * self.excess

    @cached_property
    def variance(self):
        """Variance of the flux (divisor n - 1)."""
        return self.sum(self.excess_squared) / (self.number - 1)

    @cached_property
    def error_median(self):
        """Median error."""
        return self.median_of(self.error)

    @cached_property
    def error_variance(self):
        """Mean square of the errors."""
        return self.mean(self.error * self.error)

    @cached_property
    def weight(self):
        """Inverse square of the errors."""
        return 1 / (self.error * self.error)

    @cached_property
    def weight_sum(self):
        """Sum of the weights."""
        return self.sum(self.weight)

    @cached_property
    def weighted_offset(self):
        """Weighted mean of the flux minus its median."""
        return self.sum(self.weight * self.centred) / self.weight_sum

    @cached_property
    def residual(self):
        """Flux minus its weighted mean, over the error."""
        return (self.centred - self.spread(self.weighted_offset)) / self.error

    @cached_property
    def chi2(self):
        """Sum of the squared residuals."""
        return self.sum(self.residual * self.residual)

    @cached_property
    def elapsed(self):
        """Time since the first epoch [days]."""
        return self.time - self.spread(self.time[self.starts[:-1]])

    @cached_property
    def duration(self):
        """Time between the first and the last epoch [days]."""
        return self.elapsed[self.starts[1:] - 1]

    @cached_property
    def time_steps(self):
        """Time since the previous epoch [days]; NaN for the first of a lightcurve."""
        return segment_steps(self.time, self.starts)

    @cached_property
    def flux_steps(self):
        """Flux minus that of the previous epoch; 0 for the first of a lightcurve."""
        steps = segment_steps(self.centred, self.starts)
        steps[self.starts[:-1]] = 0.0
        return steps

    @cached_property
    def slopes(self):
        """Change of the flux since the previous epoch over the time since then; 0 for equal times."""
        return np.divide(self.flux_steps, self.time_steps, out=np.zeros(len(self.flux)), where=self.time_steps > 0)

    @cached_property
    def trend(self):
        """Slope of the straight line of least chi-square, and its error [flux per day]."""
        middle = self.sum(self.weight * self.elapsed) / self.weight_sum
        lever = self.weight * (self.elapsed - self.spread(middle))
        moment = self.sum(lever * self.elapsed)
        return self.sum(lever * self.centred) / moment, 1 / np.sqrt(moment)

    @cached_property
    def correlation(self):
        """Pearson's correlation coefficient of flux and time."""
        time = self.elapsed - self.spread(self.mean(self.elapsed))
        return self.sum(time * self.excess) / np.sqrt(self.sum(time * time) * self.sum(self.excess_squared))

    @cached_property
    def pair_scores(self):
        """Signed roots of the terms of Stetson's J, and the number of terms of each lightcurve.

        Epochs that follow each other within `PAIR_DAYS` are paired, the first with the second, the third
        with the fourth and so on; the term of a pair is the product of its residuals, that of an epoch without
        a partner the square of its residual minus 1. The second epoch of a pair has the term, the first 0.
        """
        residual = self.residual * self.spread(np.sqrt(self.number / (self.number - 1)))
        # Epochs close to the one before; of each run of these, every other one from the first on ends a pair.
        linked = np.flatnonzero(self.time_steps <= PAIR_DAYS)
        begins = np.maximum.accumulate(np.where(np.diff(linked, prepend=-1) > 1, linked, 0))
        second = linked[(linked - begins) % 2 == 0]
        term = residual * residual - 1
        term[second] = residual[second] * residual[second - 1]
        term[second - 1] = 0
        pairs = np.diff(np.searchsorted(second, self.starts))
        return np.copysign(np.sqrt(np.abs(term)), term), self.number - pairs


@dataclass(frozen=True)
class Statistic:
    """A number that describes a lightcurve.

    Parameters
    ----------
    name, unit, description : str
        Name, unit and meaning, as in the tables.
    min_epochs : int
        The statistic is NaN for fewer epochs.
    reference : str
        Publication that defines it; empty for common statistics.
    function : callable
        Takes a `Sample` and returns a value for each lightcurve, not finite where it is undefined.
    """

    name: str
    unit: str
    description: str
    min_epochs: int
    reference: str
    function: callable


def statistic(registry, unit, min_epochs, reference=""):
    """Register the decorated function as a statistic; its docstring is the description.

    Parameters
    ----------
    registry : dict of str to Statistic
        Receives an entry under the name of the function.
    unit, min_epochs, reference
        See `Statistic`.

    Returns
    -------
    callable
        Decorator that returns the function unchanged.
    """

    def register(function):
        # Without docstrings, as under python -OO, the name has to do.
        name, text = function.__name__, (function.__doc__ or function.__name__).rstrip(".")
        registry[name] = Statistic(name, unit, text[0].lower() + text[1:], min_epochs, reference, function)
        return function

    return register
