"""Events injected into real lightcurves, and which of them the finder gets back."""

import math

import numpy as np

from vo_lib.noise import baseline
from vo_lib.photometry import mag_from_flux
from vo_lib.profiles import PROFILES
from vo_lib.randoms import combine, hash_text, normals, uniforms
from vo_lib.segments import segment_count, segment_sum, spread, starts_from_counts

__all__ = ["INJECTION_COLUMNS", "inject"]

# Columns of the table of injections: (type, unit, meaning).
INJECTION_COLUMNS = {
    "source": ("U1", "", "name in the catalog"),
    "obs": ("U1", "", "observatory"),
    "lightcurve": ("U1", "", "key of the lightcurve in the reduced file"),
    "filter": ("U1", "", "filter of the lightcurve"),
    "injection": ("i8", "", "number of the injection of the source, from 1"),
    "kind": ("U1", "", "shape of the event"),
    "peak_mjd": ("f8", "d", "time of the peak (UTC)"),
    "width": ("f8", "d", "full width at half maximum"),
    "amplitude": ("f8", "uJy", "flux added at the peak, negative for a dip"),
    "expected_snr": ("f8", "", "amplitude over the noise at the peak, without photon noise of the event"),
    "snr": ("f8", "", "S/N of the best detection that is due to the event, NaN if none"),
    "recovered": ("i8", "", "1 where there is such a detection"),
}
# What each random number is for.
_LIGHTCURVE, _NUMBER, _EPOCH, _KIND, _WIDTH, _PEAK, _SNR, _NOISE = range(8)
# Below this flux over error of an epoch the sky, not the source, is taken to make the noise.
_SOURCE_LIMITED = 10.0
# The chosen epoch sees at least this fraction of the peak.
_SEEN = 2**-0.25


def inject(
    batch,
    qflag,
    *,
    seed,
    num_injections=1,
    kinds=("flare", "gaussian"),
    snr_min=2.0,
    snr_max=30.0,
    width_min_days=0.01,
    width_max_days=30.0,
    min_epochs=10,
):
    """Add simulated events to copies of lightcurves.

    Each event goes into one lightcurve of its source, all that have enough good epochs being equally
    likely, and peaks so near to one of the good epochs, all equally likely, that this one sees at
    least 84 % of the peak. All depends on the seed, the names and the number of the injection
    only, neither on other sources nor on the order of the batch.

    Parameters
    ----------
    batch : LightcurveBatch
        Lightcurves; not changed.
    qflag : ndarray of int64, shape (n_epochs,)
        0 for good epochs.
    seed : int
        Seed of the project.
    num_injections : float, optional
        Events per source; a fraction is the mean of a Poisson law.
    kinds : sequence of str, optional
        Shapes to choose from, of `PROFILES`.
    snr_min, snr_max : float, optional
        Range of the expected S/N of the peak, equally likely in its logarithm.
    width_min_days, width_max_days : float, optional
        Range of the full width at half maximum [days], equally likely in its logarithm.
    min_epochs : int, optional
        Least number of good epochs of a lightcurve.

    Returns
    -------
    injected : LightcurveBatch
        One lightcurve per injection, with flux, fluxerr, mag and magerr changed. Its table has two
        more entries: ``injection`` (number) and ``original`` (its row in the table of `batch`).
    truth : dict of str to ndarray, each of shape (n_injections,)
        `INJECTION_COLUMNS`, in the order of the lightcurves; not yet recovered.
    """
    _check_ranges(num_injections, kinds, (snr_min, snr_max), (width_min_days, width_max_days), min_epochs)
    good = np.asarray(qflag) == 0
    eligible = segment_count(good, batch.starts) >= min_epochs
    original, injection = _choose_lightcurves(batch.table, eligible, seed, num_injections)
    copies = batch.select(original)
    copies.table.update(injection=injection, original=original)
    good = good[batch.epochs_of(original)[0]]
    stream = _stream(seed, copies.table, injection)
    median, rms = baseline(copies, good)
    epoch = _choose_epochs(good, copies.starts, uniforms(stream, _EPOCH))
    noise = np.fmax(copies.columns["fluxerr"][epoch], rms)
    ranges = (snr_min, snr_max), (width_min_days, width_max_days)
    truth = _draw_events(copies, stream, copies.columns["mjd"][epoch], noise, kinds=kinds, ranges=ranges)
    return _add_light(copies, truth, median, stream), truth


def _check_ranges(num_injections, kinds, snr, width, min_epochs):
    """Raise ValueError for settings that no event can be drawn with."""
    if not 0 <= num_injections < np.inf:
        raise ValueError(f"num_injections must not be negative, got {num_injections!r}")
    unknown = sorted(set(kinds) - set(PROFILES))
    if unknown or not len(kinds):
        raise ValueError(f"kinds must be some of {sorted(PROFILES)}, got {list(kinds)}")
    for name, (least, most) in {"snr_min and snr_max": snr, "width_min_days and width_max_days": width}.items():
        if not 0 < least <= most < np.inf:
            raise ValueError(f"{name} must be positive and in order, got {least!r} and {most!r}")
    if min_epochs < 1:
        raise ValueError(f"min_epochs must be 1 or more, got {min_epochs!r}")


def _stream(seed, table, injection):
    """Start of the random numbers of each injection: a hash of all that names it."""
    return combine(seed, *(hash_text(table[name]) for name in ("source", "obs", "key")), injection)


