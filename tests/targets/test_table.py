import pytest
from hypothesis import given
from hypothesis import strategies as st

from vo_lib.errors import ConfigError
from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.targets.names import TABLE
from vo_lib.targets.table import NameTable, normalise


@pytest.fixture
def table(tmp_path):
    """Make a table of a text."""

    def read(text):
        (tmp_path / "t.yaml").write_text(text, encoding="utf-8")
        return NameTable.read(tmp_path / "t.yaml")

    return read


# Spellings


@pytest.mark.parametrize(
    ("spellings", "expected"),
    [
        (["AZV-148", "AzV 148", "azv148", " AZV_148 ", "AzV\u2013148", "AzV - 148"], "AZV148"),
        (["G191-B2B", "G 191-B2B", "G191B2B", "g 191 B2B"], "G191B2B"),
        (["NGC 6397", "ngc-6397", "NGC  6397"], "NGC6397"),
        (["M31", "M 31", "m31", "m-31"], "M31"),
        (["WD0809+177", "WD 0809+177", "WD-0809+177"], "WD0809+177"),
        (["1507476-162738", "1507476\u2212162738"], "1507476-162738"),
        (["PG 1159-035", "PG1159-035"], "PG1159-035"),
        (["LP 944-20", "LP-944-20"], "LP944-20"),
        (["BD-12 4523", "BD -12 4523", "bd - 12 4523"], "BD-12 4523"),
        (["BD+75 325", "BD +75 325"], "BD+75 325"),
        (["Sk -67 211", "SK-67 211"], "SK67 211"),
        (["V* V456 Sgr", "V456 Sgr", "V456-SGR"], "V456SGR"),
        (["NAME Barnard's star", "Barnard's Star"], "BARNARD'SSTAR"),
        (["* alf CMa", "alf CMa"], "ALFCMA"),
        (["{HIP} 123", "HIP 123", "HIP123"], "HIP123"),
        (["", " ", "-", "{}"], ""),
    ],
)
def test_spellings_of_one_name(spellings, expected):
    assert {normalise(name) for name in spellings} == {expected}


@pytest.mark.parametrize(
    "names",
    [
        ("M 101", "M 1 01"),
        ("BD-12 4523", "BD+12 4523"),
        ("BD-12 4523", "BD 12 4523"),
        ("J0437-4715", "J0437+4715"),
        ("1507476-162738", "1507476162738"),
        ("a Cen", "A Cen"),
        ("V* m Cen", "V* M Cen"),
        ("55 Cnc b", "55 Cnc B"),
        ("LHS 1140b", "LHS 1140B"),
        ("SATURN1", "SATURN"),
        ("** STF 1", "STF 1"),
        ("ß Cen", "SS Cen"),
    ],
)
def test_names_of_two_targets_stay_two(names):
    assert normalise(names[0]) != normalise(names[1])


@given(st.text(), st.text(alphabet=" _\t\n"))
def test_blanks_around_a_name_do_not_count(name, blanks):
    assert normalise(blanks + name + blanks) == normalise(name)


@given(st.from_regex(r"[A-Za-z]{2,4}[ -]?[0-9]{1,5}", fullmatch=True))
def test_case_hyphens_and_blanks_do_not_count_in_plain_names(name):
    assert normalise(name) == name.upper().replace("-", "").replace(" ", "")


# The table


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("AZV-148", ("AZV148", False)),
        ("AzV 148", ("AZV148", False)),
        ("SATURN1", ("SATURN", True)),
        ("saturn-12", ("SATURN", True)),
        ("Saturn", ("SATURN", True)),
        ("CALLISTO", ("CALLISTO", True)),
        ("IO 3", ("IO", True)),
        ("1507476-162738", ("1507476-162738", False)),
        ("V645 Cen", ("Proxima Centauri", False)),
        ("PROXIMA-CENTAURI", ("Proxima Centauri", False)),
        ("GD 71", ("GD71", False)),
        ("GD710", None),
        ("HZ 44", None),
        ("M31", None),
        ("SATURN1234", None),
        ("SATURN NEBULA", None),
        ("", None),
    ],
)
def test_the_table_of_the_project(name, expected):
    assert NameTable.read(PACKAGE_ROOT / TABLE).find(name) == expected


def test_an_index_is_of_any_name_of_the_table_that_is_a_word(table):
    found = table("names:\n  DENEB: alf Cyg\n  HD 1: HD 1\n")
    assert found.find("DENEB2") == ("alf Cyg", False)
    assert found.find("HD 12") is None


def test_a_name_to_use_may_be_a_moving_target(table):
    found = table("names: {RINGED: SATURN, TITAN: HD 7}\nmoving: [SATURN, TITAN]\n")
    assert found.find("ringed 1") == ("SATURN", True)
    assert found.find("titan") == ("HD 7", False)


def test_everything_in_a_table_is_text(table):
    found = table("names:\n  NO: 12:30:45\n  51: 007\n  2001-01-01: 1e3\n")
    assert [found.find(name) for name in ("no", "51", "2001-01-01")] == [
        ("12:30:45", False),
        ("007", False),
        ("1e3", False),
    ]


@pytest.mark.parametrize("text", ["", "# nothing\n", "names:\n", "names: {}\nmoving: []\n"])
def test_a_table_may_be_empty(table, text):
    assert table(text) == NameTable({}, {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("names:\n  A-1: X\n  B: Y\n  a 1: Z\n", r"t\.yaml: line 4: 'a 1' has two names to use: 'X' and 'Z'"),
        ("names:\n  A: B\n  B: C\n", "line 3: 'B' has two names to use: 'B' and 'C'"),
        ("moving:\n  - SATURN\n  - Saturn\n", "line 3: 'Saturn' has two names to use: 'SATURN' and 'Saturn'"),
        ("name:\n  A: B\n", "line 1: 'name' is not a section; known are names and moving"),
        ("- A\n", "line 1: the table needs the sections names and moving"),
        ("names:\n  - A\n", "line 2: names must be a mapping"),
        ("moving: SATURN\n", "line 1: names must be a mapping"),
        ("names:\n  A: [B, C]\n", "line 2: is not a name"),
        ("names:\n  A:\n", "line 2: is not a name"),
        ("names: {A: B\n", "cannot be read .*expected"),
    ],
)
def test_a_table_of_another_form_is_refused(table, text, message):
    with pytest.raises(ConfigError, match=message):
        table(text)


def test_a_table_that_is_missing_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read"):
        NameTable.read(tmp_path / "none.yaml")
