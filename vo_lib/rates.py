"""How often events happen: detections over the time for which the survey would have found such events."""

import math
from itertools import product

import numpy as np

from vo_lib.cuts import Cut
from vo_lib.profiles import PROFILES
from vo_lib.properties import match_names
from vo_lib.recovery import label_separate
from vo_lib.special import beta_quantile, gamma_quantile

__all__ = [
    "RATE_COLUMNS",
    "TABLES",
    "check_classes",
    "expected_noise",
    "measure_rates",
    "poisson_interval",
    "rate_interval",
]

# Tables of the analysis files that rates are made of.
TABLES = ("properties", "series", "detections", "injections")
# Columns of the table of rates: (type, unit, meaning).
RATE_COLUMNS = {
    "class": ("U1", "", "class of the sources"),
    "obs": ("U1", "", "observatory"),
    "filter": ("U1", "", "filter"),
    "kind": ("U1", "", "shape of the injected events that the exposure is of"),
    "sign": ("i8", "", "+1 for brighter, -1 for fainter"),
    "n_sources": ("i8", "", "sources of the class with a lightcurve that events are injected into"),
    "n_lightcurves": ("i8", "", "such lightcurves"),
    "n_injections": ("i8", "", "injected events"),
    "n_recovered": ("i8", "", "injected events that were recovered"),
    "source_days": ("f8", "d", "time at which an epoch could have seen an event, summed over sources"),
    "exposure_days": ("f8", "d", "part of it in which an event is found: time times efficiency"),
    "exposure_err": ("f8", "d", "its standard error, from the number of injections"),
    "per_event": ("f8", "", "separate detections that an event makes where it is found"),
    "n_detections": ("i8", "", "separate real detections of the sign"),
    "n_detections_low": ("f8", "", "lower end of the 68 % interval of their mean (Garwood 1936)"),
    "n_detections_high": ("f8", "", "upper end of it"),
    "n_false": ("f8", "", "of these expected from Gaussian noise"),
    "rate": ("f8", "1/d", "events per source and day"),
    "rate_low": ("f8", "1/d", "lower end of its 68 % interval, with the error of the exposure"),
    "rate_high": ("f8", "1/d", "upper end of it"),
    "rate_upper": ("f8", "1/d", "upper limit, 95 %"),
}
# Types of the columns that are counted, and of the sum of squares that errors come from.
_COUNTED = {name: kind for name, (kind, *_) in list(RATE_COLUMNS.items())[: list(RATE_COLUMNS).index("exposure_err")]}
_COUNTED |= dict.fromkeys(("squares", "found_days", "found_squares", "clump", "n_false"), "f8") | {"n_detections": "i8"}
_COUNTED = {name: str if kind.startswith("U") else kind for name, kind in _COUNTED.items()}
# So many injections, whose error is 1 %, are as good as any number of them.
_ENOUGH = 1e4
# Probability on either side of an interval of one standard deviation, and beyond the upper limit.
_TAIL, _LIMIT = (1 - math.erf(math.sqrt(0.5))) / 2, 0.05


def poisson_interval(number, tail=_TAIL):
    """Interval of the mean of a Poisson law, from one number drawn from it.

    Garwood (1936), doi:10.1093/biomet/28.3-4.437; tabulated by Gehrels (1986), doi:10.1086/164079.

    Parameters
    ----------
    number : int or ndarray of int
        Events that were counted.
    tail : float, optional
        Probability on either side; the default is that of one standard deviation, 0.1587.

    Returns
    -------
    low, high : ndarray of float
        0 is the lower end for no events.
    """
    number = np.asarray(number)
    low = np.where(number > 0, gamma_quantile(tail, np.maximum(number, 1)), 0.0)
    return low, gamma_quantile(1 - tail, number + 1)