def _choose_lightcurves(table, eligible, seed, num_injections):
    """Lightcurve and number of each injection, ordered by source (as in the table) and number.

    Of the lightcurves of a source the one with the greatest hash is taken, so their order is irrelevant.
    """
    rows = np.flatnonzero(eligible)
    part = {name: table[name][rows] for name in ("source", "obs", "key")}
    names, first, source = np.unique(hash_text(part["source"]), return_index=True, return_inverse=True)
    numbers = _numbers(uniforms(seed, names, _NUMBER), num_injections)
    injection = np.arange(1, numbers.max(initial=0) + 1)[:, None]
    weight = combine(_stream(seed, part, injection), _LIGHTCURVE)
    injection, source, lightcurve = (x.ravel() for x in np.broadcast_arrays(injection, source, np.arange(len(rows))))
    order = np.lexsort((weight.ravel(), injection, first[source]))
    source, injection, lightcurve = source[order], injection[order], lightcurve[order]
    heaviest = np.ones(len(order), bool)
    heaviest[:-1] = (source[1:] != source[:-1]) | (injection[1:] != injection[:-1])
    heaviest &= injection <= numbers[source]
    return rows[lightcurve[heaviest]], injection[heaviest]


def _numbers(random, mean):
    """Number of injections of each source: `mean` itself if whole, else drawn from a Poisson law."""
    if float(mean).is_integer():
        return np.full(len(random), int(mean))
    terms = [math.exp(-mean)]
    while len(terms) < mean + 10 * math.sqrt(mean) + 10:
        terms.append(terms[-1] * mean / len(terms))
    return np.searchsorted(np.cumsum(terms), random, side="right")


def _choose_epochs(good, starts, random):
    """Row of one good epoch of each lightcurve, every one equally likely."""
    counts = segment_sum(good, starts)
    nth = (random * counts).astype(np.int64)
    return np.flatnonzero(good)[starts_from_counts(counts)[:-1] + nth]


def _log_uniform(random, least, most):
    """Numbers between two positive limits whose logarithms are equally likely."""
    return least * (most / least) ** random


def _draw_events(copies, stream, mjd, noise, *, kinds, ranges):
    """Table of the events that `mjd`, one epoch of each lightcurve, is near the peak of."""
    which = (uniforms(stream, _KIND) * len(kinds)).astype(np.int64)
    of_kinds = [(*PROFILES[kind].reach(_SEEN), PROFILES[kind].sign) for kind in kinds]
    before, after, sign = np.array(of_kinds)[which].T
    snr = sign * _log_uniform(uniforms(stream, _SNR), *ranges[0])
    width = _log_uniform(uniforms(stream, _WIDTH), *ranges[1])
    table = copies.table
    return {
        "source": table["source"],
        "obs": table["obs"],
        "lightcurve": table["key"],
        "filter": table["filter"],
        "injection": table["injection"],
        "kind": np.array(kinds, dtype="U")[which],
        "peak_mjd": mjd + width * (uniforms(stream, _PEAK) * (before + after) - after),
        "width": width,
        "amplitude": snr * noise,
        "expected_snr": snr,
        "snr": np.full(len(snr), np.nan),
        "recovered": np.zeros(len(snr), np.int64),
    }


def _add_light(copies, truth, median, stream):
    """Add the events to flux, and their photon noise to flux and fluxerr.

    The variance of a Poisson process is proportional to the flux: without the sky, an event as
    bright as the source doubles it. Of sources fainter than `_SOURCE_LIMITED` errors the noise
    is taken to be the sky's, to which their own photons add no more than at that limit.
    """
    added = _light(copies, truth)
    hit = np.flatnonzero(added)
    event = np.searchsorted(copies.starts, hit, side="right") - 1
    flux, fluxerr = copies.columns["flux"].copy(), copies.columns["fluxerr"].copy()
    error = np.where(fluxerr[hit] > 0, fluxerr[hit], 0.0)
    level = np.fmax(median[event], _SOURCE_LIMITED * error)
    share = np.divide(np.maximum(added[hit], 0), level, out=np.zeros(len(hit)), where=level > 0)
    extra = error * np.sqrt(share)
    flux[hit] += added[hit] + extra * normals(stream[event], _NOISE, hit - copies.starts[event])
    fluxerr[hit] = np.where(extra > 0, np.hypot(error, extra), fluxerr[hit])
    mag, magerr = mag_from_flux(flux, fluxerr)
    return copies.with_columns(flux=flux, fluxerr=fluxerr, mag=mag, magerr=magerr)


def _light(copies, truth):
    """Flux of the event at every epoch [uJy], exactly 0 below 1e-9 of the peak and without a time."""
    starts = copies.starts
    phase = (copies.columns["mjd"] - spread(truth["peak_mjd"], starts)) / spread(truth["width"], starts)
    names, kind = np.unique(truth["kind"], return_inverse=True)
    kind = np.where(np.isfinite(phase), spread(kind, starts), -1)
    shape = np.zeros(len(phase))
    for code, name in enumerate(names.tolist()):
        rows = np.flatnonzero(kind == code)
        shape[rows] = PROFILES[name].shape(phase[rows])
    shape[shape < 1e-9] = 0.0
    return shape * spread(truth["amplitude"], starts)
