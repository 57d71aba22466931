"""Data for the scripts of a vetting page: epochs, detections and periodogram as JSON values."""

import numpy as np

from vo_lib.periods.frequencies import clip_band, join_bands, period_band
from vo_lib.periods.peaks import scan, usable_epochs
from vo_lib.periods.periodic import TOO_FEW
from vo_lib.periods.sinusoids import MIN_EPOCHS, Sinusoids
from vo_lib.search.close_up import event_light, has_template, levels, surroundings
from vo_lib.tables import table_rows

__all__ = ["detection_key", "page_data", "periodogram"]

# Precision of the columns of epochs: decimals of times [d], significant digits of other values.
TIME_DECIMALS = {"mjd": 7, "bmjd_tdb": 7}
VALUE_DIGITS = {"flux": 7, "fluxerr": 4, "mag": 7, "magerr": 4}
DETECTION_KEYS = ("obs", "filter", "sign", "snr", "peak_mjd", "start_mjd", "end_mjd", "first_epoch", "last_epoch")
DETECTION_KEYS += ("method", "score", "threshold", "template")
# Half the maximum number of points in the curve of a template.
LIGHT_STEPS = 101
# Maximum number of points in a periodogram; a screen has about as many columns.
MOST_POINTS = 2000


def detection_key(row):
    """Make the key by which a verdict refers to a detection; unlike its number, the key survives a new search.

    Parameters
    ----------
    row : dict
        With ``obs``, ``filter``, ``series`` and ``peak_mjd`` [d].

    Returns
    -------
    str
        Survey, filter, series if there is one, and time of the peak to a second, such as
        ``ZTF ztf-r 686103400034440 58025.12346``.
    """
    words = [row["obs"], row["filter"], row["series"], f"{row['peak_mjd']:.5f}"]
    return " ".join(word for word in words if word)


def page_data(source, *, project, periods=None):
    """Collect the data that a page draws.

    Parameters
    ----------
    source : vo_lib.pages.source_products.SourceProducts
        The source.
    project : str
        Folder of the project, by which the browser stores marks.
    periods : dict, optional
        Keyword arguments of `periodogram`; default no periodogram.

    Returns
    -------
    dict
        JSON values; numbers that are not finite are None.
    """
    places = {(lightcurve.row["obs"], lightcurve.row["key"]): n for n, lightcurve in enumerate(source.lightcurves)}
    return {
        "project": project,
        "source": source.name,
        "bits": {str(bit): meaning for bit, meaning in source.bits.items()},
        "lightcurves": [_lightcurve(lightcurve) for lightcurve in source.lightcurves],
        "detections": [_detection(source.lightcurves, places, row) for row in table_rows(source.detections)],
        "period": _finite(source.properties.get("best_period")),
        "periodogram": periodogram(source, **periods) if periods and source.lightcurves else None,
    }


def _finite(value):
    """Value, or None if it is a number that is not finite."""
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _detection(lightcurves, places, row):
    """Detection, with the data of its close-up."""
    place = places[row["obs"], row["lightcurve"]]
    columns, good = lightcurves[place].columns, lightcurves[place].qflag == 0
    known = levels(columns["flux"], good, row)
    low, high = surroundings(columns["mjd"], row)
    shown = {name: _finite(row[name]) for name in DETECTION_KEYS}
    shown |= {"key": detection_key(row), "lightcurve": place, "around": [low, high], "light": None}
    shown["levels"] = {name: _finite(value) for name, value in known.items()}
    if has_template(row):
        mjd, light = event_light(row, row["template"], low, high, steps=LIGHT_STEPS)
        shown["light"] = {"mjd": _decimals(mjd, 5), "flux": _digits(known["median"] + light, 5)}
    return shown


def _lightcurve(lightcurve):
    """Epochs of a lightcurve, with its survey, filter and series."""
    columns = lightcurve.columns
    found = {name: lightcurve.row[name] for name in ("obs", "filter", "series")}
    found |= {name: _decimals(columns[name], places) for name, places in TIME_DECIMALS.items()}
    found |= {name: _digits(columns[name], places) for name, places in VALUE_DIGITS.items()}
    return found | {"flag": columns["flag"].tolist(), "qflag": lightcurve.qflag.tolist()}


