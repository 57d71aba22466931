"""Candidates that search methods find in a batch, before they become a table of detections."""

import numpy as np

from vo_lib.contracts import shown
from vo_lib.segments import connect, rank_within
from vo_lib.tables import take_rows

__all__ = ["CANDIDATE_COLUMNS", "DEFAULTS", "complete", "no_candidates", "strongest"]

# Columns of candidates: (type, unit, meaning). A method must return those without a default; the others are optional.
CANDIDATE_COLUMNS = {
    "lightcurve": ("i8", "", "row of the lightcurve in the batch"),
    "first": ("i8", "", "row of the first epoch in the batch"),
    "last": ("i8", "", "row of the last epoch, included"),
    "peak": ("i8", "", "row of the epoch of the peak"),
    "sign": ("i8", "", "+1 brighter, -1 fainter than usual"),
    "score": ("f8", "", "what is compared with the threshold"),
    "threshold": ("f8", "", "least score of a detection"),
    "n_epochs": ("i8", "", "searched epochs of the event"),
    "method": ("U1", "", "how it was found"),
    "template": ("U1", "", "shape that fits best; empty without one"),
    "width": ("f8", "d", "full width at half maximum of the template; NaN without one"),
    "peak_time": ("f8", "d", "time of the peak of the template; NaN for that of the epoch of the peak"),
    "amplitude": ("f8", "uJy", "flux of the peak of the template; NaN for that of the epoch of the peak"),
    "amplitude_err": ("f8", "uJy", "its error"),
}
DEFAULTS = {"template": "", "width": np.nan, "peak_time": np.nan, "amplitude": np.nan, "amplitude_err": np.nan}


def complete(candidates, method):
    """Fill in the columns that the candidates of one method lack.

    Parameters
    ----------
    candidates : dict of str to array_like, each of shape (n,)
        Those of the `CANDIDATE_COLUMNS` that the method returned.
    method : str
        Name of the method.

    Returns
    -------
    dict of str to ndarray, each of shape (n,)
        All `CANDIDATE_COLUMNS`.

    Raises
    ------
    ValueError
        If a column without a default is missing, or a column has the wrong length or type.
    """
    known = DEFAULTS | {"method": method} | candidates
    if missing := [name for name in CANDIDATE_COLUMNS if name not in known]:
        raise ValueError(f"candidates of '{method}' lack {', '.join(missing)}; they have {', '.join(candidates)}")
    number = len(known["lightcurve"])
    return {name: _column(name, known[name], number, method) for name in CANDIDATE_COLUMNS}


def no_candidates():
    """Return the columns of an empty table of candidates."""
    return complete(dict.fromkeys(CANDIDATE_COLUMNS, ()), "")


def _column(name, values, number, method):
    """Return one column as an array; text gets the width that its values need."""
    kind = CANDIDATE_COLUMNS[name][0]
    try:
        found = np.asarray(values, str if kind == "U1" else None)
        if found.size and found.dtype.kind not in {"i8": "iu", "f8": "iuf", "U1": "U"}[kind]:
            raise TypeError(found.dtype)
        if found.shape not in ((), (number,)):
            raise ValueError(found.shape)
        return np.array(np.broadcast_to(found if kind == "U1" else found.astype(kind), number))
    except (TypeError, ValueError):
        wanted = {"i8": "whole numbers", "f8": "numbers", "U1": "texts"}[kind]
        raise ValueError(
            f"candidates of '{method}' must have {number} {wanted} as {name}, got {shown(values)}"
        ) from None


def strongest(candidates, *, max_detections=0):
    """Keep the strongest of candidates of one lightcurve and sign that share epochs, and sort what is left.

    The strongest candidate, by score over threshold, is kept and those that share an epoch with it are dropped;
    this is repeated with the rest.

    Parameters
    ----------
    candidates : dict of str to ndarray, each of shape (n,)
        `CANDIDATE_COLUMNS`.
    max_detections : int, optional
        Greatest number kept per lightcurve, the strongest; 0 keeps all.

    Returns
    -------
    dict of str to ndarray
        `CANDIDATE_COLUMNS`, sorted by lightcurve and first epoch.
    """
    first, last, lightcurve = (candidates[name] for name in ("first", "last", "lightcurve"))
    power = candidates["score"] / candidates["threshold"]
    group = 2 * lightcurve + (candidates["sign"] > 0)
    left, kept = np.arange(len(first)), []
    while len(left):
        chain = connect(group[left], first[left], last[left])
        order = np.lexsort((first[left], -power[left], chain))
        best = left[order[np.unique(chain[order], return_index=True)[1]]]
        kept.append(best)
        of_chain = best[chain]
        left = left[(first[left] > last[of_chain]) | (last[left] < first[of_chain])]
    rows = np.concatenate(kept) if kept else left
    if max_detections:
        rows = rows[rank_within(lightcurve[rows], -power[rows]) <= max_detections]
    rows = rows[np.lexsort((last[rows], first[rows], lightcurve[rows]))]
    return take_rows(candidates, rows)
