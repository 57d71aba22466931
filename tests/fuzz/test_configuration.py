"""Whatever a configuration says, it is one, or one line that says which key is wrong."""

import copy
import re

import numpy as np
import pytest
import yaml
from fuzz.mutations import mutated
from hypothesis import given
from hypothesis import strategies as st
from one_line import or_one_line

from vo_lib.catalogs.sexagesimal import format_dec, format_ra, parse_dec, parse_ra
from vo_lib.config import complete, config_digest, load_schema, public, read_config, to_yaml
from vo_lib.counts.edges import MAX_BINS, make_edges
from vo_lib.cuts import FUNCTIONS, Cut
from vo_lib.periods.frequencies import parse_range
from vo_lib.plan import Plan
from vo_lib.provenance import PACKAGE_ROOT, Provenance, canonical_json
from vo_lib.reduction.time_spellings import read_spelling

SCHEMA = load_schema(PACKAGE_ROOT / "workflow/schemas/config.schema.yaml")
EXAMPLES = [path.read_bytes() for path in sorted((PACKAGE_ROOT / "config").glob("*.yaml"))]

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["none", "ztf-r", "1-20 d", "a:B", "mag < 1", "RA010", "demo"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["edges", "log", "class", "kwargs", "name", "a", 1]), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(schema, start=()):
    """Keys of a schema, as paths, and one in each section that it does not have."""
    yield (*start, "no_such_key")
    for name, part in schema.get("properties", {}).items():
        yield (*start, name)
        yield from places(part, (*start, name))


def put(config, path, value):
    """A configuration with a value at a place, whatever was on the way."""
    if not path:
        return value
    config = dict(config) if isinstance(config, dict) else {}
    return config | {path[0]: put(config.get(path[0]), path[1:], value)}


changes = st.lists(st.tuples(st.sampled_from(list(places(SCHEMA))), values), min_size=1, max_size=3)


@given(st.sampled_from(EXAMPLES), changes)
def test_a_changed_configuration_is_one_or_one_line(text, changes):
    config = yaml.safe_load(text)
    for path, value in changes:
        config = put(config, path, value)
    before = copy.deepcopy(config)
    with or_one_line(contains="configuration"):
        whole = complete(config, SCHEMA)
        assert complete(whole, SCHEMA) == whole
        assert yaml.safe_load(to_yaml(public(whole, SCHEMA))) == public(whole, SCHEMA)
        assert re.fullmatch("[0-9a-f]{32}", config_digest(whole, SCHEMA))
    assert repr(config) == repr(before)


@given(changes)
def test_a_changed_configuration_is_a_plan_or_one_line(changes):
    config = yaml.safe_load(EXAMPLES[0])
    for path, value in changes:
        config = put(config, path, value)
    with or_one_line():
        Plan(config, SCHEMA, PACKAGE_ROOT)


@given(data=st.data())
def test_changed_yaml_is_a_configuration_or_one_line(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "config.yaml"
    path.write_bytes(data.draw(mutated(EXAMPLES)))
    with or_one_line():
        complete(read_config(path), SCHEMA)


@given(st.text(max_size=30))
def test_a_change_of_the_command_line_is_one_or_one_line(text):
    path = PACKAGE_ROOT / "config/config.yaml"
    for change in (text, f"reduce.gap_days={text}", f"{text}=1"):
        with or_one_line():
            complete(read_config(path, [change]), SCHEMA)


WORDS = (
    *(
        "mag",
        "name",
        "1",
        "1e999",
        "'a'",
        "and",
        "or",
        "not",
        "in",
        "(",
        ")",
        "[",
        "]",
        ",",
        "<",
        "==",
        "!=",
        "-",
        "**",
    ),
    *("/", "%", "abs", "log10", "lambda", ":", ".", "x", "__class__", "if", "else", "for", "{", "}", "\\", "&", "~"),
    *("@", "=", ":=", "f'{mag}'", "b'a'", "1j", "...", "None", "True"),
)
words = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)
TABLE = {"mag": np.array([1.0, np.nan, 3.0]), "name": np.array(["a", "b", "c"]), "n": np.array([1, 2, 3])}


