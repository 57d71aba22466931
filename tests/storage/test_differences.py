import pytest

from vo_lib.storage.differences import difference_text, differences, flatten


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({}, {}, []),
        ({"a": {"b": 1}}, {"a": {"b": 1}}, []),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "c": 2}}, [("a.b", 1, 3)]),
        ({"a": 1}, {"b": [1]}, [("a", 1, ""), ("b", "", [1])]),
        ({"a": {}}, {"a": {"b": None}}, [("a", {}, ""), ("a.b", "", None)]),
        ({"z": 1, "a": 1}, {"z": 2, "a": 2}, [("a", 1, 2), ("z", 1, 2)]),
    ],
)
def test_keys_with_other_values_are_listed_in_their_order(old, new, expected):
    assert differences(old, new) == expected


def test_parts_have_keys_with_dots():
    assert flatten({"a": {"b": {"c": 1}, "d": []}}, "x") == {"x.a.b.c": 1, "x.a.d": []}


def test_long_values_are_cut():
    assert difference_text("a", 1, None) == "a: 1 -> null"
    assert difference_text("a", "x" * 100, "ü") == f'a: "{"x" * 56}... -> "ü"'
