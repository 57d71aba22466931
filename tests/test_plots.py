"""Lightcurves: what is drawn where, not how it looks."""

import numpy as np
import pytest
from make_figures import PNG, labels, lightcurve, points
from numpy.testing import assert_allclose

from vo_lib import plots
from vo_lib.canvas import draw_png
from vo_lib.plots.marks import BAND_COLOURS, OTHER_COLOURS, band_colours


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


def test_filters_without_a_colour_of_their_own_get_those_that_are_left():
    letters = ["demo-g", "demo-i", "demo-r"]
    colours = band_colours([*letters, "files-V", "tess"])
    assert colours[:3] == [BAND_COLOURS[band] for band in "gir"]
    assert len(set(colours)) == 5
    assert band_colours([*(f"panstarrs-{band}" for band in "grizy"), "sdss-u", "tess"])[6] == OTHER_COLOURS[0]


def test_a_bad_error_is_drawn_as_none():
    columns = lightcurve(3)
    columns["magerr"][:] = [np.nan, -1.0, 0.1]
    segments = plots.plot_lightcurve(columns).containers[0].lines[2][0].get_segments()
    assert_allclose([np.ptp(segment[:, 1]) for segment in segments], [0, 0, 0.2])


def test_a_lightcurve_without_epochs_is_drawn():
    assert draw_png(lambda: plots.plot_lightcurve(lightcurve(0)).figure).startswith(PNG)


def structured(columns):
    """Lightcurve as a structured array, as in a file."""
    table = {name: np.broadcast_to(values, columns["mjd"].shape) for name, values in columns.items()}
    kinds = [
        (name, f"S{values.dtype.itemsize // 4}" if values.dtype.kind == "U" else "f8") for name, values in table.items()
    ]
    array = np.zeros(len(columns["mjd"]), kinds)
    for name, values in table.items():
        array[name] = values
    return array


@pytest.mark.parametrize("kind", [dict, structured, "frame"])
def test_points_and_error_bars_are_those_of_any_kind_of_table(kind):
    import pandas

    columns = lightcurve(5)
    table = structured(columns) if kind == "frame" else kind(columns)
    if kind == "frame":
        table = pandas.DataFrame(table).assign(obs="ZTF", filter="ztf-g")
    (bars,) = plots.plot_lightcurve(table, value="flux").containers
    assert bars.get_label() == "ZTF g"
    assert_allclose(bars.lines[0].get_data(), [columns["mjd"], columns["flux"]])
    ends = np.array([segment[:, 1] for segment in bars.lines[2][0].get_segments()])
    assert_allclose(ends, columns["flux"][:, None] + [-10, 10])


@pytest.mark.parametrize(("flagged", "hollow"), [(None, [2]), ("flag", [0, 1]), (np.arange(4) == 3, [3])])
def test_flags_are_those_of_the_checks_unless_others_are_named(flagged, hollow):
    columns = lightcurve(4, qflag=np.array([0, 0, 8, 0]), flag=np.array([1, 2, 0, 0]))
    drawn = points(plots.plot_lightcurve(columns, flagged=flagged))
    assert_allclose(drawn["_ZTF g, flagged"][0], columns["mjd"][hollow])
    with pytest.raises(ValueError, match=r"flagged must have a bool for each of 4 epochs, got \[2\]"):
        plots.plot_lightcurve(columns, flagged=[2])
    assert len(drawn["ZTF g"][0]) == 4 - len(hollow)


def test_a_lightcurve_of_flagged_epochs_alone_is_hollow():
    ax = plots.plot_lightcurve(lightcurve(3), flagged=np.ones(3, bool))
    assert labels(ax) == ["ZTF g", "flagged"]
    assert [bars.lines[0].get_markerfacecolor() for bars in ax.containers] == [ax.get_facecolor()]


def test_dates_are_those_of_the_epochs():
    from matplotlib.dates import num2date

    ax = plots.plot_lightcurve(lightcurve(1, mjd=np.array([58849.75])), time="date")
    assert ax.get_xlabel() == "date (UTC, mid-exposure)"
    assert f"{num2date(points(ax)['ZTF g'][0][0]):%Y-%m-%d %H:%M}" == "2020-01-01 18:00"


@pytest.mark.parametrize("days", [1e-3, 0.5, 60, 140, 900, 1150, 1500, 1800, 20000])
def test_dates_of_any_span_have_a_few_ticks(days):
    ax = plots.plot_lightcurve(lightcurve(4, mjd=58000 + np.linspace(0, days, 4)), time="date")
    assert 2 <= len(ax.get_xticks()) <= 10  # warns where no step suits


