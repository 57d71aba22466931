"""One table in every format: the same columns come out of each."""

import gzip
from decimal import Decimal

import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from foreign_files import write_appendable_frame, write_fixed_frame
from table_files import FORMATS, write

from vo_lib import hdf5
from vo_lib.catalogs import source as catalog_source
from vo_lib.catalogs.files import read_columns
from vo_lib.errors import CatalogError

LONG = 4295806720123456789  # a Gaia source_id, which is not a float
COLUMNS = {"name": "id", "ra": "RA", "mag": "Gmag", "note": "note", "count": "n", "epoch": "none"}


def make_table():
    """Four rows with a long number, missing values, accents and a column that nobody wants."""
    return Table(
        {
            "id": np.array([LONG, LONG + 1, 7, -LONG]),
            "unwanted": np.zeros(4),
            "RA": [0.0, 359.9999999999999, 123.456, 1e-300],
            "Gmag": MaskedColumn(np.array([15.25, 0, 17.5, np.nan], dtype="f4"), mask=[False, True, False, False]),
            "note": MaskedColumn(["plain", "", "with, comma", "last"], mask=[False, True, False, False]),
            "n": MaskedColumn(np.array([3, -4, 5, 6], dtype="i2"), mask=[False, False, True, False]),
        },
        units={"RA": "deg"},
    )


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_the_same_columns(kind, tmp_path):
    found = read_columns(write(make_table(), tmp_path, kind), COLUMNS, texts=["name", "note"])
    assert list(found.values) == ["name", "ra", "mag", "note", "count"]
    assert found.values["name"].tolist() == [str(LONG), str(LONG + 1), "7", str(-LONG)]
    assert found.values["note"].tolist() == ["plain", "", "with, comma", "last"]
    np.testing.assert_array_equal(found.values["ra"], [0.0, 359.9999999999999, 123.456, 1e-300])
    np.testing.assert_array_equal(found.values["mag"], [15.25, np.nan, 17.5, np.nan])
    np.testing.assert_array_equal(found.values["count"], [3.0, -4.0, np.nan, 6.0])
    assert {values.dtype.kind for values in found.values.values()} == {"U", "f"}
    assert set(make_table().colnames) <= set(found.header)
    assert found.units == {"name": "", "ra": "" if "csv" in kind[:3] else "deg", "mag": "", "note": "", "count": ""}


@pytest.mark.parametrize("kind", ["hdf5", "parquet"])
def test_values_that_astropy_masks_are_missing(kind, tmp_path):
    table = make_table()
    table["mag"] = MaskedColumn([99.0, 16.0, 99.0, 17.0], mask=[True, False, True, False])
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    options = {"path": "mine", "serialize_meta": True} if kind == "hdf5" else {}
    table.write(tmp_path / "x", format=kind, **options)
    found = read_columns(tmp_path / "x", {"mag": "mag", "count": "n", "note": "note", "ra": "RA"})
    assert "mag.mask" in found.header
    np.testing.assert_array_equal(found.values["mag"], [np.nan, 16.0, np.nan, 17.0])
    np.testing.assert_array_equal(found.values["count"], [3.0, -4.0, np.nan, 6.0])
    assert found.values["note"].tolist() == ["plain", "", "with, comma", "last"]
    assert found.values["ra"].tolist()[0] == 0.0


@pytest.mark.parametrize("kind", FORMATS)
def test_whole_numbers_are_text_only_where_floats_cannot_hold_them(kind, tmp_path):
    found = read_columns(write(make_table(), tmp_path, kind), {"long": "id", "short": "n"})
    assert found.values["long"].tolist() == [str(LONG), str(LONG + 1), "7", str(-LONG)]
    assert found.values["short"].dtype == float


@pytest.mark.parametrize("kind", ["fits", "binary2", "hdf5", "parquet"])
def test_a_float_that_is_no_number_is_no_text(kind, tmp_path):
    found = read_columns(write(Table({"id": [7.5, np.nan]}), tmp_path, kind), {"name": "id"}, texts=["name"])
    assert found.values["name"].tolist() == ["7.5", ""]


