import numpy as np
import pytest

from vo_lib.catalog import read_catalog
from vo_lib.catalogs.columns import COLUMNS
from vo_lib.catalogs.demo import make_test_catalog, write_catalog
from vo_lib.downloads.manifest import catalog_rows
from vo_lib.observatories.cat_row import position_at
from vo_lib.observatories.demo import VirtualDemo


@pytest.mark.parametrize("ending", [".csv", ".fits", ".h5", ".HDF5"])
def test_each_format_gives_the_catalog_back(tmp_path, ending):
    table = make_test_catalog()
    write_catalog(tmp_path / f"catalog{ending}", table)
    found = read_catalog(tmp_path / f"catalog{ending}")
    assert list(found) == list(table) == list(COLUMNS)
    for name, values in table.items():
        np.testing.assert_array_equal(found[name], values)


def test_the_seed_decides_the_catalog():
    first, again, other = (make_test_catalog(5, seed=seed) for seed in (1, 1, 2))
    assert all(np.array_equal(first[name], again[name], equal_nan=first[name].dtype.kind == "f") for name in first)
    assert not np.array_equal(first["ra"], other["ra"])


def test_the_catalog_has_what_can_go_wrong():
    rows = {row["name"]: row for row in catalog_rows(make_test_catalog(0))}
    assert {row["ra"] for row in rows.values()} >= {0.0, 359.9999}
    assert {row["dec"] for row in rows.values()} >= {-90.0, 90.0}
    pair = [(rows[name]["ra"], rows[name]["dec"]) for name in ("one of a pair", "other of a pair")]
    assert pair[0] == pair[1]
    _, dec = position_at(rows["fast star"], 2026.0)
    assert (dec - rows["fast star"]["dec"]) * 3600 == pytest.approx(103.6, abs=0.1)
    assert [name for name, value in rows["position alone"].items() if value is None] == [
        "pmra",
        "pmdec",
        "parallax",
        "mag",
        "mag_err",
    ]
    sizes = {name: len(VirtualDemo().fetch_data_from_observatory(row)[0]) for name, row in rows.items()}
    assert [name for name, size in sizes.items() if size == 0] == ["no data"]


def test_random_sources_are_spread_over_the_sky():
    table = make_test_catalog(4000)
    assert np.unique(table["name"]).size == 4010
    assert np.abs(np.mean(np.sin(np.radians(table["dec"])))) < 0.04
    assert np.histogram(table["ra"], bins=4, range=(0, 360))[0].min() > 900
    assert np.nanmin(table["mag"]) >= 15
    assert np.nanmax(table["mag"]) <= 20


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"x\.txt: the ending of a catalog must be one of \.csv, \.fits, \.h5, \.hdf5"):
        write_catalog(tmp_path / "x.txt", make_test_catalog())
    assert list(tmp_path.iterdir()) == []
