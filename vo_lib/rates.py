"""Event rates: number of detections divided by the time for which the survey would have found such events."""

from collections import Counter, defaultdict
from itertools import product

import numpy as np

from vo_lib.counts.false_detections import count_false
from vo_lib.counts.rate_intervals import excess_interval, poisson_interval, quotient, rate_interval
from vo_lib.cuts import Cut
from vo_lib.injection.recovery import separate
from vo_lib.labels import match_lightcurves, match_names
from vo_lib.tables import empty_table, take_rows

__all__ = [
    "RATE_COLUMNS",
    "TABLES",
    "check_classes",
    "measure_rates",
]

# Tables of the analysis files that rates are computed from, and the columns needed; None for all, since conditions may
# use any.
TABLES = {
    "properties": None,
    "series": (
        *("source", "obs", "filter", "lightcurve", "n_epochs", "n_flagged"),
        *("noise", "error_median", "flux_weighted_mean_err", "flux_rms", "flux_rms_robust", "poisson_factor"),
    ),
    "detections": ("source", "obs", "filter", "lightcurve", "simulated", "first_epoch", "last_epoch", "sign"),
    "injections": ("source", "obs", "filter", "kind", "exposure_days", "n_found", "recovered"),
}
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
    "n_other_sign": ("i8", "", "separate real detections of the other sign in the same lightcurves"),
    "n_false": ("f8", "", "detections of the sign that noise is expected to make; empty if unknown"),
    "n_false_err": ("f8", "", "its standard error"),
    "n_false_from": ("U1", "", "promised by the search, measured (rates.false_alarms) or unknown"),
    "rate": ("f8", "1/d", "events per source and day, with false ones where n_false is unknown"),
    "rate_low": ("f8", "1/d", "lower end of its 68 % interval, with the errors of exposure and n_false"),
    "rate_high": ("f8", "1/d", "upper end of it"),
    "rate_upper": ("f8", "1/d", "upper limit, 95 %"),
}
# Types of the columns that rates are derived from: keys, counts and sums, including those that errors come from.
_COUNTED = {name: kind for name, (kind, *_) in list(RATE_COLUMNS.items())[: list(RATE_COLUMNS).index("exposure_err")]}
_COUNTED |= dict.fromkeys(("squares", "found_days", "found_squares", "clump", "n_false", "n_false_err"), "f8")
_COUNTED |= {"n_detections": "i8", "n_other_sign": "i8", "n_false_from": "U1"}
_COUNTED = {name: str if kind.startswith("U") else kind for name, kind in _COUNTED.items()}
# Columns that identify a row.
_KEY = ("class", "obs", "filter", "kind")
# Probability that a rate exceeds its upper limit.
_LIMIT = 0.05


def check_classes(classes, columns):
    """Raise `ConfigError` if the condition of a class of sources is not valid for the given columns.

    Parameters
    ----------
    classes : dict of str to str
        Condition of each class, see `vo_lib.cuts.Cut`.
    columns : dict of str to tuple
        Type, unit and meaning of the columns of the properties table.
    """
    _members(classes, empty_table(columns))


def _members(classes, properties):
    """Mask of the sources of each class; a single class ``all`` if there are none."""
    if not classes:
        return {"all": np.ones(len(properties["source"]), bool)}
    return {name: Cut(text, f"rates.classes.{name}").mask(properties) for name, text in classes.items()}


def measure_rates(
    bins,
    *,
    kinds,
    classes=None,
    min_epochs=10,
    threshold=5.0,
    false_alarms=(0.0, 0.0),
    false_alarms_err=(0.0, 0.0),
    false_from="promised",
):
    """Compute event rates by class of sources, survey, filter and kind of event.

    Events are assumed to have the kind, widths and S/N that were injected, and to occur at any time with equal
    probability. The expected number of detections is then the rate times the effective exposure times the number of
    separate detections per event. The effective exposure is the sum of ``exposure_days`` over the recovered injections,
    an estimate by the method of Horvitz & Thompson (1952, doi:10.1080/01621459.1952.10483446).

    Parameters
    ----------
    bins : iterable of dict of str to dict of str to ndarray
        `TABLES` of the analysis of each bin or of several bins together, processed one at a time.
    kinds : dict of str to int
        Kinds of injected events and their sign: +1 brighter, -1 fainter.
    classes : dict of str to str, optional
        Conditions on the columns of the properties, see `vo_lib.cuts`; by default one class of all sources.
    min_epochs : int, optional
        Same as for the injections: detections in lightcurves with fewer good epochs have no exposure and do not count.
    threshold : float, pair of float or None, optional
        S/N threshold of the method ``peak``, or the pair for fainter and brighter peaks; None if it is not used.
    false_alarms, false_alarms_err : pair of float, optional
        Fainter and brighter detections per lightcurve of noise, and their standard errors. If `false_from` is
        ``promised``, those that the matched filter promises; `vo_lib.search.noise_model` then computes the expected
        number, including the method ``peak``, with a relative error of `MODEL_ERR`.
    false_from : {"promised", "measured", "unknown"}, optional
        Where `false_alarms` comes from. Unknown numbers are NaN in the result, and rates include false detections.

    Returns
    -------
    dict of str to ndarray, each of shape (n_rates,)
        `RATE_COLUMNS`, by class, survey, filter and kind.
    """
    threshold = np.abs(np.asarray(np.inf if threshold is None else threshold, float))
    noise = {"threshold": threshold, "false_alarms": false_alarms, "false_alarms_err": false_alarms_err}
    noise = {
        sign: {name: np.broadcast_to(values, 2)[place].item() for name, values in noise.items()}
        for place, sign in enumerate((-1, 1))
    }
    totals, classes = defaultdict(Counter), classes or {}
    for tables in bins:
        for key, numbers in _count_bin(tables, kinds, classes, min_epochs, noise, false_from):
            totals[key].update(numbers)
    of_class, of_kind = (list(names or ["all"]) for names in (classes, kinds))
    rows = [
        dict(zip(_KEY, key, strict=True)) | {"sign": kinds[key[-1]], "n_false_from": false_from} | totals[key]
        for key in sorted(totals, key=lambda key: (of_class.index(key[0]), *key[1:-1], of_kind.index(key[-1])))
    ]
    return _derive({name: np.array([row[name] for row in rows], kind) for name, kind in _COUNTED.items()})


