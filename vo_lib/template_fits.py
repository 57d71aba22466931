"""Templates fitted epoch by epoch to what the matched filter found with them.

A candidate is still one when no epoch of it stands far above the template, which then is an average over something
shorter, and when its score holds for the epochs themselves with the stronger ones of its lightcurve out of the
baseline. What is called `epochs` here is (batch, searched, snr, noise) of
`vo_lib.matched_filter.search_templates`.
"""

import numpy as np

from vo_lib.candidates import CANDIDATE_COLUMNS, concatenate, strongest
from vo_lib.profiles import PROFILES
from vo_lib.segments import rank_within, segment_max, segment_sum, spread, starts_from_counts
from vo_lib.template_bank import CUT

__all__ = ["OUTLIER_SNR", "SINGLE", "Fit", "baseline_of", "confirm", "fitting"]

# What the template of one epoch is called.
SINGLE = "epoch"
# Epochs farther from the median than this are not part of the baseline.
OUTLIER_SNR = 4.0
# An epoch stands far above a template when its S/N is more than this above so many times the template's.
_ABOVE_SNR, _ABOVE = 5.0, 3.0
# A template is fitted in amplitude, time and width; its chi-square is noise up to so many of its errors.
_FITTED, _CHANCE = 3, 1.0
# Times and widths that are tried one after the other near those of a template that was found, in units of its width.
_TRIALS = (
    ("peak_time", (0.0, -0.5, -0.25, -0.125, 0.125, 0.25, 0.5)),
    ("width", (0.6, 0.8, 1.25, 1.6)),
    ("peak_time", (-0.1, -0.05, 0.05, 0.1)),
    ("width", (0.85, 0.93, 1.08, 1.18)),
    ("peak_time", (-0.05, -0.025, 0.025, 0.05)),
)


def fitting(epochs, candidates):
    """Strongest candidates of those whose template no epoch stands far above, none of which shares epochs with another.

    Parameters
    ----------
    epochs : tuple
        Batch, searched epochs, S/N and noise.
    candidates : dict of str to ndarray, each of shape (n,)
        `vo_lib.candidates.CANDIDATE_COLUMNS`.

    Returns
    -------
    dict of str to ndarray
        See `vo_lib.candidates.strongest`.
    """
    everywhere, left = np.ones(len(epochs[1]), bool), np.arange(len(candidates["score"]))
    while True:
        best = strongest({name: values[left] for name, values in candidates.items()} | {"row": left})
        at_epochs = Fit(epochs, best, everywhere)
        bad = ~at_epochs.describes(best["sign"] * at_epochs.amplitudes(best)["amplitude"])
        if not bad.any():
            return {name: best[name] for name in CANDIDATE_COLUMNS}
        left = np.setdiff1d(left, best["row"][bad])


def confirm(epochs, candidates):
    """Candidates that are still high enough when the stronger ones of their lightcurve are no part of the baseline.

    Parameters
    ----------
    epochs : tuple
        Batch, searched epochs, S/N and noise.
    candidates : dict of str to ndarray, each of shape (n,)
        `vo_lib.candidates.CANDIDATE_COLUMNS`, of which none shares epochs with another of its lightcurve and sign.

    Returns
    -------
    dict of str to ndarray
        Candidates with the peak time, width and amplitude that fit best. The score is that of the search, or the one
        with the stronger candidates out of the baseline where that is less.
    """
    rank = rank_within(candidates["lightcurve"], -candidates["score"] / candidates["threshold"])
    confirmed, known = [], np.zeros(len(epochs[1]), bool)
    for number in range(1, rank.max(initial=0) + 1):
        weaker = {name: values[rank == number] for name, values in candidates.items()}
        confirmed.append(_refine(epochs, _fit(epochs, weaker, ~known, certain=number == 1), ~known))
        known[_span_rows(confirmed[-1])[0]] = True
    return strongest(concatenate([*confirmed, {name: values[:0] for name, values in candidates.items()}]))


def _span_rows(candidates):
    """Rows of the epochs of candidates, from the first to the last of each, and their offsets."""
    spans = starts_from_counts(candidates["last"] - candidates["first"] + 1)
    return np.arange(spans[-1]) + spread(candidates["first"] - spans[:-1], spans), spans


def _fit(epochs, candidates, calm, *, certain):
    """Candidates with the amplitude of their template and its error; unless certain, those still high enough."""
    at_epochs = Fit(epochs, candidates, calm)
    fitted = at_epochs.amplitudes(candidates)
    fitted["score"] = candidates["score"] if certain else np.minimum(candidates["score"], fitted["score"])
    high = (fitted["score"] >= candidates["threshold"]) & at_epochs.describes(candidates["sign"] * fitted["amplitude"])
    return {name: values[high] for name, values in (candidates | fitted).items()}


