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

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import contains_eager

from vo_lib.catalogs.sexagesimal import parse_dec, parse_ra
from vo_lib.criteria import CRITERIA, ORDERS
from vo_lib.database.models import Detection, Lightcurve, Project, Properties, Provenance, ProvenanceTag, Source
from vo_lib.database.schema import expect_tables
from vo_lib.database.tags import known_tags
from vo_lib.errors import UserError, hint
from vo_lib.text import is_storable

__all__ = ["Found", "find_detections", "find_lightcurves", "find_sources", "project_id"]

MOST = 2**63 - 1  # greatest LIMIT of PostgreSQL

log = logging.getLogger("vo_lib")

# Columns that criteria and orders refer to: magnitude, first and last time, S/N, number of good epochs.
_VALUES = {
    Source: (Source.mag, Properties.mjd_first, Properties.mjd_last, Properties.best_snr, Properties.n_good),
    Lightcurve: (
        Lightcurve.mag_median,
        Lightcurve.mjd_first,
        Lightcurve.mjd_last,
        Lightcurve.snr_max,
        Lightcurve.n_good,
    ),
    Detection: (
        Detection.peak_mag,
        Detection.start_mjd,
        Detection.end_mjd,
        sa.func.abs(Detection.snr),
        Lightcurve.n_good,
    ),
}

# Units of criteria that may be given as astropy quantities.
_UNITS = {"ra": "deg", "dec": "deg", "radius_arcsec": "arcsec", "ra_range": "deg", "dec_range": "deg"}
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
    given = {name: _in_unit(name, value) for name, value in criteria.items() if value is not None}
    with expect_tables(session):
        conditions = (*_within(session, model, *within, given), *_place(given), *_values(model, given))
        query = query.where(*conditions).order_by(*_order(model, order), Source.name, model.id)
        for named in _named(given):
            if found := Found(session.scalars(query.where(*named).limit(_limit(max_number))), model):
                return found
    _warn_of_unknown(session, within[0], given)
    _warn_of_tag(session, *within)
    return found


def _in_unit(name, value):
    """Return the value of a criterion; an astropy quantity is converted to the unit of the criterion."""
    if name not in _UNITS or not hasattr(value, "to_value"):
        return value
    try:
        return value.to_value(_UNITS[name])
    except ValueError:
        raise UserError(f"{name} must be in units of {_UNITS[name]}, got {value!r}") from None


def _named(given):
    """Return conditions on the name, to be tried in turn: the whole name, which has an index, then a part of it."""
    if "name" not in given:
        return [()]
    text = _text("name", given["name"])
    return [(Source.name == text,), (Source.name.icontains(text, autoescape=True),)]


def _limit(max_number):
    """Return the maximum number of rows as an int; None for all."""
    if max_number is None:
        return None
    if not 1 <= (number := _number("max_number", max_number)) <= MOST or number != int(number):
        raise UserError(f"max_number must be at least 1 and a whole number, got {max_number}")
    return int(number)


def _warn_of_unknown(session, project, given):
    """Warn of filters and surveys that no lightcurve of the project has, which is why nothing was found."""
    within = () if project is None else (Lightcurve.project_id == project_id(session, project),)
    whose = "" if project is None else f" of project '{project}'"
    for name in [name for name in ("filter", "obs") if name in given]:
        known = session.scalars(sa.select(getattr(Lightcurve, name)).where(*within).distinct()).all()
        for each in _names(name, given[name]):
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


def _place(given):
    """Yield conditions on the position of the source."""
    cone = [name for name in ("ra", "dec", "radius_arcsec") if name in given]
    if len(cone) not in (0, 3):
        raise UserError(f"a cone needs ra, dec and radius_arcsec, got {' and '.join(cone)} alone")
    if cone:
        yield from _cone(
            float(parse_ra(given["ra"])),
            float(parse_dec(given["dec"])),
            _number("radius_arcsec", given["radius_arcsec"]),
        )
    if "ra_range" in given:
        west, east = _pair("ra_range", given["ra_range"])
        yield _ra_between(west, east)
    if "dec_range" in given:
        yield from _between("dec_range", given["dec_range"], Source.dec, Source.dec)


