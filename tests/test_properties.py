"""Properties of sources against closed forms."""

import numpy as np
import pytest
from make_batch import fingerprint, freeze, make_batch, put, sources_of

from vo_lib.batch import LightcurveBatch
from vo_lib.finder import find
from vo_lib.properties import PROPERTY_COLUMNS, match_names, summarise, variability
from vo_lib.quality import check

FLOATS = [name for name, (kind, *_) in PROPERTY_COLUMNS.items() if kind == "f8"]


def _summarise(batch, *extra):
    qflag = check(batch)
    return summarise(sources_of(batch, *extra), batch, qflag, find(batch, qflag))


def test_one_row_for_each_source_with_and_without_data():
    batch = make_batch([20, 0, 30, 40], sources=["b", "c", "a", "b"])
    table = _summarise(batch, "nothing")
    assert list(table) == list(PROPERTY_COLUMNS)
    assert table["source"].tolist() == ["b", "c", "a", "nothing"]
    assert table["n_lightcurves"].tolist() == [2, 1, 1, 0]
    assert table["n_epochs"].tolist() == table["n_good"].tolist() == [60, 0, 30, 0]
    for name in set(FLOATS) - {"ra", "dec", "mag"}:
        assert np.isfinite(table[name]).tolist() == [True, False, True, False], name


def test_counts_times_and_detections():
    batch = put(make_batch([50, 60], sources=["a", "a"], seed=3), 1, [10, 20], flux=[1300.0, 700.0])
    table = _summarise(put(batch, 0, [0, 1], flag=1))
    assert (table["n_epochs"][0], table["n_good"][0], table["n_detections"][0]) == (110, 108, 2)
    assert (table["mjd_first"][0], table["mjd_last"][0]) == (58000.0, 58029.5)
    assert table["best_snr"][0] == pytest.approx(30, rel=0.2)


def test_flagged_epochs_make_no_best_snr():
    table = _summarise(put(make_batch([50]), 0, [9], flux=5000.0, flag=1))
    assert table["best_snr"][0] < 5


def test_white_noise_has_unit_chi2_von_neumann_two_and_no_excess():
    batch = make_batch([100_000], seed=4)
    table = _summarise(batch)
    assert table["chi2_reduced"][0] == pytest.approx(1, abs=0.02)
    assert table["von_neumann"][0] == pytest.approx(2, abs=0.03)
    assert table["rms_excess"][0] < 0.002


def test_excess_is_what_was_added_in_squares():
    batch = make_batch([100_000], seed=5)
    table = _summarise(batch.with_columns(fluxerr=np.full(100_000, 6.0)))
    assert table["rms_excess"][0] == pytest.approx(0.008, rel=0.02)
    assert table["chi2_reduced"][0] == pytest.approx(100 / 36, rel=0.02)


def test_chi2_is_about_the_weighted_mean():
    flux, error = np.array([10.0, 12.0, 20.0]), np.array([1.0, 1.0, 4.0])
    mean = np.average(flux, weights=error**-2)
    batch = make_batch([3]).with_columns(flux=flux, fluxerr=error)
    got = variability(batch, np.ones(3, bool))
    assert got["chi2_reduced"][0] == pytest.approx(np.sum(((flux - mean) / error) ** 2) / 2)
    assert got["von_neumann"][0] == pytest.approx((4 + 64) / 2 / np.var(flux, ddof=1))


def test_variability_is_of_the_lightcurve_with_most_good_epochs():
    batch = put(make_batch([50, 45], sources=["a", "a"], seed=6), 0, np.arange(10), flag=1)
    alone = variability(batch.select([1]), np.ones(45, bool))
    table = _summarise(batch)
    assert {name: table[name][0] for name in alone} == {name: values[0] for name, values in alone.items()}


def test_a_constant_flux_has_no_von_neumann_ratio():
    batch = make_batch([30, 1]).with_columns(flux=np.full(31, 0.1))
    got = variability(batch, np.ones(31, bool))
    assert np.isnan(got["von_neumann"]).all()
    assert np.isnan(got["chi2_reduced"][1])
    assert np.isnan(got["rms_excess"][1])
    assert got["chi2_reduced"][0] == pytest.approx(0, abs=1e-20)
    assert got["rms_excess"][0] == 0


def test_negative_fluxes_have_no_relative_excess():
    assert np.isnan(_summarise(make_batch([50], flux=-500.0))["rms_excess"][0])


def test_inputs_stay_as_they_are():
    batch = freeze(make_batch([50, 0, 20]))
    before = fingerprint(batch)
    _summarise(batch)
    assert fingerprint(batch) == before


def test_nothing_at_all_has_no_rows():
    table = _summarise(LightcurveBatch.empty())
    assert {name: len(values) for name, values in table.items()} == dict.fromkeys(PROPERTY_COLUMNS, 0)


def test_names_are_found_in_any_order():
    names = np.array(["b", "a", "ä", "B", "a1"])
    assert match_names(names, np.array(["a1", "b", "B", "ä", "b"])).tolist() == [4, 0, 3, 2, 0]


@pytest.mark.parametrize("names", [[], ["a", "c"]])
def test_a_lightcurve_without_its_source_is_an_error(names):
    with pytest.raises(ValueError, match=f"source 'b' has lightcurves but is not among the {len(names)} sources"):
        match_names(np.array(names, dtype="U1"), np.array(["b"]))
