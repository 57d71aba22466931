"""Events in lightcurves: what is drawn where, not how it looks."""

import numpy as np
import pytest
from make_figures import PNG, labels, lightcurve, points
from numpy.testing import assert_allclose

from vo_lib import plots
from vo_lib.canvas import draw_png
from vo_lib.photometry import mag_from_flux
from vo_lib.profiles import PROFILES


def detection(columns, peak, **changes):
    mjd, amplitude = columns["mjd"], columns["flux"][peak] - np.median(columns["flux"])
    row = {"peak_epoch": peak, "first_epoch": peak, "last_epoch": peak, "amplitude": amplitude, "template": ""}
    row |= {"threshold": 5.0, "snr": 20.0, "score": 20.0}
    return row | {"peak_mjd": mjd[peak], "start_mjd": mjd[peak], "end_mjd": mjd[peak]} | changes


@pytest.mark.parametrize("value", ["mag", "flux"])
def test_a_detection_has_median_and_threshold(value):
    columns = lightcurve()
    columns["flux"][20] = 1200.0
    columns["mag"][20] = 23.9 - 2.5 * np.log10(1200.0)
    flagged = np.arange(40) == 3
    median = np.median(columns["flux"][~flagged])
    row = detection(columns, 20, amplitude=1200 - median)
    near = plots.plot_detection(columns, row, flagged=flagged, value=value)[1]
    lines = dict(zip(labels(near), near.get_legend().legend_handles, strict=True))
    assert list(lines) == ["event", "median", "noise", "threshold"]
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


@pytest.mark.parametrize("value", ["mag", "flux"])
def test_a_template_is_drawn_over_the_median_with_the_threshold_of_its_score(value):
    columns = lightcurve(100)
    row = detection(columns, 50, template="flare", width=4.0, amplitude=300.0, score=20.0, threshold=5.0)
    near = plots.plot_detection(columns, row, value=value)[1]
    lines = dict(zip(labels(near), near.get_legend().legend_handles, strict=True))
    assert list(lines) == ["event", "median", "noise", "threshold", "template"]
    near.figure.canvas.draw()
    assert len({text.get_window_extent().y0 // 10 for text in near.get_legend().get_texts()}) == 1
    curve, median = near.lines[-1], np.median(columns["flux"])
    mjd, shown = curve.get_data()
    flux = median + 300 * PROFILES["flare"].shape((mjd - 58050) / 4)
    level = np.array([median + 300 * 5 / 20])
    if value == "mag":
        flux, level = (mag_from_flux(values, np.zeros(values.shape))[0] for values in (flux, level))
    assert_allclose(shown, flux)
    assert_allclose(shown[mjd == 58050.0], flux[mjd == 58050.0])
    assert any(np.allclose(line.get_ydata(), level) for line in near.lines)


@pytest.mark.parametrize("template", ["", "epoch", "of another project"])
def test_a_template_that_is_not_known_is_not_drawn(template):
    columns = lightcurve(100)
    near = plots.plot_detection(columns, detection(columns, 50, template=template, width=1.0, amplitude=1.0))[1]
    assert labels(near) == ["event", "median", "noise", "threshold"]


def injected(columns, row):
    """Copy of a lightcurve with an event."""
    flux = columns["flux"] + row["amplitude"] * PROFILES[row["kind"]].shape(
        (columns["mjd"] - row["peak_mjd"]) / row["width"]
    )
    return columns | {"flux": flux, "mag": mag_from_flux(flux, columns["fluxerr"])[0]}


INJECTION = {"kind": "gaussian", "peak_mjd": 58050.0, "width": 3.0, "amplitude": 200.0}


@pytest.mark.parametrize("value", ["mag", "flux"])
def test_an_injected_event_is_drawn_before_and_after(value):
    columns = lightcurve(100)
    copy = injected(columns, INJECTION)
    ax = plots.plot_injection(columns, copy, INJECTION, value=value)
    drawn = points(ax)
    assert_allclose(drawn["_before"], [columns["mjd"], columns[value]])
    assert_allclose(drawn["ZTF g"], [copy["mjd"], copy[value]])
    assert labels(ax) == ["ZTF g", "before", "injected light"]
    low, high = ax.get_xlim()
    assert 58030 < low < 58041 < 58059 < high < 58070
    assert ax.yaxis_inverted() == (value == "mag")


def test_the_light_of_an_event_between_epochs_is_in_the_picture():
    columns = lightcurve(100)
    narrow = INJECTION | {"peak_mjd": 58050.5, "width": 0.01, "amplitude": 5000.0}
    ax = plots.plot_injection(columns, injected(columns, narrow), narrow)
    assert ax.get_ylim()[1] > 5900


def test_flagged_epochs_of_a_copy_are_hollow():
    columns = lightcurve(100)
    copy = injected(columns, INJECTION) | {"qflag": (np.arange(100) == 49).astype(int)}
    assert_allclose(points(plots.plot_injection(columns, copy, INJECTION))["_ZTF g, flagged"][0], [58049])


def test_a_copy_of_another_lightcurve_is_refused():
    with pytest.raises(ValueError, match="has 5 epochs and its copy 6; give the copy of this lightcurve"):
        plots.plot_injection(lightcurve(5), lightcurve(6), INJECTION)
