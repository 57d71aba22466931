import numpy as np
import pytest

from vo_lib.errors import UserError
from vo_lib.manifest import catalog_rows, next_generation, read_header, read_manifest, write_manifest

ROW = {"pmra": None, "pmdec": None, "parallax": None, "epoch": 2016.0, "mag": 15.5, "mag_err": None, "mag_filter": "G"}


def source(name, status="ok", n_rows=3):
    return {"name": name, "ra": 1.0, "dec": 2.0, **ROW, "status": status, "n_rows": n_rows, "digest": "d", "reason": ""}


def test_a_manifest_comes_back_as_it_was(tmp_path):
    path = tmp_path / "m.jsonl"
    write_manifest(path, {"generation": 2}, [source("é\n"), source("b", "empty", 0)])
    header, table = read_manifest(path)
    assert header == read_header(path)
    assert header["counts"] == {"ok": 1, "empty": 1, "failed": 0, "epochs": 3}
    assert table["name"].tolist() == ["é\n", "b"]
    assert np.isnan(table["pmra"]).all()
    assert table["n_rows"].tolist() == [3, 0]


@pytest.mark.parametrize(("failed", "raw_exists", "generation"), [(0, True, 4), (2, True, 5), (0, False, 5)])
def test_a_download_is_pending_again_after_failures_or_a_loss(failed, raw_exists, generation):
    assert next_generation({"generation": 4, "counts": {"failed": failed}}, raw_exists) == generation


def test_the_first_download_is_generation_one(tmp_path):
    assert read_header(tmp_path / "none") is None
    assert next_generation(None, raw_exists=True) == next_generation(None, raw_exists=False) == 1


def test_rows_of_a_catalog_have_none_for_what_is_missing():
    table = {"name": np.array(["a"]), "mag": np.array([np.nan]), "ra": np.array([1.5])}
    assert catalog_rows(table) == [{"name": "a", "mag": None, "ra": 1.5}]


def test_a_manifest_that_cannot_be_read_says_what_to_do(tmp_path):
    with pytest.raises(UserError, match="no such manifest; run snakemake"):
        read_manifest(tmp_path / "none")
    (tmp_path / "m").write_text("half a li")
    with pytest.raises(UserError, match="is not a manifest .*delete it and run again"):
        read_header(tmp_path / "m")
