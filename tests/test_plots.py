"""Pictures: what is drawn where, not how it looks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from vo_lib import plots
from vo_lib.axes import Axis
from vo_lib.canvas import draw_png, new_figure
from vo_lib.histograms import Histogram
from vo_lib.plots.marks import BAND_COLOURS

PNG = b"\x89PNG\r\n\x1a\n"


def lightcurve(n=40, **changes):
    random = np.random.default_rng(1)
    flux = random.normal(1000.0, 10.0, n)
    columns = {"mjd": 58000.0 + np.arange(n), "flux": flux, "fluxerr": np.full(n, 10.0)}
    columns |= {"mag": 23.9 - 2.5 * np.log10(flux), "magerr": np.full(n, 0.011)}
    return columns | {"obs": np.array("ZTF"), "filter": np.array("ztf-g")} | changes


def detection(columns, peak, **changes):
    mjd = columns["mjd"]
    row = {"peak_epoch": peak, "first_epoch": peak, "last_epoch": peak, "threshold": 5.0, "snr": 20.0}
    return row | {"peak_mjd": mjd[peak], "start_mjd": mjd[peak], "end_mjd": mjd[peak]} | changes


def scores(values, edges=(-10, -5, 0, 5, 10), labels=("a", "b")):
    histogram = Histogram("good_scores", (Axis("filter", labels=labels), Axis("snr", edges=edges)))
    histogram.fill(snr=np.asarray(values, float), filter=np.resize(labels, len(values)))
    return histogram


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def points(ax):
    """Points of all error bars of axes by label: (x, y)."""
    return {bars.get_label(): bars.lines[0].get_data() for bars in ax.containers}


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
    assert labels(ax) == ["no data (1)", "nothing found (1)", "detections (2)"]
    assert len(ax.collections[0].get_facecolors()) == 0
    assert ax.get_xlim() == (180, -180)


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


def test_a_pair_of_thresholds_is_for_fainter_and_brighter():
    ax = plots.plot_scores(scores([0.0]), threshold=[7, 5])
    assert [line.get_xdata()[0] for line in ax.lines] == [-7, 5]


def test_scores_without_epochs_are_drawn():
    assert draw_png(lambda: plots.plot_scores(scores([])).figure).startswith(PNG)


def test_scores_need_their_axis():
    histogram = Histogram("quality_values", (Axis("offset", edges=(0, 1)),))
    with pytest.raises(ValueError, match=r"'quality_values' has no axis 'snr'; it has \['offset'\]"):
        plots.plot_scores(histogram)


def test_magnitudes_are_upwards_and_flagged_points_hollow():
    columns = lightcurve(3)
    ax = plots.plot_lightcurve(columns, flagged=np.array([False, True, False]))
    assert ax.yaxis_inverted()
    assert ax.get_xlabel() == "MJD (UTC, mid-exposure)"
    assert labels(ax) == ["ZTF g", "flagged"]
    good, flagged = (bars.lines[0] for bars in ax.containers)
    assert (len(good.get_xdata()), len(flagged.get_xdata())) == (2, 1)
    assert good.get_markerfacecolor() == good.get_color()
    assert flagged.get_markerfacecolor() == ax.get_facecolor()


def test_negative_fluxes_are_drawn_as_fluxes_and_counted_as_magnitudes():
    columns = lightcurve(4)
    columns["flux"][2], columns["mag"][2] = -5.0, np.nan
    flux, mag = (plots.plot_lightcurve(columns, value=value) for value in ("flux", "mag"))
    assert not flux.yaxis_inverted()
    assert -5.0 in points(flux)["ZTF g"][1]
    assert len(points(mag)["ZTF g"][1]) == 3
    assert "epochs without a magnitude: 1" in mag.get_xlabel()


def test_each_survey_and_filter_has_its_own_mark():
    columns = lightcurve(
        4, obs=np.array(["ZTF", "ZTF", "DEMO", "ZTF"]), filter=np.array(["ztf-r", "ztf-g", "demo-g", "ztf-r"])
    )
    ax = plots.plot_lightcurve(columns)
    assert labels(ax) == ["DEMO g", "ZTF g", "ZTF r"]
    lines = [bars.lines[0] for bars in ax.containers]
    assert len({line.get_marker() for line in lines}) == 3
    assert [line.get_color() for line in lines] == [BAND_COLOURS[band] for band in "ggr"]


def test_a_bad_error_is_drawn_as_none():
    columns = lightcurve(3)
    columns["magerr"][:] = [np.nan, -1.0, 0.1]
    segments = plots.plot_lightcurve(columns).containers[0].lines[2][0].get_segments()
    assert_allclose([np.ptp(segment[:, 1]) for segment in segments], [0, 0, 0.2])


def test_a_lightcurve_without_epochs_is_drawn():
    assert draw_png(lambda: plots.plot_lightcurve(lightcurve(0)).figure).startswith(PNG)


@pytest.mark.parametrize("value", ["mag", "flux"])
def test_a_detection_has_median_and_threshold(value):
    columns = lightcurve()
    columns["flux"][20] = 1200.0
    columns["mag"][20] = 23.9 - 2.5 * np.log10(1200.0)
    flagged = np.arange(40) == 3
    near = plots.plot_detection(columns, detection(columns, 20), flagged=flagged, value=value)[1]
    lines = dict(zip(labels(near), near.get_legend().legend_handles, strict=True))
    assert list(lines) == ["event", "median", "threshold"]
    median = np.median(columns["flux"][~flagged])
    levels = np.array([median, median + (1200 - median) / 4])
    wanted = levels if value == "flux" else 23.9 - 2.5 * np.log10(levels)
    assert_allclose([line.get_ydata()[0] for line in near.lines if len(set(line.get_ydata())) == 1][-2:], wanted)


def test_the_close_up_shows_the_event_and_what_is_beside_it():
    columns = lightcurve(200)
    whole, near = plots.plot_detection(columns, detection(columns, 100))
    low, high = near.get_xlim()
    assert whole.get_xlim()[0] < 58000 < low < 58092 < 58108 < high < 58110
    assert near.yaxis_inverted()
    assert whole.yaxis_inverted()


def test_the_close_up_does_not_cross_a_long_pause():
    columns = lightcurve(20)
    columns["mjd"][10:] += 500.0
    near = plots.plot_detection(columns, detection(columns, 10))[1]
    assert near.get_xlim()[0] > columns["mjd"][9]


@pytest.mark.parametrize("value", ["mag", "flux"])
def test_a_detection_of_one_epoch_without_magnitude_is_drawn(value):
    columns = lightcurve(1)
    columns["flux"][:], columns["mag"][:], columns["magerr"][:] = -3.0, np.nan, np.nan
    draw = lambda: plots.plot_detection(columns, detection(columns, 0), value=value)[0].figure  # noqa: E731
    assert draw_png(draw).startswith(PNG)
