"""Reduction of the raw epochs of a bin to lightcurves with standard columns.

A lightcurve is what one survey measured of one source in one filter and one series (an
object id, field or readout of the survey) without a long pause. No epoch is lost: each is
either in exactly one lightcurve or counted in ``left_out`` with a reason.
"""

from dataclasses import asdict, dataclass

import numpy as np

from vo_lib.batch import COLUMNS, LightcurveBatch
from vo_lib.labels import label_codes
from vo_lib.paths import lightcurve_key
from vo_lib.photometry import mag_from_flux
from vo_lib.reduction.calibration import calibrate
from vo_lib.reduction.describe import describe
from vo_lib.reduction.reduced import read_reduced, write_reduced
from vo_lib.reduction.standard_columns import catalog_column, standard_columns
from vo_lib.segments import run_starts, segment_index, segment_median, spread, starts_from_mask
from vo_lib.tables import take_rows

__all__ = ["REASONS", "Reduction", "read_reduced", "reduce_bin", "write_reduced"]

# Reasons for leaving out an epoch; the first that applies is counted. Far, bright and faint apply to an entire series,
# which is far from the source, or brighter or fainter than the catalog says.
REASONS = ("nan_time", "bad_flag", "far", "bright", "faint", "duplicate")

_CODE = {reason: place + 1 for place, reason in enumerate(REASONS)}
DUPLICATES = ("series", "filter", "keep")


@dataclass(frozen=True)
class Reduction:
    """Result of the reduction of one bin.

    Parameters
    ----------
    batch : LightcurveBatch
        Lightcurves in the order of sources, then by filter, series and time; the table has
        the columns of a reduced file's index except ``digest``.
    left_out : dict of str to ndarray
        Columns ``source``, ``series``, ``reason`` and ``n_epochs``, with a row for each combination that occurs.
    sources : dict of str to ndarray
        Columns ``source``, ``status``, ``n_raw``, ``n_kept``, ``n_left_out`` and ``n_lightcurves``,
        with a row for each source of the bin, with or without data.
    zero_points : dict of str to ndarray
        Zero points measured by calibrators, with the columns of `vo_lib.reduction.calibration.ZERO_POINTS`.
    time : dict
        Time system of the survey: ``scale``, ``reference``, ``stamp`` and ``zero_jd`` of its `TimeSystem`, and
        ``site``, as JSON values.
    """

    batch: LightcurveBatch
    left_out: dict
    sources: dict
    zero_points: dict
    time: dict


def reduce_bin(
    sources,
    data,
    counts,
    observatory,
    *,
    altdata=None,
    gap_days=None,
    radius_arcsec=3.0,
    mag_range=0.75,
    drop_bad=False,
    duplicates="series",
    calibrators=(),
):
    """Reduce the raw epochs of all sources of a bin to lightcurves.

    The position of each source is that of its catalog row, moved to each epoch by its proper motion. It is used for the
    light travel time and for the distance of the survey's objects from the source.

    Parameters
    ----------
    sources : dict of str to ndarray, each of shape (n_sources,)
        Catalog rows with ``name``, ``ra``, ``dec`` [degrees] and, if known, ``pmra``, ``pmdec`` [mas/yr], ``epoch``
        [Julian year, 2016.0 if unknown], ``mag`` and ``status``. Unknown values are NaN, or the column is absent.
    data : ndarray, shape (n_epochs,)
        Raw epochs as the survey sent them, grouped by source in the order of `sources`, but in any order of time.
    counts : array_like of int, shape (n_sources,)
        Number of epochs of each source; 0 for sources without data.
    observatory : VirtualObservatory
        The survey.
    altdata : dict, optional
        Data sent besides the table: scalars, or arrays of shape (n_epochs,).
    gap_days : float or None, optional
        Pauses longer than this start a new lightcurve [days]; None for the survey's default.
    radius_arcsec : float or None, optional
        Leave out a series whose median position is farther than this from the source [arcsec]; None for no limit.
    mag_range : float, pair of float or None, optional
        Leave out a series whose magnitude, that of its median flux, differs from the catalog by more than this [mag]. A
        pair limits how much brighter and how much fainter it may be. Does not apply if the median flux is not positive
        or the survey measures changes of flux.
    drop_bad : bool, optional
        Leave out epochs with any bit of the survey's ``bad_flag_mask``.
    duplicates : {"series", "filter", "keep"}, optional
        Of epochs at the same time in a series, or in a filter across series, keep only the best; or keep all. Epochs
        with a flux and a positive error are preferred, then those that the survey does not flag as bad, then those with
        a smaller error, then the first.
    calibrators : sequence of str or dict, optional
        Functions that correct the epochs beforehand, see `vo_lib.reduction.calibration`.

    Returns
    -------
    Reduction
        Has no lightcurves if there are no epochs or none is kept.

    Raises
    ------
    ValueError
        If an option is invalid, `counts` does not add up to the number of epochs, or the survey's ``standardise``
        does not return the standard columns.
    RuntimeError
        If an epoch was lost or duplicated, which is a bug in this module.
    """
    gap_days = observatory.gap_days if gap_days is None else gap_days
    _check_options(gap_days=gap_days, radius_arcsec=radius_arcsec)
    mag_range = _check_mag_range(None if observatory.measures_change else mag_range)
    counts = _check_counts(counts, sources, data)
    columns, labels = standard_columns(sources, counts, data, observatory, altdata or {})
    labels["source"] = np.repeat(np.arange(len(counts)), counts)
    bad = {"bad": (columns["flag"] & observatory.bad_flag_mask) != 0}
    columns, zero_points = calibrate(columns, labels | bad, sources, calibrators)
    columns, starts, series = _sort_into_series(columns, labels)
    catalog_mag = catalog_column(sources, "mag")[series["source"]]
    bad_mask = observatory.bad_flag_mask if drop_bad else 0
    reason = _reasons(columns, starts, catalog_mag, bad_mask=bad_mask, radius_arcsec=radius_arcsec, mag_range=mag_range)
    worse = _worse(columns, observatory.bad_flag_mask)
    reason[_repeated(columns["mjd"], starts, series, reason == 0, worse, duplicates)] = _CODE["duplicate"]
    batch = _split(
        columns, starts, series, kept=reason == 0, gap_days=gap_days, names=sources["name"], observatory=observatory
    )
    left_out = _left_out(reason, starts, series, sources["name"])
    account = _account(sources, counts, batch, left_out)
    return Reduction(batch, left_out, account, zero_points, asdict(observatory.time) | {"site": observatory.site})


