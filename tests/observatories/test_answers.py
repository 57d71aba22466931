import io
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from servers.irsa import GENUINE_ANSWER, synthetic_answer
from servers.local import HTML, VOTABLE_ERROR

from vo_lib.errors import ServiceError
from vo_lib.observatories import neowise
from vo_lib.observatories.answers import read_cone_answer, read_csv_answer, rows_to_table
from vo_lib.observatories.atlas import VirtualATLAS
from vo_lib.observatories.neowise import VirtualNEOWISE
from vo_lib.observatories.panstarrs import VirtualPanSTARRS
from vo_lib.observatories.ztf import COLUMNS as ZTF
from vo_lib.observatories.ztf import OBJECT_COLUMNS, VirtualZTF

COLUMNS = {"oid": ("i8", "", "id"), "mag": ("f8", "mag", "magnitude"), "band": ("S2", "", "filter")}


def test_columns_have_their_declared_types_in_the_order_of_the_answer():
    data = read_csv_answer("band,oid,mag\nzg,686103400034440,20.25\nzr,9223372036854775807,-1e-3\n", COLUMNS)
    assert data.dtype == np.dtype([("band", "S2"), ("oid", "i8"), ("mag", "f8")])
    assert data.tolist() == [(b"zg", 686103400034440, 20.25), (b"zr", 2**63 - 1, -0.001)]


def test_a_header_alone_is_no_rows():
    for text in ("oid,mag,band\n", "oid,mag,band", "\ufeffoid,mag,band\r\n"):
        data = read_csv_answer(text, COLUMNS)
        assert data.shape == (0,)
        assert data.dtype == np.dtype([("oid", "i8"), ("mag", "f8"), ("band", "S2")])


@pytest.mark.parametrize("missing", ["", "NaN", "nan", "null", "None"])
def test_a_float_without_a_value_is_nan(missing):
    assert np.isnan(read_csv_answer(f"oid,mag,band\n1,{missing},zg\n2,3.5,zg\n", COLUMNS)["mag"]).tolist() == [
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (["1", "-2"], "i8", [1, -2]),
        (["1", "2.5"], "f8", [1.0, 2.5]),
        (["1e3", "nan"], "f8", [1000.0, np.nan]),
        (["9007199254740993", "1"], "i8", [2**53 + 1, 1]),
        (["9007199254740993", ""], "S16", [b"9007199254740993", b""]),
        (["9223372036854775808", "1"], "S19", [b"9223372036854775808", b"1"]),
        (["0xf", "0x2"], "S3", [b"0xf", b"0x2"]),
        (["12_3", "4"], "S4", [b"12_3", b"4"]),
        (["a", "é"], "S2", [b"a", "é".encode()]),
        (["", ""], "S1", [b"", b""]),
    ],
)
def test_other_columns_are_numbers_only_if_all_values_are(values, kind, expected):
    text = "oid,mag,band,more\n" + "".join(f"1,2,zg,{value}\n" for value in values)
    found = read_csv_answer(text, COLUMNS)["more"]
    assert found.dtype == kind
    assert np.array_equal(found, np.array(expected, kind), equal_nan=kind == "f8")


def test_text_longer_than_declared_is_kept_whole():
    assert read_csv_answer("oid,mag,band\n1,2,ztf-g\n", COLUMNS)["band"].tolist() == [b"ztf-g"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the answer is empty"),
        (" \r\n\n", "the answer is empty"),
        (HTML, "is not a table but a page: IRSA is down for maintenance"),
        ("<html>busy</html>", "is not a table but a page: <html>busy</html>"),
        (VOTABLE_ERROR, "an error report: ORA-24459: OCISessionGet.. timed out waiting for pool"),
        ("oid,mag\n1,2\n", "has no column 'band' .it begins with 'oid,mag'.; the survey may have changed its format"),
        ("No rows returned\n", "has no column 'oid' .it begins with 'No rows returned'"),
        ('{"status":"ERROR"}', "has no column 'oid'"),
        ("oid,mag,band,mag\n", "empty or repeated names: oid,mag,band,mag"),
        ("oid,mag,band\n1,2,zg\n3,4", "line 3 of the answer has 2 values, the header has 3; the answer was cut off"),
        ("oid,mag,band\n1,2,zg,\n3,4,zg\n", "line 2 of the answer has 4 values"),
        ("oid,mag,band\n1,2,zg\n3,x,zg\n", "line 3 of the answer has 'x' for mag, not a number"),
        ("oid,mag,band\n1.0,2,zg\n", "line 2 of the answer has '1.0' for oid"),
        ("oid,mag,band\n,2,zg\n", "line 2 of the answer has '' for oid"),
        ("oid,mag,band\n9223372036854775808,2,zg\n", "line 2 of the answer has '9223372036854775808' for oid"),
        ('oid,mag,band\n1,2,"zg\n', "line 2 of the answer is not CSV"),
    ],
)
def test_what_is_not_a_whole_table_is_an_error_never_empty(text, message):
    with pytest.raises(ServiceError, match=message):
        read_csv_answer(text, COLUMNS)


