"""Noise that the S/N of an epoch is measured with."""

import numpy as np
import pytest
from make_batch import make_batch

from vo_lib.finder import Finder
from vo_lib.search.noise import baseline, signal_to_noise
from vo_lib.segments import ROBUST_SCALE


def _measure(batch, good=None, **options):
    good = np.ones(batch.n_epochs, bool) if good is None else good
    median, rms = baseline(batch, good)
    return signal_to_noise(batch, good, median=median, rms=rms, **options)


def test_each_kind_is_what_it_says():
    batch = make_batch([400], seed=3).with_columns(fluxerr=np.where(np.arange(400) % 2, 1.0, 50.0))
    flux = batch.columns["flux"]
    scatter = ROBUST_SCALE * np.median(np.abs(flux - np.median(flux)))
    expected = {"error": batch.columns["fluxerr"], "scatter": np.full(400, scatter)}
    expected["greater"] = np.maximum(expected["error"], scatter)
    for noise, level in expected.items():
        snr, found = _measure(batch, noise=noise)
        np.testing.assert_allclose(found, level)
        np.testing.assert_allclose(snr, (flux - np.median(flux)) / level)


def test_usual_flux_and_scatter_are_those_of_the_good_epochs():
    batch = make_batch([100, 3], seed=4)
    good = np.arange(103) % 4 > 0
    spoiled = batch.with_columns(flux=np.where(good, batch.columns["flux"], 9e9))
    np.testing.assert_allclose(baseline(spoiled, good), baseline(batch.keep(good), np.ones(good.sum(), bool)))
    assert np.isnan(baseline(batch, np.zeros(103, bool))).all()


def test_without_a_flux_or_a_noise_there_is_no_snr():
    flux, error = [1000.0, 1010.0, 990.0, np.nan, np.inf, -np.inf, 1000.0, 1000.0], [10.0] * 6 + [0.0, -10.0]
    batch = make_batch([8]).with_columns(flux=np.array(flux), fluxerr=np.array(error))
    snr, noise = _measure(batch, np.isfinite(flux), noise="error")
    np.testing.assert_allclose(snr, [0.0, 1.0, -1.0] + [np.nan] * 5)
    np.testing.assert_array_equal(noise, error)


def test_an_epoch_without_an_error_has_the_scatter_and_one_without_a_scatter_the_error():
    batch = make_batch([20, 20], seed=1)
    batch = batch.with_columns(fluxerr=np.append(np.full(20, np.nan), np.full(20, 7.0)))
    good = np.arange(40) < 20
    np.testing.assert_allclose(
        _measure(batch, good)[1], np.append(np.full(20, baseline(batch, good)[1][0]), [7.0] * 20)
    )


def test_local_scatter_is_that_of_each_piece_about_its_own_median():
    batch = make_batch([200, 100], cadence=0.5, fluxerr=1e-3, seed=2)
    factor = np.where(np.arange(300) % 200 < 60, 1.0, 5.0)
    flux = 1000 + (batch.columns["flux"] - 1000) * 1e4 * factor + np.where(np.arange(300) < 60, 500.0, 0.0)
    batch = batch.with_columns(flux=flux)
    level = _measure(batch, noise="local", noise_days=30.0)[1]
    for piece in (slice(0, 60), slice(60, 120), slice(120, 180), slice(180, 200), slice(200, 260), slice(260, 300)):
        part = flux[piece]
        np.testing.assert_allclose(level[piece], ROBUST_SCALE * np.median(np.abs(part - np.median(part))))


def test_pieces_of_few_good_epochs_have_the_scatter_of_their_lightcurve():
    batch = make_batch([62], cadence=0.5, fluxerr=1e-3, seed=2).with_columns(fluxerr=np.full(62, 1e-9))
    level = _measure(batch, noise="local", noise_days=30.0)[1]
    assert level[60] == level[61] == pytest.approx(baseline(batch, np.ones(62, bool))[1][0])
    good = np.arange(62) > 57
    again = _measure(batch, good, noise="local", noise_days=30.0)[1]
    np.testing.assert_allclose(again, baseline(batch, good)[1][0])


def test_pieces_of_three_epochs_have_a_scatter_of_their_own_but_for_equal_fluxes():
    flux = np.array([0.0, 10.0, 30.0, 5.0, 5.0, 5.0, 100.0, 300.0])
    batch = make_batch([8], cadence=10.0).with_columns(flux=flux, fluxerr=np.full(8, 1e-9))
    level = _measure(batch, noise="local", noise_days=30.0)[1]
    # The median of all is 7.5; four are 2.5 from it, one 7.5, three more.
    np.testing.assert_allclose(level, ROBUST_SCALE * np.array([10.0] * 3 + [5.0] * 5))


@pytest.mark.parametrize("noise", ["greater", "error", "scatter", "local"])
@pytest.mark.parametrize("counts", [[0], [1], [2, 0, 3]])
def test_short_lightcurves_have_no_warnings(noise, counts):
    snr, level = _measure(make_batch(counts), noise=noise)
    assert snr.shape == level.shape == (sum(counts),)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise": "loud"}, "noise must be one of greater, error, scatter, local, got 'loud'"),
        ({"noise_days": 0}, "noise_days must be positive, got 0"),
    ],
)
def test_unusable_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        _measure(make_batch([5]), **options)


def test_the_snr_keeps_its_sign_whichever_sign_is_searched():
    batch = make_batch([300], seed=5)
    qflag = np.zeros(batch.n_epochs, np.int64)
    expected = (batch.columns["flux"] - np.median(batch.columns["flux"])) / Finder().find(batch, qflag).noise
    for thresholds in (5.0, (-5.0, 1e9), (-1e9, 5.0)):
        snr = Finder(methods=["peak"], snr_threshold=thresholds).find(batch, qflag).snr
        np.testing.assert_allclose(snr, expected)
        assert snr.min() < -2 < 2 < snr.max()
