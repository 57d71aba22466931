"""Calibrators that come with the project; `vo_lib.reduction.calibration` describes what a calibrator is.

Both work in magnitudes, since a zero point multiplies fluxes. An offset added to a magnitude multiplies flux and
error by ``10**(-0.4 offset)``, so negative fluxes are corrected too.
"""

import numpy as np

from vo_lib.labels import label_codes
from vo_lib.photometry import mag_from_flux
from vo_lib.reduction.relative_offsets import fit_offsets
from vo_lib.segments import (
    MEDIAN_ERR,
    ROBUST_SCALE,
    segment_count,
    segment_median,
    segment_median_mad,
    starts_from_counts,
)

__all__ = ["color_term", "readout_offsets"]

REFERENCES = ("readouts", "catalog")


def readout_offsets(
    columns, labels, sources, *, reference="readouts", max_scatter=3.0, min_epochs=5, min_sources=3, min_snr=5.0
):
    """Bring all readouts of a filter to one zero point, using the sources of the bin that do not vary.

    For each source and readout, the magnitude of the median flux is compared with those in other readouts, of which
    the one with the most sources keeps its zero point, or with the magnitude in the catalog. A source is ignored in a
    readout if its robust scatter there is greater than `max_scatter` times its median error, since it then varies.

    Parameters
    ----------
    columns, labels, sources : dict of str to ndarray
        See `vo_lib.reduction.calibration`.
    reference : {"readouts", "catalog"}, optional
        What to compare with. With ``catalog``, whose magnitudes must be AB magnitudes in the survey's filter, the
        offset is the median difference over the sources, so all readouts are brought to the catalog.
    max_scatter : float, optional
        Maximum scatter of a source that counts as not varying, in units of its median error.
    min_epochs : int, optional
        Minimum number of good epochs of a source in a readout.
    min_sources : int, optional
        Readouts with fewer sources keep their zero point; their offset is NaN.
    min_snr : float, optional
        Minimum ratio of median flux to median error of a source.

    Returns
    -------
    columns : dict of str to ndarray
        The corrected flux, fluxerr, mag and magerr.
    zero_points : dict of str to ndarray
        A row for each filter and readout, with the error of its offset.

    Raises
    ------
    ValueError
        If the reference is neither of the two.
    """
    if reference not in REFERENCES:
        raise ValueError(f"reference must be one of {', '.join(REFERENCES)}, got {reference!r}")
    (filters, filter_code), (readouts, readout_code) = label_codes(labels["filter"]), label_codes(labels["readout"])
    pairs, node = np.unique(filter_code * len(readouts) + readout_code, return_inverse=True)
    of_filter, of_readout = np.divmod(pairs, len(readouts))
    means = _steady_means(columns, labels, node, max_scatter=max_scatter, min_epochs=min_epochs, min_snr=min_snr)
    if reference == "catalog":
        offset, error, number = _against_catalog(means, sources["mag"], len(pairs))
    else:
        level = means["source"] * len(filters) + of_filter[means["node"]]
        fit = fit_offsets(level, means["node"], means["mag"], means["error"], n_nodes=len(pairs))
        offset, error, number = -fit.offset, fit.error, fit.n_links
    few = number < min_sources
    offset, error = (np.where(few, np.nan, values) for values in (offset, error))
    zero_points = {
        "filter": filters[of_filter],
        "readout": readouts[of_readout],
        "offset": offset,
        "offset_err": error,
        "n_sources": number,
    }
    return _shifted(columns, np.nan_to_num(offset)[node]), zero_points


def _steady_means(columns, labels, node, *, max_scatter, min_epochs, min_snr):
    """Return magnitude and error of the median flux of each source in each node where it does not vary."""
    flux, fluxerr = columns["flux"], columns["fluxerr"]
    good = ~labels["bad"] & np.isfinite(flux) & (fluxerr > 0)
    rows = np.flatnonzero(good)
    n_nodes = node.max(initial=0) + 1
    groups, which, counts = np.unique(
        labels["source"][rows] * n_nodes + node[rows], return_inverse=True, return_counts=True
    )
    rows = rows[np.argsort(which, kind="stable")]
    starts = starts_from_counts(counts)
    median, mad = segment_median_mad(flux[rows], starts)
    usual_error = segment_median(fluxerr[rows], starts)
    scatter = np.fmax(ROBUST_SCALE * mad, usual_error)
    steady = (counts >= min_epochs) & (scatter <= max_scatter * usual_error) & (median >= min_snr * usual_error)
    mag, error = mag_from_flux(median, MEDIAN_ERR * scatter / np.sqrt(counts))
    source, node = np.divmod(groups, n_nodes)
    return {name: v[steady] for name, v in (("source", source), ("node", node), ("mag", mag), ("error", error))}


