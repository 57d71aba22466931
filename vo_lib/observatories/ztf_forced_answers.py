"""Answers of the ZTF forced photometry service: the page with a user's jobs, and the result of a job."""

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from itertools import zip_longest

from vo_lib.errors import ServiceError
from vo_lib.observatories.answers import read_csv_answer, shorten

__all__ = ["BUSY", "RESULT", "Job", "read_jobs", "read_result"]

# What a page of status 200 may say instead of a list of jobs.
BUSY = "database is busy"
NO_JOBS = "Zero records returned"

# Whole numbers that may be null are floats, identifiers that may be null are text.
RESULT = {
    "index": ("i8", "", "number of the row"),
    "field": ("i8", "", "field on the sky"),
    "ccdid": ("i8", "", "CCD, 1 to 16"),
    "qid": ("i8", "", "quadrant of the CCD"),
    "filter": ("S5", "", "ZTF_g, ZTF_r or ZTF_i"),
    "pid": ("i8", "", "processed image"),
    "infobitssci": ("f8", "", "quality bits of the science image"),
    "sciinpseeing": ("f8", "arcsec", "seeing of the science image"),
    "scibckgnd": ("f8", "", "background of the science image [DN]"),
    "scisigpix": ("f8", "", "noise of a pixel of the science image [DN]"),
    "zpmaginpsci": ("f8", "mag", "zero point of the science image"),
    "zpmaginpsciunc": ("f8", "mag", "error of zpmaginpsci"),
    "zpmaginpscirms": ("f8", "mag", "scatter of the calibrators of the science image"),
    "clrcoeff": ("f8", "", "linear colour coefficient"),
    "clrcoeffunc": ("f8", "", "error of clrcoeff"),
    "ncalmatches": ("f8", "", "number of calibrators"),
    "exptime": ("f8", "s", "exposure time"),
    "adpctdif1": ("f8", "arcsec", "scatter of the astrometry in right ascension"),
    "adpctdif2": ("f8", "arcsec", "scatter of the astrometry in declination"),
    "diffmaglim": ("f8", "mag", "limiting magnitude of the difference image, AB"),
    "zpdiff": ("f8", "mag", "zero point of the difference image, AB magnitude of a flux of 1 DN"),
    "programid": ("f8", "", "1 public survey, 2 partnership, 3 Caltech"),
    "jd": ("f8", "d", "Julian date at the start of the exposure, UTC"),
    "rfid": ("S12", "", "reference image"),
    "forcediffimflux": ("f8", "", "PSF flux on the difference image [DN]"),
    "forcediffimfluxunc": ("f8", "", "error of forcediffimflux [DN]"),
    "forcediffimsnr": ("f8", "", "forcediffimflux divided by its error"),
    "forcediffimchisq": ("f8", "", "reduced chi squared of the PSF fit"),
    "forcediffimfluxap": ("f8", "", "flux in an aperture of 9 pixels on the difference image [DN]"),
    "forcediffimfluxuncap": ("f8", "", "error of forcediffimfluxap [DN]"),
    "forcediffimsnrap": ("f8", "", "forcediffimfluxap divided by its error"),
    "aperturecorr": ("f8", "", "factor of the aperture, which forcediffimfluxap has already"),
    "dnearestrefsrc": ("f8", "arcsec", "distance of the nearest source of the reference image, if within 5 arcsec"),
    "nearestrefmag": ("f8", "mag", "magnitude of that source, AB"),
    "nearestrefmagunc": ("f8", "mag", "error of nearestrefmag"),
    "nearestrefchi": ("f8", "", "chi of the PSF fit of that source"),
    "nearestrefsharp": ("f8", "", "sharpness of that source, about 0 for a star"),
    "refjdstart": ("f8", "d", "Julian date of the earliest image in the reference image, UTC"),
    "refjdend": ("f8", "d", "Julian date of the latest image in the reference image, UTC"),
    "procstatus": ("S8", "", "codes of the processing of this epoch with commas between them, 0 if it is good"),
}

# Columns of the list of jobs, in small letters.
_JOB = ("reqid", "ra", "dec", "startjd", "endjd", "ended", "exitcode", "lightcurve")
_NOTHING = ("", "null", "none", "nan")
# How far the position in the comments of a result may be from that submitted: it may be rounded.
_PLACE_TOLERANCE_DEG = 1e-5


