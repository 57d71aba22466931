"""Histograms: bins, conservation, addition as algebra, files."""

import json
import re
import resource
import subprocess
import sys

import h5py
import netCDF4
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from vo_lib.counts.axes import BLOCK, Axis
from vo_lib.counts.histogram_files import read_histograms, read_metadata, write_histograms
from vo_lib.errors import UserError
from vo_lib.histograms import Histogram, merge, size_estimate_mb
from vo_lib.provenance import PACKAGE_ROOT

SNR = Axis("snr", edges=[-1.0, 0.0, 1.0, 2.0], description="signal to noise")
EXPTIME = Axis("exptime", edges=[1.0, 10.0, 100.0], unit="s")
FILTER = Axis("filter", labels=("ztf-g", "ztf-r"))

# Values at, beside and far from the edges, and everything that is not a number of ordinary size.
numbers = st.one_of(
    st.floats(),
    st.floats(-3, 200),
    st.sampled_from([-1.0, -0.0, 0.0, 1.0, 2.0, 10.0, 100.0, np.nextafter(2, 0), np.nextafter(-1, -2)]),
)
rows = st.lists(st.tuples(numbers, numbers, st.integers(-1, 1)), max_size=30)
tables = st.lists(st.tuples(st.integers(0, 14), st.integers(0, 2**60)), max_size=8)


def _histogram(*axes, name="h"):
    return Histogram(name, axes or (SNR, EXPTIME, FILTER), "for tests")


def _filled(values):
    histogram = _histogram()
    snr, exptime, codes = zip(*values, strict=True) if values else ((), (), ())
    histogram.fill(snr=np.array(snr, float), exptime=np.array(exptime, float), filter=np.array(codes, int))
    return histogram


def _counted(cells):
    """A histogram with given counts, larger than a fill could make them in a test."""
    histogram = _histogram(SNR, FILTER)
    for cell, count in cells:
        histogram.counts.reshape(-1)[cell] = count
    return histogram


def _along(axis, values):
    """Counts of values along one axis."""
    histogram = Histogram("h", [axis])
    histogram.fill(**{axis.name: values})
    return histogram.counts.tolist()


# Axes


def test_sizes_and_coordinates():
    assert (SNR.size, FILTER.size) == (6, 3)
    np.testing.assert_array_equal(SNR.coordinates, [-np.inf, -0.5, 0.5, 1.5, np.inf, np.nan])
    assert FILTER.coordinates.tolist() == ["ztf-g", "ztf-r", "other"]
    assert np.isfinite(Axis("x", edges=[1e308, 1.7e308]).coordinates[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "axis 'x' needs either edges or labels"),
        ({"edges": [0, 1], "labels": ("a",)}, "axis 'x' needs either edges or labels"),
        ({"edges": []}, "two or more finite, increasing"),
        ({"edges": [1.0]}, "two or more finite, increasing"),
        ({"edges": [0, 1, 1]}, "two or more finite, increasing"),
        ({"edges": [2, 1]}, "two or more finite, increasing"),
        ({"edges": [0, np.nan]}, "two or more finite, increasing"),
        ({"edges": [0, np.inf]}, "two or more finite, increasing"),
        ({"edges": [[0, 1], [2, 3]]}, "two or more finite, increasing"),
        ({"labels": ()}, "different texts"),
        ({"labels": ("a", "a")}, "different texts"),
        ({"labels": ("a", "other")}, "none of them 'other'"),
        ({"labels": ("a\0",)}, "different texts"),
        ({"labels": "abc"}, "different texts"),
        ({"labels": (1, 2)}, "different texts"),
        ({"edges": [0, 1], "unit": "seconds"}, "read as a time by xarray; use d, h or s"),
        ({"edges": [0, 1], "unit": "d since 2000-01-01"}, "read as a time by xarray"),
    ],
)
def test_unusable_axes(arguments, message):
    with pytest.raises(ValueError, match=message):
        Axis("x", **arguments)


@pytest.mark.parametrize("name", ["", "two words", "a/b", "1st", "µ", None])
def test_names_are_identifiers(name):
    with pytest.raises(ValueError, match="name of the axis must be"):
        Axis(name, edges=[0, 1])
    with pytest.raises(ValueError, match="name of the histogram must be"):
        Histogram(name, [SNR])


