"""Zwicky Transient Facility: lightcurves of the public data releases at IRSA.

Service
    ``nph_light_curves`` of the NASA/IPAC Infrared Science Archive, without a login. Objects of the
    reference catalog inside the circle are sent with all their epochs. By the route ``objects`` a TAP
    query of ``ztf_objects_drNN`` lists them and their epochs are asked for by number, which takes 5
    to 60 s; by the route ``position`` the service finds them itself, which takes some 3 minutes. Both
    give the same table, which is sorted by object, time and exposure. Beside the table are the listed
    objects, each with the number of epochs that were sent (``n_epochs``). One without any, though the
    release has good epochs of it (``ngoodobsrel``), makes an answer incomplete, which is a failure;
    ``ngoodobs`` may count epochs that are not public. Only the five newest releases are served. How
    the service answers by position for another one was not seen; TAP has no table of it.
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
    Stars saturate between 12.5 and 13 mag; epochs brighter than 12.5 are marked as saturated.
Tried
    A genuine answer of 2021 for one position (1,852 epochs of five objects) is read and reduced; its ``hjd``
    confirms what ``mjd`` is. Routes, objects and errors are those of a local stand-in. The archive itself was not
    asked.
Reference
    Masci et al. 2019, PASP 131, 018003, doi:10.1088/1538-3873/aae8ac. Cite it and acknowledge the
    Zwicky Transient Facility (AST-1440341, AST-2034437) and IRSA.
"""

import re
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np

from vo_lib.errors import ConfigError, ServiceError
from vo_lib.observatories.answers import read_cone_answer, read_csv_answer
from vo_lib.observatories.base import (
    check_choice,
    check_range,
    label_filters,
    motion_arcsec,
    number_of,
    position_at,
)
from vo_lib.observatories.network import NetworkObservatory, NetworkParameters, check_url
from vo_lib.observatories.tap import cone_query
from vo_lib.times import TimeSystem

__all__ = ["VirtualZTF"]

# Year that positions are moved to, near the middle of the survey, and how far from it epochs are.
MIDDLE_YEAR, HALF_SPAN_YEARS = 2021.0, 3.0
MAX_RADIUS_ARCSEC = 600.0
ROUTES = ("objects", "position")
# By route: requests of a source, one without objects and one with some, and seconds of a request in September 2026.
REQUESTS = {"objects": (1, 2), "position": (1, 1)}
SECONDS = {"objects": (5, 60), "position": (170, 210)}
# 20 characters each make an address of 6000, below the 8000 that web servers take.
MAX_IDS = 300

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

# What is asked of the table of objects.
OBJECT_COLUMNS = {
    "oid": ("i8", "", "object"),
    "ra": ("f8", "deg", "right ascension, ICRS"),
    "dec": ("f8", "deg", "declination, ICRS"),
    "filtercode": ("S2", "", "zg, zr or zi"),
    "field": ("i8", "", "field on the sky"),
    "ccdid": ("S4", "", "CCD"),
    "qid": ("S4", "", "quadrant of the CCD"),
    "ngoodobs": ("i8", "", "good epochs"),
    "ngoodobsrel": ("i8", "", "good epochs in the release"),
}


