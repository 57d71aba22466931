import bz2
import gzip
import lzma
import subprocess
import sys

import numpy as np
import pytest
from astropy.table import Table

from vo_lib.catalogs.columns import UNITS
from vo_lib.catalogs.files import read_columns
from vo_lib.errors import CatalogError


@pytest.mark.parametrize(
    ("name", "unit", "factor"),
    [
        ("ra", "deg", 1.0),
        ("ra", "rad", 180 / np.pi),
        ("ra", "hourangle", 15.0),
        ("ra", "h", 15.0),
        ("dec", "arcsec", 1 / 3600),
        ("dec", "degrees", 1.0),
        ("pmra", "mas/yr", 1.0),
        ("pmra", "arcsec/yr", 1000.0),
        ("pmra", "mas.yr-1", 1.0),
        ("pmra", "mas.yr**-1", 1.0),
        ("pmdec", "arcsec yr^-1", 1000.0),
        ("pmdec", "deg/yr", 3.6e6),
        ("parallax", "arcsec", 1000.0),
        ("epoch", "yr", 1.0),
        ("epoch", "a", 1.0),
        ("mag", "mag", 1.0),
        ("mag", "mag(AB)", 1.0),
        ("mag_err", "mmag", 0.001),
    ],
)
def test_units_are_turned_into_those_of_the_catalog(tmp_path, name, unit, factor):
    path = tmp_path / "x"
    Table({"c": [2.0, np.nan]}).write(path, format="votable")
    path.write_text(path.read_text().replace('name="c"', f'name="c" unit="{unit}"'))
    found = read_columns(path, {name: "c"}, units=UNITS)
    np.testing.assert_allclose(found.values[name], [2.0 * factor, np.nan], rtol=1e-14)
    assert found.units == {name: UNITS[name]}


def test_a_column_without_a_wanted_unit_keeps_its_own(tmp_path):
    Table({"c": [2.0]}, units={"c": "km/s"}).write(tmp_path / "x", format="fits")
    found = read_columns(tmp_path / "x", {"rv": "c"}, units=UNITS)
    assert (found.values["rv"].tolist(), found.units) == ([2.0], {"rv": "km s-1"})


def test_text_has_no_unit_to_turn(tmp_path):
    Table({"c": ["12:00:00"]}, units={"c": "hourangle"}).write(tmp_path / "x", format="ascii.ecsv")
    found = read_columns(tmp_path / "x", {"ra": "c"}, units=UNITS)
    assert found.values["ra"].tolist() == ["12:00:00"]


@pytest.mark.parametrize("kind", ["fits", "votable", "ascii.ecsv"])
def test_numbers_that_a_file_keeps_as_text_are_converted(tmp_path, kind):
    table = Table({"ra": ["1.5", "23"], "pmra": ["0.5", ""]}, units={"ra": "h", "pmra": "arcsec/yr"})
    table.write(tmp_path / "x", format=kind)
    found = read_columns(tmp_path / "x", {"ra": "ra", "pmra": "pmra"}, units=UNITS)
    np.testing.assert_allclose(found.values["ra"], [22.5, 345.0], rtol=1e-14)
    np.testing.assert_allclose(found.values["pmra"], [500.0, np.nan], rtol=1e-14)


@pytest.mark.parametrize("unit", ["km/s", "s/yr", "furlong", r"\[mas/yr\]"])
def test_a_unit_of_another_kind_is_refused(tmp_path, unit):
    path = tmp_path / "x"
    Table({"c": [2.0]}).write(path, format="votable")
    path.write_text(path.read_text().replace('name="c"', f'name="c" unit="{unit.replace(chr(92), "")}"'))
    with pytest.raises(CatalogError, match=f"column 'c' has the unit '{unit}', which cannot be turned into mas/yr"):
        read_columns(path, {"pmra": "c"}, units=UNITS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x93NUMPY\0\0\0", "is not a table; known are CSV, ECSV, FITS, VOTable, HDF5 and parquet"),
        (b"PK\x03\x04\0\0\0", "is packed by zip; unpack it first; known are CSV, ECSV,"),
        (bz2.compress(b"name,ra\n"), "is packed by bzip2; unpack it first"),
        (lzma.compress(b"name,ra\n"), "is packed by xz; unpack it first"),
        (b"Title: Stars\nAuthors: N.N.\n", "is a machine-readable table of the CDS or AAS, which is not read"),
        (
            "name,ra\nx,1\n".encode("utf-16-le"),
            "UTF-16 without a byte order mark; convert it with: iconv -f UTF-16LE -t",
        ),
        (
            "name,ra\nx,1\n".encode("utf-16-be"),
            "UTF-16 without a byte order mark; convert it with: iconv -f UTF-16BE -t",
        ),
        ("name,ra\nx,1\n".encode("utf-16")[:-1], "is not utf-16 text, though it begins so; convert it to UTF-8"),
        (b"\x1f\x8bbroken", "cannot be read"),
        (gzip.compress(b"name,ra\nx,1\n" * 9, mtime=0)[:-9], "cannot be read"),
        (gzip.compress(b"\x89HDF\r\n\x1a\n", mtime=0), "is HDF5 packed by gzip; unpack it with gunzip first"),
        (gzip.compress(b"PAR1", mtime=0), "is parquet packed by gzip"),
        (b"SIMPLE  =                    T", "cannot be read as FITS"),
        (b"\x89HDF\r\n\x1a\n\0\0", "cannot be read as HDF5"),
        (b"<?xml version='1.0'?><VOTABLE>", "is truncated|cannot be read as VOTable"),
        (b"<?xml version='1.0'?><VOTABLE><TABLE></VOTABLE>", "cannot be read as VOTable"),
        (b"<html>\n<body>,a\n", "is not a catalog or another table but HTML or XML; known are CSV"),
    ],
)
def test_what_is_no_catalog_is_refused_in_one_line(tmp_path, content, message):
    (tmp_path / "x.fits").write_bytes(content)
    with pytest.raises(CatalogError, match=message) as error:
        read_columns(tmp_path / "x.fits", {"ra": "ra"})
    assert str(tmp_path / "x.fits") in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_or_a_folder_is_refused(tmp_path):
    with pytest.raises(CatalogError, match=r"none\.csv: no such catalog; check catalog\.file"):
        read_columns(tmp_path / "none.csv", {})
    with pytest.raises(CatalogError, match="cannot be read"):
        read_columns(tmp_path, {})


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "x").write_bytes(b"PAR1" + bytes(20) + b"PAR1")
    with pytest.raises(CatalogError, match=r"needs pyarrow; install it with: pip install 'vo-lib\[parquet\]'"):
        read_columns(tmp_path / "x", {"ra": "ra"})


def test_nothing_heavy_is_imported_for_csv(tmp_path):
    (tmp_path / "x.csv").write_text("name,ra\na,1\n")
    code = (
        "import sys; from vo_lib.catalogs.files import read_columns;"
        f"read_columns({str(tmp_path / 'x.csv')!r}, {{'ra': 'ra'}}, units={{'ra': 'deg'}});"
        "sys.exit(any(name in sys.modules for name in ('astropy', 'pandas', 'pyarrow')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
