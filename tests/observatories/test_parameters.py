"""Checks of the parameters of surveys; those of types and names are in test_base.py, with a survey."""

from types import SimpleNamespace

import pytest

from vo_lib.errors import ConfigError
from vo_lib.observatories.parameters import check_choice


def test_a_choice_is_one_of_those_known():
    check_choice(SimpleNamespace(route="a"), "route", ("a", "b"))
    with pytest.raises(ConfigError, match="route must be one of a, b, got 'c'"):
        check_choice(SimpleNamespace(route="c"), "route", ("a", "b"))