def _against_catalog(means, catalog_mag, n_nodes):
    """Return the median of catalog minus measured magnitude over the sources of each node, its error and the number."""
    excess = np.asarray(catalog_mag, float)[means["source"]] - means["mag"]
    known = np.isfinite(excess)
    excess, node = excess[known], means["node"][known]
    order = np.argsort(node, kind="stable")
    number = np.bincount(node, minlength=n_nodes)
    median, mad = segment_median_mad(excess[order], starts_from_counts(number))
    with np.errstate(invalid="ignore", divide="ignore"):
        return median, MEDIAN_ERR * ROBUST_SCALE * mad / np.sqrt(number), number


def color_term(columns, labels, sources, *, color, slopes, reference_color=0.0, min_snr=3.0):
    """Correct magnitudes for the colour of the source: ``mag - slope (colour - reference colour)``.

    Parameters
    ----------
    columns, labels, sources : dict of str to ndarray
        See `vo_lib.reduction.calibration`.
    color : pair of str or str
        Two filters of the survey, whose magnitudes of the median flux over the good epochs of a source are
        subtracted (first minus second); or the name of a column of the catalog.
    slopes : dict of str to float
        Change of the magnitude per magnitude of colour, by filter; other filters are left as they are.
    reference_color : float, optional
        Colour for which magnitudes need no correction [mag].
    min_snr : float, optional
        Minimum ratio of median flux to its error for the colour of a source to be known.

    Returns
    -------
    columns : dict of str to ndarray
        The corrected flux, fluxerr, mag and magerr; unchanged for sources without a colour.
    zero_points : dict of str to ndarray
        A row for each filter with the median offset added and the number of sources that have a colour.

    Raises
    ------
    ValueError
        If the catalog has no such column.
    """
    colors = _colors(columns, labels, sources, color, min_snr)
    filters, code = label_codes(labels["filter"])
    slope = np.array([slopes.get(name, 0.0) for name in filters.tolist()])
    by_source = -np.multiply.outer(slope, colors - reference_color)
    starts = starts_from_counts(np.full(len(filters), len(colors)))
    zero_points = {
        "filter": filters,
        "readout": np.full(len(filters), ""),
        "offset": segment_median(by_source.ravel(), starts),
        "offset_err": np.full(len(filters), np.nan),
        "n_sources": segment_count(by_source.ravel(), starts),
    }
    return _shifted(columns, np.nan_to_num(by_source)[code, labels["source"]]), zero_points


def _colors(columns, labels, sources, color, min_snr):
    """Return the colour of each source [mag], NaN if unknown."""
    if isinstance(color, str):
        if color not in sources:
            raise ValueError(f"color: the catalog has no column '{color}'; it has {', '.join(sources)}")
        return np.asarray(sources[color], float)
    one, other = (_median_mag(columns, labels, name, len(sources["name"]), min_snr) for name in color)
    return one - other


def _median_mag(columns, labels, filter_name, n_sources, min_snr):
    """Return the magnitude of the median flux of each source's good epochs in a filter; NaN if below `min_snr`."""
    flux, fluxerr = columns["flux"], columns["fluxerr"]
    rows = np.flatnonzero((labels["filter"] == filter_name) & ~labels["bad"] & np.isfinite(flux))
    owner = labels["source"][rows]
    rows = rows[np.argsort(owner, kind="stable")]
    number = np.bincount(owner, minlength=n_sources)
    starts = starts_from_counts(number)
    median = segment_median(flux[rows], starts)
    error = MEDIAN_ERR * segment_median(fluxerr[rows], starts) / np.sqrt(np.fmax(number, 1))
    # If a survey gives no errors, every positive median has a magnitude.
    return mag_from_flux(np.where(median < min_snr * error, np.nan, median), np.nan)[0]


def _shifted(columns, offset):
    """Add an offset to each magnitude [mag], and scale the fluxes accordingly; an offset of 0 changes no bit."""
    factor = 10.0 ** (-0.4 * offset)
    return {
        "flux": columns["flux"] * factor,
        "fluxerr": columns["fluxerr"] * factor,
        "mag": columns["mag"] + offset,
        "magerr": columns["magerr"],
    }
