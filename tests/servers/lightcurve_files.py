"""Lightcurve files of invented numbers, in the format of those of Kepler and TESS."""

import io

import numpy as np
from astropy.io import fits

__all__ = ["synthetic_file"]

# Format, unit and a value for each column of the table.
COLUMNS = {
    "TIMECORR": ("E", "d", 1e-3),
    "CADENCENO": ("J", None, 70444),
    "SAP_FLUX": ("E", "e-/s", 900.0),
    "SAP_FLUX_ERR": ("E", "e-/s", 5.0),
    "SAP_BKG": ("E", "e-/s", 100.0),
    "SAP_BKG_ERR": ("E", "e-/s", 1.0),
    "PDCSAP_FLUX": ("E", "e-/s", 1000.0),
    "PDCSAP_FLUX_ERR": ("E", "e-/s", 6.0),
    "QUALITY": ("J", None, 0),
    "PSF_CENTR1": ("D", "pixel", np.nan),
    "PSF_CENTR1_ERR": ("E", "pixel", np.nan),
    "PSF_CENTR2": ("D", "pixel", np.nan),
    "PSF_CENTR2_ERR": ("E", "pixel", np.nan),
    "MOM_CENTR1": ("D", "pixel", 1002.5),
    "MOM_CENTR1_ERR": ("E", "pixel", 0.002),
    "MOM_CENTR2": ("D", "pixel", 1501.1),
    "MOM_CENTR2_ERR": ("E", "pixel", 0.002),
    "POS_CORR1": ("E", "pixels", 0.01),
    "POS_CORR2": ("E", "pixels", -0.04),
}
TESS = {
    "TICID": 1,
    "SECTOR": 1,
    "DATA_REL": 42,
    "PROCVER": "spoc-5.0.20-20201120",
    "CAMERA": 4,
    "CCD": 1,
    "TESSMAG": 12.5,
    "CROWDSAP": 0.9,
    "FLFRCSAP": 0.8,
    "INT_TIME": 1.98,
    "NUM_FRM": 60,
    "CRMITEN": True,
    "CRBLKSZ": 10,
    "BJDREFI": 2457000,
}
KEPLER = {
    "KEPLERID": 1,
    "CHANNEL": 31,
    "KEPMAG": 14.5,
    "CROWDSAP": 0.9,
    "FLFRCSAP": 0.8,
    "INT_TIME": 6.01980290327,
    "NUM_FRM": 270,
    "BJDREFI": 2454833,
}


def synthetic_file(*, time, ra=10.0, dec=20.0, kepler=False, keywords=None, columns=None):
    """Make a lightcurve file of invented numbers.

    It has sums, as genuine ones. `keywords` and `columns` replace values; a keyword of None is undefined, a column of
    None is missing.
    """
    mission = KEPLER if kepler else TESS
    shared = {"RA_OBJ": ra, "DEC_OBJ": dec, "PMRA": None, "PMDEC": None}
    shared |= {"TIMESYS": "TDB", "TIMEREF": "SOLARSYSTEM", "BJDREFF": 0.0, "TIMEPIXR": 0.5}
    values = {name: np.full(len(time), value) for name, (_, _, value) in COLUMNS.items()} | (columns or {})
    made = [fits.Column("TIME", "D", unit="d", array=np.asarray(time, float))]
    for name, (form, unit, _) in COLUMNS.items():
        label = "SAP_QUALITY" if kepler and name == "QUALITY" else name
        if values[name] is not None:
            made.append(fits.Column(label, form, unit=unit, array=np.asarray(values[name])))
    table = fits.BinTableHDU.from_columns(made, name="LIGHTCURVE")
    for name, value in (shared | mission | (keywords or {})).items():
        table.header[name] = value
    primary = fits.PrimaryHDU()
    primary.header["NEXTEND"] = 2
    file = io.BytesIO()
    aperture = fits.ImageHDU(np.zeros((11, 11), np.int32), name="APERTURE")
    fits.HDUList([primary, table, aperture]).writeto(file, checksum=True)
    return file.getvalue()
