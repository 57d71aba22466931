"""Look up provenances by tag, and mark bad ones, in the database."""

import logging

import sqlalchemy as sa

from vo_lib.database.records import Provenance, ProvenanceTag, ProvenanceUpstream
from vo_lib.database.schema import expect_tables, one_at_a_time
from vo_lib.errors import UserError, hint
from vo_lib.provenance import Provenance as Identity
from vo_lib.storage.marks import mark, read_marks, spread_marks, unmark

__all__ = ["find_tagged", "known_tags", "mark_bad", "put_marks", "tagged"]

log = logging.getLogger("vo_lib")


def known_tags(session):
    """List the names of all tags in alphabetical order."""
    return list(session.scalars(sa.select(ProvenanceTag.tag).distinct().order_by(ProvenanceTag.tag)))


def tagged(session, tag):
    """Find the provenances that a tag stands for.

    Parameters
    ----------
    session : sqlalchemy.orm.Session
        Session, see `vo_lib.database.session.Session`.
    tag : str
        A project's name, or ``default`` for the project synced last.

    Returns
    -------
    dict
        Provenance by process; for processes that run per survey, a dict of provenances by survey.

    Raises
    ------
    UserError
        If there is no such tag; the message suggests the nearest.
    """
    rows = _rows(session, tag)
    if not rows:
        raise UserError(f"tag '{tag}' is not in the database; {hint(tag, known_tags(session))}")
    tree = {}
    for row in rows:
        if row.obs:
            tree.setdefault(row.process, {})[row.obs] = _identity(row.provenance)
        else:
            tree[row.process] = _identity(row.provenance)
    return tree


def find_tagged(session, tag, process, obs):
    """Find the provenance of a tag for a process; see `vo_lib.provenance.Provenance.get_for_tag`."""
    rows = _rows(session, tag)
    found = [row for row in rows if row.process == process and (obs is None or obs.upper() == row.obs)]
    if len(found) > 1:
        raise UserError(
            f"tag '{tag}' has a provenance of '{process}' for each survey ({', '.join(row.obs for row in found)}); "
            f"say which with obs="
        )
    if found:
        return _identity(found[0].provenance)
    if not rows:
        log.warning("tag '%s' is not in the database; %s", tag, hint(tag, known_tags(session)))
    else:
        processes = sorted({row.process for row in rows})
        what = f"'{process}'" if obs is None else f"'{process}' of {obs}"
        log.warning("tag '%s' has no provenance of %s; %s", tag, what, hint(process, processes))
    return None


def _rows(session, tag):
    """Read the rows of a tag, sorted by process and survey."""
    query = sa.select(ProvenanceTag).where(ProvenanceTag.tag == tag)
    return session.scalars(query.order_by(ProvenanceTag.process, ProvenanceTag.obs)).all()


def _identity(row):
    """Convert a row of provenances to a `vo_lib.provenance.Provenance`."""
    return Identity(row.process, row.parameters, row.code, tuple(row.upstreams))


def mark_bad(session, identifier, comment):
    """Mark a provenance and all those downstream as bad, or remove the mark, and commit.

    Parameters
    ----------
    session : vo_lib.database.session.Session
        Session with a data root, which keeps the mark, so that it survives the loss of the database.
    identifier : str
        Identifier of the provenance.
    comment : str or None
        What is wrong with its products; None removes the mark.

    Returns
    -------
    str
        The comment that it has now; without a mark of its own, that from upstream; empty if nothing is wrong.

    Raises
    ------
    UserError
        If the database has no such provenance, the comment is empty, or the session has no data root.
    """
    root = session.info.get("data_root")
    with expect_tables(session):
        known = session.get(Provenance, identifier)
    if known is None:
        raise UserError(f"provenance '{identifier}' is not in the database; vo tags lists those that are")
    if root is None or comment == "":
        raise UserError("a mark needs a comment, and a session that knows the data root, as vo_lib.Session does")
    one_at_a_time(session.connection())
    session.refresh(known, with_for_update=True)  # an account that may not change the row leaves no mark in the file
    if comment is None:
        unmark(root, identifier)
    else:
        mark(root, identifier, comment)
    put_marks(session.connection(), root)
    session.commit()
    return session.scalar(sa.select(Provenance.bad_comment).where(Provenance.id == identifier))


def put_marks(connection, data_root):
    """Update the marks of provenances in the database to match those of a data root.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    data_root : str or Path
        The data root.
    """
    links = connection.execute(sa.select(ProvenanceUpstream.provenance_id, ProvenanceUpstream.upstream_id))
    bad = spread_marks(read_marks(data_root), map(tuple, links))
    good = sa.update(Provenance).where(Provenance.is_bad, Provenance.id.not_in(bad))
    connection.execute(good.values(is_bad=False, bad_comment=""))
    for identifier, comment in bad.items():
        row = sa.update(Provenance).where(Provenance.id == identifier, Provenance.bad_comment != comment)
        connection.execute(row.values(is_bad=True, bad_comment=comment))
