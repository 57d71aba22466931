"""Fits of templates, epoch by epoch, to the candidates that the matched filter found with them."""

import numpy as np

from vo_lib.profiles import PROFILES
from vo_lib.search.template_bank import CELLS, CUT
from vo_lib.segments import range_rows, segment_sum, spread, starts_from_counts

__all__ = ["SINGLE", "Fit", "baseline_of", "moved", "span_rows"]

# Name of the template of a single epoch.
SINGLE = "epoch"
# Epochs farther from the median than this are left out of the baseline.
_OUTLIER_SNR = 4.0
# An epoch is far from a template if it is more than `_FAR_SNR` times its noise above `_ABOVE` times the height of the
# template or, near the peak, below `_BELOW` of the template. Near the peak is where the template is at least
# `_NEAR_PEAK` of its height even if it peaks half a cell earlier or later. The fraction `_STRAY` of the epochs there
# may be below: stray ones in an event of many.
_FAR_SNR, _ABOVE, _BELOW = 5.0, 3.0, 0.5
_NEAR_PEAK, _HALF_CELL, _STRAY = 0.7, 0.5 / CELLS, 0.1
# A template is fitted only if the baseline leaves it this fraction of its weight.
_USABLE = 1e-3
# Number of fitted parameters (amplitude, time and width), and the standard deviations up to which an excess of
# chi-square counts as noise.
_FITTED, _CHANCE = 3, 1.0
# The peak of an event of another shape is off by about `_OFF` times the scatter about the template, and by what a
# template of `_CORE` of its width finds in the residuals (docs/validation/matched_filter.md has the pulls).
_OFF, _CORE = 2.0, 0.25
# The longest least-squares step, and the fraction of the width for taking slopes.
_FARTHEST, _SLOPE = 0.3, 0.02
# Least weight of the prior on these steps, which keeps the matrix regular where the slopes vanish.
_LEAST_KNOWN = 1e-6


