import json

import numpy as np
import pytest
from servers.asassn import UNAVAILABLE, to_parquet
from servers.local import HTML, VOTABLE_ERROR

from vo_lib.errors import ServiceError
from vo_lib.observatories.parquet_answers import read_parquet_answer
from vo_lib.observatories.ranges import Part

pa = pytest.importorskip("pyarrow", reason="reading parquet needs pyarrow")

COLUMNS = {"id": ("i8", "", "number"), "flux": ("f8", "mJy", "flux"), "camera": ("S2", "", "camera")}
LONG = 2**63 - 1  # which is not a float


def read(**columns):
    """Read an answer with some of the columns of a good one changed, added or, if None, taken away."""
    good = {"id": [LONG, -LONG], "flux": [0.1, None], "camera": ["bA", None]} | columns
    return read_parquet_answer(
        to_parquet({name: values for name, values in good.items() if values is not None}), COLUMNS
    )


def test_declared_columns_have_their_types_and_nothing_is_lost():
    data = read()
    assert data.dtype == [("id", "i8"), ("flux", "f8"), ("camera", "S2")]
    assert data["id"].tolist() == [LONG, -LONG]
    np.testing.assert_array_equal(data["flux"], [0.1, np.nan])
    assert data["camera"].tolist() == [b"bA", b""]


@pytest.mark.parametrize(
    "numbers", [pa.array([7, 8], "int16"), pa.array([7, 8], "uint64"), ["7", "8"]], ids=["short", "unsigned", "text"]
)
def test_whole_numbers_may_arrive_in_other_exact_types(numbers):
    data = read(id=numbers)
    assert data["id"].dtype == np.int64
    assert data["id"].tolist() == [7, 8]


def test_floats_of_single_precision_keep_their_values():
    data = read(flux=pa.array([0.1, 2.5], "float32"))
    assert data["flux"].tolist() == [float(np.float32(0.1)), 2.5]


@pytest.mark.parametrize("name", ["camera", "other"])
def test_text_that_is_not_utf8_is_told(name):
    texts = pa.array([b"\xf3a", b"b"]).view("string")
    nested = pa.ListArray.from_arrays(pa.array([0, 1, 2], "int32"), texts)
    with pytest.raises(ServiceError, match=f"the answer has text in {name} that is not UTF-8"):
        read(**{name: texts if name == "camera" else nested})


def test_texts_grow_beyond_the_declared_width_and_may_be_categories():
    assert read(camera=["bA", "long-é"])["camera"].tolist() == [b"bA", "long-é".encode()]
    assert read(camera=pa.array(["bA", "bA"]).dictionary_encode())["camera"].tolist() == [b"bA", b"bA"]


def test_columns_that_are_not_declared_are_kept():
    data = read(
        whole=pa.array([1, 2], "int8"),
        number=pa.array([1.5, None]),
        gaps=pa.array([2**60 + 1, None]),
        huge=pa.array([2**64 - 1, 0], "uint64"),
        word=["g", "V"],
        yes=[True, False],
        lists=[["a", "b"], None],
    )
    assert data["whole"].tolist() == [1, 2]
    np.testing.assert_array_equal(data["number"], [1.5, np.nan])
    assert data["gaps"].tolist() == [str(2**60 + 1).encode(), b""]
    assert data["huge"].tolist() == [str(2**64 - 1).encode(), b"0"]
    assert data["word"].tolist() == [b"g", b"V"]
    assert data["yes"].tolist() == [b"true", b"false"]
    assert [json.loads(text) for text in data["lists"]] == [["a", "b"], None]


def test_a_table_without_rows_is_one():
    empty = {"id": pa.nulls(0), "flux": pa.array([], "float64"), "camera": pa.nulls(0)}
    data = read_parquet_answer(to_parquet(empty), COLUMNS)
    assert data.shape == (0,)
    assert data.dtype == [("id", "i8"), ("flux", "f8"), ("camera", "S2")]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"flux": None}, r"no column 'flux' \(it has id, camera\); the survey may have changed its format"),
        ({"id": [1.0, 2.0]}, "0 missing values and the type double for id, which must be whole numbers"),
        ({"id": [1, None]}, "1 missing values and the type int64 for id, which must be whole numbers"),
        ({"id": pa.array([2**63, 1], "uint64")}, "the wrong type uint64 for id"),
        ({"id": ["7", "8x"]}, "the wrong type string for id"),
        ({"flux": ["bright", "faint"]}, "the wrong type string for flux"),
        ({"camera": [["a"], ["b"]]}, "the wrong type list<.*> for camera"),
    ],
)
def test_columns_that_are_missing_or_of_a_wrong_type_are_refused(columns, message):
    with pytest.raises(ServiceError, match=message) as error:
        read(**columns)
    assert "\n" not in str(error.value)


def test_columns_of_the_same_name_are_refused():
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["id", "id"])
    with pytest.raises(ServiceError, match="columns of the same name: id, id"):
        read_parquet_answer(to_parquet(table), COLUMNS)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the answer is empty"),
        (HTML.encode(), "the answer is not a table but a page: IRSA is down for maintenance"),
        (VOTABLE_ERROR.encode(), "an error report: ORA-24459"),
        (UNAVAILABLE.encode(), 'not parquet but \'{"error": "lightcurve servers temporarily unavailable"}\''),
        (b"ARROW1\0\0\xff\xff\xff\xff", "not parquet but 'ARROW1"),
        (b"PAR1", r"cut off or damaged"),
    ],
)
def test_a_body_that_is_no_parquet_is_refused(body, message):
    with pytest.raises(ServiceError, match=message) as error:
        read_parquet_answer(body, COLUMNS)
    assert str(error.value).isprintable()


def test_parquet_that_is_cut_off_anywhere_is_refused():
    body = to_parquet({"id": [1, 2], "flux": [1.0, 2.0], "camera": ["ba", "bA"]})
    for length in range(len(body)):
        with pytest.raises(ServiceError, match="cut off or damaged|is empty|not parquet"):
            read_parquet_answer(body[:length], COLUMNS)


@pytest.mark.parametrize("values", [[1] * 20_000, [[1] * 20_000], ["x" * 200_000]])
def test_parquet_unpacks_up_to_a_size(values, monkeypatch):
    body = to_parquet({"a": values})
    monkeypatch.setattr(Part, "max_bytes", 100_000)
    assert len(body) < 20_000
    with pytest.raises(ServiceError, match="the answer has more than 100,000 bytes when unpacked and is rejected"):
        read_parquet_answer(body, {})
