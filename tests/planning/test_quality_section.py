"""What the section quality of a configuration means for the surveys of a project."""

import pytest
from make_epochs import PlainSurvey, make_epochs, make_sources

from vo_lib.config import complete, load_schema
from vo_lib.errors import ConfigError
from vo_lib.observatories import get_class
from vo_lib.planning.quality_section import ENTRIES, custom_check_files, resolve_quality
from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.reduce import reduce_bin
from vo_lib.reduction.reduced import ReducedFile, write_reduced

SCHEMA = load_schema(PACKAGE_ROOT / "workflow/schemas/config.schema.yaml")
SURVEYS = {name: get_class(name)() for name in ("DEMO", "ZTF", "TESS")}


def resolve(**section):
    """What a section means, completed from the schema."""
    config = {"project": "test", "catalog": {"file": "x.csv"}, "observatories": {"demo": None}, "quality": section}
    return resolve_quality(complete(config, SCHEMA)["quality"], SURVEYS)


def test_without_an_entry_a_survey_s_own_bits_are_bad():
    assert resolve()["bad_flags"] == {name: survey.bad_flag_mask for name, survey in SURVEYS.items()}


@pytest.mark.parametrize(
    ("survey", "choice", "bits"),
    [
        ("ztf", 32768, 32768),
        ("ztf", "any", -1),
        ("ztf", "default", 32768),
        ("demo", "none", 0),
        ("tess", "hard", 24319),
        ("tess", "default", 17087),
        ("tess", 0, 0),
    ],
)
def test_bad_flags_are_bits_or_a_preset_of_the_survey(survey, choice, bits):
    found = resolve(bad_flags={survey: choice})["bad_flags"]
    assert found == resolve()["bad_flags"] | {survey.upper(): bits}


def test_limits_of_saturation_are_the_survey_s_unless_configured():
    assert resolve()["saturation_mag"] == {"ztf-g": 12.5, "ztf-r": 12.5, "ztf-i": 12.5}
    found = resolve(saturation_mag={"ztf-r": 13.1, "ztf-i": None, "demo-g": 12})
    assert found["saturation_mag"] == {"ztf-g": 12.5, "ztf-r": 13.1, "demo-g": 12}


def test_lists_and_rules_are_by_the_names_that_lightcurves_have():
    found = resolve(bad_observations={"tess": ["*-s0014-*"]}, header_rules={"demo": {"is_uniform": [0]}})
    assert found["bad_observations"] == {"TESS": ["*-s0014-*"]}
    assert found["header_rules"] == {"DEMO": {"is_uniform": [0]}}


def test_entries_are_those_of_the_index_of_reduced_files(tmp_path):
    sources = make_sources(["a"])
    write_reduced(tmp_path / "x.h5", [reduce_bin(sources, make_epochs([58000.0]), [1], PlainSurvey())], {})
    with ReducedFile(tmp_path / "x.h5") as file:
        assert sorted(ENTRIES) == sorted(file.index)


def test_a_survey_with_a_reduction_of_its_own_has_entries_of_its_own(monkeypatch):
    monkeypatch.setattr(type(SURVEYS["DEMO"]), "reduce_photometry", lambda *_: None)
    assert resolve(header_rules={"demo": {"expflag": ["NORMAL"]}})["header_rules"] == {"DEMO": {"expflag": ["NORMAL"]}}


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"bad_flags": {"zft": 1}}, r"quality\.bad_flags\.zft is not a survey of the project; did you mean 'ztf'\?"),
        ({"bad_flags": {"kepler": 1}}, r"quality\.bad_flags\.kepler is not a survey of the project; known are demo"),
        ({"bad_flags": {"tess": "hrd"}}, r"TESS: 'hrd' is not a choice of bad flags; did you mean 'hard'\?"),
        ({"bad_flags": {"ztf": -2}}, r"quality\.bad_flags\.ztf: -2 is less than the minimum"),
        ({"saturation_mag": {"ztf-y": 1}}, r"saturation_mag\.ztf-y is not a filter of the project; did you mean 'ztf-"),
        ({"bad_observations": {"hst": ["x"]}}, r"quality\.bad_observations\.hst is not a survey"),
        ({"header_rules": {"hst": {"expflag": ["NORMAL"]}}}, r"quality\.header_rules\.hst is not a survey"),
        (
            {"header_rules": {"demo": {"is_uniform": [0], "filtre": ["g"]}}},
            r"header_rules\.demo\.filtre is not an entry of the lightcurves of the project; did you mean 'filter'\?",
        ),
        (
            {"header_rules": {"ztf": {"expflag": "NORMAL"}}},
            r"header_rules\.ztf\.expflag must be an array, got 'NORMAL'",
        ),
    ],
)
def test_what_the_project_does_not_have_is_refused(section, message):
    with pytest.raises(ConfigError, match=message):
        resolve(**section)


def test_files_of_checks_are_listed_once_and_checks_that_clash_are_refused(tmp_path, monkeypatch):
    name = f"plan_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text("def one(batch):\n    pass\n\n\ndef two(batch):\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    checks = [f"{name}:one", f"{name}:two"]
    assert custom_check_files(checks, tmp_path) == [(tmp_path / f"{name}.py").relative_to(tmp_path)]
    assert custom_check_files(checks, PACKAGE_ROOT) == [tmp_path / f"{name}.py"]
    assert custom_check_files([], PACKAGE_ROOT) == []
    with pytest.raises(ConfigError, match="has the name of another check, 'one'"):
        custom_check_files([*checks, f"{name}:one"], tmp_path)


def test_files_of_a_check_behind_decorators_are_its_own_and_that_of_a_plain_one(tmp_path, monkeypatch):
    name = f"behind_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}_tools.py").write_text("def plain(check):\n    return lambda batch: check(batch)\n")
    lines = ["import numpy as np", f"from {name}_tools import plain", "", '@np.errstate(all="ignore")']
    lines += ["def quiet(batch):", "    pass", "", "@plain", "def other(batch):", "    pass", ""]
    (tmp_path / f"{name}.py").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    assert custom_check_files([f"{name}:quiet"], PACKAGE_ROOT) == [tmp_path / f"{name}.py"]
    assert custom_check_files([f"{name}:other"], PACKAGE_ROOT) == [
        tmp_path / f"{name}.py",
        tmp_path / f"{name}_tools.py",
    ]
