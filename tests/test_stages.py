"""Classes that a configuration names, their options, and keys of other sections in ``analysis.kwargs``."""

import sys
import types
from unittest.mock import patch

import pytest

from vo_lib.analysis import Analysis
from vo_lib.config import load_schema
from vo_lib.errors import ConfigError
from vo_lib.finder import Finder
from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.stages import STAGES, forward_kwargs, make_stage, stage_class, stage_files
from vo_lib.storage.fingerprint import code_files

SCHEMA = load_schema(PACKAGE_ROOT / "workflow" / "schemas" / "config.schema.yaml")
OWN = """
from vo_lib.analysis import Analysis
from vo_lib.finder import Finder

class Wide(Analysis):
    def __init__(self, *, snr_min=1, kernels=2, **options):
        super().__init__(**options)

class Forgetful(Finder):
    def __init__(self, **options):
        self.methods = ()

class Narrow(Finder):
    def __init__(self, deep=1):
        super().__init__()

class Broken(Finder):
    def __init__(self, **options):
        {}["nothing"]
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Module with classes that can be imported, under a name of its own for each test."""
    name = f"own_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    return name


@pytest.mark.parametrize("kind", STAGES)
def test_each_part_has_a_section_with_class_and_kwargs(kind):
    assert {"class", "kwargs"} <= SCHEMA["properties"][kind]["properties"].keys()
    assert stage_class(kind).__name__ == STAGES[kind].partition(":")[2]


def test_all_that_an_analysis_is_made_of_is_in_its_fingerprint():
    sections = {kind: {} for kind in STAGES} | {"finder": {"class": "extensions.flare_probability:FlareProbability"}}
    files = code_files("scripts/analyze.py", *stage_files(sections, PACKAGE_ROOT))
    names = {file.stem for file in files}
    assert {
        "quality_checker",
        "event_simulator",
        "finder",
        "simulator",
        "quality",
        "flare_probability",
        "peak",
    } <= names
    assert {"my_analysis", "cli", "plan", "catalog_class"}.isdisjoint(names)


def test_the_file_of_each_class_of_one_s_own_is_in_the_fingerprint_of_the_analysis():
    own = {
        "analysis": "extensions.my_analysis:NewAnalysis",
        "finder": "extensions.flare_probability:FlareProbability",
        "quality": "extensions.lonely_epochs:LonelyEpochs",
        "simulator": "extensions.sudden_events:SuddenEvents",
    }
    names = [file.stem for file in stage_files({kind: {"class": path} for kind, path in own.items()}, PACKAGE_ROOT)]
    assert sorted(names) == sorted(path.partition(":")[0].removeprefix("extensions.") for path in own.values())


@pytest.mark.parametrize(
    ("kind", "section", "message"),
    [
        ("simulator", {"class": "nowhere:X"}, "^configuration: simulator.class: 'nowhere:X': cannot import nowhere"),
        ("analysis", {"class": "X"}, "^configuration: analysis.class: 'X' does not name a class"),
        (
            "finder",
            {"class": "vo_lib.analysis:Analysis"},
            "finder.class: .* must be a subclass of vo_lib.finder.Finder; d",
        ),
        (
            "quality",
            {"class": "vo_lib.quality:Assessment"},
            "must be a subclass of vo_lib.quality_checker.QualityChecker",
        ),
        (
            "finder",
            {"snr_threshold": 5, "kwargs": {"snr_threshold": 6}},
            r"finder.kwargs.snr_threshold cannot be set; set finder.snr_threshold instead$",
        ),
        ("simulator", {"kinds": ["bump"]}, r"simulator: Simulator rejects its options: kinds must be some of \['box'"),
        ("quality", {"kwargs": {"deep": 1}}, "quality: QualityChecker rejects its options: .*'deep'"),
        ("analysis", {"kwargs": {"deep": 1}}, "analysis: Analysis rejects its options: .*'deep'"),
    ],
)
def test_what_a_class_cannot_be_is_said_in_one_line(kind, section, message):
    with pytest.raises(ConfigError, match=message):
        make_stage(kind, section)


def test_a_key_outside_the_section_is_not_said_to_be_in_it():
    with pytest.raises(ConfigError, match=r"analysis.kwargs.seed cannot be set; set seed instead$"):
        make_stage("analysis", {"kwargs": {"seed": 1}}, seed=2)