def test_names_that_are_decimals_of_parquet_keep_their_digits(tmp_path):
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pa.table({"id": pa.array([Decimal(LONG), Decimal(7)], pa.decimal128(20, 0))}), tmp_path / "x")
    found = read_columns(tmp_path / "x", {"name": "id"}, texts=["name"])
    assert found.values["name"].tolist() == [str(LONG), "7"]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_table_without_wanted_columns_still_has_a_header(kind, tmp_path):
    found = read_columns(write(make_table(), tmp_path, kind), {"dec": "dec"})
    assert found.values == {}
    assert "RA" in found.header


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "hdf5"])  # which astropy cannot write
def test_a_table_without_rows(kind, tmp_path):
    empty = Table({"id": np.zeros(0, int), "RA": np.zeros(0)})
    found = read_columns(write(empty, tmp_path, kind), COLUMNS, texts=["name"])
    assert {name: len(values) for name, values in found.values.items()} == {"name": 0, "ra": 0}
    assert found.values["name"].dtype.kind == "U"


@pytest.mark.parametrize("kind", FORMATS)
def test_all_columns_may_be_read_by_their_names(kind, tmp_path):
    table = make_table()
    table["code"] = ["007", "8", "9", "1e3"]
    found = read_columns(write(table, tmp_path, kind), {"n": "n"}, texts=["n"], others=True)
    assert {name for name in found.values if not name.endswith(".mask")} == set(table.colnames)
    assert found.values["n"].tolist() == ["3", "-4", "", "6"]
    assert found.values["id"].tolist() == [str(LONG), str(LONG + 1), "7", str(-LONG)]
    typed = ["007", "8", "9", "1e3"]
    assert found.values["code"].tolist() == ([7, 8, 9, 1000] if kind.startswith("csv") else typed)


def test_columns_of_arrays_are_left_out_unless_they_are_wanted(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pa.table({"x": [1.0, 2.0], "list": [[1], [2, 3]]}), tmp_path / "x")
    assert list(read_columns(tmp_path / "x", {"x": "x"}, others=True).values) == ["x"]
    with pytest.raises(CatalogError, match="column 'list' for the list does not hold single values"):
        read_columns(tmp_path / "x", {"list": "list"}, others=True)


