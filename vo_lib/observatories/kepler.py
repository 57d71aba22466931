"""Kepler and K2: lightcurves of their targets, at MAST.

Service
    The portal of MAST, without a login: observations around the position, their products, and all
    lightcurve files of the nearest target within ``radius_arcsec``, one per quarter or campaign (three
    per quarter at short cadence). The target, its distance and the difference of magnitudes are in the
    metadata; no target is rejected for its magnitude at this stage.
Limits
    Kepler: about 200,000 targets in one field of 115 square degrees at RA 290.7, Dec +44.5 from 2009
    to 2013. K2: about 400,000 targets in fields along the ecliptic from 2014 to 2018. Most are between
    magnitudes 8 and 18. Pixels are 4 arcsec wide.
Times
    ``TIME`` is BJD - 2454833 in TDB at the middle of the exposure; files with another time system are
    rejected. The UTC of a reduced lightcurve refers to the geocentre. The spacecraft, on an orbit of its own
    around the Sun, was up to 1 au away, so its own clock may differ by minutes. Light is collected for
    1625.3 s of 1765.5 s at long cadence and for 54.2 s of 58.8 s at short cadence.
Fluxes
    Electrons per second. Magnitude Kp 12 corresponds to 174,000 of them (Kepler Instrument Handbook,
    KSCI-19033-002), so one electron per second is Kp 25.1. This is published to no better than 0.1 mag and
    is a parameter. Kp was derived from magnitudes in the SDSS system (Brown et al. 2011, AJ 142, 112) and
    is taken as AB.
Quality
    ``SAP_QUALITY``, bits as in the Kepler Archive Manual: 1 attitude tweak, 2 safe mode, 4 coarse
    point, 8 Earth point, 16 zero crossing, 32 desaturation, 64 argabrightening, 128 cosmic ray in the
    aperture, 256 manual exclude, 1024 sensitivity drop, 2048 impulsive outlier, 4096 argabrightening
    on a CCD, 8192 cosmic ray elsewhere, 16384 detector anomaly, 32768 no fine point, 65536 no data,
    131072 and 262144 rolling band, 524288 possible and 1048576 certain thruster firing. Presets (those
    of lightkurve): default 1130799, hard 1664431, hardest any of these bits. The bit ``2**32`` is added
    to the flag of epochs that the chosen preset rejects.
Tried
    A local stand-in with invented lightcurves, in the format of genuine ones. Neither MAST itself nor a genuine
    file of Kepler or K2.
Reference
    Borucki et al. 2010, Science 327, 977, doi:10.1126/science.1185402; Howell et al. 2014, PASP 126, 398,
    doi:10.1086/676406. Cite them and the lightcurves, doi:10.17909/T9488N (Kepler) and
    doi:10.17909/T9WS3R (K2).
"""

import re
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from vo_lib.errors import ConfigError
from vo_lib.observatories.cat_row import number_of, position_at
from vo_lib.observatories.lightcurve_files import TABLE, LightcurveFileObservatory, LightcurveFileParameters
from vo_lib.observatories.mast_portal import IDENTIFIER, NUMBER, TEXT
from vo_lib.positions import offsets
from vo_lib.times import TimeSystem

__all__ = ["VirtualKepler"]

CATALOG_EPOCH = 2000.0
CADENCES = {"long": "llc", "short": "slc"}
# Names of targets, as observations of targets begin; other observations are images of the whole field.
_OBSERVATION = {"obsid": (IDENTIFIER,), "obs_id": (TEXT, None), "s_ra": (NUMBER,), "s_dec": (NUMBER,)}
TARGET = re.compile(r"(kplr|ktwo)\d{9}")

KEYWORDS = {
    "KEPLERID": ("i8", "", "number in the Kepler (KIC) or K2 (EPIC) input catalog"),
    "QUARTER": ("i8", "", "quarter of Kepler, -1 for K2"),
    "CAMPAIGN": ("i8", "", "campaign of K2, -1 for Kepler"),
    "CHANNEL": ("i8", "", "channel of the camera"),
    "RA_OBJ": ("f8", "deg", "right ascension of the target in 2000.0, ICRS"),
    "DEC_OBJ": ("f8", "deg", "declination of the target in 2000.0, ICRS"),
    "PMRA": ("f8", "arcsec / yr", "proper motion in right ascension times cos(dec)"),
    "PMDEC": ("f8", "arcsec / yr", "proper motion in declination"),
    "KEPMAG": ("f8", "mag", "magnitude of the target, Kp"),
    "CROWDSAP": ("f8", "", "share of the target in the flux of the aperture"),
    "FLFRCSAP": ("f8", "", "share of the target's flux that is in the aperture"),
    "INT_TIME": ("f8", "s", "time of light in one frame"),
    "NUM_FRM": ("i8", "", "frames in one epoch"),
}