@dataclass(frozen=True)
class Job:
    """One row of the list of jobs.

    Parameters
    ----------
    number : str
        Identifier.
    ra, dec : float
        Position [degrees].
    jdstart, jdend : float
        First and last time that was asked for [JD].
    exit_code : int or None
        How it ended; None if it has not.
    path : str
        Where the result is on the server; empty without one.
    """

    number: str
    ra: float
    dec: float
    jdstart: float
    jdend: float
    exit_code: int | None
    path: str


class _Page(HTMLParser):
    """Tables of a page as rows of cells; end tags of cells and rows may be missing, as browsers allow."""

    def __init__(self):
        super().__init__()
        self.tables, self.n_closed, self._in_cell = [[]], 0, False

    def handle_starttag(self, tag, attrs):
        if tag in ("table", "tr"):
            self._in_cell = False
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th") and self.tables[-1]:
            self.tables[-1][-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag):
        if tag in ("td", "th", "tr", "table"):
            self._in_cell = False
        if tag in ("table", "body", "html"):
            self.n_closed = len(self.tables)

    def handle_data(self, data):
        if self._in_cell:
            self.tables[-1][-1][-1] += data


def read_jobs(text):
    """Read the page with a user's recent jobs.

    Parameters
    ----------
    text : str
        Body of the answer, in HTML.

    Returns
    -------
    list of Job or None
        In the order of the page; empty if it says that there are none. None if the database is
        busy, which says nothing of the jobs.

    Raises
    ------
    ServiceError
        For any other page, one that was cut off, or a job without its numbers. None of these means
        that a job is not there.
    """
    if BUSY in text:
        return None
    if NO_JOBS in text:
        return []
    page = _Page()
    page.feed(text)
    for number, table in enumerate(page.tables):
        names = [name.strip().lower() for name in table[0]] if table else []
        if set(_JOB) <= set(names):
            if number >= page.n_closed:
                raise ServiceError("the list of jobs was cut off")
            return [_read_job(dict(zip_longest(names, row[: len(names)], fillvalue=""))) for row in table[1:] if row]
    raise ServiceError(f"the answer is not a list of jobs but '{shorten(text) or 'empty'}'")


def _read_job(cells):
    """Job of a row; empty cells at its end may be missing."""
    given = {name: "" if cells[name].strip().lower() in _NOTHING else cells[name].strip() for name in _JOB}
    try:
        numbers = [float(given[name]) for name in ("ra", "dec", "startjd", "endjd")]
        code = int(float(given["exitcode"])) if given["ended"] and given["exitcode"] else None
    except (ValueError, OverflowError):
        raise ServiceError(
            f"the list of jobs has a row without its numbers: {shorten(' '.join(cells.values()))}"
        ) from None
    return Job(given["reqid"], *numbers, exit_code=code, path=given["lightcurve"])


def read_result(text, *, ra, dec):
    """Read the result of a job.

    Parameters
    ----------
    text : str
        Body of the answer: comments, a line of names that end in commas, words between white space.
    ra, dec : float
        Position that was asked for [degrees].

    Returns
    -------
    data : ndarray, shape (n_epochs,)
        Structured array with the columns of `RESULT` at least; zero rows for a header alone.
    comments : list of str
        Lines that begin with ``#``.

    Raises
    ------
    ServiceError
        For what is not such a table, was cut off or is of another position.
    """
    if text.lstrip().startswith("<"):
        read_csv_answer(text, RESULT)
    lines = text.splitlines()
    comments = [line for line in lines if line.startswith("#")]
    _check_place(comments, ra, dec)
    rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    if rows and not text.endswith("\n"):
        raise ServiceError("the last line of the answer has no end; the answer was cut off")
    rows[:1] = [[name.rstrip(",") for name in names] for names in rows[:1]]
    # In quotes, as a word may have commas itself.
    return read_csv_answer("".join('"' + '","'.join(row) + '"\n' for row in rows), RESULT), comments


def _check_place(comments, ra, dec):
    """Raise if the comments name another position; they need not name one."""
    found = re.findall(r"input (?:R\.A\.|Dec\.) = (\S+) degrees", "\n".join(comments))
    try:
        east, north = (float(found[0]) - ra + 180) % 360 - 180, float(found[1]) - dec
    except (IndexError, ValueError):
        return
    if max(abs(east), abs(north)) > _PLACE_TOLERANCE_DEG:
        raise ServiceError(f"the result is of RA {found[0]} Dec {found[1]}, not of RA {ra:.7f} Dec {dec:.7f}")