def test_an_axis_keeps_its_own_edges():
    edges = np.array([0.0, 1.0])
    axis = Axis("x", edges=edges)
    edges[0] = -5
    assert axis.edges.tolist() == [0, 1]
    with pytest.raises(ValueError, match="read-only"):
        axis.edges[0] = 3


@pytest.mark.parametrize(
    ("other", "key"),
    [
        (Axis("y", edges=[0, 1]), "name"),
        (Axis("x", edges=[0, 2]), "edges"),
        (Axis("x", edges=[0, 1, 2]), "edges"),
        (Axis("x", labels=("0", "1")), "labels"),
        (Axis("x", edges=[0, 1], unit="d"), "unit"),
        (Axis("x", edges=[0, 1], description="d"), "description"),
        (Axis("x", edges=[0, 1]), None),
    ],
)
def test_equality_of_axes(other, key):
    axis = Axis("x", edges=[0, 1])
    assert axis.difference(other) == other.difference(axis) == key
    assert (axis == other) == (key is None)
    assert key is not None or hash(axis) == hash(other)


@pytest.mark.parametrize("edges", [[-1.0, 0.0, 1.0, 2.0], [-1.0, 0.0, 1.0, 1.9]])
def test_bins_are_half_open_everywhere(edges):
    axis = Axis("x", edges=edges)
    np.testing.assert_array_equal(axis.index(edges), [1, 2, 3, 4])
    np.testing.assert_array_equal(axis.index(np.nextafter(edges, -np.inf)), [0, 1, 2, 3])
    np.testing.assert_array_equal(axis.index([-np.inf, np.inf, np.nan, -1e308, 1e308]), [0, 4, 5, 0, 4])


@pytest.mark.parametrize(
    "edges",
    [
        np.arange(-200, 201) / 10,
        np.arange(-20, 20.05, 0.1),
        np.linspace(-20, 20, 401),
        np.cumsum(np.full(400, 0.1)) - 20,
        np.linspace(1e6, 1e6 + 1e-6, 51),
        np.arange(2.0**53, 2.0**53 + 200, 2),
        np.array([-1.7e308, 0.0, 1.7e308]),
        np.array([0.0, 5e-324, 1e-323]),
        np.array([1.0, 1.2, 2.0, 3.0]),
        np.array([0.0, 0.1, 0.6, 1.6, 4.0]),
        np.geomspace(1, 3000, 25),
    ],
)
def test_every_edge_belongs_to_the_bin_above_it(edges):
    edges = np.unique(edges)
    axis = Axis("x", edges=edges)
    np.testing.assert_array_equal(axis.index(edges), np.arange(1, len(edges) + 1))
    np.testing.assert_array_equal(axis.index(np.nextafter(edges, -np.inf)), np.arange(len(edges)))


def test_decimal_numbers_are_in_the_bins_that_their_digits_say():
    axis = Axis("snr", edges=np.arange(-200, 201) / 10)
    decimals = np.array([float(f"{tenths / 10:.1f}") for tenths in range(-200, 201)])
    np.testing.assert_array_equal(axis.index(decimals), np.arange(1, 402))
    assert Axis("x", edges=[0.0, 0.1, 0.2, 3 * 0.1, 0.5]).index(0.3) == 3


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=30, unique=True),
    st.lists(st.floats(), max_size=30),
)
def test_positions_are_the_number_of_edges_not_above_the_value(edges, values):
    edges = sorted(edges)
    expected = [len(edges) + 1 if value != value else sum(edge <= value for edge in edges) for value in values]
    assert Axis("x", edges=edges).index(values).tolist() == expected


@given(st.integers(1, 200), st.floats(-1e6, 1e6), st.floats(1e-3, 1e3), st.data())
def test_equally_wide_bins_agree_with_a_search(steps, first, width, data):
    edges = first + width * np.arange(steps + 1)
    values = data.draw(st.lists(st.one_of(st.floats(allow_nan=False), st.sampled_from(edges.tolist())), max_size=30))
    values = np.concatenate([values, np.nextafter(edges, -np.inf), np.nextafter(edges, np.inf)])
    expected = np.searchsorted(edges, values, side="right")
    np.testing.assert_array_equal(Axis("x", edges=edges).index(values), expected)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.longdouble, np.int8, np.uint64, bool])
