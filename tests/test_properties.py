"""Properties of sources against closed forms and against the statistics of the epochs they are made of."""

import numpy as np
import pytest
from make_batch import fingerprint, freeze, make_batch, put, sources_of

from vo_lib.batch import LightcurveBatch
from vo_lib.errors import ConfigError
from vo_lib.finder import Finder
from vo_lib.measures.colors import color_columns, color_pairs
from vo_lib.measures.filters import FILTER_COLUMNS, STATISTIC_COLUMNS
from vo_lib.properties import PROPERTY_COLUMNS, check_options, summarise
from vo_lib.quality import assess
from vo_lib.statistics import STATISTICS, measure

FILTERS = {"DEMO": ("demo-g", "demo-r", "demo-i"), "ZTF": ("ztf-g",)}


def _summarise(batch, *extra, **options):
    qflag = assess(batch).qflag
    return summarise(sources_of(batch, *extra), batch, qflag, Finder().find(batch, qflag), **options)


def _measured(batch, lightcurves):
    """Statistics of the good epochs of some lightcurves put together in order of time."""
    epochs = [batch.lightcurve(index) for index in lightcurves]
    time, flux, error = (np.concatenate([part[name] for part in epochs]) for name in ("mjd", "flux", "fluxerr"))
    good = np.concatenate([assess(batch.select([index])).qflag == 0 for index in lightcurves])
    order = np.argsort(time[good], kind="stable")
    table = measure(time[good][order], flux[good][order], error[good][order], np.array([0, good.sum()]))
    return {name: values[0] for name, values in table.items()}


def _statistics(table, row):
    return {name: table[name][row] for name in STATISTICS}


def _two_surveys():
    """Two sources; the first has lightcurves in g (three), in r, and of another survey in what it calls g as well."""
    batch = make_batch(
        [40, 30, 50, 60, 20, 90],
        sources=["a", "a", "a", "a", "a", "b"],
        filters=("demo-g", "demo-g", "demo-g", "demo-r", "demo-g", "demo-r"),
        seed=8,
    )
    batch.table["obs"] = np.array(["DEMO", "DEMO", "DEMO", "DEMO", "ZTF", "DEMO"])
    # The seasons come out of order, and the third overlaps with the first.
    return put(put(put(batch, 1, np.arange(30), mjd=57000 + np.arange(30.0)), 2, [7], flag=1), 3, [5], flux=4000.0)


def test_one_row_for_each_source_with_and_without_data():
    batch = make_batch([20, 0, 30, 40], sources=["b", "c", "a", "b"])
    table = _summarise(batch, "nothing").properties
    assert list(table) == list(PROPERTY_COLUMNS)
    assert table["source"].tolist() == ["b", "c", "a", "nothing"]
    assert table["n_lightcurves"].tolist() == [2, 1, 1, 0]
    assert table["n_epochs"].tolist() == table["n_good"].tolist() == table["filter_n_good"].tolist() == [60, 0, 30, 0]
    assert table["filter"].tolist() == ["demo-g", "", "demo-g", ""]
    for name in {"mjd_first", "mjd_last", "best_snr", *STATISTICS}:
        assert np.isfinite(table[name]).tolist() == [True, False, True, False], name


def test_counts_times_and_detections():
    batch = put(make_batch([50, 60], sources=["a", "a"], seed=3), 1, [10, 20], flux=[1300.0, 700.0])
    table = _summarise(put(batch, 0, [0, 1], flag=1)).properties
    assert (table["n_epochs"][0], table["n_good"][0], table["n_detections"][0]) == (110, 108, 2)
    assert (table["mjd_first"][0], table["mjd_last"][0]) == (58000.0, 58029.5)
    assert table["best_snr"][0] == pytest.approx(30, rel=0.2)
    flagged = put(put(batch, 0, [0, 49], flag=1), 1, [0, 59], flag=1)
    assert [_summarise(flagged).properties[name][0] for name in ("mjd_first", "mjd_last")] == [58000.0, 58029.5]
    fainter = _summarise(put(batch, 1, [30], flux=400.0)).properties
    assert fainter["best_snr"][0] == pytest.approx(60, rel=0.2)
    assert _summarise(_two_surveys()).properties["mjd_first"].tolist() == [57000, 58000]
    assert _summarise(_two_surveys()).properties["mjd_last"].tolist() == [58029.5, 58044.5]


