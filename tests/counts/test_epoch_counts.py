"""Histograms of epochs: scores and coverage, counted exactly."""

import numpy as np
from make_batch import make_batch

from vo_lib.counts.epoch_counts import count_coverage, count_scores, unsearched_filters
from vo_lib.counts.histogram_axes import make_histograms
from vo_lib.histograms import merge
from vo_lib.injection.efficiency import project
from vo_lib.quality import QUALITY_BITS

FILTERS = ("demo-g", "demo-r")


def _coverage(batch, mag, qflag):
    histograms = make_histograms(filters=FILTERS, surveys=("DEMO",))
    count_coverage(histograms, batch, mag, qflag)
    return histograms["coverage"], histograms["exposure_time"]


def test_scores_know_magnitude_and_filter():
    batch = make_batch([50, 30, 20], filters=("demo-g", "demo-r", "demo-i"))
    histograms = make_histograms(filters=FILTERS)
    empty = np.zeros(100, np.int64)
    count_scores(histograms, batch, np.array([16.2, np.nan, 30.0]), empty, np.zeros(100), np.zeros(100))
    scores = histograms["all_scores"]
    counts = project(scores, "mag", "filter")
    assert scores.counts[scores.axes[0].index(np.zeros(1))[0]].sum() == 100
    # 16.0-16.5 is the seventh bin after the one below 13; then over and NaN.
    assert counts[7].tolist() == [50, 0, 0]
    assert counts[-1].tolist() == [0, 30, 0]
    assert counts[-2].tolist() == [0, 0, 20]


def test_filters_of_which_no_good_epoch_was_searched_are_named():
    batch = make_batch([3, 3, 3, 1], filters=("demo-g", "demo-r", "demo-i", "demo-z"))
    snr, qflag = np.full(10, np.nan), np.zeros(10, np.int64)
    # One of demo-g is searched, none of demo-r, none of demo-i is good, and demo-z is no filter of the axis.
    snr[1] = 99.0
    qflag[6:9] = 1
    histograms = make_histograms(filters=("demo-g", "demo-r", "demo-i", "demo-y"))
    count_scores(histograms, batch, np.full(4, 15.0), qflag, np.zeros(10), snr)
    assert unsearched_filters(histograms["good_scores"]) == ["demo-r"]


def test_good_scores_are_those_of_unflagged_epochs():
    rng, batch = np.random.default_rng(1), make_batch([50, 30, 20], filters=("demo-g", "demo-r", "demo-i"))
    qflag, snr = rng.integers(0, 3, 100), rng.normal(size=100)
    histograms = make_histograms(filters=FILTERS)
    count_scores(histograms, batch, np.array([16.2, 15.0, 18.0]), qflag, np.zeros(100), snr)
    found = histograms["good_scores"]
    edges = found.axes[0].edges
    for mag, place, rows in ((7, 0, slice(0, 50)), (5, 1, slice(50, 80)), (11, 2, slice(80, 100))):
        good = snr[rows][qflag[rows] == 0]
        assert found.counts[1:-2, mag, place].tolist() == np.histogram(good, edges)[0].tolist()
    assert found.total() == (qflag == 0).sum()


def test_offsets_are_those_of_all_epochs_by_magnitude_and_filter():
    rng, batch = np.random.default_rng(4), make_batch([50, 30, 20], filters=("demo-g", "demo-r", "demo-i"))
    offset = rng.uniform(0, 12, 100)
    offset[60] = np.nan
    histograms = make_histograms(filters=FILTERS)
    count_scores(histograms, batch, np.array([16.2, 15.0, 18.0]), rng.integers(0, 3, 100), offset, np.zeros(100))
    found = histograms["quality_values"]
    edges = found.axes[0].edges
    for place, rows in enumerate((slice(0, 50), slice(50, 80), slice(80, 100))):
        counts = project(found, "filter", "offset")[place]
        assert counts[1:-2].tolist() == np.histogram(offset[rows], edges)[0].tolist()
        assert counts[-2:].tolist() == [(offset[rows] >= 10).sum(), np.isnan(offset[rows]).sum()]
    assert project(found, "mag")[[7, 5, 11]].tolist() == [50, 30, 20]


