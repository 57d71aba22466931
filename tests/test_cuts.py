import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vo_lib.cuts import Cut, apply_cuts
from vo_lib.errors import CatalogError, ConfigError

TABLE = {
    "name": np.array(["a", "b", "c", "d  d"]),
    "mag": np.array([15.0, 18.0, 20.0, np.nan]),
    "dec": np.array([-40.0, -5.0, 0.0, 80.0]),
    "parallax": np.array([10.0, -1.0, 0.0, np.nan]),
    "count": np.array([1, 2, 3, 4]),
    "variable": np.array([True, False, True, False]),
}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("mag < 18", "a"),
        ("mag <= 18 and dec > -30", "b"),
        ("abs(dec) < 10 or name in ('a', 'x')", "abc"),
        ("not (mag >= 20)", "abd"),
        ("not mag >= 20 and isfinite(mag)", "ab"),
        ("16 < mag <= 20", "bc"),
        ("-10 < dec < mag < 19", "b"),
        ("mag != 18", "ac"),
        ("mag == mag", "abc"),
        ("mag not in (15, -20, 20)", "b"),
        ("count in [1, 4]", "ad"),
        ("name not in {'a'}", "bcd"),
        ("name == 'd  d'", "d"),
        ("'a' != name", "bcd"),
        ("variable", "ac"),
        ("not variable and mag > 1", "b"),
        ("mag + 5 * log10(parallax) - 10 < 11", "ac"),
        ("sqrt(dec ** 2 + 9) / 2 % 10 <= 2", "acd"),
        ("1 / parallax > 0", "ac"),
        ("parallax / parallax == 1", "ab"),
        ("-dec > +30", "a"),
        ("9 ** 9 ** 9 ** 9 > mag", "abc"),
        ("1 < 2", "abcd"),
        ("mag <\n 18\t", "a"),
        ("0.1 + 0.2 == 3e-1", ""),
    ],
)
def test_a_cut_keeps_what_fulfils_it(text, kept):
    mask = Cut(text).mask(TABLE)
    assert mask.dtype == bool
    assert "".join(name[0] for name in TABLE["name"][mask]) == kept


@pytest.mark.parametrize("kind", ["i8", "u8"])
def test_whole_numbers_are_compared_with_all_their_digits(kind):
    table = {"id": np.array([6917528997577384320, 6917528997577384321, 5], kind)}
    assert Cut("id == 6917528997577384320").mask(table).tolist() == [True, False, False]
    assert Cut("id in [6917528997577384321, 5.0]").mask(table).tolist() == [False, True, True]
    assert Cut("5 < id <= 6917528997577384320").mask(table).tolist() == [True, False, False]
    assert Cut("id < 18446744073709551616 and id / 2 == 2.5 and id > -1").mask(table).tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Mag < 18", "needs the column 'Mag', which the catalog does not have; did you mean 'mag'"),
        ("qqq < 18", "known are name, mag, dec"),
        ("__import__ > 1", "needs the column '__import__'"),
        ("mag = 18", "cannot be understood"),
        ("mag <", "cannot be understood"),
        ("", "cannot be understood"),
        ("mag < 18; dec > 3", "cannot be understood"),
        ("mag < 1\0", "cannot be understood"),
        ("name == '\\d'", "cannot be understood"),
        ("mag", "is a number, not a condition"),
        ("name", "is text, not a condition"),
        ("mag and dec > 3", "has a number where a condition is needed: 'mag'"),
        ("not mag", "has a number where a condition is needed"),
        ("mag < '18'", "compares a number with text; text needs quotes, numbers none"),
        ("name == 5", "compares text with a number; .*; a column is text if a cell is not a number"),
        ("name < 'b'", "which of two texts is larger"),
        ("variable == 1", "compares a condition with a number"),
        ("name + 'x' == 'ax'", "has text where a number is needed: 'name'"),
        ("'%s' % name == 'a'", "has text where a number is needed"),
        ("abs(name) > 1", "has text where a number is needed"),
        ("name in ('a', 3)", "compares text with a number"),
        ("name in 'abc'", "must have a list after 'in'"),
        ("name in ('a')", "must have a list after 'in'"),
        ("name in ()", "at least one"),
        ("name in ('a', name)", "numbers or text in quotes in its lists"),
        ("name in [['a']]", "numbers or text in quotes in its lists"),
        ("mag in [not 1]", "has a number where a condition is needed"),
        ("('a', 'b') in name", "must have a list after 'in'"),
        ("mag == (1, 2)", "must have a list after 'in', and only there"),
        ("(mag, dec)", "in a place where it is not allowed"),
        ("abs((1, 2)) > 0", "in a place where it is not allowed"),
        ("(mag < 18) & (dec > 3)", "write 'and', 'or', 'not' instead"),
        ("~variable", "write 'and', 'or', 'not' instead"),
        ("mag.real < 18", "holds 'mag.real', which is not allowed"),
        ("mag[0] < 18", r"holds 'mag\[0\]', which is not allowed"),
        ("open('x') < 18", "calls 'open'; only abs, isfinite, log10, sqrt can be called"),
        ("abs.__class__(mag) < 18", "calls 'abs.__class__'"),
        ("(lambda: 1)() < 18", "calls '"),
        ("lambda: 1", "holds 'lambda: 1'"),
        ("abs(mag, dec) < 1", "must call abs with one value"),
        ("abs(x=mag) < 1", "must call abs with one value"),
        ("abs(*mag) < 1", "not allowed"),
        ("f'{mag}' == 'a'", "which is not allowed"),
        ("mag is None", "not allowed"),
        ("mag == None", "holds None; only numbers"),
        ("True", "holds True"),
        ("mag == 1j", "holds 1j"),
        ("name == b'a'", "holds b'a'"),
        ("mag < ...", "holds Ellipsis"),
        ("mag // 2 > 1", "holds 'FloorDiv'"),
        ("1 << 99999999 > mag", "not allowed"),
        ("(mag := 3) > 1", "which is not allowed"),
        ("[m for m in mag]", "which is not allowed"),
        ("mag if mag else dec", "which is not allowed"),
        ("await mag", "not allowed|understood"),
        ("mag < " + "9" * 400, "number that is too large"),
        ("mag < " + "(" * 300 + "1" + ")" * 300, "cannot be understood"),
        ("mag < " + "-" * 900 + "1", "cannot be understood|nested more than 40 deep"),
        ("mag < " + "+".join("1" * 60), "nested more than 40 deep; make it several cuts"),
        ("mag" + ".a" * 450 + " < 1", "not allowed|nested"),
        ("mag < 18 or " * 200 + "mag < 1", "at most 1000 are allowed; make it several cuts"),
        (18, "a cut must be text such as 'mag < 18', got 18"),
    ],
)
def test_anything_else_is_refused_in_one_line(text, message):
    with pytest.raises(CatalogError, match=message) as error:
        Cut(text).mask(TABLE)
    assert str(error.value).startswith("catalog.cuts: ")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


