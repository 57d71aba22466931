"""Catalog files with several tables."""

import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.io.votable import from_table, tree
from astropy.table import Table

from vo_lib.catalog import read_catalog
from vo_lib.catalogs.files import read_columns
from vo_lib.errors import CatalogError

STARS = {"name": ["a", "b"], "ra": [1.0, 2.0], "dec": [3.0, 4.0]}
MORE = {"name": ["c"], "ra": [5.0], "dec": [6.0], "mag": [15.0]}
NOTES = {"name": ["a"], "note": ["x"], "ra": [1.0]}


def write_fits(path, tables):
    """FITS with an image between the tables."""
    hdus = [fits.BinTableHDU(Table(table), name=name) for name, table in tables.items()]
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.zeros((2, 2)), name="IMAGE"), *hdus]).writeto(path)


def write_votable(path, tables):
    """VOTable with a resource for each table."""
    file = tree.VOTableFile()
    for name, table in tables.items():
        resource = tree.Resource()
        made = from_table(Table(table)).get_first_table()
        made.name = name
        resource.tables.append(made)
        file.resources.append(resource)
    file.to_xml(str(path))


def write_hdf5(path, tables):
    """HDF5 with a compound dataset for each table, in the order of their names."""
    with h5py.File(path, "w") as file:
        for name, table in tables.items():
            columns = {
                key: np.array(values, dtype="S1" if key in ("name", "note") else float) for key, values in table.items()
            }
            file[name] = Table(columns).as_array()


WRITERS = {"fits": write_fits, "votable": write_votable, "hdf5": write_hdf5}
each_format = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)


@each_format
def test_the_only_table_with_the_columns_is_read_and_told(tmp_path, write, caplog):
    write(tmp_path / "x", {"NOTES": NOTES, "STARS": STARS})
    assert read_catalog(tmp_path / "x")["name"].tolist() == ["a", "b"]
    assert "of its 2 tables 2 '" in caplog.text
    assert "STARS' (name, ra, dec) is read" in caplog.text


@each_format
def test_several_tables_with_the_columns_are_refused_with_a_list(tmp_path, write):
    write(tmp_path / "x", {"A": STARS, "B": MORE, "NOTES": NOTES})
    listed = r"1 '/?A' \(name, ra, dec\); 2 '/?B' \(name, ra, dec, mag\)$"
    with pytest.raises(
        CatalogError, match=f"has 2 tables with the columns name, ra, dec; name one in catalog.table: {listed}"
    ):
        read_catalog(tmp_path / "x")


@each_format
@pytest.mark.parametrize(
    ("table", "names"), [("A", ["a", "b"]), ("B", ["c"]), (1, ["a", "b"]), (2, ["c"]), ("2", ["c"])]
)
def test_a_table_is_chosen_by_name_or_number(tmp_path, write, table, names):
    write(tmp_path / "x", {"A": STARS, "B": MORE, "NOTES": NOTES})
    found = read_catalog(tmp_path / "x", table=table)
    assert found["name"].tolist() == names
    assert np.isfinite(found["mag"]).tolist() == [name == "c" for name in names]


@each_format
@pytest.mark.parametrize("table", [0, 3, "C", "NOTE"])
def test_a_table_that_is_not_there_is_refused_with_a_list(tmp_path, write, table):
    write(tmp_path / "x", {"A": STARS, "NOTES": NOTES})
    with pytest.raises(CatalogError, match=rf"x: has no table '{table}', see catalog.table; it has 1 '/?A' \(name, "):
        read_catalog(tmp_path / "x", table=table)


@each_format
def test_a_table_that_is_named_must_have_the_columns(tmp_path, write):
    write(tmp_path / "x", {"A": STARS, "NOTES": NOTES})
    with pytest.raises(CatalogError, match="has no column 'dec'"):
        read_catalog(tmp_path / "x", table="NOTES")


def test_a_table_of_a_format_without_several_is_refused(tmp_path):
    (tmp_path / "x").write_text("name,ra,dec\na,1,2\n")
    with pytest.raises(CatalogError, match="x: is CSV, which has one table; leave catalog.table empty"):
        read_catalog(tmp_path / "x", table=1)


def test_tables_in_groups_of_hdf5_have_their_paths(tmp_path):
    with h5py.File(tmp_path / "x", "w") as file:
        for group, rows in (("deep/one", STARS), ("deep/two", MORE)):
            for name, values in rows.items():
                file[f"{group}/{name}"] = np.array(values, dtype="S1" if name == "name" else float)
    assert read_catalog(tmp_path / "x", table="/deep/two")["name"].tolist() == ["c"]
    with pytest.raises(CatalogError, match="name one in catalog.table: 1 '/deep/one' .*; 2 '/deep/two'"):
        read_catalog(tmp_path / "x")


def test_without_needed_columns_the_table_with_most_of_the_wanted_ones_is_read(tmp_path):
    write_fits(tmp_path / "x", {"NOTES": NOTES, "A": STARS, "B": MORE})
    assert read_columns(tmp_path / "x", {"n": "name", "d": "dec"}, texts=["n"]).values["n"].tolist() == ["c"]
    assert read_columns(tmp_path / "x", {"n": "note"}).header == ["name", "note", "ra"]
