"""Processed, simulated and combined files: keys as promised, columns as they were, read by others."""

import hashlib
import json

import h5py
import numpy as np
import pandas as pd
import pytest
from astropy.table import Table
from make_epochs import PlainSurvey, make_epochs, make_sources

from vo_lib.batch import COLUMNS, LightcurveBatch
from vo_lib.combine import OFFSET_COLUMNS, combine
from vo_lib.dataset import Lightcurve
from vo_lib.paths import combined_file, processed_file, simulated_file
from vo_lib.quality import assess
from vo_lib.reduce import reduce_bin
from vo_lib.reduction.combined import write_combined
from vo_lib.reduction.describe import STATISTICS
from vo_lib.reduction.processed import write_processed, write_simulated
from vo_lib.reduction.reduced import read_reduced, write_reduced
from vo_lib.search.detrend import detrend
from vo_lib.simulator import inject

METADATA = {"provenance": "0123456789", "process": "analyze", "bin": "RA010"}


@pytest.fixture
def batch(tmp_path):
    """Three lightcurves of two sources as they are read, with quality flags and S/N."""
    rng = np.random.default_rng(1)
    time = np.concatenate([58000 + np.arange(30.0), 58100 + np.arange(30.0), 58000 + np.arange(40.0)])
    data = make_epochs(time, flux=rng.normal(100, 1, 100), flag=np.where(np.arange(100) == 3, 2, 0))
    reduction = reduce_bin(make_sources(["A/1", "B"]), data, [60, 40], PlainSurvey())
    write_reduced(tmp_path / "reduced.h5", [reduction], METADATA)
    return analysed(read_reduced(tmp_path / "reduced.h5"))


def analysed(batch):
    """Batch with quality flags and S/N."""
    qflag = assess(batch, bad_flags={"PLAIN": 6}).qflag
    return batch.with_columns(qflag=qflag, snr=batch.columns["flux"] - 100.0)


def test_files_and_keys_have_the_promised_names(batch, tmp_path):
    assert processed_file("TEST", "ZTF", "RA123") == "TEST/ZTF_photometry_RA123_processed.h5"
    assert simulated_file("TEST", "ZTF", "RA123") == "TEST/ZTF_photometry_RA123_simulated.h5"
    assert combined_file("TEST", "RA123") == "TEST/RA123_combined.h5"
    write_processed(tmp_path / "p.h5", batch, METADATA)
    keys = [lightcurve.filekey for lightcurve in Lightcurve.all_in(tmp_path / "p.h5")]
    assert keys == ["A%2F1_processed_01_of_02", "A%2F1_processed_02_of_02", "B_processed_01_of_01"]


def test_a_processed_lightcurve_has_the_reduced_columns_flag_and_signal_to_noise(batch, tmp_path):
    write_processed(tmp_path / "p.h5", batch, METADATA)
    first = Lightcurve(tmp_path / "p.h5", "A%2F1_processed_01_of_02")
    assert first.data.dtype.names == (*COLUMNS, "qflag", "snr")
    for name in first.data.dtype.names:
        np.testing.assert_array_equal(first.data[name], batch.lightcurve(0)[name])
    assert first.data["qflag"][3] == 1
    assert (first.data.dtype["qflag"], first.data.dtype["snr"]) == (np.int64, np.float64)
    assert (first.units["snr"], first.units["flux_median"]) == ("", "uJy")
    table = Table.read(tmp_path / "p.h5", path=first.filekey)
    with h5py.File(tmp_path / "p.h5") as file:
        frame = pd.DataFrame(file[first.filekey][:])
        assert json.loads(file["metadata"][()]) == METADATA
    np.testing.assert_array_equal(table["snr"], frame["snr"])


def test_processed_files_are_read_like_reduced_ones(batch, tmp_path):
    write_processed(tmp_path / "p.h5", batch, METADATA)
    again = read_reduced(tmp_path / "p.h5", provenance="0123456789")
    np.testing.assert_array_equal(again.columns["flux"], batch.columns["flux"])
    assert list(again.table) == list(batch.table)