def test_all_real_types_are_counted(kind):
    assert _along(SNR, np.array([0, 1], dtype=kind)) == [0, 0, 1, 1, 0, 0]


def test_masked_values_are_not_numbers_and_masked_labels_are_other():
    assert _along(SNR, np.ma.array([0, 1, 7], mask=[0, 1, 0])) == [0, 0, 1, 0, 1, 1]
    assert _along(FILTER, np.ma.array([0, 1, 7], mask=[0, 0, 1], dtype=np.uint8)) == [1, 1, 1]
    assert _along(FILTER, np.ma.array(["ztf-g", "ztf-r"], mask=[0, 1])) == [1, 0, 1]


@pytest.mark.parametrize(
    "values",
    [
        np.array(["ztf-g", "ztf-g", "ztf-r", "", "ZTF-G", "ztf-g"]),
        np.array(["ztf-g", "ztf-g", "ztf-r", None, "x", "ztf-g"], dtype=object),
        ["ztf-g", "ztf-g", "ztf-r", "x", "ztf-r ", "ztf-g"],
        np.array([0, 0, 1, -1, -1, 0], dtype=np.int8),
    ],
)
def test_labels_as_text_or_codes(values):
    assert _along(FILTER, values) == [3, 1, 2]


def test_small_codes_of_many_labels():
    axis = Axis("field", labels=[f"f{number}" for number in range(300)])
    counts = _along(axis, np.array([-1, 0, 127], dtype=np.int8))
    assert [place for place, count in enumerate(counts) if count] == [0, 127, 300]


def test_columns_of_pandas_are_counted_whatever_their_index():
    frame = pd.DataFrame({"snr": [0.5, np.nan, 7], "filter": ["ztf-g", "ztf-g", "x"]}, index=[7, 7, -1])
    assert _along(SNR, frame["snr"]) == [0, 0, 1, 0, 1, 1]
    assert _along(FILTER, frame["filter"].astype(object)) == [2, 0, 1]


# Filling


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"snr": [1.0]}, TypeError, r"histogram 'h' takes values of snr, filter; missing or unknown: \['filter'\]"),
        ({"snr": 1, "filter": 0, "mag": 2}, TypeError, r"unknown: \['mag'\]"),
        ({"snr": [1, 2], "filter": [0, 0, 0]}, ValueError, "histogram 'h': shape mismatch"),
        ({"snr": ["1"], "filter": 0}, TypeError, "histogram 'h': axis 'snr' takes real numbers, got .*<U1"),
        ({"snr": [None], "filter": 0}, TypeError, "axis 'snr' takes real numbers, got values of type object"),
        ({"snr": [1j], "filter": 0}, TypeError, "axis 'snr' takes real numbers, got values of type complex"),
        ({"snr": 1, "filter": [0.0]}, TypeError, "axis 'filter' takes text or integer codes, got .* float64"),
        ({"snr": 1, "filter": [b"ztf-g"]}, TypeError, "axis 'filter' takes text or integer codes, got .*S5"),
        ({"snr": 1, "filter": [0, 2]}, ValueError, "codes from 0 to 1, or -1 for 'other', got 0 to 2"),
        ({"snr": 1, "filter": [-2]}, ValueError, "codes from 0 to 1, or -1 for 'other', got -2 to -2"),
    ],
)
def test_wrong_values_change_nothing(values, error, message):
    histogram = _histogram(SNR, FILTER)
    with pytest.raises(error, match=message):
        histogram.fill(**values)
    assert histogram.total() == 0


def test_scalars_and_arrays_are_broadcast():
    histogram = _histogram()
    histogram.fill(snr=[0.5, np.nan, -9], exptime=30.0, filter="ztf-r")
    histogram.fill(snr=1.5, exptime=2, filter=-1)
    histogram.fill(snr=[[0.5], [1.5]], exptime=[5, 50, 500], filter=np.zeros((2, 3), int))
    assert histogram.total() == 3 + 1 + 6
    np.testing.assert_array_equal(histogram.counts[:, 2, 1], [1, 0, 1, 0, 0, 1])
    np.testing.assert_array_equal(histogram.counts[2:4, :, 0], [[0, 1, 1, 1, 0], [0, 1, 1, 1, 0]])


