"""Lightcurve files of the pipelines of Kepler, K2 and TESS, which share one format.

A FITS file holds one target in one quarter, campaign or sector: a table ``LIGHTCURVE`` with two fluxes in electrons
per second, SAP (simple aperture photometry, the sum over an aperture) and PDCSAP (the same, corrected for instrumental
trends and the light of known neighbours), and keywords that apply to all rows.

Reference: Twicken et al. 2020, TESS Science Data Products Description Document (EXP-TESS-ARC-ICD-0014);
Thompson et al. 2016, Kepler Archive Manual (KDMC-10008-006).
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from vo_lib.errors import ConfigError
from vo_lib.observatories.lightcurve_fits import read_lightcurve
from vo_lib.observatories.mast_portal import MastObservatory, MastParameters
from vo_lib.observatories.parameters import check_choice, check_range
from vo_lib.photometry import AB_ZERO_POINT_UJY
from vo_lib.positions import displace
from vo_lib.segments import run_starts, spread, starts_from_mask

__all__ = ["TABLE", "UNUSABLE", "LightcurveFileObservatory", "LightcurveFileParameters"]

# Bit that `standardise` sets in the flag of epochs that the chosen quality mask rejects. The pipelines'
# own flags have 32 bits and are not changed.
UNUSABLE = 1 << 32

FLUXES = ("PDCSAP", "SAP")
J2000_JD = 2451545.0

TABLE = {
    "TIME": ("f8", "d", "barycentric Julian date of the middle of the exposure, TDB, less the survey's zero"),
    "TIMECORR": ("f8", "d", "barycentric correction that is in TIME"),
    "CADENCENO": ("i8", "", "number of the cadence"),
    "SAP_FLUX": ("f8", "electron / s", "sum over the aperture less background"),
    "SAP_FLUX_ERR": ("f8", "electron / s", "error of SAP_FLUX"),
    "SAP_BKG": ("f8", "electron / s", "background in the aperture"),
    "SAP_BKG_ERR": ("f8", "electron / s", "error of SAP_BKG"),
    "PDCSAP_FLUX": ("f8", "electron / s", "SAP_FLUX corrected for systematics and crowding"),
    "PDCSAP_FLUX_ERR": ("f8", "electron / s", "error of PDCSAP_FLUX"),
    "PSF_CENTR1": ("f8", "pix", "column of the PSF centroid"),
    "PSF_CENTR1_ERR": ("f8", "pix", "error of PSF_CENTR1"),
    "PSF_CENTR2": ("f8", "pix", "row of the PSF centroid"),
    "PSF_CENTR2_ERR": ("f8", "pix", "error of PSF_CENTR2"),
    "MOM_CENTR1": ("f8", "pix", "column of the flux-weighted centroid"),
    "MOM_CENTR1_ERR": ("f8", "pix", "error of MOM_CENTR1"),
    "MOM_CENTR2": ("f8", "pix", "row of the flux-weighted centroid"),
    "MOM_CENTR2_ERR": ("f8", "pix", "error of MOM_CENTR2"),
    "POS_CORR1": ("f8", "pix", "column motion of the target"),
    "POS_CORR2": ("f8", "pix", "row motion of the target"),
}


@dataclass(frozen=True)
class LightcurveFileParameters(MastParameters):
    """Parameters of surveys with lightcurve files.

    Parameters
    ----------
    radius_arcsec : float
        Maximum distance of the survey's target from the source [arcsec].
    flux : str
        ``PDCSAP`` or ``SAP``. PDCSAP can be wrong, even negative, if the target's magnitude in the input catalog is.
    quality : str or int
        Epochs to mark as bad: ``none``, ``default``, ``hard``, ``hardest``, or bits of the survey's flag.
    zero_point_mag : float
        Magnitude of one electron per second, in the survey's system [mag].
    url, download_url, timeout_s, retries, retry_wait_s, contact
        See `vo_lib.observatories.mast_portal.MastParameters`.
    """

    radius_arcsec: float = 5.0
    flux: str = "PDCSAP"
    quality: str | int = "default"
    zero_point_mag: float = 0.0

    presets: ClassVar[dict] = {"none": 0}

    def __post_init__(self):
        MastParameters.__post_init__(self)
        check_range(self, "radius_arcsec", 0.1, 60)
        check_range(self, "zero_point_mag", 0, 40)
        check_choice(self, "flux", FLUXES)
        known = self.quality in self.presets or not isinstance(self.quality, str)
        if not known or not 0 <= self.quality_mask < UNUSABLE:
            raise ConfigError(f"quality must be one of {', '.join(self.presets)} or 32 bits, got {self.quality!r}")

    @property
    def quality_mask(self):
        """Bits of the survey's flag that make an epoch bad."""
        return self.presets.get(self.quality, self.quality)


