"""Zwicky Transient Facility: lightcurves of the public data releases at IRSA.

Service
    ``nph_light_curves`` of the NASA/IPAC Infrared Science Archive, without a login. It sends all epochs of
    the objects of the reference catalog inside the circle. With the route ``objects``, a TAP query of
    ``ztf_objects_drNN`` lists the objects, and their epochs are requested by number, which takes 5 to 60 s;
    with the route ``position``, the service finds the objects itself, which takes about 3 minutes. Both give
    the same table, sorted by object, time and exposure. The metadata have the listed objects, each with the
    number of epochs that were sent (``n_epochs``). If an object has none, although the release has good
    epochs of it (``ngoodobsrel``), the answer is incomplete, which is a failure; ``ngoodobs`` may count
    epochs that are not public. Only the five newest releases are served. How the service answers a query by
    position for another release is not known; TAP has no table for it.
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
    Stars saturate between 12.5 and 13 mag; epochs brighter than 12.5 mag are marked as saturated.
Tried
    A genuine answer of 2021 for one position (1,852 epochs of five objects) is read and reduced; its ``hjd``
    confirms the meaning of ``mjd``. Routes, objects and errors are those of a local stand-in. The archive itself
    was not queried.
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
from vo_lib.observatories.cat_row import cone_radius_deg, number_of, position_at
from vo_lib.observatories.epoch_columns import label_filters
from vo_lib.observatories.network import NetworkObservatory, NetworkParameters, check_url
from vo_lib.observatories.parameters import check_choice, check_range
from vo_lib.observatories.tap import cone_query
from vo_lib.times import TimeSystem

__all__ = ["VirtualZTF"]

# Year of the queried positions, near the middle of the survey, and how far from it the epochs are.
MIDDLE_YEAR, HALF_SPAN_YEARS = 2021.0, 3.0
MAX_RADIUS_ARCSEC = 600.0
ROUTES = ("objects", "position")
# By route: requests for a source without and with objects, and seconds per request as of September 2026.
REQUESTS = {"objects": (1, 2), "position": (1, 1)}
SECONDS = {"objects": (5, 60), "position": (170, 210)}
# At 20 characters each they make a URL of 6000 characters, below the limit of 8000 of web servers.
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

# Columns to select from the table of objects.
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
    """Lightcurves from a public data release of ZTF; the module's docstring describes them.

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
        """Parameters of the requests for ZTF.

        Parameters
        ----------
        url : str
            URL of the lightcurve service.
        tap_url : str
            URL for synchronous TAP queries.
        route : str
            How objects are found: objects (by TAP, faster) or position (by the lightcurve service).
        ids_per_request : int
            Number of objects in one request for epochs, for the route objects.
        release : str
            Public data release; fixed, so that the same request gives the same data.
        radius_arcsec : float
            Radius around the position in 2021.0 [arcsec]; 3 years of proper motion are added.
        min_dec_deg : float
            Sources south of it have no data and are not requested [degrees].
        faintest_mag : float or None
            Sources with a fainter magnitude in the catalog are not requested [mag]; None for no limit.
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
        """Minimum and maximum number of requests per source, which depend on the route."""
        return REQUESTS[self.pars.route]

    @property
    def seconds_per_request(self):
        """Minimum and maximum time of a request [s], which depend on the route."""
        return SECONDS[self.pars.route]

    def fetch_data_from_observatory(self, cat_row):
        """Fetch the epochs of all objects around the source's position; see the base class."""
        ra, dec = position_at(cat_row, MIDDLE_YEAR)
        if dec < self.pars.min_dec_deg:
            return self.empty_table(), {"note": f"not asked for: south of {self.pars.min_dec_deg:g} deg"}
        if self.pars.faintest_mag is not None and (number_of(cat_row, "mag") or 0.0) > self.pars.faintest_mag:
            return self.empty_table(), {"note": f"not asked for: fainter than {self.pars.faintest_mag:g} mag"}
        fetch = self._fetch_by_objects if self.pars.route == "objects" else self._fetch_by_position
        radius_deg = cone_radius_deg(cat_row, self.pars.radius_arcsec, HALF_SPAN_YEARS, MAX_RADIUS_ARCSEC)
        data, altdata = fetch(ra, dec, radius_deg)
        return data[np.lexsort((data["expid"], data["mjd"], data["oid"]))], altdata

    def _fetch_by_position(self, ra, dec, radius_deg):
        """Epochs of the objects that the service finds inside a circle, and the query."""
        query = {"POS": f"CIRCLE {round(ra, 7) % 360:.7f} {dec:.7f} {radius_deg:.7f}"} | self._collection
        read = partial(read_cone_answer, columns=self.columns, ra=ra, dec=dec, radius_deg=radius_deg)
        data = self._client.get(self.pars.url, query, read=read)
        return data, {"url": self.pars.url, "query": query}

    def _fetch_by_objects(self, ra, dec, radius_deg):
        """Epochs of the objects that TAP lists inside a circle, and the queries."""
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
        """Parameters of all requests for epochs."""
        return {"COLLECTION": self.pars.release, "FORMAT": "CSV"}

    def _list_objects(self, ra, dec, radius_deg):
        """Objects inside a circle, sorted by number, and the query."""
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
        """Epochs of objects, requested by number."""
        query = {"ID": objects["oid"].astype(str).tolist()} | self._collection
        return self._client.get(self.pars.url, query, read=partial(_read_epochs, objects=objects))

    def standardise(self, data, altdata):
        """Return the common columns of ZTF epochs, with one series per object; see the base class."""
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
    """Field, CCD and quadrant of each object as text such as ``686-16-4``."""
    parts = zip(*(data[name].tolist() for name in ("field", "ccdid", "qid")), strict=True)
    return np.array([f"{field}-{_decimal(ccd)}-{_decimal(quadrant)}" for field, ccd, quadrant in parts], dtype=str)


def _decimal(text):
    """Convert a hexadecimal or decimal text to a decimal one; leave any other text unchanged."""
    text = text.decode(errors="replace")
    try:
        return str(int(text, 16)) if text.lower().startswith("0x") else text.lstrip("0") or "0"
    except ValueError:
        return text


def _read_objects(text, circle):
    """Objects that TAP lists in a circle, or None if the table does not exist."""
    if text.lstrip().startswith("<") and "unknown table" in text.lower():
        return None
    return read_cone_answer(text, OBJECT_COLUMNS, *circle)


def _read_epochs(text, objects):
    """Epochs of the requested objects; raise if one lacks epochs although the release has good ones."""
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
    """Listed objects as JSON, with the 64-bit number as text and the number of epochs that were sent of each."""
    oids, counts = np.unique(data["oid"], return_counts=True)
    sent = dict(zip(oids.tolist(), counts.tolist(), strict=True))
    names = objects.dtype.names
    rows = [dict(zip(names, row, strict=True)) for row in objects.tolist()]
    return [
        {name: value.decode() if isinstance(value, bytes) else value for name, value in row.items()}
        | {"oid": str(row["oid"]), "n_epochs": sent.get(row["oid"], 0)}
        for row in rows
    ]