class VirtualZTF(NetworkObservatory):
    """Lightcurves from a public data release of ZTF; see the module for what they are.

    Parameters
    ----------
    **parameters
        Fields of `VirtualZTF.Parameters`.
    """

    name = "ZTF"
    service = "irsa"
    raw_schema = 1
    time = TimeSystem("utc", "observatory", "start", 2400000.5)
    site = (-116.8650, 33.3563, 1712.0)  # Palomar Observatory, Samuel Oschin Telescope
    filters = tuple(FILTERS.values())
    bad_flag_mask = 32768
    saturation_mag = MappingProxyType(dict.fromkeys(FILTERS.values(), 12.5))
    columns = COLUMNS
    # WD J0000+5123, a white dwarf of five objects, had 1,852 epochs in November 2021.
    epochs_per_source = 1852

    @dataclass(frozen=True)
    class Parameters(NetworkParameters):
        """How ZTF is asked.

        Parameters
        ----------
        url : str
            Address of the service of lightcurves.
        tap_url : str
            Address of synchronous TAP queries.
        route : str
            How objects are found: objects (by TAP, faster) or position (by the service of lightcurves).
        ids_per_request : int
            Objects in one request for epochs; for the route objects.
        release : str
            Public data release; pinned, so that the same request gives the same data.
        radius_arcsec : float
            Radius around the position in 2021.0 [arcsec]; 3 years of proper motion are added.
        min_dec_deg : float
            Sources south of it have no data and are not asked for [degrees].
        faintest_mag : float or None
            Sources with a fainter magnitude in the catalog are not asked for [mag]; None asks for all.
        timeout_s, retries, retry_wait_s, contact
            See `vo_lib.observatories.network.NetworkParameters`.
        """

        url: str = "https://irsa.ipac.caltech.edu/cgi-bin/ZTF/nph_light_curves"
        tap_url: str = "https://irsa.ipac.caltech.edu/TAP/sync"
        route: str = "objects"
        ids_per_request: int = 100
        release: str = "ztf_dr24"
        radius_arcsec: float = 2.0
        min_dec_deg: float = -31.0
        faintest_mag: float | None = None

        def __post_init__(self):
            NetworkParameters.__post_init__(self)
            check_url(self.url)
            check_url(self.tap_url)
            check_choice(self, "route", ROUTES)
            check_range(self, "ids_per_request", 1, MAX_IDS)
            if not re.fullmatch(r"ztf_dr\d+", self.release):
                raise ConfigError(f"release must be a public one such as ztf_dr24, got '{self.release}'")
            check_range(self, "radius_arcsec", 0.1, MAX_RADIUS_ARCSEC)
            check_range(self, "min_dec_deg", -90, 90)
            if self.faintest_mag is not None:
                check_range(self, "faintest_mag", 0, 30)

    @property
    def requests_per_source(self):
        """Least and most requests of a source, by the route."""
        return REQUESTS[self.pars.route]

    @property
    def seconds_per_request(self):
        """Least and most time of a request, by the route."""
        return SECONDS[self.pars.route]

    def fetch_data_from_observatory(self, cat_row):
        """Ask for all objects around the source's position; see the base class."""
        ra, dec = position_at(cat_row, MIDDLE_YEAR)
        if dec < self.pars.min_dec_deg:
            return self.empty_table(), {"note": f"not asked for: south of {self.pars.min_dec_deg:g} deg"}
        if self.pars.faintest_mag is not None and (number_of(cat_row, "mag") or 0.0) > self.pars.faintest_mag:
            return self.empty_table(), {"note": f"not asked for: fainter than {self.pars.faintest_mag:g} mag"}
        fetch = self._fetch_by_objects if self.pars.route == "objects" else self._fetch_by_position
        data, altdata = fetch(ra, dec, self._radius_deg(cat_row))
        return data[np.lexsort((data["expid"], data["mjd"], data["oid"]))], altdata

    def _fetch_by_position(self, ra, dec, radius_deg):
        """Epochs of the objects that the service finds inside a circle, and what was asked."""
        query = {"POS": f"CIRCLE {round(ra, 7) % 360:.7f} {dec:.7f} {radius_deg:.7f}"} | self._collection
        read = partial(read_cone_answer, columns=self.columns, ra=ra, dec=dec, radius_deg=radius_deg)
        data = self._client.get(self.pars.url, query, read=read)
        return data, {"url": self.pars.url, "query": query}

    def _fetch_by_objects(self, ra, dec, radius_deg):
        """Epochs of the objects that TAP lists inside a circle, and what was asked."""
        objects, asked = self._list_objects(ra, dec, radius_deg)
        if not len(objects):
            return self.empty_table(), asked | {"note": "no object in the circle"}
        step = self.pars.ids_per_request
        parts = [self._fetch_epochs(objects[start : start + step]) for start in range(0, len(objects), step)]
        data = _join(parts)
        asked |= {"objects": _describe(objects, data), "url": self.pars.url, "query": self._collection}
        return data, asked

    @property
    def _collection(self):
        """Parameters that all requests for epochs have."""
        return {"COLLECTION": self.pars.release, "FORMAT": "CSV"}

    def _list_objects(self, ra, dec, radius_deg):
        """Objects inside a circle, sorted by number, and what was asked."""
        table = f"ztf_objects_{self.pars.release.removeprefix('ztf_')}"
        form = cone_query(table, OBJECT_COLUMNS, ra, dec, radius_deg)
        objects = self._client.post(self.pars.tap_url, form, read=partial(_read_objects, circle=(ra, dec, radius_deg)))
        if objects is None:
            raise ServiceError(
                f"release {self.pars.release} is not served (any more): {self.pars.tap_url} has no table {table}; "
                f"set release to a newer one"
            )
        _, first = np.unique(objects["oid"], return_index=True)
        return objects[first], {"tap_url": self.pars.tap_url, "tap_query": form}

    def _fetch_epochs(self, objects):
        """Epochs of some objects by their numbers."""
        query = {"ID": objects["oid"].astype(str).tolist()} | self._collection
        return self._client.get(self.pars.url, query, read=partial(_read_epochs, objects=objects))

    def _radius_deg(self, cat_row):
        """Radius of the circle: at the ends of the survey a moving star is off its middle position."""
        motion = motion_arcsec(cat_row, HALF_SPAN_YEARS)
        return min(self.pars.radius_arcsec + motion, MAX_RADIUS_ARCSEC) / 3600

    def standardise(self, data, altdata):
        """Common columns of ZTF epochs, a series for each object; see the base class."""
        columns = {name: data[name].astype(np.float64) for name in ("mag", "magerr", "exptime", "ra", "dec")}
        _, first, which = np.unique(data["oid"], return_index=True, return_inverse=True)
        return columns | {
            "time": data["mjd"].astype(np.float64),
            "flag": data["catflags"].astype(np.int64),
            "filter": label_filters(data["filtercode"], FILTERS),
            "series": data["oid"].astype(np.int64),
            "readout": _readouts(data[first])[which],
        }


