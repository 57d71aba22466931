"""Quality flags: which bits, how many by chance, and that nothing is changed."""

import math
import re

import numpy as np
import pytest
from make_batch import fingerprint, freeze, make_batch, put

from vo_lib.batch import LightcurveBatch
from vo_lib.checks.series_checks import SERIES_CHECKS
from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.quality import QUALITY_BITS, assess, bit_table, epoch_flags, flagged_epochs

SURVEY, OFFSET, BAD, ERROR, BRIGHT, EXPOSURE = QUALITY_BITS.values()


def test_each_reason_has_its_bit_and_they_add_up():
    batch = put(make_batch([50]), 0, [3, 4], flag=[1, 64])
    batch = put(batch, 0, [5, 4], flux=[np.nan, np.inf])
    batch = put(batch, 0, [9], dec=20.1)
    qflag = assess(batch).qflag
    assert qflag.dtype == np.int64
    assert qflag[[3, 4, 5, 9]].tolist() == [SURVEY, SURVEY | BAD, BAD, OFFSET]
    assert np.count_nonzero(qflag) == 4


@pytest.mark.parametrize(
    ("column", "value", "bit"),
    [
        ("mjd", np.nan, BAD),
        ("flux", np.nan, BAD),
        ("flux", -np.inf, BAD),
        ("fluxerr", np.nan, ERROR),
        ("fluxerr", 0.0, ERROR),
        ("fluxerr", -1.0, ERROR),
        ("fluxerr", np.inf, ERROR),
    ],
)
def test_unusable_numbers_have_a_bit_of_their_kind(column, value, bit):
    qflag = assess(put(make_batch([20]), 0, [7], **{column: value})).qflag
    assert qflag[7] == bit
    assert np.count_nonzero(qflag) == 1


def test_negative_flux_is_good():
    assert not assess(put(make_batch([20]), 0, [7], flux=-500.0, mag=np.nan, magerr=np.nan)).qflag.any()


def test_epochs_brighter_than_the_limit_of_their_filter_are_saturated():
    batch = make_batch([10, 10, 10], filters=("demo-g", "demo-r", "demo-i"))
    mag = np.tile(np.linspace(11.0, 12.8, 10), 3)
    mag[:2] = np.nan, -np.inf
    qflag = assess(batch.with_columns(mag=mag), saturation_mag={"demo-g": 12.0, "demo-r": 11.4}).qflag
    saturated = [range(1, 5), range(10, 12), []]
    assert np.flatnonzero(qflag == BRIGHT).tolist() == [row for rows in saturated for row in rows]
    assert np.count_nonzero(qflag) == 6
    assert not assess(batch.with_columns(mag=mag)).qflag.any()


def test_only_the_bad_bits_of_an_observatory_count():
    batch = put(make_batch([20]), 0, [1, 2, 3], flag=[1, 32768, 32769])
    np.testing.assert_array_equal(assess(batch, bad_flags={"DEMO": 32768}).qflag[:5] & SURVEY, [0, 0, 1, 1, 0])
    np.testing.assert_array_equal(assess(batch, bad_flags={"ZTF": 32768}).qflag[:5] & SURVEY, [0, 1, 1, 1, 0])
    assert not assess(batch, bad_flags={"DEMO": 0}).qflag.any()


