"""The search of a bin: rows, what stands for a source, and agreement with the search of one lightcurve."""

import math

import numpy as np
import pytest
from make_batch import fingerprint, freeze, make_batch, put, sources_of
from make_periodic import nightly, scattered

from vo_lib.analysis import Analysis
from vo_lib.batch import LightcurveBatch
from vo_lib.errors import ConfigError
from vo_lib.periods.periodic import METHODS, PERIOD_COLUMNS, PERIOD_PROPERTIES, search_periods, source_periods
from vo_lib.periods.periodogram import get_periodogram_stats

RANGES = {"ranges": ["0.5-10 d"]}


def _batch(amplitude=30.0, period=2.0):
    """Source a with a period in two filters, one of them in two seasons; b constant, c with few epochs, d noise."""
    batch = make_batch(
        [80, 60, 70, 50, 10, 90],
        sources=["a", "a", "a", "b", "c", "d"],
        filters=("demo-g", "demo-r", "demo-g", "demo-g", "demo-g", "demo-r"),
    )
    for row in range(6):
        time = scattered(batch.counts[row], 60, seed=row) + 100 * (row == 2)
        values = {"mjd": time, "bmjd_tdb": time + 0.002}
        if row < 3:
            sine = np.cos(2 * np.pi * (time + 0.002) / period)
            values["flux"] = batch.lightcurve(row)["flux"] + amplitude * sine
        if row == 3:
            values["flux"] = 1000.0
        batch = put(batch, row, np.arange(batch.counts[row]), **values)
    return batch


def _search(batch, **options):
    return search_periods(batch, batch.columns["flag"] == 0, **(RANGES | options))


def test_nothing_is_searched_unless_ranges_are_given():
    table = search_periods(_batch(), np.ones(360, bool))
    assert {name: len(values) for name, values in table.items()} == dict.fromkeys(PERIOD_COLUMNS, 0)


def test_a_row_for_each_filter_and_one_for_all_filters_together():
    table = _search(_batch(), methods=METHODS)
    names = [*zip(*(table[name].tolist() for name in ("source", "obs", "filter")), strict=True)]
    demo = [("a", "DEMO", "demo-g"), ("a", "DEMO", "demo-r"), ("a", "", "")]
    assert names == [*demo, ("b", "DEMO", "demo-g"), ("c", "DEMO", "demo-g"), ("d", "DEMO", "demo-r")]
    assert table["status"].tolist() == ["ok", "ok", "ok", "constant", "too few epochs", "ok"]
    assert table["n_epochs"].tolist() == [150, 60, 210, 50, 10, 90]
    assert table["best_period"][:3] == pytest.approx(2.0, abs=0.02)
    assert table["periodogram"].tolist() == [1, 1, 1, 0, 0, 0]
    assert np.isfinite(table["best_period"]).tolist() == [True, True, True, False, False, True]
    assert np.isfinite(table["bls_period"]).tolist() == [True, True, False, False, False, True]
    kinds = {name: np.dtype(kind).kind for name, (kind, *_) in PERIOD_COLUMNS.items()}
    assert {name: values.dtype.kind for name, values in table.items()} == kinds


def test_a_row_agrees_with_the_search_of_its_lightcurve():
    batch = _batch()
    table = _search(batch, bootstrap=9)
    rows = np.r_[0:80, 140:210]
    stats = get_periodogram_stats(
        tuple(batch.columns[name][rows] for name in ("bmjd_tdb", "flux", "fluxerr")), (0.5, 10)
    )
    for name in ("best_period", "best_period_err", "fap", "semi_amplitude", "time_of_maximum", "window_power"):
        assert table[name][0] == pytest.approx(getattr(stats, name)), name
    assert table["best_frequency"][0] == 1 / table["best_period"][0]
    assert table["semi_amplitude"][0] == pytest.approx(30, abs=4)
    assert table["fap_bootstrap"][0] == 0.1


def test_filters_together_show_what_no_filter_shows():
    batch = _batch(amplitude=7.5)
    table = _search(batch, methods=["lomb_scargle", "multiband"])
    assert table["best_period"][2] == pytest.approx(2.0, abs=0.02)
    assert table["fap"][2] < min(table["fap"][:2])


def test_a_filter_of_constant_flux_is_none_of_all_filters_together():
    batch = _batch()
    for row, values in ((0, {"flux": 1000.0}), (1, {"bmjd_tdb": 58010.0}), (2, {"flux": 1000.0})):
        batch = put(batch, row, np.arange(batch.counts[row]), **values)
    table = _search(batch, methods=["lomb_scargle", "multiband"])
    assert table["filter"][:3].tolist() == ["demo-g", "demo-r", "demo-g"]
    assert table["status"][:2].tolist() == ["constant", "too short"]


def test_a_filter_of_one_time_is_none_of_all_filters_together():
    methods = ["lomb_scargle", "multiband"]
    assert _search(_batch(), methods=methods)["filter"][:3].tolist() == ["demo-g", "demo-r", ""]
    table = _search(put(_batch(), 1, np.arange(60), bmjd_tdb=58010.0), methods=methods)
    assert table["status"][1] == "too short"
    assert "" not in table["filter"]


