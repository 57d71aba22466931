"""ATLAS: forced photometry on the images of the Asteroid Terrestrial-impact Last Alert System.

Service
    The forced photometry server at fallingstar-data.com, for registered users: the token is in the
    environment variable ATLASFORCED_TOKEN, or in the file (mode 600) that ATLASFORCED_TOKEN_FILE names.
    Each source is a task in a queue, which takes minutes to hours; the server throttles frequent
    requests. A task is removed once its result has been received.
Limits
    The sky north of about -50 degrees since 2015, all of it since 2022; about 11.5 to 19.5 mag;
    filters c (cyan, 420-650 nm) and o (orange, 560-820 nm). Every image gives an epoch, whether or
    not the source is detected. Cameras of newer units have other filters; their epochs get the filter
    ``atlas-other`` and are bad.
Times
    ``MJD`` in UTC. According to the server's description of its results, it is the start of an exposure
    of 30 s, but some users take it as the middle, so this is a parameter. Four observatories share the
    table, so times are taken to be at the geocentre, which is off by at most 21 ms. The server's authors
    list wrong times in three nights, which may be in a duplicate row of the exposure: 59748 (camera 04a),
    59844 (03a), 59998 (02a).
Fluxes
    Microjansky, AB, of either sign. ``images: reduced`` gives the flux of the source; ``images: difference``
    gives its change since a template, which is not compared with a catalog magnitude. Beware of steps where
    templates changed (MJD 58417 and 58882), and of reduced images before MJD 58000, whose calibration may be off.
Quality
    Bits derived from the columns: 1 ``err`` is not 0, 2 ``chi/N`` is above ``max_chi_n``, 4 ``duJy`` is not
    between 0 and 10,000, 8 a filter other than c and o, 16 ``mag5sig`` is below 10, which means that the image
    has no photometric solution, 32 another column is outside the limits for good measurements in the server's
    FAQ: near the edge of the image, PSF, aperture correction, depth or sky. A missing number is bad, and all bits
    are bad. According to the server, fluxes with bit 16 are certainly wrong; most of those with bit 32 are not.
    ``chi/N`` grows with brightness, to about 50 at 16 mag in good seeing, so its limit serves to find saturated
    stars, which have no flag of their own; saturation begins at about 11 to 12 mag.
Tried
    The answer to a genuine request is read; the queue and the measurements are those of a local stand-in. Neither
    the server itself nor genuine measurements, which could confirm the part of the exposure.
Reference
    Tonry et al. 2018, PASP 130, 064505, doi:10.1088/1538-3873/aabadf; Smith et al. 2020, PASP 132,
    085002, doi:10.1088/1538-3873/ab936e; Shingles et al. 2021, TNSAN 7. Cite all three.
"""

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from vo_lib.errors import ServiceError
from vo_lib.observatories.answers import read_cone_answer
from vo_lib.observatories.cat_row import position_at, proper_motion
from vo_lib.observatories.credentials import read_secret
from vo_lib.observatories.epoch_columns import flag_bits, label_filters
from vo_lib.observatories.network import NetworkObservatory, NetworkParameters, check_period, check_url
from vo_lib.observatories.parameters import check_choice, check_range
from vo_lib.times import STAMPS, TimeSystem

__all__ = ["BAD_CHI", "BAD_ERROR", "BAD_FRAME", "FIT_ERROR", "NO_SOLUTION", "OTHER_FILTER", "VirtualATLAS"]

TOKEN = "ATLASFORCED_TOKEN"  # noqa: S105 - the name of a variable  # nosec B105
# Year of the queried positions, in the middle of the survey; the server takes one decimal of it.
MIDDLE_YEAR = 2020.5
# How far from it the epochs are.
HALF_SPAN_YEARS = 6.0
EXPTIME_S = 30.0