def _check_counts(counts, sources, data):
    """Number of epochs of each source as an array, checked to add up to the epochs in `data`."""
    counts = np.asarray(counts, np.int64)
    if counts.shape != np.shape(sources["name"]) or counts.sum() != len(data):
        raise ValueError(f"counts must add up to {len(data)} epochs of {len(sources['name'])} sources, got {counts}")
    return counts


def _check_options(**options):
    """Check that limits are positive numbers, or None where that is allowed."""
    for name, value in options.items():
        if not (value is None and name != "gap_days") and not value > 0:
            raise ValueError(f"reduce.{name} must be a positive number, got {value!r}")


def _check_mag_range(limits):
    """Limits on how much brighter and how much fainter than in the catalog a series may be, checked."""
    pair = np.array(limits if np.ndim(limits) else [np.inf if limits is None else limits] * 2)
    if pair.shape != (2,) or not (pair > 0).all():
        raise ValueError(f"reduce.mag_range must be a positive number or a pair [brighter, fainter], got {limits!r}")
    return pair


def _sort_into_series(columns, labels):
    """Sort epochs by source, filter, series and time; return columns, and offsets and identity of the series."""
    source = labels["source"]
    (filters, filter_code), (names, name_code) = label_codes(labels["filter"]), label_codes(labels["series"])
    group = (source * len(filters) + filter_code) * len(names) + name_code
    time = np.where(np.isnan(columns["mjd"]), np.inf, columns["mjd"])
    # Many surveys send epochs in this order, or in this order except within a series.
    if (group[1:] < group[:-1]).any():
        order = np.argsort(group, kind="stable")
        columns, time, group = take_rows(columns, order), time[order], group[order]
    if ((time[1:] < time[:-1]) & (group[1:] == group[:-1])).any():
        order = np.lexsort((time, group))
        columns = take_rows(columns, order)
    starts = starts_from_mask(run_starts(group))
    rest, name_code = np.divmod(group[starts[:-1]], len(names))
    source, filter_code = np.divmod(rest, len(filters))
    return columns, starts, {"source": source, "filter": filters[filter_code], "series": names[name_code]}


def _reasons(columns, starts, catalog_mag, *, bad_mask, radius_arcsec, mag_range):
    """Reason for leaving out each epoch: 0 if it is kept, else a value of `_CODE`."""
    reason = np.zeros(len(columns["mjd"]), np.int8)
    reason[(columns["flag"] & bad_mask) != 0] = _CODE["bad_flag"]
    reason[np.isnan(columns["mjd"]) | np.isnan(columns["bmjd_tdb"])] = _CODE["nan_time"]
    used = reason == 0
    east, north, flux = (
        segment_median(np.where(used, columns[name], np.nan), starts) for name in ("east", "north", "flux")
    )
    # Not the median magnitude: for a faint source, only epochs with positive flux have a magnitude.
    mag, _ = mag_from_flux(flux, np.nan)
    brighter, fainter = mag_range
    reason[used & spread(mag - catalog_mag > fainter, starts)] = _CODE["faint"]
    reason[used & spread(catalog_mag - mag > brighter, starts)] = _CODE["bright"]
    if radius_arcsec is not None:
        reason[used & spread(np.hypot(east, north) > radius_arcsec, starts)] = _CODE["far"]
    return reason


