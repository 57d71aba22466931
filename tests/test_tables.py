"""Tables as CSV files, and one after the other."""

import numpy as np
import pytest

from vo_lib.errors import DamagedProductError, UserError
from vo_lib.tables import concatenate_tables, count_rows, read_csv, take_rows, write_csv

COLUMNS = {"name": ("U1", "", ""), "number": ("i8", "", ""), "value": ("f8", "d", "")}
TABLE = {
    "name": np.array(['a,"b"', "", "µ"]),
    "number": np.array([1, -2, 2**60]),
    "value": np.array([0.1, np.nan, 1e-300]),
}


def test_a_table_comes_back_from_a_csv_file(tmp_path):
    write_csv(tmp_path / "t.csv", [TABLE])
    assert (tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()[2] == ",-2,"
    np.testing.assert_equal(read_csv(tmp_path / "t.csv", COLUMNS), TABLE)


def test_a_table_without_rows_keeps_its_types(tmp_path):
    empty = {name: values[:0] for name, values in TABLE.items()}
    write_csv(tmp_path / "t.csv", [empty])
    kinds = [values.dtype.kind for values in read_csv(tmp_path / "t.csv", COLUMNS).values()]
    assert kinds == ["U", "i", "f"]


def test_a_csv_file_that_is_missing_is_one_clear_line(tmp_path):
    with pytest.raises(UserError, match=r"t\.csv: no such file; run snakemake or Project.run to make it"):
        read_csv(tmp_path / "t.csv", COLUMNS)


def test_a_number_that_fits_no_column_is_one_clear_line(tmp_path):
    (tmp_path / "t.csv").write_text(f"{','.join(COLUMNS)}\na,{2**63},1.5\n")
    with pytest.raises(DamagedProductError, match=r"t\.csv: is not a table that this workflow wrote"):
        read_csv(tmp_path / "t.csv", COLUMNS)


@pytest.mark.parametrize("row", ["a,1", "a", "a,1,1.5,2"])
def test_a_row_with_another_number_of_cells_is_one_clear_line(tmp_path, row):
    (tmp_path / "t.csv").write_text(f"{','.join(COLUMNS)}\n{row}\n")
    with pytest.raises(DamagedProductError, match="a row has a different number of cells than the header"):
        read_csv(tmp_path / "t.csv", COLUMNS)


def test_tables_are_put_one_after_the_other():
    assert concatenate_tables([TABLE, TABLE])["number"].tolist() == [1, -2, 2**60] * 2
    assert concatenate_tables([]) == {}


def test_tables_of_a_csv_file_are_written_one_after_the_other(tmp_path):
    write_csv(tmp_path / "t.csv", iter([TABLE, TABLE]))
    write_csv(tmp_path / "one.csv", [concatenate_tables([TABLE, TABLE])])
    assert (tmp_path / "t.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [(slice(1, None), [2, 3]), ([2, 0], [3, 1]), (np.array([True, False, False]), [1]), (slice(0), [])],
)
def test_rows_are_taken_and_counted(rows, expected):
    taken = take_rows({"a": np.array([1, 2, 3]), "b": np.array([1, 2, 3])}, rows)
    assert [values.tolist() for values in taken.values()] == [expected, expected]
    assert count_rows(taken) == len(expected)
    assert count_rows({}) == 0
