"""Quality flags: which bits, how many by chance, and that nothing is changed."""

import math

import numpy as np
import pytest
from make_batch import fingerprint, freeze, make_batch, put

from vo_lib.batch import LightcurveBatch
from vo_lib.quality import QUALITY_BITS, assess, check, offset_limit, offsets

SURVEY, OFFSET, BAD = (QUALITY_BITS[name] for name in ("survey_flag", "offset", "bad_value"))


def test_each_reason_has_its_bit_and_they_add_up():
    batch = put(make_batch([50]), 0, [3, 4], flag=[1, 64])
    batch = put(batch, 0, [5, 4], flux=[np.nan, np.inf])
    batch = put(batch, 0, [9], dec=20.1)
    qflag = check(batch)
    assert qflag.dtype == np.int64
    assert qflag[[3, 4, 5, 9]].tolist() == [SURVEY, SURVEY | BAD, BAD, OFFSET]
    assert np.count_nonzero(qflag) == 4


@pytest.mark.parametrize(
    ("column", "value"),
    [("mjd", np.nan), ("fluxerr", np.nan), ("fluxerr", 0.0), ("fluxerr", -1.0), ("fluxerr", np.inf)],
)
def test_unusable_numbers_are_bad_values(column, value):
    qflag = check(put(make_batch([20]), 0, [7], **{column: value}))
    assert qflag[7] == BAD
    assert np.count_nonzero(qflag) == 1


def test_only_the_bad_bits_of_an_observatory_count():
    batch = put(make_batch([20]), 0, [1, 2, 3], flag=[1, 32768, 32769])
    np.testing.assert_array_equal(check(batch, bad_flags={"DEMO": 32768})[:5] & SURVEY, [0, 0, 1, 1, 0])
    np.testing.assert_array_equal(check(batch, bad_flags={"ZTF": 32768})[:5] & SURVEY, [0, 1, 1, 1, 0])
    assert not check(batch, bad_flags={"DEMO": 0}).any()


@pytest.mark.parametrize("n_epochs", [3, 5, 10, 30, 100, 1000])
def test_at_most_one_in_a_thousand_gaussian_positions_is_flagged(n_epochs):
    batch = make_batch([n_epochs] * (400_000 // n_epochs), seed=n_epochs)
    assert 0.4 * math.erfc(3.5 / math.sqrt(2)) < np.mean(check(batch) == OFFSET) < 0.001


def test_limit_is_that_of_the_rayleigh_law_for_many_epochs():
    tail = math.erfc(3.5 / math.sqrt(2))
    assert offset_limit(3.5, np.array([10**9]))[0] == pytest.approx(math.sqrt(-2 * math.log(tail)), rel=1e-6)
    assert np.isfinite(offset_limit(100.0, np.array([0, 1, 3, 10**6]))).all()


def test_distances_are_in_units_of_the_scatter():
    batch = make_batch([200_000], seed=3)
    distance = offsets(batch, np.ones(batch.n_epochs, bool))
    # Mean of a Rayleigh law.
    assert distance.mean() == pytest.approx(math.sqrt(math.pi / 2), rel=0.01)
    far = put(batch, 0, [5], ra=10.0, dec=20.0 + 10 * 2e-5)
    assert offsets(far, np.ones(batch.n_epochs, bool))[5] == pytest.approx(10, rel=0.05)


@pytest.mark.parametrize(
    ("ra", "dec"), [(0.0, 20.0), (1e-5, 0.0), (359.9999, -45.0), (180.0, 89.9999), (90.0, -89.999)]
)
def test_flags_do_not_depend_on_where_the_source_is(ra, dec):
    usual = put(make_batch([500], seed=4), 0, [77], dec=20.0 + 3e-4)
    moved = put(make_batch([500], seed=4, ra=ra, dec=dec), 0, [77], dec=dec - 3e-4)
    np.testing.assert_array_equal(check(moved), check(usual))
    assert check(moved)[77] == OFFSET


def test_a_source_at_the_very_pole_has_offsets():
    random = np.random.default_rng(5)
    x, y = random.normal(0, 2e-5, (2, 300))
    x[9] = 1e-3
    batch = make_batch([300]).with_columns(ra=np.degrees(np.arctan2(y, x)) % 360, dec=90 - np.hypot(x, y))
    assert np.flatnonzero(check(batch)).tolist() == [9]


def test_without_or_with_constant_positions_nothing_is_out_of_place():
    none = make_batch([30]).with_columns(ra=np.full(30, np.nan), dec=np.full(30, np.nan))
    constant = make_batch([30]).with_columns(ra=np.full(30, 123.456), dec=np.full(30, -7.89))
    for batch in (none, constant):
        qflag, distance = assess(batch)
        assert not qflag.any()
        assert np.isnan(distance).all()


def test_one_constant_axis_leaves_the_other_to_judge():
    batch = put(make_batch([200], seed=6).with_columns(ra=np.full(200, 10.0)), 0, [8], dec=20.01)
    assert np.flatnonzero(check(batch)).tolist() == [8]


def test_flagged_positions_do_not_widen_the_scatter():
    batch = make_batch([100], seed=7)
    spoiled = put(batch, 0, np.arange(40), dec=20.5, flag=1)
    spoiled = put(spoiled, 0, [60], dec=20.001)
    assert check(spoiled)[60] == OFFSET


def test_checking_again_gives_the_same_and_changes_nothing():
    batch = freeze(make_batch([40, 0, 3, 1], seed=8))
    before = fingerprint(batch)
    first = check(batch)
    np.testing.assert_array_equal(check(batch), first)
    assert fingerprint(batch) == before


def test_an_empty_batch_has_no_flags_and_thresholds_are_positive():
    assert check(LightcurveBatch.empty()).shape == (0,)
    with pytest.raises(ValueError, match="offset_threshold must be positive, got -1"):
        check(make_batch([5]), offset_threshold=-1)
