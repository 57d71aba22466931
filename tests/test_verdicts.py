"""Files of verdicts: what is read, what is refused, which one holds."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vo_lib.errors import UserError
from vo_lib.verdicts import VERDICT_COLUMNS, VERDICTS, merge_verdicts, parse_detection, read_verdicts, write_verdicts

ROW = {
    "project": "DEMO",
    "source": "flare",
    "detection": "DEMO demo-g 7 58025.00000",
    "verdict": "real",
    "note": "",
    "who": "Ada",
    "when": "2026-01-31T12:00:00.000Z",
}


def write(path, *rows):
    write_verdicts(path, [ROW | row for row in rows])
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"project": "OTHER"}, "line 2: is of project 'OTHER', not DEMO; choose its configuration"),
        ({"verdict": "maybe"}, "line 2: verdict must be real, artefact, unsure, got 'maybe'"),
        ({"source": ""}, "line 2: names no source"),
        ({"detection": "x"}, "line 2: 'x' is not a detection; it must be like 'ZTF ztf-r 58025.12346'"),
        ({"note": "a\0b"}, "line 2: has a NUL character"),
        ({"who": "é" * 1000}, "line 2: source, detection and who have more than 2000 bytes; shorten who"),
        ({"when": "yesterday"}, "line 2: when must be a time with its time zone"),
        ({"when": "2026-01-31T12:00:00"}, "line 2: when must be a time with its time zone"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_its_line(tmp_path, change, message):
    with pytest.raises(UserError, match=message):
        read_verdicts(write(tmp_path / "marks.csv", change), project="DEMO")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file; export the marks"),
        (b"a,b\n1,2\n", "has no column 'project'"),
        (b"", "has no column 'project'"),
        (b"\xff\xfe\x00", "is not text in UTF-8"),
        ((",".join(VERDICT_COLUMNS) + "\nDEMO,a\n").encode(), "line 2: has a different number of cells"),
        ((",".join(VERDICT_COLUMNS) + "\n" + "x," * 9 + "\n").encode(), "line 2: has a different number of cells"),
    ],
)
def test_what_is_no_file_of_verdicts_is_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / "marks.csv").write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_verdicts(tmp_path / "marks.csv", project="DEMO")


@pytest.mark.parametrize("start", ['"', ",".join(VERDICT_COLUMNS) + '\nDEMO,"'])
def test_a_quote_that_is_not_closed_is_refused(tmp_path, start):
    (tmp_path / "marks.csv").write_text(start + "a" * (csv.field_size_limit() + 1))
    with pytest.raises(UserError, match=r"marks\.csv: is not CSV \(field larger than field limit"):
        read_verdicts(tmp_path / "marks.csv", project="DEMO")


def test_a_folder_is_no_file_of_verdicts(tmp_path):
    with pytest.raises(UserError, match=r"cannot be read \(Is a directory\)"):
        read_verdicts(tmp_path, project="DEMO")


def test_of_one_person_on_one_detection_the_latest_holds():
    later = ROW | {"verdict": "artefact", "when": "2026-01-31T14:30:00+02:00"}
    other = ROW | {"who": "Bob"}
    assert merge_verdicts([later], [ROW, other]) == [later, other]
    assert merge_verdicts([ROW], [later]) == [later]
    assert merge_verdicts([], []) == []


texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8)


@given(st.lists(st.tuples(texts.filter(bool), st.sampled_from(VERDICTS), texts, texts), max_size=5))
def test_any_texts_come_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("marks") / "marks.csv"
    names = ("source", "verdict", "note", "who")
    written = [ROW | dict(zip(names, row, strict=True)) | {"detection": ""} for row in rows]
    write_verdicts(path, written)
    assert read_verdicts(path, project="DEMO") == written


@pytest.mark.parametrize(
    ("key", "series", "peak"), [("TESS tess 58025.12346", "", 58025.12346), ("A a-g x y 9 -1.50000", "x y 9", -1.5)]
)
def test_the_key_of_a_detection_is_taken_apart(key, series, peak):
    found = parse_detection(key)
    assert (found["series"], found["peak_mjd"]) == (series, peak)
