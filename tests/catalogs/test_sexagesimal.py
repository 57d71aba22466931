import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import Angle
from hypothesis import given
from hypothesis import strategies as st

from vo_lib.catalogs.sexagesimal import CoordinateError, format_dec, format_ra, parse_dec, parse_ra


@pytest.mark.parametrize(
    ("text", "degrees"),
    [
        ("12:34:56.7", 188.73625),
        (" 12 34 56.7 ", 188.73625),
        ("12h34m56.7s", 188.73625),
        ("12H 34M 56.7S", 188.73625),
        ("12ʰ34ᵐ56.7ˢ", 188.73625),
        ("+12 : 34 : 56.7", 188.73625),
        ("188d44m10.5s", 188.73625),
        ("188.73625", 188.73625),
        ("12:34.5", 188.625),
        ("12h", 180.0),
        ("0:0:0", 0.0),
        ("24:00:00", 360.0),
        ("23:59:59.9999", 359.99999958333333),
        ("-5", -5.0),
    ],
)
def test_right_ascensions_are_read(text, degrees):
    assert parse_ra(text) == degrees


@pytest.mark.parametrize(
    ("text", "degrees"),
    [
        ("-00:30:00", -0.5),
        ("−00:30:00", -0.5),
        ("-0 30 0.0", -0.5),
        ("-0d30m", -0.5),
        ("- 0°30′00″", -0.5),
        ("-0°30'0''", -0.5),
        ("+5:06:07.8", 5.1021666666666667),
        ("-30:15", -30.25),
        ("-90:00:00", -90.0),
        ("90", 90.0),
        ("−1e-3", -0.001),
    ],
)
def test_declinations_are_read(text, degrees):
    assert parse_dec(text) == degrees


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (parse_ra, "12:60:00", "'12:60:00' is not a right ascension: its minutes must be below 60"),
        (parse_ra, "12:34:60.00", "its seconds must be below 60"),
        (parse_ra, "12.5:34:00", "only the last part may have decimals"),
        (parse_ra, "24:00:00.1", "at most 24 hours"),
        (parse_ra, "361d00m", "at most 360 degrees"),
        (parse_ra, "-01:00:00", "cannot be negative"),
        (parse_ra, "1h2x", r"'1h2x' is not a right ascension: write it as 12:34:56.7 \(hours\)"),
        (parse_ra, "12:34 56", "is not a right ascension"),
        (parse_ra, "12h34", "is not a right ascension"),
        (parse_ra, "1" * 5000 + ":00:00", "is not a right ascension"),
        (parse_dec, "-90:00:00.1", "'-90:00:00.1' is not a declination: it must be at most 90 degrees"),
        (parse_dec, "12h34m56s", "it is in degrees, not in hours"),
        (parse_dec, "--5:00:00", "is not a declination: write it as -12:34:56.7"),
        (parse_dec, "north", "'north' is not a declination"),
    ],
)
def test_other_texts_are_refused_by_name(parse, text, message):
    with pytest.raises(CoordinateError, match=message):
        parse(text)


def test_arrays_keep_their_shape_and_missing_values_are_nan():
    values = parse_ra(np.array([["1:00:00", ""], ["15.5", "nan"]]))
    np.testing.assert_array_equal(values, [[15.0, np.nan], [15.5, np.nan]])
    assert parse_dec([]).shape == (0,)
    np.testing.assert_array_equal(parse_dec(["1.5", "", "-2"]), [1.5, np.nan, -2.0])


def test_numbers_pass_unchanged():
    values = np.random.default_rng(1).uniform(0, 360, 100)
    np.testing.assert_array_equal(parse_ra(values), values)
    np.testing.assert_array_equal(parse_ra(values.astype(str)), values)


def test_an_error_says_which_of_many_texts_it_is_about():
    with pytest.raises(CoordinateError, match="'x'") as error:
        parse_dec(["1", "2:00:00", "x", "y"])
    assert error.value.index == 2