def _count_bin(tables, kinds, classes, min_epochs, noise, false_from):
    """Yield the key, see `_KEY`, and the sums of each class, survey, filter and kind in the tables of a bin."""
    series, injections = tables["series"], tables["injections"]
    eligible = series["n_epochs"] - series["n_flagged"] >= min_epochs
    real = _separate(tables["detections"], series, eligible)
    bands = sorted(set(zip(series["obs"].tolist(), series["filter"].tolist(), strict=True)))
    false = {sign: count_false(series, bands, false_from=false_from, **of_sign) for sign, of_sign in noise.items()}
    for (name, members), (obs, band) in product(_members(classes, tables["properties"]).items(), bands):
        lightcurves, detections, events = (
            _part(table, obs, band, tables["properties"]["source"], members) for table in (series, real, injections)
        )
        lightcurves &= eligible
        sources, signs, events = series["source"][lightcurves], real["sign"][detections], take_rows(injections, events)
        for kind, sign in kinds.items():
            of_kind = take_rows(events, events["kind"] == kind)
            noise_of_sign = [values[lightcurves] for values in false[sign]]
            yield (name, obs, band, kind), _count(sources, signs, of_kind, sign, noise_of_sign)


def _part(table, obs, band, sources, members):
    """Mask of the rows of one survey, filter and class of sources."""
    return members[match_names(sources, table["source"])] & (table["obs"] == obs) & (table["filter"] == band)


def _separate(detections, series, eligible):
    """Real detections in eligible lightcurves; of those of one sign that share epochs, only the first is kept."""
    real = take_rows(detections, detections["simulated"] == 0)
    where = match_lightcurves(series, real)
    first = separate(where, real)
    kept = first[eligible[where[first]]]
    return take_rows(real, kept)


def _count(sources, signs, events, sign, noise):
    """Counts and sums of one class, survey, filter and kind: of its lightcurves, detections and injected events."""
    days, found, recovered = (events[name] for name in ("exposure_days", "n_found", "recovered"))
    false, false_err = noise
    return {
        "n_sources": len(np.unique(sources)),
        "n_lightcurves": len(sources),
        "n_injections": len(days),
        "n_recovered": int(recovered.sum()),
        "source_days": days.sum(),
        "exposure_days": (days * recovered).sum(),
        "squares": np.square(days * recovered).sum(),
        "found_days": (days * found).sum(),
        "found_squares": np.square(days * found).sum(),
        "clump": (days * found**2).sum(),
        "n_detections": int((signs == sign).sum()),
        "n_other_sign": int((signs == -sign).sum()),
        "n_false": false.sum(),
        "n_false_err": false_err.sum(),
    }


def _derive(table):
    """Rates, errors and intervals from the counts and sums."""
    number, exposure = table["n_detections"], table["found_days"]
    of_rate = {"number": number, "exposure": exposure, "squares": table["found_squares"]}
    of_rate["clump"] = quotient(table["clump"], exposure)
    low, high = poisson_interval(number)
    rate, false, false_err = (quotient(values, exposure) for values in (number, table["n_false"], table["n_false_err"]))
    rate_low, rate_high = excess_interval(rate_interval(**of_rate), rate, false, false_err)
    table = table | {
        "exposure_err": np.sqrt(table["squares"]),
        "per_event": quotient(exposure, table["exposure_days"]),
        "n_detections_low": low,
        "n_detections_high": high,
        "rate": np.maximum(rate - np.nan_to_num(false), 0.0),
        "rate_low": rate_low,
        "rate_high": rate_high,
        "rate_upper": rate_interval(**of_rate, tail=_LIMIT)[1],
    }
    return {name: table[name] for name in RATE_COLUMNS}