@pytest.mark.parametrize("empty", [[], np.zeros(0), np.zeros((0, 3))])
def test_no_values_are_no_counts(empty):
    histogram = _histogram(SNR, FILTER)
    histogram.fill(snr=empty, filter="ztf-g")
    histogram.fill(snr=1.0, filter=np.zeros(np.shape(empty), int))
    histogram.fill(snr=[], filter=[])
    assert histogram.total() == 0


def test_inputs_are_not_changed():
    snr, codes = np.array([0.0, np.nan]), np.array([-1, 1])
    snr.flags.writeable = codes.flags.writeable = False
    _histogram(SNR, FILTER).fill(snr=snr, filter=codes)
    np.testing.assert_array_equal(codes, [-1, 1])


def test_many_equal_values_do_not_wrap():
    assert _along(SNR, np.full(100_000, 0.5)) == [0, 0, 100_000, 0, 0, 0]


def test_values_of_several_blocks_are_all_counted():
    values = np.random.default_rng(1).normal(size=(2 * BLOCK + 1, 2))
    histogram = _histogram(SNR, Axis("mag", edges=[-1, 0.5, 0.6]))
    histogram.fill(snr=values[:, 0], mag=values[:, 1])
    expected = np.histogram2d(*values.T, bins=([-np.inf, *SNR.edges, np.inf], [-np.inf, -1, 0.5, 0.6, np.inf]))[0]
    np.testing.assert_array_equal(histogram.counts[:-1, :-1], expected)
    assert histogram.total() == len(values)


@given(rows)
def test_the_total_is_the_number_of_values(values):
    histogram = _filled(values)
    assert histogram.total() == len(values)
    assert histogram.counts[-1].sum() == sum(np.isnan(snr) for snr, _, _ in values)
    assert histogram.counts[..., -1].sum() == sum(code == -1 for _, _, code in values)


@given(rows, rows)
def test_filling_twice_is_the_sum_of_filling_each(first, second):
    assert _filled(first + second) == _filled(first) + _filled(second)


@given(rows)
def test_inner_bins_are_those_of_numpy(values):
    # numpy counts the last edge and fails for NaN, so they are left out; codes are bins around whole numbers.
    kept = [row for row in values if np.isfinite(row[:2]).all() and row[0] != 2 and row[1] != 100 and row[2] >= 0]
    bins = (SNR.edges, EXPTIME.edges, [-0.5, 0.5, 1.5])
    expected = np.histogramdd(np.array(kept, float).reshape(-1, 3), bins=bins)[0]
    np.testing.assert_array_equal(_filled(values).counts[1:-2, 1:-2, :-1], expected)


# Histograms and their sums


@pytest.mark.parametrize("axes", [[], [SNR, SNR]])
def test_axes_are_there_and_different(axes):
    with pytest.raises(ValueError, match="histogram 'h' needs one or more axes of different names"):
        Histogram("h", axes)


@pytest.mark.parametrize(
    "counts", [np.zeros(5, np.uint64), np.zeros(6), np.zeros(6, np.uint32), np.zeros((6, 1), np.uint64)]
)
def test_counts_of_another_shape_or_type(counts):
    with pytest.raises(ValueError, match=r"histogram 'h' needs counts of uint64 and shape \(6,\)"):
        Histogram("h", [SNR], counts=counts)


def test_the_representation_has_axes_and_total():
    assert repr(_histogram()) == "<Histogram h(snr, exptime, filter), total 0>"


@given(tables.map(_counted), tables.map(_counted), tables.map(_counted))
def test_addition_is_exact_associative_and_commutative(first, second, third):
    before = first.counts.copy()
    assert (first + second) + third == first + (second + third)
    assert first + second == second + first
    assert first + _counted([]) == first
    assert (first + second).total() == first.total() + second.total()
    np.testing.assert_array_equal(first.counts, before)


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ((SNR,), r"histogram 'h' has the axes \['snr', 'filter'\] here and \['snr'\] there"),
        ((FILTER, SNR), r"here and \['filter', 'snr'\] there"),
        ((Axis("snr", edges=[-1, 0, 1, 3]), FILTER), "histogram 'h': axis 'snr' differs in its description"),
        ((SNR, Axis("filter", labels=("ztf-r", "ztf-g"))), "histogram 'h': axis 'filter' differs in its labels"),
    ],
)
def test_other_axes_do_not_add_up(axes, message):
    histogram = _histogram(SNR, FILTER)
    with pytest.raises(ValueError, match=message):
        histogram + _histogram(*axes)
    assert histogram.total() == 0


