"""Zwicky Transient Facility: forced photometry on difference images, from its service at IPAC.

Service
    The ZTF Forced Photometry Service, for registered users. It needs the user's ZTF_FORCED_EMAIL and
    ZTF_FORCED_USERPASS, and the user and password of the site itself, ZTF_FORCED_USER and
    ZTF_FORCED_PASSWORD, which are in its user guide. Set these environment variables, or set the same names
    with ``_FILE`` to files of mode 600. Each source is a job in a queue, which takes minutes to hours; jobs
    and results are kept for about 30 days. A position that is already in the user's list of jobs is not
    submitted again, so a run that was stopped, or that exceeded ``queue_timeout_s``, continues where it was:
    with a short timeout and ``download.max_consecutive_failures`` 0, one run submits all positions and a
    later one collects the results. The page with the list may be an hour behind; a job that another run
    submitted within that time is not seen and is submitted twice.
Limits
    Declination above about -31 degrees; filters g, r and i since 2018-03-17. Every difference image gives
    an epoch, whether or not the source is detected; images of programs other than the public one are
    available only to their members. All epochs are measured at the source's position in 2021.0: a star that
    moves by more than about 0.2 arcsec a year loses flux at both ends of the survey.
Times
    ``jd`` is the start of the exposure according to the column's description. UTC is assumed from the
    survey's other products, and the part of the exposure is a parameter.
Fluxes
    With ``flux: difference``, the change of the flux since the reference image, of either sign, on the AB
    system: 23.9 - ``zpdiff`` is the magnitude that converts DN to microjansky. A change is not compared with
    a catalog magnitude. With ``flux: total``, the flux of the nearest source in the reference image is added,
    if it is within ``max_ref_arcsec``; other epochs have no flux. The two errors are added in quadrature.
    The error of the difference may already include the noise of the reference image, so the sum is an upper
    limit; and the source in the reference image includes everything at that position, such as a host galaxy.
    Offsets between readouts and a non-zero baseline are not corrected.
Quality
    Bits derived from the columns: 1 ``procstatus`` has a code other than 0, 56 and 57; 2 it has 56, bad
    pixels; 4 ``infobitssci`` is at least ``bad_infobits``; 8 ``scisigpix`` is above ``max_scisigpix``; 16
    ``sciinpseeing`` is above ``max_seeing_arcsec`` (a missing value sets each of these three); 32 flux or
    error is missing, or the error is not positive; 64 there is no source in the reference image, by
    ``procstatus`` 57 or, for total fluxes, by ``max_ref_arcsec``. All but the last are bad; the last does not
    affect the difference. The limits are assumed to be those of the user guide.
    An epoch without a detection remains an epoch with its flux and error; ``diffmaglim`` is in the raw data.
Tried
    A local stand-in with invented results, made from the user guide, for all of it. Neither the service itself
    nor a genuine result, which could confirm the limits, the part of the exposure and the errors.
Reference
    Masci et al. 2023, arXiv:2305.16279; Masci et al. 2019, PASP 131, 018003, doi:10.1088/1538-3873/aae8ac.
    Cite both and acknowledge the Zwicky Transient Facility (AST-1440341, AST-2034437) and, for the
    service, the Heising-Simons Foundation, grant 12540303.
"""

import re
import time
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from vo_lib.observatories.cat_row import position_at
from vo_lib.observatories.credentials import mask, read_secret
from vo_lib.observatories.epoch_columns import add_columns, flag_bits, label_filters
from vo_lib.observatories.network import NetworkObservatory, NetworkParameters, check_period, check_url
from vo_lib.observatories.parameters import check_choice, check_range
from vo_lib.observatories.ztf import VirtualZTF
from vo_lib.observatories.ztf_forced_answers import RESULT, read_result
from vo_lib.photometry import flux_from_mag
from vo_lib.times import MJD_ZERO_JD, STAMPS, TimeSystem

__all__ = [
    "BAD_IMAGE",
    "BAD_PIXELS",
    "BAD_SEEING",
    "BAD_STATUS",
    "NOISY_IMAGE",
    "NO_FLUX",
    "NO_REFERENCE",
    "VirtualZTFForced",
]

CREDENTIALS = ("ZTF_FORCED_EMAIL", "ZTF_FORCED_USERPASS", "ZTF_FORCED_USER", "ZTF_FORCED_PASSWORD")
# Year of the queried positions, near the middle of the survey.
MIDDLE_YEAR = 2021.0
# Start of the survey, 2018-03-17; the service replaces earlier starts by it.
FIRST_MJD = 58194.0
# An existing job may end this much before today and still be used instead of a new one [days].
REUSE_DAYS = 7.0
MJD_UNIX = 40587

