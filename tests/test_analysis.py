"""The analysis of a whole bin: tables that agree with each other, counts that add up."""

import json

import numpy as np
import pandas as pd
from make_batch import fingerprint, freeze, make_batch, put, sources_of

from vo_lib.analysis import Analysis
from vo_lib.batch import LightcurveBatch
from vo_lib.bin_result import TABLES, write_analysis
from vo_lib.counts.histogram_axes import HISTOGRAMS
from vo_lib.hdf5 import open_file, read_json, read_table
from vo_lib.injection.efficiency import project
from vo_lib.measures.filters import STATISTIC_COLUMNS
from vo_lib.quality import assess

PEAK = {"methods": ["peak"]}


def _bin(seed=1):
    """Five lightcurves of four sources with one flare, one dip and one flagged epoch."""
    batch = make_batch([60, 80, 100, 0, 5], sources=["a", "b", "b", "c", "d"], filters=("demo-g", "demo-r"), seed=seed)
    batch = put(batch, 0, [20, 21], flux=[1300.0, 1150.0])
    return put(put(batch, 2, [50], flux=800.0), 1, [10], flux=4000.0, flag=1)


def _analyse(batch, **options):
    options = {"histograms": {"filters": ("demo-g", "demo-r")}, "seed": 3} | options
    return Analysis(**options).analyze_photometry(sources_of(batch, "nothing"), batch)


def _table_bytes(analysis):
    return {key: {name: values.tolist() for name, values in table.items()} for key, table in analysis.tables.items()}


def test_every_table_has_its_columns_of_their_kind():
    for batch in (_bin(), LightcurveBatch.empty()):
        analysis = _analyse(batch)
        assert list(analysis.tables) == list(TABLES)
        for key, table in analysis.tables.items():
            kinds = {name: np.dtype(kind).kind for name, (kind, *_) in analysis.columns[key].items()}
            assert list(kinds)[: len(TABLES[key])] == list(TABLES[key])
            assert {name: values.dtype.kind for name, values in table.items()} == kinds
            assert list(table) == list(kinds)
            assert len({len(values) for values in table.values()}) == 1


def test_real_events_come_first_and_are_counted_everywhere():
    tables = _analyse(_bin()).tables
    real = {name: values[tables["detections"]["simulated"] == 0] for name, values in tables["detections"].items()}
    assert real["source"].tolist() == ["a", "b"]
    assert real["sign"].tolist() == [1, -1]
    assert not real["injection"].any()
    assert tables["detections"]["source"][:2].tolist() == ["a", "b"]
    assert tables["series"]["n_detections"].tolist() == [1, 0, 1, 0, 0]
    assert tables["properties"]["source"].tolist() == ["a", "b", "c", "d", "nothing"]
    assert tables["properties"]["n_detections"].tolist() == [1, 1, 0, 0, 0]


def test_simulated_detections_name_their_injection_and_never_look_real():
    batch = make_batch([100] * 40, seed=4)
    tables = _analyse(batch, simulator={"num_injections": 2, "snr_min": 15, "width_max_days": 2}).tables
    detections, injections = tables["detections"], tables["injections"]
    simulated = detections["simulated"] == 1
    assert len(injections["source"]) == 80
    assert np.array_equal(simulated, detections["injection"] > 0)
    assert not tables["properties"]["n_detections"].any()
    assert simulated.all()
    found = {*zip(detections["source"].tolist(), detections["injection"].tolist(), strict=True)}
    recovered = injections["recovered"] == 1
    assert found == {
        *zip(injections["source"][recovered].tolist(), injections["injection"][recovered].tolist(), strict=True)
    }
    assert recovered[injections["seen_snr"] > 9].mean() > 0.95


def test_real_results_do_not_depend_on_injections():
    with_events, without = (_analyse(_bin(), simulator={"num_injections": number}).tables for number in (3, 0))
    assert len(without["injections"]["source"]) == 0
    for name, values in without["detections"].items():
        np.testing.assert_array_equal(with_events["detections"][name][: len(values)], values)
    np.testing.assert_equal(with_events["properties"], without["properties"])
    np.testing.assert_equal(with_events["series"], without["series"])