def test_one_epoch_of_a_tiny_error_does_not_stop_the_search_of_others():
    table = _search(put(_batch(), 0, [7], fluxerr=1e-31), methods=METHODS)
    assert (table["power"][0], table["fap"][0], table["periodogram"][0]) == (0, 1, 0)
    np.testing.assert_equal(table["best_period"][1], _search(_batch())["best_period"][1])


def test_ranges_that_overlap_are_searched_once():
    one, two = _search(_batch()), _search(_batch(), ranges=["0.5-4 d", "3-10 d"])
    np.testing.assert_allclose(two["fap"], one["fap"])
    np.testing.assert_allclose(two["best_period"], one["best_period"], rtol=1e-3)


def test_ranges_that_do_not_fit_are_left_out_and_said():
    assert _search(_batch(), ranges=["100-500 d"])["status"][[0, 1]].tolist() == ["too short", "too short"]
    assert _search(_batch(), ranges=["0.5-100 d"])["status"][[0, 1]].tolist() == ["clipped", "clipped"]
    assert _search(_batch(), ranges=["0.5-4 d", "90-100 d"])["status"][0] == "clipped"


def test_flagged_epochs_make_no_difference():
    batch = _batch()
    spoilt = put(batch, 0, [5, 6], flux=1e6, flag=1)
    without = batch.keep(spoilt.columns["flag"] == 0)
    np.testing.assert_equal(_search(spoilt), _search(without))


def test_the_limits_decide_what_is_a_period():
    assert _search(_batch(), min_power=0.999)["periodogram"].tolist() == [0] * 5
    assert _search(_batch(), max_fap=0.0)["periodogram"].sum() <= 1
    assert _search(_batch(), min_power=0.0, max_fap=1.0)["periodogram"].tolist() == [1, 1, 0, 0, 1]


def test_a_daily_alias_that_fits_as_well_is_named():
    batch, marks = make_batch([60] * 30), 0
    for row in range(30):
        time = nightly(60, 60, seed=row, hours=3)
        flux = batch.lightcurve(row)["flux"] + 9 * np.cos(2 * np.pi * time / 0.37)
        batch = put(batch, row, np.arange(60), mjd=time, bmjd_tdb=time, flux=flux)
    table = _search(batch, ranges=["0.1-10 d"])
    wrong = (abs(table["best_frequency"] - 1 / 0.37) > 1 / 60) & (table["fap"] < 1e-3)
    marks = np.isin(table["alias"], ["day", "sidereal day"]) & (table["alias_power"] > 0)
    assert wrong.sum() >= 3
    assert marks[wrong].mean() > 0.9
    np.testing.assert_allclose(np.isfinite(table["alias_period"]), table["alias"] != "")


def test_inputs_stay_and_results_repeat():
    batch = freeze(_batch())
    before = fingerprint(batch)
    np.testing.assert_equal(_search(batch, bootstrap=3), _search(batch, bootstrap=3))
    assert fingerprint(batch) == before


def test_a_bin_without_lightcurves_has_no_rows():
    assert len(search_periods(LightcurveBatch.empty(), np.zeros(0, bool), **RANGES)["source"]) == 0


def test_too_many_frequencies_are_an_error():
    with pytest.raises(
        ConfigError, match=r"more than periods.max_frequencies 100; search longer periods or allow more"
    ):
        _search(_batch(), max_frequencies=100)


def test_a_source_has_the_periods_of_all_filters_else_of_its_filter():
    names, filters = np.array(["d", "a", "new", "c"]), np.array(["demo-r", "demo-g", "", "demo-g"])
    single, joint = _search(_batch()), _search(_batch(), methods=METHODS)
    table = source_periods(names, filters, single)
    assert table["best_period"][[0, 1]].tolist() == single["best_period"][[4, 0]].tolist()
    assert table["best_period_filter"].tolist() == ["demo-r", "demo-g", "", "demo-g"]
    table = source_periods(names, filters, joint)
    assert table["best_period"][1] == joint["best_period"][2]
    assert table["bls_snr"][1] == joint["bls_snr"][0]
    assert table["bls_n_dips"].tolist() == [*joint["bls_n_dips"][[5, 0]], 0, joint["bls_n_dips"][4]]
    assert table["best_period_filter"].tolist() == ["demo-r", "", "", "demo-g"]
    assert np.isfinite(table["best_period"]).tolist() == [True, True, False, False]


def test_sources_have_no_periods_where_nothing_was_searched():
    for periods in (None, search_periods(_batch(), np.ones(360, bool))):
        table = source_periods(np.array(["a"]), np.array(["demo-g"]), periods)
        assert list(table) == list(PERIOD_PROPERTIES)
        assert math.isnan(table["best_period"][0])
        assert (table["periodogram"][0], table["best_period_alias"][0]) == (0, "")


def test_the_analysis_has_periods_and_cuts_on_them():
    batch = _batch(amplitude=15.0)
    options = {
        "properties": {"interesting": ["best_period_fap < 1e-4 and periodogram == 1"]},
        "simulator": {"num_injections": 0},
    }
    tables = Analysis(periods=RANGES, **options).analyze_photometry(sources_of(batch, "nothing"), batch).tables
    assert tables["periods"]["source"].tolist() == ["a", "a", "b", "c", "d"]
    assert tables["properties"]["interest"].tolist() == ["interesting", "boring", "boring", "boring", "null"]
    assert np.isfinite(tables["properties"]["best_period_fap"]).tolist() == [True, False, False, True, False]
