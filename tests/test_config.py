import copy
import dataclasses
import datetime
import inspect
import subprocess
import sys

import pytest
import yaml
from hash_seeds import outputs

from vo_lib import config as module
from vo_lib.catalogs.columns import COLUMNS
from vo_lib.catalogs.selection import select_rows
from vo_lib.checks.series_checks import judge_series
from vo_lib.config import complete, config_digest, critical, data_root, load_schema, public, read_config, to_yaml
from vo_lib.counts.histogram_axes import check_size, make_histograms
from vo_lib.errors import ConfigError
from vo_lib.finder import Finder
from vo_lib.observatories import OBSERVATORIES, get_class
from vo_lib.periods.periodic import search_periods
from vo_lib.plan import read_plan
from vo_lib.planning.quality_section import BY_SURVEY
from vo_lib.properties import summarise
from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.quality import assess
from vo_lib.reduce import reduce_bin
from vo_lib.search.matched_filter import search_templates
from vo_lib.simulator import inject

SCHEMA = load_schema(PACKAGE_ROOT / "workflow/schemas/config.schema.yaml")
SOURCE = {"name": "a", "ra": 1, "dec": 2}
CONFIG = {"project": "test", "catalog": {"file": "x.csv"}, "observatories": {"demo": None}}


def with_value(key, value):
    """The configuration with one key, given with dots, set."""
    config = copy.deepcopy(CONFIG)
    *sections, last = key.split(".")
    section = config
    for name in sections:
        section = section.setdefault(name, {})
    section[last] = value
    return config


