"""Zwicky Transient Facility: lightcurves of the public data releases at IRSA.

Service
    ``nph_light_curves`` of the NASA/IPAC Infrared Science Archive, one position per request, without
    a login. A request takes minutes, several at once are of little use. Only the five newest
    releases are served. Objects of the reference catalog inside the circle are sent with all
    their epochs; a source without any gives a header line alone.
Limits
    Declination above about -31 degrees; point sources between about 12.5 and 21 mag; filters g, r
    and i since March 2018. Detections only, no upper limits. Circles of at most 600 arcsec.
Times
    ``mjd`` is the start of the exposure, ``hjd`` its middle at the Sun; both are UTC.
Fluxes
    AB magnitudes on the system of Pan-STARRS1, for sources of g - r = 0. Objects of one star in
    different fields differ by up to 0.03 mag.
Quality
    ``catflags``: bit 15 (32768) marks epochs with clouds or moonlight that must not be used; lower
    bits are those of the image mask at the source. All epochs are fetched, none is filtered out.
Reference
    Masci et al. 2019, PASP 131, 018003, doi:10.1088/1538-3873/aae8ac. Cite it and acknowledge the
    Zwicky Transient Facility (AST-1440341, AST-2034437) and IRSA.
"""

import re
from dataclasses import dataclass
from functools import partial

import numpy as np

from vo_lib.errors import ConfigError
from vo_lib.observatories.answers import read_csv_answer
from vo_lib.observatories.base import check_range, label_filters, position_at, to_text
from vo_lib.observatories.network import NetworkObservatory, NetworkParameters, check_url
from vo_lib.times import TimeSystem

__all__ = ["VirtualZTF"]

# Year that positions are moved to, near the middle of the survey, and how far from it epochs are.
MIDDLE_YEAR, HALF_SPAN_YEARS = 2021.0, 3.0
MAX_RADIUS_ARCSEC = 600.0

FILTERS = {"zg": "ztf-g", "zr": "ztf-r", "zi": "ztf-i"}

COLUMNS = {
    "oid": ("i8", "", "object: one for each star, field, CCD quadrant and filter"),
    "expid": ("i8", "", "exposure"),
    "hjd": ("f8", "d", "heliocentric Julian date, mid-exposure, UTC; may be NaN"),
    "mjd": ("f8", "d", "modified Julian date at the start of the exposure, UTC, topocentric"),
    "mag": ("f8", "mag", "magnitude from a PSF fit, AB"),
    "magerr": ("f8", "mag", "error of mag, with a floor for repeatability"),
    "catflags": ("i8", "", "quality bits; 32768 and above: do not use"),
    "filtercode": ("S2", "", "zg, zr or zi"),
    "ra": ("f8", "deg", "right ascension measured at this epoch, ICRS"),
    "dec": ("f8", "deg", "declination measured at this epoch, ICRS"),
    "chi": ("f8", "", "chi of the PSF fit"),
    "sharp": ("f8", "", "sharpness of the PSF fit"),
    "filefracday": ("i8", "", "date and fraction of the day, as in names of image files"),
    "field": ("i8", "", "field on the sky"),
    "ccdid": ("S4", "", "CCD, hexadecimal or decimal text"),
    "qid": ("S4", "", "quadrant of the CCD, hexadecimal or decimal text"),
    "limitmag": ("f8", "mag", "5-sigma limiting magnitude"),
    "magzp": ("f8", "mag", "photometric zero point"),
    "magzprms": ("f8", "mag", "scatter of the zero point"),
    "clrcoeff": ("f8", "", "linear colour coefficient"),
    "clrcounc": ("f8", "", "error of the colour coefficient"),
    "exptime": ("f8", "s", "exposure time"),
    "airmass": ("f8", "", "airmass"),
    "programid": ("i8", "", "1 public survey, 2 partnership, 3 Caltech"),
}


class VirtualZTF(NetworkObservatory):
    """Lightcurves from a public data release of ZTF; see the module for what they are.

    Parameters
    ----------
    **parameters
        Fields of `VirtualZTF.Parameters`.
    """

    name = "ZTF"
    raw_schema = 1
    time = TimeSystem("utc", "observatory", "start", 2400000.5)
    site = (-116.8650, 33.3563, 1712.0)  # Palomar Observatory, Samuel Oschin Telescope
    filters = tuple(FILTERS.values())
    bad_flag_mask = 32768
    columns = COLUMNS

    @dataclass(frozen=True)
    class Parameters(NetworkParameters):
        """How ZTF is asked.

        Parameters
        ----------
        url : str
            Address of the service.
        release : str
            Public data release; pinned, so that the same request gives the same data.
        radius_arcsec : float
            Radius around the position in 2021.0 [arcsec]; 3 years of proper motion are added.
        min_dec_deg : float
            Sources south of it have no data and are not asked for [degrees].
        timeout_s, retries, retry_wait_s, contact
            See `vo_lib.observatories.network.NetworkParameters`.
        """

        url: str = "https://irsa.ipac.caltech.edu/cgi-bin/ZTF/nph_light_curves"
        release: str = "ztf_dr24"
        radius_arcsec: float = 2.0
        min_dec_deg: float = -31.0

        def __post_init__(self):
            NetworkParameters.__post_init__(self)
            check_url(self.url)
            if not re.fullmatch(r"ztf_dr\d+", self.release):
                raise ConfigError(f"release must be a public one such as ztf_dr24, got '{self.release}'")
            check_range(self, "radius_arcsec", 0.1, MAX_RADIUS_ARCSEC)
            check_range(self, "min_dec_deg", -90, 90)

    def fetch_data_from_observatory(self, cat_row):
        """Ask for all objects around the source's position; see the base class."""
        ra, dec = position_at(cat_row, MIDDLE_YEAR)
        if dec < self.pars.min_dec_deg:
            return self.empty_table(), {"note": f"not asked for: south of {self.pars.min_dec_deg:g} deg"}
        query = {
            "POS": f"CIRCLE {round(ra, 7) % 360:.7f} {dec:.7f} {self._radius_deg(cat_row):.7f}",
            "COLLECTION": self.pars.release,
            "FORMAT": "CSV",
        }
        data = self._client.get(self.pars.url, query, read=partial(read_csv_answer, columns=self.columns))
        return data, {"url": self.pars.url, "query": query}

    def _radius_deg(self, cat_row):
        """Radius of the circle: at the ends of the survey a moving star is off its middle position."""
        motion = np.hypot(*(cat_row.get(name) or 0.0 for name in ("pmra", "pmdec"))) / 1000 * HALF_SPAN_YEARS
        return min(self.pars.radius_arcsec + motion, MAX_RADIUS_ARCSEC) / 3600

    def standardise(self, data, altdata):
        """Common columns of ZTF epochs, a series for each object; see the base class."""
        columns = {name: data[name].astype(np.float64) for name in ("mag", "magerr", "exptime", "ra", "dec")}
        return columns | {
            "time": data["mjd"].astype(np.float64),
            "flag": data["catflags"].astype(np.int64),
            "filter": label_filters(data["filtercode"], FILTERS),
            "series": to_text(data["oid"]),
        }
