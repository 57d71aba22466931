"""The page on python works, and so do the snippets of the specification, word for word."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
import sqlalchemy as sa
import yaml

from vo_lib import (
    DataStore,
    Detection,
    Lightcurve,
    Project,
    Properties,
    Provenance,
    RawPhotometry,
    Session,
    Source,
    VirtualDemo,
)
from vo_lib.database.session import disconnect, get_session
from vo_lib.errors import StaleProductError, UserError
from vo_lib.planning.config_styles import translate
from vo_lib.provenance import PACKAGE_ROOT

TEXT = (PACKAGE_ROOT / "docs" / "python.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.fixture
def configured(demo, monkeypatch):
    """The environment of somebody who works on the demo."""
    monkeypatch.setenv("VO_CONFIG", str(demo.config_file))
    monkeypatch.delenv("VO_DATABASE_URL", raising=False)
    yield demo
    disconnect()


@pytest.fixture
def session(configured):
    with Session() as session:
        yield session


def test_the_snippets_of_the_page_run_one_after_the_other(configured, tmp_path):
    code = "\n".join(SNIPPETS)
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE_ROOT), "VO_DATA": str(tmp_path / "data")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Nothing to be done" in done.stderr
    assert "in my_lightcurves.h5>" in done.stdout
    assert not (tmp_path / "my_lightcurves.h5").exists()


def test_the_file_of_the_page_is_a_configuration():
    (text,) = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL)
    config = translate(yaml.safe_load(text))
    assert config["finder"] == {"snr_threshold": 8.5}
    assert config["project"] == "flares"


def test_sources_are_selected_and_their_data_is_lazy(session):
    sources = session.scalars(sa.select(Source).where(Source.mag < 18)).all()
    assert sources
    source = session.scalars(sa.select(Source).join(Source.lightcurves)).first()
    data = source.raw_photometry[0]
    assert not data.dataset.is_loaded
    assert np.isfinite(data.data["mag"]).any()
    assert data.dataset.is_loaded
    assert data.plot().get_xlabel().startswith("MJD")


def test_lightcurves_are_read_by_name_and_key_also_after_the_session(configured, session):
    source = session.scalars(sa.select(Source).join(Source.lightcurves)).first()
    lcs = source.lightcurves
    session.close()
    assert lcs[0].get_fullname() == str(configured.data_root / lcs[0].filename)
    assert lcs[0].filekey.startswith(f"{source.name}_reduction_01_of_")
    assert [len(lc.data) for lc in lcs] == [lc.n_epochs for lc in lcs]
    stored = DataStore(source).get_lightcurves()
    np.testing.assert_array_equal(stored[0].data, lcs[0].data)


def test_a_stored_row_is_reduced_as_by_the_workflow(session):
    source = session.scalars(sa.select(Source).join(Source.lightcurves)).first()
    obs = VirtualDemo(name="DEMO", reducer={"gap": 40})
    lcs = obs.reduce(source.raw_photometry[0], data_type="photometry")
    assert [lc.filekey for lc in lcs] == [lc.filekey for lc in source.lightcurves]
    for mine, theirs in zip(lcs, source.lightcurves, strict=True):
        np.testing.assert_array_equal(mine.data["flux"], theirs.data["flux"])


def test_a_detection_leads_to_its_epochs_and_is_drawn(session):
    best = session.scalars(sa.select(Detection).where(~Detection.simulated).order_by(Detection.score.desc())).first()
    assert len(best.data) == best.last_epoch - best.first_epoch + 1
    assert best.data["mjd"][0] <= best.peak_mjd <= best.data["mjd"][-1]
    assert len(best.plot()) == 2
    copy = session.scalars(sa.select(Detection).where(Detection.simulated)).first()
    with pytest.raises(UserError, match="is simulated; DataStore.get_simulated_lightcurves has the copies"):
        copy.data  # noqa: B018


def test_a_session_can_roll_back_and_a_second_one_shares_the_server(session):
    source = session.scalars(sa.select(Source)).first()
    name, source.name = source.name, "renamed"
    session.flush()
    session.rollback()
    assert session.get(Source, source.id).name == name
    with get_session() as other:
        assert other.bind is session.bind
        assert other.scalars(sa.select(Properties)).first().source is not None


def test_a_row_whose_file_was_made_by_something_else_is_refused(session):
    lc = session.scalars(sa.select(Lightcurve)).first()
    made_by, other = lc.provenance_id, session.scalars(sa.select(Detection.provenance_id)).first()
    lc.provenance_id = other
    with pytest.raises(StaleProductError, match=f"was made with provenance {made_by}, not {other} as asked for"):
        lc.data  # noqa: B018
    session.rollback()


def test_results_of_another_configuration_are_an_error(configured):
    other = Project(cfg_file=configured.config_file, finder={"snr_threshold": 7.25})
    for name in ("get_detections", "get_properties"):
        with pytest.raises(StaleProductError, match="was made with provenance"):
            getattr(other, name)()
    with pytest.raises(StaleProductError, match=r"histograms_\w+.nc: was made with provenance"):
        other.histograms  # noqa: B018


def test_the_tag_of_the_project_is_what_its_configuration_makes(session, configured):
    plan = Project(cfg_file=configured.config_file).plan
    for tag in ("default", plan.config["project"]):
        assert Provenance.get_for_tag(tag, "analyze", session=session) == plan.provenance("analyze")
        assert Provenance.get_for_tag(tag, "reduce", session=session).id == plan.provenance("reduce", "DEMO").id
    assert Provenance.get_for_tag("default", "nothing") is None
    assert session.scalars(sa.select(RawPhotometry)).first().source_id is not None


def test_a_project_runs_once(tmp_path, capfd):
    project = Project(
        name="short",
        cfg_file=None,
        obs_names=["demo"],
        catalog={"sources": [{"name": "s", "ra": 45.1, "dec": -41.6}]},
        data_root=tmp_path,
    )
    assert set(project.status()["state"]) == {"pending"}
    assert project.run("downloaded", cores=2) is True
    assert project.status()["state"][0] in ("done", "empty")
    assert project.run("downloaded", cores=2) is False
    assert (tmp_path / "SHORT" / "project.yaml").exists()
    with pytest.raises(UserError, match="short: the run ended with status 1; its messages and .*logs say why"):
        project.run("no_such_rule")
    assert "no_such_rule" in capfd.readouterr().err
