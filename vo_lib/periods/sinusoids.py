"""Least-squares fits of sinusoids to lightcurves: the Lomb-Scargle periodogram of one or several filters."""

import math
from functools import cached_property

import numpy as np

__all__ = ["MIN_EPOCHS", "Sinusoids", "vary"]

# A mean and a sinusoid have three parameters, and one epoch must be left over.
MIN_EPOCHS = 4
# A component of a sinusoid that varies over the epochs by less than this fraction of its amplitude is not measurable.
_SAME_PHASE = 1e-3
# Frequencies per call: the Fourier transforms of astropy's fast method, of 2**14 values, then fit the cache.
_BLOCK = 3276


class Sinusoids:
    """Sinusoids of one frequency, with their own floating mean, amplitude and phase in each filter.

    Parameters
    ----------
    bands : sequence of tuple of ndarray
        Time [days], flux and its error (None for equal ones) of each filter; all finite, errors positive.
        Filters with fewer than `MIN_EPOCHS` epochs, or with those that do not `vary`, are left out.

    Notes
    -----
    The power is that of `astropy.timeseries.LombScargle` (standard normalisation, floating mean; Zechmeister &
    Kuerster 2009, doi:10.1051/0004-6361:200811296). For several filters it is the mean of their powers, weighted by
    chi-square about the means: the multi-phase model of VanderPlas & Ivezic 2015 (doi:10.1088/0004-637X/812/1/18).
    """

    def __init__(self, bands):
        from astropy.timeseries import LombScargle

        self.bands = [band for band in bands if len(band[0]) >= MIN_EPOCHS and vary(band)]
        self.start = min((float(time.min()) for time, *_ in self.bands), default=math.nan)
        self._models = [LombScargle(time - self.start, flux, error) for time, flux, error in self.bands]

    @property
    def n_bands(self):
        """Number of filters that are used."""
        return len(self.bands)

    @property
    def n_epochs(self):
        """Number of epochs in all filters that are used."""
        return sum(len(time) for time, *_ in self.bands)

    @cached_property
    def _weights(self):
        """Weights of the epochs of each filter, which sum to one."""
        weights = [np.ones(len(time)) if error is None else error**-2.0 for time, _, error in self.bands]
        return [values / values.sum() for values in weights]

    @cached_property
    def chi2(self):
        """Chi-square of each filter about its weighted mean, shape (n_bands,)."""
        values = []
        for (_, flux, error), weight in zip(self.bands, self._weights, strict=True):
            residual = (flux - weight @ flux) / (1 if error is None else error)
            values.append(residual @ residual)
        return np.array(values)

    @cached_property
    def span(self):
        """Time from the first to the last epoch [days]; NaN without epochs."""
        return max((float(time.max()) for time, *_ in self.bands), default=math.nan) - self.start

    @cached_property
    def cadence(self):
        """Median time step in the first filter [days], without steps of zero."""
        steps = np.diff(np.sort(self.bands[0][0]))
        return float(np.median(steps[steps > 0]))

    @cached_property
    def effective_span(self):
        """Sqrt(4 pi) times the weighted standard deviation of the times [days], as Baluev 2008 defines it."""
        variance = [
            weight @ (time - self.start) ** 2 - (weight @ (time - self.start)) ** 2
            for (time, *_), weight in zip(self.bands, self._weights, strict=True)
        ]
        return math.sqrt(4 * math.pi * np.average(variance, weights=[len(time) for time, *_ in self.bands]))

    def power(self, frequency, *, even=False):
        """Compute the fraction of chi-square about the means that sinusoids remove.

        Parameters
        ----------
        frequency : ndarray of float, shape (n_frequencies,)
            Frequencies [1/d].
        even : bool, optional
            Whether they form an even grid, for which a fast method, accurate to 1e-7, is used.

        Returns
        -------
        ndarray of float, shape (n_frequencies,)
            0 to 1; a filter adds nothing where its power is undefined, as where one epoch has all of the weight. It
            is meaningless where the epochs are nearly at one or two phases, see `measured_power`.
        """
        weight = self.chi2 / self.chi2.sum()
        total = np.zeros(len(frequency))
        for share, model in zip(weight, self._models, strict=True):
            power = _even_power(model, frequency) if even else model.power(frequency, method="cython")
            total += share * np.clip(np.where(np.isfinite(power), power, 0.0), 0.0, 1.0)
        return np.minimum(total, 1.0)

    def measured_power(self, frequency):
        """Compute the power at one frequency from those components of a sinusoid whose amplitude is measurable.

        Parameters
        ----------
        frequency : float
            Frequency [1/d].

        Returns
        -------
        float
            0 to 1.
        """
        taken = float(self.chi2 / self.chi2.sum() @ self._measured_powers(frequency))
        return float(np.clip(taken, 0.0, 1.0)) if math.isfinite(taken) else 0.0

    def unscaled_power(self, frequency):
        """Compute the power at one frequency for errors that are wrong by an unknown factor in each filter.

        Parameters
        ----------
        frequency : float
            Frequency [1/d].

        Returns
        -------
        float
            0 to 1; for one filter, that of `measured_power`. The fractions of chi-square that sinusoids leave in each
            filter are multiplied, each to the power of its share of the degrees of freedom: the likelihood ratio.
        """
        left = np.clip(1 - self._measured_powers(frequency), 0.0, 1.0)
        free = np.array([len(time) - 3 for time, *_ in self.bands])
        power = 1 - float(np.prod(left ** (free / free.sum())))
        return power if math.isfinite(power) else 0.0

    def _measured_powers(self, frequency):
        """`measured_power` of each filter."""
        powers = []
        for (time, flux, _), weight in zip(self.bands, self._weights, strict=True):
            rest = flux - flux[0] - weight @ (flux - flux[0])
            turns = np.exp(2j * np.pi * frequency * (time - self.start))
            mean = weight @ turns
            split = weight @ turns**2 - mean**2
            # Over the epochs, a sinusoid varies most at one phase, and least a quarter of a turn from it.
            variances = (1 - abs(mean) ** 2 + np.array([1, -1]) * abs(split)) / 2
            product = (weight * rest) @ turns * np.exp(-0.5j * np.angle(split))
            known = variances > _SAME_PHASE**2
            found = np.sum(np.square([product.real, product.imag])[known] / variances[known])
            powers.append(found / (weight @ np.square(rest)))
        return np.array(powers)

    def window(self, frequency):
        """Compute the power of the sampling window: 1 if all epochs are at one phase, 1 / n_epochs for random ones.

        Parameters
        ----------
        frequency : ndarray of float, shape (n_frequencies,)
            Frequencies [1/d].

        Returns
        -------
        ndarray of float, shape (n_frequencies,)
            |sum of w exp(2 pi i f t)|**2 for weights that sum to one (Deeming 1975, doi:10.1007/BF00681947); for
            several filters, the mean weighted by their numbers of epochs.
        """
        total = np.zeros(len(frequency))
        for (time, *_), weight in zip(self.bands, self._weights, strict=True):
            turns = np.exp(2j * np.pi * np.outer(frequency, time - self.start))
            total += len(time) / self.n_epochs * np.abs(turns @ weight) ** 2
        return total

    def frequency_error(self, power):
        """Compute the standard error of the frequency of a sinusoid in white noise [1/d].

        Parameters
        ----------
        power : float
            Power at the frequency.

        Returns
        -------
        float
            From Montgomery & O'Donoghue 1999 (Delta Scuti Star Newsletter 13, 28), with the scatter of the actual
            times in place of that of even ones; valid only for the right peak.
        """
        deviation = self.effective_span / math.sqrt(4 * math.pi)
        # Chi-square that sinusoids remove over the reduced one of the residuals: n amplitude**2 / (2 noise**2).
        strength = (self.n_epochs - 3 * self.n_bands) * power / (1 - power) if power < 1 else math.inf
        return 1 / (2 * math.pi * deviation * math.sqrt(strength)) if strength > 0 else math.inf

    def fit(self, frequency):
        """Fit the semi-amplitude and the first time of greatest flux in the first filter.

        Parameters
        ----------
        frequency : float
            Frequency [1/d].

        Returns
        -------
        amplitude, time : float
            In the units of the flux and of the times; the time is less than one period after the first epoch. Where
            the epochs are at only two phases, as even ones at half their frequency, the smallest amplitude that fits.
        """
        time, flux, error = self.bands[0]
        root = 1.0 if error is None else 1 / error
        angle = 2 * np.pi * frequency * (time - self.start)
        design = np.array([np.ones(len(time)), np.sin(angle), np.cos(angle)]) * root
        _, sine, cosine = np.linalg.lstsq(design.T, (flux - np.mean(flux)) * root, rcond=_SAME_PHASE)[0]
        phase = math.atan2(sine, cosine) / (2 * math.pi)
        return math.hypot(sine, cosine), self.start + phase % 1 / frequency


def vary(band):
    """Return whether the epochs of a filter have more than one time and more than one flux.

    Parameters
    ----------
    band : tuple of ndarray
        See `Sinusoids`; at least one epoch.

    Returns
    -------
    bool
    """
    return bool(np.ptp(band[0]) > 0 and np.ptp(band[1]) > 0)


def _even_power(model, frequency):
    """Compute the power of one filter on an even grid, in blocks."""
    blocks = [frequency[first : first + _BLOCK] for first in range(0, len(frequency), _BLOCK)]
    options = {"method": "fast", "assume_regular_frequency": True}
    with np.errstate(divide="ignore", invalid="ignore"):  # where epochs are at only two phases
        # The fast method needs two frequencies for the step of the grid.
        return np.concatenate(
            [model.power(block, **(options if len(block) > 1 else {"method": "cython"})) for block in blocks]
        )