def _histograms(*arguments, **options):
    return {histogram.name: histogram for histogram in _analyse(*arguments, **options).histograms}


def test_every_epoch_and_injection_is_in_the_histograms():
    batch = put(_bin(), 0, [3, 4], flux=[np.nan, 1e12])
    analysis = _analyse(batch, simulator={"num_injections": 3})
    histograms = {histogram.name: histogram for histogram in analysis.histograms}
    assert list(histograms) == list(HISTOGRAMS)
    total = {name: histogram.total() for name, histogram in histograms.items()}
    assert total["all_scores"] == total["quality_values"] == total["coverage"] == batch.n_epochs
    assert total["good_scores"] == np.count_nonzero(assess(batch).qflag == 0)
    assert total["exposure_time"] == 30_000 * batch.n_epochs
    assert total["injected"] == len(analysis.tables["injections"]["source"]) == 6
    assert total["recovered"] == analysis.tables["injections"]["recovered"].sum()
    for name in ("coverage", "injected"):
        # Half of the epochs and injections are of sources without a magnitude, the others of one of 16.2.
        counts = project(histograms[name], "mag")
        assert counts[[7, -1]].tolist() == [counts.sum() - counts[-1], counts[-1]]
        assert counts[-1] == {"coverage": 185, "injected": 3}[name]


def test_axes_are_those_asked_for_and_labels_default_to_the_batch():
    options = {"snr_range": (-5, 5, 0.5), "offset_range": {"edges": (0, 3, 9)}, "mag_range": (10, 20, 5)}
    histograms = _histograms(_bin(), histograms=options)
    np.testing.assert_array_equal(histograms["all_scores"].axes[0].edges, np.arange(-10, 11) / 2)
    np.testing.assert_array_equal(histograms["quality_values"].axes[0].edges, [0, 3, 9])
    assert histograms["all_scores"].axes[2].labels == ("demo-g", "demo-r")
    assert histograms["coverage"].axes[3].labels == ("DEMO",)


def test_series_count_flags_by_reason():
    batch = put(_bin(), 2, [5, 6], flux=np.nan, flag=[0, 1])
    series = _analyse(batch).tables["series"]
    assert series["n_epochs"].tolist() == [60, 80, 100, 0, 5]
    assert series["n_survey_flag"].tolist() == [0, 1, 1, 0, 0]
    assert series["n_bad_value"].tolist() == [0, 0, 2, 0, 0]
    assert (series["n_flagged"] >= [0, 1, 2, 0, 0]).all()
    assert np.isnan(series["noise"][3])
    np.testing.assert_allclose(series["noise"][:3], 10, rtol=0.3)
    assert series["best_snr"][0] > 20
    assert series["best_snr"][1] < 5


def test_settings_reach_every_stage():
    batch = _bin()
    strict = _analyse(batch, finder=PEAK | {"snr_threshold": 50}, quality={"bad_flags": {"DEMO": 0}}).tables
    assert strict["detections"]["lightcurve"].tolist()[0] == "b_reduction_1"
    assert strict["series"]["n_survey_flag"].sum() == 0


def test_injected_events_are_searched_as_real_ones_are_and_keep_away_from_these():
    batch = put(make_batch([100] * 20, seed=4), 0, [50], flux=3000.0)
    simulator = {"num_injections": 40, "kinds": ["box"], "snr_min": 15, "width_min_days": 5, "width_max_days": 5}
    usual, strict, anywhere = (
        _analyse(batch, finder=PEAK | {"snr_threshold": threshold}, simulator=simulator | {"avoid_real": avoid}).tables
        for threshold, avoid in ((5, True), (60, True), (60, False))
    )
    assert usual["injections"]["recovered"].mean() > 0.95
    assert strict["detections"]["source"].tolist() == ["src0"]
    distance = [
        np.abs(tables["injections"]["peak_mjd"] - 58025)[tables["injections"]["source"] == "src0"].min()
        for tables in (strict, anywhere)
    ]
    assert distance[0] > 2.5 > distance[1]


