"""Marks of bad provenances, which extend to everything made from their products.

The marks are kept in a file of the data root, so that they survive the loss of the database.
"""

from pathlib import Path

from vo_lib.files import read_json, write_json

__all__ = ["MARKS", "mark", "read_marks", "spread_marks", "unmark"]

MARKS = "bad_provenances.json"


def read_marks(data_root):
    """Read the comments on bad provenances of a data root, by identifier; empty if there are none."""
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
        What is wrong with its products.
    """
    write_json(Path(data_root) / MARKS, read_marks(data_root) | {identifier: comment})


def unmark(data_root, identifier):
    """Remove the mark of a provenance, if it has one."""
    marks = read_marks(data_root)
    if marks.pop(identifier, None) is not None:
        write_json(Path(data_root) / MARKS, marks)


def spread_marks(marks, upstreams):
    """Extend marks to all provenances downstream.

    Parameters
    ----------
    marks : dict of str to str
        See `read_marks`.
    upstreams : iterable of tuple of str
        Identifier of a provenance, and of one whose product it used as input.

    Returns
    -------
    dict of str to str
        Comments on all bad provenances, by identifier; without a mark of its own, a comment quotes the one upstream.
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
