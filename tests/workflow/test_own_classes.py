"""Classes of one's own in the workflow: all families at once, and what an edit of each runs again."""

import csv
import shutil

import h5py
import pytest

from vo_lib.errors import ConfigError
from vo_lib.plan import read_plan
from vo_lib.planning.plan_checks import check_plan
from vo_lib.provenance import PACKAGE_ROOT

TABLES = "DEMO_PROJECT/properties.csv"
CLASSES = {
    "analysis": ("my_analysis:NewAnalysis", {"num_kernels": 4, "max_detections": 5}),
    "finder": ("flare_probability:FlareProbability", {"prior": 0.01}),
    "quality": ("lonely_epochs:LonelyEpochs", {"within_days": 2}),
    "simulator": ("sudden_events:SuddenEvents", {}),
    "catalog": ("sky_grid:SkyGrid", {"ra": 45.5, "dec": 12, "size_deg": 0.1, "step_deg": 0.1}),
}

WRONG = """
from vo_lib.finder import Finder

class Wrong(Finder):
    def per_lightcurve(self, frame):
        return 7
"""


@pytest.fixture
def own(workspace, monkeypatch):
    """A project of classes of all families, in copies of the examples that may be edited."""
    monkeypatch.setenv("PYTHONPATH", str(workspace.folder))
    for kind, (path, kwargs) in CLASSES.items():
        name = path.partition(":")[0]
        shutil.copy(PACKAGE_ROOT / "extensions" / f"{name}.py", workspace.folder / f"own_{name}.py")
        workspace.set(f"{kind}.class", f"own_{path}").set(f"{kind}.kwargs", kwargs)
    workspace.config["catalog"].pop("file")
    workspace.set("simulator.kinds", ["sudden"]).set("simulator.num_injections", 2)
    return workspace.set("properties.interesting", ["kernel_gain > -9"])


def file_of(workspace, kind):
    """Copy of the file of a class."""
    return workspace.folder / f"own_{CLASSES[kind][0].partition(':')[0]}.py"


def test_all_families_are_run_and_an_edit_runs_what_uses_it(own):
    run = own.run(TABLES)
    assert run.status == 0, run.output
    assert run.jobs["fetch_catalog"] == 1
    with h5py.File(own.product("RA045_analysis.h5")) as products:
        assert set(products["injections"]["kind"]) == {b"sudden"}
        assert b"LonelyEpochs" in products["quality_bits"]["name"]
        assert set(products["detections"]["method"]) == {b"FlareProbability"}
    with open(own.product("properties.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["source"] for row in rows] == [f"grid_00{row}_00{column}" for row in (0, 1) for column in (0, 1)]
    assert {row["interest"] for row in rows} == {"interesting"}
    assert all(float(row["kernel_days"]) > 0 for row in rows)
    texts = {kind: file_of(own, kind).read_text() for kind in CLASSES}
    for kind, text in texts.items():
        file_of(own, kind).write_text(f"{text}\n\n# a comment\n")
    assert own.plan(TABLES).idle
    file_of(own, "finder").write_text(f"{texts['finder']}CHANGED = True\n")
    assert own.plan(TABLES).jobs == {"analyze": 1, "merge_tables": 1}
    file_of(own, "catalog").write_text(f"{texts['catalog']}CHANGED = True\n")
    assert own.plan().jobs["fetch_catalog"] == 1


def test_a_class_that_returns_what_cannot_be_used_is_one_line(workspace, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(workspace.folder))
    (workspace.folder / "own_finder.py").write_text(WRONG)
    run = workspace.set("finder.class", "own_finder:Wrong").run("DEMO_PROJECT/RA010_analysis.h5")
    assert run.status != 0
    message = "own_finder:Wrong.per_lightcurve() for lightcurve a_reduction_"
    assert message in run.output, run.output
    assert "must return a list of dicts, got 7; correct the class" in run.output
    assert "Traceback" not in run.output
    assert "Traceback" in workspace.product("logs/analyze/RA010.log").read_text()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("analysis.kwargs", {"min_epochs": 3}, "analysis.kwargs.min_epochs is a key of finder and simulator"),
        ("analysis.kwargs", {"snr_thresold": 3}, "analysis: Analysis rejects its options"),
        ("simulator.kinds", ["bump"], "simulator: Simulator rejects its options: kinds must be some of"),
        ("finder.class", "extensions.lonely_epochs:LonelyEpochs", "must be a subclass of vo_lib.finder.Finder"),
    ],
)
def test_what_cannot_be_made_is_refused_by_the_plan(workspace, key, value, message):
    workspace.set(key, value).save()
    with pytest.raises(ConfigError, match=message):
        check_plan(read_plan(workspace.config_file))


def test_what_cannot_be_made_is_said_before_any_job(workspace):
    run = workspace.set("simulator.kinds", ["bump"]).plan()
    assert run.status != 0
    assert "simulator: Simulator rejects its options: kinds must be some of" in run.output
    assert "Traceback" not in run.output