def rate_interval(number, exposure, squares, tail=_TAIL, *, clump=1.0):
    """Interval of a rate, with the errors of both the number of events and the exposure.

    The exposure is itself a sum over injections, worth as many equal ones as ``exposure**2 / squares``. Of two
    Poisson numbers, the part that is of one of them follows a binomial law, whose interval (Clopper & Pearson 1934,
    doi:10.1093/biomet/26.4.404) gives that of the ratio of means (Przyborowski & Wilenski 1940,
    doi:10.1093/biomet/31.3-4.313). For many injections it becomes `poisson_interval` over the exposure.

    Parameters
    ----------
    number : int or ndarray of int
        Events that were counted.
    exposure, squares : float or ndarray of float
        Sums of the exposures of the recovered injections [days] and of their squares.
    tail : float, optional
        Probability on either side.
    clump : float or ndarray of float, optional
        Mean square over mean of the detections that one event makes: where events are found in several pieces, the
        number of detections varies as if it were so many times smaller.

    Returns
    -------
    low, high : ndarray of float
        Rates [1/day]; NaN where nothing was recovered.
    """
    number, exposure, squares, clump = (x.astype(float) for x in np.broadcast_arrays(number, exposure, squares, clump))
    worth = np.minimum(_ratio(exposure**2, squares), _ENOUGH)
    low = np.where(number > 0, beta_quantile(tail, np.where(number > 0, number / clump, 1.0), worth + 1), 0.0)
    high = beta_quantile(1 - tail, number / clump + 1, worth)
    scale = clump * _ratio(worth, exposure)
    return scale * low / (1 - low), scale * high / (1 - high)


def _ratio(above, below):
    """Quotient, NaN where the divisor is not positive."""
    return np.divide(above, below, out=np.full(np.shape(below), np.nan), where=below > 0)


def check_classes(classes, columns):
    """Raise ConfigError for a class of sources that is no condition on some columns.

    Parameters
    ----------
    classes : dict of str to str
        Condition of each class, see `vo_lib.cuts.Cut`.
    columns : dict of str to tuple
        Type, unit and meaning of the columns of properties.
    """
    table = {name: np.zeros(0, kind) for name, (kind, *_) in columns.items()}
    _members(classes, table)


def _members(classes, properties):
    """Mask of the sources of each class; one class ``all`` where none is named."""
    if not classes:
        return {"all": np.ones(len(properties["source"]), bool)}
    return {name: Cut(text, f"rates.classes.{name}").mask(properties) for name, text in classes.items()}


def measure_rates(tables, *, kinds, classes=None, min_epochs=10, threshold=5.0, false_alarms=(0.0, 0.0)):
    """Rates of events by class of sources, survey, filter and kind of event.

    The events are taken to be of the kind, the widths and the S/N that were injected, and to come at any time alike.
    The number of detections is that times the effective exposure, the sum of ``exposure_days`` over the
    recovered injections, an estimate by the method of Horvitz & Thompson (1952, doi:10.1080/01621459.1952.10483446),
    and times the number of separate detections that an event makes.

    Parameters
    ----------
    tables : dict of str to dict of str to ndarray
        `TABLES` of the analysis, of all bins.
    kinds : dict of str to int
        Kinds of events that were injected, and their sign: +1 brighter, -1 fainter.
    classes : dict of str to str, optional
        Conditions on the columns of properties, see `vo_lib.cuts`; one class of all sources by default.
    min_epochs : int, optional
        As for the injections: detections in lightcurves with fewer good epochs have no exposure and do not count.
    threshold : float, pair of float or None, optional
        S/N of a detection by the method peak, or those of fainter and brighter ones; None where it is not used.
    false_alarms : pair of float, optional
        Fainter and brighter detections that the method matched_filter is expected to make in a lightcurve of noise.

    Returns
    -------
    dict of str to ndarray, each of shape (n_rates,)
        `RATE_COLUMNS`, by class, survey, filter and kind.
    """
    series, injections = tables["series"], tables["injections"]
    eligible = series["n_epochs"] - series["n_flagged"] >= min_epochs
    real = _separate(tables["detections"], series, eligible)
    bands = sorted(set(zip(series["obs"].tolist(), series["filter"].tolist(), strict=True)))
    levels = np.broadcast_to(np.abs(np.asarray(np.inf if threshold is None else threshold, float)), 2)
    noise = {sign: pair for sign, *pair in zip((-1, 1), levels.tolist(), false_alarms, strict=True)}
    rows = []
    for (name, members), (obs, band) in product(_members(classes, tables["properties"]).items(), bands):
        parts = [
            _part(table, obs, band, tables["properties"]["source"], members) for table in (series, real, injections)
        ]
        parts[0] &= eligible
        for kind, sign in kinds.items():
            row = _count(series, real, injections, parts, kind, sign, noise[sign])
            rows.append({"class": name, "obs": obs, "filter": band, "kind": kind} | row)
    return _derive({name: np.array([row[name] for row in rows], kind) for name, kind in _COUNTED.items()})