FILTERS = {f"ZTF_{band}": f"ztf_forced-{band}" for band in "gri"}
FLUXES = ("difference", "total")
BAD_STATUS, BAD_PIXELS, BAD_IMAGE, NOISY_IMAGE, BAD_SEEING, NO_FLUX, NO_REFERENCE = (1 << bit for bit in range(7))
# Bits of the codes in procstatus; all other codes are bad.
STATUS_BITS = {"0": 0, "56": BAD_PIXELS, "57": NO_REFERENCE}

COLUMNS = RESULT | {
    "ra": ("f8", "deg", "right ascension at which the flux was measured"),
    "dec": ("f8", "deg", "declination at which the flux was measured"),
}


class VirtualZTFForced(NetworkObservatory):
    """Forced photometry of ZTF; the module's docstring describes it.

    Parameters
    ----------
    **parameters
        Fields of `VirtualZTFForced.Parameters`.
    """

    name = "ZTF_FORCED"
    service = "zfps"
    raw_schema = 1
    site = VirtualZTF.site
    filters = tuple(FILTERS.values())
    bad_flag_mask = BAD_STATUS | BAD_PIXELS | BAD_IMAGE | NOISY_IMAGE | BAD_SEEING | NO_FLUX
    credentials = CREDENTIALS
    columns = COLUMNS

    @dataclass(frozen=True)
    class Parameters(NetworkParameters):
        """Parameters of the requests to the service and of the interpretation of its answers.

        Parameters
        ----------
        url : str
            URL of the service.
        mjd_min, mjd_max : float
            First and last requested time [MJD]; 0 for the last means the start of today (UTC). A job in the
            list that ends up to 7 days earlier is then accepted, so that a run that is repeated on another
            day finds its jobs.
        min_dec_deg : float
            Sources south of it have no data and are not requested [degrees].
        flux : str
            Kind of flux: difference or total.
        max_ref_arcsec : float
            Maximum distance of the source in the reference image, for total fluxes [arcsec].
        time_stamp : str
            Part of the exposure that ``jd`` refers to: start, mid or end.
        bad_infobits : int
            Epochs with this or a higher ``infobitssci`` are bad.
        max_scisigpix : float
            Epochs with a higher ``scisigpix`` are bad [DN].
        max_seeing_arcsec : float
            Epochs with a higher ``sciinpseeing`` are bad [arcsec].
        queue_timeout_s : float
            Maximum wait for the result of a source [s].
        poll_s : float
            Pause between requests for the list of jobs [s].
        timeout_s, retries, retry_wait_s, contact
            See `vo_lib.observatories.network.NetworkParameters`.
        """

        url: str = "https://ztfweb.ipac.caltech.edu"
        mjd_min: float = FIRST_MJD
        mjd_max: float = 0.0
        min_dec_deg: float = -31.0
        flux: str = "difference"
        max_ref_arcsec: float = 1.0
        time_stamp: str = "start"
        bad_infobits: int = 33554432
        max_scisigpix: float = 25.0
        max_seeing_arcsec: float = 4.0
        queue_timeout_s: float = 14400.0
        poll_s: float = 60.0

        def __post_init__(self):
            NetworkParameters.__post_init__(self)
            check_url(self.url)
            check_choice(self, "flux", FLUXES)
            check_choice(self, "time_stamp", STAMPS)
            check_period(self, FIRST_MJD)
            check_range(self, "min_dec_deg", -90, 90)
            check_range(self, "max_ref_arcsec", 0, 5)
            check_range(self, "bad_infobits", 1, 2**32)
            check_range(self, "max_scisigpix", 0.01, 1e9)
            check_range(self, "max_seeing_arcsec", 0.01, 1e9)
            check_range(self, "queue_timeout_s", 0.01, 604800)
            check_range(self, "poll_s", 0.01, 600)

    @property
    def time(self):
        """Time system of ``jd``, set by the parameters."""
        return TimeSystem("utc", "observatory", self.pars.time_stamp, 0.0)

    @property
    def measures_change(self):
        """Whether fluxes are from difference images alone."""
        return self.pars.flux == "difference"

    @cached_property
    def _queue(self):
        """Client of the user's queue; the credentials are read with the first request."""
        from vo_lib.observatories.ztf_forced_queue import ForcedQueue

        options = {name: getattr(self.pars, name) for name in ("queue_timeout_s", "poll_s")} | self._client_options
        email, userpass, user, password = map(read_secret, CREDENTIALS)
        return ForcedQueue(self.pars.url, site=(user, password), user={"email": email, "userpass": userpass}, **options)

    def fetch_data_from_observatory(self, cat_row):
        """Request forced photometry at the source's position on all difference images; see the base class.

        Raises `ConfigError` without credentials, as no source could then be answered.
        """
        ra, dec = position_at(cat_row, MIDDLE_YEAR)
        if dec < self.pars.min_dec_deg:
            return self.empty_table(), {"note": f"not asked for: south of {self.pars.min_dec_deg:g} deg"}
        place = {"ra": round(float(ra), 7) % 360, "dec": round(float(dec), 7)} | self._span()
        read = partial(read_result, ra=place["ra"], dec=place["dec"])
        result, job = self._queue.measure(place, read=read, reuse_days=0.0 if self.pars.mjd_max else REUSE_DAYS)
        altdata = {"url": self.pars.url, "query": place, "job": job}
        if result is None:
            return self.empty_table(), altdata
        data, comments = result
        return add_columns(data, ra=place["ra"], dec=place["dec"]), altdata | {"comments": list(map(mask, comments))}

    def _span(self):
        """First and last requested time [JD]."""
        last = self.pars.mjd_max or time.time() // 86400 + MJD_UNIX
        return {"jdstart": self.pars.mjd_min + MJD_ZERO_JD, "jdend": last + MJD_ZERO_JD}

    def standardise(self, data, altdata):
        """Return the common columns of forced photometry, with one series per readout; see the base class."""
        columns = {"time": "jd", "exptime": "exptime", "ra": "ra", "dec": "dec"}
        flux, fluxerr = self._fluxes(data)
        return {name: data[column].astype(np.float64) for name, column in columns.items()} | {
            "flux": flux,
            "fluxerr": fluxerr,
            "flag": self._flags(data, flux, fluxerr),
            "filter": label_filters(data["filter"], FILTERS),
            "series": _readouts(data),
        }

    def _fluxes(self, data):
        """Fluxes and their errors [microjansky]; NaN if a value needed for them is missing."""
        ujy_per_dn, _ = flux_from_mag(data["zpdiff"], 0.0)
        flux, fluxerr = data["forcediffimflux"] * ujy_per_dn, data["forcediffimfluxunc"] * ujy_per_dn
        if self.pars.flux == "difference":
            return flux, fluxerr
        reference, reference_err = flux_from_mag(data["nearestrefmag"], data["nearestrefmagunc"])
        near = self._has_reference(data)
        return np.where(near, flux + reference, np.nan), np.where(near, np.hypot(fluxerr, reference_err), np.nan)

    def _has_reference(self, data):
        """Mask of the epochs with a source in the reference image."""
        return data["dnearestrefsrc"] <= self.pars.max_ref_arcsec

    def _flags(self, data, flux, fluxerr):
        """Quality bits derived from the columns; a missing number is bad."""
        bits = {
            BAD_IMAGE: ~(data["infobitssci"] < self.pars.bad_infobits),
            NOISY_IMAGE: ~(data["scisigpix"] <= self.pars.max_scisigpix),
            BAD_SEEING: ~(data["sciinpseeing"] <= self.pars.max_seeing_arcsec),
            NO_FLUX: ~(np.isfinite(flux) & (fluxerr > 0) & np.isfinite(fluxerr)),
            NO_REFERENCE: ~self._has_reference(data) & (self.pars.flux == "total"),
        }
        return flag_bits(bits) | _status_bits(data["procstatus"])


def _status_bits(texts):
    """Quality bits for the processing codes, of which an epoch may have several."""
    unique, which = np.unique(texts, return_inverse=True)
    bits = np.zeros(len(unique), np.int64)
    for number, text in enumerate(unique.tolist()):
        for code in re.split(r"[,;]", text.decode()):
            bits[number] |= STATUS_BITS.get(code, BAD_STATUS)
    return bits[which]


def _readouts(data):
    """Field, CCD and quadrant of each epoch as text such as ``686-16-4``."""
    numbers = (data["field"] * 100 + data["ccdid"]) * 10 + data["qid"]
    _, first, which = np.unique(numbers, return_index=True, return_inverse=True)
    parts = zip(*(data[name][first].tolist() for name in ("field", "ccdid", "qid")), strict=True)
    return np.array(["-".join(map(str, part)) for part in parts], dtype=str)[which]