def test_units_in_the_votable_that_topcat_and_astropy_put_into_parquet_are_used(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    units = {"name": "", "ra": "rad", "pmra": "arcsec/yr"}
    about = {name: {"unit": unit, "ucd": "", "utype": "", "description": ""} for name, unit in units.items()}
    table = Table({"name": ["a", "b"], "ra": [0.1, 0.2], "pmra": [1.0, 2.0]})
    table.write(tmp_path / "x", format="parquet.votable", metadata=about)
    columns, wanted = {name: name for name in units}, {"ra": "deg", "pmra": "mas/yr"}
    found = read_columns(tmp_path / "x", columns, units=wanted)
    np.testing.assert_allclose(found.values["ra"], np.degrees([0.1, 0.2]))
    np.testing.assert_allclose(found.values["pmra"], [1000, 2000])
    whole = parquet.read_table(tmp_path / "x")
    kept = {key: value.replace(b"<ns0:RESOURCE", b"<!ENTITY") for key, value in whole.schema.metadata.items()}
    parquet.write_table(whole.replace_schema_metadata(kept), tmp_path / "x")
    with pytest.raises(CatalogError, match="defines entities"):
        read_columns(tmp_path / "x", columns, units=wanted)


def test_a_parquet_file_of_more_rows_than_its_size_allows_is_refused(tmp_path, monkeypatch):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    monkeypatch.setattr(catalog_source, "FREE_BYTES", 1000)
    names = pa.array(["a"] * 100_000).dictionary_encode()
    parquet.write_table(pa.table({"name": names, "ra": np.zeros(100_000)}), tmp_path / "x", compression="zstd")
    with pytest.raises(CatalogError, match=r"x: its columns unpack to more than [\d,]+ bytes, too large for a catalog"):
        read_columns(tmp_path / "x", {"name": "name", "ra": "ra"})


def test_one_column_may_have_two_names(tmp_path):
    for kind in ("csv", "fits", "binary2", "hdf5"):
        (folder := tmp_path / kind).mkdir()
        found = read_columns(write(make_table(), folder, kind), {"a": "n", "b": "n"}, texts=["b"])
        assert found.values["a"][0] == 3.0
        assert found.values["b"].tolist() == ["3", "-4", "", "6"]


# FITS


def write_fits(path, *columns, **cards):
    """A binary table behind an image; cards such as TZERO1 are added without touching the data."""
    table = fits.BinTableHDU.from_columns(columns)
    table.header.update(cards)
    fits.HDUList([fits.PrimaryHDU(np.zeros((30, 30))), table]).writeto(path)
    return path


def test_fits_with_scales_nulls_and_unsigned_numbers(tmp_path):
    path = write_fits(
        tmp_path / "x",
        fits.Column("u", "K", array=np.array([2**63 - 1, -(2**63), 0])),
        fits.Column("h", "I", array=np.array([-(2**15), 2**15 - 1, 7])),
        fits.Column("s", "J", array=np.array([0, 1, 2])),
        fits.Column("f", "E", array=np.array([1.0, 2.0, 3.0])),
        fits.Column("null", "J", array=np.array([1, -99, 3]), null=-99),
        fits.Column("yes", "L", array=np.array([True, False, True])),
        fits.Column("text", "8A", array=np.array(["  ab", "", "c d"])),
        TZERO1=2**63,
        TZERO2=2**15,
        TSCAL3=0.5,
        TZERO3=1.0,
        TSCAL4=2.0,
    )
    found = read_columns(path, {name: name for name in ("u", "h", "s", "f", "null", "yes", "text")}).values
    assert found["u"].tolist() == [str(2**64 - 1), "0", str(2**63)]
    assert found["h"].tolist() == [0.0, 65535.0, 32775.0]
    assert found["s"].tolist() == [1.0, 1.5, 2.0]
    assert found["f"].tolist() == [2.0, 4.0, 6.0]
    np.testing.assert_array_equal(found["null"], [1.0, np.nan, 3.0])
    assert found["yes"].tolist() == [1.0, 0.0, 1.0]
    assert found["text"].tolist() == ["ab", "", "c d"]


def test_fits_in_single_precision_with_a_zero_is_as_exact_as_astropy_has_it(tmp_path):
    path = write_fits(tmp_path / "x", fits.Column("ra", "E", array=np.array([1e-5, 0.123456789])), TZERO1=180.0)
    found = read_columns(path, {"ra": "ra"})
    assert found.values["ra"].tolist() == fits.getdata(path, 1)["ra"].tolist()
    assert found.values["ra"] == pytest.approx([180.00001, 180.123456789], abs=1e-8)
    assert not found.coarse


def write_wide_fits(path, n_rows):
    """A table with a column of numbers and one of arrays."""
    numbers = fits.Column("a", "J", array=np.arange(n_rows))
    return write_fits(path, numbers, fits.Column("b", "3D", array=np.ones((n_rows, 3))))


def test_fits_of_many_blocks_is_whole_and_rows_are_counted_from_one(tmp_path, monkeypatch):
    monkeypatch.setattr("vo_lib.catalogs.formats._BLOCK_BYTES", 100)
    path = write_fits(
        tmp_path / "x", fits.Column("a", "J", array=np.arange(1000)), fits.Column("b", "3D", array=np.ones((1000, 3)))
    )
    found = read_columns(path, {"a": "a"})
    np.testing.assert_array_equal(found.values["a"], np.arange(1000.0))
    assert found.where([0, 9]) == "rows 1 and 10"


def test_a_fits_table_in_ascii(tmp_path):
    columns = [
        fits.Column("ra", "F10.5", array=np.array([1.5, 2.5]), ascii=True, unit="deg"),
        fits.Column("n", "A5", array=["a", "b"], ascii=True),
    ]
    fits.TableHDU.from_columns(columns).writeto(tmp_path / "x")
    found = read_columns(tmp_path / "x", {"ra": "ra", "name": "n"})
    assert found.values["ra"].tolist() == [1.5, 2.5]
    assert found.values["name"].tolist() == ["a", "b"]


def test_fits_that_is_cut_short_or_has_no_single_values_is_refused(tmp_path):
    path = write_fits(
        tmp_path / "x", fits.Column("a", "J", array=np.arange(5000)), fits.Column("b", "3D", array=np.ones((5000, 3)))
    )
    with pytest.raises(CatalogError, match="column 'b' for the ra does not hold single values"):
        read_columns(path, {"ra": "b"})
    path.write_bytes(path.read_bytes()[:40000])
    with pytest.raises(CatalogError, match="is truncated, not all of its 5000 rows are there; copy it again"):
        read_columns(path, {"a": "a"})
    path.write_bytes(gzip.compress(path.read_bytes())[:-20])
    with pytest.raises(CatalogError, match="x: "):
        read_columns(path, {"a": "a"})


def test_fits_without_a_table_is_refused(tmp_path):
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(tmp_path / "x")
    with pytest.raises(CatalogError, match="is FITS without a table"):
        read_columns(tmp_path / "x", {"a": "a"})


# VOTable


VOTABLE = """<?xml version="1.0"?><!-- from a survey -->
<{p}VOTABLE version="1.3" xmlns{q}="http://www.ivoa.net/xml/VOTable/v1.3"><{p}RESOURCE><{p}TABLE>
<{p}FIELD name="source id" ID="c1" datatype="long"/><{p}FIELD name="ra" ID="c2" datatype="double" unit="rad"/>
<{p}DATA><{p}TABLEDATA><{p}TR><{p}TD>4295806720123456789</{p}TD><{p}TD>1.0</{p}TD></{p}TR>
<{p}TR><{p}TD>5</{p}TD><{p}TD></{p}TD></{p}TR></{p}TABLEDATA></{p}DATA></{p}TABLE>
<{p}TABLE><{p}FIELD name="other" datatype="int"/></{p}TABLE></{p}RESOURCE></{p}VOTABLE>"""


@pytest.mark.parametrize(("prefix", "suffix"), [("", ""), ("vot:", ":vot")])
def test_a_votable_by_names_with_blanks_and_a_prefix(tmp_path, prefix, suffix):
    (tmp_path / "x").write_text(VOTABLE.format(p=prefix, q=suffix))
    found = read_columns(tmp_path / "x", {"ra": "ra", "name": "source id"}, units={"ra": "deg"}, texts=["name"])
    assert found.header == ["source id", "ra"]
    assert found.values["name"].tolist() == ["4295806720123456789", "5"]
    np.testing.assert_allclose(found.values["ra"], [np.degrees(1.0), np.nan])


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_votable_that_is_cut_short_is_refused(tmp_path, pack):
    (tmp_path / "x").write_bytes(pack(VOTABLE.format(p="", q="")[:-30].encode()))
    with pytest.raises(CatalogError, match="is truncated, its last tag is missing; copy it again"):
        read_columns(tmp_path / "x", {"ra": "ra"})


@pytest.mark.parametrize("place", ["<TABLE>", "</TABLE>", "</RESOURCE>"])
def test_a_votable_says_that_it_is_not_whole_or_no_answer(tmp_path, caplog, place):
    for status in ("ERROR", "OVERFLOW", "OK"):
        text = VOTABLE.format(p="", q="").replace(place, f'<INFO name="QUERY_STATUS" value="{status}"/>{place}', 1)
        (tmp_path / status).write_text(text)
    with pytest.raises(CatalogError, match="is the result of a failed query"):
        read_columns(tmp_path / "ERROR", {"ra": "ra"})
    assert len(read_columns(tmp_path / "OK", {"ra": "ra"}).values["ra"]) == 2
    assert not caplog.records
    assert len(read_columns(tmp_path / "OVERFLOW", {"ra": "ra"}).values["ra"]) == 2
    assert "contains only the first rows of the query result" in caplog.text


# HDF5


def test_hdf5_columns_of_different_lengths_are_refused(tmp_path):
    with h5py.File(tmp_path / "x", "w") as file:
        file.update({"name": ["a", "b"], "ra": np.zeros(2), "dec": np.zeros(3), "other": np.zeros(4)})
    assert len(read_columns(tmp_path / "x", {"name": "name", "ra": "ra"}).values["ra"]) == 2
    with pytest.raises(CatalogError, match="columns 'name' and 'dec' have 2 and 3 rows; make them the same length"):
        read_columns(tmp_path / "x", {"name": "name", "ra": "ra", "dec": "dec"})


@pytest.mark.parametrize("write_frame", [write_fixed_frame, write_appendable_frame])
def test_a_frame_of_pandas_that_has_no_columns_is_told(write_frame, tmp_path):
    """There it was said that columns 'axis0' and 'axis1' have other lengths."""
    write_frame(tmp_path / "x", "stars", {"ra": np.zeros(2), "dec": np.zeros(2)})
    for others in (False, True):
        with pytest.raises(CatalogError, match=r"/stars is a frame of pandas that .*; write it by to_parquet, to_csv"):
            read_columns(tmp_path / "x", {"ra": "ra"}, others=others)


def test_a_frame_of_pandas_with_a_column_for_each_is_read(tmp_path):
    rows = np.array([(0, 1.0, 2.0)], [("index", "i8"), ("ra", "f8"), ("dec", "f8")])
    with h5py.File(tmp_path / "x", "w") as file:
        file["stars/table"] = rows
        file["stars/_i_table/index/abounds"] = np.zeros(0)
        file["stars"].attrs["pandas_type"] = np.bytes_(b"frame_table")
        file["stars/table"].attrs.update({"ra_meta": np.bytes_(b"N."), "dec_meta": np.bytes_(b"N.")})
    assert read_columns(tmp_path / "x", {"ra": "ra"}).values["ra"].tolist() == [1.0]
    with h5py.File(tmp_path / "x", "a") as file:
        file["stars/table"].attrs["dec_meta"] = np.bytes_(b"category")
    with pytest.raises(CatalogError, match="has a categorical column of pandas, dec; write it as text"):
        read_columns(tmp_path / "x", {"ra": "ra"})


def test_hdf5_as_a_group_of_datasets_with_units(tmp_path):
    with h5py.File(tmp_path / "x", "w") as file:
        file["other/ra"] = np.zeros(2)
        file["deep/cat/ra"] = np.array([1.0, 2.0])
        file["deep/cat/name"] = ["a", "bé"]
        file["deep/cat/ra"].attrs["unit"] = np.bytes_(b"rad")
    found = read_columns(tmp_path / "x", {"name": "name", "ra": "ra"}, units={"ra": "deg"})
    assert found.values["name"].tolist() == ["a", "bé"]
    np.testing.assert_allclose(found.values["ra"], np.degrees([1.0, 2.0]))


def test_hdf5_of_this_project(tmp_path):
    with hdf5.Writer(tmp_path / "x") as writer:
        writer.write_table("rows", {"name": np.array(["a", "é"]), "ra": np.array([1.0, 2.0])})
        writer.write_json("metadata", {"size": 3})
    found = read_columns(tmp_path / "x", {"name": "name", "ra": "ra"})
    assert found.values["name"].tolist() == ["a", "é"]
    assert found.values["ra"].tolist() == [1.0, 2.0]


def test_hdf5_without_a_table_has_no_columns_and_damaged_hdf5_is_refused(tmp_path):
    with h5py.File(tmp_path / "x", "w") as file:
        file["image"] = np.zeros((3, 3))
    assert read_columns(tmp_path / "x", {"ra": "ra"}).header == []
    (tmp_path / "x").write_bytes((tmp_path / "x").read_bytes()[:600])
    with pytest.raises(CatalogError, match="cannot be read as HDF5"):
        read_columns(tmp_path / "x", {"ra": "ra"})