def test_other_things_do_not_add_up():
    with pytest.raises(ValueError, match="histograms 'a' and 'b' cannot be added"):
        _histogram(name="a") + _histogram(name="b")
    with pytest.raises(ValueError, match="cannot be added: name, description or unit differ"):
        Histogram("h", [SNR], "of all epochs") + Histogram("h", [SNR], "of good epochs")
    with pytest.raises(TypeError, match="unsupported operand"):
        _histogram() + 1


def test_merge_adds_by_name_and_leaves_the_inputs():
    inputs = [{"a": _counted([(0, k)]), "b": _counted([(3, 1)])} for k in (1, 2, 3)]
    merged = merge(iter(inputs))
    assert (merged["a"], merged["b"]) == (_counted([(0, 6)]), _counted([(3, 3)]))
    assert [histograms["a"].total() for histograms in inputs] == [1, 2, 3]


def test_merge_of_one_and_of_none():
    only = {"a": _counted([(1, 5)])}
    merged = merge([only])
    merged["a"].fill(snr=0, filter=0)
    assert (merge([]), only["a"].total()) == ({}, 5)


@pytest.mark.parametrize("second", [{"a": _histogram()}, {name: _histogram() for name in "abc"}])
def test_merge_misses_no_histogram(second):
    with pytest.raises(ValueError, match=r"histogram '[bc]' is not in both input 1 and input 2"):
        merge([{"a": _histogram(), "b": _histogram()}, second])


def test_size_estimate_is_the_size_in_memory():
    assert size_estimate_mb(_histogram().axes) == _histogram().counts.nbytes / 1e6
    assert size_estimate_mb([Axis("x", edges=np.arange(1_000_000))]) == pytest.approx(8.0, rel=1e-5)


# Files


def _stored(path, metadata=None):
    """Two histograms with common axes, and the file of them."""
    rng = np.random.default_rng(7)
    first, second = _histogram(name="all_scores"), _histogram(FILTER, EXPTIME, name="coverage")
    values = {"exptime": rng.uniform(0, 200, 500), "filter": rng.integers(-1, 2, 500)}
    first.fill(snr=rng.normal(size=500), **values)
    second.fill(**values)
    second.counts[0, 0] = 2**64 - 1
    write_histograms(path, [first, second], metadata or {})
    return {"all_scores": first, "coverage": second}


def test_round_trip_is_exact(tmp_path):
    metadata = {"schema": 1, "names": ["Ω", "x" * 100_000], "x": None}
    stored = _stored(tmp_path / "new" / "RA123_histograms.nc", metadata)
    found = read_histograms(tmp_path / "new" / "RA123_histograms.nc")
    assert found == stored
    assert list(found) == list(stored)
    assert read_metadata(str(tmp_path / "new" / "RA123_histograms.nc")) == metadata


# Any text but NUL, which netCDF cannot hold, and halves of surrogate pairs, which UTF-8 cannot.
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])).filter(lambda text: text != "other")


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=20, unique=True),
    st.lists(texts, min_size=1, unique=True),
)
def test_round_trip_of_any_edges_and_labels(tmp_path_factory, edges, labels):
    axes = [Axis("x", edges=sorted(edges), unit="µJy"), Axis("y", labels=labels)]
    histogram = Histogram("h", axes, "Größe")
    path = tmp_path_factory.mktemp("any") / "h.nc"
    write_histograms(path, [histogram], {})
    assert read_histograms(path) == {"h": histogram}


def test_xarray_reads_a_file(tmp_path):
    stored = _stored(tmp_path / "h.nc", {"schema": 1})
    with xr.open_dataset(tmp_path / "h.nc") as data:
        scores = data["all_scores"]
        assert set(data.data_vars) == set(stored)
        assert (scores.dims, scores.dtype) == (("snr", "exptime", "filter"), np.uint64)
        np.testing.assert_array_equal(scores, stored["all_scores"].counts)
        np.testing.assert_array_equal(data["snr"], SNR.coordinates)
        np.testing.assert_array_equal(data["exptime_edges"], EXPTIME.edges)
        assert data["filter"].to_numpy().tolist() == ["ztf-g", "ztf-r", "other"]
        assert scores.attrs == {"long_name": "all scores", "units": "1", "description": "for tests"}
        assert data["exptime"].attrs.items() >= {"long_name": "exptime", "units": "s"}.items()
        assert json.loads(data.attrs["metadata"]) == {"schema": 1}
        inner = scores.isel(snr=slice(1, -2)).sel(snr=0.6, method="nearest").sel(filter="ztf-g")
        np.testing.assert_array_equal(inner, stored["all_scores"].counts[2, :, 0])


