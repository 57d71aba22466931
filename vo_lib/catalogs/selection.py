"""Selection of the sources for a run, by row, name or bin."""

import difflib

import numpy as np

from vo_lib.errors import CatalogError

__all__ = ["find_rows", "select_rows"]

# Number of names, those with most characters in common by position, to compare fully with an unknown one.
_CANDIDATES = 200
# Least similarity of a suggested name, and number of names to list if there is none.
_SIMILAR, _LISTED = 0.5, 3


def select_rows(name, bin_name, *, start=None, stop=None, names=None, bins=None):
    """Select the sources of a catalog that satisfy all conditions.

    Parameters
    ----------
    name, bin_name : ndarray of str, shape (n_rows,)
        Name and bin of each source, in the order of the catalog.
    start, stop : int, optional
        First row and row after the last, with the meaning of a Python slice.
    names, bins : sequence of str, optional
        Names of the sources and bins to select.

    Returns
    -------
    ndarray of bool, shape (n_rows,)
        Mask of the selected sources: all without conditions, at least one otherwise.

    Raises
    ------
    CatalogError
        If the catalog lacks a name or bin (the message suggests the most similar one), or no source is selected.
    """
    chosen = np.zeros(len(name), dtype=bool)
    chosen[start:stop] = True
    if names is not None:
        rows = find_rows(name, list(map(str, names)), missing="select.names: the catalog has no source")
        chosen &= np.isin(np.arange(len(name)), rows)
    if bins is not None:
        find_rows(np.unique(bin_name), bins, missing="select.bins: the catalog has no source in the bin")
        chosen &= np.isin(bin_name, bins)
    if not chosen.any():
        raise CatalogError(f"select: none of the {len(name)} sources of the catalog meets all of its conditions")
    return chosen


def find_rows(names, wanted, *, missing):
    """Find the rows of names.

    Parameters
    ----------
    names : ndarray of str, shape (n_rows,)
        Unique names in any order.
    wanted : sequence of str
        Names to find.
    missing : str
        Text of the error message before a missing name.

    Returns
    -------
    ndarray of int64, shape (n_wanted,)
        Indices into `names`, in the order of `wanted`.

    Raises
    ------
    CatalogError
        For the first missing name; the message suggests similar ones, or lists a few.
    """
    rows = dict.fromkeys(wanted)
    rows |= {name: row for row, name in enumerate(names.tolist()) if name in rows}
    for name, row in rows.items():
        if row is None:
            raise CatalogError(f"{missing} '{name}'; {_hint(names, name)}")
    return np.array([rows[name] for name in wanted], dtype=np.int64)


def _hint(names, name):
    """Hint for a missing name: the most similar one, else those that contain it, else the first ones.

    Only names with many characters in common by position are compared, because comparing a million takes long.
    """
    codes = np.ascontiguousarray(names).view(np.uint32).reshape(len(names), -1)
    shared = (codes == np.array([name], dtype=names.dtype).view(np.uint32)).sum(axis=1)
    candidates = names[np.argsort(-shared, kind="stable")[:_CANDIDATES]].tolist()
    likeness = [difflib.SequenceMatcher(None, candidate, name).ratio() for candidate in candidates]
    if (best := max(likeness)) >= _SIMILAR:
        return f"did you mean '{candidates[likeness.index(best)]}'?"
    if name and (holding := np.flatnonzero(np.strings.find(np.char.lower(names), name.lower()) >= 0)).size:
        return f"did you mean {' or '.join(map(repr, names[holding[:_LISTED]].tolist()))}?"
    return f"there are {len(names):,}, such as {', '.join(map(repr, names[:_LISTED].tolist()))}"
