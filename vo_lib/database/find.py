"""Find sources, lightcurves and detections by position, brightness, time and quality.

For example::

    with open_session(data_root="results") as session:
        found = find_detections(session, project="demo_project", snr_min=8, filter="demo-g", order="best")
        frame = found.to_frame()

A row must satisfy all criteria (`vo_lib.criteria.CRITERIA`); an unknown value satisfies none. A search is always
limited to a project, a tag or given provenances, and leaves out rows of provenances that are marked as bad unless
``include_bad`` is set.
"""

import logging
from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.orm import contains_eager

from vo_lib.criteria import CRITERIA, ORDERS
from vo_lib.database.conditions import conditions, name_conditions, order_of, parse_limit, parse_names
from vo_lib.database.models import Detection, Lightcurve, Project, Properties, Provenance, ProvenanceTag, Source
from vo_lib.database.schema import expect_tables
from vo_lib.database.tags import known_tags
from vo_lib.errors import UserError, hint

__all__ = ["Found", "find_detections", "find_lightcurves", "find_sources", "project_id"]

log = logging.getLogger("vo_lib")

# Criteria on the provenance of the rows.
_OF_PROVENANCE = ("provenance_ids", "include_bad")
# Column with the provenance of the rows.
_MADE_BY = {
    Source: Properties.provenance_id,
    Lightcurve: Lightcurve.provenance_id,
    Detection: Detection.provenance_id,
}


class Found(list):
    """List of the rows found, in the requested order; `model` is their class."""

    def __init__(self, rows, model):
        super().__init__(rows)
        self.model = model

    def __getitem__(self, which):
        found = super().__getitem__(which)
        return Found(found, self.model) if isinstance(which, slice) else found

    def to_frame(self):
        """Return a pandas DataFrame with the name of the source first; without rows it still has the columns."""
        import pandas as pd

        names = [column.key for column in sa.inspect(self.model).column_attrs]
        columns = {name: [getattr(row, name) for row in self] for name in names}
        of_source = {} if self.model is Source else {"source": [row.source.name for row in self]}
        return pd.DataFrame(of_source | columns)


def find_sources(session, *, project=None, tag=None, order="name", max_number=None, **criteria):
    """Find sources.

    Parameters
    ----------
    session : sqlalchemy.orm.Session
        Session, see `vo_lib.database.session.Session`.
    project : str, optional
        Name or folder of the project. By default all projects are searched, which needs `tag` or ``provenance_ids``.
    tag : str, optional
        Only rows made by the provenances that the tag stands for; a tag is a project's name, or ``default``. Projects
        with the same configuration and code share provenances; `project` then selects one of them.
    order : str, optional
        One of `vo_lib.criteria.ORDERS`. Rows without a value come last; ties are in the order of the names.
    max_number : int, optional
        Maximum number of rows; by default all.
    **criteria
        See `vo_lib.criteria.CRITERIA`. One end of a range may be None, which leaves it open; ``filter`` and ``obs`` may
        be lists. In addition, ``provenance_ids`` is a provenance, an identifier, or several of them, that made the rows
        (for sources, their properties), and ``include_bad`` tells whether to include rows of provenances that are
        marked as bad.

    Returns
    -------
    Found
        Rows of `vo_lib.database.models.Source`.

    Raises
    ------
    UserError
        If a project, tag or provenance is not in the database, none of them is given, or a criterion, an order or its
        value is not valid.
    """
    query = sa.select(Source).outerjoin(Source.properties)
    return _find(session, Source, query, (project, tag), order, max_number, criteria)


def find_lightcurves(session, *, project=None, tag=None, order="name", max_number=None, **criteria):
    """Find lightcurves, rows of `vo_lib.database.models.Lightcurve`; see `find_sources` for the parameters."""
    query = sa.select(Lightcurve).join(Lightcurve.source).outerjoin(Source.properties)
    query = query.options(contains_eager(Lightcurve.source))
    return _find(session, Lightcurve, query, (project, tag), order, max_number, criteria)


def find_detections(session, *, project=None, tag=None, order="best", max_number=None, simulated=False, **criteria):
    """Find real or simulated detections, rows of `vo_lib.database.models.Detection`.

    By default those with the greatest absolute S/N come first; see `find_sources` for the other parameters.
    """
    query = sa.select(Detection).join(Detection.source).outerjoin(Source.properties).join(Detection.lightcurve)
    query = query.where(Detection.simulated if simulated else ~Detection.simulated)  # as in the partial indexes
    query = query.options(contains_eager(Detection.source), contains_eager(Detection.lightcurve))
    return _find(session, Detection, query, (project, tag), order, max_number, criteria)