class Fit:
    """Epochs of candidates, and fits of their templates with a constant that all quiet and calm epochs determine.

    The constant is fitted to these epochs of the whole lightcurve and to all calm ones of the candidate. Where a
    template is 0, epochs matter only for two sums: the `total` of the weights, and that of the weighted fluxes, which
    over the total is the `mean`. So templates are evaluated near candidates alone. Fluxes are counted from the mean of
    the quiet epochs, to whose second sum these then add nothing.

    Parameters
    ----------
    batch : LightcurveBatch
        With the columns mjd, searched, snr and noise, see `vo_lib.search.template_cells.make_blocks`.
    candidates : dict of str to ndarray, each of shape (n,)
        `vo_lib.search.candidates.CANDIDATE_COLUMNS`.
    calm : ndarray of bool, shape (n_epochs,)
        Epochs that are not part of another event.
    beyond : ndarray of int or int, optional
        Number of epochs before and after each candidate whose quiet ones its template is fitted to as well.
    """

    def __init__(self, batch, candidates, calm, *, beyond=0):
        lightcurves, where = np.unique(candidates["lightcurve"], return_inverse=True)
        rows, starts = batch.epochs_of(lightcurves)
        excess, weight, quiet = _measured(batch.columns, rows, calm)
        level = baseline_of(excess, weight, quiet, starts)[where]
        whole = segment_sum(weight * quiet, starts)[where]
        lightcurve = candidates["lightcurve"]
        self.times = tuple(batch.columns["mjd"][candidates[name]] for name in ("first", "last"))
        wider = {
            "first": np.maximum(candidates["first"] - beyond, batch.starts[lightcurve]),
            "last": np.minimum(candidates["last"] + beyond, batch.starts[lightcurve + 1] - 1),
        }
        rows, self.spans = span_rows(wider)
        excess, weight, quiet = _measured(batch.columns, rows, calm)
        inside = (rows >= spread(candidates["first"], self.spans)) & (rows <= spread(candidates["last"], self.spans))
        self.weight, self.excess = weight * (quiet | (inside & calm[rows])), excess - spread(level, self.spans)
        self.mjd, self.sign = batch.columns["mjd"][rows], spread(candidates["sign"], self.spans)
        # What is added to the quiet epochs of the lightcurve, whose weighted excesses sum to 0.
        added = self.weight - weight * quiet
        self.total = whole + segment_sum(added, self.spans)
        self.mean = segment_sum(added * self.excess, self.spans) / np.where(self.total > 0, self.total, 1.0)
        names, kind = np.unique(candidates["template"], return_inverse=True)
        kind = spread(kind, self.spans)
        self.kinds = {name: np.flatnonzero(kind == number) for number, name in enumerate(names.tolist())}

    def describes(self, candidates):
        """Return whether no epoch is far above the template, and only stray ones far below it near the peak."""
        height, excess = self.sign * spread(candidates["amplitude"], self.spans), self.sign * self.excess
        sides = (
            self._profiles(candidates | moved(candidates, "peak_time", step)) for step in (-_HALF_CELL, _HALF_CELL)
        )
        profile, root = np.minimum(*sides), np.sqrt(self.weight)
        near = (profile >= _NEAR_PEAK) & (self.weight > 0)
        above = (excess - _ABOVE * height) * root > _FAR_SNR
        below = near & ((_BELOW * profile * height - excess) * root > _FAR_SNR)
        n_above, n_below, n_near = (segment_sum(mask, self.spans) for mask in (above, below, near))
        return (n_above == 0) & (n_below <= _STRAY * n_near)

    def amplitudes(self, candidates):
        """Fit the amplitude of each template; the score is its ratio to its error, positive if the signs agree."""
        product, whole, square = self._sums(self._profiles(candidates))
        variance = square - whole * whole / np.where(self.total > 0, self.total, np.inf)
        usable = variance > _USABLE * square
        variance = np.where(usable, variance, 1.0)
        score = np.where(usable, candidates["sign"] * product / np.sqrt(variance), -np.inf)
        return {"score": score, "amplitude": product / variance, "amplitude_err": 1 / np.sqrt(variance)}

    def steps(self, candidates):
        """Compute least-squares steps in time and width from the slopes of templates, and the error of the amplitude.

        The steps are in units of the width; a prior keeps them within about `_FARTHEST`.
        """
        profile = self._profiles(candidates)
        beside = (self._profiles(candidates | moved(candidates, name, _SLOPE)) for name in ("peak_time", "width"))
        design = [profile, *((values - profile) / _SLOPE for values in beside)]
        sums = [self._sums(values) for values in design]
        matrix = self._normal_matrix(design, [whole for _, whole, _ in sums])
        usable = matrix[:, 0, 0] > _USABLE * sums[0][2]
        scale = np.where(usable, matrix[:, 0, 0], 1.0)
        matrix = np.where(usable[:, None, None], matrix / scale[:, None, None], np.eye(3))
        power = np.square(_FARTHEST * candidates["amplitude"]) * scale
        matrix[:, [1, 2], [1, 2]] += 1 / np.clip(power, _LEAST_KNOWN, 1 / _LEAST_KNOWN)[:, None]
        inverse = np.linalg.inv(matrix)
        product = np.stack([product for product, *_ in sums], axis=1) / scale[:, None]
        solved = np.einsum("nij,nj->ni", inverse, product)
        height = np.where(solved[:, 0] == 0, 1.0, solved[:, 0])
        time, width = np.clip(solved[:, 1:] / height[:, None], -_FARTHEST, _FARTHEST).T
        error = np.sqrt(np.maximum(inverse[:, 0, 0], 1.0) / scale)
        return time, width, np.where(usable, error, candidates["amplitude_err"])

    def _normal_matrix(self, design, wholes):
        """Return the weighted products of the columns of a design minus their means, shape (n, 3, 3)."""
        matrix = np.empty((len(self.total), 3, 3))
        for one, two in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)):
            product = np.add.reduceat(self.weight * design[one] * design[two], self.spans[:-1])
            product -= wholes[one] * wholes[two] / np.where(self.total > 0, self.total, np.inf)
            matrix[:, one, two] = matrix[:, two, one] = product
        return matrix

    def misfit(self, candidates):
        """Estimate by how much the peak of each candidate is off because its shape is another one [uJy]; 0 if not.

        More epochs do not average it out, since it has the same sign at all of them.
        """
        profile = self._profiles(candidates)
        lower = self.mean - candidates["amplitude"] * self._sums(profile)[1] / np.where(self.total > 0, self.total, 1.0)
        rest = self.excess - spread(lower, self.spans) - spread(candidates["amplitude"], self.spans) * profile
        seen = (profile >= CUT) & (self.weight > 0)
        chi2 = segment_sum(np.where(seen, self.weight * np.square(rest), 0.0), self.spans)
        freedom = np.maximum(segment_sum(seen, self.spans) - _FITTED, 0)
        beyond = chi2 - freedom - _CHANCE * np.sqrt(2 * freedom)
        weight = segment_sum(np.where(seen, self.weight, 0.0), self.spans)
        scatter = np.divide(np.maximum(beyond, 0.0), weight, out=np.zeros(len(weight)), where=freedom > 0)
        core = self._profiles(candidates | {"width": _CORE * candidates["width"]})
        left, square = (segment_sum(self.weight * core * values, self.spans) for values in (rest, core))
        left, square = np.where(freedom > 0, left, 0.0), np.where(square > 0, square, 1.0)
        at_peak = np.maximum(np.square(left / square) - 1 / square, 0.0)
        return np.sqrt(_OFF**2 * scatter + at_peak)

    def _sums(self, profile):
        """Return the sums of weight * profile * (flux - mean), weight * profile, and weight * profile**2."""
        part = self.weight * profile
        product, whole, square = (
            np.add.reduceat(values, self.spans[:-1]) for values in (part * self.excess, part, part * profile)
        )
        return product - whole * self.mean, whole, square

    def _profiles(self, candidates):
        """Evaluate the template of each candidate at its epochs; 1 for single epochs."""
        phase = (self.mjd - spread(candidates["peak_time"], self.spans)) / spread(candidates["width"], self.spans)
        values = np.ones(len(phase))
        for name, rows in self.kinds.items():
            if name != SINGLE:
                values[rows] = PROFILES[name].shape(phase[rows])
        return values


