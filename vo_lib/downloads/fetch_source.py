"""Query one survey for one source, without storing anything."""

import tempfile
import time
from dataclasses import dataclass

import numpy as np

from vo_lib.catalogs.columns import COLUMNS
from vo_lib.catalogs.sexagesimal import CoordinateError, parse_dec, parse_ra
from vo_lib.contracts import ask
from vo_lib.downloads.manifest import catalog_rows
from vo_lib.errors import CatalogError
from vo_lib.observatories.base import VirtualObservatory
from vo_lib.observatories.pace import Pace
from vo_lib.planning.survey_plan import find_survey
from vo_lib.times import MJD_ZERO_JD

__all__ = ["FetchedSource", "count_series", "fetch_source"]


@dataclass(frozen=True)
class FetchedSource:
    """Answer of a survey for one source.

    Parameters
    ----------
    row : dict
        Its catalog row.
    observatory : VirtualObservatory
        The survey, as configured.
    data : ndarray, shape (n_epochs,)
        Its epochs, as sent.
    altdata : dict
        Metadata that came with them.
    seconds : float
        Duration of the query [s].
    """

    row: dict
    observatory: VirtualObservatory
    data: np.ndarray
    altdata: dict
    seconds: float


def fetch_source(plan, obs, name, *, ra=None, dec=None):
    """Query a survey for one source as a download would, without writing a file.

    Because no file is written, the limit ``download.per_second`` is not shared with other jobs that query the survey.

    Parameters
    ----------
    plan : Plan
        The project.
    obs : str
        Name of one of its surveys, in any case.
    name : str
        Name of the source in the catalog, or any name if a position is given.
    ra, dec : float or str, optional
        Position [ICRS, 2016.0] in degrees or sexagesimal, see `vo_lib.catalogs.sexagesimal`; if it is given, the
        catalog is not read.

    Returns
    -------
    FetchedSource

    Raises
    ------
    UserError
        If the project does not have the survey or the source, if the position lacks a coordinate or is out of range,
        or if the survey gives no usable answer.
    """
    survey = find_survey(plan.surveys, obs)
    row = _find_row(plan, name, survey.name) if ra is None and dec is None else _row_at(name, ra, dec)
    survey.observatory.pace = Pace(plan.config["download"]["per_second"])
    start = time.monotonic()
    data, altdata = ask(survey.observatory, row)
    return FetchedSource(row, survey.observatory, data, altdata, time.monotonic() - start)


def _find_row(plan, name, obs):
    """Row of a source in the catalog of a project, as in a download; nothing is written to the data root."""
    with tempfile.TemporaryDirectory() as folder:
        catalog = plan.take_catalog(folder)
        try:
            return catalog_rows(catalog.find_names([name]), obs)[0]
        except CatalogError as error:
            raise CatalogError(f"{error} (for a source that is not in it, give --ra and --dec)") from None


def _row_at(name, ra, dec):
    """Catalog row of a source with no more than a name and a position."""
    if ra is None or dec is None:
        given, other = ("--ra", "--dec") if dec is None else ("--dec", "--ra")
        raise CatalogError(f"{given} also needs {other}; give both or neither")
    try:
        place = {"ra": float(parse_ra(ra)), "dec": float(parse_dec(dec))}
    except CoordinateError as error:
        raise CatalogError(str(error)) from None
    for axis, low, high in (("ra", 0, 360), ("dec", -90, 90)):
        if not low <= place[axis] <= high:
            raise CatalogError(f"--{axis} must be from {low} to {high} degrees, got {place[axis]}")
    return dict.fromkeys(COLUMNS) | {"name": name} | place


def count_series(fetched):
    """Count the epochs of each filter and series of an answer.

    Parameters
    ----------
    fetched : FetchedSource
        The answer.

    Returns
    -------
    list of dict
        filter, series, n_epochs, n_bad (epochs that the survey marks as bad), and first and last time in the survey's
        own scale [MJD], NaN without times; sorted by filter and series. Empty without epochs.

    Raises
    ------
    ServiceError
        If the survey's module cannot interpret the epochs.
    """
    if not len(fetched.data):
        return []
    observatory = fetched.observatory
    columns = observatory.standardise(fetched.data, fetched.altdata)
    mjd = columns["time"] + (observatory.time.zero_jd - MJD_ZERO_JD)
    bad = (columns["flag"] & observatory.bad_flag_mask) != 0
    found = []
    for label, series in sorted(set(zip(columns["filter"].tolist(), columns["series"].tolist(), strict=True))):
        own = (columns["filter"] == label) & (columns["series"] == series)
        times = mjd[own & np.isfinite(mjd)]
        first, last = (times.min(), times.max()) if len(times) else (np.nan, np.nan)
        counts = {"n_epochs": int(own.sum()), "n_bad": int(bad[own].sum())}
        found.append({"filter": label, "series": series, **counts, "first": first, "last": last})
    return found