def test_the_same_histograms_make_the_same_bytes(tmp_path):
    _stored(tmp_path / "a.nc")
    _stored(tmp_path / "b.nc")
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()


def test_counts_are_compressed(tmp_path):
    histogram = Histogram("h", [Axis("x", edges=np.arange(100_000))])
    write_histograms(tmp_path / "h.nc", [histogram], {})
    assert (tmp_path / "h.nc").stat().st_size < size_estimate_mb(histogram.axes) * 1e6


def test_no_histograms(tmp_path):
    write_histograms(tmp_path / "h.nc", [], {"a": 1})
    assert (read_histograms(tmp_path / "h.nc"), read_metadata(tmp_path / "h.nc")) == ({}, {"a": 1})


@pytest.mark.parametrize(
    ("histograms", "message"),
    [
        ([_histogram(SNR, name="a"), _histogram(Axis("snr", edges=[0, 1]), name="b")], "axis 'snr' of .* 'a' and 'b'"),
        ([_histogram(name="a"), _histogram(name="a")], "'a' would be the name of two variables"),
        ([_histogram(name="snr")], "'snr' would be the name of two variables"),
        ([_histogram(SNR, name="snr_edges")], "'snr_edges' would be the name of two variables"),
        ([_histogram(SNR, Axis("snr_edges", labels=["a"]))], "'snr_edges' would be the name of two variables"),
    ],
)
def test_names_that_a_file_cannot_hold(tmp_path, histograms, message):
    with pytest.raises(ValueError, match=message):
        write_histograms(tmp_path / "h.nc", histograms, {})
    assert list(tmp_path.iterdir()) == []


def test_after_a_failure_the_old_file_is_whole(tmp_path, monkeypatch):
    stored = _stored(tmp_path / "h.nc")
    monkeypatch.setattr("vo_lib.counts.histogram_files._describe", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError, match="division"):
        write_histograms(tmp_path / "h.nc", [_histogram()], {})
    assert [path.name for path in tmp_path.iterdir()] == ["h.nc"]
    assert read_histograms(tmp_path / "h.nc") == stored


def test_metadata_that_is_no_json_writes_nothing(tmp_path):
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_histograms(tmp_path / "h.nc", [_histogram()], {"a": {1, 2}})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("read", [read_histograms, read_metadata])
@pytest.mark.parametrize("part", [0, 4, 0.3, 0.9, 0.9999])
def test_a_truncated_file(tmp_path, read, part):
    _stored(tmp_path / "h.nc")
    content = (tmp_path / "h.nc").read_bytes()
    (tmp_path / "h.nc").write_bytes(content[: int(part * len(content)) if part < 1 else part])
    with pytest.raises(
        UserError, match=r"h\.nc: (not a readable netCDF file|has no digest) .*; delete it and run snakemake"
    ):
        read(tmp_path / "h.nc")


def test_damaged_counts_are_never_read_as_other_counts(tmp_path):
    stored = _stored(tmp_path / "h.nc")
    content = (tmp_path / "h.nc").read_bytes()
    outcomes = []
    # A compressed block begins with these two bytes.
    for start in [match.start() for match in re.finditer(rb"\x78\x5e", content)]:
        damaged = content[: start + 4] + bytes([content[start + 4] ^ 0xFF]) + content[start + 5 :]
        (tmp_path / "h.nc").write_bytes(damaged)
        try:
            outcomes.append(read_histograms(tmp_path / "h.nc") == stored)
        except UserError as error:
            outcomes.append("does not match the digest at its end" in str(error))
    assert len(outcomes) >= 4
    assert all(outcomes)


def _hdf5(path):
    with h5py.File(path, "w") as file:
        file["x"] = [1, 2]


