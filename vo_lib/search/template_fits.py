"""Fits of templates, epoch by epoch, to the candidates that the matched filter found with them.

A candidate is kept if none of its epochs stands far above the template, which would then be an average over something
shorter, and if its score holds for the epochs themselves with the stronger candidates of its lightcurve left out of the
baseline. The argument `epochs` is (batch, searched, snr, noise) of
`vo_lib.search.matched_filter.search_templates`.
"""

import numpy as np

from vo_lib.profiles import PROFILES
from vo_lib.search.candidates import CANDIDATE_COLUMNS, strongest
from vo_lib.search.template_bank import CELLS, CUT
from vo_lib.segments import range_rows, rank_within, segment_sum, spread, starts_from_counts
from vo_lib.tables import concatenate_tables, take_rows

__all__ = ["OUTLIER_SNR", "SINGLE", "Fit", "baseline_of", "confirm", "fitting"]

# Name of the template of a single epoch.
SINGLE = "epoch"
# Epochs farther from the median than this are left out of the baseline.
OUTLIER_SNR = 4.0
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
# Times, then widths, that are tried near those of a template that was found, in units of its width.
_TRIALS = (
    ("peak_time", (0.0, -0.5, -0.25, -0.125, 0.125, 0.25, 0.5)),
    ("width", (0.6, 0.8, 1.25, 1.6)),
)
# Least-squares steps from the best of these, the longest step, and the fraction of the width for taking slopes.
_STEPS, _FARTHEST, _SLOPE = 4, 0.3, 0.02
# Least weight of the prior on these steps, which keeps the matrix regular where the slopes vanish.
_LEAST_KNOWN = 1e-6


def fitting(epochs, candidates):
    """Select the strongest candidates whose template no epoch is far from, so that they do not share epochs.

    Parameters
    ----------
    epochs : tuple
        Batch, searched epochs, S/N and noise.
    candidates : dict of str to ndarray, each of shape (n,)
        `vo_lib.search.candidates.CANDIDATE_COLUMNS`.

    Returns
    -------
    dict of str to ndarray
        See `vo_lib.search.candidates.strongest`.
    """
    everywhere, left = np.ones(len(epochs[1]), bool), np.arange(len(candidates["score"]))
    while True:
        best = strongest(take_rows(candidates, left) | {"row": left})
        at_epochs = Fit(epochs, best, everywhere)
        bad = ~at_epochs.describes(best | at_epochs.amplitudes(best))
        if not bad.any():
            return {name: best[name] for name in CANDIDATE_COLUMNS}
        left = np.setdiff1d(left, best["row"][bad])


def confirm(epochs, candidates):
    """Keep candidates that still score high enough when stronger ones of their lightcurve are out of the baseline.

    Parameters
    ----------
    epochs : tuple
        Batch, searched epochs, S/N and noise.
    candidates : dict of str to ndarray, each of shape (n,)
        `vo_lib.search.candidates.CANDIDATE_COLUMNS`; those of one lightcurve and sign share no epochs.

    Returns
    -------
    dict of str to ndarray
        Candidates with the best-fitting peak time, width and amplitude. The score is that of the search or, where
        that is less, the one with the stronger candidates left out of the baseline.
    """
    once = _confirm_in_turn(epochs, candidates)
    # The first pass may change which candidate is stronger.
    several = np.bincount(once["lightcurve"])[once["lightcurve"]] > 1
    alone, others = (take_rows(once, rows) for rows in (~several, several))
    return strongest(concatenate_tables([alone, _confirm_in_turn(epochs, others)]))


def _confirm_in_turn(epochs, candidates):
    """Confirm candidates one after the other, the strongest of each lightcurve first."""
    rank = rank_within(candidates["lightcurve"], -candidates["score"] / candidates["threshold"])
    confirmed, known = [], np.zeros(len(epochs[1]), bool)
    for number in range(1, rank.max(initial=0) + 1):
        weaker = take_rows(candidates, rank == number)
        confirmed.append(_refine(epochs, _fit(epochs, weaker, ~known, certain=number == 1), ~known))
        known[_span_rows(confirmed[-1])[0]] = True
    return concatenate_tables([*confirmed, take_rows(candidates, slice(0))])


def _span_rows(candidates):
    """Return the rows of the epochs of candidates, from the first to the last of each, and their offsets."""
    spans = starts_from_counts(candidates["last"] - candidates["first"] + 1)
    return range_rows(candidates["first"], spans), spans