def test_statistics_are_those_of_unflagged_epochs_by_lightcurve_filter_and_source():
    batch = put(_bin(), 1, [20], flux=np.nan)
    tables = _analyse(batch, properties={"reference_filter": "demo-g"}).tables
    filters, series = tables["filters"], tables["series"]
    assert filters["filter"].tolist() == ["demo-g", "demo-g", "demo-r", "demo-r", "demo-g"]
    assert filters["n_good"].tolist() == (filters["n_epochs"] - [0, 0, 2, 0, 0]).tolist()
    np.testing.assert_array_equal(filters["chi2_reduced"], series["chi2_reduced"][[0, 2, 1, 3, 4]])
    assert filters["flux_amplitude"][2] < 40
    np.testing.assert_array_equal(
        tables["properties"]["flux_rms"], np.append(filters["flux_rms"][[0, 1, 3, 4]], np.nan)
    )


def test_removed_epochs_are_in_no_statistic_but_are_counted():
    batch = put(_bin(), 0, [0, 1, 40], flag=1, flux=[5000.0, 6000.0, 5500.0])
    flagged, removed = (_analyse(batch, finder=PEAK, quality={"action": action}) for action in ("flag", "remove"))
    for name in ("series", "flagged", "quality_bits", "bad_data", "detections", "injections"):
        np.testing.assert_equal(removed.tables[name], flagged.tables[name])
    for name in ("properties", "filters"):
        np.testing.assert_equal(removed.tables[name], flagged.tables[name])
    assert removed.tables["properties"]["n_epochs"].tolist() == [60, 180, 0, 5, 0]
    good = flagged.histograms[1]
    assert all(np.array_equal(histogram.counts, good.counts) for histogram in removed.histograms[:2])
    assert removed.histograms[2].total() == good.total() == np.count_nonzero(assess(batch).qflag == 0)
    assert removed.histograms[3:] == flagged.histograms[3:]


def test_detections_count_epochs_as_in_the_whole_lightcurve_when_bad_ones_are_removed():
    batch = put(put(_bin(), 0, np.arange(5, 15), flag=1), 2, [3], flag=1)
    tables = _analyse(batch, finder=PEAK, quality={"action": "remove"}).tables
    real = tables["detections"]["simulated"] == 0
    assert tables["detections"]["peak_epoch"][real].tolist() == [20, 50]
    assert tables["detections"]["last_epoch"][real].tolist() == [21, 50]


def test_flagged_epochs_within_a_detection_are_counted_also_when_they_are_removed():
    batch = put(_bin(), 0, np.arange(20, 25), flux=1300.0)
    batch = put(put(batch, 0, [3, 19, 21, 23], flag=1), 2, [50], flag=1)
    flagged, removed = (_analyse(batch, finder=PEAK, quality={"action": action}) for action in ("flag", "remove"))
    assert flagged.tables["detections"]["n_flagged"][0] == 2
    np.testing.assert_equal(removed.tables["detections"], flagged.tables["detections"])


def test_bad_exposures_are_bad_in_copies_with_injected_events_too():
    batch = make_batch([60] * 20, seed=9)
    flux = batch.columns["flux"].copy()
    flux[17::60] += 300.0
    tables = _analyse(batch.with_columns(flux=flux), simulator={"num_injections": 3, "snr_min": 29}).tables
    assert tables["series"]["n_bad_exposure"].tolist() == [1] * 20
    assert not (tables["detections"]["peak_epoch"] == 17).any()
    assert len(tables["detections"]["peak_epoch"]) > 20


def test_injections_into_processed_lightcurves_have_the_flags_of_their_originals():
    batch = put(make_batch([60] * 40, seed=9), 3, [5], flag=1)
    quality = {"saturation_mag": {"demo-g": 16.3}}
    options = {"snr_min": 25, "kinds": ("box",), "width_min_days": 2, "width_max_days": 2}
    reduced, processed = (
        _analyse(batch, quality=quality, simulator=options | {"level": level}).tables["injections"]
        for level in ("reduced", "processed")
    )
    assert set(reduced["reason"]) == {"flagged"}
    assert set(processed["reason"]) == {"recovered"}


