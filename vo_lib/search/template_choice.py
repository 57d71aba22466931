"""Which candidates of the matched filter are kept, and the time and width at which their templates fit best.

A candidate is kept if none of its epochs stands far above the template, which would then be an average over something
shorter, and if its score holds for the epochs themselves with the stronger candidates of its lightcurve left out of the
baseline.
"""

import numpy as np

from vo_lib.search.candidates import CANDIDATE_COLUMNS, strongest
from vo_lib.search.template_fits import Fit, moved, span_rows
from vo_lib.segments import rank_within
from vo_lib.tables import concatenate_tables, take_rows

__all__ = ["confirm", "fitting"]

# Times, then widths, that are tried near those of a template that was found, in units of its width.
_TRIALS = (
    ("peak_time", (0.0, -0.5, -0.25, -0.125, 0.125, 0.25, 0.5)),
    ("width", (0.6, 0.8, 1.25, 1.6)),
)
# Least-squares steps from the best of these.
_STEPS = 4


def fitting(batch, candidates):
    """Select the strongest candidates whose template no epoch is far from, so that they do not share epochs.

    Parameters
    ----------
    batch : LightcurveBatch
        With the columns mjd, searched, snr and noise, see `vo_lib.search.template_cells.make_blocks`.
    candidates : dict of str to ndarray, each of shape (n,)
        `vo_lib.search.candidates.CANDIDATE_COLUMNS`.

    Returns
    -------
    dict of str to ndarray
        See `vo_lib.search.candidates.strongest`.
    """
    everywhere, left = np.ones(batch.n_epochs, bool), np.arange(len(candidates["score"]))
    while True:
        best = strongest(take_rows(candidates, left) | {"row": left})
        at_epochs = Fit(batch, best, everywhere)
        bad = ~at_epochs.describes(best | at_epochs.amplitudes(best))
        if not bad.any():
            return {name: best[name] for name in CANDIDATE_COLUMNS}
        left = np.setdiff1d(left, best["row"][bad])


def confirm(batch, candidates):
    """Keep candidates that still score high enough when stronger ones of their lightcurve are out of the baseline.

    Parameters
    ----------
    batch : LightcurveBatch
        With the columns mjd, searched, snr and noise, see `vo_lib.search.template_cells.make_blocks`.
    candidates : dict of str to ndarray, each of shape (n,)
        `vo_lib.search.candidates.CANDIDATE_COLUMNS`; those of one lightcurve and sign share no epochs.

    Returns
    -------
    dict of str to ndarray
        Candidates with the best-fitting peak time, width and amplitude. The score is that of the search or, where
        that is less, the one with the stronger candidates left out of the baseline.
    """
    once = _confirm_in_turn(batch, candidates)
    # The first pass may change which candidate is stronger.
    several = np.bincount(once["lightcurve"])[once["lightcurve"]] > 1
    alone, others = (take_rows(once, rows) for rows in (~several, several))
    return strongest(concatenate_tables([alone, _confirm_in_turn(batch, others)]))


def _confirm_in_turn(batch, candidates):
    """Confirm candidates one after the other, the strongest of each lightcurve first."""
    rank = rank_within(candidates["lightcurve"], -candidates["score"] / candidates["threshold"])
    confirmed, known = [], np.zeros(batch.n_epochs, bool)
    for number in range(1, rank.max(initial=0) + 1):
        weaker = take_rows(candidates, rank == number)
        confirmed.append(_refine(batch, _fit(batch, weaker, ~known, certain=number == 1), ~known))
        known[span_rows(confirmed[-1])[0]] = True
    return concatenate_tables([*confirmed, take_rows(candidates, slice(0))])


def _fit(batch, candidates, calm, *, certain):
    """Fit the amplitudes of candidates and keep those that fit and, unless certain, still score high enough."""
    at_epochs = Fit(batch, candidates, calm)
    fitted = at_epochs.amplitudes(candidates)
    high = (fitted["score"] > 0) & at_epochs.describes(candidates | fitted)
    fitted["score"] = candidates["score"] if certain else np.minimum(candidates["score"], fitted["score"])
    high &= fitted["score"] >= candidates["threshold"]
    return take_rows(candidates | fitted, high)


def _refine(batch, candidates, calm):
    """Move candidates to the time, then the width near theirs whose template fits best; scores are kept.

    A template that peaks at an epoch, or has the wrong width, captures only part of the amplitude.
    """
    count = candidates["last"] - candidates["first"] + 1
    near, best, score = Fit(batch, candidates, calm, beyond=count // 2), candidates, np.zeros(len(count))
    for name, steps in _TRIALS:
        centre = best
        for step in steps:
            best, score = _better(near, best, score, moved(centre, name, step - (name == "width")))
    for _ in range(_STEPS):
        time, width, _ = near.steps(best)
        best, score = _better(near, best, score, moved(best, "peak_time", time) | moved(best, "width", width))
    return best | {"amplitude_err": np.hypot(near.steps(best)[2], near.misfit(best))}


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
