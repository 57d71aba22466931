"""Names of the sources of a catalog: each must be usable as a key everywhere, and belong to one source."""

import re
from collections import Counter

import numpy as np

from vo_lib.errors import CatalogError, plain

__all__ = ["unique_names"]

# PostgreSQL indexes at most 2704 bytes; in the key of a lightcurve a byte of the name may take three, and more follows.
MAX_NAME_BYTES = 500

_ROUNDED = re.compile(r"[0-9]\.([0-9]+)[eE]\+([0-9]{1,3})")


def unique_names(found, names, on_duplicate):
    """Check the names of the sources of a catalog, and make them unique if that is wanted.

    Parameters
    ----------
    found : vo_lib.catalogs.files.Columns
        The catalog, for messages.
    names : ndarray of str, shape (n_sources,)
        Its names.
    on_duplicate : {"error", "suffix"}
        How to treat duplicate names, see `vo_lib.catalog.read_sources`.

    Returns
    -------
    names : ndarray of str, shape (n_sources,)
        A name for each source.
    n_changed : int
        Number of names that got a suffix.

    Raises
    ------
    CatalogError
        If a name is empty, too long, has control characters or is a rounded number, or is not unique.
    """
    if (empty := names == "").any():
        raise CatalogError(f"{found.place(empty.argmax())}: the source has no name; give it one")
    _check_marks(found, names)
    _check_digits(found, names)
    unique, counts = np.unique(names, return_counts=True)
    if len(unique) == len(names):
        return names, 0
    if on_duplicate == "suffix":
        return _with_suffixes(found, names), len(names) - len(unique)
    twice = unique[counts > 1]
    listed = ", ".join(f"'{name}' on {found.where(np.flatnonzero(names == name)[:3].tolist())}" for name in twice[:5])
    more = f" and {len(twice) - 5} more" if len(twice) > 5 else ""
    raise CatalogError(
        f"{found.source.path}: names must be unique, but there is {listed}{more}; rename or remove them, "
        f"or set catalog.on_duplicate to 'suffix'"
    )


def _check_marks(found, names):
    """Raise for a name that is too long for the database or has invisible characters."""
    names = np.ascontiguousarray(names)
    marks = names.view(np.uint32).reshape(len(names), -1)
    is_odd = ((marks - 1 < 31) | (marks >= 127)).any(axis=1)
    is_odd |= np.count_nonzero(marks, axis=1) != np.strings.str_len(names)
    is_odd |= np.strings.str_len(names) > MAX_NAME_BYTES
    for row in np.flatnonzero(is_odd).tolist():
        name = names[row].item()
        if (n_bytes := len(name.encode(errors="surrogatepass"))) > MAX_NAME_BYTES:
            raise CatalogError(
                f"{found.place(row)}: the name '{plain(name[:40])}...' has {n_bytes} bytes, at most {MAX_NAME_BYTES} "
                f"can be kept; rename the source"
            )
        if name != plain(name):
            raise CatalogError(
                f"{found.place(row)}: the name '{plain(name)[:80]}' contains a control character or a change of text "
                f"direction; rename the source"
            )


def _check_digits(found, names):
    """Raise for a name that is a long number rounded to scientific notation, as floats and spreadsheets write it."""
    has_exponent = (np.strings.find(names, "e+") >= 0) | (np.strings.find(names, "E+") >= 0)
    for row in np.flatnonzero(has_exponent).tolist():
        match = _ROUNDED.fullmatch(names[row])
        if match and int(match[2]) > len(match[1]):
            raise CatalogError(
                f"{found.place(row)}: the name '{names[row]}' is a number that has lost its last digits, as in a "
                f"floating-point column or a spreadsheet; write names as whole numbers or as text"
            )


def _with_suffixes(found, names):
    """Append ``_2``, ``_3``, ... to the second, third, ... row of a name; raise if such a name exists already."""
    times, changed = Counter(), {}
    for row, name in enumerate(names.tolist()):
        times[name] += 1
        if times[name] > 1:
            changed[row] = f"{name}_{times[name]}"
    for row, name in changed.items():
        if name in times:
            raise CatalogError(
                f"{found.place(row)}: catalog.on_duplicate makes the name '{name}', which another source has; "
                f"rename one of them"
            )
    return np.array([changed.get(row, name) for row, name in enumerate(names.tolist())])