def _netcdf(path, **attributes):
    with netCDF4.Dataset(path, "w") as file:
        file.setncatts(attributes)
        file.createDimension("x", 3)
        file.createVariable("y", "f8", ("x",))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such file; run snakemake or Project.run to make it"),
        (lambda path: path.mkdir(), r"cannot be read \(Is a directory\); check its disk"),
        (lambda path: path.write_text("not\nnetcdf"), "has no digest at its end"),
        (_hdf5, "has no digest at its end"),
        (_netcdf, "has no digest at its end"),
        (lambda path: _netcdf(path, metadata="{}"), "has no digest at its end"),
    ],
)
def test_missing_and_foreign_files(tmp_path, make, message):
    make(tmp_path / "h.nc")
    with pytest.raises(UserError, match=rf"h\.nc: {message}"):
        read_histograms(tmp_path / "h.nc")


def test_a_changed_file_is_not_given_to_netcdf_which_it_could_end(tmp_path, monkeypatch):
    _stored(tmp_path / "h.nc")
    content = (tmp_path / "h.nc").read_bytes()
    (tmp_path / "h.nc").write_bytes(content[:200] + bytes([content[200] ^ 1]) + content[201:])
    monkeypatch.setattr("vo_lib.counts.histogram_files.netCDF4", None)
    with pytest.raises(UserError, match="does not match the digest at its end"):
        read_histograms(tmp_path / "h.nc")


def test_weights_are_added_exactly():
    histogram = _histogram(SNR, FILTER)
    histogram.fill(np.array([2**60, 1, 1], np.uint64), snr=[0.5, 0.5, 1.5], filter=0)
    histogram.fill(np.array([[1, 2]], np.uint8), snr=0.5, filter=[[0], [1]])
    assert histogram.counts[2].tolist() == [2**60 + 4, 3, 0]
    assert histogram.total() == 2**60 + 8
    for wrong in (1, 0.5, np.array([-1])):
        with pytest.raises(TypeError, match="histogram 'h': weights must be unsigned integers"):
            histogram.fill(wrong, snr=0.5, filter=0)


def test_weights_of_several_blocks_stay_with_their_values():
    rng = np.random.default_rng(2)
    weights, snr = rng.integers(0, 1000, 2 * BLOCK + 1).astype(np.uint64), rng.normal(size=2 * BLOCK + 1)
    histogram = _histogram(SNR, FILTER)
    histogram.fill(weights, snr=snr, filter=1)
    expected = np.histogram(snr, [-np.inf, *SNR.edges, np.inf], weights=weights.astype(float))[0]
    np.testing.assert_array_equal(histogram.counts[:-1, 1], expected)
    assert histogram.total() == weights.sum()


def test_other_units_do_not_add_up(tmp_path):
    seconds, milliseconds = (Histogram("h", [SNR], unit=unit) for unit in ("s", "ms"))
    with pytest.raises(ValueError, match="cannot be added: name, description or unit differ"):
        seconds + milliseconds
    assert (milliseconds + milliseconds).unit == "ms"
    write_histograms(tmp_path / "h.nc", [milliseconds], {})
    assert read_histograms(tmp_path / "h.nc")["h"] == milliseconds != seconds
    with xr.open_dataset(tmp_path / "h.nc") as data:
        assert data["h"].attrs["units"] == "ms"


def test_files_are_read_by_several_threads(tmp_path):
    """In a process of its own, which netCDF ended when two threads were in it."""
    path = tmp_path / "h.nc"
    _stored(path)
    code = f"""
from concurrent.futures import ThreadPoolExecutor
from vo_lib.counts.histogram_files import read_histograms
with ThreadPoolExecutor(4) as pool:
    print(len(list(pool.map(read_histograms, [{str(path)!r}] * 200))))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE_ROOT)
    assert (done.returncode, done.stdout) == (0, "200\n")


@pytest.mark.parametrize("most", [100, 5_000, 10_000, 20_000])
def test_a_full_disk_is_an_error_of_the_system(tmp_path, most):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, limits[1]))
        with pytest.raises(OSError, match="File too large"):
            write_histograms(tmp_path / "x.nc", [_histogram(), _wide()], {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_the_same_histograms_are_the_same_bytes(tmp_path):
    for name in "ab":
        write_histograms(tmp_path / f"{name}.nc", [_histogram(), _wide()], {"x": 1})
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()


def _wide():
    """A histogram of many bins."""
    return Histogram("wide", [Axis("number", edges=list(range(10_000)))], unit="s", description="of many bins")
