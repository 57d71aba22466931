"""The container of a bin's lightcurves."""

import numpy as np
import pytest
from make_batch import make_batch

from vo_lib.batch import COLUMNS, TABLE, LightcurveBatch


def _batch(counts=(2, 0, 3), first=0.0):
    """Lightcurves whose epochs are numbered in `mjd`."""
    n_lightcurves, n_epochs = len(counts), sum(counts)
    names = np.array([f"s{index}" for index in range(n_lightcurves)], dtype="U2")
    table = {name: names if kind == "U1" else np.ones(n_lightcurves, kind) for name, kind in TABLE.items()}
    columns = {name: np.zeros(n_epochs, kind) for name, kind in COLUMNS.items()}
    columns["mjd"] = first + np.arange(n_epochs)
    return LightcurveBatch(columns, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), table)


def test_sizes_counts_and_index():
    batch = _batch()
    assert (batch.n_lightcurves, batch.n_epochs) == (3, 5)
    np.testing.assert_array_equal(batch.counts, [2, 0, 3])
    np.testing.assert_array_equal(batch.lightcurve_index, [0, 0, 2, 2, 2])
    np.testing.assert_array_equal(batch.lightcurve(2)["mjd"], [2, 3, 4])


@pytest.mark.parametrize(
    ("epochs", "mjd", "starts"),
    [
        ([True, False, False, True, True], [0, 3, 4], [0, 1, 1, 3]),
        ([False] * 5, [], [0, 0, 0, 0]),
        ([True] * 5, [0, 1, 2, 3, 4], [0, 2, 2, 5]),
    ],
)
def test_keep_leaves_all_lightcurves_and_some_epochs(epochs, mjd, starts):
    batch = _batch()
    part = batch.keep(np.array(epochs))
    np.testing.assert_array_equal(part.columns["mjd"], mjd)
    np.testing.assert_array_equal(part.starts, starts)
    assert part.table["key"].tolist() == ["s0", "s1", "s2"]
    assert batch.n_epochs == 5


@pytest.mark.parametrize(
    ("chosen", "mjd", "keys"),
    [
        ([True, False, True], [0, 1, 2, 3, 4], ["s0", "s2"]),
        ([2, 0, 2], [2, 3, 4, 0, 1, 2, 3, 4], ["s2", "s0", "s2"]),
        ([1], [], ["s1"]),
        ([-1], [2, 3, 4], ["s2"]),
        ([], [], []),
    ],
)
def test_select_by_mask_and_by_indices(chosen, mjd, keys):
    part = _batch().select(chosen)
    np.testing.assert_array_equal(part.columns["mjd"], mjd)
    assert part.table["key"].tolist() == keys


def test_select_can_keep_some_columns_only():
    part = _batch().select([2], columns=("mjd", "flag"))
    assert list(part.columns) == ["mjd", "flag"]
    assert part.n_epochs == 3


def test_with_columns_leaves_the_old_batch_alone():
    batch = _batch()
    other = batch.with_columns(flux=np.ones(5), extra=np.zeros(5))
    assert batch.columns["flux"].sum() == 0
    assert "extra" not in batch.columns
    assert other.columns["flux"].sum() == 5
    assert other.columns["mjd"] is batch.columns["mjd"]


def test_concatenate_undoes_select_and_nothing_joins_to_empty():
    batch = _batch((2, 0, 3, 1))
    joined = LightcurveBatch.concatenate([batch.select([0, 1]), LightcurveBatch.empty(), batch.select([2, 3])])
    np.testing.assert_array_equal(joined.starts, batch.starts)
    np.testing.assert_array_equal(joined.columns["mjd"], batch.columns["mjd"])
    assert joined.table["source"].tolist() == ["s0", "s1", "s2", "s3"]
    assert LightcurveBatch.concatenate([]).n_lightcurves == 0


def test_empty_has_every_standard_column():
    batch = LightcurveBatch.empty()
    assert list(batch.columns) == list(COLUMNS)
    assert list(batch.table) == list(TABLE)
    assert (batch.n_lightcurves, batch.n_epochs, batch.select([]).n_lightcurves) == (0, 0, 0)


def test_wrong_shapes_are_refused():
    batch = _batch()
    with pytest.raises(ValueError, match=r"column 'mag' must have shape \(5,\), got \(4,\)"):
        batch.with_columns(mag=np.zeros(4))
    with pytest.raises(ValueError, match="from 0 to the 5 values"):
        LightcurveBatch(batch.columns, np.array([0, 4]), {})
    with pytest.raises(ValueError, match=r"table 'key' must have shape \(3,\)"):
        LightcurveBatch(batch.columns, batch.starts, {"key": np.array(["a"])})
    with pytest.raises(ValueError, match=r"mask must have shape \(3,\), got \(2,\)"):
        batch.select([True, False])


def test_batches_with_other_columns_do_not_join():
    batch = _batch()
    with pytest.raises(ValueError, match=r"only some have \['extra'\]"):
        LightcurveBatch.concatenate([batch, batch.with_columns(extra=np.zeros(5))])


def test_the_representation_fits_a_line():
    assert repr(make_batch([3, 4])) == "<LightcurveBatch of 2 lightcurves, 7 epochs>"
