"""Bad exposures: found from many sources, not from few, and not where all exposures are alike."""

import numpy as np
import pytest
from make_batch import fingerprint, freeze, make_batch, put

from vo_lib.batch import LightcurveBatch
from vo_lib.checks.exposures import bad_exposures


def _find(batch, **options):
    return bad_exposures(batch, np.isfinite(batch.columns["flux"]), **options)


def _shift(batch, epoch, lightcurves, amount):
    """Batch with the flux of one epoch changed in some lightcurves."""
    flux = batch.columns["flux"].copy()
    flux[batch.starts[np.asarray(lightcurves)] + epoch] += amount
    return batch.with_columns(flux=flux)


def _reference(batch, *, threshold=5.0, min_sources=10):
    """The same by loops over exposures and sources, from times that are exactly equal."""
    columns, owner = batch.columns, batch.lightcurve_index
    deviation = np.zeros(batch.n_epochs)
    for index in range(batch.n_lightcurves):
        part = slice(batch.starts[index], batch.starts[index + 1])
        flux = columns["flux"][part]
        rms = 1.482602218505602 * np.median(np.abs(flux - np.median(flux)))
        deviation[part] = (flux - np.median(flux)) / np.maximum(columns["fluxerr"][part], rms)
    bad = np.zeros(batch.n_epochs, bool)
    for band in set(batch.table["filter"].tolist()):
        of_band, judged = batch.table["filter"][owner] == band, {}
        for time in np.unique(columns["mjd"][of_band]):
            rows = np.flatnonzero(of_band & (columns["mjd"] == time))
            sources = batch.table["source"][owner[rows]]
            means = [deviation[rows[sources == name]].mean() for name in set(sources.tolist())]
            if len(means) >= min_sources:
                judged[time] = rows, np.median(means), np.median(means) * np.sqrt(len(means) * 2 / np.pi)
        excess = np.array([row[2] for row in judged.values()])
        scatter = max(1.0, 1.482602218505602 * np.median(np.abs(excess - np.median(excess)))) if len(excess) else 1.0
        for rows, typical, value in judged.values():
            bad[rows] = abs(typical) >= 1 and abs(value) > threshold * scatter
    return bad


def test_all_epochs_of_a_bad_exposure_and_no_others_are_told():
    batch = _shift(make_batch([60] * 30, seed=1), 17, range(30), -40.0)
    assert np.flatnonzero(_find(batch)).tolist() == list(range(17, 1800, 60))
    assert np.array_equal(_find(_shift(batch, 17, range(30), 80.0)), _find(batch))


def test_the_result_is_that_of_a_loop():
    random = np.random.default_rng(2)
    sources = [f"s{number // 3:02d}" for number in random.permutation(60)]
    batch = make_batch(random.integers(5, 40, 60), sources=sources, filters=("demo-g", "demo-r", "demo-i"), seed=2)
    for epoch, low, high, amount in ((3, 0, 60, 70.0), (9, 0, 45, -30.0), (12, 10, 60, 15.0), (15, 0, 20, 100.0)):
        chosen = [number for number in range(low, high) if batch.counts[number] > epoch]
        batch = _shift(batch, epoch, chosen, amount)
    found = _find(batch, min_sources=6)
    np.testing.assert_array_equal(found, _reference(batch, min_sources=6))
    assert 50 < found.sum() < 200


def test_noise_makes_no_exposure_bad():
    """Fewer than one in a million by the law of the median; 20,000 exposures are looked at."""
    for n_sources in (10, 40):
        assert not _find(make_batch([20_000] * n_sources, seed=3)).any()


def test_few_deviating_sources_or_few_sources_are_no_bad_exposure():
    batch = make_batch([60] * 30, seed=4)
    assert not _find(_shift(batch, 17, range(8), 1e6)).any()
    shifted = _shift(make_batch([60] * 9, seed=4), 17, range(9), 100.0)
    assert not _find(shifted).any()
    assert _find(shifted, min_sources=9).sum() == 9
    assert not _find(_shift(batch, 17, range(30), 100.0), threshold=None).any()


