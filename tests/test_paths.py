import pytest
from hypothesis import given
from hypothesis import strategies as st

from vo_lib import paths


def test_files_have_the_promised_names():
    assert paths.raw_file("ZTF", "RA123") == "ZTF/ZTF_photometry_RA123.h5"
    assert paths.raw_file("ZTF", "RA123", "ztf_dr24") == "ZTF/ztf_dr24/ZTF_photometry_RA123.h5"
    assert paths.raw_file("GAIA", "RA123", "Gaia DR3") == "GAIA/gaia_dr3/GAIA_photometry_RA123.h5"
    project = paths.project_folder("Test_Project")
    assert paths.reduced_file(project, "DEMO", "RA123") == "TEST_PROJECT/DEMO_photometry_RA123_reduced.h5"
    assert paths.project_folder("test", "0a1b") == "TEST_0a1b"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("J123.1-32.13", "J123.1-32.13"),
        ("WD J0000+5123", "WD J0000+5123"),
        ("a/b", "a%2Fb"),
        ("100%", "100%25"),
        ("index", "%69%6E%64%65%78"),
        ("..", "%2E%2E"),
        ("Ångström", "%C3%85ngstr%C3%B6m"),
    ],
)
def test_key_of_a_source_is_its_name_where_that_is_possible(name, key):
    assert paths.encode_key(name) == key


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_every_name_has_a_key_of_its_own(name):
    key = paths.encode_key(name)
    assert paths.decode_key(key) == name
    assert key.isascii()
    assert "/" not in key
    assert "\0" not in key
    assert key.strip(".")
    assert key not in paths.RESERVED_KEYS


def test_lightcurves_are_counted_from_one():
    assert paths.lightcurve_key("a", 1, 3) == "a_reduction_01_of_03"
    assert paths.lightcurve_key("a/b", 7, 120) == "a%2Fb_reduction_007_of_120"
