"""Detections: what must be found, what must not, and the rate of false alarms."""

import math

import numpy as np
import pytest
from make_batch import fingerprint, freeze, make_batch, put

from vo_lib.batch import LightcurveBatch
from vo_lib.finder import Finder
from vo_lib.quality import assess
from vo_lib.search.detections import DETECTION_COLUMNS


def _find(batch, **options):
    return Finder(**{"methods": ["peak"]} | options).find(batch, assess(batch).qflag)


def _epochs(finding):
    """First, last and peak epoch of each detection."""
    return list(zip(*(finding.detections[f"{name}_epoch"].tolist() for name in ("first", "last", "peak")), strict=True))


def test_a_flare_is_found_with_its_numbers():
    batch = put(make_batch([5, 60]), 1, [20, 21, 22], flux=[1080.0, 1300.0, 1100.0])
    finding = _find(batch)
    row = {name: values[0] for name, values in finding.detections.items()}
    assert list(row) == list(DETECTION_COLUMNS)
    assert finding.lightcurve.tolist() == [1]
    assert (row["source"], row["lightcurve"], row["filter"]) == ("src1", "src1_reduction_1", "demo-g")
    assert (row["number"], row["sign"], row["n_epochs"], row["simulated"], row["injection"]) == (1, 1, 3, 0, 0)
    assert (row["first_epoch"], row["peak_epoch"], row["last_epoch"]) == (20, 21, 22)
    assert (row["start_mjd"], row["peak_mjd"], row["end_mjd"]) == (58010.0, 58010.5, 58011.0)
    assert row["score"] == row["snr"] == finding.snr[5 + 21] > 20
    assert row["peak_mag"] == batch.columns["mag"][26]
    assert row["dmag"] == pytest.approx(-2.5 * math.log10(1.3), abs=0.01)


def test_detections_point_back_into_their_lightcurve():
    batch = put(make_batch([50, 50, 50], seed=2), 1, [30, 31], flux=1400.0)
    finding = _find(batch)
    flux = batch.lightcurve(finding.lightcurve[0])["flux"]
    span = slice(finding.detections["first_epoch"][0], finding.detections["last_epoch"][0] + 1)
    np.testing.assert_array_equal(flux[span], 1400.0)


def test_a_dip_of_ten_sigma_keeps_its_sign():
    batch = put(make_batch([100], seed=1), 0, [40], flux=900.0)
    table = _find(batch).detections
    assert table["sign"].tolist() == [-1]
    assert -12 < table["snr"][0] < -7
    assert table["dmag"][0] > 0


def test_two_flares_are_two_detections_numbered_in_time():
    batch = put(make_batch([100], seed=1), 0, [20, 60], flux=[1200.0, 1500.0])
    table = _find(batch).detections
    assert table["number"].tolist() == [1, 2]
    assert table["peak_epoch"].tolist() == [20, 60]


def test_only_the_strongest_are_kept_and_counted_anew():
    batch = put(make_batch([100, 100], seed=1), 0, [20, 40, 60], flux=[1200.0, 1500.0, 1400.0])
    batch = put(batch, 1, [50], flux=1200.0)
    finding = _find(batch, max_detections=2)
    assert finding.detections["peak_epoch"].tolist() == [40, 60, 50]
    assert finding.detections["number"].tolist() == [1, 2, 1]
    assert finding.lightcurve.tolist() == [0, 0, 1]


@pytest.mark.parametrize("epoch", [0, 1, 98, 99])
def test_events_at_the_ends_are_found(epoch):
    batch = put(make_batch([30, 100, 30], seed=3), 1, [epoch], flux=1300.0)
    assert _epochs(_find(batch)) == [(epoch, epoch, epoch)]


def test_events_at_the_end_of_one_and_start_of_the_next_lightcurve_stay_apart():
    batch = put(put(make_batch([50, 50], seed=4), 0, [49], flux=1300.0), 1, [0], flux=1300.0)
    assert _epochs(_find(batch)) == [(49, 49, 49), (0, 0, 0)]


def test_a_flagged_flare_is_not_found_but_keeps_its_snr():
    batch = put(make_batch([100], seed=5), 0, [50], flux=2000.0, flag=1)
    finding = _find(batch)
    assert len(finding.lightcurve) == 0
    assert finding.snr[50] > 50
    assert finding.dmag[50] < -0.5


def test_a_flagged_epoch_does_not_split_an_event():
    batch = put(make_batch([100], seed=5, cadence=0.1), 0, [50, 51, 52], flux=[1300.0, 1350.0, 1300.0])
    finding = _find(put(batch, 0, [51], flag=1))
    assert _epochs(finding) == [(50, 52, 50)]
    assert finding.detections["n_epochs"].tolist() == [2]


