"""False alarms measured on copies of noise, against closed forms."""

import numpy as np
import pytest
import scipy.stats
from make_batch import fingerprint, make_batch

from vo_lib.finder import Finder
from vo_lib.noise_copies import false_alarms_of, noise_copy


def _batch(n_lightcurves=400, *, errors=10.0):
    """Noise of 10 uJy in lightcurves of 100 epochs that have one event, with given errors."""
    batch = make_batch([100] * n_lightcurves)
    flux = batch.columns["flux"].copy()
    flux[batch.starts[:-1] + 30] += 500
    return batch.with_columns(flux=flux, fluxerr=np.full(batch.n_epochs, errors)), np.zeros(batch.n_epochs, np.int64)


@pytest.mark.parametrize("errors", [5.0, 10.0, 20.0])
def test_copies_scatter_as_the_lightcurves_do_and_have_no_events(errors):
    batch, qflag = _batch(errors=errors)
    before = fingerprint(batch)
    copy = noise_copy(batch, qflag, seed=1)
    assert fingerprint(batch) == before
    assert np.std(copy.columns["flux"]) == pytest.approx(10, rel=0.03)
    assert np.abs(copy.columns["flux"] - 1000).max() < 80
    assert copy.columns["fluxerr"] is batch.columns["fluxerr"]


def test_a_lightcurve_that_scatters_more_than_others_does_so_in_its_copy():
    batch, qflag = _batch()
    flux = batch.columns["flux"].copy()
    flux[:100] = 1000 + 4 * (flux[:100] - 1000)
    copy = noise_copy(batch.with_columns(flux=flux), qflag, seed=1)
    assert np.std(copy.columns["flux"][:100]) == pytest.approx(40, rel=0.4)


def test_copies_depend_on_names_and_numbers_alone():
    batch, qflag = _batch(20)
    part = batch.select(np.array([7, 3]))
    rows = batch.epochs_of(np.array([7, 3]))[0]
    whole = noise_copy(batch, qflag, seed=1).columns["flux"][rows]
    phase = (whole - 1000) / 10
    other = (noise_copy(part, qflag[:200], seed=1).columns["flux"] - 1000) / 10
    np.testing.assert_allclose(phase, other, atol=1)
    assert not np.allclose(whole, noise_copy(batch, qflag, seed=1, number=2).columns["flux"][rows], atol=1)


def test_the_peak_finder_has_the_false_alarms_of_the_gaussian_tail():
    batch, qflag = _batch(2000)
    finder = Finder(methods=["peak"], snr_threshold=3.5, sideband=3.5, noise="error")
    expected = 100 * scipy.stats.norm.sf(3.5)
    for value, error in false_alarms_of(finder, batch, qflag, seed=2).values():
        assert error == pytest.approx(np.sqrt(value / 2000), rel=1e-9)
        assert value == pytest.approx(expected, abs=4 * error)


def test_lightcurves_that_no_rate_counts_are_none_of_the_noise():
    """Half of them have nine good epochs each, in which the search finds something too."""
    batch = make_batch([100, 12] * 1000)
    qflag = (np.arange(batch.n_epochs) % 112 >= 109).astype(np.int64)
    finder = Finder(methods=["peak"], snr_threshold=3.0, sideband=3.0, noise="error")
    expected = 100 * scipy.stats.norm.sf(3.0)
    for value, error in false_alarms_of(finder, batch, qflag, seed=2).values():
        assert value == pytest.approx(expected, abs=4 * error)
        assert error == pytest.approx(np.sqrt(value / 1000), rel=1e-9)
    assert np.isnan([*false_alarms_of(finder, batch, qflag, seed=2, min_epochs=101).values()]).all()


def test_what_is_not_found_has_the_error_of_one():
    batch, qflag = _batch(10)
    got = false_alarms_of(Finder(methods=["peak"], snr_threshold=50), batch, qflag, seed=2, copies=2)
    assert got == {-1: (0, 1 / 20), 1: (0, 1 / 20)}
    empty = false_alarms_of(Finder(), batch.select(np.zeros(0, np.int64)), qflag[:0], seed=2)
    assert np.isnan([*empty.values()]).all()