def _refine(epochs, candidates, calm):
    """Candidates with the time, then the width near theirs whose template fits best; scores stay.

    A template that peaks at an epoch, or is of the wrong width, takes a part of the amplitude alone.
    """
    batch, best = epochs[0], dict(candidates)
    count = candidates["last"] - candidates["first"] + 1
    lightcurve = candidates["lightcurve"]
    first = np.maximum(candidates["first"] - count // 2, batch.starts[lightcurve])
    last = np.minimum(candidates["last"] + count // 2, batch.starts[lightcurve + 1] - 1)
    near, score = Fit(epochs, candidates | {"first": first, "last": last}, calm), np.full(len(count), -np.inf)
    wide = np.isfinite(candidates["width"])
    for name, steps in _TRIALS:
        centre, width = best[name], np.nan_to_num(best["width"])
        for step in steps:
            trial = {name: centre + step * width if name == "peak_time" else centre * step}
            fitted = near.amplitudes(best | trial)
            better = (fitted.pop("score") > score) & wide
            score = np.where(better, near.score, score)
            best |= {key: np.where(better, values, best[key]) for key, values in (trial | fitted).items()}
    return best | {"amplitude_err": np.hypot(best["amplitude_err"], near.misfit(best))}


class Fit:
    """Epochs of candidates, and the baselines of their lightcurves, which are means of quiet epochs that are calm."""

    def __init__(self, epochs, candidates, calm):
        batch, *measured = epochs
        lightcurves, where = np.unique(candidates["lightcurve"], return_inverse=True)
        rows, starts = batch.epochs_of(lightcurves)
        excess, weight, quiet = _measured(rows, *measured, calm)
        level = baseline_of(excess, weight, quiet, starts)[where]
        self.total = segment_sum(weight * quiet, starts)[where]
        rows, self.spans = _span_rows(candidates)
        excess, self.weight, self.quiet = _measured(rows, *measured, calm)
        self.excess = excess - spread(level, self.spans)
        self.mjd, self.sign = batch.columns["mjd"][rows], spread(candidates["sign"], self.spans)
        names, kind = np.unique(candidates["template"], return_inverse=True)
        kind = spread(kind, self.spans)
        self.kinds = {name: np.flatnonzero(kind == number) for number, name in enumerate(names.tolist())}

    def describes(self, height):
        """Whether no epoch of a candidate stands far above its template, whose peak has a height [uJy]."""
        above = (self.sign * self.excess - _ABOVE * spread(height, self.spans)) * np.sqrt(self.weight)
        return segment_max(above, self.spans) <= _ABOVE_SNR

    def _profiles(self, candidates):
        """Profile of the template of each candidate at its epochs; 1 for single epochs."""
        phase = (self.mjd - spread(candidates["peak_time"], self.spans)) / spread(candidates["width"], self.spans)
        values = np.ones(len(phase))
        for name, rows in self.kinds.items():
            if name != SINGLE:
                values[rows] = PROFILES[name].shape(phase[rows])
        return values

    def amplitudes(self, candidates):
        """Amplitude of the template of each candidate, its error and, positive where it has their sign, their ratio."""
        profile = self._profiles(candidates)
        part = self.weight * profile
        product, square, whole, still = (
            segment_sum(values, self.spans) for values in (part * self.excess, part * profile, part, part * self.quiet)
        )
        # What the event does to the baseline, and what the error of the baseline does to the amplitude.
        share = np.divide(whole, self.total, out=np.zeros(len(whole)), where=self.total > 0)
        response, variance = square - share * still, square + share * (whole - 2 * still)
        usable = (response > 0) & (variance > 0)
        error, response = (np.where(usable, values, 1.0) for values in (np.sqrt(np.abs(variance)), response))
        self.score = np.where(usable, candidates["sign"] * product / error, -np.inf)
        return {"score": self.score, "amplitude": product / response, "amplitude_err": error / response}

    def misfit(self, candidates):
        """Scatter of the flux about the template of each candidate beyond what noise may be, 0 without [uJy]."""
        profile = self._profiles(candidates)
        rest = self.excess - spread(candidates["amplitude"], self.spans) * profile
        seen = (profile >= CUT) & (self.weight > 0)
        chi2 = segment_sum(np.where(seen, self.weight * np.square(rest), 0.0), self.spans)
        freedom = np.maximum(segment_sum(seen, self.spans) - _FITTED, 0)
        beyond = chi2 - freedom - _CHANCE * np.sqrt(2 * freedom)
        weight = segment_sum(np.where(seen, self.weight, 0.0), self.spans)
        scatter = np.divide(np.maximum(beyond, 0.0), weight, out=np.zeros(len(weight)), where=freedom > 0)
        return np.sqrt(scatter)


def _measured(rows, searched, snr, noise, calm):
    """Flux less the median, weight, and whether they are quiet and calm, of some epochs; 0 where not searched."""
    used = searched[rows] & np.isfinite(snr[rows]) & (noise[rows] > 0)
    value, error = np.where(used, snr[rows], 0.0), np.where(used, noise[rows], 1.0)
    return value * error, used / np.square(error), used & calm[rows] & (np.abs(value) < OUTLIER_SNR)


def baseline_of(excess, weight, quiet, starts):
    """Weighted mean of the quiet epochs of each lightcurve, 0 without any."""
    calm, level = (segment_sum(np.where(quiet, values, 0.0), starts) for values in (weight, weight * excess))
    return np.divide(level, calm, out=np.zeros(len(calm)), where=calm > 0)