@pytest.mark.parametrize(("shift", "bad"), [(9.9, 0), (10.0, 30), (-10.0, 30), (-9.9, 0)])
def test_an_exposure_in_which_sources_deviate_by_less_than_their_noise_is_not_bad(shift, bad):
    """All fluxes are the same but for one exposure, with errors of 10; 30 sources make its excess 4.3."""
    batch = make_batch([60] * 30).with_columns(flux=np.full(1800, 1000.0))
    assert _find(_shift(batch, 17, range(30), shift), threshold=4.0).sum() == bad


def test_a_source_counts_once_however_many_lightcurves_it_has():
    batch = make_batch([60] * 12, sources=["a", "b"] * 6, seed=5)
    shifted = _shift(batch, 17, range(12), 100.0)
    assert not _find(shifted, min_sources=3).any()
    assert _find(shifted, min_sources=2).sum() == 12


def test_deviations_of_opposite_sense_are_no_bad_exposure():
    batch = make_batch([60] * 30, seed=6)
    batch = _shift(_shift(batch, 17, range(15), 80.0), 17, range(15, 30), -80.0)
    assert not _find(batch).any()


def test_trends_that_all_exposures_share_make_none_bad_and_one_that_stands_out_is():
    batch = make_batch([200] * 50, seed=7)
    trend = np.random.default_rng(8).normal(0, 100.0, 200)
    trend[90] = 1500.0
    shaken = batch.with_columns(flux=batch.columns["flux"] + np.tile(trend, 50))
    assert np.unique(np.flatnonzero(_find(shaken)) % 200).tolist() == [90]


def test_surveys_filters_and_times_are_kept_apart():
    batch = make_batch([60] * 30, filters=("demo-g", "demo-r"), seed=9)
    batch = _shift(batch, 17, range(0, 30, 2), 100.0)
    rows = np.arange(17, 1800, 120)
    np.testing.assert_array_equal(np.flatnonzero(_find(batch)), rows)
    batch.table["obs"] = np.resize(np.array(["DEMO", "DEMO", "ZTF", "ZTF"]), 30)
    assert not _find(batch).any()
    assert _find(batch, min_sources=7).sum() == 15
    apart = batch.columns["mjd"] + np.arange(30).repeat(60) * 2 / 86400
    assert not _find(batch.with_columns(mjd=apart), min_sources=2).any()


def test_times_that_differ_by_rounding_are_of_one_exposure():
    batch = _shift(make_batch([60] * 30, seed=10), 17, range(30), 100.0)
    mjd = batch.columns["mjd"] + np.random.default_rng(0).uniform(-1e-9, 1e-9, 1800)
    np.testing.assert_array_equal(_find(batch.with_columns(mjd=mjd)), _find(batch))


def test_an_exposure_is_not_taken_apart_where_a_second_begins():
    batch = _shift(make_batch([60] * 16, seed=10), 17, range(16), 100.0)
    for begin in np.arange(0, 1, 0.125) / 86400:
        mjd = batch.columns["mjd"] + begin * (batch.columns["mjd"] > batch.columns["mjd"].min())
        spread = mjd + np.linspace(0, 0.3, 16).repeat(60) / 86400
        assert np.flatnonzero(_find(batch.with_columns(mjd=spread))).tolist() == list(range(17, 960, 60))


def test_epochs_that_are_not_good_are_neither_used_nor_told():
    batch = _shift(make_batch([60] * 30, seed=11), 17, range(30), 100.0)
    good = np.ones(1800, bool)
    good[17 : 60 * 22 : 60] = False
    assert not bad_exposures(batch, good).any()
    good[17 : 60 * 12 : 60] = True
    found = bad_exposures(batch, good)
    assert found.sum() == 20
    assert not (found & ~good).any()


@pytest.mark.parametrize("counts", [[], [0], [0, 0, 5], [1] * 20])
def test_batches_of_little_or_nothing_have_no_bad_exposures(counts):
    assert not _find(make_batch(counts)).any()
    assert _find(LightcurveBatch.empty()).shape == (0,)


def test_nothing_is_changed_and_sources_in_another_order_give_the_same():
    batch = freeze(put(_shift(make_batch([60] * 30, seed=12), 17, range(30), 100.0), 3, [4], flux=np.nan))
    before = fingerprint(batch)
    found = _find(batch)
    assert fingerprint(batch) == before
    order = np.random.default_rng(1).permutation(30)
    np.testing.assert_array_equal(_find(batch.select(order)), found[batch.epochs_of(order)[0]])
