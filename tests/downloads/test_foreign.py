"""Tables that others made: where they are and what their columns become."""

import pickle

import h5py
import numpy as np
import pytest
from foreign_files import as_columns, write_appendable_frame, write_columns, write_compound, write_fixed_frame
from hypothesis import given
from hypothesis import strategies as st

from vo_lib.downloads.foreign import find_tables, open_foreign, read_columns
from vo_lib.downloads.foreign_columns import to_answer
from vo_lib.errors import UserError

DATA = np.array(
    [(686103400034440, 58000.5, b"zg", 20.5), (2**62 + 1, 58001.5, b"zr", np.nan)],
    [("oid", "i8"), ("mjd", "f8"), ("band", "S2"), ("mag", "f4")],
)
DECLARED = {"oid": ("i8", "", ""), "mjd": ("f8", "d", ""), "band": ("S2", "", "")}


def tables(path):
    """Key and columns of each table of a file."""
    with open_foreign(path) as file:
        return {table.key: read_columns(file, table) for table in find_tables(file)}


def equal(columns, data):
    """Whether columns are those of a structured array, text as bytes or objects."""
    same = {name: cells.astype("S") if cells.dtype == object else cells for name, cells in columns.items()}
    return set(same) == set(data.dtype.names) and all(same[name].tobytes() == data[name].tobytes() for name in same)


# Layouts


def test_compound_datasets_are_found_at_any_depth(tmp_path):
    write_compound(tmp_path / "x.h5", {"a": DATA, "deep/er/b": DATA})
    found = tables(tmp_path / "x.h5")
    assert list(found) == ["a", "deep/er/b"]
    assert all(equal(columns, DATA) and left_out == [] for columns, left_out in found.values())


def test_a_group_of_columns_is_a_table_and_so_is_a_file_of_them(tmp_path):
    write_columns(tmp_path / "x.h5", "deep/a", as_columns(DATA))
    write_columns(tmp_path / "y.h5", "", as_columns(DATA))
    assert equal(tables(tmp_path / "x.h5")["deep/a"][0], DATA)
    assert equal(tables(tmp_path / "y.h5")[""][0], DATA)


@pytest.mark.parametrize("group", ["", "a", ".a", "a.", "deep/a."])
def test_a_group_of_columns_and_a_compound_dataset_in_it_name_each_other(tmp_path, group):
    write_columns(tmp_path / "x.h5", group, as_columns(DATA))
    write_compound(tmp_path / "x.h5", {f"{group}/table": DATA})
    with open_foreign(tmp_path / "x.h5") as file:
        doubles = {table.key: table.double for table in find_tables(file)}
    inside = f"{group}/table".strip("/")
    assert doubles == {group: inside, inside: group or "/"}


@pytest.mark.parametrize("write", [write_fixed_frame, write_appendable_frame])
def test_frames_of_pandas_are_read_with_their_text(tmp_path, write):
    write(tmp_path / "x.h5", "a", as_columns(DATA))
    write(tmp_path / "x.h5", "deep/b", as_columns(DATA), index=np.array([5.5, 6.5]))
    found = tables(tmp_path / "x.h5")
    assert list(found) == ["a", "deep/b"]
    assert equal(found["a"][0], DATA)
    assert found["deep/b"][0].pop("index").tolist() == [5.5, 6.5]
    assert equal(found["deep/b"][0], DATA)


def test_columns_of_text_that_share_a_block_stay_apart(tmp_path):
    columns = {"one": np.array([b"a", b"b", b"c"]), "two": np.array([b"d", b"e", b"f"])}
    write_fixed_frame(tmp_path / "x.h5", "a", columns)
    found = tables(tmp_path / "x.h5")["a"][0]
    assert {name: values.tolist() for name, values in found.items()} == {"one": ["a", "b", "c"], "two": ["d", "e", "f"]}


@pytest.mark.parametrize("kind", ["fixed", "table"])
def test_frames_that_pandas_wrote(tmp_path, kind):
    pytest.importorskip("tables", reason="PyTables, with which pandas writes HDF5, is not here")
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({name: DATA[name] for name in DATA.dtype.names})
    frame["band"] = frame["band"].str.decode("utf-8")
    frame.to_hdf(tmp_path / "x.h5", key="a", format=kind)
    assert equal(tables(tmp_path / "x.h5")["a"][0], DATA)


def test_numbers_of_categories_are_not_taken_for_what_they_stand_for(tmp_path):
    """A column of the filters 2 and 3 as categories is 0 and 1 in the table of a frame."""
    write_appendable_frame(tmp_path / "x.h5", "a", {"mjd": np.zeros(2), "fid": np.array([0, 1], "i1")})
    assert tables(tmp_path / "x.h5")["a"][0]["fid"].tolist() == [0, 1]
    with h5py.File(tmp_path / "x.h5", "a") as file:
        file["a/table"].attrs["values_block_1_meta"] = np.bytes_(b"category")
    with pytest.raises(UserError, match="has a categorical column of pandas, fid; write it as text"):
        tables(tmp_path / "x.h5")