FILTERS = {"c": "atlas-c", "o": "atlas-o", "?": "atlas-other"}
FIT_ERROR, BAD_CHI, BAD_ERROR, OTHER_FILTER, NO_SOLUTION, BAD_FRAME = 1, 2, 4, 8, 16, 32
MAX_ERROR_UJY = 10000.0
# Faintest 5-sigma limit of an image without a photometric solution.
NO_DEPTH_MAG = 10.0
# Limits of good measurements, from the FAQ of the forced photometry server in 2026.
GOOD = {
    "x": (100, 10460),
    "y": (100, 10460),
    "maj": (1.6, 5),
    "min": (1.6, 5),
    "apfit": (-1, -0.1),
    "mag5sig": (17, np.inf),
    "Sky": (17, np.inf),
}
IMAGES = ("reduced", "difference")

COLUMNS = {
    "MJD": ("f8", "d", "modified Julian date, UTC, start of the exposure of 30 s"),
    "m": ("f8", "mag", "magnitude, AB; negative for a negative flux"),
    "dm": ("f8", "mag", "error of m"),
    "uJy": ("f8", "uJy", "flux, AB"),
    "duJy": ("f8", "uJy", "error of uJy"),
    "F": ("S4", "", "filter: c, o or another"),
    "err": ("i8", "", "error code of the fit, 0 if it is good"),
    "chi/N": ("f8", "", "reduced chi squared of the PSF fit"),
    "RA": ("f8", "deg", "right ascension at which the flux was measured"),
    "Dec": ("f8", "deg", "declination at which the flux was measured"),
    "x": ("f8", "pix", "place in the image"),
    "y": ("f8", "pix", "place in the image"),
    "maj": ("f8", "pix", "major axis of the PSF"),
    "min": ("f8", "pix", "minor axis of the PSF"),
    "phi": ("f8", "deg", "position angle of the PSF"),
    "apfit": ("f8", "mag", "aperture correction"),
    "mag5sig": ("f8", "mag", "5-sigma limiting magnitude"),
    "Sky": ("f8", "mag", "sky in a square arcsecond"),
    "Obs": ("S14", "", "image: camera, night, number and filter"),
}


