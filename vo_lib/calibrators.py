"""Calibrators that come with the project; see `vo_lib.reduction.calibration` for what one is.

Both work in magnitudes, since a zero point multiplies fluxes; what is added to a magnitude multiplies flux and
error by ``10**(-0.4 offset)``, so negative fluxes are corrected too.
"""

import numpy as np

from vo_lib.labels import label_codes
from vo_lib.photometry import mag_from_flux
from vo_lib.reduction.relative_offsets import fit_offsets
from vo_lib.segments import ROBUST_SCALE, segment_count, segment_median, segment_median_mad, starts_from_counts

__all__ = ["color_term", "readout_offsets"]

# Standard deviation of the median of many Gaussian values over that of their mean: sqrt(pi / 2).
_MEDIAN_COST = np.sqrt(np.pi / 2)
REFERENCES = ("readouts", "catalog")


def readout_offsets(
    columns, labels, sources, *, reference="readouts", max_scatter=3.0, min_epochs=5, min_sources=3, min_snr=5.0
):
    """Bring all readouts of a filter to one zero point, by the sources of the bin that do not vary.

    Each source has in each readout the magnitude of its median flux. These are compared with those in other
    readouts, of which that with most sources keeps its zero point, or with the catalog's magnitude. That of a source
    in a filter is of no account where its robust scatter in a readout is greater than `max_scatter` times its
    median error: it varies.

    Parameters
    ----------
    columns, labels, sources : dict of str to ndarray
        See `vo_lib.reduction.calibration`.
    reference : {"readouts", "catalog"}, optional
        What is compared. The catalog's magnitude must be an AB one of the survey's filter; the offset is then the
        median difference over the sources, so all readouts are brought to the catalog.
    max_scatter : float, optional
        Greatest scatter of a source that does not vary, in units of its median error.
    min_epochs : int, optional
        Fewest good epochs of a source in a readout.
    min_sources : int, optional
        Readouts with fewer sources keep their zero point; their offset is NaN.
    min_snr : float, optional
        Least median flux over median error of a source.

    Returns
    -------
    columns : dict of str to ndarray
        flux, fluxerr, mag and magerr.
    zero_points : dict of str to ndarray
        A row for each filter and readout, with error.

    Raises
    ------
    ValueError
        For another reference.
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
    """Magnitude of the median flux of each source in each node, where it does not vary, and its error."""
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
    mag, error = mag_from_flux(median, _MEDIAN_COST * scatter / np.sqrt(counts))
    source, node = np.divmod(groups, n_nodes)
    return {name: v[steady] for name, v in (("source", source), ("node", node), ("mag", mag), ("error", error))}


def _against_catalog(means, catalog_mag, n_nodes):
    """Median over the sources of each node of the catalog's magnitude less the measured one, its error and number."""
    excess = np.asarray(catalog_mag, float)[means["source"]] - means["mag"]
    known = np.isfinite(excess)
    excess, node = excess[known], means["node"][known]
    order = np.argsort(node, kind="stable")
    number = np.bincount(node, minlength=n_nodes)
    median, mad = segment_median_mad(excess[order], starts_from_counts(number))
    with np.errstate(invalid="ignore", divide="ignore"):
        return median, _MEDIAN_COST * ROBUST_SCALE * mad / np.sqrt(number), number


def color_term(columns, labels, sources, *, color, slopes, reference_color=0.0, min_snr=3.0):
    """Take off what a magnitude depends on the colour of the source: ``mag - slope (colour - reference colour)``.

    Parameters
    ----------
    columns, labels, sources : dict of str to ndarray
        See `vo_lib.reduction.calibration`.
    color : pair of str or str
        Two filters of the survey, in which the magnitudes of the median flux over the good epochs of a source are
        subtracted; or the name of a column of the catalog.
    slopes : dict of str to float
        Change of the magnitude for each magnitude of colour, by filter; others are left as they are.
    reference_color : float, optional
        Colour of which magnitudes are right [mag].
    min_snr : float, optional
        Least median flux over its error of a source whose colour is known.

    Returns
    -------
    columns : dict of str to ndarray
        flux, fluxerr, mag and magerr; of sources without a colour as they were.
    zero_points : dict of str to ndarray
        A row for each filter with the median of what was added and the number of sources that have a colour.

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
    """Colour of each source [mag], NaN where it is not known."""
    if isinstance(color, str):
        if color not in sources:
            raise ValueError(f"color: the catalog has no column '{color}'; it has {', '.join(sources)}")
        return np.asarray(sources[color], float)
    one, other = (_median_mag(columns, labels, name, len(sources["name"]), min_snr) for name in color)
    return one - other


def _median_mag(columns, labels, filter_name, n_sources, min_snr):
    """Magnitude of the median flux of the good epochs of each source in a filter; NaN where that is lost in noise."""
    flux, fluxerr = columns["flux"], columns["fluxerr"]
    rows = np.flatnonzero((labels["filter"] == filter_name) & ~labels["bad"] & np.isfinite(flux))
    owner = labels["source"][rows]
    rows = rows[np.argsort(owner, kind="stable")]
    number = np.bincount(owner, minlength=n_sources)
    starts = starts_from_counts(number)
    median = segment_median(flux[rows], starts)
    error = _MEDIAN_COST * segment_median(fluxerr[rows], starts) / np.sqrt(np.fmax(number, 1))
    # Of a survey without errors every positive median has a magnitude.
    return mag_from_flux(np.where(median < min_snr * error, np.nan, median), np.nan)[0]


def _shifted(columns, offset):
    """Fluxes and magnitudes with an offset added to each magnitude [mag]; with 0 they stay to the last bit."""
    factor = 10.0 ** (-0.4 * offset)
    return {
        "flux": columns["flux"] * factor,
        "fluxerr": columns["fluxerr"] * factor,
        "mag": columns["mag"] + offset,
        "magerr": columns["magerr"],
    }