def test_a_pickle_in_a_frame_runs_no_code(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "written"), "w"))

    write_fixed_frame(tmp_path / "x.h5", "a", as_columns(DATA))
    with h5py.File(tmp_path / "x.h5", "a") as file:
        name = next(name for name in file["a"] if name.endswith("_values") and file["a"][name].dtype == object)
        file["a"][name][0] = np.frombuffer(pickle.dumps(np.array([[Evil()]] * 2, dtype=object)), np.uint8)
    with pytest.raises(UserError, match=r"has a column of (_?io|builtins)\.open, which is not read"):
        tables(tmp_path / "x.h5")
    assert not (tmp_path / "written").exists()


def test_links_out_of_a_file_and_back_into_it_are_not_followed(tmp_path):
    write_compound(tmp_path / "other.h5", {"b": DATA})
    write_compound(tmp_path / "x.h5", {"deep/a": DATA})
    with h5py.File(tmp_path / "x.h5", "a") as file:
        file["gone"] = h5py.SoftLink("/nothing")
        file["again"] = h5py.SoftLink("/deep/a")
        file["out"] = h5py.ExternalLink("other.h5", "b")
        file["deep/loop"] = file["deep"]
    assert list(tables(tmp_path / "x.h5")) == ["deep/a"]


def test_columns_of_different_lengths_are_no_table(tmp_path):
    write_columns(tmp_path / "x.h5", "a", {"mjd": np.zeros(3), "mag": np.zeros(2)})
    with pytest.raises(UserError, match="columns of different lengths: 'mag' 2 and 'mjd' 3"):
        tables(tmp_path / "x.h5")


def test_columns_of_arrays_are_told(tmp_path):
    data = np.zeros(3, [("mjd", "f8"), ("image", "f8", (4,))])
    write_compound(tmp_path / "x.h5", {"a": data})
    columns, left_out = tables(tmp_path / "x.h5")["a"]
    assert (list(columns), left_out) == (["mjd"], ["image"])


def test_a_group_that_has_only_an_image_is_no_table(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["a/image"] = np.zeros((3, 4))
        file["b/mjd"], file["b/image"] = np.arange(3.0), np.zeros((3, 4))
    found = tables(tmp_path / "x.h5")
    assert {key: list(columns) for key, (columns, _) in found.items()} == {"b": ["mjd"]}


def test_attributes_are_text(tmp_path):
    write_columns(tmp_path / "x.h5", "a", as_columns(DATA), name="WD 1", number=12345678901234567, many=[1, 2], x=1.5)
    with open_foreign(tmp_path / "x.h5") as file:
        (table,) = find_tables(file)
    assert table.attributes == {"name": "WD 1", "number": "12345678901234567"}


# Columns


def answer(renamed=None, **columns):
    """Table of an answer made from some columns instead of those of `DATA`."""
    return to_answer(
        {name: np.asarray(values) for name, values in (as_columns(DATA) | columns).items()}, DECLARED, renamed or {}
    )


def test_what_has_the_right_types_stays_as_it_is():
    data, left_out = answer()
    assert data.dtype == DATA.dtype
    assert data.tobytes() == DATA.tobytes()
    assert left_out == []


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("oid", np.array([1, 2], ">i4"), [1, 2]),
        ("oid", np.array([1.0, 2.0**53 - 1]), [1, 2**53 - 1]),
        ("oid", np.array([b"12", b"4611686018427387905"]), [12, 4611686018427387905]),
        ("oid", np.array([7, 2**62 + 1], dtype=object), [7, 2**62 + 1]),
        ("oid", np.array([7, 2**63 - 1], dtype=np.uint64), [7, 2**63 - 1]),
        ("mjd", np.array([58000, 58001]), [58000.0, 58001.0]),
        ("mjd", np.array([b"58000.25", b"58001"]), [58000.25, 58001.0]),
        ("mjd", np.array([1.5, 2.5], ">f4"), [1.5, 2.5]),
        ("band", np.array(["zg", "z\u00e4"], dtype=object), [b"zg", "z\u00e4".encode()]),
        ("band", np.array(["zg", None], dtype=object), [b"zg", b""]),
        ("band", np.array(["zg", np.nan], dtype=object), [b"zg", b""]),
        ("band", np.array([1, 12345]), [b"1", b"12345"]),
        ("band", np.array([True, False]), [b"true", b"false"]),
        ("oid", np.array([True, False]), [1, 0]),
        ("mjd", np.array([True, False]), [1.0, 0.0]),
        ("band", np.array([b"a very long one", b"x"]), [b"a very long one", b"x"]),
    ],
)
def test_declared_columns_get_their_types(name, given, expected):
    data, _ = answer(**{name: given})
    assert data[name].tolist() == expected
    assert data.dtype[name].kind == DATA.dtype[name].kind
    assert data.dtype[name].isnative


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        (
            "oid",
            [1.0, 2.0**53],
            "column 'oid' of type float64 cannot be int64: it has floats that are not whole",
        ),
        ("oid", [1.0, 686103400034440.5], "not whole numbers"),
        ("oid", [1.0, np.nan], "not whole numbers"),
        ("oid", np.array([1.0, 2.0**24], "f4"), "not whole numbers or too large"),
        ("oid", [b"12", b"0xf"], "column 'oid' of type .* cannot be int64: invalid literal"),
        ("oid", [b"12", b"1_3"], "cannot be int64: no number"),
        ("mjd", [b"12", b"1_3"], "cannot be float64: no number"),
        ("oid", np.array([1, 2**63], dtype=np.uint64), "more than 63 bits"),
        ("oid", np.array([1, 2**63], dtype=object), "holds neither numbers nor text"),
        ("oid", np.array([1, -(2**63) - 1], dtype=object), "holds neither numbers nor text"),
        ("oid", np.array([1, 2.0], dtype=object), "holds neither numbers nor text"),
        ("mjd", [b"12", b"x"], "column 'mjd' of type .* cannot be float64: could not convert"),
        ("mjd", np.array([58000.5, 58001.5], "f4"), "'mjd' is in single precision, .* only to 0.0039 days"),
        ("mjd", [1j, 2j], "holds neither numbers nor text"),
        ("band", [1.0, 2.0], "column 'band' of type float64 cannot be .*: it holds neither text nor whole numbers"),
    ],
)
def test_what_cannot_be_of_a_declared_type_is_refused(name, given, message):
    with pytest.raises(UserError, match=message):
        answer(**{name: given})


