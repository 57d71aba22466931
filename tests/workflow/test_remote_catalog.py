"""Catalogs that are fetched: the one checkpoint of the workflow."""

import json

import pytest
from servers.gaia import synthetic_table
from servers.tap import AsyncTap
from servers.warwick import FileServer, synthetic_white_dwarfs

from vo_lib.downloads.manifest import read_manifest

FAST = {"retry_wait_s": 0.01, "timeout_s": 60, "retries": 1}
PRODUCTS = {"detections.csv", "events.csv", "properties.csv", "report.html", "database.json"}


def manifests(workspace):
    """Sources of the project by bin."""
    files = sorted((workspace.product("manifests")).glob("*.jsonl"))
    return {file.stem[-5:]: read_manifest(file)[1] for file in files}


@pytest.fixture
def white_dwarfs(workspace):
    """A project on the default catalog, cut to the brightest, and the server that has it."""
    with FileServer(synthetic_white_dwarfs(60)) as server:
        workspace.config["catalog"] = FAST | {"default": "WD", "url": server.url, "min_rows": 1, "cuts": ["Pwd > 0.8"]}
        workspace.set("bins.width_deg", 90)
        workspace.server = server
        yield workspace


def test_a_default_catalog_is_fetched_once_and_its_bins_are_run(white_dwarfs):
    plan = white_dwarfs.plan()
    assert plan.status == 0, plan.output
    assert plan.jobs["fetch_catalog"] == 1
    assert "is fetched first" in plan.output
    assert not white_dwarfs.server.requests
    run = white_dwarfs.run()
    assert run.status == 0, run.output
    assert len(white_dwarfs.server.requests) == 1
    found = manifests(white_dwarfs)
    assert 0 < sum(len(sources["name"]) for sources in found.values()) < 60
    assert set(found) <= {"RA000", "RA090", "RA180", "RA270"}
    assert {path.name for path in white_dwarfs.product("").iterdir()} >= PRODUCTS
    about = json.loads((white_dwarfs.data_root / "catalogs/gentile_fusillo_2021.fits.json").read_text())
    assert about["rows"] == 60
    assert white_dwarfs.run().idle
    assert len(white_dwarfs.server.requests) == 1


def test_other_cuts_of_a_fetched_catalog_fetch_nothing(white_dwarfs):
    assert white_dwarfs.run("downloaded").status == 0
    white_dwarfs.set("catalog.cuts", ["Pwd > 0.7"])
    plan = white_dwarfs.plan()
    assert "fetch_catalog" not in plan.jobs
    assert plan.jobs["download"] > 0
    assert white_dwarfs.run("downloaded").status == 0
    assert len(white_dwarfs.server.requests) == 1


def test_a_catalog_that_is_fetched_again_brings_its_new_sources(white_dwarfs):
    assert white_dwarfs.run("downloaded").status == 0
    before = sum(len(sources["name"]) for sources in manifests(white_dwarfs).values())
    white_dwarfs.server.body = synthetic_white_dwarfs(120)
    run = white_dwarfs.run("--forcerun", "fetch_catalog")
    assert run.status == 0, run.output
    assert sum(len(sources["name"]) for sources in manifests(white_dwarfs).values()) > before
    assert white_dwarfs.plan().idle


def test_a_catalog_that_cannot_be_fetched_is_one_line_and_the_next_run_fetches_it(white_dwarfs):
    white_dwarfs.server.behaviour = ["404"]
    run = white_dwarfs.run()
    assert run.status != 0
    assert "fetch_catalog gentile_fusillo_2021.fits: " in run.output
    assert "HTTP status 404" in run.output
    assert "Traceback" not in run.output
    assert white_dwarfs.run("downloaded").status == 0


def test_a_query_is_asked_once_and_another_one_is_another_catalog(workspace):
    with AsyncTap(synthetic_table(5), phases=["EXECUTING", "COMPLETED"]) as archive:
        query = (
            "SELECT source_id, ra, dec, pmra, pmdec, parallax, ref_epoch FROM gaiadr3.gaia_source WHERE parallax > 9"
        )
        workspace.config["catalog"] = FAST | {"query": query, "query_url": archive.url}
        workspace.set("bins.width_deg", 90)
        run = workspace.run("downloaded")
        assert run.status == 0, run.output
        asked = len(archive.requests)
        assert workspace.run("downloaded").idle
        assert len(archive.requests) == asked
        workspace.set("catalog.query", query.replace("9", "10"))
        assert workspace.plan().jobs["fetch_catalog"] == 1
    assert sum(len(sources["name"]) for sources in manifests(workspace).values()) == 5


def test_a_single_product_can_be_asked_for_before_the_catalog_is_there(white_dwarfs):
    run = white_dwarfs.run("DEMO_PROJECT/detections.csv")
    assert run.status == 0, run.output
    assert white_dwarfs.product("detections.csv").exists()
    assert not white_dwarfs.product("report.html").exists()


def test_downloads_alone_fetch_the_catalog_too(white_dwarfs):
    run = white_dwarfs.run("downloaded")
    assert run.status == 0, run.output
    assert manifests(white_dwarfs)
    assert not list(white_dwarfs.product("").glob("*_reduced.h5"))


def test_cuts_that_leave_nothing_of_a_fetched_catalog_are_told(white_dwarfs):
    white_dwarfs.set("catalog.cuts", ["Pwd > 2"])
    for _ in range(2):
        run = white_dwarfs.run()
        assert run.status != 0
        assert "no source passes catalog.cuts" in run.output