def test_coverage_counts_each_epoch_once_as_good_or_for_its_first_reason():
    batch = make_batch([50, 0, 30, 20], filters=("demo-g", "demo-r", "demo-i", "demo-g"))
    qflag = np.zeros(100, np.int64)
    qflag[:4] = [1, 1 + 8, 8 + 32, 64]
    qflag[60] = 32
    coverage, time = _coverage(batch, np.array([16.2, 15.0, np.nan, 30.0]), qflag)
    labels = ["good", *QUALITY_BITS, "other"]
    counts = dict(zip(labels, project(coverage, "quality").tolist(), strict=True))
    assert counts == {
        "good": 95, "survey_flag": 2, "offset": 0, "bad_value": 0, "bad_error": 1, "saturated": 0, "bad_exposure": 1,
        "other": 1,
    }  # fmt: skip
    assert project(coverage, "filter").tolist() == [70, 0, 30]
    assert project(coverage, "mag")[[7, -2, -1]].tolist() == [50, 20, 30]
    assert project(coverage, "survey").tolist() == [100, 0]
    assert (time.counts == 30_000 * coverage.counts).all()


def test_coverage_is_that_of_a_count_epoch_by_epoch():
    rng, batch = np.random.default_rng(5), make_batch([30, 0, 25, 45], filters=("demo-g", "demo-r", "demo-i", "demo-g"))
    mag, which = np.array([16.2, 15.0, np.nan, 18.0]), np.repeat(np.arange(4), [30, 0, 25, 45])
    qflag, milliseconds = rng.integers(0, 256, 100) * (rng.random(100) < 0.6), rng.integers(0, 60_000, 100)
    coverage, time = _coverage(batch.with_columns(exptime=milliseconds / 1000), mag, qflag)
    epochs, exposure = np.zeros_like(coverage.counts), np.zeros_like(time.counts)
    for row, flag, added in zip(which.tolist(), qflag.tolist(), milliseconds.tolist(), strict=True):
        reasons = [name for name, bit in QUALITY_BITS.items() if flag & bit] + ["other"]
        values = (reasons[0] if flag else "good", mag[row], batch.table["filter"][row], "DEMO")
        cell = tuple(int(axis.index([value])[0]) for axis, value in zip(coverage.axes, values, strict=True))
        epochs[cell] += np.uint64(1)
        exposure[cell] += np.uint64(added)
    np.testing.assert_array_equal(coverage.counts, epochs)
    np.testing.assert_array_equal(time.counts, exposure)


def test_exposure_times_are_exact_and_unknown_ones_count_nothing():
    rng, batch = np.random.default_rng(2), make_batch([400])
    exptime = rng.integers(0, 10**7, 400) / 1000
    exptime[:4] = [np.nan, -1.0, np.inf, -np.inf]
    _, time = _coverage(batch.with_columns(exptime=exptime), np.array([15.0]), np.zeros(400, np.int64))
    assert time.total() == sum(round(1000 * value) for value in exptime[4:].tolist())
    assert time.unit == "ms"


def test_coverage_of_parts_adds_up_to_that_of_the_whole():
    rng, batch = np.random.default_rng(3), make_batch([40] * 12, filters=FILTERS)
    qflag, mag = rng.integers(0, 128, 480) * (rng.random(480) < 0.1), rng.uniform(12, 23, 12)
    whole = _coverage(batch, mag, qflag)
    parts = []
    for rows in (np.arange(5), np.arange(5, 12)):
        parts.append(_coverage(batch.select(rows), mag[rows], qflag[batch.epochs_of(rows)[0]]))
    total = merge({histogram.name: histogram for histogram in part} for part in parts)
    assert [total[histogram.name] for histogram in whole] == list(whole)
