"""The ways to write a configuration."""

import copy

import pytest

from vo_lib.config import complete, config_digest, load_schema
from vo_lib.errors import ConfigError
from vo_lib.observatories import OBSERVATORIES
from vo_lib.planning.config_styles import merge, only_surveys, translate
from vo_lib.provenance import PACKAGE_ROOT

SCHEMA = load_schema(PACKAGE_ROOT / "workflow/schemas/config.schema.yaml")
NATIVE = {
    "project": "flares",
    "version_control": True,
    "verbosity": "quiet",
    "catalog": {"file": "stars.csv"},
    "observatories": {
        "demo": {},
        "ztf": {"radius_arcsec": 1, "reduce": {"gap_days": 60}},
        "common": {"retries": 5},
    },
    "reduce": {"gap_days": 40, "radius_arcsec": 3},
    "analysis": {"class": "extensions.mine:NewAnalysis", "kwargs": {"num_kernels": 20}},
    "finder": {"snr_threshold": 7.5, "class": "extensions.mine:Best"},
    "simulator": {"num_injections": 3},
}
WORDS = {
    "name": "flares",
    "vc": True,
    "verbose": 0,
    "data_types": ["lightcurves"],
    "catalog_kwargs": {"file": "stars.csv"},
    "obs_names": ["demo", "ZTF"],
    "obs_kwargs": {"retries": 5, "reducer": {"gap": 40, "radius": 3}},
    "ZTF": {"radius_arcsec": 1, "reducer": {"gap": 60}},
    "analysis_module": "extensions.mine",
    "analysis_class": "NewAnalysis",
    "analysis_kwargs": {
        "num_kernels": 20,
        "finder_module": "extensions.mine",
        "finder_class": "Best",
        "finder_kwargs": {"snr_threshold": 7.5},
        "simulator_kwargs": {"num_injections": 3},
    },
}


def test_the_words_of_the_specification_are_keys_of_the_schema():
    before = copy.deepcopy(WORDS)
    assert translate(WORDS) == NATIVE
    assert before == WORDS


def test_keys_of_the_schema_stay_as_they_are():
    assert translate(NATIVE) == NATIVE


@pytest.mark.parametrize("cfg_key", ["project", "flares"])
def test_words_may_stand_in_a_section_of_the_project(cfg_key):
    inside = ("name", "vc", "verbose", "data_types", "obs_names", "obs_kwargs")
    outside = {name: value for name, value in WORDS.items() if name not in inside}
    outside |= {"catalog": outside.pop("catalog_kwargs"), "analysis": outside.pop("analysis_kwargs")}
    assert translate(outside | {cfg_key: {name: WORDS[name] for name in inside}}, cfg_key) == NATIVE


def test_the_catalog_for_trials_comes_with_the_project():
    assert translate({"catalog_kwargs": {"default": "test"}}) == {"catalog": {"file": "catalogs/demo.csv"}}
    assert translate({"catalog": {"default": "test", "file": None}}) == {"catalog": {"file": "catalogs/demo.csv"}}
    assert translate({"catalog_kwargs": {"default": "WD"}}) == {"catalog": {"default": "WD"}}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"name": "a", "project": "b"}, "project sets project again; give it once"),
        ({"vc": True, "version_control": False}, "version_control sets version_control again"),
        ({"project": {"vc": True}, "vc": True}, "vc is given twice; give it once"),
        ({"obs_kwargs": {"reducer": {"gap": 3}}, "reduce": {"gap_days": 4}}, "gap_days is given twice"),
        ({"ZTF": {"credentials": {"password": "x"}}}, "ztf.credentials: secrets must not be in a configuration"),
        ({"analysis_class": "Mine"}, "analysis_module and analysis_class belong together; give both"),
        ({"analysis_kwargs": {"finder_module": "mine"}}, "finder_module and finder_class belong together"),
        ({"data_types": "images"}, "data_types: data_type 'images' has no reduction"),
        ({"data_types": None}, "data_types must be a name or a list of names, got None"),
        ({"obs_names": 3}, "obs_names must be a name or a list of names, got 3"),
        ({"obs_names": ["ztf", ["tess"]]}, r"obs_names must be a name or a list of names, got \['ztf', \['tess'\]\]"),
        ({"ZTF": {"reducer": {"gap": 3}, "reduce": 4}}, "observatories.ztf.reducer sets reduce again; give it once"),
        ({"catalog": {"default": "test", "file": "stars.csv"}}, "catalog sets catalog.file again; give it once"),
        ({"observatories": {"common": {"reducer": [1]}}}, r"observatories.common.reducer must be an object, got \[1\]"),
    ],
)
def test_what_is_said_in_two_ways_or_cannot_be_followed_is_an_error(words, message):
    with pytest.raises(ConfigError, match=message):
        translate(words)


