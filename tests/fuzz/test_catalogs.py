"""Whatever a catalog file holds, it is a table of sources or one line that names the file."""

import numpy as np
import pytest
from fuzz.mutations import mutated
from hypothesis import given
from hypothesis import strategies as st
from one_line import or_one_line

from vo_lib.catalog import read_catalog
from vo_lib.observatories.file_tables import read_table

FORMATS = ("csv", "ascii.ecsv", "votable", "fits", "hdf5", "parquet")
NAMED = {"csv": "csv", "ascii.ecsv": "ecsv"}


def make_files(folder):
    """A catalog in each format, as bytes."""
    from astropy.table import Table

    table = Table(
        {
            "name": ["a", "b c", "ü"],
            "ra": [10.5, 359.99, 0.0],
            "dec": [-90.0, 0.25, 90.0],
            "mag": [15.5, np.nan, 20.25],
            "n": np.array([1, -2, 2**60]),
        },
        units={"ra": "deg", "dec": "deg"},
    )
    for form in FORMATS:
        options = {"path": "t", "serialize_meta": True} if form == "hdf5" else {}
        made = table if form not in ("fits", "hdf5") else table[:2]
        made.write(folder / form, format=form, overwrite=True, **options)
    (folder / "csv2").write_text("name;ra;dec;mag\n'x';12:34:56.7;-01:02:03;1\n# c\n\ny;1;2;\n", encoding="utf-8")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return make_files(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("changed") / "catalog"


@pytest.mark.parametrize("form", [*FORMATS, "csv2"])
@given(data=st.data())
def test_a_changed_file_is_a_catalog_or_one_line(files, path, form, data):
    path.write_bytes(data.draw(mutated([files[form]])))
    with or_one_line(contains=str(path)):
        table = read_catalog(path)
        assert len({len(values) for values in table.values()}) == 1
        assert np.isfinite(table["ra"]).all()


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode(errors="replace")))
def test_any_bytes_are_a_catalog_or_one_line(path, content):
    path.write_bytes(content)
    with or_one_line(contains=str(path)):
        read_catalog(path)


names = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=8)
rows = st.lists(
    st.tuples(names, st.floats(0, 359.999), st.floats(-90, 90)), min_size=1, max_size=5, unique_by=lambda row: row[0]
)


@given(rows)
def test_a_catalog_that_is_written_as_csv_is_read_as_it_was(path, rows):
    rows = [(f"n{name}", *place) for name, *place in rows]  # a name alone may be a comment, or stand for no value
    quoted = ((f'"{name.replace(chr(34), chr(34) * 2)}"', repr(ra), repr(dec)) for name, ra, dec in rows)
    path.write_text("name,ra,dec\n" + "".join(",".join(row) + "\n" for row in quoted), encoding="utf-8")
    table = read_catalog(path)
    assert list(zip(*(table[name].tolist() for name in ("name", "ra", "dec")), strict=True)) == rows


entries = st.lists(
    st.dictionaries(
        st.sampled_from(("name", "ra", "dec", "mag", "x")),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.lists(st.none(), max_size=1),
    ),
    max_size=3,
)


@given(entries)
def test_a_list_of_sources_is_a_catalog_or_one_line(entries):
    with or_one_line(contains="catalog.sources"):
        read_catalog(entries)


LIGHTCURVES = {
    "": b"t,m,e,f,s\n2024-05-01T12:30:00.5,15.5,0.1,g,1\n2024-05-02,16,0.2,r,2\n",
    "d": b"t,m,e,f,s\n60431.5,15.5,0.1,g,1\n6e4,16,0.2,r,2\n",
}
NAMES = {"time": "t", "mag": "m", "magerr": "e", "filter": "f", "series": "s"}


@pytest.mark.parametrize("unit", LIGHTCURVES)
@given(data=st.data())
def test_a_file_of_epochs_is_a_table_or_one_line(path, unit, data):
    path.write_bytes(data.draw(mutated([LIGHTCURVES[unit]])))
    with or_one_line(contains=str(path)):
        table = read_table(path, NAMES, units={}, time_unit=unit, time_scale="utc")
        table.epochs(table.rows_of("any"))


def test_a_time_in_a_year_that_is_far_off_is_no_warning(path):
    path.write_bytes(LIGHTCURVES[""].replace(b"2024-05-01", b"3024-05-01"))
    table = read_table(path, NAMES, units={}, time_unit="", time_scale="utc")
    assert table.made["vo_time"][0] > 4e5
