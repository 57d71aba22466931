"""A key that a section of a configuration has twice is an error, before one of both is lost."""

import pytest

from vo_lib.config import read_config
from vo_lib.errors import ConfigError
from vo_lib.planning.repeated_keys import refuse_repeated_keys


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("project: a\nproject: a\n", "line 2 repeats the key 'project' of line 1"),
        ("a:\n  b: 1\n  c: {d: 1, d: 2}\n", "line 3 repeats the key 'd' of line 3"),
        ("a: [{b: 1,\n  b: 2}]\n", "line 2 repeats the key 'b' of line 1"),
        ("finder: {b: 1}\nreduce:\n\nfinder: {c: 1}\n", "line 4 repeats the key 'finder' of line 1"),
    ],
)
def test_a_key_that_is_there_twice_is_named_with_both_lines(tmp_path, text, message):
    file = tmp_path / "config.yaml"
    file.write_text(text)
    for read in (read_config, refuse_repeated_keys):
        with pytest.raises(ConfigError, match=f"^{file}: {message}.*merge them"):
            read(file)


@pytest.mark.parametrize(
    "text",
    [
        "a: {b: 1}\nc: {b: 1}\n",
        "a: &x {b: 1}\nc: {<<: *x, b: 2}\nd: {<<: *x, <<: *x}\n",
        "a: &x [1, *x]\nb: *x\n",
        "1: a\n'1': b\n",
        "a: [1\n",
        "",
    ],
)
def test_what_is_no_such_key_passes(tmp_path, text):
    (tmp_path / "config.yaml").write_text(text)
    refuse_repeated_keys(tmp_path / "config.yaml")
    refuse_repeated_keys(tmp_path / "nowhere.yaml")
