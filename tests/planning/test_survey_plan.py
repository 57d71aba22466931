"""Surveys of a configuration, those of the project and plug-ins."""

import textwrap
from types import SimpleNamespace

import pytest

from vo_lib.config import complete, config_digest, load_schema
from vo_lib.errors import ConfigError
from vo_lib.planning.survey_plan import SurveyPlan, filters_of
from vo_lib.planning.survey_sections import add_plugins, spread_common
from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.storage.fingerprint import code_fingerprint

SCHEMA = load_schema(PACKAGE_ROOT / "workflow/schemas/config.schema.yaml")

PLUGIN = textwrap.dedent('''
    """A survey of one epoch."""

    from dataclasses import dataclass
    from vo_lib.observatories.base import VirtualObservatory
    from vo_lib.times import TimeSystem

    class VirtualToy(VirtualObservatory):
        """A survey of one epoch."""

        name = "TOY"
        columns = {"mjd": ("f8", "d", "time"), "band": ("S1", "", "filter")}
        time = TimeSystem("utc", "observatory", "mid", 2400000.5)
        filters = ("toy-g", "toy-r")
        asked_by = ("latency_s",)
        made_by = ("zero_point",)

        @dataclass(frozen=True)
        class Parameters:
            """Parameters."""

            radius: float = 2.0
            zero_point: float = 25.0
            latency_s: float = 0.0
            release: str = "r1"
            bands: tuple = ("g", "r")

        def fetch_data_from_observatory(self, cat_row):
            """Nothing."""
            return self.empty_table(), {}

        def standardise(self, data, altdata):
            """Nothing."""
            return {}

    class Other:
        """No survey."""

    class VirtualNeedy(VirtualToy):
        """A survey with a parameter that must be given."""

        @dataclass(frozen=True)
        class Parameters:
            """Parameters."""

            folder: str
    ''')


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Module of a plug-in that can be imported, under a name of its own for each test."""
    name = f"toy_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    return name


def configured(section, name="toy"):
    """Complete configuration with one plug-in, and its schema."""
    config = {"project": "test", "catalog": {"file": "x.csv"}, "observatories": {name: section}}
    schema = add_plugins(SCHEMA, config)
    return complete(config, schema), schema


def test_parameters_of_a_plug_in_are_sorted_like_those_of_other_surveys(toy):
    config, schema = configured({"class": f"{toy}:VirtualToy", "radius": 3})
    plan = SurveyPlan.of("toy", config["observatories"]["toy"], schema, PACKAGE_ROOT)
    assert plan.answer == {"radius": 3, "release": "r1", "bands": ("g", "r")}
    assert (plan.made, plan.asked) == ({"zero_point": 25}, {"latency_s": 0})
    assert plan.observatory.pars.radius == 3
    assert plan.module(PACKAGE_ROOT).name == f"{toy}.py"


@pytest.mark.parametrize(("key", "same"), [("radius", False), ("zero_point", False), ("latency_s", True)])
def test_what_changes_no_answer_of_a_plug_in_is_not_in_the_digest(toy, key, same):
    digests = [config_digest(*configured({"class": f"{toy}:VirtualToy", **more})) for more in ({}, {key: 7.5})]
    assert (digests[0] == digests[1]) is same


@pytest.mark.parametrize(
    ("name", "class_name", "more", "message"),
    [
        ("toy", "VirtualToy", {"radios": 3}, r"observatories\.toy\.radios is not a known key; did you mean 'radius'\?"),
        ("toy", "VirtualToy", {"radius": "wide"}, r"observatories\.toy\.radius must be a number, got 'wide'"),
        ("toy", "VirtualToi", {}, r"observatories\.toy\.class: .* no class 'VirtualToi'; did you mean 'VirtualToy'\?"),
        ("toy", "Other", {}, r"observatories\.toy: .* is not a subclass of VirtualObservatory"),
        ("toys", "VirtualToy", {}, r"observatories\.toys: .* has the name TOY; call the section 'toy'"),
        ("toy", "VirtualNeedy", {}, r"observatories\.toy needs the key 'folder'"),
    ],
)
def test_a_plug_in_that_cannot_be_used_is_refused_in_one_line(toy, name, class_name, more, message):
    with pytest.raises(ConfigError, match=message):
        configured({"class": f"{toy}:{class_name}", **more}, name)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": {}}, r"must have columns, a dict of \(i8, f8 or S .* it has \{\}"),
        ({"columns": {"mjd": ("float", "d", "time")}}, r"must have columns, .*'float'"),
        ({"columns": {"mjd": ("f8", "d")}}, r"must have columns, .*\('f8', 'd'\)"),
        ({"time": None}, r"must have time, a vo_lib.times.TimeSystem; it has None"),
        ({"time": "MJD"}, r"must have time, .* it has 'MJD'"),
        ({"site": (-30.2, -170.7, 2700.0)}, r"must have site, \(longitude east, latitude, height in m\) or None"),
        ({"site": (-30.2, -70.7)}, r"must have site, .* it has \(-30.2, -70.7\)"),
        ({"filters": ()}, r"must have filters, a tuple of names .* it has \(\)"),
        ({"filters": "toy-g"}, r"must have filters, a tuple of names .* it has 'toy-g'"),
        ({"filters": ("toy g",)}, r"must have filters, a tuple of names without blanks, .* it has \('toy g',\)"),
        ({"filters": ("toy-g", "toy-g")}, r"must have filters, a tuple of names"),
    ],
)
def test_a_plug_in_must_say_what_its_answers_mean(toy, monkeypatch, changes, message):
    config, schema = configured({"class": f"{toy}:VirtualToy"})
    plan = SurveyPlan.of("toy", config["observatories"]["toy"], schema, PACKAGE_ROOT)
    for name, value in changes.items():
        monkeypatch.setattr(f"{toy}.VirtualToy.{name}", value)
    with pytest.raises(ConfigError, match=rf"observatories\.toy: '{toy}:VirtualToy' {message}"):
        _ = plan.observatory


def test_a_plug_in_can_take_the_place_of_a_survey_of_the_project():
    config, schema = configured({"class": "vo_lib.observatories.ztf:VirtualZTF", "url": "http://127.0.0.1:1/x"}, "ztf")
    plan = SurveyPlan.of("ztf", config["observatories"]["ztf"], schema, PACKAGE_ROOT)
    assert plan.asked["url"] == "http://127.0.0.1:1/x"
    assert plan.answer["release"] == "ztf_dr24"
    assert plan.class_path == "vo_lib.observatories.ztf:VirtualZTF"


def test_a_second_set_of_own_files_is_a_plug_in(toy, tmp_path):
    module = tmp_path / f"{toy}.py"
    module.write_text(
        "from vo_lib.observatories.files import VirtualFiles\nclass Mine(VirtualFiles):\n    name = 'MINE'\n"
    )
    (tmp_path / "a.csv").write_text("t,m,e\n58000,15,1\n")
    times = {"time_format": "mjd", "time_scale": "utc", "time_reference": "geocentre", "time_stamp": "mid"}
    columns = {"time": "t", "mag": "m", "magerr": "e"}
    section = {"class": f"{toy}:Mine", "path": "{name}.csv", "filter": "g", "columns": columns} | times
    config, schema = configured(section, "mine")
    plan = SurveyPlan.of("mine", config["observatories"]["mine"], schema, tmp_path)
    assert plan.asked == {"path": f"{tmp_path}/{{name}}.csv"}
    assert set(plan.answer) == {"columns", "units", "time_format", "time_scale"}
    assert plan.observatory.filters == ("mine-g",)


def test_filters_of_one_name_in_two_surveys_are_refused():
    surveys = {
        name: SimpleNamespace(observatory=SimpleNamespace(filters=filters))
        for name, filters in {"A": ("a-g", "r"), "B": ("b-g",), "C": ("r",)}.items()
    }
    with pytest.raises(ConfigError, match="observatories: A and C both have a filter 'r'; rename .* to 'c-r'$"):
        filters_of(surveys)
    surveys.pop("C")
    assert filters_of(surveys) == {"A": ("a-g", "r"), "B": ("b-g",)}


def test_an_edit_of_a_plug_in_counts_and_its_prose_does_not(tmp_path):
    fingerprints = []
    for text in (PLUGIN, PLUGIN.replace("A survey of one epoch", "Another sentence"), PLUGIN.replace("25.0", "26.0")):
        (tmp_path / "toy.py").write_text(text)
        fresh = tmp_path / f"{len(fingerprints)}"
        fresh.mkdir()
        (tmp_path / "toy.py").rename(fresh / "toy.py")
        fingerprints.append(code_fingerprint("scripts/reduce.py", fresh / "toy.py"))
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


def test_common_parameters_are_those_of_all_surveys_that_know_them():
    sections = {"common": {"timeout_s": 9, "radius_arcsec": 1}, "ztf": {"timeout_s": 5}, "gaia": None, "demo": None}
    config = {"observatories": sections}
    spread = spread_common(config, SCHEMA)["observatories"]
    assert spread == {
        "ztf": {"timeout_s": 5, "radius_arcsec": 1},
        "gaia": {"timeout_s": 9, "radius_arcsec": 1},
        "demo": None,
    }
    assert config["observatories"]["common"] == {"timeout_s": 9, "radius_arcsec": 1}


def test_without_common_parameters_the_section_may_be_empty():
    assert spread_common({"observatories": {"common": None, "ztf": None}}, SCHEMA) == {"observatories": {"ztf": None}}
    with pytest.raises(ConfigError, match=r"observatories.common must be an object, got \[1\]"):
        spread_common({"observatories": {"common": [1], "ztf": None}}, SCHEMA)


def test_a_survey_whose_section_is_none_is_left_to_the_check_of_types():
    sections = {"common": {"timeout_s": 9, "seed": 1}, "ztf": 3, "gaia": None, "demo": "seed"}
    spread = spread_common({"observatories": sections}, SCHEMA)["observatories"]
    assert spread == {"ztf": 3, "gaia": {"timeout_s": 9}, "demo": "seed"}


def test_a_common_parameter_that_no_survey_knows_is_refused():
    with pytest.raises(ConfigError, match="observatories.common.radius is not a parameter of any survey"):
        spread_common({"observatories": {"common": {"radius": 1}, "ztf": None}}, SCHEMA)
    with pytest.raises(ConfigError, match="observatories.common.class is not a parameter of any survey"):
        spread_common({"observatories": {"common": {"class": "a:B"}, "ztf": {"class": "c:D"}}}, SCHEMA)