def _cone(ra, dec, radius_arcsec):
    """Yield conditions for positions in a cone: a box, for which there is an index, and the angular distance."""
    if not (0 <= ra <= 360 and abs(dec) <= 90 and 0 < radius_arcsec <= 648000):
        raise UserError(f"the cone ra={ra:g}, dec={dec:g}, radius_arcsec={radius_arcsec:g} is not on the sky")
    radius = radius_arcsec / 3600
    margin = radius + 1e-9
    yield Source.dec.between(dec - margin, dec + margin)
    if abs(dec) + margin < 90:
        half = np.degrees(np.arcsin(np.sin(np.radians(margin)) / np.cos(np.radians(dec)))) + 1e-9
        yield _ra_between(ra - half, ra + half)
    # The haversine is accurate for small separations; it exceeds 1 only by rounding.
    here, there = np.radians(dec), sa.func.radians(Source.dec)
    across = sa.func.power(sa.func.sin(sa.func.radians(Source.ra - ra) / 2), 2)
    along = sa.func.power(sa.func.sin((there - float(here)) / 2), 2)
    yield along + float(np.cos(here)) * sa.func.cos(there) * across <= float(np.sin(np.radians(radius) / 2) ** 2)


def _ra_between(west, east):
    """Return the condition for right ascensions from west to east; always true for a full turn or more."""
    if east - west >= 360:
        return sa.true()
    west, east = float(west % 360), float(east % 360)
    if west <= east:
        return Source.ra.between(west, east)
    return sa.or_(Source.ra >= west, Source.ra <= east)


def _pair(name, value):
    """Check that a value is a pair of finite numbers, and return them."""
    try:
        low, high = map(float, _ends(value))
    except (TypeError, ValueError):
        raise UserError(f"{name} must be a pair of numbers, got {value!r}") from None
    if not np.isfinite([low, high]).all():
        raise UserError(f"{name} must be finite, got {value!r}")
    return low, high


def _ends(value):
    """Return a range unless it is a string, which would be unpacked into its letters."""
    if isinstance(value, str):
        raise TypeError(value)
    return value


def _number(name, value):
    """Check that a value is a finite number, and return it as a Python float."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise UserError(f"{name} must be a number, got {value!r}") from None
    if not np.isfinite(number):
        raise UserError(f"{name} must be finite, got {value!r}")
    return number


def _between(name, value, first, last):
    """Yield conditions for the interval from `first` to `last` to overlap a range, one end of which may be None."""
    try:
        low, high = (None if end is None else _number(name, end) for end in _ends(value))
    except (TypeError, ValueError):
        raise UserError(f"{name} must be a pair of numbers, got {value!r}") from None
    if low is None and high is None:
        raise UserError(f"{name} is open at both ends; give one of them, or leave it out")
    if None not in (low, high) and low > high:
        raise UserError(f"{name} must be [least, greatest], got {value!r}")
    yield from () if low is None else (last >= low,)
    yield from () if high is None else (first <= high,)


def _values(model, given):
    """Yield conditions on measured values."""
    mag, first, last, snr, n_good = _VALUES[model]
    if "mag_range" in given:
        yield from _between("mag_range", given["mag_range"], mag, mag)
    if "mjd_range" in given:
        yield from _between("mjd_range", given["mjd_range"], first, last)
    for name, column in (("snr_min", snr), ("n_good_min", n_good), ("n_detections_min", Properties.n_detections)):
        if name in given:
            yield column >= _number(name, given[name])
    for name in ("filter", "obs"):
        if name in given:
            own = getattr(Lightcurve if model is Source else model, name)
            among = own.in_(_names(name, given[name]))
            yield Source.lightcurves.any(among) if model is Source else among


def _names(name, value):
    """Return one or several names as a list, those of surveys in upper case."""
    names = [value] if isinstance(value, str) else value
    if not (isinstance(names, list | tuple) and names and all(isinstance(each, str) for each in names)):
        raise UserError(f"{name} must be a name or a list of names, got {value!r}")
    return [_text(name, each.upper() if name == "obs" else each) for each in names]


def _text(name, value):
    """Check that a value is text that a database can store, and return it as a Python str."""
    if not isinstance(value, str) or not is_storable(value):
        raise UserError(f"{name} must be text, got {value!r}")
    return str(value)


def _order(model, order):
    """Return the ORDER BY expressions of a query."""
    mag, first, last, snr, _ = _VALUES[model]
    column = {"name": Source.name, "brightest": mag, "earliest": first, "latest": last, "best": snr}[order]
    return [(column.desc() if ORDERS[order] else column.asc()).nulls_last()]
