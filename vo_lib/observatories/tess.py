"""Transiting Exoplanet Survey Satellite: lightcurves of selected targets by SPOC, at MAST.

Service
    The portal of MAST, without a login: the star is looked up in the TESS Input Catalog (TIC), its
    observations by its TIC number, and one file is fetched for each sector. The star is the nearest one
    within ``radius_arcsec`` whose Gaia magnitude, G, is within ``match_mag`` of the catalog's (a magnitude
    that is missing on either side excludes no star; G - RP of M dwarfs is 0.9 to 1.5). Positions are
    compared at the epoch of the catalog row, using the star's own proper motion, or at 2000.0 if it has
    none. In each sector, the file of the requested cadence is taken, the last by name if there are several;
    a sector without one is skipped. The star, its distance, the difference of magnitudes and the files that
    were not taken are in the metadata.
Limits
    Only targets selected for 120-s or 20-s cadence, about 20,000 per sector of 27 days since July 2018,
    most of them brighter than Tmag 16. Pixels are 21 arcsec wide: ``CROWDSAP`` is the target's share of
    the light in the aperture.
Times
    ``TIME`` is BJD - 2457000 in TDB at the middle of the exposure; files with another time system are
    rejected. The UTC of a reduced lightcurve refers to the geocentre, up to 1.3 light seconds from the
    satellite. ``TIME`` is 1.979 s late in the first data of sectors 1 to 19 (``DATA_REL`` up to 26) and
    in those of sectors 20 and 21 by some versions of the pipeline, ``PROCVER``, according to the data release
    notes (27, 29 and 42) and the photometry of TASOC (Handberg et al. 2021, AJ 162, 170); this is corrected.
    A drift of up to about 2 s within sector 6 in its first data (``DATA_REL`` 8), absent from the reprocessed
    data (42), is not corrected. Of 120 s, light is collected for 95.04 s: 1.98 s of every 2 s, without the
    highest and the lowest of every ten such values, which are dropped to remove cosmic rays.
Fluxes
    Electrons per second. Tmag is 20.44 +- 0.05 for one of them (TESS Instrument Handbook v0.1; two files
    compared with the TIC give 20.43 and 20.46). Tmag is on the Vega system. Its zero point is taken as
    2416 Jy, as by the TESS transients project (the value of Cousins I), hence AB = Tmag + 0.442. A zero
    point of 2632 Jy (SVO filter profile service) would make the offset 0.35.
Quality
    ``QUALITY``, bits as in the TESS Archive Manual: 1 attitude tweak, 2 safe mode, 4 coarse
    point, 8 Earth point, 16 argabrightening, 32 desaturation, 64 cosmic ray in the aperture, 128
    manual exclude, 256 discontinuity, 512 impulsive outlier, 1024 cosmic ray elsewhere, 2048 and
    4096 stray light, 8192 not for planet search, 16384 bad calibration, 32768 few targets. Presets
    (those of lightkurve): default 17087, hard adds 64, 1024, 2048 and 4096, hardest is any of these
    bits. The bit ``2**32`` is added to the flag of epochs that the chosen preset rejects.
Tried
    A genuine lightcurve (TOI-216, sector 1) is read completely, its times, exposure and magnitude are
    confirmed, and its transits are found. The portal is a local stand-in; MAST itself was not queried.
Reference
    Ricker et al. 2015, JATIS 1, 014003, doi:10.1117/1.JATIS.1.1.014003; Jenkins et al. 2016, Proc. SPIE
    9913, 99133E, doi:10.1117/12.2233418; Stassun et al. 2019, AJ 158, 138,
    doi:10.3847/1538-3881/ab3467. Cite them and the lightcurves, doi:10.17909/t9-nmc8-f686.
"""

import re
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from vo_lib.catalogs.columns import DEFAULT_EPOCH
from vo_lib.errors import ConfigError
from vo_lib.observatories.cat_row import number_of, position_at
from vo_lib.observatories.lightcurve_files import TABLE, LightcurveFileObservatory, LightcurveFileParameters
from vo_lib.observatories.mast_portal import IDENTIFIER, NUMBER, TEXT
from vo_lib.observatories.parameters import check_range
from vo_lib.positions import offsets
from vo_lib.times import TimeSystem

__all__ = ["VirtualTESS"]