def test_a_change_of_sign_a_gap_and_a_quiet_epoch_end_an_event():
    quiet = make_batch([100], seed=6)
    batch = put(quiet, 0, [10, 11, 30, 31, 50, 51, 52], flux=[1200.0, 800.0, 1200.0, 1200.0, 1200.0, 1001.0, 1200.0])
    mjd = batch.columns["mjd"] + 5.0 * (np.arange(100) >= 31)
    found = _epochs(_find(batch.with_columns(mjd=mjd)))
    assert [(first, last) for first, last, _ in found] == [(10, 10), (11, 11), (30, 30), (31, 31), (50, 50), (52, 52)]
    assert (30, 31, 30) in _epochs(_find(batch.with_columns(mjd=mjd), max_gap_days=6))


def test_the_sideband_sets_how_far_an_event_reaches():
    batch = put(make_batch([300], seed=7), 0, [50, 51, 52, 53], flux=[1042.0, 1200.0, 1042.0, 1042.0])
    assert _epochs(_find(batch)) == [(50, 53, 51)]
    assert _epochs(_find(batch, sideband=5.0)) == [(51, 51, 51)]


def test_thresholds_of_two_values_are_for_fainter_and_brighter():
    batch = put(make_batch([200], seed=8), 0, [50, 100], flux=[920.0, 1080.0])
    assert _find(batch, snr_threshold=(5, 12)).detections["sign"].tolist() == [-1]
    assert _find(batch, snr_threshold=(np.inf, 5)).detections["sign"].tolist() == [1]
    assert _find(batch, snr_threshold=(-5, 5)).detections["threshold"].tolist() == [5, 5]


def test_exactly_at_the_threshold_is_a_detection():
    flux = np.tile([990.0, 1000.0, 1010.0], 20)
    flux[30] = 1000 + 5 * 15
    batch = make_batch([60], fluxerr=15.0).with_columns(flux=flux)
    assert _find(batch).detections["snr"].tolist() == [5.0]


def test_noise_is_the_greater_of_error_and_scatter():
    batch = make_batch([2000], seed=9)
    np.testing.assert_allclose(_find(batch.with_columns(fluxerr=np.full(2000, 1.0))).noise, 10, rtol=0.08)
    np.testing.assert_array_equal(_find(batch.with_columns(fluxerr=np.full(2000, 50.0))).noise, 50.0)


@pytest.mark.parametrize("threshold", [3.0, 2.0])
def test_false_alarms_are_as_rare_as_the_normal_law_says(threshold):
    batch = make_batch([10_000] * 60, seed=10, cadence=2.0)
    finding = Finder(methods=["peak"], snr_threshold=threshold, sideband=threshold).find(
        batch, np.zeros(batch.n_epochs, int)
    )
    # A gap longer than max_gap_days after each epoch makes each one above the threshold a detection.
    expected = math.erfc(threshold / math.sqrt(2)) * batch.n_epochs
    assert len(finding.lightcurve) == pytest.approx(expected, rel=0.08)
    assert np.abs(finding.detections["sign"].sum()) < 5 * math.sqrt(expected)


def test_constant_and_short_lightcurves_have_no_detections():
    batch = make_batch([50, 2, 1, 0, 3], seed=11)
    flux = batch.columns["flux"].copy()
    flux[:50] = 1000.0
    flux[51] = 9000.0
    finding = _find(batch.with_columns(flux=flux))
    assert len(finding.lightcurve) == 0
    assert np.isfinite(finding.snr[:52]).all()


def test_lightcurves_of_mostly_equal_fluxes_are_searched_with_their_errors():
    batch = make_batch([50], seed=11)
    flux = np.where(np.arange(50) < 40, 1000.0, batch.columns["flux"])
    flux[10] = 9000.0
    assert _find(batch.with_columns(flux=flux)).detections["peak_epoch"].tolist() == [10]


def test_lightcurves_without_a_good_number_are_silent():
    batch = make_batch([20]).with_columns(flux=np.full(20, np.nan), fluxerr=np.full(20, np.nan))
    finding = _find(batch)
    assert len(finding.lightcurve) == 0
    assert np.isnan(finding.snr).all()


def test_finding_again_gives_the_same_and_changes_nothing():
    batch = freeze(put(make_batch([100, 0, 30], seed=12), 0, [20], flux=1500.0))
    before, qflag = fingerprint(batch), assess(batch).qflag
    qflag.setflags(write=False)
    first, again = Finder(methods=["peak"]).find(batch, qflag), Finder(methods=["peak"]).find(batch, qflag)
    assert fingerprint(batch) == before
    for name in DETECTION_COLUMNS:
        np.testing.assert_array_equal(first.detections[name], again.detections[name])


