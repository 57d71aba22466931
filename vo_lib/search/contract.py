"""Checks of what a finder returns: candidates of the lightcurves it was given, with scores that reach the threshold."""

import numpy as np

from vo_lib.contracts import VALUES, check_table, fits, refuse, said, shown
from vo_lib.errors import PluginError
from vo_lib.search.candidates import CANDIDATE_COLUMNS, complete
from vo_lib.text import is_storable

__all__ = ["check_candidates", "check_detections", "check_rows"]

# Keys that each row of ``per_lightcurve`` must have; those of epochs are labels in the index of its frame.
EPOCHS = ("first_epoch", "peak_epoch", "last_epoch")
NEEDED = (*EPOCHS, "score", "threshold")
# Requirement on scores, as error messages name it.
REACHED = "a score that reaches its threshold"
# Columns that identify a detection by its lightcurve and epochs.
IDENTITY = ("source", "obs", "lightcurve", "filter", "series", "number", "first_epoch", "last_epoch", "peak_epoch")


def check_rows(plugin, frame, rows):
    """Return the detections of one lightcurve if each has the required keys and refers to epochs of the frame.

    Parameters
    ----------
    plugin : Finder
        The finder.
    frame : pandas.DataFrame
        Argument of its ``per_lightcurve``.
    rows : list of dict
        Return value.

    Returns
    -------
    list of dict
    """
    where = f"lightcurve {frame.attrs['key']}"

    def fail(wanted, got):
        refuse(plugin, "per_lightcurve", wanted, got, where=where)

    if not isinstance(rows, list | tuple) or not all(isinstance(row, dict) for row in rows):
        fail("a list of dicts", shown(rows))
    known = {*NEEDED, *CANDIDATE_COLUMNS} - {"lightcurve", "first", "peak", "last"}
    for row in rows:
        if not set(NEEDED) <= row.keys() <= known:
            fail(f"dicts with {', '.join(NEEDED)} and otherwise only columns of vo_lib.search.candidates", shown(row))
        for name, value in row.items():
            kind = "i8" if name in EPOCHS else CANDIDATE_COLUMNS[name][0]
            if not fits(value, kind):
                fail(f"{name} as {VALUES[kind[0]]}", shown(value))
        epochs = [row[name] for name in EPOCHS]
        if not all(epoch in frame.index for epoch in epochs) or epochs != sorted(epochs):
            fail(f"{', '.join(EPOCHS)} in order and in the frame's index", str(epochs))
        if not np.isfinite(row["score"]):
            fail("a finite score", str(row["score"]))
        if row["score"] < row["threshold"]:
            fail(REACHED, f"score {row['score']} and threshold {row['threshold']}")
    return list(rows)


def check_candidates(plugin, batch, found):
    """Return candidates with all columns if each lies within its lightcurve and reaches its threshold.

    Parameters
    ----------
    plugin : Finder
        The finder.
    batch : LightcurveBatch
        Argument of its ``search``.
    found : dict of str to array_like
        Return value, see `vo_lib.search.candidates`.

    Returns
    -------
    dict of str to ndarray
    """
    if not isinstance(found, dict):
        refuse(plugin, "search", "a dict of candidates", shown(found))
    try:
        found = complete(found, type(plugin).__name__)
    except (TypeError, ValueError) as error:
        raise PluginError(f"{said(plugin, 'search', '')}: {error}; correct the class") from error
    for name in ("method", "template"):
        if not is_storable("".join(texts := np.unique(found[name]).tolist())):
            refuse(plugin, "search", f"{name} as {VALUES['U']}", shown(texts))
    where, first, peak, last = (found[name] for name in ("lightcurve", "first", "peak", "last"))
    known = (where >= 0) & (where < batch.n_lightcurves)
    if not known.all():
        refuse(plugin, "search", f"lightcurves from 0 to {batch.n_lightcurves - 1}", str(where[~known][0]))
    begin, end = batch.starts[where], batch.starts[where + 1]
    rules = {
        "first, peak and last in order within the lightcurve": (begin <= first)
        & (first <= peak)
        & (peak <= last)
        & (last < end),
        "a finite score": np.isfinite(found["score"]),
        "a finite threshold above 0": np.isfinite(found["threshold"]) & (found["threshold"] > 0),
        REACHED: found["score"] >= found["threshold"],
        "a sign of 1 or -1": np.abs(found["sign"]) == 1,
    }
    for wanted, fulfilled in rules.items():
        if len(bad := np.flatnonzero(~fulfilled)):
            got = {name: found[name][bad[0]].item() for name in ("first", "peak", "last", "sign", "score", "threshold")}
            key = f"lightcurve {batch.table['key'][where[bad[0]]]}"
            refuse(plugin, "search", wanted, ", ".join(f"{name} {value}" for name, value in got.items()), where=key)
    return found


def check_detections(plugin, table, made):
    """Return the table that ``make_detections`` made if it has the columns and rows of the one it was given.

    Parameters
    ----------
    plugin : Finder
        The finder.
    table, made : dict of str to ndarray, each of shape (n_detections,)
        Argument and return value of its ``make_detections``.

    Returns
    -------
    dict of str to ndarray, each of shape (n_detections,)
    """
    columns = {name: (f"{values.dtype.kind}{'' if values.dtype.kind == 'U' else 8}",) for name, values in table.items()}
    made = check_table(plugin, "make_detections", made, columns, n_rows=len(table["number"]))
    for name in IDENTITY:
        if len(changed := np.flatnonzero(made[name] != table[name])):
            old, new = (values[name][changed[0]] for values in (table, made))
            where = f"lightcurve {table['lightcurve'][changed[0]]}"
            refuse(plugin, "make_detections", f"{name} {old} unchanged", str(new), where=where)
    if len(below := np.flatnonzero(~(made["score"] >= made["threshold"]))):
        score, threshold = (made[name][below[0]] for name in ("score", "threshold"))
        where = f"lightcurve {table['lightcurve'][below[0]]}"
        refuse(plugin, "make_detections", REACHED, f"score {score} and threshold {threshold}", where=where)
    return made
