"""A survey and a check of one's own in the workflow."""

import h5py
import numpy as np
from servers.alerce import AlerceServer, synthetic_detections

ANALYSIS = {"merge_histograms": 1, "merge_tables": 1, "report": 1, "sync_database": 1}


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
