import re

import numpy as np
import pytest

from vo_lib.catalogs.selection import find_rows, select_rows
from vo_lib.errors import CatalogError

NAMES = np.array(["a", "b", "c", "d", "12"])
BINS = np.array(["RA001", "RA002", "RA001", "RA300", "RA002"])


@pytest.mark.parametrize("start", [None, 0, 2, 5, 9, -1, -5, -9])
@pytest.mark.parametrize("stop", [None, 0, 3, 5, 9, -1, -4, -9])
def test_rows_are_selected_as_by_a_slice(start, stop):
    expected = NAMES[start:stop].tolist()
    if expected:
        assert NAMES[select_rows(NAMES, BINS, start=start, stop=stop)].tolist() == expected
    else:
        with pytest.raises(CatalogError, match="select: none of the 5 sources of the catalog meets all"):
            select_rows(NAMES, BINS, start=start, stop=stop)


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ({}, "a b c d 12"),
        ({"start": -4, "stop": 3}, "b c"),
        ({"names": ["d", "a"]}, "a d"),
        ({"names": ["a", "a", 12]}, "a 12"),
        ({"bins": ["RA300", "RA001"]}, "a c d"),
        ({"bins": ["RA001", "RA002"], "names": ["a", "b", "d"], "start": 1}, "b"),
    ],
)
def test_sources_fulfil_all_conditions(select, expected):
    assert " ".join(NAMES[select_rows(NAMES, BINS, **select)]) == expected


@pytest.mark.parametrize(
    ("select", "message"),
    [
        ({"names": ["a", "zz"]}, r"select\.names: the catalog has no source 'zz'; there are 5, such as 'a', 'b', 'c'$"),
        ({"bins": ["RA003"]}, r"select\.bins: the catalog has no source in the bin 'RA003'; did you mean 'RA001'\?"),
        ({"bins": ["RA300"], "names": ["a"]}, "select: none of the 5 sources of the catalog meets all"),
    ],
)
def test_a_selection_of_what_is_not_there_is_refused(select, message):
    with pytest.raises(CatalogError, match=message):
        select_rows(NAMES, BINS, **select)


def test_among_many_names_the_nearest_is_named():
    names = np.array([f"WD J{number:06d}" for number in range(100_000)])
    with pytest.raises(CatalogError, match="no 'WDJ 012345'; did you mean 'WD J"):
        find_rows(names, ["WDJ 012345"], missing="no")
    with pytest.raises(CatalogError, match="no 'WD J012345x'; did you mean 'WD J012345'"):
        find_rows(names, ["WD J012345x"], missing="no")


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("m 31", "no 'm 31'; did you mean 'M 31, the core of it'"),
        ("CEN", "no 'CEN'; did you mean 'Proxima Centauri' or 'Cen X-4 and beyond'"),
        ("", "no ''; there are 3"),
    ],
)
def test_names_that_a_text_is_a_part_of_are_named(wanted, message):
    names = np.array(["M 31, the core of it", "Proxima Centauri", "Cen X-4 and beyond"])
    with pytest.raises(CatalogError, match=re.escape(message)):
        find_rows(names, [wanted], missing="no")
