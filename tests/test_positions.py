"""Offsets and steps on the sky against astropy."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from vo_lib.positions import displace, offsets


@pytest.mark.parametrize(
    ("ra", "dec"), [(0.0, 0.0), (359.9999, 51.4), (0.0001, -89.9999), (123.0, 90.0), (10.0, -90.0)]
)
def test_offsets_agree_with_astropy_everywhere(ra, dec):
    rng = np.random.default_rng(1)
    angle, distance = rng.uniform(0, 360, 200), rng.uniform(0, 300, 200)
    there = SkyCoord(ra, dec, unit="deg").directional_offset_by(angle * u.deg, distance * u.arcsec)
    east, north = offsets(there.ra.deg, there.dec.deg, np.full(200, ra), np.full(200, dec))
    np.testing.assert_allclose(east, distance * np.sin(np.radians(angle)), atol=2e-4)
    np.testing.assert_allclose(north, distance * np.cos(np.radians(angle)), atol=2e-4)


@pytest.mark.parametrize(("ra", "dec"), [(180.0, 0.0), (100.0, 0.0), (0.0, -90.0), (0.0, 90.0)])
def test_far_positions_are_far(ra, dec):
    east, north = offsets(np.array([ra]), np.array([dec]), np.zeros(1), np.zeros(1))
    assert np.hypot(east, north)[0] > 2e5


@pytest.mark.parametrize("most_arcsec", [3.0, 200.0, 3e4])
def test_offsets_are_the_parts_of_unit_vectors_to_east_and_north(most_arcsec):
    random = np.random.default_rng(3)
    center_ra, center_dec = random.uniform(0, 360, 500), random.uniform(-80, 80, 500)
    ra, dec = np.array([center_ra, center_dec]) + random.uniform(-1, 1, (2, 500)) * most_arcsec / 3600
    a, d, b, e = np.radians([ra, dec, center_ra, center_dec])
    there = np.array([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])
    to_east = np.array([-np.sin(b), np.cos(b), 0 * b])
    to_north = np.array([-np.sin(e) * np.cos(b), -np.sin(e) * np.sin(b), np.cos(e)])
    expected = 3600 * np.degrees([np.sum(there * axis, axis=0) for axis in (to_east, to_north)])
    np.testing.assert_allclose(offsets(ra, dec, center_ra, center_dec), expected, rtol=0, atol=1e-9)


def test_positions_on_the_other_side_are_one_radian_away_both_ways():
    for ra, dec in ((180.0, 0.0), (91.0, 0.0), (180.0, 80.0)):
        assert offsets(ra, dec, 0.0, 0.0) == pytest.approx((206264.806, 206264.806))
    assert offsets(89.0, 0.0, 0.0, 0.0) == pytest.approx((206264.806 * np.sin(np.radians(89)), 0.0))


def test_missing_positions_have_no_offset():
    east, north = offsets(np.array([np.nan, 1.0]), np.array([1.0, np.nan]), np.ones(2), np.ones(2))
    assert np.isnan(east).tolist() == [True, True]
    assert np.isnan(north).tolist() == [True, True]


def test_many_positions_are_like_each_by_itself():
    ra, dec = np.random.default_rng(2).uniform(0, 1, (2, 40_000))
    east, north = offsets(ra, dec, np.full(40_000, 0.5), np.full(40_000, 0.5))
    for place in (0, 16_383, 16_384, 39_999):
        one = offsets(ra[place], dec[place], 0.5, 0.5)
        np.testing.assert_allclose((east[place], north[place]), one, rtol=1e-12)


def test_many_positions_may_have_one_centre():
    ra, dec = np.linspace(9, 11, 20_000), np.linspace(19, 21, 20_000)
    np.testing.assert_array_equal(
        offsets(ra, dec, 10.0, 20.0), offsets(ra, dec, np.full_like(ra, 10), np.full_like(ra, 20))
    )


@pytest.mark.parametrize("dec", [-90.0, -89.99, -30.0, 0.0, 51.4, 89.9999, 90.0])
@pytest.mark.parametrize("ra", [0.0, 0.00001, 123.4, 359.9999])
def test_displacements_are_those_of_astropy(ra, dec):
    """A step in the tangent plane is a turn by its arctangent along the same great circle.

    Near the poles astropy is exact to some 0.01 mas.
    """
    east, north = np.array([0.0, 1.0, -20.0, 3000.0]), np.array([5.0, 0.0, -7.0, -4000.0])
    expected = SkyCoord(ra, dec, unit="deg").directional_offset_by(
        np.arctan2(east, north) * u.rad, np.arctan(np.radians(np.hypot(east, north) / 3600)) * u.rad
    )
    found = displace(ra, dec, east=east, north=north)
    assert np.allclose(expected.separation(SkyCoord(*found, unit="deg")).arcsec, 0, atol=1e-4)
    assert ((found[0] >= 0) & (found[0] < 360)).all()


def test_a_step_too_small_to_the_west_of_right_ascension_0_stays_there():
    assert displace(0.0, 0.0, east=-1e-12, north=0.0) == (0.0, 0.0)


def test_no_displacement_keeps_the_position():
    ra, dec = displace(np.array([0.0, 359.9999, 83.9]), np.array([-12.25, 0.0, 89.9]), east=0.0, north=0.0)
    assert np.allclose(ra, [0.0, 359.9999, 83.9], rtol=0, atol=1e-12)
    assert np.allclose(dec, [-12.25, 0.0, 89.9], rtol=0, atol=1e-12)