def _find(session, model, query, within, order, max_number, criteria):
    """Check the criteria and run a query with them."""
    if unknown := [name for name in criteria if name not in (*CRITERIA, *_OF_PROVENANCE)]:
        raise UserError(f"'{unknown[0]}' is not a criterion; {hint(unknown[0], [*CRITERIA, *_OF_PROVENANCE])}")
    if order not in ORDERS:
        raise UserError(f"'{order}' is not an order; {hint(order, ORDERS)}")
    given = {name: value for name, value in criteria.items() if value is not None}
    with expect_tables(session):
        query = query.where(*_within(session, model, *within, given), *conditions(model, given))
        query = query.order_by(order_of(model, order), Source.name, model.id).limit(parse_limit(max_number))
        for named in name_conditions(given):
            if found := Found(session.scalars(query.where(*named)), model):
                return found
    _warn_of_unknown(session, within[0], given)
    _warn_of_tag(session, *within)
    return found


def _warn_of_unknown(session, project, given):
    """Warn of filters and surveys that no lightcurve of the project has, which is why nothing was found."""
    within = () if project is None else (Lightcurve.project_id == project_id(session, project),)
    whose = "" if project is None else f" of project '{project}'"
    for name in [name for name in ("filter", "obs") if name in given]:
        known = session.scalars(sa.select(getattr(Lightcurve, name)).where(*within).distinct()).all()
        for each in parse_names(name, given[name]):
            if each not in known:
                log.warning("no lightcurve%s has the %s '%s'; %s", whose, name, each, hint(each, sorted(known)))


def _warn_of_tag(session, project, tag):
    """Warn of a tag that has no rows of the project, which is why nothing was found."""
    if None not in (project, tag) and not any(_has_any(session, model, project, tag) for model in _MADE_BY):
        log.warning("tag '%s' has no results of project '%s'; vo tags lists what it stands for", tag, project)


def _has_any(session, model, project, tag):
    """Return whether a project has rows that were made by the provenances of a tag."""
    query = sa.select(model.id).join(Source.properties if model is Source else model.source)
    return (
        session.scalar(query.where(*_within(session, model, project, tag, {"include_bad": True})).limit(1)) is not None
    )


def _within(session, model, project, tag, given):
    """Yield conditions on the project, tag and provenance of the rows."""
    ids, made_by = given.get("provenance_ids"), _MADE_BY[model]
    if project is None and tag is None and ids is None:
        raise UserError("give a project, a tag such as 'default', or provenance_ids")
    if project is not None:
        yield Source.project_id == project_id(session, project)
    if tag is not None:
        if tag not in (tags := known_tags(session)):
            raise UserError(f"tag '{tag}' is not in the database; {hint(tag, tags)}")
        yield made_by.in_(sa.select(ProvenanceTag.provenance_id).where(ProvenanceTag.tag == tag))
    if ids is not None:
        yield made_by.in_(_known_ids(session, ids))
    if not given.get("include_bad"):
        yield sa.or_(made_by.is_(None), made_by.not_in(sa.select(Provenance.id).where(Provenance.is_bad)))


def _known_ids(session, given):
    """Return the identifiers of one or several provenances, which must be in the database."""
    several = isinstance(given, Iterable) and not isinstance(given, str)
    ids = [getattr(each, "id", each) for each in (given if several else [given])]
    known = session.scalars(sa.select(Provenance.id)).all()
    if unknown := [each for each in ids if each not in known]:
        raise UserError(f"provenance '{unknown[0]}' is not in the database; vo tags lists those of tags")
    return ids


def project_id(session, project):
    """Return the id of a project in the database.

    Parameters
    ----------
    session : sqlalchemy.orm.Session
        Session, see `vo_lib.database.session.open_session`.
    project : str
        Name or folder of the project.

    Returns
    -------
    int

    Raises
    ------
    UserError
        If there is no such project, or several share the name.
    """
    with expect_tables(session):
        rows = session.execute(sa.select(Project.id, Project.name, Project.folder)).all()
    found = [row.id for row in rows if project == row.folder] or [row.id for row in rows if project == row.name]
    if len(found) != 1:
        folders = [row.folder for row in rows]
        why = f"stands for {len(found)} versions; name one by its folder" if found else "is not in the database"
        raise UserError(f"project '{project}' {why}; {hint(project, folders)}")
    return found[0]
