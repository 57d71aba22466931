"""Correct for the extinction of the Galaxy: an example of a calibrator of your own.

    reduce:
      calibrators:
        - {function: "extensions.dust:deredden", kwargs: {reddening_mag: 0.05}}

The coefficients are those of Schlafly & Finkbeiner 2011, doi:10.1088/0004-637X/737/2/103, table 6, for R_V = 3.1.
"""

import numpy as np

__all__ = ["deredden"]

# Extinction in each band for E(B - V) = 1 [mag]: SDSS g, r and i, close enough to those of other surveys here.
COEFFICIENTS = {"g": 3.303, "r": 2.285, "i": 1.698}


def deredden(columns, labels, sources, *, reddening_mag=None, column="ebv"):
    """Correct the flux of all epochs for the extinction towards their source.

    Parameters
    ----------
    columns, labels, sources : dict of str to ndarray
        See `vo_lib.reduction.calibration`.
    reddening_mag : float, optional
        E(B - V) of all sources [mag]; by default, it is read from a column of the catalog.
    column : str, optional
        Name of that column.

    Returns
    -------
    dict of str to ndarray
        flux and fluxerr [uJy], unchanged for filters without a coefficient.
    """
    reddening = sources[column] if reddening_mag is None else np.full(len(sources["name"]), reddening_mag)
    filters, code = np.unique(labels["filter"], return_inverse=True)
    bands = [str(name).rpartition("-")[2] for name in filters]
    extinction = np.array([COEFFICIENTS.get(band, 0.0) for band in bands])[code] * reddening[labels["source"]]
    factor = 10.0 ** (0.4 * extinction)
    return {"flux": columns["flux"] * factor, "fluxerr": columns["fluxerr"] * factor}
