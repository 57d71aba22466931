"""How many injected events are recovered, and from which strength on."""

import numpy as np

from vo_lib.tables import take_rows

__all__ = ["count_injections", "efficiency_limits", "project", "wilson_interval"]

# Events that a bin needs for its efficiency to be meaningful.
_PER_BIN = 10


def count_injections(histograms, injections, mag):
    """Count injected and recovered events by kind, strength, width, magnitude of the source and filter.

    Parameters
    ----------
    histograms : dict of str to Histogram
        ``injected`` and ``recovered``, which are filled in place.
    injections : dict of str to ndarray, each of shape (n_injections,)
        See `vo_lib.injection.recovery.recover`.
    mag : ndarray of float, shape (n_injections,)
        Catalog magnitude of their source; NaN if unknown.
    """
    found = injections["recovered"] == 1
    values = {name: injections[name] for name in ("width", "filter", "kind")}
    values |= {"expected_snr": np.abs(injections["expected_snr"]), "mag": mag}
    histograms["injected"].fill(**values)
    histograms["recovered"].fill(**take_rows(values, found))


def project(histogram, *names):
    """Sum a histogram over all axes except those named.

    Parameters
    ----------
    histogram : Histogram
        Any histogram.
    *names : str
        Axes to keep.

    Returns
    -------
    ndarray of uint64
        Counts along these axes in the given order, including those outside the bins.

    Raises
    ------
    ValueError
        If the histogram has no axis of one of the names.
    """
    known = [axis.name for axis in histogram.axes]
    if missing := sorted(set(names) - set(known)):
        raise ValueError(f"histogram '{histogram.name}' has no axis '{missing[0]}'; it has {', '.join(known)}")
    kept = [known.index(name) for name in names]
    others = tuple(place for place in range(len(known)) if place not in kept)
    left = sorted(kept)
    return histogram.counts.sum(axis=others).transpose([left.index(place) for place in kept])


def wilson_interval(successes, trials):
    """Compute the 68 % confidence interval of the probability of success.

    Wilson (1927), J. Am. Stat. Assoc. 22, 209, for one standard deviation; unlike the usual error
    of a binomial proportion it is neither empty nor outside 0 to 1 where all or none succeed.

    Parameters
    ----------
    successes, trials : int or ndarray of int
        Numbers, broadcast together.

    Returns
    -------
    low, high : float or ndarray of float
        Ends of the interval; 0 and 1 without trials.
    """
    successes, trials = np.asarray(successes, float), np.asarray(trials, float)
    centre = (successes + 0.5) / (trials + 1)
    some = np.maximum(trials, 1)
    half = np.sqrt(successes * (trials - successes) / some + 0.25) / (trials + 1)
    low, high = np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)
    return low, high


def efficiency_limits(edges, injected, recovered, levels=(0.5, 0.9)):
    """Compute the strength from which on a given fraction of the events is recovered.

    The efficiency is assumed to rise with strength: bins in which it falls are pooled with those before
    (Ayer et al. 1955, doi:10.1214/aoms/1177728423), and between the centres of the bins it is interpolated in
    the logarithm of the strength. Bins with few events are joined with their neighbours.

    Parameters
    ----------
    edges : ndarray of float, shape (n_bins + 1,)
        Edges of the strength bins, positive.
    injected, recovered : ndarray of int, shape (n_bins,)
        Numbers of events.
    levels : sequence of float, optional
        Efficiencies to reach.

    Returns
    -------
    ndarray of float, shape (n_levels, 3)
        Strength, and the ends of its interval, where the Wilson interval of the efficiency crosses the level; 0 if
        even the weakest events reach the level, NaN if it is not reached within the bins.
    """
    middle = np.log(edges[1:] * edges[:-1]) / 2
    # Bins are joined until each has enough events for the interval of its efficiency to mean something.
    group = (np.cumsum(injected) - injected / 2) // _PER_BIN
    sums = [np.bincount(group.astype(int), values) for values in (injected, recovered, injected * middle)]
    trials, successes, place = (values[sums[0] > 0] for values in sums)
    middle, curves = place / trials, _rising(trials, successes)
    return np.array([[_crossing(middle, curve, level) for curve in curves] for level in levels]).reshape(-1, 3)


def _rising(injected, recovered):
    """Fit the best rising efficiency, with the upper and lower ends of its intervals, which rise too."""
    blocks = []
    for pair in zip(injected, recovered, strict=True):
        blocks.append([*pair, 1])
        while len(blocks) > 1 and blocks[-2][1] * blocks[-1][0] >= blocks[-1][1] * blocks[-2][0]:
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
    trials, successes, size = np.array(blocks).reshape(-1, 3).T
    low, high = wilson_interval(successes, trials)
    curves = (successes / np.maximum(trials, 1), np.maximum.accumulate(high), np.maximum.accumulate(low))
    return [np.repeat(curve, size.astype(int)) for curve in curves]


def _crossing(middle, curve, level):
    """Return where a rising curve reaches a level."""
    above = np.flatnonzero(curve >= level)
    if not len(above) or above[0] == 0:
        return 0.0 if len(above) else np.nan
    place = above[0]
    part = (level - curve[place - 1]) / (curve[place] - curve[place - 1])
    return float(np.exp(middle[place - 1] + part * (middle[place] - middle[place - 1])))
