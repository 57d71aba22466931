"""Parse answers of the ZTF forced photometry service: the page with a user's jobs, and the result of a job."""

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from itertools import zip_longest

from vo_lib.errors import ServiceError
from vo_lib.observatories.answer_text import check_body, shorten
from vo_lib.observatories.answers import read_csv_answer

__all__ = ["BUSY", "RESULT", "Job", "read_jobs", "read_result"]

# Messages that a page of status 200 may have instead of a list of jobs.
BUSY = "database is busy"
NO_JOBS = "Zero records returned"

# Integers that may be null are floats, identifiers that may be null are text.
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

# Columns of the list of jobs, in lower case.
_JOB = ("reqid", "ra", "dec", "startjd", "endjd", "ended", "exitcode", "lightcurve")
_NOTHING = ("", "null", "none", "nan")
# Tolerance for the position in the comments of a result, which may be rounded.
_PLACE_TOLERANCE_DEG = 1e-5


@dataclass(frozen=True)
class Job:
    """A job, from a row of the list of jobs.

    Parameters
    ----------
    number : str
        Identifier.
    ra, dec : float
        Position [degrees].
    jdstart, jdend : float
        First and last requested time [JD].
    exit_code : int or None
        How the job ended; None if it has not ended.
    path : str
        Path of the result on the server; empty if there is none.
    """

    number: str
    ra: float
    dec: float
    jdstart: float
    jdend: float
    exit_code: int | None
    path: str


class _Page(HTMLParser):
    """Parser of the tables of a page into rows of cells; as in browsers, end tags of cells and rows are optional."""

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
    """Parse the page with a user's recent jobs.

    Parameters
    ----------
    text : str
        Body of the answer, in HTML.

    Returns
    -------
    list of Job or None
        In the order of the page; empty if the page says that there are none. None if the database is
        busy, in which case the page says nothing about the jobs.

    Raises
    ------
    ServiceError
        If the page is any other, is truncated, or has a job without its numbers. None of these means
        that a job does not exist.
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
    """Job of a row; empty cells at the end of the row may be missing."""
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
    """Parse the result of a job.

    Parameters
    ----------
    text : str
        Body of the answer: comments, a line of names that end in commas, and values separated by white space.
    ra, dec : float
        Requested position [degrees].

    Returns
    -------
    data : ndarray, shape (n_epochs,)
        Structured array with at least the columns of `RESULT`; zero rows for a header alone.
    comments : list of str
        Lines that begin with ``#``.

    Raises
    ------
    ServiceError
        If the text is not such a table, is truncated, or is of another position.
    """
    check_body(text)
    lines = text.splitlines()
    comments = [line for line in lines if line.startswith("#")]
    _check_place(comments, ra, dec)
    rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    if rows and not text.endswith("\n"):
        raise ServiceError("the last line of the answer has no end; the answer was cut off")
    rows[:1] = [[name.rstrip(",") for name in names] for names in rows[:1]]
    # Quoted, as a value may contain commas.
    return read_csv_answer("".join('"' + '","'.join(row) + '"\n' for row in rows), RESULT), comments


def _check_place(comments, ra, dec):
    """Raise if the comments give another position; they may give none."""
    found = re.findall(r"input (?:R\.A\.|Dec\.) = (\S+) degrees", "\n".join(comments))
    try:
        east, north = (float(found[0]) - ra + 180) % 360 - 180, float(found[1]) - dec
    except (IndexError, ValueError):
        return
    if max(abs(east), abs(north)) > _PLACE_TOLERANCE_DEG:
        raise ServiceError(f"the result is of RA {found[0]} Dec {found[1]}, not of RA {ra:.7f} Dec {dec:.7f}")