def test_defaults_are_filled_in_and_the_input_is_untouched():
    before = copy.deepcopy(CONFIG)
    config = complete(CONFIG, SCHEMA)
    assert before == CONFIG
    assert config["reduce"]["gap_days"] is None
    assert config["bins"] == {"width_deg": 1}
    assert list(config["observatories"]) == ["demo"]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("finder.snr_treshold", 5, "finder.snr_treshold is not a known key; did you mean 'snr_threshold'?"),
        ("snr_threshold", 5, "snr_threshold is not a known key; did you mean 'finder.snr_threshold'?"),
        ("quality.mask_flagged", 5, "quality.mask_flagged is not a known key; did you mean 'finder.mask_flagged'?"),
        ("finder.sideband", "1e-4", "got '1e-4', which is text in YAML; write 0.0001"),
        ("finder.sideband", "1e-9", "got '1e-9', which is text in YAML; write 1.0e-09"),
        ("finder.min_epochs", "4e0", "finder.min_epochs must be an integer, got '4e0', which is text in YAML; write 4"),
        ("reducer", {}, "reducer is not a known key; did you mean 'reduce'?"),
        ("observatories.zft", {}, "observatories.zft is not a known key; did you mean 'ztf'?"),
        ("observatories.hubble", {}, "observatories.hubble is not a known key; known are asassn, atlas, "),
        ("finder.snr_threshold", "5", "finder.snr_threshold must be a number or an array, got '5'"),
        ("finder.snr_threshold", True, "finder.snr_threshold must be a number or an array, got True"),
        ("finder.snr_threshold", [4, 5, 6], "finder.snr_threshold: [4, 5, 6] is too long"),
        ("finder.snr_threshold", [4, 0], "finder.snr_threshold entry 2: 0 is less than or equal to the minimum of 0"),
        ("finder.snr_threshold", -5, "finder.snr_threshold: -5 is less than or equal to the minimum of 0"),
        ("version_control", "yes", "version_control must be a boolean, got 'yes'"),
        ("observatories", {}, "observatories must name at least one"),
        ("observatories", ["demo"], "observatories must be an object"),
        ("catalog", {}, "catalog needs exactly one of file, sources, default, query and class, got none of them"),
        (
            "catalog",
            {"file": None},
            "catalog needs exactly one of file, sources, default, query and class, got none of them",
        ),
        ("catalog", {"file": "x.csv", "default": "WD"}, "class, got file and default"),
        ("catalog", {"default": "WD", "query": "SELECT"}, "class, got default and query"),
        ("catalog.query_url", "ftp://x", "catalog.query_url: 'ftp://x' does not match"),
        ("catalog.sources", [SOURCE], "class, got file and sources"),
        ("catalog.sources", [], "catalog.sources: [] should be non-empty"),
        ("catalog.sources", [SOURCE, {"name": "b", "ra": 1}], "catalog.sources entry 2 needs the key 'dec'"),
        (
            "catalog.sources",
            [SOURCE | {"pm_ra": 3}],
            "catalog.sources entry 1.pm_ra is not a known key; did you mean 'pmra'?",
        ),
        (
            "catalog.sources",
            [SOURCE | {"ra": None}],
            "catalog.sources entry 1.ra must be a number or a string",
        ),
        ("catalog.sources", [SOURCE | {"dec": float("inf")}], "catalog.sources entry 1.dec must be a finite number"),
        ("catalog.on_duplicate", "drop", "catalog.on_duplicate: 'drop' is not one of ['error', 'suffix']"),
        ("select", {"rows": 3}, "select.rows is not a known key; known are bins, names, start, stop"),
        ("select.stop", 1.5, "select.stop must be an integer or nothing (null), got 1.5"),
        ("select.start", "first", "select.start must be an integer or nothing (null), got 'first'"),
        ("select.stop", 1e18, "select.stop must be an integer or nothing (null), got 1e+18"),
        ("select.stop", 2**63, "select.stop must be between -2^63 and 2^63, got 9223372036854775808"),
        ("finder.matched_filter.width_max_days", 10**400, "width_max_days must be between -2^63 and 2^63, got 1000"),
        ("catalog.sources", [SOURCE | {"dec": -(2**10_000)}], "has an integer of more than 10,000 bits"),
        ("project", "../x", "9_-]*$' (Name of the project, of letters, digits, _ and -, the first a letter; "),
        ("project", "A" * 201, "project has 201 characters; the limit is 200"),
        ("description", "long " * 4001, "description has 20,005 characters; the limit is 20,000"),
        (
            "analysis.kwargs",
            {"since": datetime.date(2020, 1, 1)},
            "since must be a text, a number, true, false or null",
        ),
        (
            "reduce.calibrators",
            [{"function": "a:f", "kwargs": {"x": b"a"}}],
            "calibrators entry 1.kwargs.x must be a text",
        ),
        ("analysis.kwargs", {"slopes": {1: 0.5, "b": 3}}, "analysis.kwargs.slopes: the name 1 must be a text"),
        ("finder.snr_threshold", float("nan"), "finder.snr_threshold must be a finite number, got nan"),
        ("reduce.gap_days", float("inf"), "reduce.gap_days must be a finite number, got inf"),
        ("reduce.mag_range", [1], "reduce.mag_range: [1] is too short"),
        ("reduce.mag_range", [1, 2, 3], "reduce.mag_range: [1, 2, 3] is too long"),
        ("reduce.mag_range", [1, 0], "reduce.mag_range entry 2: 0 is less than or equal to the minimum of 0"),
        ("reduce.mag_range", "1", "reduce.mag_range must be a number or an array or nothing (null), got '1'"),
        ("observatories.ztf.reduce.mag_range", [1, None], "reduce.mag_range entry 2 must be a number, got None"),
        ("observatories.ztf.route", "fast", "ztf.route: 'fast' is not one of ['objects', 'position']"),
        ("simulator.num_injections", 1e9, "num_injections: 1000000000.0 is greater than the maximum of 1000000"),
        ("simulator.snr_min", 40, "simulator.snr_min must not be greater than simulator.snr_max"),
        ("simulator.width_min_days", 31, "simulator.width_min_days must not be greater than"),
        ("periods.ranges", ["week"], "periods.ranges: 'week' is not a range of periods; write short, med, long"),
        (
            "periods.ranges",
            ["9-2 h"],
            "periods.ranges: '9-2 h' is not a range of periods: the first must be positive and",
        ),
        (
            "periods.methods",
            ["fourier"],
            "periods.methods entry 1: 'fourier' is not one of ['lomb_scargle'",
        ),
        ("finder.sideband", 9, "finder.sideband must not be greater than finder.snr_threshold"),
        ("finder.sideband", [3, 9], "finder.sideband must not be greater than finder.snr_threshold"),
        ("histograms.snr_range", [0, 1, 0.3], "histograms.snr_range must be [least, greatest, width] with a whole"),
        ("histograms.mag_range", [20, 10, 1], "histograms.mag_range must be"),
        ("histograms.mag_range", [0, -1, 5e-324], "histograms.mag_range must be"),
        ("histograms.width_range", {"log": [0, 1, 3]}, "histograms.width_range must be"),
        ("histograms.width_range", {"edges": [1, 1]}, "histograms.width_range must be"),
        ("histograms.width_range", {"edges": [-1, 1]}, "histograms.width_range must start above 0"),
        (
            "histograms.expected_snr_range",
            [0, 100, 1],
            "expected_snr_range must start above 0",
        ),
        ("histograms.width_range", {"bins": 3}, "histograms.width_range.bins is not a known key"),
        ("data_root", 3, "data_root must be a string or nothing"),
        (
            "rates.classes",
            {"a,b": "mag < 3"},
            "rates.classes: the name 'a,b' must consist of letters, digits, _, ., + and -",
        ),
        ("description", "a\0b", "description contains NUL or an incomplete character"),
        ("catalog.file", "\ud800.csv", "catalog.file contains NUL or an incomplete character"),
        ("observatories.files", {}, "observatories.files.path: '' should be non-empty"),
        (
            "observatories.files",
            {"path": "x", "filters": {2: "g"}},
            "files.filters: the name 2 must be a text; put it in",
        ),
        (
            "observatories.files",
            {"path": "x", "time_scale": "gps"},
            "files.time_scale: 'gps' is not one of",
        ),
        ("observatories.files", {"path": "x", "columns": {"tmie": "t"}}, "columns.tmie is not a known key; did you"),
    ],
)
def test_a_wrong_configuration_is_refused_in_one_line(key, value, message):
    with pytest.raises(ConfigError) as error:
        complete(with_value(key, value), SCHEMA)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("key", ["project", "catalog", "observatories"])
