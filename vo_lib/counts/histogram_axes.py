"""The histograms of a project: what they count, their axes and their size."""

from vo_lib.counts.axes import Axis
from vo_lib.counts.edges import make_edges
from vo_lib.errors import ConfigError
from vo_lib.histograms import Histogram, size_estimate_mb
from vo_lib.quality import QUALITY_BITS

__all__ = ["HISTOGRAMS", "MILLISECONDS_PER_HOUR", "check_size", "make_histograms"]

_EPOCH, _COVERAGE, _EVENT = ("mag", "filter"), ("quality", "mag", "filter", "survey"), ("mag", "filter", "kind")
# Axes, unit and meaning of each histogram.
HISTOGRAMS = {
    "all_scores": (("snr", *_EPOCH), "1", "S/N of all epochs"),
    "good_scores": (("snr", *_EPOCH), "1", "S/N of the unflagged epochs"),
    "quality_values": (("offset", *_EPOCH), "1", "offsets of all epochs"),
    "coverage": (_COVERAGE, "1", "epochs by their quality"),
    "exposure_time": (_COVERAGE, "ms", "exposure time of epochs by their quality"),
    "injected": (("expected_snr", "width", *_EVENT), "1", "injected events"),
    "recovered": (("expected_snr", "width", *_EVENT), "1", "injected events that were recovered"),
}
MILLISECONDS_PER_HOUR = 3.6e6  # for the exposure time
# Bins of the strength and width [days] of injected events, see `vo_lib.counts.edges.make_edges`; never modified.
SNR_BINS, WIDTH_BINS = {"log": [2, 32, 16]}, {"log": [0.01, 100, 8]}
# Numeric axes: key of the configuration, unit, meaning.
_NUMBERS = {
    "snr": ("snr_range", "", "(flux - median) / noise"),
    "offset": ("offset_range", "", "offset in units of the scatter"),
    "mag": ("mag_range", "mag", "magnitude in the catalog"),
    "expected_snr": ("expected_snr_range", "", "absolute S/N of the peak of an event"),
    "width": ("width_range", "d", "full width at half maximum of an event"),
}
# Axes of labels: meaning.
_LABELS = {
    "filter": "filter of the lightcurve",
    "survey": "observatory",
    "kind": "shape of an event",
    "quality": "good, or the first reason not to be",
}


def make_histograms(
    *,
    snr_range=(-20.0, 20.0, 0.1),
    offset_range=(0.0, 10.0, 0.1),
    mag_range=(13.0, 22.0, 0.5),
    expected_snr_range=SNR_BINS,
    width_range=WIDTH_BINS,
    filters=("none",),
    surveys=("none",),
    kinds=("none",),
):
    """Make the empty histograms of a bin.

    Parameters
    ----------
    snr_range, offset_range, mag_range, expected_snr_range, width_range : sequence or dict, optional
        Bins of the axes, see `vo_lib.counts.edges.make_edges`.
    filters, surveys, kinds : sequence of str, optional
        Labels; others are counted together.

    Returns
    -------
    dict of str to Histogram
        `HISTOGRAMS`, which can be added to others with the same options.

    Raises
    ------
    ValueError
        If an option does not define an axis; the message names its key.
    """
    ranges = {
        "snr_range": snr_range,
        "offset_range": offset_range,
        "mag_range": mag_range,
        "expected_snr_range": expected_snr_range,
        "width_range": width_range,
    }
    labels = {"filter": filters, "survey": surveys, "kind": kinds, "quality": ("good", *QUALITY_BITS)}
    axes = {
        name: Axis(name, edges=make_edges(f"histograms.{key}", ranges[key]), unit=unit, description=text)
        for name, (key, unit, text) in _NUMBERS.items()
    }
    axes |= {name: Axis(name, labels=tuple(labels[name]), description=text) for name, text in _LABELS.items()}
    return {
        name: Histogram(name, [axes[axis] for axis in names], text, unit=unit)
        for name, (names, unit, text) in HISTOGRAMS.items()
    }


def check_size(histograms, *, max_mb=200):
    """Raise `ConfigError` if the histograms of a bin are larger than allowed.

    Parameters
    ----------
    histograms : dict of str to Histogram
        See `make_histograms`.
    max_mb : float, optional
        Greatest memory [10^6 bytes].
    """
    sizes = {name: size_estimate_mb(histogram.axes) for name, histogram in histograms.items()}
    total = sum(sizes.values())
    if total > max_mb:
        largest = max(sizes, key=sizes.get)
        axis = max((axis for axis in histograms[largest].axes if axis.labels is None), key=lambda axis: axis.size)
        raise ConfigError(
            f"configuration: the histograms of a bin would take {total:,.0f} MB, more than histograms.max_mb "
            f"{max_mb:g}; make the bins of histograms.{_NUMBERS[axis.name][0]} wider ({axis.size} "
            f"positions, in '{largest}'), or allow more"
        )
