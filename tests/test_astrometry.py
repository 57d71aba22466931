"""Space motion and frames against astropy."""

import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import ICRS, SkyCoord
from astropy.time import Time
from erfa import ErfaWarning

from vo_lib.astrometry import propagate, to_icrs
from vo_lib.positions import offsets


def separation_mas(ra, dec, other_ra, other_dec):
    """Distances of positions [mas]."""
    return np.hypot(*offsets(ra, dec, other_ra, other_dec)) * 1000


def stars(n):
    """Positions all over the sky, a third of them 0.1 degrees from a pole, with up to 5 arcsec/yr."""
    rng = np.random.default_rng(7)
    ra, dec = rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    dec[: n // 6], dec[n // 6 : n // 3] = 89.9, -89.9
    speed, angle = rng.choice([10.0, 300.0, 5000.0], n), rng.uniform(0, 2 * np.pi, n)
    return ra, dec, speed * np.cos(angle), speed * np.sin(angle)


def astropy_propagate(ra, dec, pmra, pmdec, years, **more):
    """The same from astropy, which warns of the distances that it makes up."""
    start = Time(2016.0, format="jyear", scale="tdb")
    motion = {"pm_ra_cosdec": pmra * u.mas / u.yr, "pm_dec": pmdec * u.mas / u.yr}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ErfaWarning)
        position = SkyCoord(ra * u.deg, dec * u.deg, obstime=start, **motion, **more)
        moved = position.apply_space_motion(new_obstime=start + years * u.year)
    return moved.ra.deg, moved.dec.deg


@pytest.mark.parametrize("years", [-50.0, -0.5, 16.0, 50.0])
@pytest.mark.parametrize(
    ("parallax", "velocity"), [(None, None), (1.0, None), (550.0, None), (550.0, -110.0), (20.0, 80.0)]
)
def test_space_motion_agrees_with_astropy(years, parallax, velocity):
    ra, dec, pmra, pmdec = stars(600)
    more = {"distance": np.full(600, 1000 / parallax) * u.pc} if parallax else {}
    more |= {"radial_velocity": np.full(600, velocity) * u.km / u.s} if velocity else {}
    moved = propagate(
        *(ra, dec),
        epoch=2016.0,
        to_epoch=2016.0 + years,
        pmra=pmra,
        pmdec=pmdec,
        parallax=parallax or np.nan,
        radial_velocity=velocity or np.nan,
    )
    expected = astropy_propagate(ra, dec, pmra, pmdec, years, **more)
    assert separation_mas(*moved, *expected).max() < 1.0


def test_one_arcsec_a_year_is_twenty_arcsec_after_twenty_years():
    ra, dec = propagate(123.0, 60.0, epoch=2000.0, to_epoch=2020.0, pmra=1000.0)
    assert (ra - 123.0) * 3600 * np.cos(np.radians(60.0)) == pytest.approx(20.0, rel=1e-4)
    ra, dec = propagate(123.0, -0.001, epoch=2000.0, to_epoch=2020.0, pmdec=1000.0)
    assert (ra, dec) == pytest.approx((123.0, -0.001 + 20 / 3600), abs=1e-10)


def test_a_motion_over_the_pole_and_across_ra_0_goes_on_straight():
    ra, dec = propagate([10.0, 0.001], [89.999, 0.0], epoch=2000.0, to_epoch=2010.0, pmra=[0, -1000], pmdec=[1000, 0])
    np.testing.assert_allclose(ra, [190.0, 360 + 0.001 - 10 / 3600], atol=1e-9)
    np.testing.assert_allclose(dec, [180 - 89.999 - 10 / 3600, 0.0], atol=1e-9)


def test_a_motion_from_the_pole_itself_is_finite():
    ra, dec = propagate(0.0, 90.0, epoch=2000.0, to_epoch=2010.0, pmra=1000.0, pmdec=0.0)
    assert (ra, dec) == pytest.approx((90.0, 90 - 10 / 3600), abs=1e-8)


@pytest.mark.parametrize("parallax", [np.nan, 0.0, -3.0])
def test_without_parallax_the_radial_velocity_does_not_matter(parallax):
    where = {"epoch": 2016.0, "to_epoch": 1950.0, "pmra": 2000.0, "pmdec": -3000.0}
    assert propagate(1.0, 2.0, **where, parallax=parallax, radial_velocity=300.0) == propagate(1.0, 2.0, **where)


def test_sources_that_do_not_move_keep_every_digit():
    ra, dec = np.random.default_rng(2).uniform(0, 90, (2, 1000))
    moved = propagate(ra, dec, epoch=2016.0, to_epoch=2050.0, pmra=np.nan, pmdec=np.nan, parallax=5.0)
    np.testing.assert_array_equal(moved, [ra, dec])
    moved = propagate(ra, dec, epoch=2016.0, to_epoch=2016.0, pmra=99.0, pmdec=1.0)
    np.testing.assert_array_equal(moved, [ra, dec])