@pytest.mark.parametrize("n_epochs", [3, 5, 10, 30, 100, 1000])
def test_at_most_one_in_a_thousand_gaussian_positions_is_flagged(n_epochs):
    batch = make_batch([n_epochs] * (400_000 // n_epochs), seed=n_epochs)
    assert 0.4 * math.erfc(3.5 / math.sqrt(2)) < np.mean(assess(batch).qflag == OFFSET) < 0.001


@pytest.mark.parametrize(
    ("ra", "dec"), [(0.0, 20.0), (1e-5, 0.0), (359.9999, -45.0), (180.0, 89.9999), (90.0, -89.999)]
)
def test_flags_do_not_depend_on_where_the_source_is(ra, dec):
    usual = put(make_batch([500], seed=4), 0, [77], dec=20.0 + 3e-4)
    moved = put(make_batch([500], seed=4, ra=ra, dec=dec), 0, [77], dec=dec - 3e-4)
    np.testing.assert_array_equal(assess(moved).qflag, assess(usual).qflag)
    assert assess(moved).qflag[77] == OFFSET


def _moving_and_shared():
    """Sources with motion that share exposures, one of them without epochs; read-only."""
    batch = put(make_batch([40] * 12 + [0, 3, 1], seed=8), 2, [5], flux=np.nan, dec=21.0)
    batch.table.update(pmra=np.full(15, 900.0), pmdec=np.full(15, np.nan))
    return freeze(batch)


def test_checking_again_gives_the_same_and_changes_nothing():
    batch = _moving_and_shared()
    before = fingerprint(batch)
    first = assess(batch).qflag
    np.testing.assert_array_equal(assess(batch).qflag, first)
    assert fingerprint(batch) == before


def _shared(seed=9):
    """Sources observed together, whose seventh exposure is half a magnitude too faint."""
    batch = make_batch([50] * 20, seed=seed)
    flux = batch.columns["flux"].copy()
    flux[7::50] *= 0.6
    return batch.with_columns(flux=flux)


def test_a_bad_exposure_has_its_bit_unless_it_is_not_asked_for():
    assert np.flatnonzero(assess(_shared()).qflag).tolist() == list(range(7, 1000, 50))
    assert (assess(_shared()).qflag[7::50] == EXPOSURE).all()
    assert not assess(_shared(), exposure_threshold=None).qflag.any()
    assert not assess(_shared(), exposure_min_sources=21).qflag.any()


def test_copies_inherit_what_was_found_from_many_sources_and_nothing_else():
    batch = put(put(_shared(), 0, [3], flag=1), 0, [11], dec=20.1)
    rows, _ = batch.epochs_of([0, 0])
    copies = put(batch.select([0, 0]), 0, [3], flag=0)
    original = assess(batch).take(rows)
    inherited = assess(copies, inherited=original)
    np.testing.assert_array_equal(inherited.distance, original.distance)
    assert inherited.qflag[[7, 57]].tolist() == [EXPOSURE, EXPOSURE]
    assert inherited.qflag[[11, 61]].tolist() == [OFFSET, OFFSET]
    assert inherited.qflag[[3, 53]].tolist() == [0, SURVEY]
    assert len(inherited.bad_data["check"]) == 0


def test_flagged_epochs_are_kept_unless_they_are_to_be_removed():
    batch = put(make_batch([50]), 0, [3, 4], flag=1)
    assert assess(batch).kept.all()
    removed = assess(batch, action="remove")
    assert np.flatnonzero(~removed.kept).tolist() == [3, 4]
    np.testing.assert_array_equal(removed.qflag, assess(batch).qflag)
    with pytest.raises(ValueError, match="action must be one of flag, remove, got 'delete'"):
        assess(batch, action="delete")


def test_lightcurves_that_fail_as_a_whole_are_listed_and_nothing_else_happens():
    batch = make_batch([40, 1])
    assessment = assess(batch, min_exptime_s=1000.0)
    assert assessment.bad_data["check"].tolist() == ["not_singular", "exptime"]
    assert assessment.bad_data["lightcurve"].tolist() == ["src1_reduction_1"] * 2
    np.testing.assert_array_equal(assessment.qflag, assess(batch).qflag)
    assert not assessment.qflag.any()


def test_the_table_of_bits_names_every_bit_once():
    table = bit_table(assess(make_batch([5])).bits, ())
    assert dict(zip(table["name"].tolist(), table["bit"].tolist(), strict=True)) == QUALITY_BITS
    assert np.bitwise_or.reduce(table["bit"]) == table["bit"].sum() == 2 ** len(table["bit"]) - 1
    assert all(table["meaning"])


def test_the_documents_name_every_bit_and_every_check():
    text = (PACKAGE_ROOT / "docs" / "quality.md").read_text()
    documented = dict(re.findall(r"^\| (\d+) \| `(\w+)`", text, flags=re.MULTILINE))
    assert {name: int(bit) for bit, name in documented.items()} == QUALITY_BITS
    assert all(f"| `{name}` |" in text for name in SERIES_CHECKS)


def test_the_table_of_flagged_epochs_gives_the_flags_back():
    batch = put(put(make_batch([30, 0, 20]), 0, [3], flag=1), 2, [0, 19], flux=np.nan)
    qflag = assess(batch).qflag
    table = flagged_epochs(qflag, batch.starts)
    series = {"obs": batch.table["obs"], "lightcurve": batch.table["key"]}
    for chosen in ([0, 1, 2], [2, 0], []):
        columns = {"obs": batch.table["obs"][chosen], "keys": batch.table["key"][chosen]}
        expected = [qflag[batch.starts[row] : batch.starts[row + 1]] for row in chosen]
        again = epoch_flags(series, table, **columns, counts=batch.counts[chosen])
        np.testing.assert_array_equal(again, np.concatenate([np.zeros(0), *expected]))
    assert table["series"].tolist() == [0, 2, 2]
    assert {values.dtype for values in table.values()} == {np.dtype(np.int64)}


def test_an_empty_batch_has_no_flags_and_thresholds_are_positive():
    for batch in (LightcurveBatch.empty(), make_batch([0]), make_batch([0, 0])):
        assert assess(batch).qflag.shape == (0,)
    with pytest.raises(ValueError, match="offset_threshold must be positive, got -1"):
        assess(make_batch([5]), offset_threshold=-1)
