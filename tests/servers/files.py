"""Lightcurve files of invented numbers, as a user may have them."""

import numpy as np
from astropy.table import Table

__all__ = ["PARAMETERS", "lightcurve", "write_lightcurve"]

# What a user says of these files.
PARAMETERS = {
    "columns": {
        "time": "BJD",
        "exptime": "t_exp",
        "ra": "RA",
        "dec": "Dec",
        "flux": "flux",
        "fluxerr": "e_flux",
        "filter": "band",
        "flag": "quality",
        "series": "field",
    },
    "time_format": "bjd-2457000",
    "time_scale": "tdb",
    "time_reference": "barycentre",
    "time_stamp": "mid",
    "filters": {"1": "g", "2": "r"},
    "bad_flag_mask": 4,
}


def lightcurve(*, seed=0, ra=10.0, dec=20.0, n_epochs=6):
    """Epochs in two filters with a flag, a missing flux and a column of no use, with units."""
    rng = np.random.default_rng(seed)
    flux = rng.normal(1.0, 0.01, n_epochs)
    flux[n_epochs // 2] = np.nan
    return Table(
        {
            "BJD": 1000.5 + np.arange(n_epochs) + rng.uniform(0, 0.1, n_epochs),
            "flux": flux,
            "e_flux": np.full(n_epochs, 0.01),
            "t_exp": np.full(n_epochs, 2.0),
            "band": 1 + np.arange(n_epochs) % 2,
            "quality": np.where(np.arange(n_epochs) == 1, 4, 0),
            "RA": np.full(n_epochs, ra),
            "Dec": np.full(n_epochs, dec),
            "field": ["north"] * n_epochs,
            "airmass": rng.uniform(1, 2, n_epochs),
        },
        units={"BJD": "d", "flux": "mJy", "e_flux": "mJy", "t_exp": "min", "RA": "deg", "Dec": "deg"},
    )


def write_lightcurve(path, **options):
    """Write a `lightcurve` as ECSV."""
    lightcurve(**options).write(path, format="ascii.ecsv")