def test_proper_motions_of_the_catalog_are_allowed_for():
    batch = make_batch([200], cadence=3.0)
    dec = batch.columns["dec"] + np.arange(200) * 3.0 / 365.25 * 1.5 / 3600
    dec[150] += 1.5e-4
    moving, sources = batch.with_columns(dec=dec), sources_of(batch)
    motion = {"pmra": np.array([np.nan]), "pmdec": np.array([1500.0])}
    assert Analysis().analyze_photometry(sources, moving).tables["series"]["n_offset"].tolist() == [0]
    assert Analysis().analyze_photometry(sources | motion, moving).tables["flagged"]["epoch"].tolist() == [150]


def test_the_same_twice_and_nothing_changed():
    batch = freeze(_bin())
    before = fingerprint(batch)
    first, again = _analyse(batch), _analyse(batch)
    np.testing.assert_equal(_table_bytes(first), _table_bytes(again))
    assert all(np.array_equal(a.counts, b.counts) for a, b in zip(first.histograms, again.histograms, strict=True))
    assert fingerprint(batch) == before


def test_columns_of_a_data_frame_which_are_read_only_can_be_analysed():
    batch = _bin()
    frame = pd.DataFrame(batch.columns)
    columns = {name: frame[name].to_numpy() for name in frame}
    # pandas 3 does so by itself.
    for values in columns.values():
        values.setflags(write=False)
    again = _analyse(LightcurveBatch(columns, batch.starts, batch.table))
    np.testing.assert_equal(_table_bytes(again), _table_bytes(_analyse(batch)))
    pd.testing.assert_frame_equal(frame, pd.DataFrame(batch.columns))


def test_an_empty_bin_gives_a_property_row_per_source_and_empty_histograms():
    analysis = _analyse(LightcurveBatch.empty())
    assert analysis.tables["properties"]["source"].tolist() == ["nothing"]
    assert {histogram.total() for histogram in analysis.histograms} == {0}
    assert _analyse(LightcurveBatch.empty(), histograms={}).histograms[0].axes[2].labels == ("none",)


def test_tables_are_written_with_units_and_read_back(tmp_path):
    analysis = _analyse(_bin())
    write_analysis(tmp_path / "RA123_analysis.h5", analysis, {"schema": 1, "process": "analyze"})
    with open_file(tmp_path / "RA123_analysis.h5") as file:
        for key, table in analysis.tables.items():
            np.testing.assert_equal(read_table(file, key), table)
        assert read_json(file, "metadata") == {"process": "analyze", "schema": 1}
        assert read_json(file, "columns")["injections"]["width"] == {
            "unit": "d",
            "description": "full width at half maximum",
        }
        assert read_json(file, "columns")["properties"]["color_demo_g_demo_r"]["unit"] == "mag"
        assert json.loads(file["columns"][()]).keys() == TABLES.keys()


# Detrending

TRENDLESS = {"method": "median", "window_days": 8.0}


def _wavy():
    """Ten lightcurves with a wave of 60 d and eight times the noise, and a flare at its bottom in the first."""
    batch = make_batch([400] * 10, cadence=0.25, seed=5)
    wave = 80 * np.cos(2 * np.pi * (batch.columns["mjd"] - 58000) / 60)
    flux = batch.columns["flux"] + wave
    flux[[120, 121]] += 100.0
    return freeze(batch.with_columns(flux=flux, mag=23.9 - 2.5 * np.log10(flux)))


def test_an_event_on_a_trend_is_found_when_the_trend_is_taken_off():
    plain, flat = (_analyse(_wavy(), finder=PEAK, detrend=detrend).tables for detrend in (None, TRENDLESS))
    assert not plain["series"]["n_detections"].any()
    assert flat["series"]["n_detections"].tolist() == [1] + [0] * 9
    assert flat["detections"]["first_epoch"][0] == 120
    np.testing.assert_allclose(flat["detections"]["amplitude"][0], 100, atol=25)
    assert flat["series"]["noise"].max() < 15 < 50 < plain["series"]["noise"].min()


