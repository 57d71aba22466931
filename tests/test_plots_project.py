"""Figures of a project: what is drawn where, not how it looks."""

import numpy as np
import pytest
from make_figures import PNG, labels
from numpy.testing import assert_allclose

from vo_lib import plots
from vo_lib.canvas import draw_png, new_figure
from vo_lib.counts.axes import Axis
from vo_lib.counts.histogram_axes import make_histograms
from vo_lib.histograms import Histogram


def scores(values, edges=(-10, -5, 0, 5, 10), labels=("a", "b")):
    histogram = Histogram("good_scores", (Axis("filter", labels=labels), Axis("snr", edges=edges)))
    histogram.fill(snr=np.asarray(values, float), filter=np.resize(labels, len(values)))
    return histogram


@pytest.mark.parametrize(
    ("ra", "x"), [(0.0, 0.0), (359.9999, 0.0), (90.0, -np.pi / 2), (270.0, np.pi / 2), (180.0, np.pi)]
)
def test_right_ascension_increases_to_the_left(ra, x):
    properties = {
        "ra": np.array([ra]),
        "dec": np.array([-90.0]),
        "n_epochs": np.array([1]),
        "n_detections": np.array([0]),
    }
    ax = plots.plot_sky(properties)
    assert_allclose(ax.collections[1].get_offsets(), [[x, -np.pi / 2]], atol=2e-6)


def test_the_sky_tells_detections_and_empty_sources_apart():
    properties = {
        "ra": np.arange(4.0),
        "dec": np.zeros(4),
        "n_epochs": np.array([0, 5, 5, 5]),
        "n_detections": np.array([0, 0, 1, 2]),
    }
    ax = plots.plot_sky(properties, new_figure(4, 3).add_subplot())
    assert labels(ax) == ["no data (1)", "no detections (1)", "detections (2)"]
    assert len(ax.collections[0].get_facecolors()) == 0
    assert ax.get_xlim() == (180, -180)


@pytest.mark.parametrize("draw", [plots.plot_sky, plots.plot_sky_coverage])
def test_sources_are_whole_at_the_poles_and_before_the_grid(draw):
    place = {"ra": np.array([60.0]), "dec": np.array([90.0])}
    ax = draw(place | {"n_epochs": np.ones(1, int), "n_detections": np.zeros(1, int)})
    assert sum(len(each.get_offsets()) for each in ax.collections) == 1
    assert not any(each.get_clip_on() for each in ax.collections)
    assert len(ax.lines) == 5
    assert max(line.get_zorder() for line in ax.lines) < min(each.get_zorder() for each in ax.collections)
    assert not any(tick.gridline.get_visible() for tick in ax.xaxis.get_major_ticks())


def test_an_empty_sky_is_drawn():
    empty = {name: np.zeros(0) for name in ("ra", "dec", "n_epochs", "n_detections")}
    assert draw_png(lambda: plots.plot_sky(empty).figure).startswith(PNG)


def test_scores_are_summed_over_the_other_axes():
    ax = plots.plot_scores(scores([-7, -1, -1, 1, 99, np.nan]))
    bars, expected = (patch.get_data() for patch in ax.patches)
    assert bars.values.tolist() == [1, 2, 1, 0]
    assert_allclose(expected.values[1:3], 5 * 0.5, rtol=1e-5)
    assert "above the axis: 1, no value: 1" in ax.get_xlabel()
    assert "5 epochs" in labels(ax)


def test_absolute_scores_have_a_folded_gaussian_and_one_threshold():
    ax = plots.plot_scores(scores([0.5, 1.5, 1.5, 2.5], edges=(0, 1, 2, 3)), threshold=2.0)
    assert_allclose(ax.patches[1].get_data().values, [4 * 0.6827, 4 * 0.2718, 4 * 0.0428], rtol=2e-3)
    assert [line.get_xdata()[0] for line in ax.lines] == [2.0]


def test_without_a_search_of_epochs_there_is_no_threshold():
    ax = plots.plot_scores(scores([0.0]), threshold=None)
    assert "threshold" not in ax.get_legend_handles_labels()[1]


