"""Zwicky Transient Facility: forced photometry on difference images, from its service at IPAC.

Service
    The ZTF Forced Photometry Service, for registered users. Environment variables, or files of mode
    600 that the same names with ``_FILE`` name, have the user's ZTF_FORCED_EMAIL and ZTF_FORCED_USERPASS
    and the user and password of the site itself, ZTF_FORCED_USER and ZTF_FORCED_PASSWORD, which stand
    in its user guide. A source is a job in a queue, for minutes to hours; jobs and results are kept for
    some 30 days. A position that is in the user's list of jobs already is not submitted again, so a run
    that was stopped, or that waited for ``queue_timeout_s`` in vain, goes on where it was: with a short
    one and ``download.max_consecutive_failures`` 0, one run submits all positions and a later one collects
    the results. The page with the list may be an hour behind; a job that was submitted within
    that time by another run is not seen and is submitted twice.
Limits
    Declination above about -31 degrees; filters g, r and i since 2018-03-17. Every difference image gives
    an epoch, whether or not the source is seen; those of other programs than the public one are sent to
    members of them alone. The position is that of the source in 2021.0 for all epochs: a star that moves
    by more than some 0.2 arcsec a year loses flux at both ends of the survey.
Times
    ``jd`` is the start of the exposure by the column's description. That it is UTC is taken from the
    survey's other products, and the part of the exposure is a parameter.
Fluxes
    With ``flux`` difference, the change of the flux since the reference image, of either sign, as an AB
    flux: 23.9 - ``zpdiff`` is the magnitude that makes DN into microjansky. A change has no catalog
    magnitude to be compared with. With total, the flux of the nearest source in the reference image is
    added, if it is within ``max_ref_arcsec``; other epochs have no flux. Both errors are
    added in quadrature. The error of the difference may have the noise of the reference image already, so
    that this is an upper limit; and the source in the reference image is all that is there, a host galaxy
    too. Offsets between readouts and a baseline other than zero are left as they are.
Quality
    Bits made from the columns: 1 ``procstatus`` has a code other than 0, 56 and 57; 2 it has 56, bad
    pixels; 4 ``infobitssci`` is ``bad_infobits`` or more; 8 ``scisigpix`` is above ``max_scisigpix``; 16
    ``sciinpseeing`` is above ``max_seeing_arcsec``, each of the three also if it is missing; 32 flux or error
    is missing, or the error not positive; 64 there is no source in the reference image, by
    ``procstatus`` 57 or, for total fluxes, by ``max_ref_arcsec``. All but the last are bad, which says
    nothing against the difference. The limits are taken to be those of the user guide.
    An epoch in which nothing is seen stays an epoch with its flux and error; ``diffmaglim`` is in the
    raw data.
Tried
    A local stand-in with invented results, made from the user guide, for all of it. Neither the service itself
    nor a genuine result, by which limits, start of the exposure and errors could be confirmed.
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

from vo_lib.errors import ConfigError
from vo_lib.observatories.base import add_columns, check_choice, check_range, flag_bits, label_filters, position_at
from vo_lib.observatories.credentials import mask, read_secret
from vo_lib.observatories.network import NetworkObservatory, NetworkParameters, check_url
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
# Year that positions are moved to, near the middle of the survey.
MIDDLE_YEAR = 2021.0
# Start of the survey, 2018-03-17; the service moves earlier starts there.
FIRST_MJD = 58194.0
# How much earlier than today a job may end that is taken instead of a new one [days].
REUSE_DAYS = 7.0
MJD_UNIX = 40587

FILTERS = {f"ZTF_{band}": f"ztf_forced-{band}" for band in "gri"}
FLUXES = ("difference", "total")
BAD_STATUS, BAD_PIXELS, BAD_IMAGE, NOISY_IMAGE, BAD_SEEING, NO_FLUX, NO_REFERENCE = (1 << bit for bit in range(7))
# What codes of procstatus mean for an epoch; all others are bad.
STATUS_BITS = {"0": 0, "56": BAD_PIXELS, "57": NO_REFERENCE}

COLUMNS = RESULT | {
    "ra": ("f8", "deg", "right ascension at which the flux was measured"),
    "dec": ("f8", "deg", "declination at which the flux was measured"),
}


class VirtualZTFForced(NetworkObservatory):
    """Forced photometry of ZTF; see the module for what it is.

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
        """How the service is asked and its answers are understood.

        Parameters
        ----------
        url : str
            Address of the service.
        mjd_min, mjd_max : float
            First and last time that is asked for [MJD]; a last one of 0 is the start of today (UTC), for
            which a job in the list that ends up to 7 days earlier will do, so that a run that is
            repeated on another day finds its jobs.
        min_dec_deg : float
            Sources south of it have no data and are not asked for [degrees].
        flux : str
            What the flux is: difference or total.
        max_ref_arcsec : float
            Farthest that the source in the reference image may be for total fluxes [arcsec].
        time_stamp : str
            Part of the exposure that ``jd`` is: start, mid or end.
        bad_infobits : int
            Epochs with this or a higher ``infobitssci`` are bad.
        max_scisigpix : float
            Epochs with a higher ``scisigpix`` are bad [DN].
        max_seeing_arcsec : float
            Epochs with a higher ``sciinpseeing`` are bad [arcsec].
        queue_timeout_s : float
            Longest wait for the result of a source [s].
        poll_s : float
            Pause between two looks at the list of jobs [s].
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
            check_range(self, "mjd_min", FIRST_MJD, 100000)
            check_range(self, "mjd_max", 0, 100000)
            if 0 < self.mjd_max <= self.mjd_min:
                raise ConfigError(f"mjd_max must be 0 or later than mjd_min, got {self.mjd_max:g}")
            check_range(self, "min_dec_deg", -90, 90)
            check_range(self, "max_ref_arcsec", 0, 5)
            check_range(self, "bad_infobits", 1, 2**32)
            check_range(self, "max_scisigpix", 0.01, 1e9)
            check_range(self, "max_seeing_arcsec", 0.01, 1e9)
            check_range(self, "queue_timeout_s", 0.01, 604800)
            check_range(self, "poll_s", 0.01, 600)

    @property
    def time(self):
        """What ``jd`` means, by the parameters."""
        return TimeSystem("utc", "observatory", self.pars.time_stamp, 0.0)

    @property
    def measures_change(self):
        """Whether fluxes are those of difference images alone."""
        return self.pars.flux == "difference"

    @cached_property
    def _queue(self):
        """The user's queue; the credentials are read when something is asked."""
        from vo_lib.observatories.ztf_forced_queue import ForcedQueue

        options = {name: getattr(self.pars, name) for name in ("queue_timeout_s", "poll_s")} | self._client_options
        email, userpass, user, password = map(read_secret, CREDENTIALS)
        return ForcedQueue(self.pars.url, site=(user, password), user={"email": email, "userpass": userpass}, **options)

    def fetch_data_from_observatory(self, cat_row):
        """Have the source's position measured on all difference images; see the base class.

        Raises `ConfigError` without credentials: then no source has an answer.
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
        """First and last time that is asked for [JD]."""
        last = self.pars.mjd_max or time.time() // 86400 + MJD_UNIX
        return {"jdstart": self.pars.mjd_min + MJD_ZERO_JD, "jdend": last + MJD_ZERO_JD}

    def standardise(self, data, altdata):
        """Common columns of forced photometry, a series for each readout; see the base class."""
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
        """Fluxes and their errors [microjansky]; NaN where something that is needed is missing."""
        ujy_per_dn, _ = flux_from_mag(data["zpdiff"], 0.0)
        flux, fluxerr = data["forcediffimflux"] * ujy_per_dn, data["forcediffimfluxunc"] * ujy_per_dn
        if self.pars.flux == "difference":
            return flux, fluxerr
        reference, reference_err = flux_from_mag(data["nearestrefmag"], data["nearestrefmagunc"])
        near = self._has_reference(data)
        return np.where(near, flux + reference, np.nan), np.where(near, np.hypot(fluxerr, reference_err), np.nan)

    def _has_reference(self, data):
        """Mask of the epochs whose source is in the reference image."""
        return data["dnearestrefsrc"] <= self.pars.max_ref_arcsec

    def _flags(self, data, flux, fluxerr):
        """Quality bits made from the columns; a missing number is bad."""
        bits = {
            BAD_IMAGE: ~(data["infobitssci"] < self.pars.bad_infobits),
            NOISY_IMAGE: ~(data["scisigpix"] <= self.pars.max_scisigpix),
            BAD_SEEING: ~(data["sciinpseeing"] <= self.pars.max_seeing_arcsec),
            NO_FLUX: ~(np.isfinite(flux) & (fluxerr > 0) & np.isfinite(fluxerr)),
            NO_REFERENCE: ~self._has_reference(data) & (self.pars.flux == "total"),
        }
        return flag_bits(bits) | _status_bits(data["procstatus"])


def _status_bits(texts):
    """Quality bits of the codes of the processing, of which an epoch may have several."""
    unique, which = np.unique(texts, return_inverse=True)
    bits = np.zeros(len(unique), np.int64)
    for number, text in enumerate(unique.tolist()):
        for code in re.split(r"[,;]", text.decode()):
            bits[number] |= STATUS_BITS.get(code, BAD_STATUS)
    return bits[which]


def _readouts(data):
    """Field, CCD and quadrant of each epoch as text, such as ``686-16-4``."""
    numbers = (data["field"] * 100 + data["ccdid"]) * 10 + data["qid"]
    _, first, which = np.unique(numbers, return_index=True, return_inverse=True)
    parts = zip(*(data[name][first].tolist() for name in ("field", "ccdid", "qid")), strict=True)
    return np.array(["-".join(map(str, part)) for part in parts], dtype=str)[which]