def test_words_that_are_no_text_are_left_to_the_check_of_types():
    assert translate({"analysis": {1: 2}}) == {"analysis": {"kwargs": {1: 2}}}
    assert translate({"catalog": {"default": []}}) == {"catalog": {"default": []}}
    assert translate({"ZTF": {"reducer": 60}}) == {"observatories": {"ztf": {"reduce": 60}}}


def test_a_reducer_without_options_changes_nothing():
    assert translate({"ZTF": {"reducer": None, "release": "dr1"}}) == {"observatories": {"ztf": {"release": "dr1"}}}
    assert translate({"obs_kwargs": {"reducer": None}, "reduce": {"gap_days": 4}})["reduce"] == {"gap_days": 4}


def test_parameters_of_all_surveys_leave_the_reduction_of_a_file_as_it_is():
    stored = {"reduce": {"gap_days": 60}}
    assert merge(stored, translate({"obs_kwargs": {"retries": 5}}))["reduce"] == {"gap_days": 60}
    assert merge(stored, translate({"obs_kwargs": {"reducer": None}}))["reduce"] == {"gap_days": 60}


def test_sections_that_get_more_keys_are_copied():
    words = {"finder": {"snr_threshold": 7}, "analysis": {"finder_module": "mine", "finder_class": "Best"}}
    before = copy.deepcopy(words)
    assert translate(words)["finder"] == {"snr_threshold": 7, "class": "mine:Best"}
    assert before == words


def test_a_change_goes_before_and_sections_are_merged():
    config = {"finder": {"snr_threshold": 5, "methods": ["peak"]}, "seed": 1}
    assert merge(config, {"finder": {"snr_threshold": 8}, "seed": 2}) == {
        "finder": {"snr_threshold": 8, "methods": ["peak"]},
        "seed": 2,
    }
    assert config["finder"]["snr_threshold"] == 5


def test_surveys_that_are_not_named_are_left_out():
    kept = only_surveys(NATIVE, "ztf")
    assert list(kept["observatories"]) == ["ztf", "common"]


def leaves(schema, critical=True, path=()):
    """Path of each key without sections below it, and whether it changes a result."""
    for name, part in schema["properties"].items():
        is_critical = critical and part.get("x-critical", True) and not part.get("x-secret", False)
        if "properties" in part and not isinstance(part.get("default"), list):
            yield from leaves(part, is_critical, (*path, name))
        else:
            yield (*path, name), is_critical


COMPLETE = complete(
    {
        "project": "demo",
        "catalog": {"file": "a.csv"},
        "observatories": {name.lower(): {"path": "x"} if name == "FILES" else {} for name in OBSERVATORIES},
    },
    SCHEMA,
)
LEAVES = [(path, critical) for path, critical in leaves(SCHEMA) if path[:2] != ("observatories", "common")]


def test_every_critical_key_and_no_other_changes_the_hash():
    before, seen = config_digest(COMPLETE, SCHEMA), set()
    for path, critical in LEAVES:
        changed = copy.deepcopy(COMPLETE)
        section = changed
        for name in path[:-1]:
            section = section.setdefault(name, {})
        section[path[-1]] = "another value"
        after = config_digest(changed, SCHEMA)
        assert (after != before) is critical, ".".join(path)
        if critical:
            assert after not in seen, ".".join(path)
            seen.add(after)
    assert len(seen) > 150
    assert len(LEAVES) - len(seen) > 20


def test_the_code_of_a_stage_changes_the_hash():
    code = [["reduce", "1"], ["analyze", "2"]]
    assert config_digest(COMPLETE, SCHEMA, code) != config_digest(COMPLETE, SCHEMA, [["reduce", "1"], ["analyze", "3"]])
    assert config_digest(COMPLETE, SCHEMA, code) == config_digest(copy.deepcopy(COMPLETE), SCHEMA, list(code))