def test_a_genuine_error_report_is_quoted():
    path = GENUINE_ANSWER.parents[1] / "irsa/votable_error_in_http_200.xml"
    if not path.exists():
        pytest.skip("the genuine survey answers are not beside the project")
    with pytest.raises(ServiceError, match=r"an error report: -- no connection Report from: stdb_pg"):
        read_csv_answer(path.read_text(), COLUMNS)


@pytest.mark.parametrize("genuine", [False, True])
def test_the_format_of_ztf_is_read_as_pandas_reads_it(genuine):
    if genuine and not GENUINE_ANSWER.exists():
        pytest.skip("the genuine survey answers are not beside the project")
    text = GENUINE_ANSWER.read_text() if genuine else synthetic_answer()
    expected, found = pd.read_csv(io.StringIO(text)), read_csv_answer(text, ZTF)
    assert list(found.dtype.names) == list(expected.columns) == list(ZTF)
    assert len(found) == len(expected) == 1852
    for name, (kind, _, _) in ZTF.items():
        if kind == "f8":
            assert np.allclose(found[name], expected[name].astype(float), rtol=1e-15, atol=0, equal_nan=True), name
        else:
            assert np.array_equal(found[name], expected[name].to_numpy("S" if kind[0] == "S" else "i8")), name


JSON_COLUMNS = {"id": ("i8", "", ""), "mag": ("f8", "mag", ""), "text": ("S2", "", "")}


def test_objects_of_a_json_answer_become_a_table():
    rows = [{"id": 2**62 + 1, "mag": None, "text": "longer", "more": []}, {"id": True, "mag": 3, "text": None}]
    table = rows_to_table(rows, JSON_COLUMNS)
    assert table["id"].tolist() == [2**62 + 1, 1]
    assert np.isnan(table["mag"][0])
    assert table["mag"][1] == 3
    assert table["text"].tolist() == [b"longer", b""]
    assert rows_to_table([], JSON_COLUMNS).dtype == np.dtype([("id", "i8"), ("mag", "f8"), ("text", "S2")])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": None}, "row 0 of the answer has None for id, not a number"),
        ({"id": 1.5}, "row 0 of the answer has 1.5 for id"),
        ({"mag": "18.2"}, "row 0 of the answer has '18.2' for mag"),
        ({"id": 2**70}, "a value of id that is not a 64-bit number"),
    ],
)
def test_a_json_value_of_another_type_is_an_error(change, message):
    with pytest.raises(ServiceError, match=message):
        rows_to_table([{"id": 1, "mag": 1.0, "text": ""} | change], JSON_COLUMNS)


def test_a_json_object_without_a_column_is_an_error():
    with pytest.raises(ServiceError, match="row 1 of the answer has no 'mag'"):
        rows_to_table([{"id": 1, "mag": 1.0, "text": ""}, {"id": 1, "text": ""}], JSON_COLUMNS)


PLACES = {"ra": ("f8", "deg", ""), "dec": ("f8", "deg", "")}


@pytest.mark.parametrize(
    "rows", ["", "0.001,60\n359.999,60\n", "0.0055,60\n", "90,60\n0,60\n", "NaN,NaN\n", "90,60\n,\n"]
)
def test_rows_in_a_circle_or_near_it_are_an_answer_for_it(rows):
    # 2 arcsec and 10 more are 0.0067 degrees of right ascension there.
    assert len(read_cone_answer(f"ra,dec\n{rows}", PLACES, 360.0, 60.0, 2 / 3600)) == rows.count("\n")


@pytest.mark.parametrize("rows", ["0.007,60\n", "1,60\n2,60\n", "180,-60\n"])
def test_rows_that_are_all_far_from_a_circle_are_none(rows):
    message = r"another position: its rows are at least \d+ arcsec from RA 0.0000000 Dec 60.0000000"
    with pytest.raises(ServiceError, match=message):
        read_cone_answer(f"ra,dec\n{rows}", PLACES, 360.0, 60.0, 2 / 3600)


@pytest.mark.parametrize(
    ("observatory", "columns"),
    [
        (VirtualATLAS(), VirtualATLAS.columns),
        (VirtualNEOWISE(), neowise.SENT),
        (VirtualPanSTARRS(), VirtualPanSTARRS.columns),
        (VirtualZTF(), OBJECT_COLUMNS),
        (VirtualZTF(route="position"), ZTF),
    ],
)
def test_surveys_refuse_the_answer_for_another_source(observatory, columns):
    text = f"{','.join(columns)}\n{','.join('1' * len(columns))}\n"

    def answer(*_, read):
        return read(text)

    vars(observatory).update(_client=SimpleNamespace(get=answer, post=answer), _queue=SimpleNamespace(measure=answer))
    with pytest.raises(ServiceError, match="the answer is for another position"):
        observatory.fetch_data_from_observatory({"name": "a", "ra": 1.01, "dec": 1.0, "pmra": 100.0, "pmdec": 0.0})
