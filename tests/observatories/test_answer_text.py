"""What an answer says that is no table."""

from vo_lib.observatories.answer_text import shorten


def test_shorten():
    assert shorten(" a\n b ") == "a b"
    assert shorten("x" * 300) == "x" * 197 + "..."
