"""Provenances that somebody found to be bad, and all that was made of them.

The marks are in a file of the data root, so that a database that is made anew has them too.
"""

from pathlib import Path

from vo_lib.files import read_json, write_json

__all__ = ["MARKS", "mark", "read_marks", "spread_marks", "unmark"]

MARKS = "bad_provenances.json"


def read_marks(data_root):
    """Comments on the provenances of a data root that were marked, by their identifiers; empty without any."""
    path = Path(data_root) / MARKS
    return read_json(path) if path.exists() else {}


def mark(data_root, identifier, comment):
    """Mark a provenance as bad.

    Parameters
    ----------
    data_root : str or Path
        The data root.
    identifier : str
        Identifier of the provenance.
    comment : str
        What is wrong with what it made.
    """
    write_json(Path(data_root) / MARKS, read_marks(data_root) | {identifier: comment})


def unmark(data_root, identifier):
    """Take the mark of a provenance away; one without a mark is left as it is."""
    marks = read_marks(data_root)
    if marks.pop(identifier, None) is not None:
        write_json(Path(data_root) / MARKS, marks)


def spread_marks(marks, upstreams):
    """Find all that is bad because of what it was made of.

    Parameters
    ----------
    marks : dict of str to str
        See `read_marks`.
    upstreams : iterable of tuple of str
        Identifiers of a provenance and of one that made its input.

    Returns
    -------
    dict of str to str
        Comments on all bad provenances; one that has no mark of its own names that of its origin.
    """
    downstream = {}
    for identifier, upstream in upstreams:
        downstream.setdefault(upstream, []).append(identifier)
    found = {}
    for origin in sorted(marks):
        todo = [*downstream.get(origin, ())]
        while todo:
            identifier = todo.pop()
            if identifier not in found:
                found[identifier] = f"made of {origin}: {marks[origin]}"
                todo.extend(downstream.get(identifier, ()))
    return found | marks
