"""Conversion between flux and AB magnitude, with errors.

In the AB system of Oke & Gunn 1983, ApJ 266, 713, magnitude 0 is 3631 Jy and one microjansky is magnitude
23.9 (8.9 + 15, as surveys use it; 2.5 log10(3631e6) is 0.0001 mag more).
"""

import numpy as np

__all__ = ["AB_ZERO_POINT_UJY", "asinh_mag", "finite", "flux_from_mag", "mag_from_flux"]

AB_ZERO_POINT_UJY = 23.9

# Magnitudes per relative change in flux, 2.5 / ln 10.
_POGSON = 2.5 / np.log(10.0)


def finite(values):
    """Return an array of float of the same shape, with infinite values replaced by NaN, which means *missing*."""
    values = np.asarray(values, float)
    return np.where(np.isfinite(values), values, np.nan)


def flux_from_mag(mag, magerr):
    """Convert AB magnitudes to fluxes.

    Parameters
    ----------
    mag, magerr : array_like of float, shape (n,)
        Magnitudes and their errors [mag, AB].

    Returns
    -------
    flux, fluxerr : ndarray of float, shape (n,)
        Fluxes and their first-order errors [microjansky]; NaN where a required input is NaN, and where the
        result would be infinite, as for -999. Empty for no input.
    """
    mag, magerr = np.asarray(mag, float), np.asarray(magerr, float)
    with np.errstate(all="ignore"):
        flux = finite(10.0 ** (0.4 * (AB_ZERO_POINT_UJY - mag)))
        return flux, finite(flux * magerr / _POGSON)


def mag_from_flux(flux, fluxerr):
    """Convert fluxes to AB magnitudes; inverse of `flux_from_mag`.

    Parameters
    ----------
    flux, fluxerr : array_like of float, shape (n,)
        Fluxes and their errors [microjansky]; a negative flux is data, but has no magnitude.

    Returns
    -------
    mag, magerr : ndarray of float, shape (n,)
        Magnitudes and their first-order errors [mag, AB]; NaN where the flux is not positive and finite.
        Empty for no input.
    """
    flux, fluxerr = np.asarray(flux, float), np.asarray(fluxerr, float)
    with np.errstate(all="ignore"):
        usable = np.where((flux > 0) & np.isfinite(flux), flux, np.nan)
        return AB_ZERO_POINT_UJY - 2.5 * np.log10(usable), _POGSON * fluxerr / usable


def asinh_mag(flux, fluxerr, softening):
    """Convert fluxes to inverse hyperbolic sine magnitudes, which are also defined for faint and negative fluxes.

    Parameters
    ----------
    flux, fluxerr : array_like of float, shape (n,)
        Fluxes and their errors [microjansky].
    softening : array_like of float
        Flux below which the scale departs from the logarithmic one [microjansky], positive: about the noise of a
        source at the limit. At ten times this flux the magnitude agrees with the AB magnitude to 0.003 mag; at zero
        flux it is ``23.9 - 2.5 log10(softening / 2)``.

    Returns
    -------
    mag, magerr : ndarray of float, shape (n,)
        Magnitudes and their first-order errors [mag]; NaN where a required input is not finite or the softening is
        not positive. Empty for no input.

    Notes
    -----
    Lupton, Gunn & Szalay 1999, AJ 118, 1406, equation 3 with ``softening = 2 b f0``.
    """
    flux, fluxerr, softening = (np.asarray(values, float) for values in (flux, fluxerr, softening))
    with np.errstate(all="ignore"):
        half = np.where(softening > 0, softening, np.nan) / 2
        mag = AB_ZERO_POINT_UJY - _POGSON * (np.arcsinh(flux / (2 * half)) + np.log(half))
        magerr = _POGSON * fluxerr / np.hypot(flux, 2 * half)
        return np.where(np.isfinite(flux), mag, np.nan), np.where(np.isfinite(flux), magerr, np.nan)
