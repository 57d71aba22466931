"""Heads of columns of times, against astropy where they are understood."""

import warnings

import numpy as np
import pytest
from astropy.coordinates import EarthLocation, SkyCoord
from astropy.time import Time

from vo_lib.reduction.time_spellings import read_spelling
from vo_lib.times import TimeSystem, standard_times

SITE = (-70.7, -30.2, 2700.0)
MOMENTS = ["1990-01-01T00:00:10", "2003-03-01T05:00:00", "2016-12-30T09:30:00.250", "2023-07-15T23:59:59.500"]
DAYS = {"d": 1.0, "h": 1 / 24, "min": 1 / 1440, "s": 1 / 86400, "yr": 365.25}


@pytest.fixture(scope="module")
def moments():
    """Times at the observatory, and the same light at the barycentre and at the Sun."""
    middle = Time(MOMENTS, format="isot", scale="utc", location=EarthLocation.from_geodetic(*SITE[:2], SITE[2]))
    star = SkyCoord(10.0, 20.0, unit="deg")
    kinds = {"barycentre": "barycentric", "heliocentre": "heliocentric"}
    with warnings.catch_warnings():
        # The Earth's rotation in 1990 is not in the tables that come with astropy; it is 0.001 ms.
        warnings.filterwarnings("ignore", message="(?s).*polar motions|.*IERS")
        delays = {name: middle.light_travel_time(star, kind=kind, ephemeris="builtin") for name, kind in kinds.items()}
    return {"observatory": middle} | {name: middle.tdb + delay for name, delay in delays.items()}


def less(zero_jd):
    """Days since a Julian date, without loss of digits."""
    return lambda t: (t.jd1 - zero_jd) + t.jd2


# Text, what has to be said beside it, scale and place, and the numbers that astropy gives for such times.
SPELLINGS = [
    ("MJD", {"scale": "utc", "reference": "observatory"}, "utc", "observatory", lambda t: t.mjd),
    ("MJD(UTC), mid-exposure", {"reference": "observatory"}, "utc", "observatory", lambda t: t.mjd),
    ("MJD - 50000", {"scale": "utc", "reference": "observatory"}, "utc", "observatory", less(2450000.5)),
    ("mjd-50000 tai", {"reference": "observatory"}, "tai", "observatory", less(2450000.5)),
    ("JD TT", {"reference": "observatory"}, "tt", "observatory", lambda t: t.jd),
    ("JD(TAI)", {"reference": "observatory"}, "tai", "observatory", lambda t: t.jd),
    ("Modified Julian Date, TCB, barycentric", {}, "tcb", "barycentre", lambda t: t.mjd),
    ("HJD", {"scale": "utc"}, "utc", "heliocentre", lambda t: t.jd),
    ("HJD_TDB − 2,450,000 [days]", {}, "tdb", "heliocentre", less(2450000.0)),
    ("BJD - 2457000, days", {"scale": "tdb"}, "tdb", "barycentre", less(2457000.0)),
    ("BJDTDB", {}, "tdb", "barycentre", lambda t: t.jd),
    ("BJD(UTC) - 2454833", {}, "utc", "barycentre", less(2454833.0)),
    ("BTJD", {}, "tdb", "barycentre", less(2457000.0)),
    ("BKJD", {}, "tdb", "barycentre", less(2454833.0)),
    ("BMJD_TDB", {}, "tdb", "barycentre", lambda t: t.mjd),
    ("RJD (TT)", {"reference": "observatory"}, "tt", "observatory", less(2400000.0)),
    ("days since JD 2457000 (TDB, barycentric)", {}, "tdb", "barycentre", less(2457000.0)),
    ("JD - 2457000 [s], TAI", {"reference": "observatory"}, "tai", "observatory", lambda t: less(2457000)(t) * 86400),
    ("time [unix]", {"reference": "observatory"}, "utc", "observatory", lambda t: t.unix),
    ("GPS seconds", {"reference": "observatory"}, "tai", "observatory", lambda t: t.gps),
    ("Julian year (TT)", {"reference": "observatory"}, "tt", "observatory", lambda t: t.jyear),
    ("ISO 8601 (UTC)", {"reference": "observatory"}, "utc", "observatory", lambda t: t.mjd),
]