@given(words | st.text(max_size=40))
def test_a_cut_is_a_condition_or_one_line(text):
    with or_one_line(contains="catalog.cuts"):
        found = Cut(text).mask(TABLE)
        assert found.shape == (3,)
        assert found.dtype == bool
    assert set(FUNCTIONS) == {"abs", "isfinite", "log10", "sqrt"}


numbers = st.integers(-(10**6), 10**6) | st.floats()
settings = (
    st.lists(numbers, min_size=3, max_size=3)
    | st.fixed_dictionaries({"edges": st.lists(numbers, max_size=5)})
    | st.fixed_dictionaries({"log": st.lists(numbers, min_size=3, max_size=3)})
)


@given(settings)
def test_edges_are_increasing_or_one_line(setting):
    with or_one_line(ValueError, contains="histograms.x must be"), np.errstate(all="ignore"):
        edges = make_edges("histograms.x", setting)
        assert (np.diff(edges) > 0).all()
        assert 2 <= len(edges) <= MAX_BINS + 1


TIMES = (
    *("bjd", "jd", "mjd", "btjd", "unix", "gps", "iso", "julian", "date", "year", "tdb", "utc", "tai", "-", "_", "("),
    *(")", "[d]", "mid", "start", "2457000", "2,457,000", "1e9", "days", "s", "\N{EN DASH}", "barycentric", "time"),
    "9" * 400,
)
spellings = st.lists(st.sampled_from(TIMES), max_size=6).map(" ".join)


@given(spellings | st.text(max_size=30))
def test_a_spelling_of_times_has_a_meaning_or_one_line(text):
    with or_one_line(ValueError):
        spelling = read_spelling(text)
        assert np.isfinite(spelling.zero_jd)
        spelling.system(scale="utc", reference="observatory", stamp="mid")


coordinates = st.from_regex(r"[+-]?[0-9]{1,3}[ :hd\u00b0][0-9]{1,2}[ :m'][0-9.]{0,6}[s\"]?", fullmatch=True)


@pytest.mark.parametrize("parse", [parse_ra, parse_dec])
@given(coordinates | st.text(max_size=20))
def test_a_coordinate_is_a_number_or_one_line(parse, text):
    with or_one_line(ValueError):
        assert isinstance(float(parse(text)), float)


@given(st.integers(0, 24 * 36 * 10**5 - 1), st.integers(-90 * 36 * 10**4, 90 * 36 * 10**4))
def test_coordinates_that_are_written_are_read_as_they_were(ra, dec):
    ra, dec = ra / (36 * 10**5) * 15, dec / (36 * 10**4)
    assert format_ra(parse_ra(format_ra(ra, decimals=3)), decimals=3) == format_ra(ra, decimals=3)
    assert format_dec(parse_dec(format_dec(dec, decimals=3)), decimals=3) == format_dec(dec, decimals=3)


@given(st.text(max_size=20) | st.from_regex(r"[0-9.e]{0,5}-[0-9.e]{0,5} ?[a-z/]{0,4}", fullmatch=True))
def test_a_range_of_periods_is_one_or_one_line(text):
    with or_one_line():
        parse_range(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(st.dictionaries(st.text(max_size=4), json_values, max_size=4), st.lists(st.text(max_size=4), max_size=3))
def test_a_provenance_is_the_same_however_its_parts_are_ordered(parameters, upstreams):
    one = Provenance("reduce", parameters, "c", tuple(upstreams))
    other = Provenance("reduce", dict(reversed(parameters.items())), "c", tuple(reversed(upstreams)))
    assert one.id == other.id
    assert yaml.safe_load(canonical_json(one.as_row()["id"])) == one.id


@pytest.mark.parametrize(
    "setting", [[0, 1e12, 1e-3], [0.0, 1e308, 1e-308], {"log": [1e-300, 1e300, 10**12]}, [0, 1, 1e-320]]
)
def test_more_bins_than_any_memory_holds_are_one_line(setting):
    with pytest.raises(ValueError, match="at most 100,000 bins"):
        make_edges("histograms.x", setting)