def test_a_folded_lightcurve_has_two_cycles_of_barycentric_phases():
    columns = lightcurve(4, bmjd_tdb=np.array([0.25, 1.0, 2.0, 3.5]) + 60000)
    ax = plots.plot_lightcurve(columns, period=2.0, epoch=60000.0, value="flux")
    phase, flux = points(ax)["ZTF g"]
    assert_allclose(phase, [0.125, 0.5, 0.0, 0.75, 1.125, 1.5, 1.0, 1.75])
    assert_allclose(flux, np.tile(columns["flux"], 2))
    assert ax.get_xlabel() == "phase for a period of 2 d (BMJD, TDB, 0 at 60000.00000)"


def test_pauses_are_shaded():
    mjd = np.array([58200.0, 58000, 58010, 58300, 58310])
    ax = plots.plot_lightcurve(lightcurve(5, mjd=mjd), pause_days=95)
    assert [patch.get_gid() for patch in ax.patches] == ["pause", "pause"]
    assert [(patch.get_x(), patch.get_width()) for patch in ax.patches] == [(58010, 190), (58200, 100)]


def test_a_flagged_outlier_does_not_hide_the_rest():
    columns = lightcurve(30)
    columns["flux"][7] = 1e7
    ax = plots.plot_lightcurve(columns, value="flux", flagged=np.arange(30) == 7)
    assert ax.get_ylim()[1] < 1100
    assert "flagged epochs beyond the axis: 1" in ax.get_xlabel()
    assert plots.plot_lightcurve(columns, value="flux").get_ylim()[1] > 1e7


def test_the_scatter_of_each_filter_is_shaded_and_what_is_outside_is_counted():
    flux = np.array([100.0, 101, 102, 103, 104, 200, 900, 901, 902, 103])
    bands = np.array(["ztf-g"] * 6 + ["ztf-r"] * 4)
    columns = lightcurve(10, flux=flux, fluxerr=np.ones(10), filter=bands)
    ax = plots.plot_lightcurve(columns, value="flux", sigma=3.0, flagged=np.arange(10) == 9)
    spans = [patch for patch in ax.patches if patch.get_gid() == "scatter"]
    middles = [patch.get_y() + patch.get_height() / 2 for patch in spans]
    assert_allclose(middles, [102.5, 901])
    assert_allclose([patch.get_height() / 2 for patch in spans], np.array([1.5, 1.0]) * 3 * 1.4826, rtol=1e-5)
    assert "good epochs outside of 3 σ: 1" in ax.get_xlabel()


def test_ten_filters_are_told_apart():
    bands = np.array([f"x-{band}" for band in "ugrizyabcd"])
    ax = plots.plot_lightcurve(lightcurve(20, obs=np.array("X"), filter=np.tile(bands, 2)))
    marks = {(bars.lines[0].get_color(), bars.lines[0].get_marker()) for bars in ax.containers}
    assert len(labels(ax)) == len(marks) == 10


def test_axes_without_epochs_say_so():
    empty, none = plots.plot_lightcurve(lightcurve(0)), plots.plot_lightcurve(lightcurve(2, mag=np.full(2, np.nan)))
    assert [text.get_text() for ax in (empty, none) for text in ax.texts] == ["no epochs", "no epochs to draw"]
    assert "epochs without a magnitude: 2" in none.get_xlabel()


def test_axes_without_epochs_have_no_dates():
    assert draw_png(lambda: plots.plot_lightcurve(lightcurve(0), time="date").figure).startswith(PNG)


def test_names_of_filters_that_the_font_lacks_are_drawn():
    columns = lightcurve(2, obs=np.array("X"), filter=np.array(["x-\u65e5", "x-" + "a" * 300]))
    assert draw_png(lambda: plots.plot_lightcurve(columns).figure).startswith(PNG)
    assert labels(plots.plot_lightcurve(columns)) == ["X " + "a" * 45 + "\u2026", "X ?"]


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"value": "counts"}, "value must be mag or flux, got 'counts'"),
        ({"time": "jd"}, "time must be mjd or date, got 'jd'"),
        ({"period": 0.0}, "period must be a positive number of days, got 0.0"),
        ({"flagged": "bad"}, "flagged is 'bad', which is not a column; there are mjd, flux"),
    ],
)
def test_what_cannot_be_drawn_is_named(choices, message):
    with pytest.raises(ValueError, match=message):
        plots.plot_lightcurve(lightcurve(2), **choices)


def test_a_missing_column_is_named():
    with pytest.raises(ValueError, match="needs a column magerr to be drawn; it has mjd, mag"):
        plots.plot_lightcurve({"mjd": np.zeros(1), "mag": np.zeros(1)})