def test_the_raw_flux_is_kept_beside_the_detrended_one(batch, tmp_path):
    flat = analysed(detrend(batch, np.ones(batch.n_epochs, bool), window_days=10.0))
    write_processed(tmp_path / "p.h5", flat, METADATA)
    lightcurve = Lightcurve(tmp_path / "p.h5", "B_processed_01_of_01")
    assert [lightcurve.units[name] for name in ("flux", "flux_raw", "trend")] == ["uJy"] * 3
    data = lightcurve.data
    np.testing.assert_array_equal(data["flux_raw"], batch.lightcurve(2)["flux"])
    offset = data["flux"] + data["trend"] - data["flux_raw"]
    np.testing.assert_allclose(offset, np.median(data["flux_raw"]), rtol=1e-12)


def test_simulated_lightcurves_are_counted_for_each_processed_one(batch, tmp_path):
    qflag = batch.columns["qflag"]
    injected, truth = inject(batch, qflag, seed=1, num_injections=5)
    write_simulated(tmp_path / "s.h5", analysed(injected), truth, METADATA)
    with h5py.File(tmp_path / "s.h5") as file:
        index, injections = file["index"][:], file["injections"][:]
        keys = [key.decode() for key in index["key"]]
        assert [key.decode() for key in injections["key"]] == keys
        for row, key in enumerate(keys):
            for name in ("flux", "light"):
                np.testing.assert_array_equal(file[key][name], injected.lightcurve(row)[name])
        units = {name: column["unit"] for name, column in json.loads(file["columns"][()]).items()}
    assert [units[name] for name in ("snr", "light", "rms", "amplitude", "peak_mjd")] == ["", "uJy", "uJy", "uJy", "d"]
    of_original = {name for name in batch.table if name in STATISTICS and name != "n_epochs"}
    assert len(of_original) > 5
    assert set(index.dtype.names) == set(injected.table) - of_original - {"original"} | {"place", "digest"}
    for row, key in enumerate(keys):
        with h5py.File(tmp_path / "s.h5") as file:
            epochs = file[key][:]
        assert index["digest"][row].decode() == hashlib.sha256(epochs.tobytes()).hexdigest()[:16]
        assert index["n_epochs"][row] == len(epochs)
    assert len(keys) == len(set(keys)) == 10
    for original in np.unique(injected.table["original"]).tolist():
        mine = [key for key, row in zip(keys, injected.table["original"], strict=True) if row == original]
        stem = batch.table["key"][original].replace("reduction", "processed")
        assert mine == [f"{stem}_simulated_{n:02d}_of_{len(mine):02d}" for n in range(1, len(mine) + 1)]


def test_combined_lightcurves_and_their_offsets_are_in_one_file(batch, tmp_path):
    combination = combine(batch, batch.columns["qflag"] == 0)
    write_combined(tmp_path / "c.h5", combination, METADATA)
    keys = [lightcurve.filekey for lightcurve in Lightcurve.all_in(tmp_path / "c.h5")]
    assert keys == ["A%2F1_combined_01_of_01", "B_combined_01_of_01"]
    assert Lightcurve(tmp_path / "c.h5", keys[0]).data["qflag"].sum() == 1
    with h5py.File(tmp_path / "c.h5") as file:
        assert file["offsets"].dtype.names == tuple(OFFSET_COLUMNS)
        assert file["offsets"]["n_epochs"].tolist() == [60, 40]


def test_empty_bins(tmp_path):
    data = make_epochs([])
    write_reduced(tmp_path / "r.h5", [reduce_bin(make_sources(["A"]), data, [0], PlainSurvey())], METADATA)
    empty = analysed(read_reduced(tmp_path / "r.h5"))
    write_processed(tmp_path / "p.h5", empty, METADATA)
    injected, truth = inject(empty, empty.columns["qflag"], seed=1)
    write_simulated(tmp_path / "s.h5", analysed(injected), truth, METADATA)
    write_combined(tmp_path / "c.h5", combine(empty, np.zeros(0, bool)), METADATA)
    for name in "psc":
        assert Lightcurve.all_in(tmp_path / f"{name}.h5") == []
    assert isinstance(empty, LightcurveBatch)
