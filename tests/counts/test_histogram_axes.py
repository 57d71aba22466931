"""Axes of the histograms from the configuration, and the size of what they make."""

import numpy as np
import pytest

from vo_lib.counts.edges import make_edges
from vo_lib.counts.histogram_axes import HISTOGRAMS, check_size, make_histograms
from vo_lib.errors import ConfigError


@pytest.mark.parametrize(
    ("setting", "edges"),
    [
        ((0, 1, 0.25), [0, 0.25, 0.5, 0.75, 1]),
        ((-20, 20, 0.1), np.arange(-200, 201) / 10),
        ((1000.1, 1000.3, 0.001), np.arange(1000100, 1000301) / 1000),
        ((0, 0.002, 0.0001), np.arange(21) / 10000),
        ({"edges": [1, 2, 10]}, [1, 2, 10]),
        ({"edges": range(100_001)}, np.arange(100_001)),
        ({"log": [0.01, 100, 4]}, [0.01, 0.1, 1, 10, 100]),
        ({"log": [2, 32, 4]}, [2, 4, 8, 16, 32]),
    ],
)
def test_edges_are_those_that_are_described(setting, edges):
    np.testing.assert_array_equal(make_edges("x", setting), edges)


@pytest.mark.parametrize(
    "setting",
    [
        (0, 1, 0),
        (1, 0, 0.1),
        (0, 1, 0.3),
        (0, 1, 0.34),
        (0, 1, 1e-6),
        (0, 1e300, 1e-20),
        (0, float("nan"), 1),
        (0, float("inf"), float("inf")),
        {"edges": [1]},
        {"edges": [2, 1]},
        {"edges": range(100_002)},
        {"log": [0, 1, 2]},
        {"log": [1, 10, 1.5]},
        {"log": [5, 1, 2]},
        {"log": [1, float("inf"), 2]},
    ],
)
def test_settings_without_bins_are_refused(setting):
    with pytest.raises(
        ValueError, match=r"histograms.mag_range must be \[least, greatest, width\] with a whole number"
    ):
        make_histograms(mag_range=setting)


def test_histograms_have_their_axes_and_units():
    histograms = make_histograms(filters=("g",), surveys=("DEMO",), kinds=("flare",))
    for name, (axes, unit, text) in HISTOGRAMS.items():
        histogram = histograms[name]
        assert (histogram.name, histogram.unit, histogram.description) == (name, unit, text)
        assert tuple(axis.name for axis in histogram.axes) == axes
        assert histogram.total() == 0


def test_histograms_that_are_too_large_are_refused_with_the_axis_to_coarsen():
    check_size(make_histograms())
    fine = make_histograms(mag_range=(10, 25, 0.01), expected_snr_range={"log": (1, 100, 300)})
    message = (
        r"take \d+ MB, more than histograms.max_mb 50; make the bins of histograms.mag_range wider "
        r"\(1503 positions, in 'injected'\)"
    )
    with pytest.raises(ConfigError, match=message):
        check_size(fine, max_mb=50)


def test_the_sum_of_all_histograms_is_what_may_not_be_too_large():
    histograms = make_histograms(mag_range=(10, 20, 0.1))
    sizes = [histogram.counts.nbytes / 1e6 for histogram in histograms.values()]
    check_size(histograms, max_mb=sum(sizes))
    with pytest.raises(ConfigError, match=r"more than histograms\.max_mb"):
        check_size(histograms, max_mb=sum(sizes) - min(sizes))
