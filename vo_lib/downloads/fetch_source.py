"""One source of one survey, asked for and looked at; nothing is stored."""

import tempfile
import time
from dataclasses import dataclass

import numpy as np

from vo_lib.catalog import COLUMNS
from vo_lib.catalogs.sexagesimal import CoordinateError, parse_dec, parse_ra
from vo_lib.contracts import ask
from vo_lib.downloads.manifest import catalog_rows
from vo_lib.downloads.pace import Pace
from vo_lib.errors import CatalogError
from vo_lib.observatories.base import VirtualObservatory
from vo_lib.planning.survey_plan import find_survey
from vo_lib.times import MJD_ZERO_JD

__all__ = ["FetchedSource", "count_series", "fetch_source"]


@dataclass(frozen=True)
class FetchedSource:
    """What a survey says about one source.

    Parameters
    ----------
    row : dict
        Its catalog row.
    observatory : VirtualObservatory
        The survey as the configuration has it.
    data : ndarray, shape (n_epochs,)
        Its epochs as they were sent.
    altdata : dict
        What came beside them.
    seconds : float
        Time that it took [s].
    """

    row: dict
    observatory: VirtualObservatory
    data: np.ndarray
    altdata: dict
    seconds: float


def fetch_source(plan, obs, name, *, ra=None, dec=None):
    """Ask a survey for one source, as a download would; no file is written.

    So the pace ``download.per_second`` is kept for this source alone, whatever else asks the survey at the time.

    Parameters
    ----------
    plan : Plan
        The project.
    obs : str
        Name of one of its surveys, in small or capital letters.
    name : str
        Name of the source in the catalog, or any name with a position.
    ra, dec : float or str, optional
        Position [ICRS, 2016.0] in degrees or sexagesimal, see `vo_lib.catalogs.sexagesimal`; the catalog is not read
        then.

    Returns
    -------
    FetchedSource

    Raises
    ------
    UserError
        For a survey or a source that the project does not have, half a position or one that is not on the sky,
        and where the survey gives no usable answer.
    """
    survey = find_survey(plan.surveys, obs)
    row = _find_row(plan, name, survey.name) if ra is None and dec is None else _row_at(name, ra, dec)
    survey.observatory.pace = Pace(plan.config["download"]["per_second"])
    start = time.monotonic()
    data, altdata = ask(survey.observatory, row)
    return FetchedSource(row, survey.observatory, data, altdata, time.monotonic() - start)


def _find_row(plan, name, obs):
    """Row of a source in the catalog of a project, as a download has it; nothing is written in the data root."""
    with tempfile.TemporaryDirectory() as folder:
        catalog = plan.take_catalog(folder)
        try:
            return catalog_rows(catalog.find_names([name]), obs)[0]
        except CatalogError as error:
            raise CatalogError(f"{error}; or give a position with --ra and --dec") from None


def _row_at(name, ra, dec):
    """Catalog row of a source of which only the position is known."""
    if ra is None or dec is None:
        given, other = ("--ra", "--dec") if dec is None else ("--dec", "--ra")
        raise CatalogError(f"{given} needs {other} beside it; give both or none")
    try:
        place = {"ra": float(parse_ra(ra)), "dec": float(parse_dec(dec))}
    except CoordinateError as error:
        raise CatalogError(str(error)) from None
    for axis, low, high in (("ra", 0, 360), ("dec", -90, 90)):
        if not low <= place[axis] <= high:
            raise CatalogError(f"--{axis} must be from {low} to {high} degrees, got {place[axis]}")
    return dict.fromkeys(COLUMNS) | {"name": name} | place


def count_series(fetched):
    """Epochs of each filter and series of an answer.

    Parameters
    ----------
    fetched : FetchedSource
        The answer.

    Returns
    -------
    list of dict
        filter, series, n_epochs, n_bad (those that the survey marks as bad), and first and last time in the survey's
        own scale [MJD], NaN without times; in the order of filters and series. Empty without epochs.

    Raises
    ------
    ServiceError
        For epochs that the survey's module does not understand.
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
