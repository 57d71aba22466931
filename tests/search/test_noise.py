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