def test_statistics_are_those_of_the_flux_as_it_was_reduced():
    plain, flat = (_analyse(_wavy(), finder=PEAK, detrend=detrend).tables for detrend in (None, TRENDLESS))
    for name in ("quality_bits", "flagged", "bad_data", "periods"):
        np.testing.assert_equal(flat[name], plain[name])
    for name in ("properties", "filters", "series"):
        for column in STATISTIC_COLUMNS:
            np.testing.assert_array_equal(flat[name][column], plain[name][column])


def test_trends_are_taken_off_copies_with_injected_events_too():
    simulator = {"num_injections": 4, "snr_max": 4, "width_min_days": 0.5, "width_max_days": 1, "avoid_real": False}
    plain, flat = (_analyse(_wavy(), detrend=detrend, simulator=simulator).tables for detrend in (None, TRENDLESS))
    for name in ("peak_mjd", "amplitude", "expected_snr", "seen_snr", "exposure_days"):
        np.testing.assert_array_equal(flat["injections"][name], plain["injections"][name])
    assert flat["injections"]["recovered"].sum() > 2 * plain["injections"]["recovered"].sum()
    loss = flat["signal_loss"]
    assert len(plain["signal_loss"]["ratio"]) == 0
    np.testing.assert_array_equal(loss["lightcurve"], flat["injections"]["lightcurve"])
    assert np.nanmedian(loss["ratio"]) > 3
    found = flat["injections"]["recovered"] == 1
    assert np.nanmin(np.abs(loss["snr_detrended"][found])) > 3


def test_a_result_has_the_lightcurves_as_they_were_searched():
    batch = _wavy()
    result = _analyse(batch, detrend=TRENDLESS)
    first, raw = result.processed.lightcurve(0), batch.lightcurve(0)
    np.testing.assert_array_equal(first["flux_raw"], raw["flux"])
    taken = np.isfinite(first["trend"])
    good = first["qflag"] == 0
    restored = (first["flux"] + first["trend"] - np.median(raw["flux"][good]))[taken]
    np.testing.assert_allclose(restored, raw["flux"][taken], rtol=1e-12)
    excess = first["flux"] - np.median(first["flux"][good])
    noise = np.fmax(10, 1.4826 * np.median(np.abs(excess[good])))
    np.testing.assert_allclose(first["snr"], excess / noise, rtol=1e-3)
    copies, truth = result.simulated, result.tables["injections"]
    np.testing.assert_array_equal(copies.table["key"], truth["lightcurve"])
    assert {"light", "flux_raw", "qflag", "snr"} < copies.columns.keys()
    assert set(result.processed.table) == set(batch.table)


def test_without_detrending_no_lightcurve_is_copied():
    batch = _bin()
    processed = _analyse(batch).processed
    assert all(processed.columns[name] is values for name, values in batch.columns.items())
    assert processed.columns.keys() - batch.columns.keys() == {"qflag", "snr"}


def test_epochs_near_an_edge_are_not_searched_when_this_is_asked_for():
    batch = put(make_batch([200], cadence=0.25, seed=2), 0, [3, 100], flux=1500.0)
    options = TRENDLESS | {"edge_days": 2.0}
    near, away = (_analyse(batch, detrend=detrend).tables for detrend in (TRENDLESS, options))
    assert near["detections"]["peak_epoch"][near["detections"]["simulated"] == 0].tolist() == [3, 100]
    assert away["detections"]["peak_epoch"][away["detections"]["simulated"] == 0].tolist() == [100]
    assert len(away["flagged"]["epoch"]) == len(near["flagged"]["epoch"])


def test_removed_epochs_make_no_trend():
    batch = put(_wavy(), 1, np.arange(50, 60), flux=1e5, flag=1)
    flagged, removed = (
        _analyse(batch, detrend=TRENDLESS, quality={"action": action}).tables for action in ("flag", "remove")
    )
    for name in ("detections", "injections", "signal_loss", "series"):
        np.testing.assert_equal(removed[name], flagged[name])
    assert removed["series"]["n_detections"].tolist() == [1] + [0] * 9
