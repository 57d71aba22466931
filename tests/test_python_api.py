"""What a notebook imports, and a project from python without a run."""

import copy
import pickle
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from astropy import units as u
from make_project import CATALOG, NASTY, make_plan

import vo_lib
from vo_lib.errors import ConfigError, StaleProductError, UserError
from vo_lib.export import export
from vo_lib.extract import Wanted
from vo_lib.figures import draw
from vo_lib.plan import read_plan
from vo_lib.project import Project
from vo_lib.provenance import PACKAGE_ROOT

ANALYSIS = {"snr_threshold": 8.5, "num_injections": 3, "finder_kwargs": {"methods": ["peak"]}}


@pytest.fixture
def plan(tmp_path):
    """A project with products."""
    return make_plan(tmp_path)


def test_every_public_name_is_there_and_is_listed():
    for name in vo_lib.__all__:
        assert getattr(vo_lib, name) is not None
    assert set(vo_lib.__all__) <= set(dir(vo_lib))
    with pytest.raises(AttributeError, match="module 'vo_lib' has no attribute 'Nothing'"):
        vo_lib.Nothing  # noqa: B018


def test_names_of_all_editions_of_the_specification_are_found():
    assert vo_lib.RawData is vo_lib.RawPhotometry
    assert vo_lib.PhotometricDataset is vo_lib.Dataset
    assert vo_lib.VirtualZTF(name="ZTF", reducer={"gap": 60}).reducer == {"gap": 60}


def test_a_name_loads_what_it_needs_and_no_more():
    code = "import sys, vo_lib; vo_lib.VirtualDemo; print('sqlalchemy' in sys.modules, 'pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE_ROOT)
    assert done.stdout.split() == ["False", "False"]


@pytest.fixture
def folder(tmp_path):
    """A folder with a catalog, a configuration file and one in the words of the specification."""
    (tmp_path / "stars.csv").write_text(CATALOG)
    native = {"project": "flares", "catalog": {"file": str(tmp_path / "stars.csv")}, "observatories": {"demo": None}}
    native |= {"finder": {"snr_threshold": 6}, "data_root": str(tmp_path / "data"), "seed": 4}
    (tmp_path / "flares.yaml").write_text(yaml.safe_dump(native))
    words = {"project": {"name": "flares", "obs_names": ["demo"], "vc": False, "data_root": str(tmp_path / "data")}}
    words |= {"catalog": native["catalog"], "analysis": {"finder_kwargs": {"snr_threshold": 6}}, "seed": 4}
    (tmp_path / "project_name.cfg").write_text(yaml.safe_dump(words))
    return tmp_path


def made(folder, style):
    """The same project, written in one of the ways that there are."""
    file = folder / ("project_name.cfg" if style == "words" else "flares.yaml")
    if style in ("file", "words"):
        return Project(cfg_file=file, cfg_key="project")
    project = Project(
        name="flares",
        cfg_file=None,
        obs_names=["demo"],
        catalog_kwargs={"file": folder / "stars.csv"},
        data_root=folder / "data",
        **({} if style == "attributes" else {"seed": np.int64(4), "analysis_kwargs": {"snr_threshold": 6}}),
    )
    if style == "attributes":
        project.pars.seed, project.pars.finder.snr_threshold = 4, 6
    return project


@pytest.mark.parametrize("style", ["words", "nested", "attributes"])
def test_all_ways_to_write_a_configuration_make_the_same_project(folder, style):
    assert made(folder, style).plan.config == made(folder, "file").plan.config


def test_the_workflow_and_vo_read_the_words_of_the_specification_too(folder):
    assert read_plan(folder / "project_name.cfg").config == read_plan(folder / "flares.yaml").config


def test_the_project_of_the_specification_is_made_as_it_is_written():
    project = Project(
        name="default_test",
        description="my first project",
        version_control=True,
        obs_names=["demo", "ZTF"],
        analysis_kwargs=ANALYSIS,
        analysis_module="extensions.my_analysis",
        analysis_class="NewAnalysis",
        catalog_kwargs={"default": "test"},
        obs_kwargs={"reducer": {"radius": 3, "gap": 40}},
        ZTF={"reducer": {"gap": 60}},
    )
    config = project.plan.config
    assert project.plan.observatories == ["DEMO", "ZTF"]
    assert (config["finder"]["snr_threshold"], config["simulator"]["num_injections"]) == (8.5, 3)
    assert (config["reduce"]["gap_days"], config["observatories"]["ztf"]["reduce"]["gap_days"]) == (40, 60)
    assert config["analysis"]["class"] == "extensions.my_analysis:NewAnalysis"
    assert project.folder.name == f"DEFAULT_TEST_{project.plan.digest}"
    assert "NewAnalysis" in str(type(project.plan.make_analysis()))


def test_words_go_before_the_file_and_leave_it_as_it_is(folder):
    file = folder / "flares.yaml"
    text = file.read_text()
    project = Project(cfg_file=file, analysis_kwargs={"snr_threshold": 9}, obs_names=["demo"], name="other")
    assert (project.name, project.pars.finder.snr_threshold, project.pars.seed) == ("other", 9, 4)
    assert Project(cfg_file=file).pars.finder.snr_threshold == 6
    file.write_text(text.replace("seed: 4", "seed: 5"))
    assert Project(cfg_file=file).pars.seed == 5