@pytest.mark.parametrize(
    ("threshold", "lines"), [([7, 5], [-7, 5]), ([5, np.inf], [-5]), ([np.inf, 5], [5]), ([np.inf, np.inf], [])]
)
def test_a_pair_of_thresholds_is_for_fainter_and_brighter(threshold, lines):
    ax = plots.plot_scores(scores([0.0]), threshold=threshold)
    assert [line.get_xdata()[0] for line in ax.lines] == lines
    assert labels(ax).count("threshold") == bool(lines)


def test_scores_without_epochs_are_drawn():
    assert draw_png(lambda: plots.plot_scores(scores([])).figure).startswith(PNG)


def test_scores_need_their_axis():
    histogram = Histogram("quality_values", (Axis("offset", edges=(0, 1)),))
    with pytest.raises(ValueError, match=r"'quality_values' has no axis 'snr'; it has offset"):
        plots.plot_scores(histogram)


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_the_colour_of_a_source_is_its_number_of_epochs():
    numbers = np.array([5, 0, 300, 20])
    properties = {"ra": np.arange(4.0), "dec": np.zeros(4), "n_epochs": numbers}
    ax = plots.plot_sky_coverage(properties, new_figure(4, 4).add_subplot())
    empty, drawn = ax.collections
    assert_allclose(empty.get_offsets(), [[1, 0]])
    assert_allclose(drawn.get_offsets()[:, 0], [0, 3, 2])
    assert drawn.get_array().tolist() == [5, 20, 300]
    assert ax.figure.axes[1].get_xlabel() == "epochs per source"


@pytest.mark.parametrize(("number", "text"), [(0, "no sources"), (2, "no epochs")])
def test_a_sky_without_epochs_says_so(number, text):
    properties = {name: np.zeros(number) for name in ("ra", "dec", "n_epochs")}
    assert texts(plots.plot_sky_coverage(properties)) == [text]


def coverage():
    histograms = make_histograms(filters=("ztf-g", "ztf-r", "ps1-g"), surveys=("ZTF", "PS1"))
    rows = {"filter": ["ztf-g", "ztf-r", "ztf-g", "ps1-g", "ztf-g"], "survey": ["ZTF", "ZTF", "ZTF", "PS1", "ZTF"]}
    rows |= {"quality": [0, 0, 1, 0, 0], "mag": [15.2, 15.2, 15.2, 18.0, np.nan]}
    histograms["coverage"].fill(**rows)
    histograms["exposure_time"].fill(np.full(5, 3_600_000, np.uint64), **rows)
    return histograms


def test_coverage_by_filter_has_a_line_for_each_with_its_good_epochs():
    ax = plots.plot_coverage(coverage()["coverage"], by="filter")
    assert labels(ax) == ["PS1 g (1)", "ZTF g (2)", "ZTF r (1)"]
    lines = [patch.get_data() for patch in ax.patches]
    assert [line.values.sum() for line in lines] == [1, 1, 1]
    assert [line.edges[np.flatnonzero(line.values)[0]] for line in lines] == [18, 15, 15]
    assert "good epochs off the axis or without a magnitude: 1" in ax.get_xlabel()


def test_exposure_is_in_hours_by_survey_and_filter():
    ax = plots.plot_exposure(coverage()["exposure_time"])
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["PS1 g", "ZTF g", "ZTF r"]
    good, flagged = ax.containers
    assert_allclose([bar.get_width() for bar in good], [1, 2, 1])
    assert_allclose([bar.get_width() for bar in flagged], [0, 1, 0])
    assert_allclose([bar.get_x() for bar in flagged], [1, 2, 1])
    assert ax.get_xlabel() == "exposure time of all sources (h)"


def test_coverage_without_epochs_says_so():
    empty = make_histograms()
    assert texts(plots.plot_coverage(empty["coverage"])) == ["no epochs"]
    assert texts(plots.plot_coverage(empty["coverage"], by="filter")) == ["no good epochs"]
    assert texts(plots.plot_exposure(empty["exposure_time"])) == ["no known exposure time"]


