import gzip
import tracemalloc

import numpy as np
import pytest
from astropy.table import Table

from vo_lib.catalogs.files import read_columns
from vo_lib.errors import CatalogError


def read_text(tmp_path, text, columns=("name", "ra", "dec"), **options):
    path = tmp_path / "catalog.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_columns(path, {name: name for name in columns}, **options)


def test_csv_with_comments_blank_lines_quotes_and_any_line_ends(tmp_path):
    text = '\ufeff# about, "it\r\n\r\nname, ra ,dec\r\n  # more\r\n"a#1, b",1,-2\r\n\r\n"two\r\nlines",3,+4.5e0\r\n'
    found = read_text(tmp_path, text, texts=["name"])
    assert found.values["name"].tolist() == ["a#1, b", "two\r\nlines"]
    assert found.values["ra"].tolist() == [1.0, 3.0]
    assert found.values["dec"].tolist() == [-2.0, 4.5]
    assert found.where([0]) == "line 5"
    assert found.where([0, 1]) == "lines 5 and 8"


@pytest.mark.parametrize(
    "start", [b"", b"name,ra,dec\n", b"# %ECSV 1.0\n# ", b"name,ra,dec\na,1,2\n\xff", b"\xff\xfen\0\n\0"]
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "packed"])
def test_a_line_that_does_not_end_is_not_read_to_its_end(tmp_path, start, pack):
    (tmp_path / "catalog.csv").write_bytes(pack(start + b"a" * (1 << 25)))
    tracemalloc.start()
    try:
        with pytest.raises(CatalogError, match=r"line \d has more than 1,048,576 bytes; is it a table"):
            read_columns(tmp_path / "catalog.csv", {"name": "name"})
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("sign", [",", ";", "\t", "|", " "])
def test_lines_of_blanks_alone_are_no_rows(tmp_path, sign):
    found = read_text(tmp_path, f"name{sign}ra{sign}dec\na{sign}1{sign}2\n   \nb{sign}3{sign}4\n  \n", texts=["name"])
    assert found.values["name"].tolist() == ["a", "b"]
    assert found.where([1]) == "line 4"


def test_a_row_of_tabs_has_empty_cells(tmp_path):
    assert read_text(tmp_path, "name\tra\tdec\na\t1\t2\n\t\t\n", texts=["name"]).values["name"].tolist() == ["a", ""]


@pytest.mark.parametrize("number", [2**53 + 1, -(2**53) - 1])
def test_a_number_whose_float_is_another_one_stays_text(tmp_path, number):
    text = f"name,ra,dec,id\na,1,2,{number}\nb,1,2,5\n"
    assert read_text(tmp_path, text, columns=("name", "id"), texts=["name"]).values["id"].tolist() == [str(number), "5"]


def test_quotes_may_stand_behind_blanks(tmp_path):
    found = read_text(tmp_path, 'name, ra, dec, note\n"HD 1", 10.5, 20.5, "x, y"\n', texts=["name"])
    assert found.values["name"].tolist() == ["HD 1"]
    assert found.values["dec"].tolist() == [20.5]


def test_names_in_quotes_may_begin_like_a_comment(tmp_path):
    text = '# by hand\nname,ra,dec\n"#1",10,20\n #2,30,40\n#3,50,60\nplain,70,80\n'
    found = read_text(tmp_path, text, texts=["name"])
    assert found.values["name"].tolist() == ["#1", "plain"]
    assert found.where([1]) == "line 6"


@pytest.mark.parametrize("header", ["#name ra dec", "# name, ra, dec", "#  name\tra\tdec\tmag"])
def test_a_header_that_is_a_comment_is_named(tmp_path, header):
    with pytest.raises(CatalogError, match="line 2 has the names of the columns, but is a comment; remove the #"):
        read_text(tmp_path, f"# stars\n{header}\na 1 2\n", needed=("name", "ra", "dec"))


@pytest.mark.parametrize("keywords", ["", "\\fixlen = T\n"])
def test_an_ipac_table_is_told_from_csv(tmp_path, keywords):
    table = "|name  |ra     |dec    |\n|char  |double |double |\n a      10.5    20.5  \n"
    with pytest.raises(CatalogError, match="is an IPAC table, which is not read; get or save it as VOTable or CSV"):
        read_text(tmp_path, keywords + table)