def _fit(epochs, candidates, calm, *, certain):
    """Fit the amplitudes of candidates and keep those that fit and, unless certain, still score high enough."""
    at_epochs = Fit(epochs, candidates, calm)
    fitted = at_epochs.amplitudes(candidates)
    high = (fitted["score"] > 0) & at_epochs.describes(candidates | fitted)
    fitted["score"] = candidates["score"] if certain else np.minimum(candidates["score"], fitted["score"])
    high &= fitted["score"] >= candidates["threshold"]
    return take_rows(candidates | fitted, high)


def _refine(epochs, candidates, calm):
    """Move candidates to the time, then the width near theirs whose template fits best; scores are kept.

    A template that peaks at an epoch, or has the wrong width, captures only part of the amplitude.
    """
    count = candidates["last"] - candidates["first"] + 1
    near, best, score = Fit(epochs, candidates, calm, beyond=count // 2), candidates, np.zeros(len(count))
    for name, steps in _TRIALS:
        centre = best
        for step in steps:
            best, score = _better(near, best, score, _moved(centre, name, step - (name == "width")))
    for _ in range(_STEPS):
        time, width, _ = near.steps(best)
        best, score = _better(near, best, score, _moved(best, "peak_time", time) | _moved(best, "width", width))
    return best | {"amplitude_err": np.hypot(near.steps(best)[2], near.misfit(best))}


def _moved(candidates, name, step):
    """Return the time or width of candidates, moved by a step in units of their width; single epochs stay."""
    return {name: candidates[name] + step * np.nan_to_num(candidates["width"])}


def _better(near, best, score, trial):
    """Return the better of the best candidates so far and those with another time or width, and their scores.

    Peaks are kept between the first and the last epoch of the event.
    """
    wanted = best | trial
    trial = {"peak_time": np.clip(wanted["peak_time"], *near.times), "width": wanted["width"]}
    fitted = near.amplitudes(best | trial)
    better = fitted["score"] > score
    changed = trial | {name: fitted[name] for name in ("amplitude", "amplitude_err")}
    best = best | {name: np.where(better, values, best[name]) for name, values in changed.items()}
    return best, np.where(better, fitted["score"], score)


class Fit:
    """Epochs of candidates, and fits of their templates with a constant that all quiet and calm epochs determine.

    Parameters
    ----------
    epochs : tuple
        Batch, searched epochs, S/N and noise.
    candidates : dict of str to ndarray, each of shape (n,)
        `vo_lib.search.candidates.CANDIDATE_COLUMNS`.
    calm : ndarray of bool, shape (n_epochs,)
        Epochs that are not part of another event.
    beyond : ndarray of int or int, optional
        Number of epochs before and after each candidate whose quiet ones its template is fitted to as well.
    """

    def __init__(self, epochs, candidates, calm, *, beyond=0):
        batch, *measured = epochs
        lightcurves, where = np.unique(candidates["lightcurve"], return_inverse=True)
        rows, starts = batch.epochs_of(lightcurves)
        excess, weight, quiet = _measured(rows, *measured, calm)
        level = baseline_of(excess, weight, quiet, starts)[where]
        whole = segment_sum(weight * quiet, starts)[where]
        lightcurve = candidates["lightcurve"]
        self.times = tuple(batch.columns["mjd"][candidates[name]] for name in ("first", "last"))
        wider = {
            "first": np.maximum(candidates["first"] - beyond, batch.starts[lightcurve]),
            "last": np.minimum(candidates["last"] + beyond, batch.starts[lightcurve + 1] - 1),
        }
        rows, self.spans = _span_rows(wider)
        excess, weight, quiet = _measured(rows, *measured, calm)
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
        moved = (
            self._profiles(candidates | _moved(candidates, "peak_time", step)) for step in (-_HALF_CELL, _HALF_CELL)
        )
        profile, root = np.minimum(*moved), np.sqrt(self.weight)
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
        moved = (self._profiles(candidates | _moved(candidates, name, _SLOPE)) for name in ("peak_time", "width"))
        design = [profile, *((values - profile) / _SLOPE for values in moved)]
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


def _measured(rows, searched, snr, noise, calm):
    """Return flux minus median, weight, and whether quiet and calm, for some epochs; 0 where not searched."""
    used = searched[rows] & np.isfinite(snr[rows]) & (noise[rows] > 0)
    value, error = np.where(used, snr[rows], 0.0), np.where(used, noise[rows], 1.0)
    return value * error, used / np.square(error), used & calm[rows] & (np.abs(value) < OUTLIER_SNR)


def baseline_of(excess, weight, quiet, starts):
    """Compute the weighted mean of the quiet epochs of each lightcurve; 0 without any."""
    calm, level = (segment_sum(np.where(quiet, values, 0.0), starts) for values in (weight, weight * excess))
    return np.divide(level, calm, out=np.zeros(len(calm)), where=calm > 0)