@pytest.mark.parametrize(("text", "beside", "scale", "place", "numbers"), SPELLINGS, ids=[row[0] for row in SPELLINGS])
def test_each_spelling_means_what_astropy_says(moments, text, beside, scale, place, numbers):
    spelling = read_spelling(text)
    system = spelling.system(stamp="mid", **beside)
    time = numbers(getattr(moments[place], scale)) * DAYS.get(spelling.unit, 1.0)
    mjd, bmjd = standard_times(time, system, exptime=0.0, ra=10.0, dec=20.0, site=SITE)
    # A Julian date in one float is good to 0.02 ms.
    np.testing.assert_allclose(mjd, moments["observatory"].mjd, rtol=0, atol=0.3e-3 / 86400)
    np.testing.assert_allclose(bmjd, moments["barycentre"].tdb.mjd, rtol=0, atol=0.3e-3 / 86400)


def test_a_text_may_say_all():
    assert read_spelling("BJD_TDB - 2457000, mid").system() == TimeSystem("tdb", "barycentre", "mid", 2457000.0)
    assert read_spelling("exposure start, MJD (UTC, geocentric)").system().stamp == "start"


def test_what_is_said_twice_alike_is_no_error():
    assert read_spelling("BTJD").system(scale="tdb", stamp="mid") == read_spelling("BTJD (TDB), mid").system()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' names no count; write one of JD, MJD"),
        ("time", "names no count"),
        ("JD or MJD", "'or' is not known in a format of times"),
        ("JD, MJD", "names JD and MJD"),
        ("frames", "'frames' is not known in a format of times"),
        ("JD(UT)", "ambiguous: UT can be UTC or UT1"),
        ("JD ET", "ambiguous: ET became TT or TDB in 1984"),
        ("GMT", "ambiguous: GMT"),
        ("TJD", "ambiguous: TJD counts from JD 2440000.5 or, of TESS, from 2457000"),
        ("decimal year", "ambiguous: a year is a Julian one of 365.25 d or one of the calendar"),
        ("HJD (2450000+)", "ambiguous: it has a number that is not subtracted"),
        ("HJD + 2450000", "ambiguous: it has a number that is not subtracted"),
        ("BJD 2457000", "ambiguous: it has a number that is not subtracted"),
        ("BJD - 2457000 - 3", "ambiguous: it has a number that is not subtracted"),
        ("BJD -", "has a minus sign without a number"),
        ("MJD - 2400000.5", "would count from JD 4800001; write MJD without that number"),
        ("BTJD - 1000", "write BTJD without that number"),
        ("MJD (UTC, TAI)", "says scale tai and utc; keep only one"),
        ("unix (TAI)", "says scale tai, but UNIX is utc"),
        ("BJD, heliocentric", "says reference heliocentre, but BJD is barycentre"),
        ("unix [d]", "says unit d, but UNIX is counted in s"),
        ("MJD UTC [yr]", "says unit yr, but MJD is counted in d"),
        ("ISO [s]", "says unit s, but ISO is text"),
    ],
)
def test_what_is_ambiguous_or_unknown_is_refused(text, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(").replace(")", r"\)").replace("+", r"\+")):
        read_spelling(text)


def test_what_is_not_said_is_asked_for():
    with pytest.raises(
        ValueError,
        match=r"'MJD' does not say .*, so set time_scale \(one of utc, .* and time_reference .* and time_stamp",
    ):
        read_spelling("MJD").system()
    with pytest.raises(
        ValueError, match=r"'HJD' does not say .*, so set time_scale \(one of utc, tai, tt, tdb, tcb\)$"
    ):
        read_spelling("HJD").system(stamp="mid")


def test_what_is_said_twice_and_not_alike_is_refused():
    with pytest.raises(ValueError, match="'BTJD' says scale tdb, but time_scale is utc; correct one"):
        read_spelling("BTJD").system(scale="utc", stamp="mid")
