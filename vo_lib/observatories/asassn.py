"""ASAS-SN: photometry of the All-Sky Automated Survey for Supernovae, from Sky Patrol 2.

Service
    Plain HTTP without a login: first the targets in a circle around the position in 2018.0, then their
    lightcurves from one of several servers, see `vo_lib.observatories.asassn_patrol`. Answers are parquet, which
    needs pyarrow. The nearest target is taken; ``altdata`` has its distance, the number of targets in the circle
    and the number of epochs of the other targets. A source without a target has no data. Most targets seem to be
    stars of ATLAS REFCAT2 at their Gaia positions of 2015.5, which is not confirmed, so the circle is widened by
    2.5 years of proper motion.
Limits
    All sky; V from 2012 to 2018 down to about 17 mag, g since 2017 down to 18.5 mag. Pixels are 8 arcsec wide and
    the aperture has a radius of two pixels, so the flux includes neighbours within 16 arcsec. Stars brighter than
    about 11 mag are saturated. No limit on requests is published.
Times
    ``jd`` is documented as UTC. Whether it refers to the observatory or, as in Sky Patrol 1, to the Sun, and to
    which part of the exposures, is not documented: ``time_scale``, ``time_reference`` and ``time_stamp`` are
    parameters. An epoch is usually the sum of three dithered exposures of 90 s. The actual number is not sent, so
    ``exptime_s`` is a parameter too; its default of 270 s excludes readout (the mean number of exposures is 2.7).
    The five stations share the table, so times are taken to be at the geocentre, which is off by at most 21 ms.
Fluxes
    mJy, from an aperture on the difference from a reference image, with the flux in the reference image added;
    converted to uJy. In g, fluxes are on the AB system (16.40 mag for 1 mJy in the service's examples). In V, the
    zero point of the examples is 3836 Jy for a Vega magnitude (16.46 mag for 1 mJy), so a V flux read as AB is
    0.06 mag brighter than the survey's own magnitude; it is left as sent.
Non-detections
    ``mag_err`` is above 99 and ``mag`` is not a measurement; ``limit``, the magnitude of five times the flux error,
    stays in the raw table. Such an epoch is kept with a bit of its own and is not bad: by construction its flux is
    measured like any other, and leaving out faint epochs would make a faint source look brighter. The documentation
    does not rule out that ``flux`` is a limit there too; if ``non_detection_flux`` is false, it becomes NaN, as does
    any missing number. An epoch without ``mag_err`` counts as a non-detection.
Quality
    Bits derived from the columns: 1 ``quality`` is not G (B is bad, anything else unknown), 2 non-detection,
    4 a camera whose filter is unknown (the filter becomes ``asassn-other``), 8 no usable flux and error,
    16 brighter than ``bright_mag``. All but 2 are bad.
Tried
    A local stand-in with invented targets and measurements, in genuine parquet. Neither the service itself nor
    genuine measurements, which could confirm the time scale, the place and the part of the exposures.
Reference
    Shappee et al. 2014, ApJ 788, 48, doi:10.1088/0004-637X/788/1/48; Kochanek et al. 2017, PASP 129, 104502,
    doi:10.1088/1538-3873/aa80d9; Hart et al. 2023, arXiv:2304.03791. Cite all three.
"""

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from vo_lib.errors import ServiceError
from vo_lib.observatories.cat_row import motion_arcsec, position_at
from vo_lib.observatories.epoch_columns import add_columns, flag_bits, label_filters
from vo_lib.observatories.network import NetworkObservatory, NetworkParameters, check_url
from vo_lib.observatories.parameters import check_choice, check_range
from vo_lib.observatories.parquet_answers import check_pyarrow, read_parquet_answer
from vo_lib.positions import offsets
from vo_lib.times import REFERENCES, SCALES, STAMPS, TimeSystem

__all__ = ["BAD_QUALITY", "BRIGHT", "NON_DETECTION", "NO_FLUX", "OTHER_CAMERA", "VirtualASASSN"]

# Year of the queried positions, near the middle of the survey, and how far from it the epoch of the targets is.
MIDDLE_YEAR, TARGET_YEARS = 2018.0, 2.5
# A larger magnitude error marks a non-detection.
MAX_MAG_ERR = 99.0
# Resolution of Julian dates in 32-bit floats [days].
COARSE_DAYS = 0.25
UJY_PER_MJY = 1e3