def test_what_is_not_allowed_is_found_before_there_is_a_table():
    with pytest.raises(CatalogError, match="calls 'exec'"):
        Cut("mag < 18 or exec('1')")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("best > 3", "needs the column 'best', which the properties do not have; known are c0, c1, .*, c14, ...$"),
        ("c0", "is a number, not a condition"),
        ("c0 >", "cannot be understood"),
        (3, "a cut must be text"),
    ],
)
def test_cuts_of_another_table_name_it_and_are_errors_of_the_configuration(text, message):
    table = {f"c{number}": np.zeros(2) for number in range(40)}
    for key in ("properties.interesting", "rates.classes.bright"):
        with pytest.raises(ConfigError, match=f"^{key}: .*{message}"):
            apply_cuts([text], table, key=key)


def test_a_cut_names_its_columns():
    assert Cut("abs(dec) < 10 or mag - dec > 3 and name in ('x',)").columns == ["dec", "mag", "name"]
    assert Cut("abs > 3").columns == ["abs"]


def test_a_mask_is_new_and_the_table_unchanged():
    before = TABLE["variable"].copy()
    Cut("variable").mask(TABLE)[:] = True
    np.testing.assert_array_equal(TABLE["variable"], before)


def test_an_empty_table_gives_an_empty_mask():
    assert Cut("mag < 18").mask({"mag": np.zeros(0)}).shape == (0,)


def test_every_row_that_is_left_out_is_counted_once():
    kept, left_out = apply_cuts(["mag < 19", "dec > -30", "mag < 19"], TABLE)
    assert kept.tolist() == [False, True, False, False]
    assert left_out == {"mag < 19": 2, "dec > -30": 1}
    assert kept.sum() + sum(left_out.values()) == 4


def test_without_cuts_everything_is_kept():
    kept, left_out = apply_cuts([], TABLE)
    assert kept.all()
    assert left_out == {}


def conditions():
    """Random conditions and the same as functions of one row."""
    limit = st.integers(-50, 50)
    leaf = st.builds(
        lambda column, sign, value: f"{column} {sign} {value}",
        st.sampled_from(["mag", "dec", "count"]),
        st.sampled_from(["<", "<=", ">", ">=", "=="]),
        limit,
    )
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.builds("({} and {})".format, inner, inner),
            st.builds("({} or {})".format, inner, inner),
            st.builds("not {}".format, inner),
        ),
        max_leaves=6,
    )


@given(conditions())
def test_a_cut_means_the_same_as_in_python_for_each_row(text):
    expected = [
        eval(text, {}, {name: values[row] for name, values in TABLE.items()})  # the reference
        for row in range(4)
    ]
    assert Cut(text).mask(TABLE).tolist() == expected


@given(st.text(st.sampled_from("magdec<>=()'\"[]{}.,:+-*/%&|~^!@#\\ 0189ei\nfnortl_"), max_size=40))
def test_any_text_is_a_cut_or_a_catalog_error(text):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            shape, message = Cut(text).mask(TABLE).shape, ""
        except CatalogError as error:
            shape, message = (4,), str(error)
    assert shape == (4,)
    assert "\n" not in message