def test_a_number_that_is_missing_in_a_text_is_nan():
    data, _ = answer(mjd=[b"58000.25", b""])
    np.testing.assert_array_equal(data["mjd"], [58000.25, np.nan])


def test_a_short_text_has_the_declared_width():
    assert answer(band=[b"g", b"r"])[0].dtype["band"] == DATA.dtype["band"]


def test_other_columns_have_the_byte_order_of_this_machine():
    data, _ = answer(seeing=np.array([1.5, 2.5], ">f8"))
    assert (data["seeing"].tolist(), data.dtype["seeing"]) == ([1.5, 2.5], np.dtype("f8"))


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=2), st.sampled_from(["f4", "f8"]))
def test_no_whole_number_is_changed_by_a_float(numbers, kind):
    floats = np.array(numbers, dtype=np.int64).astype(kind)
    try:
        data, _ = answer(oid=floats)
    except UserError:
        assert max(map(abs, numbers)) >= 2 ** (np.finfo(kind).nmant + 1) - 64
    else:
        assert data["oid"].tolist() == numbers


def test_columns_with_other_names_are_named():
    data, _ = to_answer(
        {"time" if name == "mjd" else name: DATA[name] for name in DATA.dtype.names}, DECLARED, {"mjd": "time"}
    )
    assert sorted(data.dtype.names) == ["band", "mag", "mjd", "oid"]
    assert data["mjd"].tolist() == DATA["mjd"].tolist()


def test_columns_may_change_their_names_with_each_other():
    data, _ = answer({"mjd": "mag", "mag": "mjd"})
    np.testing.assert_array_equal(data["mjd"], DATA["mag"])
    np.testing.assert_array_equal(data["mag"], DATA["mjd"].astype(data.dtype["mag"]))


@pytest.mark.parametrize(
    ("columns", "renamed", "message"),
    [
        (["oid", "band"], {}, r"has no column 'mjd' \(it has oid, band\); use --columns mjd=THEIRS"),
        (["oid", "mjd", "band"], {"mjd": "time"}, r"has no column 'time' for mjd \(it has oid, mjd, band\)"),
        (
            ["oid", "mjd", "mag", "band"],
            {"mjd": "mag"},
            "has a column 'mjd' besides 'mag', which --columns gives the same name",
        ),
        (
            ["oid", "mjd", "band"],
            {"oid": "mjd"},
            "^column 'mjd' is used for both oid and mjd; name another one with --columns",
        ),
        (["oid", "mag", "band"], {"mjd": "band"}, "^column 'band' is used for both band and mjd"),
        (["mag", "band"], {"oid": "mag", "mjd": "mag"}, "^column 'mag' is used for both oid and mjd"),
    ],
)
def test_columns_that_are_not_there_or_used_twice_are_named(columns, renamed, message):
    with pytest.raises(UserError, match=message):
        to_answer({name: DATA[name] for name in columns}, DECLARED, renamed)


def test_other_columns_are_kept_or_told():
    data, left_out = answer(
        note=np.array(["x", None], dtype=object),
        things=np.array([[1], {}], dtype=object),
        ragged=np.array([np.arange(2), np.arange(3)], dtype=object),
        good=[True, False],
    )
    assert data["note"].tolist() == [b"x", b""]
    assert data["good"].tolist() == [1, 0]
    assert left_out == ["things", "ragged"]
