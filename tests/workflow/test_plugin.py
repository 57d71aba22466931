"""A survey and a check of one's own in the workflow."""

import csv
import shlex
import subprocess
import sys

import h5py
import numpy as np
import pytest
from servers.alerce import AlerceServer, synthetic_detections

from vo_lib.downloads.manifest import read_manifest

ANALYSIS = {"merge_histograms": 1, "merge_tables": 1, "pages": 1, "rates": 1, "report": 1, "sync_database": 1}


def test_a_plug_in_is_downloaded_reduced_and_analysed_like_any_survey(workspace):
    workspace.catalog.write_text("name,ra,dec\na,150.0,2.0\nb,151.0,2.0\n")
    objects = {"ZTF18a": (150.0, 2.0, synthetic_detections(150.0, 2.0))}
    with AlerceServer(objects) as server:
        section = {"class": "extensions.alerce:VirtualALeRCE", "url": server.address}
        workspace.config["observatories"] = {"demo": None, "alerce": section}
        run = workspace.run()
        assert run.status == 0, run.output
        assert workspace.run().idle
        assert len(server.requests) == 3
    with h5py.File(workspace.product("ALERCE_photometry_RA150_reduced.h5")) as file:
        assert set(file["index"]["filter"].astype(str)) == {"alerce-g", "alerce-r"}
    workspace.config["observatories"]["alerce"]["url"] = "http://127.0.0.1:1/moved"
    assert workspace.plan().idle
    workspace.config["observatories"]["alerce"]["radius_arcsec"] = 3
    assert workspace.plan().jobs["download"] == 2


CHECKS = """
import numpy as np

def odd_seconds(batch):
    return np.floor(batch.columns["mjd"] * 86400) % 2 == 1

def lone(batch):
    return batch.counts > 1000, "Few epochs"
"""


def test_checks_of_one_s_own_mark_epochs_and_list_lightcurves_and_count_as_code(workspace, monkeypatch):
    file = workspace.folder / "own_checks.py"
    file.write_text(CHECKS)
    monkeypatch.setenv("PYTHONPATH", str(workspace.folder))
    workspace.set("quality.checks", ["own_checks:odd_seconds", "own_checks:lone"]).set("quality.action", "remove")
    run = workspace.run()
    assert run.status == 0, run.output
    with h5py.File(workspace.product("RA010_analysis.h5")) as products:
        bits, series = products["quality_bits"][:], products["series"][:]
        odd = products["flagged"]["qflag"] & bits["bit"][bits["name"] == b"odd_seconds"]
        assert set(products["bad_data"]["check"]) >= {b"lone"}
    assert 0.3 < np.count_nonzero(odd) / series["n_epochs"].sum() < 0.7
    page = workspace.product("report.html").read_text()
    assert "by own_checks:odd_seconds" in page
    assert "Few epochs" in page
    file.write_text("# a comment\n" + CHECKS)
    assert workspace.plan().idle
    file.write_text(CHECKS.replace("== 1", "== 0"))
    assert workspace.plan().jobs == {"analyze": 2} | ANALYSIS


def test_answers_that_were_kept_are_asked_for_again_when_that_is_wanted(workspace):
    workspace.catalog.write_text("name,ra,dec\na,150.0,2.0\n")
    with AlerceServer({"ZTF18a": (150.0, 2.0, synthetic_detections(150.0, 2.0))}) as server:
        section = {"class": "extensions.alerce:VirtualALeRCE", "url": server.address}
        workspace.config["observatories"] = {"alerce": section}
        assert workspace.run("downloaded").status == 0
        section["radius_arcsec"] = 3
        workspace.set("download.on_change", "keep")
        assert workspace.run("downloaded").status == 0
        assert len(server.requests) == 2
        assert workspace.plan("downloaded").idle
        workspace.set("download.on_change", "error")
        refused = workspace.run("downloaded")
        assert refused.status != 0
        assert "1 of 1 sources were downloaded with other parameters" in refused.output
        workspace.set("download.on_change", "refetch")
        assert workspace.run("downloaded").status == 0
        assert len(server.requests) == 4
        assert workspace.plan("downloaded").idle


def test_the_command_that_failures_name_asks_for_them_again(workspace):
    workspace.catalog.write_text("name,ra,dec\na,150.0,2.0\n")
    objects = {"ZTF18a": (150.0, 2.0, synthetic_detections(150.0, 2.0))}
    with AlerceServer(objects, ["<html>down</html>"]) as server:
        section = {"class": "extensions.alerce:VirtualALeRCE", "url": server.address, "retries": 0}
        workspace.config["observatories"] = {"alerce": section}
        assert workspace.run("--config", "detrend={window_days: 30}").status != 0
        with open(workspace.product("failures.csv"), newline="") as file:
            (failure,) = csv.DictReader(file)
        assert failure["url"].startswith(server.address)
        assert "--cores all" in failure["retry"]
        done = subprocess.run(
            [sys.executable, "-m", *shlex.split(failure["retry"])], cwd=workspace.root, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
    assert workspace.product("manifests/ALERCE_photometry_RA150.jsonl").exists()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise SystemExit(3)", "fails when it is imported (SystemExit: 3, in "),
        ("1 / 0", "fails when it is imported (ZeroDivisionError: division by zero, in "),
        ("def (", "fails when it is imported (SyntaxError"),
        (
            "from vo_lib.observatories.base import VirtualObservatory as V\nclass Bad(V):\n    name = 'BAD'",
            "cannot be used",
        ),
    ],
)
def test_a_plug_in_that_fails_is_one_line(workspace, tmp_path, code, message):
    module = f"bad_{abs(hash(code))}"
    (tmp_path / f"{module}.py").write_text(code)
    workspace.config["observatories"] = {"bad": {"class": f"{module}:Bad"}}
    run = workspace.run(environment={"PYTHONPATH": str(tmp_path)})
    assert run.status != 0
    assert message in run.output
    assert "Traceback" not in run.output


def test_a_survey_gets_its_own_magnitude_from_the_catalog(workspace):
    workspace.catalog.write_text("name,ra,dec,mag,rp\na,10.2,20,15,14\n")
    workspace.set("catalog.mags", {"demo": "rp"})
    assert workspace.run("downloaded").status == 0
    (manifest,) = workspace.product("manifests").iterdir()
    assert read_manifest(manifest)[1]["mag"].tolist() == [14.0]
