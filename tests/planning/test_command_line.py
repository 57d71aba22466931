import copy
import math
import shlex

import pytest
import yaml
from snakemake.cli import parse_config
from snakemake.utils import update_config

from vo_lib.config import complete, load_schema
from vo_lib.plan import Plan
from vo_lib.planning.command_line import mark_texts, settle_texts, snakemake_command
from vo_lib.provenance import PACKAGE_ROOT

SCHEMA = load_schema(PACKAGE_ROOT / "workflow/schemas/config.schema.yaml")
CONFIG = {"project": "test", "catalog": {"file": "x.csv"}, "observatories": {"demo": None}}


def merged(words, config=CONFIG):
    """Configuration and changes as Snakemake gives them."""
    config, changes = copy.deepcopy(config), parse_config(words)
    update_config(config, changes)
    return config, changes


def completed(*words):
    """Complete configuration of a run with ``--config``."""
    config, changes = merged(words)
    before = copy.deepcopy(config)
    result = complete(settle_texts(mark_texts(config, changes), SCHEMA), SCHEMA)
    assert config == before
    return result


@pytest.mark.parametrize(
    "text",
    [
        "reduce={gap_days: 5}",
        'reduce={"gap_days": 5.0, "drop_bad": true}',
        "reduce={gap_days: null, mag_range: [0.5, 1e0]}",
        "finder={snr_threshold: +6., sideband: null}",
        "histograms={width_range: {edges: [0.1, 1, 10]}}",
        "select={start: 1, stop: -1, names: [a, 7]}",
        "observatories={demo: null, ztf: {retries: 2, faintest_mag: 20.5}}",
        "data_root=null",
        "version_control=true",
        "description=5 stars",
        "catalog={file: null, sources: [{name: a, ra: 10, dec: -3.5, mag: null}]}",
        "catalog={file: null, sources: [{name: '007', ra: '12:34:56', dec: '-1:2:3'}]}",
        "analysis={kwargs: {snr_threshold: 6}}",
        "analysis={finder_kwargs: {snr_threshold: 7.5}}",
        "ztf={reducer: {gap: 60}}",
    ],
)
def test_a_value_on_the_command_line_means_what_it_means_in_a_file(text):
    key, _, value = text.partition("=")
    in_file = copy.deepcopy(CONFIG)
    update_config(in_file, {key: yaml.safe_load(value.replace("1e0", "1.0"))})
    config, changes = merged([text])
    of_file, of_command = Plan(in_file, SCHEMA, PACKAGE_ROOT), Plan(config, SCHEMA, PACKAGE_ROOT, changes=changes)
    assert of_command.config == of_file.config
    assert of_command.digest == of_file.digest
    assert yaml.safe_load(yaml.safe_dump(of_command.config)) == of_command.config


def test_texts_of_a_file_stay_text_and_are_refused_where_a_number_is_due():
    config, changes = merged(["reduce={gap_days: 5}"], CONFIG | {"finder": {"snr_threshold": "6"}})
    settled = settle_texts(mark_texts(config, changes), SCHEMA)
    assert settled["finder"] == {"snr_threshold": "6"}
    assert settled["reduce"] == {"gap_days": 5}


@pytest.mark.parametrize("text", ["five", "1_0", "nan", "007", "12:34:56"])
def test_what_is_no_number_is_left_to_the_check_of_the_configuration(text):
    config, changes = merged([f"reduce={{gap_days: '{text}'}}"])
    assert settle_texts(mark_texts(config, changes), SCHEMA)["reduce"] == {"gap_days": text}


def test_an_integer_of_more_digits_than_python_reads_is_infinite():
    config, changes = merged([f"reduce={{gap_days: {'9' * 5000}}}"])
    assert settle_texts(mark_texts(config, changes), SCHEMA)["reduce"] == {"gap_days": math.inf}


def test_the_command_repeats_the_configuration_without_secrets():
    words = ["reduce={gap_days: 5}", "project=two", "data_root=", "database={url: 'postgresql://me:secret@x/y'}"]
    changes = parse_config(words)
    command = snakemake_command(["my config.yaml"], changes, SCHEMA)
    assert "secret" not in command
    start, _, given = command.partition(" --config ")
    assert start == "snakemake --cores all --configfile 'my config.yaml'"
    assert parse_config(shlex.split(given)) == changes | {"database": {}}
    nested = parse_config(["project={name: two, database: {url: 'postgresql://me:secret@x/y'}}"])
    assert "secret" not in snakemake_command([], nested, SCHEMA)
    assert snakemake_command([], {}, SCHEMA) == "snakemake --cores all"