def test_there_and_back_is_the_same_place():
    ra, dec, pmra, pmdec = stars(300)
    slow = {"pmra": pmra / 100, "pmdec": pmdec / 100}
    there = propagate(ra, dec, epoch=2000.0, to_epoch=2005.0, **slow)
    back = propagate(*there, epoch=2005.0, to_epoch=2000.0, **slow)
    assert separation_mas(*back, ra, dec)[100:].max() < 0.01


def test_a_star_that_has_hardly_moved_to_the_west_of_right_ascension_0_is_still_there():
    ra, dec = propagate([0.0, 0.0], [0.0, 10.0], epoch=2016.0, to_epoch=2017.0, pmra=-1e-9)
    assert ra.tolist() == [0.0, 0.0]
    np.testing.assert_allclose(dec, [0.0, 10.0], rtol=0, atol=1e-12)


def test_missing_values_and_no_sources():
    ra, dec = propagate(
        [np.nan, 1.0, 2.0], [0.0, 1.0, 2.0], epoch=[2016.0, np.nan, 2016.0], to_epoch=2020.0, pmra=[1, 0, 1]
    )
    assert np.isnan(ra).tolist() == np.isnan(dec).tolist() == [True, True, False]
    assert propagate([], [], epoch=2016.0, to_epoch=2020.0)[0].shape == (0,)


@pytest.mark.parametrize(
    ("frame", "name", "tolerance_mas"),
    [
        ("icrs", "icrs", 1e-3),
        ("ecliptic", "barycentricmeanecliptic", 1.0),
        ("fk5", "fk5", 5.0),
        ("galactic", "galactic", 30.0),  # astropy has its pole in the FK5, the Hipparcos and Gaia catalogs in the ICRS
    ],
)
def test_frames_agree_with_astropy(frame, name, tolerance_mas):
    rng = np.random.default_rng(3)
    lon, lat = rng.uniform(0, 360, 500), rng.uniform(-90, 90, 500)
    expected = SkyCoord(lon * u.deg, lat * u.deg, frame=name).transform_to(ICRS())
    assert separation_mas(*to_icrs(lon, lat, frame), expected.ra.deg, expected.dec.deg).max() < tolerance_mas


def test_fk4_agrees_with_astropy():
    rng = np.random.default_rng(3)
    lon, lat = rng.uniform(0, 360, 500), rng.uniform(-90, 90, 500)
    expected = SkyCoord(lon * u.deg, lat * u.deg, frame="fk4", equinox="B1950", obstime="B1950").transform_to(ICRS())
    assert separation_mas(*to_icrs(lon, lat, "fk4"), expected.ra.deg, expected.dec.deg).max() < 100
    ra, dec, pmra, pmdec = to_icrs(lon, lat, "fk4", pm_lon=np.full(500, np.nan), pm_lat=np.full(500, np.nan))
    np.testing.assert_array_equal([ra, dec], to_icrs(lon, lat, "fk4"))
    assert np.isnan([pmra, pmdec]).all()


@pytest.mark.parametrize("frame", ["galactic", "ecliptic", "icrs"])
def test_proper_motions_turn_with_their_frame(frame):
    lon, lat, pm_lon, pm_lat = stars(300)
    ra, dec, pmra, pmdec = to_icrs(lon, lat, frame, pm_lon=pm_lon, pm_lat=pm_lat)
    in_frame = propagate(lon, lat, epoch=2000.0, to_epoch=2030.0, pmra=pm_lon, pmdec=pm_lat)
    moved = propagate(ra, dec, epoch=2000.0, to_epoch=2030.0, pmra=pmra, pmdec=pmdec)
    assert separation_mas(*moved, *to_icrs(*in_frame, frame)).max() < 1e-3


def test_the_galactic_centre_and_pole():
    np.testing.assert_allclose(to_icrs(0.0, 0.0, "galactic"), [266.40499, -28.93617], atol=1e-5)
    np.testing.assert_allclose(to_icrs(0.0, 90.0, "galactic"), [192.85948, 27.12825], atol=1e-5)


@pytest.mark.parametrize(
    ("frame", "motion", "message"),
    [
        ("fk6", {}, "frame must be one of icrs, fk5, fk4, galactic, ecliptic, got 'fk6'"),
        ("galactic", {"pm_lon": 1.0}, "give both or neither"),
        ("fk4", {"pm_lon": 1.0, "pm_lat": 1.0}, "fk4 cannot be turned"),
    ],
)
def test_what_cannot_be_turned_is_refused(frame, motion, message):
    with pytest.raises(ValueError, match=message):
        to_icrs(1.0, 2.0, frame, **motion)
