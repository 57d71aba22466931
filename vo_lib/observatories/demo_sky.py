"""Observations of the simulated survey: weather, visits, noise and positions.

A visit is one exposure of a source. Visits are a dict of arrays of shape (n_visits,): mjd [d, UTC,
mid-exposure], filter (0, 1, 2), field, season (integer), seeing [arcsec], sky (factor of the sky
noise), flags, and astray (bool, measured at a wrong position).
"""

import numpy as np

from vo_lib.observatories.cat_row import position_at
from vo_lib.positions import displace
from vo_lib.tables import take_rows
from vo_lib.times import MJD_J2000

__all__ = [
    "CLOUDS",
    "COSMIC_RAY",
    "EXPTIME_S",
    "FIRST_NIGHT",
    "LAST_NIGHT",
    "LIMIT_SNR",
    "ZERO_POINT",
    "estimate_noise",
    "make_visits",
    "measure_flux",
    "measure_position",
    "observe_weather",
    "quiet_flux",
]

FIRST_NIGHT, LAST_NIGHT = 58200, 59300
EXPTIME_S = 30.0
CLOUDS, COSMIC_RAY = 1, 2
# Local midnight, the offset of each filter from it, and the spread of times [fraction of a UTC day].
MIDNIGHT, FILTER_TIMES, TIME_SPREAD = 0.217, np.array([-0.08, 0.0, 0.08]), 0.03
# Sources closer to the Sun than this, in right ascension, cannot be observed [degrees].
SUN_LIMIT = 75.0
# Mean longitude of the Sun at J2000 [degrees] and its change [degrees per day]; accurate to 2 degrees.
SUN_J2000, SUN_RATE = 280.46, 0.98565
NEW_MOON, MONTH = 58198.55, 29.530589

ZERO_POINT, LIMIT_MAG, LIMIT_SNR = 23.9, 20.8, 5.0
SKY_NOISE = 10 ** (0.4 * (ZERO_POINT - LIMIT_MAG)) / LIMIT_SNR  # [uJy]
PHOTON_NOISE, FLOOR = 0.08, 0.01  # variance per flux [uJy], and fraction of the flux
SEEING, POSITION_FLOOR = 1.8, 0.05  # [arcsec]


def observe_weather(rng):
    """Simulate the clear nights of the survey.

    Parameters
    ----------
    rng : numpy.random.Generator
        Random generator.

    Returns
    -------
    dict of str to ndarray, each of shape (n_nights,)
        mjd (whole days), seeing [arcsec], sky (factor of the sky noise) and clouds (bool, thin ones).
    """
    mjd = np.arange(FIRST_NIGHT, LAST_NIGHT)
    # Bad weather lasts for some days: noise is smoothed over a week, and the worst 30 % of the nights are lost.
    weather = np.convolve(rng.standard_normal(len(mjd) + 6), np.ones(7), "valid")
    moon = 0.5 - 0.5 * np.cos(2 * np.pi * (mjd - NEW_MOON) / MONTH)
    nights = {
        "mjd": mjd,
        "seeing": SEEING * np.exp(rng.normal(0, 0.15, len(mjd))),
        "sky": 1 + 0.5 * moon**2,
        "clouds": rng.random(len(mjd)) < 0.015,
    }
    clear = weather < np.quantile(weather, 0.7)
    return take_rows(nights, clear)


def make_visits(rng, ra, nights, epochs_per_filter):
    """Simulate the times and conditions of the visits of a source.

    Parameters
    ----------
    rng : numpy.random.Generator
        Random generator.
    ra : float
        Right ascension [degrees], which determines the seasons.
    nights : dict of str to ndarray
        See `observe_weather`.
    epochs_per_filter : int
        Mean number of visits in each filter; it varies by up to 15 % between sources.

    Returns
    -------
    dict of str to ndarray, each of shape (n_visits,)
        Visits, ordered by filter and night.
    """
    season = (SUN_J2000 + SUN_RATE * (nights["mjd"] - MJD_J2000) - ra) / 360
    up = np.flatnonzero(np.abs(season - np.round(season)) * 360 > SUN_LIMIT)
    sizes = np.maximum(1, np.round(epochs_per_filter * rng.uniform(0.85, 1.15, 3))).astype(int)
    number = np.concatenate([np.arange(size) for size in sizes])
    band, total, size = np.repeat(np.arange(3), sizes), len(number), np.repeat(sizes, sizes)
    # A regular cadence with some scatter, over the usable nights.
    night = up[((number + rng.random(total)) / size * len(up)).astype(int)]
    bad_seeing = rng.random(total) < 0.02
    start = nights["mjd"][night] + MIDNIGHT + FILTER_TIMES[band] + rng.uniform(-TIME_SPREAD, TIME_SPREAD, total)
    # Some stars are in the overlap of two fields, which are visited in turn.
    fields = rng.integers(200, 900) + np.array([0, 1 if rng.random() < 0.3 else 0])
    cosmic = rng.random(total) < 0.005
    return {
        "mjd": start + EXPTIME_S / 172800,
        "filter": band,
        "field": fields[(number + (rng.random(total) < 0.15)) % 2],
        "season": np.floor(season[night]).astype(int),
        "seeing": nights["seeing"][night] * np.exp(rng.normal(0, 0.08, total)) * (1 + bad_seeing),
        "sky": nights["sky"][night],
        "flags": nights["clouds"][night] * CLOUDS + cosmic * COSMIC_RAY,
        "astray": bad_seeing & (rng.random(total) < 0.35),
    }


