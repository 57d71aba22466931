"""Reduced files: what is written is read, by this library and by others."""

import hashlib
import json

import h5py
import numpy as np
import pandas as pd
import pytest
from astropy.table import Table
from make_epochs import PlainSurvey, make_epochs, make_sources

from vo_lib.batch import COLUMNS, LightcurveBatch
from vo_lib.errors import StaleProductError, UserError
from vo_lib.reduce import reduce_bin
from vo_lib.reduction.describe import STATISTICS
from vo_lib.reduction.reduced import DESCRIPTIONS, read_reduced, write_reduced

METADATA = {"provenance": "0123456789", "obs": "PLAIN", "bin": "RA010", "parameters": {"gap_days": 40}, "code": "c0de"}


@pytest.fixture
def reduction():
    """Three lightcurves of two sources; one epoch is left out and one source has no data."""
    time = np.concatenate([58000 + np.arange(5.0), 58000 + 100 * np.arange(2.0), [np.nan]])
    data = make_epochs(time, flux=np.arange(8.0) - 1)
    sources = make_sources(["A/1", "Bé", "C"], status=["ok", "ok", "failed"])
    return reduce_bin(sources, data, [5, 3, 0], PlainSurvey())


@pytest.fixture
def path(reduction, tmp_path):
    """The reduced file of `reduction`."""
    write_reduced(tmp_path / "PLAIN/x_reduced.h5", [reduction], METADATA)
    return tmp_path / "PLAIN/x_reduced.h5"


def test_batch_survives_the_file(reduction, path):
    batch = read_reduced(path)
    np.testing.assert_array_equal(batch.starts, reduction.batch.starts)
    for name, values in reduction.batch.columns.items():
        np.testing.assert_array_equal(batch.columns[name], values)
        assert batch.columns[name].dtype == values.dtype
    for name, values in reduction.batch.table.items():
        np.testing.assert_array_equal(batch.table[name], values)
    assert list(batch.table) == ["key", "source", "obs", "filter", "series", "number", "count", *STATISTICS, "digest"]


def test_a_file_of_blocks_is_that_of_the_whole(path, tmp_path):
    time = np.concatenate([58000 + np.arange(5.0), 58000 + 100 * np.arange(2.0), [np.nan]])
    data = make_epochs(time, flux=np.arange(8.0) - 1)
    sources = make_sources(["A/1", "Bé", "C"], status=["ok", "ok", "failed"])
    parts = [(slice(0, 1), data[:5], [5]), (slice(1, 3), data[5:], [3, 0])]
    reductions = (
        reduce_bin({name: values[block] for name, values in sources.items()}, epochs, counts, PlainSurvey())
        for block, epochs, counts in parts
    )
    write_reduced(tmp_path / "blocks.h5", reductions, METADATA)
    with h5py.File(path) as whole, h5py.File(tmp_path / "blocks.h5") as file:
        assert list(file) == list(whole)
        for key in whole:
            if key not in ("index", "metadata", "columns"):
                assert file[key][()].tobytes() == whole[key][()].tobytes()
    first, second = read_reduced(path).table, read_reduced(tmp_path / "blocks.h5").table
    assert list(second) == list(first)
    for name in first.keys() - {"place"}:
        np.testing.assert_array_equal(second[name], first[name], err_msg=name)


def test_digest_is_that_of_the_stored_bytes(path):
    batch = read_reduced(path)
    with h5py.File(path) as file:
        for key, digest in zip(batch.table["key"].tolist(), batch.table["digest"].tolist(), strict=True):
            assert digest == hashlib.sha256(file[key][:].tobytes()).hexdigest()[:16]
    assert len(set(batch.table["digest"].tolist())) == 3


def test_same_lightcurves_give_the_same_digests(reduction, path, tmp_path):
    write_reduced(tmp_path / "again.h5", [reduction], METADATA | {"provenance": "other"})
    again = read_reduced(tmp_path / "again.h5")
    np.testing.assert_array_equal(again.table["digest"], read_reduced(path).table["digest"])