def test_a_missing_section_is_named(key):
    config = {name: value for name, value in CONFIG.items() if name != key}
    with pytest.raises(ConfigError, match=f"the configuration needs the key '{key}'"):
        complete(config, SCHEMA)


@pytest.mark.parametrize(
    ("key", "value", "same"),
    [
        ("finder.snr_threshold", 6, False),
        ("observatories.ztf", {}, False),
        ("verbosity", "quiet", True),
        ("description", "x", True),
        ("data_root", "elsewhere", True),
        ("download.max_failures_per_bin", 3, True),
        ("database.url", "postgresql://x:secret@y/z", True),
        ("catalog", {"default": "WD"}, False),
        ("catalog.url", "https://mirror.example.org/wd.fits.gz", True),
        ("reduce.gap_days", None, True),
        ("reduce.mag_range", [0.75, 2], False),
    ],
)
def test_the_digest_changes_with_critical_keys_alone(key, value, same):
    digests = [config_digest(complete(config, SCHEMA), SCHEMA) for config in (CONFIG, with_value(key, value))]
    assert (digests[0] == digests[1]) is same
    assert len(digests[0]) == 32


@pytest.mark.parametrize("key", ["reduce.mag_range", "observatories.ztf.reduce.mag_range"])
@pytest.mark.parametrize("value", [1, 0.5, [0.5, 2], None])
def test_a_range_of_magnitudes_is_a_number_a_pair_or_nothing(key, value):
    config = complete(with_value(key, value), SCHEMA)
    section = config["reduce"] if key.startswith("reduce") else config["observatories"]["ztf"]["reduce"]
    assert section["mag_range"] == value


def test_a_list_of_sources_takes_the_place_of_a_file():
    source = {"name": 4295806720, "ra": "12:34:56.7", "dec": -0.5, "mag": None}
    config = complete(CONFIG | {"catalog": {"sources": [source]}}, SCHEMA)
    assert (config["catalog"]["file"], config["catalog"]["sources"]) == (None, [source])


def test_a_source_of_a_list_may_have_the_columns_of_a_catalog():
    keys = SCHEMA["properties"]["catalog"]["properties"]
    assert list(keys["sources"]["items"]["properties"]) == list(keys["columns"]["properties"]) == list(COLUMNS)


def test_the_digest_does_not_depend_on_the_order_of_keys():
    turned = dict(reversed(CONFIG.items()))
    assert config_digest(complete(turned, SCHEMA), SCHEMA) == config_digest(complete(CONFIG, SCHEMA), SCHEMA)


def test_the_digest_does_not_depend_on_the_hash_seed():
    code = "from test_config import *; print(config_digest(complete(CONFIG, SCHEMA), SCHEMA))"
    assert outputs(code) == {config_digest(complete(CONFIG, SCHEMA), SCHEMA)}


def test_secrets_are_in_no_form_that_is_written():
    config = complete(with_value("database.url", "postgresql://x:secret@y/z"), SCHEMA)
    assert "secret" in to_yaml(config)
    assert "secret" not in to_yaml(public(config, SCHEMA)) + to_yaml(critical(config, SCHEMA))


def test_yaml_of_a_configuration_comes_back(tmp_path):
    config = complete(CONFIG, SCHEMA)
    assert yaml.safe_load(to_yaml(config)) == config


@pytest.mark.parametrize(
    ("configured", "environment", "expected"),
    [
        ("data", {"VO_DATA": "/v"}, "/root/data"),
        (None, {"VO_DATA": "/v", "RETRIEVER_DATA": "/r"}, "/v"),
        (None, {"RETRIEVER_DATA": "/r"}, "/r"),
        (None, {}, "/root/results"),
        ("/abs", {}, "/abs"),
    ],
)
def test_the_data_root_follows_config_environment_default(monkeypatch, configured, environment, expected):
    for name in ("VO_DATA", "RETRIEVER_DATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert str(data_root({"data_root": configured}, "/root")) == expected


def test_an_installation_without_the_workflow_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"config\.schema\.yaml: no such file; .* pip install --editable"):
        read_plan(root=tmp_path)


