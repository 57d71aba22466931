"""Epochs and cells of the matched filter against least squares and loops."""

import math
from itertools import pairwise

import numpy as np
import pytest

from vo_lib.batch import LightcurveBatch
from vo_lib.search.template_cells import Cells, make_blocks
from vo_lib.segments import starts_from_counts


def _lightcurves(counts, seed=0):
    """Batch, S/N without outliers and noise."""
    random, starts = np.random.default_rng(seed), starts_from_counts(counts)
    mjd = np.concatenate([58000 + np.sort(random.uniform(0, 100, count)) for count in counts])
    return LightcurveBatch({"mjd": mjd}, starts, {}), random.normal(size=len(mjd)), random.uniform(10, 20, len(mjd))


def _single_score(place, flux, noise, quiet):
    """Amplitude over error of one epoch, fitted with a constant for the quiet ones."""
    used = quiet | (np.arange(len(flux)) == place)
    design = np.array([np.arange(len(flux)) == place, np.ones(len(flux))])[:, used] / noise[used]
    covariance = np.linalg.inv(design @ design.T)
    return (covariance @ design @ (flux / noise)[used])[0] / math.sqrt(covariance[0, 0])


def test_scores_of_single_epochs_are_those_of_least_squares():
    batch, snr, noise = _lightcurves([20, 0, 7], seed=1)
    snr = snr + 5 / noise
    outlier = 22
    for away in (0.0, 7.0, -60.0):
        snr[outlier] = away or snr[outlier]
        (block,) = make_blocks(batch, np.ones(27, bool), snr, noise)
        found, quiet = block.single_scores(), np.abs(snr) < 6
        for span in (slice(0, 20), slice(20, 27)):
            for place in np.arange(27)[span]:
                expected = _single_score(place - span.start, (snr * noise)[span], noise[span], quiet[span])
                # Beside an outlier the others have the weight of it too much in their baseline.
                exact = quiet[span].all() or place == outlier
                assert found[place] == pytest.approx(expected, rel=1e-6 if exact else 0.05)


def test_an_epoch_with_half_of_the_weight_has_no_score():
    batch, _, noise = _lightcurves([1, 3], seed=2)
    noise[1:] = 10.0, 5.0, 10.0
    (block,) = make_blocks(batch, np.ones(4, bool), np.array([3.0, 1.0, 2.0, -1.0]), noise)
    assert (block.single_scores() == 0).tolist() == [True, False, True, False]


def test_blocks_have_each_searched_epoch_once_in_order(monkeypatch):
    monkeypatch.setattr("vo_lib.search.template_cells._BLOCK", 50)
    random = np.random.default_rng(3)
    batch, snr, noise = _lightcurves([*random.integers(0, 30, 60).tolist(), 120, 0, 10], seed=3)
    searched = random.random(batch.n_epochs) < 0.7
    searched[: batch.starts[5]] = False
    blocks = list(make_blocks(batch, searched, snr, noise))
    assert len(blocks) > 10
    rows = np.concatenate([block.offsets["peak"] + block.rows for block in blocks])
    np.testing.assert_array_equal(rows, np.flatnonzero(searched))
    lightcurve = np.concatenate([block.offsets["lightcurve"] + block.lightcurve for block in blocks])
    np.testing.assert_array_equal(lightcurve, batch.lightcurve_index[rows])
    assert (np.diff([block.lightcurve[-1] + block.offsets["lightcurve"] for block in blocks]) > 0).all()
    time = np.concatenate([block.time + block.zero[block.lightcurve] for block in blocks])
    np.testing.assert_allclose(time, batch.columns["mjd"][rows], rtol=1e-15)
    assert all((block.time[block.starts[:-1][np.diff(block.starts) > 0]] == 0).all() for block in blocks)
    for block in blocks:
        of_each = np.bincount(block.lightcurve, block.weight)
        np.testing.assert_allclose(of_each[of_each > 0], 1)
        np.testing.assert_allclose(np.bincount(block.lightcurve, block.flux), 0, atol=1e-12)


def test_the_closest_epochs_are_of_one_lightcurve():
    batch, snr, noise = _lightcurves([5, 1, 6], seed=4)
    (block,) = make_blocks(batch, np.ones(12, bool), snr, noise)
    mjd = batch.columns["mjd"]
    expected = min(b - a for span in (mjd[:5], mjd[6:]) for a, b in pairwise(span))
    assert block.closest() == pytest.approx(expected, rel=1e-9)
    (single,) = make_blocks(batch, np.isin(np.arange(12), [2, 5, 8]), snr, noise)
    assert single.closest() == np.inf


def test_cells_that_are_put_together_have_all_of_their_epochs():
    random = np.random.default_rng(5)
    place = np.arange(31)
    time = np.cumsum(random.uniform(0.1, 2.0, 30))
    epochs = Cells(place[:-1] // 20, time, *random.random((2, 30)).astype(np.float32), place[:-1], place[1:])
    merged = epochs.merge(np.array([0, 1, 4, 20, 28])).merge(np.array([0, 2, 3]))
    for cell, (first, end) in enumerate([(0, 4), (4, 20), (20, 30)]):
        assert (merged.first[cell], merged.end[cell], merged.lightcurve[cell]) == (first, end, first // 20)
        assert merged.weight[cell] == pytest.approx(epochs.weight[first:end].sum(), rel=1e-6)
        assert merged.flux[cell] == pytest.approx(epochs.flux[first:end].sum(), rel=1e-6)
        assert time[first] <= merged.time[cell] <= time[end - 1]
    assert merged.several.all()
    once = epochs.merge(np.array([0, 1, 4]))
    assert once.several.tolist() == [False, True, True]
    np.testing.assert_allclose(once.time, [time[0], (time[1] + time[3]) / 2, (time[4] + time[29]) / 2])
