"""Lightcurves for tests of periods: ground-based nights or any times, with sinusoids and dips in white noise."""

import numpy as np


def nightly(number, days, *, seed=0, hours=5.0):
    """Times in random nights, a few hours around midnight [days], increasing."""
    rng = np.random.default_rng(seed)
    return np.sort(58000.0 + rng.integers(0, days, number) + rng.uniform(-0.5, 0.5, number) * hours / 24)


def scattered(number, days, *, seed=0):
    """Times spread evenly at random [days], increasing."""
    return np.sort(58000.0 + np.random.default_rng(seed).uniform(0, days, number))


def noise(time, *, error=10.0, seed=0):
    """Fluxes of white noise with errors of several sizes: fluxes, errors."""
    rng = np.random.default_rng([seed, 1])
    errors = error * rng.uniform(0.7, 1.4, len(time))
    return 1000.0 + rng.normal(0, errors), errors


def sinusoid(time, *, period, amplitude, maximum=58000.0, **options):
    """Lightcurve of a sinusoid: time, flux, error."""
    flux, error = noise(time, **options)
    return time, flux + amplitude * np.cos(2 * np.pi * (time - maximum) / period), error


def dips(time, *, period, duration, depth, middle=58000.1, **options):
    """Lightcurve of box-shaped dips: time, flux, error."""
    flux, error = noise(time, **options)
    phase = (time - middle + duration / 2) % period
    return time, flux - depth * (phase < duration), error