TIC_EPOCH = 2000.0
# How much wider the queried circle is than the match: a star of 2 arcsec/yr moves this far from 2000 to 2030.
MOTION_ARCSEC = 60.0
# Delay of the times in early files [days], the last affected sector and release of sectors 1 to 19, and the affected
# versions of the pipeline for later sectors, by sector and release.
LATE = 1.979 / 86400
LATE_SECTOR, LATE_RELEASE = 19, 26
LATE_VERSIONS = {
    (20, 27): (b"spoc-4.0.14-20200108", b"spoc-4.0.15-20200114", b"spoc-4.0.17-20200130"),
    (21, 29): (b"spoc-4.0.17-20200130", b"spoc-4.0.20-20200220", b"spoc-4.0.21-20200227"),
}
# Ends of file names for each cadence [s], after sector and target.
FILE_ENDS = {120: "s_lc.fits", 20: "a_fast-lc.fits"}
STAR = {"ID": (IDENTIFIER,), "ra": (NUMBER,), "dec": (NUMBER,)}
STAR |= dict.fromkeys(("pmRA", "pmDEC", "GAIAmag", "Tmag"), (NUMBER, None)) | {"disposition": (TEXT, None)}

KEYWORDS = {
    "TICID": ("i8", "", "number in the TESS Input Catalog"),
    "SECTOR": ("i8", "", "sector of the survey"),
    "DATA_REL": ("i8", "", "data release"),
    "PROCVER": ("S40", "", "version of the pipeline"),
    "CAMERA": ("i8", "", "camera"),
    "CCD": ("i8", "", "CCD of the camera"),
    "RA_OBJ": ("f8", "deg", "right ascension of the target in 2000.0, ICRS"),
    "DEC_OBJ": ("f8", "deg", "declination of the target in 2000.0, ICRS"),
    "PMRA": ("f8", "mas / yr", "proper motion times cos(dec), that of the TIC of today if the file has none"),
    "PMDEC": ("f8", "mas / yr", "proper motion in declination, likewise"),
    "TESSMAG": ("f8", "mag", "magnitude of the target, Tmag"),
    "CROWDSAP": ("f8", "", "share of the target in the flux of the aperture"),
    "FLFRCSAP": ("f8", "", "share of the target's flux that is in the aperture"),
    "INT_TIME": ("f8", "s", "time of light in one frame"),
    "NUM_FRM": ("i8", "", "frames in one epoch"),
    "CRMITEN": ("i8", "", "1 if frames were dropped on board against cosmic rays"),
    "CRBLKSZ": ("i8", "", "frames of which the highest and the lowest are dropped"),
}