@pytest.mark.parametrize(
    ("degrees", "text"),
    [
        (0.0, "00:00:00.00"),
        (188.73625, "12:34:56.70"),
        (14.99999999, "01:00:00.00"),
        (359.99999999, "00:00:00.00"),
        (360.0, "00:00:00.00"),
        (-15.0, "23:00:00.00"),
        (np.nan, ""),
    ],
)
def test_right_ascensions_are_written(degrees, text):
    assert format_ra(degrees) == text


@pytest.mark.parametrize(
    ("degrees", "text"),
    [
        (-0.5, "-00:30:00.0"),
        (-30.25, "-30:15:00.0"),
        (0.0, "+00:00:00.0"),
        (-1e-9, "+00:00:00.0"),
        (10 - 1e-7, "+10:00:00.0"),
        (-90.0, "-90:00:00.0"),
        (89.99999999, "+90:00:00.0"),
        (np.inf, ""),
    ],
)
def test_declinations_are_written(degrees, text):
    assert format_dec(degrees) == text


def test_arrays_are_written_and_decimals_are_chosen():
    assert format_dec([-0.5, 1.0], decimals=0).tolist() == ["-00:30:00", "+01:00:00"]
    assert format_ra([[0.5]], decimals=3).tolist() == [["00:02:00.000"]]
    assert format_ra([]).tolist() == []


def test_a_declination_out_of_range_is_not_written():
    with pytest.raises(ValueError, match="from -90 to 90 degrees, got 95"):
        format_dec([0, 95.0])


decimals = st.integers(0, 9)


@given(st.floats(0, 360, exclude_max=True), decimals)
def test_a_written_right_ascension_is_read_within_half_a_digit(ra, digits):
    text = format_ra(ra, decimals=digits)
    off = (parse_ra(text) - ra + 180) % 360 - 180
    assert abs(off) <= 0.5 * 10.0**-digits / 240 + 1e-13
    assert float(text.split(":")[2]) < 60
    assert format_ra(parse_ra(text), decimals=digits) == text


@given(st.floats(-90, 90), decimals)
def test_a_written_declination_is_read_within_half_a_digit(dec, digits):
    text = format_dec(dec, decimals=digits)
    assert abs(parse_dec(text) - dec) <= 0.5 * 10.0**-digits / 3600 + 1e-14
    assert float(text.split(":")[2]) < 60
    assert format_dec(parse_dec(text), decimals=digits) == text


@given(st.floats(1, 360, exclude_max=True))
def test_enough_digits_keep_a_float_exactly(degrees):
    assert parse_ra(format_ra(degrees, decimals=14)) == degrees
    assert parse_dec(format_dec(-degrees / 4, decimals=15)) == -degrees / 4


@given(st.text(st.characters(exclude_characters="\0"), max_size=30))  # numpy drops trailing NULs
def test_any_text_is_read_or_refused(text):
    try:
        parse_dec(text)
    except CoordinateError as error:
        message = str(error)
    else:
        return
    assert message.startswith(f"'{text}' is not a declination: ")


@given(st.integers(0, 23), st.integers(0, 59), st.integers(0, 59999999), st.sampled_from([":", " ", "hm"]))
def test_astropy_reads_the_same(hours, minutes, micros, separator):
    first, second = separator if len(separator) == 2 else separator * 2
    text = f"{hours:02d}{first}{minutes:02d}{second}{micros / 1e6:09.6f}"
    negative = "-" + text.replace("h", "d")
    np.testing.assert_allclose(parse_ra(text), Angle(text, unit=u.hourangle).deg, rtol=0, atol=1e-12)
    np.testing.assert_allclose(parse_dec(negative), Angle(negative, unit=u.deg).deg, rtol=0, atol=1e-12)


@given(st.floats(0.001, 89.999))
def test_astropy_writes_the_same(dec):
    assert format_dec(-dec, decimals=4) == Angle(-dec, unit=u.deg).to_string(sep=":", precision=4, pad=True)
