"""Codes for no value, and values that cannot be, in catalogs."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from table_files import FORMATS, write

from vo_lib.catalog import read_catalog, read_sources
from vo_lib.catalogs.values import MISSING_VALUES, codes_of
from vo_lib.config import load_schema
from vo_lib.errors import CatalogError
from vo_lib.provenance import PACKAGE_ROOT


def read_text(tmp_path, text, **options):
    """Sources of a CSV file."""
    (tmp_path / "catalog.csv").write_text(text)
    return read_catalog(tmp_path / "catalog.csv", **options)


def test_codes_are_those_of_the_schema():
    schema = load_schema(PACKAGE_ROOT / "workflow/schemas/config.schema.yaml")
    parts = schema["properties"]["catalog"]["properties"]["missing_values"]["properties"]
    assert {name: part["default"] for name, part in parts.items()} == MISSING_VALUES


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("size", ["f4", "f8"])
def test_usual_codes_are_no_values_in_any_format(tmp_path, kind, size, caplog):
    table = Table(
        {
            "name": ["a", "b", "c", "d"],
            "ra": [1.0, 2.0, 3.0, 4.0],
            "dec": [-1.0, 0.0, 1.0, 2.0],
            "pmra": np.array([1e20, -999, 3.5, -9999], dtype=size),
            "mag": np.array([99.99, -99, 15.5, 99.9], dtype=size),
            "mag_err": MaskedColumn(np.array([0.25, 99, 0.5, 1], dtype=size), mask=[True, False, False, False]),
        }
    )
    found = read_catalog(write(table, tmp_path, kind))
    np.testing.assert_array_equal(found["pmra"], [np.nan, np.nan, 3.5, np.nan])
    np.testing.assert_array_equal(found["mag"], [np.nan, np.nan, 15.5, np.nan])
    np.testing.assert_array_equal(found["mag_err"], [np.nan, np.nan, 0.5, 1.0])
    assert "values read as missing because of catalog.missing_values: 3 of mag, 1 of mag_err, 3 of pmra" in caplog.text


def test_codes_count_before_units_are_converted(tmp_path):
    columns = {"name": ["a", "b"], "ra": [1.0, 2], "dec": [1.0, 2], "pmra": [-999.0, 0.5]}
    path = write(Table(columns, units={"pmra": "arcsec/yr"}), tmp_path, "fits")
    np.testing.assert_allclose(read_catalog(path)["pmra"], [np.nan, 500.0], rtol=1e-15)


def test_codes_of_one_column_and_of_all_are_the_users(tmp_path):
    text = "name,ra,dec,mag,pmra,mag_filter,z\n-1,1,2,-1,N/A,-1,-1\nb,1,2,99,7,V,N/A\nc,1,2,98,-999,V,3\n"
    codes = {"all": [-1, "N/A"], "mag": [98, 99.0]}
    table = read_text(tmp_path, text, missing_values=codes)
    assert table["name"].tolist() == ["-1", "b", "c"]
    assert table["mag_filter"].tolist() == ["", "V", "V"]
    assert np.isnan(table["mag"]).all()
    np.testing.assert_array_equal(table["pmra"], [np.nan, 7.0, np.nan])
    assert read_text(tmp_path, text, missing_values=codes, cuts=["z > 2"])["name"].tolist() == ["c"]
    with pytest.raises(
        CatalogError, match="line 2: pmra is 'N/A', .*catalog.missing_values.pmra if it stands for no value"
    ):
        read_text(tmp_path, text)


def test_codes_are_those_of_lists_and_of_magnitudes_for_surveys_too():
    rows = [
        {"name": "a", "ra": 1, "dec": 2, "mag": -999, "rp": 99.99},
        {"name": "b", "ra": 1, "dec": 2, "mag": 3, "rp": 4},
    ]
    table = read_sources(rows, mags={"tess": "rp"}).table
    np.testing.assert_array_equal(table["mag"], [np.nan, 3.0])
    np.testing.assert_array_equal(table["mag_of_tess"], [np.nan, 4.0])


def test_a_missing_coordinate_by_a_code_is_told_as_such(tmp_path):
    with pytest.raises(CatalogError, match="line 3: ra is missing; give the source a position"):
        read_text(tmp_path, "name,ra,dec\na,1,2\nb,-999,2\n", missing_values={"all": [-999]})
    assert codes_of({"all": [5], "mag": []}, ["name", "mag", "x"]) == {"mag": [5], "x": [5]}


@pytest.mark.parametrize("null", [-1, 9999])
def test_nulls_of_fits_are_no_values(tmp_path, null):
    values = np.array([null, 7, 8], dtype="i4")
    columns = [fits.Column("name", "1A", array=list("abc"))]
    columns += [fits.Column(name, "D", array=[1.0, 2, 3]) for name in ("ra", "dec")]
    columns += [fits.Column("pmra", "J", array=values, null=null)]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "binary.fits")
    np.testing.assert_array_equal(read_catalog(tmp_path / "binary.fits")["pmra"], [np.nan, 7.0, 8.0])


def test_nulls_of_ascii_fits_are_no_values(tmp_path):
    columns = [fits.Column("name", "A1", array=list("abc"))]
    columns += [fits.Column(name, "F6.1", array=[1.0, 2, 3], ascii=True) for name in ("ra", "dec")]
    columns += [fits.Column("mag", "F6.1", array=[15.5, 16.5, 0.0], ascii=True, null="---")]
    fits.TableHDU.from_columns(columns).writeto(tmp_path / "ascii.fits")
    content = (tmp_path / "ascii.fits").read_bytes()
    place = content.rindex(b"   0.0")
    (tmp_path / "ascii.fits").write_bytes(content[:place] + b"   ---" + content[place + 6 :])
    np.testing.assert_array_equal(read_catalog(tmp_path / "ascii.fits")["mag"], [15.5, 16.5, np.nan])


VOTABLE = """<?xml version="1.0"?>
<VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE>
<FIELD name="name" datatype="char" arraysize="*"/><FIELD name="ra" datatype="double"/>
<FIELD name="dec" datatype="double"/><FIELD name="pmra" datatype="int"><VALUES null="-5"/></FIELD>
<DATA><TABLEDATA>
<TR><TD>a</TD><TD>1</TD><TD>2</TD><TD>-5</TD></TR><TR><TD>b</TD><TD>1</TD><TD>2</TD><TD>9</TD></TR>
</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>
"""


def test_nulls_of_votables_are_no_values(tmp_path):
    (tmp_path / "x.vot").write_text(VOTABLE)
    np.testing.assert_array_equal(read_catalog(tmp_path / "x.vot")["pmra"], [np.nan, 9.0])


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (
            "pmra",
            15001,
            r"line 3: pmra is 15001.0, it must be between -15000 and 15000 mas/yr \(no star is",
        ),
        (
            "mag_err",
            -1,
            "line 3: mag_err is -1.0, it must be between 0 and 40 mag; .* name it in catalog.missing_values.mag_err",
        ),
        (
            "pmdec",
            -2e4,
            "line 3: pmdec is -20000.0, .* name it in catalog.missing_values.pmdec if it stands",
        ),
        (
            "mag",
            41,
            "line 3: mag is 41.0, it must be between -30 and 40 mag; correct it, or name it in cat",
        ),
        ("mag", -31, "line 3: mag is -31.0"),
        ("rp", 55, "line 3: mag_of_tess is 55.0, .* catalog.missing_values.mag if"),
        ("dec", -90.01, "line 3: dec is -90.01, it must be between -90 and 90 degrees"),
        ("ra", 360.1, "line 3: ra is 360.1, it must be between 0 and 360 degrees"),
        ("ra", -1, "line 3: ra is -1.0"),
    ],
)
def test_values_that_cannot_be_are_one_line(tmp_path, column, value, message):
    good = {"name": "a", "ra": 1, "dec": 2, "pmra": 10393, "pmdec": -10393, "mag": -26.8, "mag_err": 0, "rp": 33}
    rows = [good, good | {"name": "b", column: value}]
    text = "\n".join(",".join(map(str, row)) for row in [good, *map(dict.values, rows)]) + "\n"
    with pytest.raises(CatalogError, match=message) as error:
        read_text(tmp_path, text, mags={"tess": "rp"})
    assert str(error.value).startswith(f"{tmp_path / 'catalog.csv'}: line 3: ")
    assert "\n" not in str(error.value)