# Cameras as listed in the released client (skypatrol 0.6.21); names are case-sensitive.
V_CAMERAS = tuple("b" + letter for letter in "abcdefgh")
G_CAMERAS = (*("b" + letter for letter in "ABCDEFGHijklmnopqrst"), "cB")
FILTERS = dict.fromkeys(V_CAMERAS, "asassn-v") | dict.fromkeys(G_CAMERAS, "asassn-g") | {"?": "asassn-other"}
BAD_QUALITY, NON_DETECTION, OTHER_CAMERA, NO_FLUX, BRIGHT = 1, 2, 4, 8, 16

SENT = {
    "asas_sn_id": ("i8", "", "target"),
    "jd": ("f8", "d", "Julian date, UTC; see the module for its uncertainties"),
    "flux": ("f8", "mJy", "flux of the source, reference and difference"),
    "flux_err": ("f8", "mJy", "error of flux"),
    "mag": ("f8", "mag", "magnitude, AB in g and Vega in V"),
    "mag_err": ("f8", "mag", "error of mag; above 99 for a non-detection"),
    "limit": ("f8", "mag", "magnitude of five errors of the flux"),
    "fwhm": ("f8", "pix", "width of the PSF"),
    "image_id": ("S8", "", "image: camera and number"),
    "camera": ("S2", "", "camera, which has one filter"),
    "quality": ("S1", "", "G for a good image, B for a bad one"),
}
COLUMNS = SENT | {
    "target_ra": ("f8", "deg", "right ascension at which the flux was measured, ICRS"),
    "target_dec": ("f8", "deg", "declination at which the flux was measured, ICRS"),
}


