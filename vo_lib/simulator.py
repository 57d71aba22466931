"""Injection of simulated events into copies of real lightcurves, to measure what the search would find."""

import math
from typing import NamedTuple

import numpy as np

from vo_lib.injection.light import add_light, seen_snr
from vo_lib.injection.placement import Windows, first_free, reach_days, smearing_days
from vo_lib.injection.recovery import REASONS, spans_of
from vo_lib.profiles import PROFILES
from vo_lib.randoms import combine, hash_text, stream_of, uniforms
from vo_lib.search.noise import baseline
from vo_lib.segments import segment_count, segment_max, segment_median

__all__ = ["INJECTION_COLUMNS", "inject"]

# Columns of the injections table: (type, unit, meaning).
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
    "expected_snr": ("f8", "", "amplitude over the median noise, without photon noise of the event"),
    "observable_days": ("f8", "d", "length of the peak times at which an epoch could see the event"),
    "exposure_days": ("f8", "d", "peak times that the injection stands for, of all lightcurves and all of its kind"),
    "seen_snr": ("f8", "", "greatest expected S/N of a good epoch, with photon noise of the event"),
    "snr": ("f8", "", "S/N of the best detection that is due to the event, NaN if none"),
    "match": ("i8", "", "number of that detection in the copy of the lightcurve, 0 if none"),
    "n_found": ("i8", "", "separate detections that are due to the event"),
    "recovered": ("i8", "", "1 where there is such a detection"),
    "reason": ("U1", "", "recovered, or why it was not: " + ", ".join(REASONS[1:])),
}
# Purposes of random numbers.
_LIGHTCURVE, _NUMBER, _CELL, _KIND, _WIDTH, _PEAK, _SNR, _NOISE = range(8)
# Number of peak times to try, to find one away from real detections.
_TRIES = 8
_SAMPLING, _LEVELS = ("random", "grid"), ("reduced", "processed")
_NUMBER_LAWS = ("fixed", "fractional", "poisson")


class _PowerLaw(NamedTuple):
    """Density x**index between two positive limits, and the number of steps of a grid in it."""

    least: float
    most: float
    index: float
    steps: int

    def check(self, name, limits):
        """Raise ValueError if it is invalid, with the names of its options."""
        if not 0 < self.least <= self.most < np.inf:
            raise ValueError(f"{limits} must be positive and in order, got {self.least!r} and {self.most!r}")
        if not np.isfinite(self.index):
            raise ValueError(f"{name}_index must be a number, got {self.index!r}")
        if self.steps < 1:
            raise ValueError(f"{name}_steps must be 1 or more, got {self.steps!r}")

    def values(self, random):
        """Return values from uniform random numbers."""
        if self.index == -1:
            return self.least * (self.most / self.least) ** random
        power = self.index + 1
        return self.least * (1 + random * ((self.most / self.least) ** power - 1)) ** (1 / power)