def test_flagged_epochs_make_no_best_snr_and_no_statistics():
    batch = make_batch([50])
    for flux in (5000.0, np.nan, np.inf):
        table = _summarise(put(batch, 0, [9], flux=flux, flag=1)).properties
        assert table["best_snr"][0] < 5
        assert (table["filter_n_good"][0], table["flux_amplitude"][0] < 50) == (49, True)


@pytest.mark.parametrize("name", ["flux", "mjd"])
def test_epochs_without_a_value_are_in_no_statistic_even_if_a_check_of_ones_own_passes_them(name):
    whole = make_batch([50, 40], sources=["a", "a"])
    batch = put(whole, 0, [49], **{name: np.nan})
    expected = _summarise(put(whole, 0, [49], flag=1)).filters
    found = summarise(
        sources_of(batch), batch, np.zeros(90, np.int64), Finder().find(whole, assess(whole).qflag)
    ).filters
    assert _statistics(found, 0) == pytest.approx(_statistics(expected, 0))


def test_each_lightcurve_has_its_own_statistics():
    batch = _two_surveys()
    series = _summarise(batch).series
    assert list(series) == list(STATISTIC_COLUMNS)
    for index in range(batch.n_lightcurves):
        assert _statistics(series, index) == pytest.approx(_measured(batch, [index]), nan_ok=True)


def test_a_filter_has_the_statistics_of_all_its_lightcurves_in_order_of_time():
    batch = _two_surveys()
    filters = _summarise(batch).filters
    assert list(filters) == list(FILTER_COLUMNS)
    keys = list(zip(*(filters[name].tolist() for name in ("source", "obs", "filter")), strict=True))
    assert keys == [
        ("a", "DEMO", "demo-g"),
        ("a", "DEMO", "demo-r"),
        ("a", "ZTF", "demo-g"),
        ("b", "DEMO", "demo-r"),
    ]
    assert filters["n_lightcurves"].tolist() == [3, 1, 1, 1]
    assert filters["n_epochs"].tolist() == [120, 60, 20, 90]
    assert filters["n_good"].tolist() == [119, 60, 20, 90]
    assert filters["n_detections"].tolist() == [0, 1, 0, 0]
    for row, lightcurves in enumerate([[0, 1, 2], [3], [4], [5]]):
        expected = _measured(batch, lightcurves)
        assert _statistics(filters, row) == pytest.approx(expected, nan_ok=True), row


def test_filters_of_one_two_and_three_lightcurves_keep_their_rows():
    batch = make_batch([20, 30, 40, 50, 10, 25], sources=["a", "a", "b", "b", "b", "c"])
    filters = _summarise(batch).filters
    for row, lightcurves in enumerate([[0, 1], [2, 3, 4], [5]]):
        assert _statistics(filters, row) == pytest.approx(_measured(batch, lightcurves), nan_ok=True), row


def test_a_source_has_the_statistics_of_its_best_covered_filter_or_of_the_reference():
    batch = _two_surveys()
    table = _summarise(batch).properties
    assert (table["filter"].tolist(), table["filter_n_good"].tolist()) == (["demo-g", "demo-r"], [119, 90])
    assert _statistics(table, 0) == pytest.approx(_measured(batch, [0, 1, 2]), nan_ok=True)
    red = _summarise(batch, reference_filter="demo-r").properties
    assert _statistics(red, 0) == pytest.approx(_measured(batch, [3]), nan_ok=True)
    green = _summarise(batch, reference_filter="demo-g").properties
    assert (green["filter"].tolist(), green["filter_n_good"].tolist()) == (["demo-g", ""], [119, 0])
    assert np.isnan([green[name][1] for name in STATISTICS]).all()
    assert green["n_good"].tolist() == [199, 90]