class VirtualKepler(LightcurveFileObservatory):
    """Lightcurves of Kepler and K2 targets at MAST; the module's docstring describes them.

    Parameters
    ----------
    **parameters
        Fields of `VirtualKepler.Parameters`.
    """

    name = "KEPLER"
    service = "mast"
    raw_schema = 1
    time = TimeSystem("tdb", "barycentre", "mid", 2454833.0)
    filters = ("kepler-kp",)
    columns = TABLE | {"SAP_QUALITY": ("i8", "", "quality bits")} | KEYWORDS
    keywords = KEYWORDS
    optional = frozenset({"QUARTER", "CAMPAIGN", "CHANNEL", "PMRA", "PMDEC", "KEPMAG", "CROWDSAP", "FLFRCSAP"})
    quality_column = "SAP_QUALITY"
    identity = ("KEPLERID", "QUARTER", "CAMPAIGN")
    mas_per_motion = 1000.0

    @dataclass(frozen=True)
    class Parameters(LightcurveFileParameters):
        """Parameters of the requests for Kepler and K2, and of the selection of data.

        Parameters
        ----------
        zero_point_mag : float
            Kp of one electron per second [mag].
        cadence : str
            ``long`` (29.4 minutes) or ``short`` (58.8 s).
        radius_arcsec, flux, quality, url, download_url, timeout_s, retries, retry_wait_s, contact
            See `vo_lib.observatories.lightcurve_files.LightcurveFileParameters`.
        """

        zero_point_mag: float = 25.1
        cadence: str = "long"

        presets: ClassVar[dict] = {"none": 0, "default": 1130799, "hard": 1664431, "hardest": 2096639}

        def __post_init__(self):
            LightcurveFileParameters.__post_init__(self)
            if self.cadence not in CADENCES:
                raise ConfigError(f"cadence must be long or short, got '{self.cadence}'")

    def fetch_data_from_observatory(self, cat_row):
        """Query the observations, then their products, and download the files; see the base class."""
        target = self._find_target(cat_row)
        if target is None:
            return self.empty_table(), {"note": f"no target within {self.pars.radius_arcsec:g} arcsec"}
        files = self._find_files(target)
        number = int(target["name"][4:])
        data = self._join([self._download(uri, partial(self._read, KEPLERID=number)) for uri in files])
        mag = number_of(cat_row, "mag")
        known = mag is not None and len(data) and np.isfinite(data["KEPMAG"][0])
        target["mag_difference"] = round(float(data["KEPMAG"][0]) - mag, 4) if known else None
        return data, {"url": self.pars.url, "target": target, "files": files}

    def _find_target(self, cat_row):
        """Name, distance and observations of the nearest target, or None."""
        ra, dec = position_at(cat_row, CATALOG_EPOCH)
        circle = f"{round(float(ra), 7) % 360:.7f}, {dec:.7f}, {self.pars.radius_arcsec / 3600:.7f}"
        filters = [{"paramName": "obs_collection", "values": ["Kepler", "K2"]}]
        params = {"columns": "*", "filters": filters, "position": circle}
        rows = self._invoke("Mast.Caom.Filtered.Position", params, _OBSERVATION)
        found = {}
        for row in rows:
            if match := TARGET.match(row["obs_id"] or ""):
                separation = float(np.hypot(*offsets(row["s_ra"], row["s_dec"], ra, dec)))
                new = {"name": match[0], "separation_arcsec": round(separation, 4), "obsids": []}
                found.setdefault(match[0], new)["obsids"].append(int(row["obsid"]))
        near = [target for target in found.values() if target["separation_arcsec"] <= self.pars.radius_arcsec]
        return min(near, key=lambda target: target["separation_arcsec"], default=None)

    def _find_files(self, target):
        """URIs of the lightcurve files of a target, in order of time."""
        params = {"obsid": ",".join(map(str, sorted(target["obsids"])))}
        rows = self._invoke("Mast.Caom.Products", params, {"productFilename": (TEXT,), "dataURI": (TEXT, None)})
        wanted = re.compile(rf"{target['name']}-(\d{{13}}|c\d{{2,3}})_{CADENCES[self.pars.cadence]}\.fits")
        files = {row["productFilename"]: row["dataURI"] for row in rows if wanted.fullmatch(row["productFilename"])}
        return [files[name] for name in sorted(files)]

    @staticmethod
    def _file_name(number, quarter, campaign):
        """Name of the content of one file."""
        return f"KIC{number}-q{quarter:02d}" if quarter >= 0 else f"EPIC{number}-c{campaign:02d}"