def test_bars_at_the_ends_of_lines_are_no_trouble(tmp_path):
    assert read_text(tmp_path, "|name|ra|\n|d|1|\n", texts=["name"]).values["ra"].tolist() == [1.0]


@pytest.mark.parametrize("cell", ["", " ", "nan", "NaN", "null", "--"])
def test_csv_without_a_value(tmp_path, cell):
    found = read_text(tmp_path, f"name,ra\na,1\nb,{cell}\n")
    np.testing.assert_array_equal(found.values["ra"], [1.0, np.nan])


def test_a_column_that_is_not_all_numbers_stays_text_as_written(tmp_path):
    rows = [f"s{row},{row}.50,{row}" for row in range(9000)]
    found = read_text(tmp_path, "name,ra,dec\n" + "\n".join(rows) + "\nlast, 12:34:56 ,1\n")
    assert found.values["ra"].tolist()[:2] == ["0.50", "1.50"]
    assert found.values["ra"][-1] == "12:34:56"
    assert found.values["dec"].dtype == float
    assert found.where([8999, 9000]) == "lines 9001 and 9002"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "# c\nname,ra\nx,1\n\ny,2,3\n",
            "line 5 has 3 cells, the header has 2, separated by commas; quote cells that contain commas",
        ),
        ("name,ra\nx\n", "line 2 has 1 cell, the header has 2, separated by commas; add the missing ones"),
        ("name,ra,ra\nx,1,2\n", "has 2 columns 'ra'; rename all but one"),
        ("name ra\nx 1 2\n", "line 2 has 3 cells, the header has 2, separated by blanks"),
        (
            b"# c\nname,ra\ncaf\xe9,1\n",
            r"line 3 is not UTF-8 text: .* 0xe9, 'é' in Latin-1 .* iconv -f WINDOWS-1252",
        ),
        ('name,ra\n"x,1\n' + "y,2\n" * 40000, r"cannot be read as CSV \(field larger"),
    ],
)
def test_damaged_csv_is_refused(tmp_path, text, message):
    with pytest.raises(CatalogError, match=message):
        read_text(tmp_path, text)


def test_csv_of_nothing_has_no_columns(tmp_path):
    for text in ("", "\n\n", "# only a comment\n"):
        found = read_text(tmp_path, text)
        assert (found.header, found.values) == ([], {})


def test_ecsv_keeps_text_that_looks_like_numbers_and_knows_its_lines(tmp_path):
    table = Table({"name": ["a b", "2"], "code": ["007", "12"], "ra": [1.0, 2.0]}, units={"ra": "hourangle"})
    table.write(tmp_path / "x", format="ascii.ecsv")
    found = read_columns(tmp_path / "x", {"name": "name", "code": "code", "ra": "ra"}, units={"ra": "deg"})
    assert found.values["code"].tolist() == ["007", "12"]
    assert found.values["ra"].tolist() == [15.0, 30.0]
    lines = (tmp_path / "x").read_text().splitlines()
    assert found.where([1]) == f"line {len(lines)}"
    table.write(tmp_path / "comma", format="ascii.ecsv", delimiter=",")
    assert read_columns(tmp_path / "comma", {"name": "name"}).values["name"].tolist() == ["a b", "2"]


@pytest.mark.parametrize(
    ("before", "encoding"), [("", "utf-8-sig"), ("", "utf-16"), ("\n", "utf-8"), ("# notes\n", "utf-8")]
)
def test_ecsv_has_its_units_whatever_stands_before_it(tmp_path, before, encoding):
    Table({"name": ["x"], "ra": [1.5]}, units={"ra": "rad"}).write(tmp_path / "x", format="ascii.ecsv")
    text = (tmp_path / "x").read_text()
    (tmp_path / "x").write_text(before + text, encoding=encoding)
    found = read_columns(tmp_path / "x", {"name": "name", "ra": "ra"}, texts=["name"], units={"ra": "deg"})
    assert (found.format, found.units["ra"]) == ("ECSV", "deg")
    np.testing.assert_allclose(found.values["ra"], np.degrees([1.5]), rtol=1e-15)


def test_ecsv_with_a_damaged_header_is_refused(tmp_path):
    (tmp_path / "x").write_text("# %ECSV 1.0\n# ---\n# datatype: [}\nname ra\nx 1\n")
    with pytest.raises(CatalogError, match="cannot be read as ECSV .*its header is not YAML"):
        read_columns(tmp_path / "x", {"name": "name"})