def expected_noise(finder):
    """What noise is expected to make, from the section ``finder`` of a configuration.

    Parameters
    ----------
    finder : dict
        The section; nothing is expected of a search whose false alarms are not known: with a class of one's own, or
        limits to the epochs or the number of detections.

    Returns
    -------
    dict
        ``threshold`` and ``false_alarms``, see `measure_rates`.
    """
    options, methods = finder["matched_filter"], finder["methods"]
    if finder["class"] or finder["min_epochs"] > 1 or finder["max_detections"]:
        methods = ()
    signs = [PROFILES[name].sign for name in options["shapes"]] if "matched_filter" in methods else []
    each = options["false_alarms"] / max(len(set(signs)), 1)
    return {
        "threshold": finder["snr_threshold"] if "peak" in methods else None,
        "false_alarms": [each if sign in signs else 0.0 for sign in (-1, 1)],
    }


def _part(table, obs, band, sources, members):
    """Mask of the rows of one survey and filter, and of sources of a class."""
    return members[match_names(sources, table["source"])] & (table["obs"] == obs) & (table["filter"] == band)


def _separate(detections, series, eligible):
    """Real detections in lightcurves that are injected into, those that share epochs counted as one."""
    real = {name: values[detections["simulated"] == 0] for name, values in detections.items()}
    keys, names = (np.strings.add(np.strings.add(table["obs"], "/"), table["lightcurve"]) for table in (series, real))
    where = match_names(keys, names)
    label = label_separate(where, real["first_epoch"], real["last_epoch"], real["sign"])
    first = np.unique(label, return_index=True)[1]
    kept = first[eligible[where[first]]]
    return {name: values[kept] for name, values in real.items()}


def _count(series, real, injections, parts, kind, sign, noise):
    """Numbers and sums of one class, survey, filter and kind."""
    lightcurves, detections, events = parts
    level, false_alarms = noise
    events = events & (injections["kind"] == kind)
    days, found, recovered = (injections[name][events] for name in ("exposure_days", "n_found", "recovered"))
    epochs = int((series["n_epochs"] - series["n_flagged"])[lightcurves].sum())
    return {
        "sign": sign,
        "n_sources": len(np.unique(series["source"][lightcurves])),
        "n_lightcurves": int(lightcurves.sum()),
        "n_injections": int(events.sum()),
        "n_recovered": int(recovered.sum()),
        "source_days": days.sum(),
        "exposure_days": (days * recovered).sum(),
        "squares": np.square(days * recovered).sum(),
        "found_days": (days * found).sum(),
        "found_squares": np.square(days * found).sum(),
        "clump": (days * found**2).sum(),
        "n_detections": int((real["sign"][detections] == sign).sum()),
        "n_false": epochs * math.erfc(level / math.sqrt(2)) / 2 + lightcurves.sum() * false_alarms,
    }


def _derive(table):
    """Errors, intervals and rates from what was counted."""
    number, exposure = table["n_detections"], table["found_days"]
    of_rate = {"number": number, "exposure": exposure, "squares": table["found_squares"]}
    of_rate["clump"] = _ratio(table["clump"], exposure)
    low, high = poisson_interval(number)
    rate_low, rate_high = rate_interval(**of_rate)
    false = _ratio(table["n_false"], exposure)
    table = table | {
        "exposure_err": np.sqrt(table["squares"]),
        "per_event": _ratio(exposure, table["exposure_days"]),
        "n_detections_low": low,
        "n_detections_high": high,
        "rate": np.maximum(_ratio(number, exposure) - false, 0.0),
        "rate_low": np.maximum(rate_low - false, 0.0),
        "rate_high": np.maximum(rate_high - false, 0.0),
        "rate_upper": rate_interval(**of_rate, tail=_LIMIT)[1],
    }
    return {name: table[name] for name in RATE_COLUMNS}