class VirtualASASSN(NetworkObservatory):
    """Photometry of ASAS-SN; the module's docstring describes it.

    Parameters
    ----------
    **parameters
        Fields of `VirtualASASSN.Parameters`.
    """

    name = "ASASSN"
    service = "sky_patrol"
    raw_schema = 1
    site = None
    filters = tuple(dict.fromkeys(FILTERS.values()))
    bad_flag_mask = BAD_QUALITY | OTHER_CAMERA | NO_FLUX | BRIGHT
    columns = COLUMNS
    # The second fetches the epochs, if there is a target.
    requests_per_source = (1, 2)

    @dataclass(frozen=True)
    class Parameters(NetworkParameters):
        """Parameters of the requests to Sky Patrol and of the interpretation of its answers.

        Parameters
        ----------
        url : str
            URL of the server of targets; the lightcurve servers use the same port.
        radius_arcsec : float
            Radius around the position in 2018.0 within which the nearest target is taken [arcsec];
            2.5 years of proper motion are added.
        time_scale : str
            Scale of ``jd``: utc, tai, tt, tdb or tcb.
        time_reference : str
            Place that ``jd`` refers to: observatory, geocentre, heliocentre or barycentre.
        time_stamp : str
            Part of the exposures that ``jd`` refers to: start, mid or end.
        exptime_s : float
            Exposure time of an epoch, which is not sent [s].
        non_detection_flux : bool
            Whether to use the flux of a non-detection; otherwise it becomes NaN.
        bright_mag : float
            Brighter epochs are bad, as they may be saturated [mag].
        timeout_s, retries, retry_wait_s, contact
            See `vo_lib.observatories.network.NetworkParameters`.
        """

        url: str = "http://asassn-lb01.ifa.hawaii.edu:9006"
        radius_arcsec: float = 5.0
        time_scale: str = "utc"
        time_reference: str = "observatory"
        time_stamp: str = "mid"
        exptime_s: float = 270.0
        non_detection_flux: bool = True
        bright_mag: float = 11.0

        def __post_init__(self):
            NetworkParameters.__post_init__(self)
            check_url(self.url)
            check_choice(self, "time_scale", SCALES)
            check_choice(self, "time_reference", REFERENCES)
            check_choice(self, "time_stamp", STAMPS)
            check_range(self, "radius_arcsec", 0.1, 60)
            check_range(self, "exptime_s", 1, 3600)
            check_range(self, "bright_mag", 0, 30)

    @property
    def time(self):
        """Time system of ``jd``, set by the parameters."""
        return TimeSystem(self.pars.time_scale, self.pars.time_reference, self.pars.time_stamp, 0.0)

    @cached_property
    def _patrol(self):
        """Client of the servers; its libraries are imported only with the first request."""
        check_pyarrow(self.name)
        from vo_lib.observatories.asassn_patrol import SkyPatrol

        return SkyPatrol(self.pars.url, **self._client_options)

    def fetch_data_from_observatory(self, cat_row):
        """Find the nearest target and fetch its epochs; see the base class.

        Raises `ConfigError` without pyarrow, as no source could then be answered.
        """
        place, radius = position_at(cat_row, MIDDLE_YEAR), self._radius_arcsec(cat_row)
        question, targets = self._patrol.find(*place, radius / 3600)
        asked = {"url": self.pars.url, "query": question}
        if not len(targets):
            return self.empty_table(), asked | {"note": f"no target within {radius:g} arcsec"}
        target, match = _nearest(targets, *place, radius)
        read = partial(_read_epochs, targets=targets["asas_sn_id"])
        epochs, server = self._patrol.fetch_lightcurves(question, read=read)
        own = epochs["asas_sn_id"] == target["asas_sn_id"]
        asked |= {"server": server, "match": match, "n_epochs_of_others": int((~own).sum())}
        if not own.any():
            return self.empty_table(), asked | {"note": "the target has no epochs"}
        return add_columns(epochs[own], target_ra=target["ra_deg"], target_dec=target["dec_deg"]), asked

    def _radius_arcsec(self, cat_row):
        """Radius of the circle, wide enough for a moving star, whose target is not at its position in 2018.0."""
        return round(float(self.pars.radius_arcsec + motion_arcsec(cat_row, TARGET_YEARS)), 3)

    def standardise(self, data, altdata):
        """Return the common columns of ASAS-SN epochs, with one series per camera; see the base class."""
        cameras = np.where(np.isin(data["camera"], [camera.encode() for camera in FILTERS]), data["camera"], b"?")
        undetected = ~(data["mag_err"] <= MAX_MAG_ERR)
        flux = np.where(undetected & (not self.pars.non_detection_flux), np.nan, data["flux"]) * UJY_PER_MJY
        fluxerr = data["flux_err"] * UJY_PER_MJY
        bits = {
            BAD_QUALITY: data["quality"] != b"G",
            NON_DETECTION: undetected,
            OTHER_CAMERA: cameras == b"?",
            NO_FLUX: ~(np.isfinite(flux) & np.isfinite(fluxerr) & (fluxerr > 0)),
            BRIGHT: data["mag"] < self.pars.bright_mag,
        }
        return {
            "time": data["jd"].astype(np.float64),
            "exptime": np.full(len(data), self.pars.exptime_s),
            "ra": data["target_ra"].astype(np.float64),
            "dec": data["target_dec"].astype(np.float64),
            "flux": flux,
            "fluxerr": fluxerr,
            "flag": flag_bits(bits),
            "filter": label_filters(cameras, FILTERS),
            "series": np.char.decode(np.where(data["camera"] == b"", b"?", data["camera"]), "utf-8"),
        }


def _nearest(targets, ra, dec, radius):
    """Target nearest to a position, and a description of the match as JSON, with 64-bit numbers as text."""
    distance = np.hypot(*offsets(targets["ra_deg"], targets["dec_deg"], ra, dec))
    # The service may compute and round distances differently.
    if not (distance <= radius * 1.01 + 0.01).all():
        raise ServiceError(
            f"the answer has a target {distance.max():.2f} arcsec away, though {radius:g} were asked for; "
            f"run again later"
        )
    best = int(np.argmin(distance))
    match = {
        "asas_sn_id": str(targets["asas_sn_id"][best]),
        "separation_arcsec": round(float(distance[best]), 4),
        "n_in_circle": len(targets),
    }
    return targets[best], match


def _read_epochs(body, *, targets):
    """Table of the epochs of the requested targets."""
    epochs = read_parquet_answer(body, SENT)
    if not np.isin(epochs["asas_sn_id"], targets).all():
        raise ServiceError("the answer has epochs of targets that were not asked for")
    if len(epochs) and not (epochs["jd"] % COARSE_DAYS).any():
        raise ServiceError("the answer has times in single precision, which are good to a quarter of a day")
    return epochs
