"""Pan-STARRS1: single-exposure detections of data release 2 at MAST.

Service
    Table ``detection`` of the catalog service of the Mikulski Archive for Space Telescopes, one
    position per request, without a login. The cone search is on the positions of detections; some
    answers take minutes. For a source without detections the body is empty, but a server in trouble
    also sends an empty body, so the query is then repeated in JSON, where an empty list is explicit.
Limits
    Declination above about -30 degrees; five filters, g, r, i, z and y, from June 2009 to 2014,
    with about 12 visits in each. Detections only, no upper limits. Stars brighter than about 14 mag
    are saturated.
Times
    ``obsTime`` is the middle of the exposure in TAI, according to the archive's description of the table
    and its FAQ. No other column can confirm it, so the scale and the part of the exposure are parameters.
Fluxes
    PSF fluxes in Jy on the AB system; -999 stands for a missing number and is kept as sent.
Quality
    ``infoFlag`` has 32 bits of the photometry program; failed and poor PSF fits, saturated stars,
    defects and cosmic rays are bad. Two bits are added: ``2**32`` if less than ``min_psf_qf`` of the PSF
    lies on good pixels, ``2**33`` if ``infoFlag`` is missing.
Tried
    A local stand-in with invented detections. Neither the archive itself nor genuine detections, which could
    confirm ``obsTime`` and the bits of ``infoFlag``.
Reference
    Chambers et al. 2016, arXiv:1612.05560; Flewelling et al. 2020, ApJS 251, 7,
    doi:10.3847/1538-4365/abb82d. Cite both, acknowledge the Pan-STARRS1 Surveys and MAST.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from vo_lib.errors import ConfigError, ServiceError
from vo_lib.observatories.answer_text import shorten
from vo_lib.observatories.answers import read_cone_answer, read_json
from vo_lib.observatories.cat_row import cone_radius_deg, position_at
from vo_lib.observatories.epoch_columns import label_filters
from vo_lib.observatories.network import NetworkObservatory, NetworkParameters, check_url
from vo_lib.observatories.parameters import check_choice, check_range
from vo_lib.positions import offsets
from vo_lib.times import SCALES, STAMPS, TimeSystem

__all__ = ["LOW_PSF_QF", "NO_FLAG", "VirtualPanSTARRS"]

# Year of the queried positions, near the middle of the survey, and how far from it the epochs are.
MIDDLE_YEAR, HALF_SPAN_YEARS = 2012.0, 2.5
MAX_RADIUS_ARCSEC = 60.0
# Maximum number of rows to send; an answer with as many may be incomplete.
MAX_ROWS = 50000
MISSING = -999
UJY_PER_JY = 1e6

FILTERS = {str(number): f"panstarrs-{band}" for number, band in enumerate("grizy", start=1)}

# PM_SOURCE_MODE bits of the Image Processing Pipeline: FAIL, SATSTAR, BADPSF, DEFECT, SATURATED and CR_LIMIT.
BAD_BITS = 8 | 128 | 1024 | 2048 | 4096 | 8192
LOW_PSF_QF, NO_FLAG = 1 << 32, 1 << 33

COLUMNS = {
    "objID": ("i8", "", "object"),
    "detectID": ("i8", "", "detection"),
    "filterID": ("S4", "", "1 g, 2 r, 3 i, 4 z, 5 y"),
    "obsTime": ("f8", "d", "modified Julian date at mid-exposure, TAI"),
    "ra": ("f8", "deg", "right ascension of the detection, ICRS"),
    "dec": ("f8", "deg", "declination of the detection, ICRS"),
    "psfFlux": ("f8", "Jy", "flux from a PSF fit, AB"),
    "psfFluxErr": ("f8", "Jy", "error of psfFlux"),
    "psfMajorFWHM": ("f8", "arcsec", "major axis of the PSF"),
    "psfMinorFWHM": ("f8", "arcsec", "minor axis of the PSF"),
    "psfQfPerfect": ("f8", "", "part of the PSF, by weight, on pixels without any flaw"),
    "apFlux": ("f8", "Jy", "flux in an aperture, AB"),
    "apFluxErr": ("f8", "Jy", "error of apFlux"),
    "infoFlag": ("i8", "", "quality bits of the photometry"),
    "infoFlag2": ("i8", "", "more quality bits of the photometry"),
    "infoFlag3": ("i8", "", "quality bits of the calibration"),
    "zp": ("f8", "mag", "photometric zero point"),
    "airMass": ("f8", "", "airmass"),
    "expTime": ("f8", "s", "exposure time"),
}


class VirtualPanSTARRS(NetworkObservatory):
    """Single-exposure detections of Pan-STARRS1; the module's docstring describes them.

    Parameters
    ----------
    **parameters
        Fields of `VirtualPanSTARRS.Parameters`.
    """

    name = "PANSTARRS"
    service = "mast"
    raw_schema = 1
    site = (-156.2559, 20.7071, 3048.0)  # Haleakala, Pan-STARRS1
    filters = tuple(FILTERS.values())
    bad_flag_mask = BAD_BITS | LOW_PSF_QF | NO_FLAG
    columns = COLUMNS
    # The second is needed for a source without detections.
    requests_per_source = (1, 2)
    # Usual wait of clients for the detections in a circle.
    seconds_per_request = (10, 600)
    # About 12 visits in each of 5 filters.
    epochs_per_source = 12 * 5

    @dataclass(frozen=True)
    class Parameters(NetworkParameters):
        """Parameters of the requests for Pan-STARRS1 and of the interpretation of the answers.

        Parameters
        ----------
        url : str
            URL of the service, up to the release.
        release : str
            Data release; only dr2, as the first has no detections.
        radius_arcsec : float
            Radius around the position in 2012.0 [arcsec]; 2.5 years of proper motion are added.
        min_dec_deg : float
            Sources south of it have no data and are not requested [degrees].
        time_scale : str
            Scale of ``obsTime``: tai or utc.
        time_stamp : str
            Part of the exposure that ``obsTime`` refers to: start, mid or end.
        min_psf_qf : float
            Epochs with less of the PSF on good pixels are bad.
        timeout_s, retries, retry_wait_s, contact
            See `vo_lib.observatories.network.NetworkParameters`.
        """

        url: str = "https://catalogs.mast.stsci.edu/api/v0.1/panstarrs"
        release: str = "dr2"
        radius_arcsec: float = 2.0
        min_dec_deg: float = -31.0
        time_scale: str = "tai"
        time_stamp: str = "mid"
        min_psf_qf: float = 0.85

        def __post_init__(self):
            NetworkParameters.__post_init__(self)
            check_url(self.url)
            if self.release != "dr2":
                raise ConfigError(f"release must be dr2, the only one with detections, got '{self.release}'")
            check_choice(self, "time_scale", SCALES)
            check_choice(self, "time_stamp", STAMPS)
            check_range(self, "radius_arcsec", 0.1, MAX_RADIUS_ARCSEC)
            check_range(self, "min_dec_deg", -90, 90)
            check_range(self, "min_psf_qf", 0, 1)

    @property
    def time(self):
        """Time system of ``obsTime``, set by the parameters."""
        return TimeSystem(self.pars.time_scale, "observatory", self.pars.time_stamp, 2400000.5)

    def fetch_data_from_observatory(self, cat_row):
        """Fetch all detections around the source's position; see the base class."""
        ra, dec = position_at(cat_row, MIDDLE_YEAR)
        if dec < self.pars.min_dec_deg:
            return self.empty_table(), {"note": f"not asked for: south of {self.pars.min_dec_deg:g} deg"}
        radius_deg = cone_radius_deg(cat_row, self.pars.radius_arcsec, HALF_SPAN_YEARS, MAX_RADIUS_ARCSEC)
        query = {
            "ra": f"{round(ra, 7) % 360:.7f}",
            "dec": f"{dec:.7f}",
            "radius": f"{radius_deg:.7f}",
            "columns": f"[{','.join(self.columns)}]",
            "pagesize": str(MAX_ROWS),
        }
        url = f"{self.pars.url}/{self.pars.release}/detection"
        data = self._client.get(f"{url}.csv", query, read=partial(self._read, circle=(ra, dec, radius_deg)))
        if data is None:
            data = self._client.get(f"{url}.json", query, read=self._read_nothing)
        return data, {"url": f"{url}.csv", "query": query, "separation_arcsec": _separations(data, ra, dec)}

    def _read(self, text, circle):
        """Table of an answer in CSV, or None for an empty body, which is ambiguous."""
        if not text.strip():
            return None
        data = read_cone_answer(text, self.columns, *circle)
        if len(data) >= MAX_ROWS:
            raise ServiceError(
                f"the answer has {MAX_ROWS} rows, the most that it can have; set a smaller radius_arcsec"
            )
        return data

    def _read_nothing(self, text):
        """Empty table; raise unless an answer in JSON says that there are no rows."""
        answer = read_json(text)
        if not (isinstance(answer, dict) and isinstance(answer.get("data"), list) and answer.get("info")):
            raise ServiceError(f"the answer is not a table but '{shorten(text)}'")
        if answer["data"]:
            raise ServiceError(f"the answer in CSV was empty, though there are {len(answer['data'])} rows")
        return self.empty_table()

    def standardise(self, data, altdata):
        """Return the common columns of detections, with one series per object; see the base class."""
        return {
            "time": _number(data["obsTime"]),
            "exptime": _number(data["expTime"]),
            "ra": _number(data["ra"]),
            "dec": _number(data["dec"]),
            "flux": _number(data["psfFlux"]) * UJY_PER_JY,
            "fluxerr": _number(data["psfFluxErr"]) * UJY_PER_JY,
            "flag": self._flags(data),
            "filter": label_filters(data["filterID"], FILTERS),
            "series": data["objID"].astype(np.int64),
        }

    def _flags(self, data):
        """The survey's own bits and the two bits added here."""
        known = data["infoFlag"] != MISSING
        low = ~(data["psfQfPerfect"] >= self.pars.min_psf_qf)
        return np.where(known, data["infoFlag"] & 0xFFFFFFFF, NO_FLAG) | np.where(low, LOW_PSF_QF, 0)


def _number(values):
    """Numbers, with NaN for missing ones."""
    return np.where(values == MISSING, np.nan, values).astype(np.float64)


def _separations(data, ra, dec):
    """Distance of each object's median position from a given position [arcsec]."""
    east, north = offsets(data["ra"], data["dec"], ra, dec)
    found = {}
    for obj in np.unique(data["objID"]).tolist():
        own = data["objID"] == obj
        found[str(obj)] = round(float(np.hypot(np.median(east[own]), np.median(north[own]))), 4)
    return found