@pytest.mark.parametrize(
    ("chosen", "root", "named"),
    [
        ("/a/{x}", "/root", r"data_root: /a/\{x\} contains"),
        ("/a/caf\udce9", "/root", r"data_root: /a/caf\\udce9 contains .* unknown in this locale"),
        ("/a", "/my {x}", r"/my \{x\}: the folder of the workflow contains a brace"),
    ],
)
def test_folders_that_snakemake_cannot_handle_are_refused(chosen, root, named):
    with pytest.raises(ConfigError, match=named):
        data_root({"data_root": chosen}, root)


def walk(schema, key=""):
    """Every key of the schema with its part."""
    for name, part in schema.get("properties", {}).items():
        yield f"{key}{name}", part
        yield from walk(part, f"{key}{name}.")


@pytest.mark.parametrize(("key", "part"), list(walk(SCHEMA)))
def test_every_key_has_help_a_type_and_a_unit(key, part):
    assert part["description"].endswith(".")
    assert "type" in part or "enum" in part
    for unit, word in (("_days", "days]"), ("_arcsec", "arcsec]"), ("_deg", "degrees]"), ("_s", "seconds]")):
        assert not key.endswith(unit) or word in part["description"]


CONFIGURATIONS = sorted({*(PACKAGE_ROOT / "config").glob("*.yaml")} - {PACKAGE_ROOT / "config" / "target_names.yaml"})


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.name)
def test_every_configuration_that_ships_is_valid(path):
    assert complete(yaml.safe_load(path.read_text()), SCHEMA)["observatories"]


def options(function):
    """Keyword-only arguments of a function with their defaults."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is not p.empty}


def plain(value):
    """A default as it would be in YAML: lists for tuples."""
    return list(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize("name", list(OBSERVATORIES))
def test_parameters_of_a_survey_are_those_of_the_schema(name):
    part = dict(SCHEMA["properties"]["observatories"]["properties"][name.lower()]["properties"])
    assert set(part.pop("reduce")["properties"]) == set(SCHEMA["properties"]["reduce"]["properties"])
    parameters = get_class(name).Parameters
    default = {
        field.name: field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        for field in dataclasses.fields(parameters)
    }
    assert {key: value["default"] for key, value in part.items()} == default


@pytest.mark.parametrize(
    ("section", "functions", "internal"),
    [
        ("reduce", [reduce_bin], {"altdata"}),
        ("quality", [assess, judge_series], {"inherited", "own", "saturation_mag", *BY_SURVEY}),
        ("finder", [Finder], {"matched_filter"}),
        ("simulator", [inject], {"real"}),
        ("periods", [search_periods], {"seed"}),
        ("properties", [summarise], {"own", "periods"}),
        ("histograms", [make_histograms, check_size], {"filters", "surveys", "kinds"}),
        ("select", [select_rows], set()),
    ],
)
def test_options_of_the_library_are_those_of_the_schema(section, functions, internal):
    parts = SCHEMA["properties"][section]["properties"].items()
    schema = {key: part["default"] for key, part in parts if key not in ("class", "kwargs")}
    found = {key: plain(value) for function in functions for key, value in options(function).items()}
    assert found.keys() - schema.keys() <= internal
    assert {key: value for key, value in found.items() if key not in internal} == {
        key: value for key, value in schema.items() if key not in internal
    }
    assert schema.keys() <= found.keys()


def test_options_of_the_matched_filter_are_those_of_the_schema():
    schema = SCHEMA["properties"]["finder"]["properties"]["matched_filter"]["properties"]
    found = {key: plain(value) for key, value in options(search_templates).items()}
    assert found == {key: part["default"] for key, part in schema.items()}


def test_a_configuration_without_end_is_read_up_to_a_size(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_CHARACTERS", 100)
    (tmp_path / "x.yaml").write_text("project: " + 91 * "a")
    with pytest.raises(ConfigError, match=r"x.yaml: has 100 characters or more"):
        read_config(tmp_path / "x.yaml")
    (tmp_path / "x.yaml").write_text("project: " + 90 * "a")
    assert read_config(tmp_path / "x.yaml") == {"project": 90 * "a"}


def test_the_schema_language_is_loaded_only_to_check():
    code = "import sys, vo_lib.config; assert 'jsonschema' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PACKAGE_ROOT)
