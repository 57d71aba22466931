"""What is a number in a table and what is not."""

import pytest

from vo_lib.catalog import read_catalog
from vo_lib.errors import CatalogError, ServiceError
from vo_lib.numbers import to_float, to_floats, to_ints
from vo_lib.observatories.answers import read_csv_answer


@pytest.mark.parametrize("text", ["1_2", "1_0.5", "_1", "1e1_0", "x", ""])
def test_underscores_make_no_number(text):
    with pytest.raises(ValueError, match="number|convert"):
        to_float(text)
    for convert in (to_floats, to_ints):
        with pytest.raises(ValueError, match="number|invalid literal|convert"):
            convert(["1", text])


def test_numbers_are_read():
    assert to_float(" -1.5e3") == -1500
    assert to_floats(["1", "nan", "2.5"])[[0, 2]].tolist() == [1, 2.5]
    assert to_ints(["-7", str(2**62)]).tolist() == [-7, 2**62]
    assert to_floats([]).shape == to_ints([]).shape == (0,)
    with pytest.raises(OverflowError):
        to_ints([str(2**63)])


@pytest.mark.parametrize("rows", ["s,1_0.5,3", "s,10.5,3_0", "24_1,10.5,3\nt,1_1,4"])
def test_a_position_with_an_underscore_is_an_error_of_its_row(tmp_path, rows):
    (tmp_path / "catalog.csv").write_text(f"name,ra,dec\n{rows}\n")
    with pytest.raises(CatalogError, match="line [23].*_"):
        read_catalog(tmp_path / "catalog.csv")


def test_names_may_have_underscores(tmp_path):
    (tmp_path / "catalog.csv").write_text("name,ra,dec,mag\n24_1,10.5,3,15\n24_2,11,4,1_6\n")
    with pytest.raises(CatalogError, match="mag is '1_6', which is not a number"):
        read_catalog(tmp_path / "catalog.csv")
    (tmp_path / "catalog.csv").write_text("name,ra,dec\n24_1,10.5,3\n24_2,11,4\n")
    assert read_catalog(tmp_path / "catalog.csv")["name"].tolist() == ["24_1", "24_2"]


@pytest.mark.parametrize("row", ["1_2,3.5", "12,3_5.0"])
def test_an_answer_with_an_underscore_in_a_number_is_not_believed(row):
    columns = {"oid": ("i8", "", ""), "mag": ("f8", "mag", "")}
    with pytest.raises(ServiceError, match="line 2 of the answer has '.*_.*' for (oid|mag), not a number"):
        read_csv_answer(f"oid,mag\n{row}\n", columns)


@pytest.mark.parametrize(
    ("kind", "value"), [("i2", "100000"), ("i4", "-3000000000"), ("u1", "-1"), ("i8", "1" * 19 + "0")]
)
def test_a_number_beyond_its_type_is_refused_and_not_wrapped(kind, value):
    with pytest.raises(ServiceError, match=f"line 3 of the answer has '{value}' for flags, not a number of its type"):
        read_csv_answer(f"flags\n7\n{value}\n", {"flags": (kind, "", "")})
