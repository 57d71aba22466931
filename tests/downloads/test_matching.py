"""Which source a table is about."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from vo_lib.catalogs.snapshot import take_snapshot
from vo_lib.downloads.foreign import ForeignTable
from vo_lib.downloads.matching import (
    AmbiguousError,
    CatalogSources,
    NoSourceError,
    by_attribute,
    by_key,
    by_position,
    by_regex,
    check_values,
    median_place,
    place_of_epochs,
)
from vo_lib.errors import UserError
from vo_lib.times import TimeSystem

CATALOG = """name,ra,dec,pmra,pmdec,epoch
WD 1,359.9999,51.4,,,
a/b,0.0004,51.4,,,
50%,120,-45,,,
pole,200,89.9999,,,
fast,30,10,3000,-4000,2016
twin 1,80,0,,,
twin 2,80.0003,0,,,
"""


@pytest.fixture
def sources(tmp_path):
    """A small catalog with difficult names and places."""
    (tmp_path / "catalog.csv").write_text(CATALOG)
    return CatalogSources(take_snapshot(tmp_path / "catalog.csv", tmp_path / "snapshots"))


def table(key, file="old/lc_WD 1.h5", **attributes):
    return ForeignTable(Path(file), key, "compound", attributes)


# Names


@pytest.mark.parametrize(
    ("key", "options", "name"),
    [
        ("WD 1", {}, "WD 1"),
        ("a%2Fb", {}, "a/b"),
        ("a/b", {}, "a/b"),
        ("deep/er/WD 1", {}, "WD 1"),
        ("deep/lc_WD 1.dat", {"prefix": "lc_", "suffix": ".dat"}, "WD 1"),
        ("50%25", {}, "50%"),
        ("50%", {}, "50%"),
        ("", {"prefix": "lc_"}, "WD 1"),
    ],
)
def test_a_key_is_a_name(sources, key, options, name):
    assert by_key(**options)(table(key), sources) == name


@pytest.mark.parametrize(
    ("key", "options"), [("WD 2", {}), ("WD 1x", {}), ("WD 1", {"prefix": "lc_"}), ("xx", {"prefix": "xx"})]
)
def test_a_key_that_is_no_name_has_no_source(sources, key, options):
    with pytest.raises(NoSourceError, match="the catalog has no source with this key"):
        by_key(**options)(table(key), sources)


def test_an_attribute_is_a_name(sources):
    assert by_attribute("star")(table("x", star="WD 1"), sources) == "WD 1"
    with pytest.raises(NoSourceError, match="has no attribute 'star'"):
        by_attribute("star")(table("x", name="WD 1"), sources)
    with pytest.raises(NoSourceError, match="the catalog has no source 'WD 9'"):
        by_attribute("star")(table("x", star="WD 9"), sources)


@pytest.mark.parametrize(
    ("pattern", "key", "name"),
    [
        ("^lc_(?P<name>.+)_v1$", "lc_WD 1_v1", "WD 1"),
        (r"lc_(?P<name>[^/]+)\.h5/", "data", "WD 1"),
        ("(?P<name>a.*)", "x/a%2Fb", "a/b"),
    ],
)
def test_a_pattern_finds_a_name_in_the_key_or_the_file(sources, pattern, key, name):
    assert by_regex(pattern)(table(key), sources) == name


def test_a_pattern_that_is_not_there_has_no_source(sources):
    with pytest.raises(NoSourceError, match="'x(.*)' does not match 'lc_WD 1.h5/lc'"):
        by_regex("x(?P<name>.)")(table("lc"), sources)


def test_a_group_that_found_nothing_is_no_name(sources):
    with pytest.raises(NoSourceError, match="the catalog has no source ''"):
        by_regex("lc(_(?P<name>.+))?")(table("lc"), sources)


@pytest.mark.parametrize(
    ("pattern", "message"), [("(", "is not a regular expression"), ("lc_(.+)", "has no group 'name'")]
)
def test_a_pattern_that_cannot_be_used_is_refused(pattern, message):
    with pytest.raises(UserError, match=message):
        by_regex(pattern)


# Places


class Survey:
    """A survey that gives MJD and the columns as they are."""

    time = TimeSystem("utc", "observatory", "mid", 2400000.5)

    @staticmethod
    def standardise(data, _):
        return {name: np.asarray(data[name], dtype=float) for name in ("ra", "dec", "time")}


def match(sources, ra, dec, *, mjd=57388.5, radius_arcsec=2.0):
    """Match epochs at some places; the time is 2016.0 unless told."""
    data = {"ra": ra, "dec": dec, "time": np.full(len(ra), mjd)}
    return by_position(radius_arcsec)(table("x"), sources, Survey, data, {})


@pytest.mark.parametrize(
    ("ra", "dec", "name"),
    [
        ([0.0001, 359.9998, 359.9999], [51.4, 51.4, 51.4], "WD 1"),
        ([359.9999, 0.0006, 0.0005], [51.4, 51.4, 51.4], "a/b"),
        ([20.0, 200.0, 290.0, 110.0], [89.9999, 89.9999, 89.9999, 89.9999], "pole"),
        ([120.0, 120.0001, 300.0], [-45.0, -45.0, 45.0], "50%"),
        ([np.nan, 120.0], [-45.0, -45.0], "50%"),
        ([120.0, 120.0], [np.nan, -45.0], "50%"),
    ],
)
def test_a_place_is_right_at_ra_zero_and_at_the_poles(sources, ra, dec, name):
    assert match(sources, ra, dec, radius_arcsec=0.5) == name


def test_a_source_is_where_it_was_then(sources):
    years = 5.0
    north, east = -4.0 * years / 3600, 3.0 * years / 3600 / np.cos(np.radians(10))
    assert match(sources, [30 + east], [10 + north], mjd=57388.5 + years * 365.25) == "fast"
    with pytest.raises(NoSourceError, match="the catalog has no source within 2 arcsec of RA 30"):
        match(sources, [30 + east], [10 + north])


@pytest.mark.parametrize(("zero_jd", "time"), [(2400000.5, 57388.5), (0.0, 2457389.0), (2457000.0, 389.0)])
def test_the_year_of_epochs_is_a_julian_one_whatever_day_the_survey_counts_from(zero_jd, time):
    class Counting(Survey):
        time = TimeSystem("utc", "observatory", "mid", zero_jd)

    data = {"ra": [1.0, 1.0, np.nan], "dec": [2.0, 2.0, 2.0], "time": [time, np.nan, time]}
    assert place_of_epochs(Counting, data, {}) == pytest.approx((1.0, 2.0, 2016.0), abs=1e-9)


def test_one_outlier_does_not_move_the_time_of_epochs():
    data = {"ra": [1.0] * 3, "dec": [2.0] * 3, "time": [57388.5, 57388.5, 99999.0]}
    assert place_of_epochs(Survey, data, {})[2] == pytest.approx(2016.0, abs=1e-9)


@pytest.mark.parametrize(
    ("values", "what"), [({"dec": np.nan}, "position"), ({"time": np.nan}, "time"), ({"mag": np.nan}, "flux")]
)
def test_some_epochs_need_a_whole_position_a_time_and_a_brightness(values, what):
    class Bright(Survey):
        @staticmethod
        def standardise(data, _):
            return data

    data = {name: np.array([1.0, 1.0]) for name in ("ra", "dec", "time", "mag")}
    check_values(Bright, data, {})
    data |= {name: np.array([value, value]) for name, value in values.items()}
    with pytest.raises(UserError, match=f"none with a {what}; name its columns"):
        check_values(Bright, data, {})


def test_two_sources_in_the_circle_are_ambiguous(sources):
    assert match(sources, [80.0], [0.0], radius_arcsec=1) == "twin 1"
    with pytest.raises(AmbiguousError, match=r"has 2 sources within 2 arcsec of .*: twin 1, twin 2"):
        match(sources, [80.0], [0.0])


def test_a_table_without_places_has_no_source(sources):
    for ra in ([], [np.nan, np.nan]):
        with pytest.raises(NoSourceError, match="has no epoch with a position"):
            match(sources, ra, ra)


@settings(deadline=None)
@given(st.floats(0, 360), st.floats(-90, 90), st.floats(0, 3), st.floats(0, 360))
def test_sources_near_a_place_are_those_of_astropy(ra, dec, arcsec, angle):
    center = SkyCoord(ra * u.deg, dec * u.deg)
    star = center.directional_offset_by(angle * u.deg, arcsec * u.arcsec)
    separation = center.separation(star).arcsec
    with tempfile.TemporaryDirectory() as folder:
        rows = [{"name": "a", "ra": star.ra.deg, "dec": star.dec.deg}]
        found = CatalogSources(take_snapshot(rows, folder)).near(ra, dec, 2016.0, 2.0)
    if abs(separation - 2) > 1e-4:
        assert found == (["a"] if separation < 2 else [])


@given(st.floats(0, 360, exclude_max=True), st.floats(-90, 90), st.integers(0, 2**32 - 1))
def test_a_median_place_does_not_depend_on_where_it_is(ra, dec, seed):
    angle, distance = np.random.default_rng(seed).uniform(0, [[360], [2]], (2, 9))
    center = SkyCoord(ra * u.deg, dec * u.deg)
    stars = center.directional_offset_by(angle * u.deg, distance * u.arcsec)
    found = SkyCoord(*median_place(stars.ra.deg, stars.dec.deg), unit="deg")
    offsets = center.spherical_offsets_to(stars)
    expected = center.spherical_offsets_by(*(np.median(offset) for offset in offsets))
    # Near a pole the two ways have other axes, so that their medians differ inside the circle.
    assert found.separation(expected).arcsec < (1e-3 if abs(dec) < 80 else 2)


def test_one_outlier_does_not_move_a_median_place():
    ra, dec = median_place(np.array([10.0, 10.0, 10.0001, 10.0, 12.0]), np.array([5.0, 5.0, 5.0001, 5.0, 6.0]))
    assert (ra, dec) == pytest.approx((10.0, 5.0), abs=2e-4)