class VirtualTESS(LightcurveFileObservatory):
    """Lightcurves of TESS targets at MAST; the module's docstring describes them.

    Parameters
    ----------
    **parameters
        Fields of `VirtualTESS.Parameters`.
    """

    name = "TESS"
    service = "mast"
    raw_schema = 2
    time = TimeSystem("tdb", "barycentre", "mid", 2457000.0)
    filters = ("tess-t",)
    columns = TABLE | {"QUALITY": ("i8", "", "quality bits")} | KEYWORDS
    keywords = KEYWORDS
    optional = frozenset({"PMRA", "PMDEC", "TESSMAG", "CROWDSAP", "FLFRCSAP", "CRMITEN", "CRBLKSZ", "PROCVER"})
    identity = ("TICID", "SECTOR")
    ab_offset = 0.442

    @dataclass(frozen=True)
    class Parameters(LightcurveFileParameters):
        """Parameters of the requests for TESS, and of the selection of data.

        Parameters
        ----------
        zero_point_mag : float
            Tmag of one electron per second [mag].
        cadence_s : int
            Cadence of the lightcurves, 120 or 20 [s].
        match_mag : float
            Maximum difference between the catalog's magnitude and Gaia's G in the TIC [mag]; if the former is RP, M
            dwarfs need 1.5.
        faintest_mag : float
            Sources with a fainter magnitude are not requested, and stars with a fainter Tmag are not matched [mag].
        radius_arcsec, flux, quality, url, download_url, timeout_s, retries, retry_wait_s, contact
            See `vo_lib.observatories.lightcurve_files.LightcurveFileParameters`.
        """

        zero_point_mag: float = 20.44
        cadence_s: int = 120
        match_mag: float = 0.75
        faintest_mag: float = 18.0

        presets: ClassVar[dict] = {"none": 0, "default": 17087, "hard": 24319, "hardest": 65535}

        def __post_init__(self):
            LightcurveFileParameters.__post_init__(self)
            check_range(self, "match_mag", 0, 100)
            check_range(self, "faintest_mag", 0, 30)
            if self.cadence_s not in FILE_ENDS:
                raise ConfigError(f"cadence_s must be 120 or 20, got {self.cadence_s}")

    def fetch_data_from_observatory(self, cat_row):
        """Find the star, then its sectors, and download a file of each; see the base class."""
        if (number_of(cat_row, "mag") or 0.0) > self.pars.faintest_mag:
            return self.empty_table(), {"note": f"not asked for: fainter than {self.pars.faintest_mag:g} mag"}
        star = self._find_star(cat_row)
        if star is None:
            return self.empty_table(), {"note": "no star of the TIC is near enough and as bright"}
        files, others = self._find_files(star["ID"])
        tables = [self._fetch(uri, star, sector) for sector, uri in sorted(files.items())]
        beside = {"url": self.pars.url, "star": star, "files": sorted(files.values()), "not_taken": others}
        return self._join(tables), beside

    def _find_star(self, cat_row):
        """The star of the TIC that matches the source, with its distance and difference of magnitudes, or None."""
        ra, dec = position_at(cat_row, TIC_EPOCH)
        params = {
            "columns": "*",
            "filters": [{"paramName": "Tmag", "values": [{"min": -5, "max": self.pars.faintest_mag}]}],
            "ra": round(float(ra), 7) % 360,
            "dec": round(float(dec), 7),
            "radius": (self.pars.radius_arcsec + MOTION_ARCSEC) / 3600,
        }
        found = self._invoke("Mast.Catalogs.Filtered.Tic.Position.Rows", params, STAR)
        stars = [_compare(cat_row, star) for star in found if star["disposition"] not in ("DUPLICATE", "ARTIFACT")]
        near = [star for star in stars if star["separation_arcsec"] <= self.pars.radius_arcsec]
        alike = [star for star in near if abs(star["mag_difference"] or 0.0) <= self.pars.match_mag]
        return min(alike, key=lambda star: star["separation_arcsec"], default=None)

    def _find_files(self, tic):
        """URI of the file to take for each sector, and the names of all other observations."""
        filters = {"target_name": str(tic), "obs_collection": "TESS", "provenance_name": "SPOC"}
        filters["dataproduct_type"] = "timeseries"
        params = {
            "columns": "*",
            "filters": [{"paramName": name, "values": [value]} for name, value in filters.items()],
        }
        rows = self._invoke("Mast.Caom.Filtered", params, {"obs_id": (TEXT,), "dataURL": (TEXT, None)})
        wanted = re.compile(rf".*/tess\d{{13}}-s(\d{{4}})-{tic:016d}-\d{{4}}-{FILE_ENDS[self.pars.cadence_s]}")
        uris = {row["dataURL"] or row["obs_id"] for row in rows}
        files = {int(match[1]): uri for uri in sorted(uris) if (match := wanted.fullmatch(uri))}
        return files, sorted(uris - set(files.values()))

    def _fetch(self, uri, star, sector):
        """Epochs of one sector."""
        data = self._download(uri, partial(self._read, TICID=star["ID"], SECTOR=sector))
        for name, motion in (("PMRA", star["pmRA"]), ("PMDEC", star["pmDEC"])):
            if motion is not None:
                data[name][np.isnan(data[name])] = motion
        return data

    def _times(self, data):
        """Times of the epochs, corrected for the delay in early files [days]."""
        sector, release = data["SECTOR"], data["DATA_REL"]
        late = (sector <= LATE_SECTOR) & (release <= LATE_RELEASE)
        for (of_sector, of_release), versions in LATE_VERSIONS.items():
            late |= (sector == of_sector) & (release == of_release) & np.isin(data["PROCVER"], versions)
        return super()._times(data) - LATE * late

    def _exposure(self, data):
        """Time for which light was collected in each epoch, without the frames dropped on board [s]."""
        block = data["CRBLKSZ"].astype(np.float64)
        dropped = (data["CRMITEN"] == 1) & (block > 2)
        return super()._exposure(data) * np.where(dropped, 1 - 2 / np.maximum(block, 3), 1.0)

    @staticmethod
    def _file_name(tic, sector):
        """Name of the content of one file."""
        return f"TIC{tic}-s{sector:04d}"


def _compare(cat_row, star):
    """Relevant fields of a star, its distance from a source [arcsec], and Gaia's magnitude minus the catalog's."""
    moves = star["pmRA"] is not None and star["pmDEC"] is not None
    epoch = number_of(cat_row, "epoch")
    year = (DEFAULT_EPOCH if epoch is None else epoch) if moves else TIC_EPOCH
    place = {"ra": star["ra"], "dec": star["dec"], "pmra": star["pmRA"], "pmdec": star["pmDEC"], "epoch": TIC_EPOCH}
    separation = np.hypot(*offsets(*position_at(place, year), *position_at(cat_row, year)))
    mags = (star["GAIAmag"], number_of(cat_row, "mag"))
    return {name: star[name] for name in STAR} | {
        "ID": int(star["ID"]),
        "separation_arcsec": round(float(separation), 4),
        "mag_difference": None if None in mags else round(mags[0] - mags[1], 4),
    }
