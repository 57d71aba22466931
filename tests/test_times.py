"""Times against astropy, which shares only the routines of erfa with the library."""

import itertools
import warnings

import astropy.units as u
import erfa
import numpy as np
import pytest
from astropy.coordinates import EarthLocation, SkyCoord, solar_system_ephemeris
from astropy.time import Time, TimeDelta
from astropy.utils import iers

from vo_lib.positions import displace
from vo_lib.times import MJD_ZERO_JD, REFERENCES, SCALES, TimeSystem, standard_times

PALOMAR = (-116.8650, 33.3563, 1712.0)
MJD_SYSTEM = TimeSystem("utc", "observatory", "mid", MJD_ZERO_JD)
SECOND = 1 / 86400
# Parts of an exposure of half an hour, seconds after its middle.
SINCE_MIDDLE = {"start": -900.0, "mid": 0.0, "end": 900.0}
MILLISECOND = 1e-3 * SECOND


@pytest.fixture(autouse=True)
def _far_times():
    """Times outside astropy's tables of the Earth's rotation, and its own ephemeris."""
    with (
        iers.conf.set_temp("iers_degraded_accuracy", "ignore"),
        solar_system_ephemeris.set("builtin"),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", category=erfa.ErfaWarning)
        warnings.filterwarnings("ignore", message="(?s).*polar motions|.*IERS")
        yield


def _truth(n_epochs, site=PALOMAR, years=(1990, 2040), seed=1):
    """Random directions, and times with a location; astropy's values of both columns."""
    rng = np.random.default_rng(seed)
    ra, dec = rng.uniform(0, 360, n_epochs), np.degrees(np.arcsin(rng.uniform(-1, 1, n_epochs)))
    mjd = Time(np.array(years), format="jyear").mjd
    location = EarthLocation.from_geodetic(*site)
    time = Time(rng.uniform(*mjd, n_epochs), format="mjd", scale="utc", location=location)
    return time, ra, dec


def _delay(time, ra, dec, reference):
    """Astropy's light time from the observatory to a reference."""
    sky = SkyCoord(ra, dec, unit="deg")
    if reference == "geocentre":
        place = time.location.get_gcrs(time).cartesian.xyz
        return TimeDelta((place * sky.cartesian.xyz).sum(0) / 299792458 / (u.m / u.s), scale="tdb")
    return time.light_travel_time(sky, f"{reference[:-6]}centric")


def _bmjd(time, ra, dec):
    """Astropy's BJD_TDB - 2400000.5."""
    return (time.tdb + _delay(time, ra, dec, "barycentre")).mjd


@pytest.mark.parametrize(("scale", "reference", "stamp"), list(itertools.product(SCALES, REFERENCES, SINCE_MIDDLE)))
def test_every_system_agrees_with_astropy(scale, reference, stamp):
    time, ra, dec = _truth(60)
    written = time + TimeDelta(SINCE_MIDDLE[stamp], format="sec", scale="tai")
    if reference != "observatory":
        written = written + _delay(written, ra, dec, reference)
    sent = getattr(written, scale).mjd - 6999.5
    system = TimeSystem(scale, reference, stamp, MJD_ZERO_JD + 6999.5)
    mjd, bmjd = standard_times(sent, system, exptime=1800.0, ra=ra, dec=dec, site=PALOMAR)
    np.testing.assert_allclose(mjd, time.mjd, rtol=0, atol=0.1 * MILLISECOND)
    np.testing.assert_allclose(bmjd, _bmjd(time, ra, dec), rtol=0, atol=0.2 * MILLISECOND)


@pytest.mark.parametrize("site", [(0.0, 0.0, 0.0), (-70.7, -30.2, 2700.0), (20.0, 89.9, 0.0)])
def test_barycentric_times_agree_with_astropy_over_fifty_years(site):
    time, ra, dec = _truth(3000, site)
    _, bmjd = standard_times(time.mjd, MJD_SYSTEM, exptime=0.0, ra=ra, dec=dec, site=site)
    np.testing.assert_allclose(bmjd, _bmjd(time, ra, dec), rtol=0, atol=0.2 * MILLISECOND)


def test_without_a_site_the_observatory_is_at_the_geocentre():
    time, ra, dec = _truth(100)
    time = Time(time.mjd, format="mjd", scale="utc", location=EarthLocation.from_geocentric(0, 0, 0, unit="m"))
    _, bmjd = standard_times(time.mjd, MJD_SYSTEM, exptime=0.0, ra=ra, dec=dec)
    np.testing.assert_allclose(bmjd, _bmjd(time, ra, dec), rtol=0, atol=0.1 * MILLISECOND)


@pytest.mark.parametrize("scale", SCALES)
def test_leap_second_day_has_one_second_more(scale):
    """31 December 2016 had 86,401 s; its MJD counts them evenly, like that of astropy."""
    time = Time(57753 + np.linspace(0.001, 1.999, 50), format="mjd", scale="utc")
    system = TimeSystem(scale, "observatory", "mid", MJD_ZERO_JD)
    mjd, _ = standard_times(getattr(time, scale).mjd, system, exptime=0.0, ra=10.0, dec=20.0)
    np.testing.assert_allclose(mjd, time.mjd, rtol=0, atol=1e-5 * SECOND)


@pytest.mark.parametrize("reference", REFERENCES[1:])
def test_conversion_to_the_observatory_is_exact_to_a_microsecond(reference):
    time, ra, dec = _truth(2000)
    arguments = {"exptime": 0.0, "ra": ra, "dec": dec, "site": PALOMAR}
    there = TimeSystem("tdb", reference, "mid", MJD_ZERO_JD)
    tdb_there = time.tdb.mjd
    mjd, bmjd = standard_times(tdb_there, there, **arguments)
    _, again = standard_times(mjd, MJD_SYSTEM, **arguments)
    np.testing.assert_allclose(again, bmjd, rtol=0, atol=2e-6 * SECOND)
    if reference == "barycentre":
        np.testing.assert_allclose(again, tdb_there, rtol=0, atol=2e-6 * SECOND)


def test_times_that_need_no_conversion_are_untouched():
    mjd = np.sort(np.random.default_rng(3).uniform(48000, 66000, 5000))
    same, bmjd = standard_times(mjd, MJD_SYSTEM, exptime=30.0, ra=0.0, dec=0.0)
    np.testing.assert_array_equal(same, mjd)
    there = TimeSystem("tdb", "barycentre", "mid", MJD_ZERO_JD)
    np.testing.assert_array_equal(standard_times(bmjd, there, exptime=30.0, ra=0.0, dec=0.0)[1], bmjd)


def test_seasons_show_in_a_star_on_the_ecliptic():
    """A star at RA 0, Dec 0 is opposite the Sun in late September: light meets the Earth 500 s early."""
    mjd = Time("2020-09-22T00:00:00").mjd
    _, bmjd = standard_times([mjd], MJD_SYSTEM, exptime=0.0, ra=0.0, dec=0.0)
    assert bmjd[0] - mjd == pytest.approx((69.184 + 499 * 1.003) * SECOND, abs=5 * SECOND)


def test_missing_times_stay_missing():
    time = np.array([np.nan, 58000.0, -999.0, 9e9, np.inf])
    mjd, bmjd = standard_times(time, MJD_SYSTEM, exptime=30.0, ra=1.0, dec=2.0, site=PALOMAR)
    np.testing.assert_array_equal(np.isfinite(mjd), [False, True, False, False, False])
    np.testing.assert_array_equal(np.isfinite(bmjd), [False, True, False, False, False])


def test_times_are_those_of_the_years_that_the_ephemeris_covers():
    """1 January 1900 is MJD 15020, 1 January 2100 is MJD 88069."""
    mjd, bmjd = standard_times([15000.0, 15030.0, 88060.0, 88075.0], MJD_SYSTEM, exptime=0.0, ra=1.0, dec=2.0)
    for times in (mjd, bmjd):
        np.testing.assert_array_equal(np.isfinite(times), [False, True, True, False])


def test_before_1972_utc_is_ten_seconds_behind_tai():
    utc, tai = (TimeSystem(scale, "observatory", "mid", MJD_ZERO_JD) for scale in ("utc", "tai"))
    mjd = np.array([30000.0, 40000.0, 41317.0])
    later = standard_times(mjd + 10 * SECOND, tai, exptime=0.0, ra=1.0, dec=2.0)
    for times, expected in zip(standard_times(mjd, utc, exptime=0.0, ra=1.0, dec=2.0), later, strict=True):
        np.testing.assert_allclose(times, expected, rtol=0, atol=1e-5 * SECOND)
    np.testing.assert_allclose(later[0], mjd, rtol=0, atol=1e-5 * SECOND)


def test_neighbours_on_one_meridian_have_times_of_their_own():
    ra, dec = np.full(3, 10.0), np.array([-60.0, 0.0, 60.0])
    _, bmjd = standard_times(np.full(3, 58000.0), MJD_SYSTEM, exptime=0.0, ra=ra, dec=dec)
    alone = [standard_times([58000.0], MJD_SYSTEM, exptime=0.0, ra=10.0, dec=each)[1][0] for each in dec.tolist()]
    np.testing.assert_array_equal(bmjd, alone)
    assert len({*alone}) == 3


def test_missing_exposure_time_matters_only_where_it_is_needed():
    arguments = {"exptime": np.nan, "ra": 1.0, "dec": 2.0}
    assert np.isfinite(standard_times([58000.0], MJD_SYSTEM, **arguments)).all()
    start = TimeSystem("utc", "observatory", "start", MJD_ZERO_JD)
    assert np.isnan(standard_times([58000.0], start, **arguments)).all()


def test_missing_direction_leaves_the_time_at_the_observatory():
    mjd, bmjd = standard_times([58000.0, 58000.0], MJD_SYSTEM, exptime=0.0, ra=[np.nan, 1.0], dec=2.0)
    np.testing.assert_array_equal(mjd, [58000.0, 58000.0])
    np.testing.assert_array_equal(np.isnan(bmjd), [True, False])


def test_no_epochs_give_no_times():
    mjd, bmjd = standard_times([], MJD_SYSTEM, exptime=[], ra=[], dec=[], site=PALOMAR)
    assert mjd.shape == bmjd.shape == (0,)


def test_order_and_neighbours_do_not_matter():
    time, ra, dec = _truth(40000, years=(1901, 2099))
    _, together = standard_times(time.mjd, MJD_SYSTEM, exptime=0.0, ra=ra, dec=dec, site=PALOMAR)
    few = np.random.default_rng(5).permutation(40000)[:50]
    _, alone = standard_times(time.mjd[few], MJD_SYSTEM, exptime=0.0, ra=ra[few], dec=dec[few], site=PALOMAR)
    np.testing.assert_array_equal(alone, together[few])


def test_times_of_moved_sources_are_those_of_where_they_are():
    """A thousand arcsec are up to 2.4 s of light time; the source passes the pole, and rests, too."""
    mjd, random = np.linspace(57000, 60000, 400), np.random.default_rng(6)
    ra, dec = np.repeat([[10.0, 250.0, 359.9999, 80.0], [20.0, -75.0, 0.0, 89.9]], 100, axis=1)
    east, north = random.uniform(-1000, 1000, (2, 400)) * (np.arange(400) % 10 > 0)
    there = dict(zip(("ra", "dec"), displace(ra, dec, east=east, north=north), strict=True))
    expected = standard_times(mjd, MJD_SYSTEM, exptime=0.0, site=PALOMAR, **there)
    found = standard_times(mjd, MJD_SYSTEM, exptime=0.0, site=PALOMAR, ra=ra, dec=dec, moved=(east, north))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3 * MILLISECOND)
    still = standard_times(mjd, MJD_SYSTEM, exptime=0.0, site=PALOMAR, ra=ra, dec=dec)
    assert np.abs(still[1] - expected[1]).max() > 0.5 * SECOND


def test_input_is_not_changed():
    time, ra = np.array([58000.0]), np.array([10.0])
    standard_times(time, TimeSystem("utc", "heliocentre", "start", 0.5), exptime=30.0, ra=ra, dec=1.0)
    assert time[0] == 58000.0
    assert ra[0] == 10.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ut1", "observatory", "mid", 0.0), "scale must be one of utc, .* got 'ut1'"),
        (("utc", "moon", "mid", 0.0), "reference must be one of"),
        (("utc", "observatory", "middle", 0.0), "stamp must be one of start, mid, end, got 'middle'"),
        (("utc", "observatory", "mid", np.nan), "zero_jd must be a Julian date"),
    ],
)
def test_unknown_time_system(arguments, message):
    with pytest.raises(ValueError, match=message):
        TimeSystem(*arguments)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"must be numbers or have shape \(2,\)"):
        standard_times([1.0, 2.0], MJD_SYSTEM, exptime=0.0, ra=[1.0, 2.0, 3.0], dec=0.0)
    with pytest.raises(ValueError, match="one-dimensional"):
        standard_times(np.ones((2, 2)), MJD_SYSTEM, exptime=0.0, ra=1.0, dec=0.0)
