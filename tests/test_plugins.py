"""Classes and functions that a configuration names."""

import pytest

from vo_lib.errors import ConfigError, ServiceError, hint
from vo_lib.plugins import load_class, load_function, module_file
from vo_lib.provenance import PACKAGE_ROOT


@pytest.mark.parametrize(
    ("load", "path", "message"),
    [
        (load_class, "vo_lib.errors", "does not name a class; write it as module:Class"),
        (load_class, ":UserError", "write it as module:Class"),
        (load_function, "vo_lib.errors:", "does not name a function; write it as module:function"),
        (load_class, "vo_lib.nothing:X", r"cannot import vo_lib.nothing \(No module named 'vo_lib.nothing'\)"),
        (load_class, "vo_lib.errors:UserEror", "has no class 'UserEror'; did you mean 'UserError'"),
        (load_function, "vo_lib.calibrators:mine", "no function 'mine'; known are readout_offsets, color_term$"),
        (load_class, "vo_lib.errors:__all__", "has no class '__all__'"),
        (load_function, "vo_lib.errors:UserError", r"has no function 'UserError'; known are \w+, \w+, plain, hint$"),
    ],
)
def test_what_cannot_be_loaded_is_said_in_one_line(load, path, message):
    with pytest.raises(ConfigError, match=message):
        load(path)


def test_any_class_and_function_that_can_be_imported_can_be_loaded():
    assert load_class("vo_lib.errors:ServiceError") is ServiceError
    assert load_function("vo_lib.errors:hint") is hint


def test_a_file_is_named_from_the_folder_that_it_is_below(tmp_path):
    assert module_file(ServiceError, PACKAGE_ROOT).as_posix() == "vo_lib/errors.py"
    assert module_file(ServiceError, tmp_path) == PACKAGE_ROOT / "vo_lib" / "errors.py"
    # A folder whose name only begins like that of another is not above what is in the other.
    assert module_file(ServiceError, PACKAGE_ROOT / "vo").is_absolute()


def test_a_hint_is_the_nearest_name_or_all_of_them():
    assert hint("offest", ["offset", "order"]) == "did you mean 'offset'?"
    assert hint("xyz", ["offset", "order"]) == "known are offset, order"
    assert hint("xyz", []) == "known are none"