def test_a_source_whose_epochs_are_all_flagged_has_no_filter():
    batch = put(make_batch([30, 40], sources=["a", "b"]), 0, np.arange(30), flag=1)
    table = _summarise(batch).properties
    assert (table["filter"].tolist(), table["n_epochs"].tolist()) == (["", "demo-g"], [30, 40])
    assert np.isnan(table["flux_median"][0])


def test_order_of_lightcurves_does_not_matter():
    batch = _two_surveys()
    order = [3, 5, 0, 4, 2, 1]
    other = summarise(
        sources_of(batch),
        shuffled := batch.select(order),
        assess(shuffled).qflag,
        Finder().find(shuffled, assess(shuffled).qflag),
    )
    first = _summarise(batch)
    np.testing.assert_equal(other.properties, first.properties)
    np.testing.assert_equal(other.filters, first.filters)
    for name, values in first.series.items():
        np.testing.assert_array_equal(other.series[name], values[order])


def test_colors_are_differences_of_magnitudes_with_their_errors():
    batch = make_batch([100, 100, 100], sources=["a", "a", "b"], filters=("demo-g", "demo-r", "demo-g"), seed=2)
    batch = put(batch, 1, np.arange(100), flux=batch.lightcurve(1)["flux"] + 600.0)
    table = _summarise(batch).properties
    expected = 2.5 * np.log10(np.median(batch.lightcurve(1)["flux"]) / np.median(batch.lightcurve(0)["flux"]))
    assert table["color_demo_g_demo_r"][0] == pytest.approx(expected)
    # Of 1000 and 1600 with an error of 10 each, times sqrt(pi / 2) over sqrt(100).
    relative = np.hypot(1 / 1000, 1 / 1600) * 10 / np.sqrt(100) * np.sqrt(np.pi / 2)
    assert table["color_demo_g_demo_r_err"][0] == pytest.approx(1.0857 * relative, rel=0.2)
    assert np.isnan([table[f"color_demo_g_demo_r{end}"][1] for end in ("", "_err")]).all()


def test_wanted_colors_are_columns_also_without_data():
    batch = make_batch([30], filters=("demo-g",))
    table = _summarise(batch, colors=[["demo-r", "ztf-g"], ["demo-g", "demo-r"]]).properties
    assert list(table)[-4:] == [
        "color_demo_r_ztf_g",
        "color_demo_r_ztf_g_err",
        "color_demo_g_demo_r",
        "color_demo_g_demo_r_err",
    ]
    assert all(np.isnan(table[name]).all() for name in list(table)[-4:])
    assert list(_summarise(batch, colors=[]).properties) == list(PROPERTY_COLUMNS)


def test_all_filters_of_a_survey_are_paired_unless_colors_are_given():
    assert color_pairs(FILTERS) == [("demo-g", "demo-r"), ("demo-g", "demo-i"), ("demo-r", "demo-i")]
    assert color_pairs(FILTERS, [["ztf-g", "demo-r"], ["ztf-g", "demo-r"]]) == [("ztf-g", "demo-r")]
    assert color_columns([("ztf-g", "w 1")])["color_ztf_g_w_1_err"][1] == "mag"


def test_colors_with_one_column_are_refused_before_a_run():
    filters, rest = {"FILES": ("r", "i+", "i-")}, {"interesting": [], "reference_filter": None}
    with pytest.raises(
        ConfigError, match=r"'r' minus 'i-' and another pair would both be the column color_r_i_; remove"
    ):
        check_options(filters, colors=None, **rest)
    check_options(filters, colors=[["r", "i+"]], **rest)