def _readouts(data):
    """Field, CCD and quadrant of each object as text, such as ``686-16-4``."""
    parts = zip(*(data[name].tolist() for name in ("field", "ccdid", "qid")), strict=True)
    return np.array([f"{field}-{_decimal(ccd)}-{_decimal(quadrant)}" for field, ccd, quadrant in parts], dtype=str)


def _decimal(text):
    """Decimal text of hexadecimal or decimal one; any other as it is."""
    text = text.decode(errors="replace")
    try:
        return str(int(text, 16)) if text.lower().startswith("0x") else text.lstrip("0") or "0"
    except ValueError:
        return text


def _read_objects(text, circle):
    """Objects that TAP lists in a circle, or None if it does not know the table."""
    if text.lstrip().startswith("<") and "unknown table" in text.lower():
        return None
    return read_cone_answer(text, OBJECT_COLUMNS, *circle)


def _read_epochs(text, objects):
    """Epochs of the objects that were asked for; raise unless all are there of which the release has good ones."""
    data = read_csv_answer(text, COLUMNS)
    if (other := np.setdiff1d(data["oid"], objects["oid"])).size:
        raise ServiceError(f"the answer has epochs of object {other[0]}, which was not asked for")
    due = objects[objects["ngoodobsrel"] > 0]
    if (lost := due[~np.isin(due["oid"], data["oid"])]).size:
        raise ServiceError(
            f"the answer is not complete: {len(lost)} of {len(objects)} objects have no epochs; the first is "
            f"{lost['oid'][0]}, of which the release has {lost['ngoodobsrel'][0]} good ones"
        )
    return data


def _join(parts):
    """Epochs of several answers in one table."""
    try:
        return np.concatenate(parts)
    except TypeError:
        raise ServiceError("the answers to two requests have different columns; run again later") from None


def _describe(objects, data):
    """Listed objects as JSON, the 64-bit number as text, each with the number of its epochs that were sent."""
    oids, counts = np.unique(data["oid"], return_counts=True)
    sent = dict(zip(oids.tolist(), counts.tolist(), strict=True))
    names = objects.dtype.names
    rows = [dict(zip(names, row, strict=True)) for row in objects.tolist()]
    return [
        {name: value.decode() if isinstance(value, bytes) else value for name, value in row.items()}
        | {"oid": str(row["oid"]), "n_epochs": sent.get(row["oid"], 0)}
        for row in rows
    ]
