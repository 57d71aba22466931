"""A part of a catalog for a run: some of its rows, by their place, their names or their bins."""

import difflib

import numpy as np

from vo_lib.errors import CatalogError

__all__ = ["find_rows", "select_rows"]

# So many names that share most characters in place are compared in full with one that is not known.
_CANDIDATES = 200
# A name less similar than this is no suggestion, and so many others are listed in its place.
_SIMILAR, _LISTED = 0.5, 3


def select_rows(name, bin_name, *, start=None, stop=None, names=None, bins=None):
    """Tell which sources of a catalog a run is about: those that fulfil all conditions.

    Parameters
    ----------
    name, bin_name : ndarray of str, shape (n_rows,)
        Name and bin of each source, in the order of the catalog.
    start, stop : int, optional
        First row and row after the last, counted from zero as in a Python slice: negative numbers count
        from the end, and what is beyond the ends is not there.
    names, bins : sequence of str, optional
        Names of sources and of bins to take.

    Returns
    -------
    ndarray of bool, shape (n_rows,)
        All true without conditions; at least one is true.

    Raises
    ------
    CatalogError
        For a name or bin that the catalog does not have, naming the nearest, and when no source is left.
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
        raise CatalogError(f"select: none of the {len(name)} sources of the catalog fulfils all of its conditions")
    return chosen


def find_rows(names, wanted, *, missing):
    """Rows of some names.

    Parameters
    ----------
    names : ndarray of str, shape (n_rows,)
        Unique names in any order.
    wanted : sequence of str
        Names to find.
    missing : str
        What the message says before a name that is not there.

    Returns
    -------
    ndarray of int64, of the length of `wanted`
        Indices into `names`, in the order of `wanted`.

    Raises
    ------
    CatalogError
        For the first name that is not there, with the nearest one that is, or the first ones if none is near.
    """
    rows = dict.fromkeys(wanted)
    rows |= {name: row for row, name in enumerate(names.tolist()) if name in rows}
    for name, row in rows.items():
        if row is None:
            raise CatalogError(f"{missing} '{name}'; {_hint(names, name)}")
    return np.array([rows[name] for name in wanted], dtype=np.int64)


def _hint(names, name):
    """Words on the name most similar to one, else on those that it is a part of, else on the first ones.

    Compared are those that share most characters in place, for to compare a million takes long.
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
