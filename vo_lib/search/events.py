"""Merging of detections of a source that coincide in several lightcurves into one event."""

import numpy as np

from vo_lib.segments import rank_within, segment_max, segment_min, segment_sum
from vo_lib.tables import take_rows

__all__ = ["EVENT_COLUMNS", "best_first", "merge_detections"]

# Columns of the table of events: (type, unit, meaning).
EVENT_COLUMNS = {
    "source": ("U1", "", "name in the catalog"),
    "event": ("i8", "", "number of the event of the source, from 1 in order of time"),
    "sign": ("i8", "", "+1 brighter, -1 fainter than usual"),
    "n_detections": ("i8", "", "detections that are parts of it"),
    "surveys": ("U1", "", "observatories that saw it"),
    "filters": ("U1", "", "filters in which it was seen"),
    "snr": ("f8", "", "root of the sum of the squares of the S/N of its parts"),
    "score": ("f8", "", "greatest score of its parts"),
    "peak_mjd": ("f8", "d", "time of the peak of the part with the greatest score"),
    "start_mjd": ("f8", "d", "time of the first epoch"),
    "end_mjd": ("f8", "d", "time of the last epoch"),
    "obs": ("U1", "", "observatory of the part with the greatest score"),
    "lightcurve": ("U1", "", "key of its lightcurve in the reduced file"),
    "number": ("i8", "", "number of that part in its lightcurve"),
}


def merge_detections(detections, *, gap_days=1.0):
    """Merge detections of one source and sign that coincide in different lightcurves into events.

    Parameters
    ----------
    detections : dict of str to ndarray, each of shape (n_detections,)
        Real detections, see `vo_lib.search.detections.DETECTION_COLUMNS`; all those of each source.
    gap_days : float, optional
        Longest time between two detections that still coincide [days].

    Returns
    -------
    event : ndarray of int64, shape (n_detections,)
        Number of the event, within its source, that each detection is part of.
    events : dict of str to ndarray, each of shape (n_events,)
        `EVENT_COLUMNS`, with sources in order of first appearance, and the events of each by time.
    """
    if not gap_days >= 0:
        raise ValueError(f"event_gap_days must not be negative, got {gap_days!r}")
    start, end, sign = (detections[name] for name in ("start_mjd", "end_mjd", "sign"))
    first_of, owner = np.unique(detections["source"], return_index=True, return_inverse=True)[1:]
    # Each source is identified by its first detection, which keeps the order of the table.
    place = first_of[owner]
    chain = np.unique(_chains(2 * place + (sign > 0), _codes(detections), start, end, gap_days), return_inverse=True)[1]
    order = np.lexsort((start, chain))
    starts = np.append(np.unique(chain[order], return_index=True)[1], len(order))
    first = order[starts[:-1]]
    number = rank_within(place[first], start[first])
    best = np.lexsort((start, -detections["score"], chain))[starts[:-1]]
    of_best = ("source", "sign", "score", "peak_mjd", "obs", "lightcurve", "number")
    events = {name: detections[name][best] for name in of_best}
    events |= {
        "event": number,
        "n_detections": np.diff(starts),
        "surveys": _listed(detections["obs"][order], starts),
        "filters": _listed(detections["filter"][order], starts),
        "snr": np.sqrt(segment_sum(np.square(detections["snr"])[order], starts)),
        "start_mjd": segment_min(start[order], starts),
        "end_mjd": segment_max(end[order], starts),
    }
    rows = np.lexsort((number, place[first]))
    return number[chain], {name: events[name][rows] for name in EVENT_COLUMNS}


def best_first(table):
    """Sort detections or events by falling score, ties by source and time of the peak; an empty dict stays empty."""
    if not table:
        return {}
    rows = np.lexsort((table["peak_mjd"], table["source"], -table["score"]))
    return take_rows(table, rows)


def _codes(detections):
    """Return a number that identifies the lightcurve of each detection."""
    names = zip(*(detections[name].tolist() for name in ("obs", "source", "lightcurve")), strict=True)
    known = {}
    return np.array([known.setdefault(name, len(known)) for name in names], np.int64)


def _chains(group, lightcurve, start, end, gap):
    """Label each detection by its chain: those of a group in different lightcurves that meet, if only via others."""
    parent = list(range(len(start)))

    def root(number):
        while parent[number] != number:
            parent[number] = number = parent[parent[number]]
        return number

    near = []
    for number in np.lexsort((start, group)).tolist():
        near = [other for other in near if group[other] == group[number] and end[other] + gap >= start[number]]
        for other in near:
            if lightcurve[other] != lightcurve[number]:
                parent[root(number)] = root(other)
        near.append(number)
    return np.array([root(number) for number in range(len(start))], np.int64)


def _listed(names, starts):
    """Join the distinct names of each segment in alphabetical order, separated by spaces."""
    bounds = zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)
    return np.array([" ".join(sorted({*names[begin:end].tolist()})) for begin, end in bounds], dtype=str)