def inject(
    batch,
    qflag,
    *,
    seed,
    real=None,
    num_injections=1,
    number_law=None,
    kinds=("flare", "gaussian"),
    sampling="random",
    snr_min=2.0,
    snr_max=30.0,
    snr_index=-1.0,
    snr_steps=8,
    width_min_days=0.01,
    width_max_days=30.0,
    width_index=-1.0,
    width_steps=8,
    min_epochs=10,
    avoid_real=True,
    level="reduced",
):
    """Add simulated events to copies of lightcurves.

    Each event is injected into one lightcurve of its source, drawn with equal probability from those with
    enough good epochs. Kind, width and S/N are drawn first; the peak time is then drawn uniformly from the
    times at which a good epoch could see the event. Each event therefore represents a known time of observation,
    and the sum of ``exposure_days`` over the recovered injections of a kind estimates for how long the survey would
    have found such events (Horvitz & Thompson 1952, doi:10.1080/01621459.1952.10483446). The result depends only
    on the seed, the names and the number of the injection, not on other sources or the order of the batch.

    Parameters
    ----------
    batch : LightcurveBatch
        Lightcurves; not changed.
    qflag : ndarray of int64, shape (n_epochs,)
        0 for good epochs.
    seed : int
        Seed of the project.
    real : Finding, optional
        Real detections in the batch, needed for `avoid_real`.
    num_injections : float, optional
        Number of events per source, or its mean.
    number_law : {"fixed", "fractional", "poisson"} or None, optional
        The same number for each source; the integer part of `num_injections` for each source and one more for a
        fraction of the sources; or Poisson-distributed numbers. None is fixed for a whole number, else Poisson.
    kinds : sequence of str, optional
        Kinds of events to choose from, of `PROFILES`.
    sampling : {"random", "grid"}, optional
        Random values, or those of a grid of kinds, S/N and widths, whose cells the injections of a source go through
        in order from a random one. The grid values are the midpoints of equally probable ranges.
    snr_min, snr_max : float, optional
        Range of the expected S/N of the peak.
    snr_index, width_index : float, optional
        Exponents of the power-law distributions dN/dx of S/N and width; -1 is uniform in the logarithm, 0 in the value.
    snr_steps, width_steps : int, optional
        Number of values of S/N and width of a grid.
    width_min_days, width_max_days : float, optional
        Range of the full width at half maximum [days].
    min_epochs : int, optional
        Minimum number of good epochs of a lightcurve.
    avoid_real : bool, optional
        Keep events away from real detections. The exposures still include their time, since rates count them.
    level : {"reduced", "processed"}, optional
        Whether the quality of the copies is assessed anew, or they keep the quality flags of the originals.

    Returns
    -------
    injected : LightcurveBatch
        One lightcurve per injection, with changed ``flux``, ``fluxerr``, ``mag`` and ``magerr`` and a column ``light``,
        the flux of the event averaged over the exposure [uJy]. Its table has additional columns: ``injection``
        (number), ``original`` (row in the table of `batch`) and ``rms`` (scatter of the original [uJy]).
    truth : dict of str to ndarray, each of shape (n_injections,)
        `INJECTION_COLUMNS`, in the order of the lightcurves, before recovery.

    Raises
    ------
    ValueError
        If an option is invalid.
    """
    snr = _PowerLaw(snr_min, snr_max, snr_index, snr_steps)
    width = _PowerLaw(width_min_days, width_max_days, width_index, width_steps)
    _check_choices(kinds, min_epochs, sampling=sampling, level=level)
    number_law = _check_number(num_injections, number_law)
    snr.check("snr", "snr_min and snr_max")
    width.check("width", "width_min_days and width_max_days")
    good = np.asarray(qflag) == 0
    eligible = segment_count(good, batch.starts) >= min_epochs
    original, injection, share = _choose_lightcurves(batch.table, eligible, seed, num_injections, number_law)
    copies, good = batch.select(original), good[batch.epochs_of(original)[0]]
    stream = stream_of(seed, copies.table, injection)
    median, rms = baseline(copies, good)
    copies.table.update(injection=injection, original=original, rms=rms)
    draws = _draws(seed, stream, copies.table, kinds, snr, width, sampling=sampling)
    truth = _draw_events(copies, draws, _usual_noise(copies, good, rms))
    spans = spans_of(real, original) if avoid_real and real is not None else None
    truth |= _place(copies, good, truth, stream, spans)
    truth["exposure_days"] = truth["observable_days"] * share * len(kinds)
    injected = add_light(copies, truth, median, combine(stream, _NOISE))
    truth["seen_snr"] = seen_snr(injected, truth["amplitude"], good)
    return injected, {name: truth[name] for name in INJECTION_COLUMNS}


def _usual_noise(copies, good, rms):
    """Larger of the median error of the good epochs of each lightcurve and its scatter [uJy]."""
    return np.fmax(segment_median(np.where(good, copies.columns["fluxerr"], np.nan), copies.starts), rms)


def _check_number(number, law):
    """Law of the numbers of injections; raise ValueError for an invalid number or law."""
    if not 0 <= number < np.inf:
        raise ValueError(f"num_injections must not be negative, got {number!r}")
    whole = float(number).is_integer()
    law = law or ("fixed" if whole else "poisson")
    if law not in _NUMBER_LAWS:
        raise ValueError(f"number_law must be {', '.join(_NUMBER_LAWS)} or None, got {law!r}")
    if law == "fixed" and not whole:
        raise ValueError(
            f"number_law fixed needs a whole num_injections, got {number!r}; fractional and poisson do not"
        )
    return law


def _check_choices(kinds, min_epochs, *, sampling, level):
    """Raise ValueError for choices with which no event can be drawn."""
    unknown = sorted(set(kinds) - set(PROFILES))
    if unknown or not len(kinds):
        raise ValueError(f"kinds must be some of {sorted(PROFILES)}, got {list(kinds)}")
    if min_epochs < 1:
        raise ValueError(f"min_epochs must be 1 or more, got {min_epochs!r}")
    for name, value, known in (("sampling", sampling, _SAMPLING), ("level", level, _LEVELS)):
        if value not in known:
            raise ValueError(f"{name} must be {' or '.join(known)}, got {value!r}")