def test_epochs_are_counted_in_whole_numbers_and_where_none_has_a_magnitude_that_is_said():
    few = plots.plot_coverage(coverage()["coverage"])
    ticks = few.get_yticks()
    assert len(ticks) > 1
    assert_allclose(ticks, np.round(ticks))
    none = make_histograms()["coverage"]
    none.fill(quality=[0, 1], mag=[np.nan, np.nan], filter="none", survey="none")
    ax = plots.plot_coverage(none)
    assert texts(ax) == ["no epochs with a magnitude on this axis"]
    assert not len(ax.get_yticks())
    assert "epochs off the axis or without a magnitude: 2" in ax.get_xlabel()


def test_coverage_is_by_quality_or_filter():
    with pytest.raises(ValueError, match="by must be quality or filter, got 'survey'"):
        plots.plot_coverage(make_histograms()["coverage"], by="survey")


def rates(**changes):
    table = {
        "class": ["all", "all", "hot"],
        "obs": ["ZTF"] * 3,
        "filter": ["ztf-g"] * 3,
        "kind": ["flare", "dip", "dip"],
    }
    table |= {"rate": [1e-3, 0.0, np.nan], "rate_low": [5e-4, 0.0, np.nan], "rate_high": [2e-3, 1e-4, np.nan]}
    table |= {"rate_upper": [4e-3, 3e-4, np.nan]}
    return {name: np.array(values) for name, values in (table | changes).items()}


def test_rates_have_intervals_and_others_upper_limits():
    ax = plots.plot_rates(rates())
    measured, limits = ax.containers
    assert_allclose(measured.lines[0].get_data(), [[1e-3], [0]])
    assert_allclose(measured.lines[2][0].get_segments()[0][:, 0], [5e-4, 2e-3])
    assert_allclose(limits.lines[0].get_data(), [[3e-4], [1]])
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["flare, ZTF g", "dip, ZTF g"]
    assert ax.get_xlabel() == "events per source and day"
    assert ax.get_xscale() == "log"
    assert labels(ax) == ["rate, 68 % interval", "95 % upper limit"]


def test_classes_are_named_where_there_are_several_and_rows_beyond_the_first_are_counted():
    many = {name: np.resize(values[:2], 50) for name, values in rates().items()} | {"class": np.array(["a", "b"] * 25)}
    ax = plots.plot_rates(many)
    assert len(ax.get_yticklabels()) == 40
    assert ax.get_yticklabels()[1].get_text() == "b: dip, ZTF g"
    assert "more in rates.csv: 10" in ax.get_xlabel()


@pytest.mark.parametrize("table", [{}, rates(rate_upper=[np.nan] * 3)])
def test_without_a_known_rate_the_axes_say_so(table):
    assert texts(plots.plot_rates(table)) == ["no known rates"]


def test_downloads_are_parts_of_the_sources_of_each_bin():
    rows = [{"bin": "RA010", "obs": "ZTF", "ok": 3, "empty": 1, "failed": 0}]
    rows += [{"bin": "RA020.50", "obs": "ZTF", "ok": 1, "empty": 0, "failed": 1}, rows[0] | {"obs": "TESS"}]
    ax = plots.plot_downloads(rows, width_deg=0.5)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["TESS\n1 bin", "ZTF\n2 bins"]
    assert labels(ax) == ["ok (7)", "empty (2)", "failed (1)"]
    heights = [[-bar.get_height() / 0.8 for bar in bars] for bars in ax.containers]
    assert_allclose(np.concatenate(heights), [0.75, 0.25, 0, 0.75, 0.5, 0.25, 0, 0, 0.5])
    assert [(bar.get_x(), bar.get_width()) for bar in ax.containers[3]] == [(10, 0.5), (20.5, 0.5)]
    assert ax.get_xlabel() == "right ascension of the bin (°, ICRS)"


def test_without_downloads_the_axes_say_so():
    assert texts(plots.plot_downloads([])) == ["no downloads"]