class VirtualATLAS(NetworkObservatory):
    """Forced photometry of ATLAS; the module's docstring describes it.

    Parameters
    ----------
    **parameters
        Fields of `VirtualATLAS.Parameters`.
    """

    name = "ATLAS"
    service = "atlas"
    raw_schema = 1
    site = None
    filters = tuple(FILTERS.values())
    credentials = (TOKEN,)
    bad_flag_mask = FIT_ERROR | BAD_CHI | BAD_ERROR | OTHER_FILTER | NO_SOLUTION | BAD_FRAME
    columns = COLUMNS

    @dataclass(frozen=True)
    class Parameters(NetworkParameters):
        """Parameters of the requests to ATLAS and of the interpretation of its answers.

        Parameters
        ----------
        url : str
            URL of the server.
        images : str
            Images to measure: reduced or difference.
        mjd_min, mjd_max : float
            First and last requested time [MJD]; 0 for the last means now.
        send_proper_motion : bool
            Whether the server should follow the catalog's proper motion from the position in 2020.5; otherwise
            that position is measured. The server does not document whether its proper motion in right ascension
            includes the factor cos(dec); it is sent with the factor, as in catalogs.
        time_stamp : str
            Part of the exposure that ``MJD`` refers to: start, mid or end.
        max_chi_n : float
            Epochs with a higher ``chi/N`` are bad; for bright stars it is high even in good images.
        queue_timeout_s : float
            Maximum wait for the result of a source [s].
        poll_s : float
            Pause between checks of a task [s].
        timeout_s, retries, retry_wait_s, contact
            See `vo_lib.observatories.network.NetworkParameters`.
        """

        url: str = "https://fallingstar-data.com/forcedphot"
        images: str = "reduced"
        mjd_min: float = 57000.0
        mjd_max: float = 0.0
        send_proper_motion: bool = True
        time_stamp: str = "start"
        max_chi_n: float = 100.0
        queue_timeout_s: float = 7200.0
        poll_s: float = 10.0

        def __post_init__(self):
            NetworkParameters.__post_init__(self)
            check_url(self.url)
            check_choice(self, "images", IMAGES)
            check_choice(self, "time_stamp", STAMPS)
            check_period(self)
            check_range(self, "max_chi_n", 0.01, 1e9)
            check_range(self, "queue_timeout_s", 0.01, 604800)
            check_range(self, "poll_s", 0.01, 600)

    @property
    def time(self):
        """Time system of ``MJD``, set by the parameters."""
        return TimeSystem("utc", "observatory", self.pars.time_stamp, 2400000.5)

    @property
    def measures_change(self):
        """Whether difference images are measured."""
        return self.pars.images == "difference"

    @cached_property
    def _queue(self):
        """Client of the user's queue; the token is read with the first request."""
        from vo_lib.observatories.atlas_queue import AtlasQueue

        options = {name: getattr(self.pars, name) for name in ("queue_timeout_s", "poll_s")} | self._client_options
        return AtlasQueue(self.pars.url, read_secret(TOKEN), **options)

    def fetch_data_from_observatory(self, cat_row):
        """Request forced photometry at the source's position on all images; see the base class.

        Raises `ConfigError` without a token, as no source could then be answered.
        """
        form = self._form(cat_row)
        altdata = {"url": f"{self.pars.url}/queue/", "query": form}
        motion_deg = np.hypot(*proper_motion(cat_row)) / 3.6e6 * HALF_SPAN_YEARS
        read = partial(self._read, circle=(*position_at(cat_row, MIDDLE_YEAR), motion_deg))
        data = self._queue.measure(form, read=read)
        if data is None:
            return self.empty_table(), altdata | {"note": "the server says that it has no data"}
        return data, altdata

    def _form(self, cat_row):
        """Form of the request for a source."""
        motion = dict(zip(("propermotion_ra", "propermotion_dec"), proper_motion(cat_row), strict=True))
        moving = self.pars.send_proper_motion and any(motion.values())
        ra, dec = position_at(cat_row, MIDDLE_YEAR)
        form = {"ra": f"{round(ra, 7) % 360:.7f}", "dec": f"{dec:.7f}", "mjd_min": f"{self.pars.mjd_min:.5f}"}
        if self.pars.mjd_max:
            form["mjd_max"] = f"{self.pars.mjd_max:.5f}"
        if moving:
            form |= {name: f"{value:.4f}" for name, value in motion.items()}
            form["radec_epoch_year"] = f"{MIDDLE_YEAR:.1f}"
        return form | {"use_reduced": str(self.pars.images == "reduced"), "send_email": "False"}

    def _read(self, text, circle):
        """Parse the result for a position: words separated by white space below a header that begins with ``###``."""
        if text.startswith("###"):
            if not text.endswith("\n"):
                raise ServiceError("the last line of the answer has no end; the answer was cut off")
            text = "\n".join(",".join(line.split()) for line in text[3:].splitlines())
        return read_cone_answer(text, self.columns, *circle, names=("RA", "Dec"))

    def standardise(self, data, altdata):
        """Return the common columns of forced photometry, as one series; see the base class."""
        columns = {"time": "MJD", "ra": "RA", "dec": "Dec", "flux": "uJy", "fluxerr": "duJy"}
        codes = np.where(np.isin(data["F"], [b"c", b"o"]), data["F"], b"?")
        return {name: data[column].astype(np.float64) for name, column in columns.items()} | {
            "exptime": np.full(len(data), EXPTIME_S),
            "flag": self._flags(data, codes),
            "filter": label_filters(codes, FILTERS),
            "series": np.full(len(data), "forced"),
        }

    def _flags(self, data, codes):
        """Quality bits derived from the columns; a missing number is bad."""
        bits = {
            FIT_ERROR: data["err"] != 0,
            BAD_CHI: ~(data["chi/N"] <= self.pars.max_chi_n),
            BAD_ERROR: ~((data["duJy"] > 0) & (data["duJy"] < MAX_ERROR_UJY)),
            OTHER_FILTER: codes == b"?",
            NO_SOLUTION: ~(data["mag5sig"] >= NO_DEPTH_MAG),
            BAD_FRAME: ~np.all(
                [(data[name] > low) & (data[name] < high) for name, (low, high) in GOOD.items()], axis=0
            ),
        }
        return flag_bits(bits)