def _choose_lightcurves(table, eligible, seed, num_injections, number_law):
    """Lightcurve, number and weight of each injection, ordered by source (as in the table) and number.

    Of the lightcurves of a source, the one with the greatest hash is chosen, so their order is irrelevant. The
    weight is the number of lightcurves to choose from divided by the mean number of injections. Using the mean, not
    the actual number, lets the other sources compensate for those that happen to have no injection.
    """
    rows = np.flatnonzero(eligible)
    part = {name: table[name][rows] for name in ("source", "obs", "key")}
    names, first, source, count = np.unique(
        hash_text(part["source"]), return_index=True, return_inverse=True, return_counts=True
    )
    numbers = _numbers(uniforms(seed, names, _NUMBER), num_injections, number_law)
    injection = np.arange(1, numbers.max(initial=0) + 1)[:, None]
    weight = combine(stream_of(seed, part, injection), _LIGHTCURVE)
    injection, source, lightcurve = (x.ravel() for x in np.broadcast_arrays(injection, source, np.arange(len(rows))))
    order = np.lexsort((weight.ravel(), injection, first[source]))
    source, injection, lightcurve = source[order], injection[order], lightcurve[order]
    heaviest = np.ones(len(order), bool)
    heaviest[:-1] = (source[1:] != source[:-1]) | (injection[1:] != injection[:-1])
    heaviest &= injection <= numbers[source]
    share = count[source[heaviest]] / max(num_injections, np.finfo(float).tiny)
    return rows[lightcurve[heaviest]], injection[heaviest], share


def _numbers(random, mean, law):
    """Number of injections of each source for a given mean."""
    if law != "poisson":
        return math.floor(mean) + (random < mean - math.floor(mean)).astype(np.int64)
    factors = np.arange(1, mean + 10 * math.sqrt(mean) + 10)
    logs = np.append(0.0, np.cumsum(np.log(max(mean, np.finfo(float).tiny) / factors))) - mean
    return np.searchsorted(np.cumsum(np.exp(logs)), random, side="right")


def _draws(seed, stream, table, kinds, snr, width, *, sampling):
    """Kind, S/N and width of each injection."""
    if sampling == "random":
        which = (uniforms(stream, _KIND) * len(kinds)).astype(np.int64)
        parts = uniforms(stream, _SNR), uniforms(stream, _WIDTH)
    else:
        shape = (len(kinds), snr.steps, width.steps)
        first = uniforms(seed, hash_text(table["source"]), _CELL) * math.prod(shape)
        cell = (first.astype(np.int64) + table["injection"]) % math.prod(shape)
        which, *places = np.unravel_index(cell, shape)
        parts = ((place + 0.5) / law.steps for place, law in zip(places, (snr, width), strict=True))
    values = (law.values(part) for part, law in zip(parts, (snr, width), strict=True))
    return np.array(kinds, dtype="U")[which], *values


def _draw_events(copies, draws, noise):
    """Table of the events, without their times and before recovery."""
    kind, snr, width = draws
    snr = snr * np.array([PROFILES[name].sign for name in kind.tolist()], float)
    zero = np.zeros(len(snr), np.int64)
    return copies.names(("source", "obs", "lightcurve", "filter", "injection")) | {
        "kind": kind,
        "width": width,
        "amplitude": snr * noise,
        "expected_snr": snr,
        "snr": np.full(len(snr), np.nan),
        "match": zero,
        "n_found": zero,
        "recovered": zero,
        "reason": np.full(len(snr), ""),
    }


def _place(copies, good, truth, stream, spans):
    """Peak time of each event, and total length of the times that it was drawn from."""
    mjd = copies.columns["mjd"]
    good = good & np.isfinite(mjd)
    exposure = segment_max(np.where(good, copies.columns["exptime"], np.nan), copies.starts) / 86400
    smear = smearing_days(exposure, truth["width"]) / 2
    before, after = (reach + smear for reach in reach_days(truth["kind"], truth["expected_snr"], truth["width"]))
    windows = Windows(mjd, good, copies.starts, before, after)
    tries = 1 if spans is None else _TRIES
    peaks = windows.peaks(uniforms(stream, _PEAK, np.arange(tries)[:, None]))
    peak = peaks[0] if spans is None else first_free(peaks, before, after, spans)
    return {"peak_mjd": peak, "observable_days": windows.days}