def _decimals(values, places):
    """List of numbers rounded to decimal places, None where they are not finite."""
    return _listed(np.round(values, places))


def _digits(values, places):
    """List of numbers rounded to significant digits, None where they are not finite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        power = places - 1 - np.floor(np.log10(np.abs(values)))
    power = np.where(np.isfinite(power), power, 0.0)
    # Powers of ten with positive exponents are exact, so the quotients have few digits when written.
    up, down = 10.0 ** np.maximum(power, 0), 10.0 ** np.maximum(-power, 0)
    return _listed(np.round(values / down * up) / up * down)


def _listed(values):
    """List of numbers, None where they are not finite."""
    cells = values.tolist()
    for place in np.flatnonzero(~np.isfinite(values)):
        cells[place] = None
    return cells


def periodogram(source, *, ranges, oversampling, max_frequencies):
    """Compute the periodogram in which the best period of a source was found.

    Parameters
    ----------
    source : vo_lib.pages.source_products.SourceProducts
        Source with lightcurves; their unflagged epochs are used, except those of filters with too few for the search.
    ranges : sequence of str
        Ranges of periods, see `vo_lib.periods.frequencies.parse_range`.
    oversampling, max_frequencies : float, int
        See `vo_lib.periods.peaks.scan`.

    Returns
    -------
    dict or None
        ``filter`` (empty for all together); ``period`` [d] in increasing order and ``power``, thinned to at most
        `MOST_POINTS` by keeping the highest of neighbouring powers; and ``lines``, pairs of a label and a period [d]
        for the best period and its alias, if they are known. None if no range can be searched.
    """
    name = source.properties.get("best_period_filter", "")
    not_searched = {(row["obs"], row["filter"]) for row in table_rows(source.periods) if row["status"] == TOO_FEW}
    groups = {}
    for lightcurve in source.lightcurves:
        key = (lightcurve.row["obs"], lightcurve.row["filter"])
        if name in ("", key[1]) and key not in not_searched:
            groups.setdefault(key, []).append(lightcurve)
    sinusoids = Sinusoids([band for band in map(_good_epochs, groups.values()) if len(band[0]) >= MIN_EPOCHS])
    if not sinusoids.n_bands:
        return None
    time = np.sort(np.concatenate([time for time, *_ in sinusoids.bands]))
    left = (clip_band(period_band(text, time), sinusoids.span) for text in ranges)
    if not (bands := join_bands(band for band in left if band)):
        return None
    frequency, power = scan(sinusoids, bands, oversampling=oversampling, max_frequencies=max_frequencies)
    kept = _highest(power)[::-1]
    found = {"filter": name, "period": _digits(1 / frequency[kept], 8), "power": _decimals(power[kept], 5)}
    return found | {"lines": _lines(source.periods, name)}


def _lines(periods, name):
    """Best period and its alias from the table of periods, each with a label."""
    rows = [row for row in table_rows(periods) if row["filter"] == name]
    lines = [("best", row["best_period"]) for row in rows]
    lines += [(f"alias ({row['alias']})", row["alias_period"]) for row in rows]
    return [[text, period] for text, period in lines if period > 0]


def _good_epochs(lightcurves):
    """Usable unflagged epochs of several lightcurves together: barycentric time [d], flux and error."""
    parts = [
        [lightcurve.columns[name][lightcurve.qflag == 0] for name in ("bmjd_tdb", "flux", "fluxerr")]
        for lightcurve in lightcurves
    ]
    return usable_epochs(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _highest(power):
    """Index of the highest power in each group of neighbours; at most `MOST_POINTS` groups."""
    size = -(-len(power) // MOST_POINTS)
    starts = np.arange(0, len(power), size)
    return np.array([start + int(np.argmax(power[start : start + size])) for start in starts])
