"""Events of some stars of the simulated survey: flares, eclipses, pulsation."""

import numpy as np

__all__ = ["add_events"]

# Fractions of all stars, which share the interval from 0 to 1 in this order.
FLARE, ECLIPSE, PULSATION = 0.05, 0.025, 0.015
# An event is placed on an epoch at which it exceeds this many standard deviations.
FLARE_SNR, ECLIPSE_SNR, VISIBLE_SNR = 20.0, 12.0, 5.0
# A flux of this many standard deviations is certain to be detected.
SURE_SNR = 7.0
# Epochs that a star needs in the season, field and filter of an event.
MIN_EPOCHS = 8
# Flares are blue.
FLARE_COLOURS = np.array([1.0, 0.6, 0.4])


def add_events(rng, chance, quiet, visits):
    """Add the events of a star to its flux.

    Parameters
    ----------
    rng : numpy.random.Generator
        Generator of the times and amplitudes.
    chance : float
        Random number of the star in [0, 1), which decides its kind.
    quiet : ndarray of float, shape (n_visits,)
        Flux without events [uJy].
    visits : dict of str to ndarray, each of shape (n_visits,)
        mjd (mid-exposure), filter (0, 1, 2), field, season, noise [uJy], and calm (bool): whether an
        event may peak there.

    Returns
    -------
    flux : ndarray of float, shape (n_visits,)
        Flux with events [uJy].
    events : list of dict
        In order of time: kind ("flare", "eclipse" or "pulsation"), peak_mjd [d, UTC, mid-exposure],
        filter (0, 1, 2), amplitude_mag (at the peak in this filter, negative if brighter),
        width_days (e-folding time, duration or half a period), period_days (None for a flare) and
        visible (bool per visit). Empty if the star has no epoch at which its event could be seen.
    """
    sure = quiet > SURE_SNR * visits["noise"]
    candidates = np.flatnonzero(visits["calm"] & sure & _is_covered(visits, sure))
    if chance < FLARE:
        return _flare(rng, quiet, visits, candidates)
    if chance < FLARE + ECLIPSE:
        return _eclipse(rng, quiet, visits, candidates)
    if chance < FLARE + ECLIPSE + PULSATION:
        return _pulsate(rng, quiet, visits, candidates)
    return quiet, []


def _is_covered(visits, sure):
    """Whether the season, field and filter of a visit have enough certain detections."""
    label = (visits["season"] - visits["season"].min()) * 6 + visits["filter"] * 2 + visits["field"] % 2
    return np.bincount(label, sure)[label] >= MIN_EPOCHS


def _flare(rng, quiet, visits, candidates):
    """One or two flares that peak on epochs in the bluest filter, with a fast rise and an exponential decay."""
    candidates = candidates[visits["filter"][candidates] == 0]
    number = 1 + (rng.random() < 0.4)
    peaks = np.sort(rng.permutation(candidates)[:number])
    mjd, flux, events = visits["mjd"], quiet, []
    for peak in peaks:
        width = np.exp(rng.uniform(np.log(0.03), np.log(2.0)))
        height = max(rng.uniform(0.3, 1.5) * quiet[peak], FLARE_SNR * visits["noise"][peak])
        since = (mjd - mjd[peak]) / width
        shape = np.exp(-np.where(since < 0, -10 * since, since))
        extra = height * shape * FLARE_COLOURS[visits["filter"]]
        flux = flux + extra
        events.append(_describe("flare", peak, quiet, extra, visits, width=width))
    return flux, events


def _eclipse(rng, quiet, visits, candidates):
    """Short periodic dips, one of them on an epoch."""
    depth, period, part = rng.uniform(0.5, 0.8), np.exp(rng.uniform(np.log(0.9), np.log(4.0))), rng.uniform(0.015, 0.03)
    snr = quiet[candidates] / visits["noise"][candidates]
    candidates = candidates[(depth * snr > ECLIPSE_SNR) & ((1 - depth) * snr > SURE_SNR)]
    if len(candidates) == 0:
        return quiet, []
    middle = rng.choice(candidates)
    turns = (visits["mjd"] - visits["mjd"][middle]) / period
    away = np.abs(turns - np.round(turns)) / (part / 2)
    lost = -depth * quiet * np.clip(5 * (1 - away), 0, 1)
    return quiet + lost, [_describe("eclipse", middle, quiet, lost, visits, width=part * period, period=period)]


def _pulsate(rng, quiet, visits, candidates):
    """A sine curve with one maximum on an epoch."""
    size, period = rng.uniform(0.1, 0.3), rng.uniform(0.1, 0.6)
    candidates = candidates[size * quiet[candidates] > VISIBLE_SNR * visits["noise"][candidates]]
    if len(candidates) == 0:
        return quiet, []
    top = rng.choice(candidates)
    wave = size * quiet * np.cos(2 * np.pi * (visits["mjd"] - visits["mjd"][top]) / period)
    return quiet + wave, [_describe("pulsation", top, quiet, wave, visits, width=period / 2, period=period)]


def _describe(kind, peak, quiet, extra, visits, *, width, period=None):
    """Truth of one event."""
    return {
        "kind": kind,
        "peak_mjd": float(visits["mjd"][peak]),
        "filter": int(visits["filter"][peak]),
        "amplitude_mag": float(-2.5 * np.log10(1 + extra[peak] / quiet[peak])),
        "width_days": float(width),
        "period_days": period if period is None else float(period),
        "visible": visits["calm"] & (np.abs(extra) >= VISIBLE_SNR * visits["noise"]),
    }