def test_interest_is_null_without_good_epochs_and_else_by_the_cuts():
    batch = put(make_batch([50, 60, 30, 0], sources=["calm", "flare", "flagged", "empty"]), 1, [10], flux=1500.0)
    batch = put(batch, 2, np.arange(30), flag=1)
    expected = ["boring", "interesting", "null", "null", "null"]
    assert _summarise(batch, "nothing").properties["interest"].tolist() == expected
    swapped = _summarise(batch, "nothing", interesting=["poisson_factor < 1.2"]).properties
    assert swapped["interest"].tolist() == ["interesting", "boring", "null", "null", "null"]


def test_all_cuts_must_be_fulfilled_and_a_missing_value_fulfils_none():
    batch = put(make_batch([50, 60, 5], sources=["a", "b", "short"]), 1, [10], flux=1500.0)
    for cuts, expected in (
        (["n_detections > 0", "filter_n_good > 60"], ["boring"] * 3),
        (["n_detections > 0 or filter_n_good == 50"], ["interesting", "interesting", "boring"]),
        (["flux_p95 > 0"], ["interesting", "interesting", "boring"]),
        (["flux_p95 <= 0"], ["boring"] * 3),
        (["filter == 'demo-g'", "isfinite(flux_median)"], ["interesting"] * 3),
    ):
        assert _summarise(batch, interesting=cuts).properties["interest"].tolist() == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"interesting": ["n_detection > 0"]}, r"needs the column 'n_detection', .* did you mean 'n_detections'"),
        ({"interesting": ["interest == 'boring'"]}, "needs the column 'interest'"),
        ({"interesting": ["filter > 3"]}, "compares text with a number"),
        ({"interesting": ["best_snr >"]}, "properties.interesting: 'best_snr >' cannot be understood"),
        ({"interesting": ["color_demo_g_ztf_g > 0"]}, "needs the column 'color_demo_g_ztf_g'"),
        ({"reference_filter": "x"}, "properties.reference_filter: no survey has the filter 'x'; known are demo-g, "),
        ({"colors": [["demo-g", "x"]]}, "properties.colors: no survey has the filter 'x'"),
        ({"colors": [["demo-g", "demo-g"]]}, "properties.colors: 'demo-g' is paired with itself"),
    ],
)
def test_options_that_cannot_be_met_are_refused_before_any_job(options, message):
    known = {"interesting": ["n_detections > 0"], "reference_filter": None, "colors": None}
    with pytest.raises(ConfigError, match=message):
        check_options(FILTERS, **known | options)


def test_options_that_can_be_met_pass():
    cuts = ["color_demo_g_demo_r_err < 0.1", "stetson_j > 1 and filter in ('demo-g',)"]
    check_options(FILTERS, interesting=cuts, reference_filter="ztf-g", colors=None)
    check_options(FILTERS, interesting=["color_ztf_g_demo_r > 0"], reference_filter=None, colors=[["ztf-g", "demo-r"]])


def test_constant_and_single_epochs_have_properties():
    batch = make_batch([30, 1]).with_columns(flux=np.full(31, 500.0), mag=np.full(31, 17.15))
    table = _summarise(batch).properties
    assert table["chi2_reduced"][0] == table["rms_excess"][0] == table["flux_rms"][0] == 0
    assert np.isnan(table["von_neumann"]).all()
    assert np.isnan([table[name][1] for name in ("flux_rms", "chi2_reduced", "rms_excess", "cadence")]).all()
    assert table["flux_median"].tolist() == [500, 500]
    assert table["interest"].tolist() == ["boring", "boring"]


def test_inputs_stay_as_they_are():
    batch = freeze(_two_surveys())
    before = fingerprint(batch)
    _summarise(batch)
    assert fingerprint(batch) == before


def test_nothing_at_all_has_no_rows():
    summary = _summarise(LightcurveBatch.empty())
    assert {name: len(values) for name, values in summary.properties.items()} == dict.fromkeys(PROPERTY_COLUMNS, 0)
    assert {name: len(values) for name, values in summary.filters.items()} == dict.fromkeys(FILTER_COLUMNS, 0)
    assert {len(values) for values in summary.series.values()} == {0}