def test_a_class_that_fails_when_it_is_made_is_one_line_too(own):
    with pytest.raises(
        ConfigError, match=rf"{own}:Narrow rejects .*'snr_threshold'; let its __init__ take \*\*options"
    ):
        make_stage("finder", {"class": f"{own}:Narrow", "snr_threshold": 5})
    with pytest.raises(ConfigError, match=f"finder: {own}:Broken rejects its options: KeyError: 'nothing'"):
        make_stage("finder", {"class": f"{own}:Broken"})


def test_a_class_that_does_not_make_what_its_base_makes_is_refused(own):
    with pytest.raises(ConfigError, match=rf"finder: {own}:Forgetful does not create .*; call super\(\).__init__"):
        make_stage("finder", {"class": f"{own}:Forgetful"})


def test_keys_of_other_sections_are_forwarded_and_the_rest_is_of_the_class():
    kwargs = {"snr_threshold": 8.5, "offset_threshold": 4, "num_injections": 2, "num_kernels": 20}
    config = {"analysis": {"kwargs": kwargs}, "finder": {"noise": "local"}, "quality": None}
    forwarded = forward_kwargs(config, SCHEMA)
    assert forwarded == {
        "analysis": {"kwargs": {"num_kernels": 20}},
        "finder": {"noise": "local", "snr_threshold": 8.5},
        "quality": {"offset_threshold": 4},
        "simulator": {"num_injections": 2},
    }
    assert kwargs.keys() >= {"snr_threshold", "num_kernels"}
    assert config["finder"] == {"noise": "local"}


@pytest.mark.parametrize(
    "config", [{}, {"analysis": None}, {"analysis": {"class": None}}, {"analysis": {"kwargs": [1]}}]
)
def test_without_kwargs_nothing_is_forwarded(config):
    assert forward_kwargs(config, SCHEMA) == config


@pytest.mark.parametrize(
    ("kwargs", "others", "message"),
    [
        ({"min_epochs": 3}, {}, "analysis.kwargs.min_epochs is a key of finder and simulator; set it there"),
        (
            {"snr_threshold": 8},
            {"finder": {"snr_threshold": 8}},
            "kwargs.snr_threshold is set as finder.snr_threshold too",
        ),
        ({"snr_min": 3}, {}, "kwargs.snr_min is an option of .*:Wide and a key of simulator; rename the option"),
    ],
)
def test_a_key_that_could_be_of_two_parts_is_refused(own, kwargs, others, message):
    with pytest.raises(ConfigError, match=message):
        forward_kwargs({"analysis": {"class": f"{own}:Wide", "kwargs": kwargs}} | others, SCHEMA)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"n_epochs": ("f8", "", "a")}, "'n_epochs' must be a new name for a column of the properties"),
        ({"color_x": ("f8", "", "a")}, "'color_x' must be a new name"),
        ({"two words": ("f8", "", "a")}, "'two words' must be a new name"),
        ({"good": ("float", "", "a")}, r"good must be \(f8, i8 or U1, unit, meaning\)"),
        ({"good": ("f8", "")}, r"good must be \(f8, i8 or U1, unit, meaning\)"),
    ],
)
def test_columns_that_the_properties_cannot_have_are_refused_when_the_class_is_made(columns, message):
    with pytest.raises(ValueError, match=message):
        type("Own", (Analysis,), {"columns": columns})


def test_without_a_section_the_project_s_own_class_is_made():
    assert type(make_stage("finder")) is Finder


def test_a_class_that_changes_nothing_is_told(caplog):
    module = types.ModuleType("changes_nothing")
    module.Own = type("Own", (stage_class("finder"),), {"per_lightcurv": None, "__module__": module.__name__})
    with patch.dict(sys.modules, changes_nothing=module):
        make_stage("finder", {"class": "changes_nothing:Own"})
        make_stage("quality", {"class": "extensions.lonely_epochs:LonelyEpochs"})
    assert [record.getMessage() for record in caplog.records] == [
        "finder.class: changes_nothing:Own overrides none of find, search, per_lightcurve, make_detections, so it does "
        "the same as the base"
    ]


def test_values_of_a_source_need_columns():
    with pytest.raises(ValueError, match="per_source needs columns, which name what it returns"):
        type("Own", (stage_class("analysis"),), {"per_source": lambda self, source, lightcurves: {}})