def _worse(columns, bad_mask):
    """Criteria by which an epoch is worse than another at the same time, in order of priority; greater is worse."""
    measured = np.isfinite(columns["flux"]) & (columns["fluxerr"] > 0)
    return ~measured, (columns["flag"] & bad_mask) != 0, columns["fluxerr"]


def _repeated(mjd, starts, series, used, worse, duplicates):
    """Rows of the epochs that are duplicates of a better epoch at the same time; see `reduce_bin`."""
    if duplicates not in DUPLICATES:
        raise ValueError(f"reduce.duplicates must be one of {', '.join(DUPLICATES)}, got {duplicates!r}")
    first = run_starts(series["source"], series["filter"]) if duplicates == "filter" else np.ones(len(starts) - 1, bool)
    group = spread(np.cumsum(first), starts)
    rows = np.flatnonzero(used & (duplicates != "keep"))
    if duplicates == "series":
        # Epochs of a series are sorted by time, so only equal neighbours need a closer look.
        same = ~run_starts(group[rows], mjd[rows])
        rows = rows[same | np.append(same[1:], False)[: len(same)]]
    keys = (*reversed(worse), mjd, group)
    rows = rows[np.lexsort([key[rows] for key in keys])]
    return rows[~run_starts(group[rows], mjd[rows])]


def _split(columns, starts, series, *, kept, gap_days, names, observatory):
    """Split the kept epochs into lightcurves by series and at long pauses."""
    owner, columns = segment_index(starts), {name: columns[name] for name in COLUMNS}
    if not kept.all():
        owner, columns = owner[kept], take_rows(columns, kept)
    first = run_starts(owner)
    first[1:] |= np.diff(columns["mjd"]) > gap_days
    starts = starts_from_mask(first)
    owner = owner[first]
    source = series["source"][owner]
    number = np.arange(len(source)) - np.searchsorted(source, source) + 1
    count = np.bincount(source, minlength=len(names))[source]
    keys = map(lightcurve_key, names[source].tolist(), number.tolist(), count.tolist())
    table = {
        "key": np.array(list(keys), dtype=str),
        "source": names[source],
        "obs": np.full(len(source), observatory.name),
        "filter": series["filter"][owner],
        "series": series["series"][owner],
        "number": number,
        "count": count,
    }
    statistics = describe(columns, starts, bad_flag_mask=observatory.bad_flag_mask)
    return LightcurveBatch(columns, starts, table | statistics)


def _left_out(reason, starts, series, names):
    """Count the epochs left out by source, series and reason."""
    texts, code = np.unique(series["series"], return_inverse=True)
    # A series with several filters has one row.
    identity = spread(series["source"] * len(texts) + code, starts) * (len(REASONS) + 1) + reason
    kinds, n_epochs = np.unique(identity[reason > 0], return_counts=True)
    which, kind = np.divmod(kinds, len(REASONS) + 1)
    source, code = np.divmod(which, len(texts))
    return {"source": names[source], "series": texts[code], "reason": np.array(REASONS)[kind - 1], "n_epochs": n_epochs}


def _account(sources, counts, batch, left_out):
    """Make the table of all sources; raise RuntimeError unless every raw epoch is accounted for."""
    names = sources["name"]
    place = {name: number for number, name in enumerate(names.tolist())}

    def total(owners, numbers):
        index = np.array([place[name] for name in owners.tolist()], dtype=np.int64)
        return np.bincount(index, weights=numbers, minlength=len(names)).astype(np.int64)

    n_kept, n_left_out = total(batch.table["source"], batch.counts), total(left_out["source"], left_out["n_epochs"])
    if (wrong := np.flatnonzero(n_kept + n_left_out != counts)).size:
        name, raw, kept, left = (values[wrong[0]] for values in (names, counts, n_kept, n_left_out))
        raise RuntimeError(f"{name}: {raw} raw epochs became {kept} reduced and {left} left out; please report this")
    return {
        "source": names,
        "status": sources.get("status", np.where(counts > 0, "ok", "empty")),
        "n_raw": counts,
        "n_kept": n_kept,
        "n_left_out": n_left_out,
        "n_lightcurves": total(batch.table["source"], np.ones(batch.n_lightcurves)),
    }