def quiet_flux(rng, mag, visits):
    """Return the flux of a star at each visit without events.

    Parameters
    ----------
    rng : numpy.random.Generator
        Generator of its colour.
    mag : float or None
        Its magnitude; None for a random one between 15 and 19.5.
    visits : dict of str to ndarray
        Visits.

    Returns
    -------
    ndarray of float, shape (n_visits,)
        Flux [uJy].
    """
    guess, colour, offset = rng.uniform(15, 19.5), rng.normal(0, 0.12), rng.normal(0, 0.015)
    colours = np.clip(np.array([0.10, -0.02, -0.08]) + colour * np.array([1.0, -0.3, -0.8]), -0.4, 0.4)
    # Each field has a calibration of its own.
    offsets = offset * (visits["field"] % 2)
    mag = guess if mag is None else mag
    return 10 ** (0.4 * (ZERO_POINT - mag - colours[visits["filter"]] - offsets))


def estimate_noise(flux, visits):
    """Compute the standard deviation of a measured flux, from sky, photons and calibration.

    Parameters
    ----------
    flux : ndarray of float, shape (n_visits,)
        True flux [uJy].
    visits : dict of str to ndarray
        Visits.

    Returns
    -------
    ndarray of float, shape (n_visits,)
        Noise [uJy].
    """
    sky = SKY_NOISE * visits["sky"] * visits["seeing"] / SEEING
    return np.sqrt(sky**2 + PHOTON_NOISE * flux + (FLOOR * flux) ** 2)


def measure_flux(rng, flux, visits, scatter):
    """Simulate measured fluxes; clouds dim and disturb them beyond their errors, and cosmic rays add to them.

    Parameters
    ----------
    rng : numpy.random.Generator
        Random generator for the flagged visits.
    flux : ndarray of float, shape (n_visits,)
        True flux [uJy].
    visits : dict of str to ndarray
        Visits.
    scatter : ndarray of float, shape (n_visits,)
        Standard normal numbers.

    Returns
    -------
    flux, noise : ndarray of float, shape (n_visits,)
        Measured flux and its error [uJy].
    """
    clouds, cosmic = visits["flags"] & CLOUDS > 0, visits["flags"] & COSMIC_RAY > 0
    dimming = 10 ** (-0.4 * rng.exponential(0.5, len(flux))) * np.exp(rng.normal(0, 0.15, len(flux)))
    flux = np.where(clouds, flux * dimming, flux)
    noise = estimate_noise(flux, visits)
    hits = np.where(cosmic, rng.uniform(10, 50, len(flux)), 0)
    return flux + noise * (scatter + hits), noise


def measure_position(cat_row, visits, snr, scatter):
    """Simulate measured positions, with proper motion, scatter from seeing and S/N, and some visits far off.

    Parameters
    ----------
    cat_row : dict
        Row of the catalog.
    visits : dict of str to ndarray
        Visits.
    snr : ndarray of float, shape (n_visits,)
        Measured flux over its error.
    scatter : ndarray of float, shape (2, n_visits)
        Standard normal numbers.

    Returns
    -------
    ra, dec : ndarray of float, shape (n_visits,)
        Positions [degrees].
    """
    error = np.hypot(POSITION_FLOOR, visits["seeing"] / 2.355 / snr)
    # In bad seeing a neighbour is mistaken for the star, 1 to 2.5 arcsec away in the direction of the scatter.
    length = np.hypot(*scatter)
    error = np.where(visits["astray"], (1 + np.minimum(length, 3) / 2) / length, error)
    ra, dec = position_at(cat_row, 2000 + (visits["mjd"] - MJD_J2000) / 365.25)
    return displace(ra, dec, east=error * scatter[0], north=error * scatter[1])
