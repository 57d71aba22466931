"""The page on classes of one's own: its classes and configurations work."""

import re

import numpy as np
import pytest
import yaml
from make_batch import make_batch, put, sources_of
from workspace import Workspace

from vo_lib.analysis import Analysis
from vo_lib.bin_result import check_result
from vo_lib.catalogs.classes import make_catalog
from vo_lib.catalogs.remote import remote_catalog
from vo_lib.plan import read_plan
from vo_lib.planning.plan_checks import check_plan
from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.stages import STAGES

TEXT = (PACKAGE_ROOT / "docs" / "plugins.md").read_text()
CLASSES = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
SECTIONS = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.fixture
def classes(tmp_path, monkeypatch):
    """Module with the classes of the page: its name, that of its classes by that of their base."""
    name = f"page_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text("\n\n".join(CLASSES))
    monkeypatch.syspath_prepend(tmp_path)
    found = dict(re.findall(r"^class (\w+)\((\w+)\)", "\n".join(CLASSES), flags=re.MULTILINE))
    return {base: f"{name}:{own}" for own, base in found.items()}


def test_the_page_has_a_class_and_a_section_of_each_part(classes):
    assert set(classes) == {path.partition(":")[2] for path in STAGES.values()}
    sections = [key for text in SECTIONS for key in yaml.safe_load(text)]
    assert set(sections) == {*STAGES, "properties"}


def test_the_classes_of_the_page_work_together(classes):
    batch = put(make_batch([50, 60], seed=2), 1, [20], flux=1400.0)
    sources = sources_of(batch, "dark")
    parts = {kind: {"class": classes[name]} for kind, name in (("finder", "Finder"), ("quality", "QualityChecker"))}
    parts["simulator"] = {"class": classes["Simulator"], "kinds": ["triangle"]}
    module, own = classes["Analysis"].split(":")
    analysis = getattr(__import__(module), own)(**parts)
    assert isinstance(analysis, Analysis)
    tables = check_result(analysis, sources, analysis.analyze_photometry(sources, batch)).tables
    real = tables["detections"]["simulated"] == 0
    assert tables["detections"]["peak_epoch"][real].tolist() == [20]
    assert tables["detections"]["method"][real].tolist() == ["Brightest"]
    assert set(tables["injections"]["kind"]) == {"triangle"}
    assert tables["quality_bits"]["name"][-1] == "LongExposures"
    np.testing.assert_allclose(tables["properties"]["span"], [24.5, 29.5, np.nan])


def test_the_catalog_of_the_page_can_be_made(classes, tmp_path):
    remote = remote_catalog({"class": classes["SourceList"]})
    assert make_catalog(remote.spec, tmp_path / remote.name)["rows"] == 2


@pytest.mark.parametrize("text", SECTIONS, ids=[next(iter(yaml.safe_load(text))) for text in SECTIONS])
def test_the_configurations_of_the_page_can_be_run(tmp_path, text):
    made = Workspace(tmp_path)
    made.catalog.write_text("name,ra,dec\na,10.5,3\n")
    made.config.pop("finder")
    if "catalog" in (sections := yaml.safe_load(text)):
        made.config.pop("catalog")
    made.config |= sections
    made.save()
    plan = read_plan(made.config_file)
    check_plan(plan)
    assert plan.config["finder"]["snr_threshold"] == (8.5 if "analysis" in sections else 5)
