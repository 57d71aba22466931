"""Views, and the SQL of the documentation."""

import re

import numpy as np
import pytest
import sqlalchemy as sa
from database.products import sync_arguments, write_bin

from vo_lib import hdf5, paths
from vo_lib.database.models import Base
from vo_lib.database.sync import sync_project
from vo_lib.database.views import VIEWS
from vo_lib.provenance import PACKAGE_ROOT

TEXT = (PACKAGE_ROOT / "docs" / "database.md").read_text()


@pytest.fixture
def filled(engine, tmp_path):
    """Sources a and b, of which a has two failed checks."""
    write_bin(tmp_path, ["a", "b"])
    sync_project(engine, tmp_path, "DEMO", **sync_arguments())
    return engine


def _rows(engine, query):
    with engine.connect() as connection:
        return connection.execute(sa.text(query)).mappings().all()


def test_real_detections_are_those_that_are_not_simulated(filled):
    rows = _rows(filled, "SELECT * FROM detections_real ORDER BY source")
    assert [(row["source"], row["simulated"], row["project"]) for row in rows] == [
        ("a", False, "demo"),
        ("b", False, "demo"),
    ]


def test_a_real_detection_leads_to_its_epochs(filled, tmp_path):
    (row,) = _rows(filled, "SELECT * FROM detections_real WHERE source = 'b'")
    file = tmp_path / row["filename"]
    with hdf5.Writer(file, base=file) as writer:
        writer.write_table(row["lightcurve"], {"mjd": np.arange(5.0)})
    with hdf5.open_file(file) as products:
        epochs = hdf5.read_table(products, row["lightcurve"])["mjd"][row["first_epoch"] : row["last_epoch"] + 1]
    assert epochs.tolist() == [0.0, 1.0, 2.0]
    assert row["peak_epoch"] in range(row["first_epoch"], row["last_epoch"] + 1)


def test_a_source_is_summed_up(filled):
    first, second = _rows(filled, "SELECT * FROM source_summary ORDER BY name")
    assert (first["name"], first["n_detections"], first["n_bad_data"], first["n_failed"]) == ("a", 1, 2, 0)
    assert (second["name"], second["interest"], second["n_bad_data"]) == ("b", "interesting", 0)


def _fail_last(root, folder, obs):
    """Change the manifest of a bin as if the download of its last source had failed."""
    manifest = root / paths.manifest_file(folder, obs, "RA000")
    *others, last = manifest.read_text().splitlines()
    last = last.replace('"status": "ok"', '"status": "failed"').replace('"reason": ""', '"reason": "time-out"')
    manifest.write_text("\n".join([*others, last]))


def test_what_is_bad_are_lightcurves_and_downloads(filled, tmp_path):
    _fail_last(tmp_path, "DEMO", "DEMO")
    sync_project(filled, tmp_path, "DEMO", **sync_arguments())
    rows = _rows(filled, "SELECT * FROM what_is_bad ORDER BY source, reason")
    assert [(row["source"], row["what"], row["check"]) for row in rows] == [
        ("a", "lightcurve", "linear"),
        ("a", "lightcurve", "exptime"),
        ("b", "download", "status"),
    ]
    assert (rows[2]["reason"], rows[2]["key"]) == ("time-out", "b")


def test_a_failed_download_is_that_of_the_projects_with_the_survey(filled, tmp_path):
    both = ("DEMO", "ZTF")
    write_bin(tmp_path, ["b"], folder="BOTH", observatories=both)
    _fail_last(tmp_path, "BOTH", "ZTF")
    sync_project(filled, tmp_path, "BOTH", **sync_arguments(project="both", observatories=both))
    summary = _rows(filled, "SELECT project, name, n_failed FROM source_summary ORDER BY project, name")
    assert [tuple(row.values()) for row in summary] == [("both", "b", 1), ("demo", "a", 0), ("demo", "b", 0)]
    bad = _rows(filled, "SELECT project, obs, source FROM what_is_bad WHERE what = 'download'")
    assert [tuple(row.values()) for row in bad] == [("both", "ZTF", "b")]


def test_a_failed_download_is_that_of_the_projects_with_the_data_release(engine, tmp_path):
    for folder, release in (("A", "dr1"), ("B", "dr2"), ("C", "dr1")):
        write_bin(tmp_path, ["s"], folder=folder, release=release)
        if release == "dr1":
            _fail_last(tmp_path, folder, "DEMO")
        sync_project(engine, tmp_path, folder, **sync_arguments(project=folder.lower()))
    summary = _rows(engine, "SELECT project, n_failed FROM source_summary ORDER BY project")
    assert [tuple(row.values()) for row in summary] == [("a", 1), ("b", 0), ("c", 1)]
    bad = _rows(engine, "SELECT project, filename FROM what_is_bad WHERE what = 'download' ORDER BY project")
    file = paths.raw_file("DEMO", "RA000", "dr1")
    assert [tuple(row.values()) for row in bad] == [("a", file), ("c", file)]


@pytest.mark.parametrize("view", ["source_summary", "what_is_bad"])
def test_failed_downloads_have_an_index_of_their_own(filled, view):
    with filled.connect() as connection:
        connection.execute(sa.text("SET LOCAL enable_seqscan = off"))
        plan = "\n".join(connection.scalars(sa.text(f"EXPLAIN SELECT * FROM {view}")))
    assert "ix_raw_photometry_failed" in plan


@pytest.mark.parametrize("query", re.findall(r"```sql\n(.*?)```", TEXT, flags=re.DOTALL))
def test_the_queries_of_the_documentation_work(filled, query):
    rows = _rows(filled, query)
    if "cosd" in query:
        assert [row["name"] for row in rows] == ["b"]
    if "RECURSIVE" in query:
        assert sorted(row["process"] for row in rows) == ["analyze", "reduce"]


def test_the_documentation_lists_all_tables_and_views():
    tables = re.findall(r"^\| `(\w+)` \|", TEXT, flags=re.MULTILINE)
    assert sorted(tables) == sorted([*Base.metadata.tables, *VIEWS])
