"""Epochs out of place: how many by chance, and that nothing depends on where the source is or goes."""

import math

import numpy as np
import pytest
from make_batch import make_batch, put

from vo_lib.checks.offsets import offset_limit, offsets
from vo_lib.positions import displace
from vo_lib.quality import QUALITY_BITS, assess

OFFSET = QUALITY_BITS["offset"]
# Half an arcsecond in a year, an orbit of many nearby white dwarfs [mas/yr].
FAST = (400.0, -300.0)


def test_limit_is_that_of_the_rayleigh_law_for_many_epochs():
    tail = math.erfc(3.5 / math.sqrt(2))
    assert offset_limit(3.5, np.array([10**9]))[0] == pytest.approx(math.sqrt(-2 * math.log(tail)), rel=1e-6)
    assert np.isfinite(offset_limit(100.0, np.array([0, 1, 3, 10**6]))).all()


@pytest.mark.parametrize("n_epochs", [5, 15, 101])
@pytest.mark.parametrize("threshold", [2.5, 3.5])
def test_as_many_gaussian_positions_are_beyond_the_limit_as_the_threshold_says(threshold, n_epochs):
    batch = make_batch([n_epochs] * (400_000 // n_epochs), seed=n_epochs)
    distance = offsets(batch, np.ones(batch.n_epochs, bool))
    beyond = np.mean(distance > offset_limit(threshold, np.array([n_epochs])))
    assert 0.75 < beyond / math.erfc(threshold / math.sqrt(2)) < 1.3


def test_distances_are_in_units_of_the_scatter():
    batch = make_batch([200_000], seed=3)
    distance = offsets(batch, np.ones(batch.n_epochs, bool))
    # Mean of a Rayleigh law.
    assert distance.mean() == pytest.approx(math.sqrt(math.pi / 2), rel=0.01)
    far = put(batch, 0, [5], ra=10.0, dec=20.0 + 10 * 2e-5)
    assert offsets(far, np.ones(batch.n_epochs, bool))[5] == pytest.approx(10, rel=0.05)


def test_a_source_at_the_very_pole_has_offsets():
    random = np.random.default_rng(5)
    x, y = random.normal(0, 2e-5, (2, 300))
    x[9] = 1e-3
    batch = make_batch([300]).with_columns(ra=np.degrees(np.arctan2(y, x)) % 360, dec=90 - np.hypot(x, y))
    assert np.flatnonzero(assess(batch).qflag).tolist() == [9]


def test_without_or_with_constant_positions_nothing_is_out_of_place():
    none = make_batch([30]).with_columns(ra=np.full(30, np.nan), dec=np.full(30, np.nan))
    constant = make_batch([30]).with_columns(ra=np.full(30, 123.456), dec=np.full(30, -7.89))
    # A few last digits of a position in degrees.
    rounding = constant.columns["dec"] + 1e-11 * np.random.default_rng(1).standard_t(2, 30)
    for batch in (none, constant, constant.with_columns(dec=rounding)):
        assessment = assess(batch)
        assert not assessment.qflag.any()
        assert np.isnan(assessment.distance).all()


def test_one_constant_axis_leaves_the_other_to_judge():
    batch = put(make_batch([200], seed=6).with_columns(ra=np.full(200, 10.0)), 0, [8], dec=20.01)
    assert np.flatnonzero(assess(batch).qflag).tolist() == [8]


@pytest.mark.parametrize("place", [(190.0, -70.0), (10.0, 89.0), (0.0, 0.0), (10.01, 20.0)])
def test_one_position_anywhere_on_the_sky_changes_nothing_for_the_others(place):
    batch = make_batch([200, 50], seed=9)
    far = put(batch, 0, [0, 1], ra=[np.nan, place[0]], dec=[np.nan, place[1]])
    assert np.flatnonzero(assess(far).qflag).tolist() == [1]
    still = offsets(batch, np.ones(250, bool))
    np.testing.assert_allclose(offsets(far, np.ones(250, bool))[2:], still[2:], atol=0.1)


def test_flagged_positions_do_not_widen_the_scatter():
    batch = make_batch([100], seed=7)
    spoiled = put(batch, 0, np.arange(40), dec=20.5, flag=1)
    spoiled = put(spoiled, 0, [60], dec=20.001)
    assert assess(spoiled).qflag[60] == OFFSET


def test_right_ascension_zero_is_a_place_like_any_other():
    good = np.ones(200, bool)
    # The median is not at 0, so that what is mirrored there is another distance.
    here, there = (make_batch([200], ra=ra, dec=40.0, seed=3) for ra in (1e-5, 180.0))
    assert np.ptp(here.columns["ra"]) > 359
    np.testing.assert_allclose(offsets(here, good), offsets(there, good), rtol=1e-4)


def _moving(counts, *, motion=FAST, known=FAST, dec=20.0, cadence=2.0, seed=0):
    """Lightcurves of sources that move by `motion` and whose catalog says `known` [mas/yr]."""
    batch = make_batch(counts, dec=dec, cadence=cadence, seed=seed)
    east, north = (speed / 1000 * (batch.columns["mjd"] - 58000) / 365.25 for speed in motion)
    ra, dec = displace(batch.columns["ra"], batch.columns["dec"], east=east, north=north)
    batch.table.update(pmra=np.full(len(counts), known[0]), pmdec=np.full(len(counts), known[1]))
    return batch.with_columns(ra=ra, dec=dec)


@pytest.mark.parametrize("dec", [20.0, 89.9])
def test_the_offsets_of_a_source_that_moves_are_those_of_one_at_rest(dec):
    good = np.ones(300, bool)
    still = offsets(make_batch([300], dec=dec, cadence=2.0), good)
    np.testing.assert_allclose(offsets(_moving([300], dec=dec), good), still, atol=0.05)


@pytest.mark.parametrize("n_epochs", [10, 100])
def test_at_most_one_in_a_thousand_positions_of_moving_sources_is_flagged(n_epochs):
    batch = _moving([n_epochs] * (200_000 // n_epochs), cadence=600.0 / n_epochs, seed=n_epochs)
    assert np.mean(assess(batch).qflag == OFFSET) < 0.001


@pytest.mark.parametrize("correlation", [-0.98, -0.4, 0.0, 0.25, 0.6, 0.9])
@pytest.mark.parametrize("n_epochs", [5, 15, 30, 100, 500])
def test_at_most_one_in_a_thousand_correlated_positions_is_flagged(n_epochs, correlation):
    batch = make_batch([n_epochs] * (200_000 // n_epochs))
    first, second = np.random.default_rng(n_epochs).normal(0, 2e-5, (2, batch.n_epochs))
    second = correlation * first + math.sqrt(1 - correlation**2) * second
    batch = batch.with_columns(ra=10.0 + first / math.cos(math.radians(20.0)), dec=20.0 + 5 * second)
    assert np.mean(assess(batch).qflag == OFFSET) < 0.001


def test_an_epoch_across_the_line_of_correlated_positions_is_out_of_place():
    along, across = np.random.default_rng(8).normal(0, [[1e-4], [1e-6]], (2, 200))
    across[[20, 90]] = 3e-5
    batch = make_batch([200, 200], dec=0.0).with_columns(
        ra=np.append(10.0 + along + across, np.full(200, 10.0)), dec=np.append(along - across, np.zeros(200))
    )
    assert np.flatnonzero(assess(batch).qflag).tolist() == [20, 90]


def _correlated(counts, seed=0):
    """Lightcurves whose positions lie along a line."""
    batch = make_batch(counts, dec=0.0)
    along, across = np.random.default_rng(seed).normal(0, [[1e-4], [2e-5]], (2, batch.n_epochs))
    return batch.with_columns(ra=10.0 + along + across, dec=along - across)


@pytest.mark.parametrize("make", [make_batch, _moving, _correlated])
@pytest.mark.parametrize("first", [0, 1])
def test_bad_positions_are_as_if_they_were_not_there(make, first):
    batch = make([101, 60], seed=4)
    good = np.arange(161) % 5 > 1
    good[:2] = first
    spoiled = batch.with_columns(
        ra=batch.columns["ra"] + np.where(good, 0.0, 2e-3), dec=batch.columns["dec"] + np.where(good, 0.0, 1e-3)
    )
    alone = batch.keep(good)
    np.testing.assert_allclose(offsets(spoiled, good)[good], offsets(alone, np.ones(good.sum(), bool)), rtol=1e-4)


def test_a_motion_that_is_not_known_on_one_axis_is_followed_on_the_other():
    batch, good = _moving([300], motion=(0.0, 300.0), known=(np.nan, 300.0), seed=2), np.ones(300, bool)
    np.testing.assert_allclose(offsets(batch, good), offsets(make_batch([300], cadence=2.0, seed=2), good), atol=0.05)


def test_times_that_are_missing_do_not_break_the_motion():
    batch = put(_moving([100], seed=6), 0, [3, 4], mjd=[np.nan, np.inf])
    good = np.isfinite(batch.columns["mjd"])
    found = offsets(batch, good)
    assert np.isnan(found[[3, 4]]).all()
    assert np.nanmedian(found) < 2


def test_an_epoch_that_motion_would_hide_is_out_of_place():
    batch = _moving([300], seed=2)
    place = displace(10.0, 20.0, east=FAST[0] / 1000, north=FAST[1] / 1000)
    batch = put(batch, 0, [40], ra=place[0], dec=place[1])
    assert np.flatnonzero(assess(batch).qflag).tolist() == [40]
    batch.table.update(pmra=np.full(1, np.nan), pmdec=np.full(1, np.nan))
    assert not assess(batch).qflag.any()


def test_positions_that_do_not_follow_the_catalog_are_left_as_they_are():
    still = make_batch([200], seed=3, cadence=5.0)
    wrong = _moving([200], motion=(0.0, 0.0), seed=3, cadence=5.0)
    good = np.ones(200, bool)
    np.testing.assert_allclose(offsets(wrong, good), offsets(still, good), rtol=1e-6)
    fixed = wrong.with_columns(ra=np.full(200, 10.0), dec=np.full(200, 20.0))
    assert np.isnan(offsets(fixed, good)).all()


def test_one_moving_source_changes_nothing_for_the_others():
    batch = _moving([50, 60, 70], known=(0.0, 0.0), motion=(0.0, 0.0), seed=4)
    good = np.ones(180, bool)
    before = offsets(batch, good)
    batch.table["pmra"] = np.array([0.0, 2000.0, np.nan])
    east = np.repeat([0.0, 2.0, 0.0], [50, 60, 70]) * (batch.columns["mjd"] - 58000) / 365.25
    ra, dec = displace(batch.columns["ra"], batch.columns["dec"], east=east, north=0.0)
    np.testing.assert_allclose(offsets(batch.with_columns(ra=ra, dec=dec), good), before, atol=1e-3)


def test_a_first_position_far_away_harms_none_of_the_others():
    usual = make_batch([200], seed=5)
    for ra, dec in ((0.0, 0.0), (189.0, -20.0), (100.0, 0.0)):
        qflag = assess(put(usual, 0, [0], ra=ra, dec=dec)).qflag
        assert qflag[0] == OFFSET
        assert np.count_nonzero(qflag) == 1