class LightcurveFileObservatory(MastObservatory):
    """Base class of surveys whose data are lightcurve files.

    Attributes
    ----------
    keywords : dict of str to tuple
        Type, unit and description of each keyword that becomes a column.
    optional : frozenset of str
        Keywords that a file may lack; they are then NaN, -1 or empty.
    quality_column : str
        Column with the survey's flag.
    identity : tuple of str
        Columns that identify a file.
    ab_offset : float
        Offset to add to a magnitude in the survey's system to obtain AB [mag].
    mas_per_motion : float
        Unit of the keywords PMRA and PMDEC [mas/yr].
    """

    Parameters = LightcurveFileParameters
    keywords: ClassVar[dict] = {}
    optional = frozenset()
    quality_column = "QUALITY"
    identity = ()
    ab_offset = 0.0
    mas_per_motion = 1.0
    bad_flag_mask = UNUSABLE

    @property
    def flag_presets(self):
        """Common choices of the pipelines' own bits, by name."""
        return self.pars.presets

    def _read(self, body, **expected):
        """Epochs of one file, which must have the expected values of keywords."""
        return read_lightcurve(body, self, expected)

    def _join(self, tables):
        """Epochs of several files in one table."""
        return np.concatenate(tables) if tables else self.empty_table()

    def standardise(self, data, altdata):
        """Return the common columns, with one series per file and kind of flux; see the base class.

        The flag is the survey's, plus `UNUSABLE` if the quality mask rejects the epoch. The position is
        that of the target in the input catalog, moved by its proper motion since 2000.0.
        """
        flag = data[self.quality_column].astype(np.int64) & (UNUSABLE - 1)
        zero_point = self.pars.zero_point_mag + self.ab_offset
        scale = 10.0 ** (0.4 * (AB_ZERO_POINT_UJY - zero_point))
        ra, dec = self._positions(data)
        return {
            "time": self._times(data),
            "exptime": self._exposure(data),
            "ra": ra,
            "dec": dec,
            "flux": data[f"{self.pars.flux}_FLUX"].astype(np.float64) * scale,
            "fluxerr": data[f"{self.pars.flux}_FLUX_ERR"].astype(np.float64) * scale,
            "flag": flag | np.where(flag & self.pars.quality_mask, UNUSABLE, 0),
            "filter": np.full(len(data), self.filters[0]),
            "series": self._series(data),
        }

    def _times(self, data):
        """Times of the epochs [days]."""
        return data["TIME"].astype(np.float64)

    def _exposure(self, data):
        """Time for which light was collected in each epoch [s]."""
        return data["INT_TIME"].astype(np.float64) * data["NUM_FRM"]

    def _positions(self, data):
        """Position of the target at each epoch [degrees]; at 2000.0 for an epoch without a time."""
        years = np.nan_to_num((data["TIME"].astype(np.float64) + (self.time.zero_jd - J2000_JD)) / 365.25)
        motion = (np.nan_to_num(data[name].astype(np.float64)) * self.mas_per_motion for name in ("PMRA", "PMDEC"))
        east, north = (values * years / 1000 for values in motion)
        return displace(data["RA_OBJ"].astype(np.float64), data["DEC_OBJ"].astype(np.float64), east=east, north=north)

    def _series(self, data):
        """Name of the series of each epoch, formatted once per run of epochs of one file."""
        starts = starts_from_mask(run_starts(*(data[name] for name in self.identity)))
        first = starts[:-1]
        files = zip(*(data[name][first].tolist() for name in self.identity), strict=True)
        names = [f"{self._file_name(*values)}-{self.pars.flux}" for values in files]
        return spread(np.array(names, dtype=str), starts)