def _measured(columns, rows, calm):
    """Return flux minus median, weight, and whether quiet and calm, for some epochs; 0 where not searched."""
    searched, snr, noise = (columns[name] for name in ("searched", "snr", "noise"))
    used = searched[rows] & np.isfinite(snr[rows]) & (noise[rows] > 0)
    value, error = np.where(used, snr[rows], 0.0), np.where(used, noise[rows], 1.0)
    return value * error, used / np.square(error), used & calm[rows] & (np.abs(value) < _OUTLIER_SNR)


def baseline_of(excess, weight, quiet, starts):
    """Compute the weighted mean of the quiet epochs of each lightcurve; 0 without any."""
    calm, level = (segment_sum(np.where(quiet, values, 0.0), starts) for values in (weight, weight * excess))
    return np.divide(level, calm, out=np.zeros(len(calm)), where=calm > 0)


def span_rows(candidates):
    """Return the rows of the epochs of candidates, from the first to the last of each, and their offsets.

    Parameters
    ----------
    candidates : dict of str to ndarray, each of shape (n,)
        With the columns first and last.

    Returns
    -------
    rows : ndarray of int64, shape (n_rows,)
        Rows of the epochs, one candidate after the other.
    spans : ndarray of int64, shape (n + 1,)
        Offsets of the candidates in these.
    """
    spans = starts_from_counts(candidates["last"] - candidates["first"] + 1)
    return range_rows(candidates["first"], spans), spans


def moved(candidates, name, step):
    """Return the time or width of candidates, moved by a step; single epochs stay.

    Parameters
    ----------
    candidates : dict of str to ndarray, each of shape (n,)
        With the columns width and `name`.
    name : {"peak_time", "width"}
        What is moved.
    step : ndarray of float or float
        In units of the width.

    Returns
    -------
    dict of str to ndarray
        The one moved column.
    """
    return {name: candidates[name] + step * np.nan_to_num(candidates["width"])}