def test_the_file_of_a_project_is_looked_for_by_its_name(folder, monkeypatch):
    assert Project("ztf_white_dwarfs").plan.observatories == ["ZTF"]
    assert Project("ztf_white_dwarfs", cfg_file="config.yaml").plan.observatories == ["DEMO"]
    monkeypatch.setenv("VO_CONFIG", str(folder / "flares.yaml"))
    assert Project().name == "flares"
    assert read_plan().config["project"] == "flares"
    with pytest.raises(ConfigError, match="nothing.yaml: no such configuration here or in .*config; correct cfg_file"):
        Project("x", cfg_file="nothing.yaml")
    with pytest.raises(ConfigError, match="the configuration needs the key 'catalog'"):
        Project("flares", cfg_file=None, obs_names="demo")


def test_classes_of_the_extensions_are_found_from_any_folder(tmp_path):
    analysis = {"class": "extensions.my_analysis:NewAnalysis", "kwargs": {"num_kernels": 20}}
    words = {"obs_names": ["demo"], "catalog": {"file": "catalogs/demo.csv"}, "analysis": analysis, "cfg_file": None}
    code = f"from vo_lib import Project; print(Project('x', **{words!r}).plan.folder)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stdout == "X\n", done.stderr


def test_attributes_are_the_keys_of_the_schema_and_are_checked(folder):
    project = made(folder, "file")
    before = project.folder
    project.pars.vc = True
    assert project.folder.name.startswith("FLARES_")
    project.pars.version_control = False
    assert project.folder == before
    assert project.pars.reduce.radius_arcsec == 3
    assert "snr_threshold" in dir(project.pars.finder)
    with pytest.raises(ConfigError, match="finder has no key 'snr_treshold'; did you mean 'snr_threshold'"):
        project.pars.finder.snr_treshold = 7
    with pytest.raises(ConfigError, match=r"finder.snr_threshold must be a number or an array, got 'high'"):
        project.pars.finder.snr_threshold = "high"
    assert project.pars.finder.snr_threshold == 6


def test_the_configuration_is_written_once_without_secrets(folder):
    project = made(folder, "file")
    project.pars.database.url = "postgresql://me:secret@localhost/x"
    file = project.write_config()
    first = file.stat().st_mtime_ns
    assert project.write_config().stat().st_mtime_ns == first
    assert "secret" not in file.read_text()
    assert read_plan(file).digest == project.plan.digest
    assert read_plan(file).data_root == project.plan.data_root


def test_sources_are_found_by_number_and_name(folder):
    sources = made(folder, "file").sources
    assert [source.name for source in sources] == ["calm", "dark", "flagged", "flare", "lost"]
    assert (len(sources), sources[-1].name, sources["flare"].bin) == (5, "lost", "RA200")
    assert [source.name for source in sources[1:3]] == ["dark", "flagged"]
    assert "flare" in sources
    assert "flair" not in sources
    assert repr(sources) == "<5 sources of FLARES>"
    with pytest.raises(IndexError, match="there are 5 sources, none with the number 5"):
        sources[5]


def test_a_copy_of_a_project_has_a_configuration_of_its_own(folder):
    project = made(folder, "file")
    for other in (copy.copy(project), copy.deepcopy(project), pickle.loads(pickle.dumps(project))):
        other.pars.finder.snr_threshold = 9
        assert (project.pars.finder.snr_threshold, other.pars.finder.snr_threshold) == (6, 9)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"catalog": {"sources": pd.DataFrame({"name": ["a"]})}}, "configuration.catalog.sources .* got a DataFrame"),
        ({"reduce": {"gap_days": 40 * u.hour}}, "configuration.reduce.gap_days .* got a Quantity"),
        ({"reduce": {"gap_days": np.float32("nan")}}, "configuration.reduce.gap_days .* got nan"),
    ],
)
def test_what_no_configuration_can_hold_is_named(folder, words, message):
    with pytest.raises(ConfigError, match=message):
        Project(cfg_file=folder / "flares.yaml", **words)
    project = made(folder, "file")
    with pytest.raises(ConfigError, match="configuration.reduce.gap_days .* got inf"):
        project.pars.reduce.gap_days = np.inf


@pytest.fixture
def project(plan):
    """A project with products."""
    return Project(cfg_file=plan.data_root.parent / "config.yaml")


def test_results_are_tables_of_all_bins(project):
    detections = project.get_detections()
    assert detections["source"].tolist()[-1] == "flare"
    assert (detections["score"].diff().dropna() <= 0).all()
    assert (project.get_detections(simulated=True)["simulated"] == 1).all()
    assert len(project.get_properties()) == 6
    flagged, series = project.get_table("flagged"), project.get_table("series")
    assert series["source"][flagged["series"]].tolist() == [NASTY, "flagged"]
    with pytest.raises(UserError, match="has no table 'detection'; did you mean 'detections'"):
        project.get_table("detection")
    with pytest.raises(UserError, match="has no table 'metadata'; did you mean 'bad_data'"):
        project.get_table("metadata")
    with pytest.raises(UserError, match="has no table '/'"):
        project.get_table("/")


def test_figures_and_exports_take_a_project_as_they_take_its_plan(project, tmp_path):
    assert draw(project, "coverage").axes
    assert draw(project, "lightcurve", "flare").axes
    n_rows = export(project, Wanted(names=("flare",)), tmp_path / "flare.csv")
    assert n_rows == sum(map(len, project.sources["flare"].get_lightcurves()))


def test_only_the_wanted_table_of_a_bin_is_looked_at(project, monkeypatch):
    types, asked = h5py.Dataset.dtype, set()
    monkeypatch.setattr(h5py.Dataset, "dtype", property(lambda self: asked.add(self.name) or types.fget(self)))
    project.get_properties()
    assert asked & {"/detections", "/properties", "/series"} == {"/properties"}


def test_results_of_another_configuration_are_refused(project):
    wanted = project.plan.provenance("analyze").id
    project.pars.finder.snr_threshold = 12
    with pytest.raises(StaleProductError, match=f"was made with provenance {wanted}, not "):
        project.get_detections()
