"""Counts, tables in lines, and what text can be kept."""

import pytest

from vo_lib.text import count_text, is_storable, table_lines


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 sources"), (1, "1 source"), (2, "2 sources"), (12345, "12,345 sources")]
)
def test_a_number_has_its_noun_in_the_plural_where_that_is_due(number, text):
    assert count_text(number, "source") == text


def test_columns_of_a_table_are_as_wide_as_their_widest_cell():
    lines = table_lines(("survey", "epochs"), [("ZTF", 1234567), ("DEMO", 5)])
    assert lines == ["survey     epochs", "ZTF     1,234,567", "DEMO            5"]
    assert table_lines(("survey", "epochs"), []) == ["survey  epochs"]


def test_a_text_that_an_archive_sent_stays_in_its_cell():
    lines = table_lines(("series", "n"), [("a\x1b[2J\nINFO done", 1), ("b", 2)])
    assert lines == [r"series               n", r"a\x1b[2J\nINFO done  1", r"b                    2"]


@pytest.mark.parametrize(("text", "storable"), [("", True), ("α Cen\n", True), ("a\0", False), ("a\ud800", False)])
def test_text_with_nul_or_half_a_character_cannot_be_kept(text, storable):
    assert is_storable(text) is storable