def test_an_empty_batch_gives_an_empty_table_of_all_columns():
    finding = Finder(methods=["peak"]).find(LightcurveBatch.empty(), np.zeros(0, np.int64))
    assert {name: len(values) for name, values in finding.detections.items()} == dict.fromkeys(DETECTION_COLUMNS, 0)
    kinds = {name: np.dtype(kind).kind for name, (kind, *_) in DETECTION_COLUMNS.items()}
    assert {name: values.dtype.kind for name, values in finding.detections.items()} == kinds


@pytest.mark.parametrize(
    ("options", "message"),
    [({"snr_threshold": 0}, "snr_threshold must be positive, got 0"), ({"sideband": 6}, "sideband must not exceed")],
)
def test_unusable_thresholds_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        _find(make_batch([10]), **options)


def test_duration_amplitude_and_fluence_are_those_of_the_sampled_event():
    batch = put(make_batch([60], fluxerr=1e-6), 0, [20, 21, 22], flux=[1080.0, 1300.0, 1100.0])
    batch = put(batch.with_columns(fluxerr=np.full(60, 10.0)), 0, [20, 21, 22], exptime=[1200.0, 60.0, 2400.0])
    row = {name: values[0] for name, values in _find(batch).detections.items()}
    assert row["duration"] == pytest.approx(1.0 + (1200 + 2400) / 2 / 86400)
    assert (row["amplitude"], row["amplitude_err"]) == (pytest.approx(300, abs=1e-3), 10)
    trapezoids = 0.5 * (80 + 300) / 2 + 0.5 * (300 + 100) / 2
    assert row["fluence"] == pytest.approx(trapezoids + (1200 * 80 + 2400 * 100) / 2 / 86400, rel=1e-5)
    assert np.isnan(row["width"])
    single = put(make_batch([60], fluxerr=1e-6), 0, [20], flux=1300.0).with_columns(fluxerr=np.full(60, 10.0))
    assert _find(single).detections["fluence"][0] == pytest.approx(300 * 30 / 86400, rel=1e-5)


@pytest.mark.parametrize("options", [{}, {"methods": ["matched_filter"]}, {"noise": "local"}, {"noise": "error"}])
def test_the_unit_of_the_flux_does_not_matter(options):
    batch = put(
        make_batch([300, 200], seed=9, cadence=0.1), 0, np.arange(50, 54), flux=[1100.0, 1300.0, 1200.0, 1080.0]
    )
    batch = put(batch, 1, [100, 150], flux=[900.0, 1090.0])
    small = batch.with_columns(**{name: batch.columns[name] * 2.0**-20 for name in ("flux", "fluxerr")})
    found, same = (_find(each, **options).detections for each in (batch, small))
    assert len(found["snr"]) > 1
    for name in ("amplitude", "amplitude_err", "fluence"):
        np.testing.assert_allclose(same[name] * 2.0**20, found[name], rtol=1e-9)
    for name in ("sign", "method", "template", "first_epoch", "last_epoch", "peak_epoch"):
        assert same[name].tolist() == found[name].tolist()
    for name in ("snr", "score", "width", "peak_mjd"):
        np.testing.assert_allclose(same[name], found[name], rtol=1e-9)


def test_flagged_epochs_of_an_event_are_counted_and_no_part_of_its_fluence():
    batch = put(make_batch([60], fluxerr=1e-6), 0, [20, 21, 22], flux=[1200.0, 9000.0, 1200.0])
    batch = put(batch, 0, [21], flag=1).with_columns(fluxerr=np.full(60, 10.0))
    row = {name: values[0] for name, values in _find(batch).detections.items()}
    assert (row["n_epochs"], row["n_flagged"]) == (2, 1)
    assert row["fluence"] == pytest.approx(1.0 * 200 + 30 / 86400 * 200, rel=1e-4)


def test_flagged_epochs_are_searched_on_request():
    batch = put(put(make_batch([100], seed=1), 0, [50], flux=2000.0), 0, [50], flag=1)
    assert len(_find(batch).lightcurve) == 0
    assert _find(batch, mask_flagged=False).detections["peak_epoch"].tolist() == [50]


def test_events_need_as_many_epochs_as_asked_for():
    batch = put(make_batch([100], seed=1), 0, [20, 60, 61, 80], flux=2000.0)
    assert _find(batch, min_epochs=2).detections["peak_epoch"].tolist() == [60]


def test_unknown_methods_are_refused():
    with pytest.raises(ValueError, match="methods must be of peak, matched_filter, got guess"):
        Finder(methods=["peak", "guess"])