def test_keys_and_columns_are_as_promised(path):
    with h5py.File(path) as file:
        assert "A%2F1_reduction_01_of_01" in file
        assert file["A%2F1_reduction_01_of_01"].dtype.names == tuple(COLUMNS)
        metadata, columns = json.loads(file["metadata"][()]), json.loads(file["columns"][()])
    time = {"scale": "utc", "reference": "observatory", "stamp": "mid", "zero_jd": 2400000.5, "site": None}
    assert metadata == METADATA | {"schema": 1, "process": "reduce", "survey_time": time}
    assert columns["flux"]["unit"] == "uJy"
    assert columns["bmjd_tdb"]["description"] == "middle of the exposure, BJD_TDB - 2400000.5"


def test_every_column_is_described():
    assert list(DESCRIPTIONS) == list(COLUMNS)


def test_account_of_all_epochs_is_in_the_file(path):
    with h5py.File(path) as file:
        sources, left_out = file["sources"][:], file["left_out"][:]
    assert sources["source"].tolist() == [b"A/1", "Bé".encode(), b"C"]
    assert sources["n_raw"].tolist() == [5, 3, 0]
    assert sources["n_kept"].tolist() == [5, 2, 0]
    assert left_out.tolist() == [("Bé".encode(), b"1", b"nan_time", 1)]


def test_pandas_and_astropy_read_it(path):
    key = "A%2F1_reduction_01_of_01"
    with h5py.File(path) as file:
        frame = pd.DataFrame(file[key][:])
    table = Table.read(path, path=key)
    np.testing.assert_array_equal(frame["flux"], np.arange(5.0) - 1)
    np.testing.assert_array_equal(table["flux"], np.arange(5.0) - 1)


def test_empty_bin(tmp_path):
    data = make_epochs(np.zeros(0))
    reduction = reduce_bin(make_sources(["A"], status=["failed"]), data, [0], PlainSurvey())
    write_reduced(tmp_path / "empty.h5", [reduction], METADATA)
    batch = read_reduced(tmp_path / "empty.h5", provenance="0123456789")
    assert (batch.n_lightcurves, batch.n_epochs) == (0, 0)
    assert LightcurveBatch.concatenate([batch, batch]).n_lightcurves == 0
    assert list(batch.columns) == list(COLUMNS)
    with h5py.File(tmp_path / "empty.h5") as file:
        assert file["index"].shape == file["left_out"].shape == (0,)
        assert file["sources"]["status"].tolist() == [b"failed"]


def test_empty_and_full_bins_can_be_joined(path, tmp_path):
    write_reduced(tmp_path / "e.h5", [reduce_bin(make_sources([]), make_epochs([]), [], PlainSurvey())], METADATA)
    full, empty = read_reduced(path), read_reduced(tmp_path / "e.h5")
    for batches in ([empty, full], [full, empty]):
        joined = LightcurveBatch.concatenate(batches)
        assert joined.table["key"].tolist() == full.table["key"].tolist()
        assert joined.table["n_epochs"].dtype == np.int64


def test_right_provenance_is_accepted(path):
    assert read_reduced(path, provenance="0123456789").n_lightcurves == 3


def test_other_provenance_is_refused(path):
    with pytest.raises(StaleProductError, match=r"x_reduced\.h5: .* 0123456789, not abcdef .*run snakemake"):
        read_reduced(path, provenance="abcdef")


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_reduced(tmp_path / "none.h5")


def test_other_file(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(UserError, match="has no entry 'metadata', so it is damaged or is not from"):
        read_reduced(tmp_path / "other.h5")


def test_a_file_takes_little_more_than_its_epochs(tmp_path):
    """1.08 MB for each source, as by pandas, would be 216 MB."""
    n_sources, n_epochs = 200, 100
    data = make_epochs(58000 + np.tile(np.arange(float(n_epochs)), n_sources), flux=np.ones(n_sources * n_epochs))
    sources = make_sources([f"s{number}" for number in range(n_sources)])
    reduction = reduce_bin(sources, data, [n_epochs] * n_sources, PlainSurvey())
    write_reduced(tmp_path / "x.h5", [reduction], METADATA)
    epochs = sum(values.nbytes for values in reduction.batch.columns.values())
    assert (tmp_path / "x.h5").stat().st_size < epochs + 2000 * n_sources
