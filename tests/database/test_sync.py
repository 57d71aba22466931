"""The sync and its script."""

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import psycopg2
import pytest
import sqlalchemy as sa
import sync_database
from database.products import (
    PROVENANCES,
    bad_data_table,
    detection_table,
    index_table,
    property_table,
    sync_arguments,
    write_bin,
)
from make_project import damage
from sqlalchemy.orm import Session

from vo_lib import hdf5, paths
from vo_lib.counts.axes import Axis
from vo_lib.counts.histogram_files import write_histograms
from vo_lib.database import groups, models, sync, sync_group, upsert
from vo_lib.database.models import (
    BadData,
    Base,
    Detection,
    File,
    Injection,
    Lightcurve,
    Project,
    Properties,
    Provenance,
    ProvenanceTag,
    RawPhotometry,
    Source,
    SyncedBin,
)
from vo_lib.database.session import make_engine
from vo_lib.database.sync import sync_project
from vo_lib.errors import ConfigError, DamagedProductError, ServiceError, StaleProductError, UserError
from vo_lib.histograms import Histogram
from vo_lib.provenance import PACKAGE_ROOT

NASTY = [
    "",
    "NULL",
    r"\N",
    r"\.",
    "a\tb",
    "a\nb",
    "a\r\nb",
    "back\\slash",
    "\\t",
    "it's",
    '"x"',
    "100%",
    "ü μ 星 🔭",
    " x ",
]


def _contents(engine):
    """All rows of all tables."""
    with engine.connect() as connection:
        tables = {table.name: table for table in Base.metadata.sorted_tables}
        return {name: connection.execute(sa.select(table).order_by("id")).all() for name, table in tables.items()}


def _count(engine, model):
    with engine.connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(model))


def _names(engine, column=Source.name):
    with Session(engine) as session:
        return session.scalars(sa.select(column).order_by(column)).all()


def _write_raw(root, release):
    """Write a raw file, of which a sync looks at size and time alone; return its path."""
    path = root / paths.raw_file("DEMO", "RA000", release)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"raw")
    return path


def _raw_files(engine):
    with Session(engine) as session:
        return session.scalars(sa.select(File.path).where(File.kind == "raw").order_by(File.path)).all()


def _sync(engine, root, *bins, folder="DEMO", **options):
    return sync_project(engine, root, folder, **sync_arguments(bins or ["RA000"], **options))


def test_first_sync_stores_all_rows(engine, tmp_path):
    write_bin(tmp_path, ["a", "b"], detected=["b"])
    result = _sync(engine, tmp_path)
    assert result.rows == {
        "sources": 2,
        "lightcurves": 2,
        "bad_data": 2,
        "detections": 2,
        "events": 1,
        "injections": 2,
        "properties": 2,
        "histograms": 0,
        "raw_photometry": 2,
    }
    assert (result.synced, result.skipped, result.removed) == (["RA000"], [], [])


def _sampled(engine):
    """Number of rows of the tables of bins according to the statistics of PostgreSQL, which are -1 without any."""
    query = sa.text("SELECT relname, reltuples FROM pg_class WHERE relkind = 'r' AND relname = ANY(:tables)")
    tables = [model.__tablename__ for model in (*sync_group.BIN_MODELS, RawPhotometry)]
    with engine.connect() as connection:
        return dict(connection.execute(query, {"tables": tables}).all())


def test_a_sync_renews_the_statistics_that_plans_of_queries_need(engine, tmp_path):
    for names in (["a"], ["a", "b"]):
        write_bin(tmp_path, names)
        rows = _sync(engine, tmp_path).rows
        assert _sampled(engine) == {name: rows[name] for name in rows if name != "histograms"}


def test_a_sync_with_nothing_new_leaves_the_statistics(engine, tmp_path, monkeypatch):
    write_bin(tmp_path, ["a"])
    _sync(engine, tmp_path)
    monkeypatch.setattr(sync, "renew_statistics", None)
    assert _sync(engine, tmp_path).synced == []


def test_values_arrive(engine, session, tmp_path):
    write_bin(tmp_path, ["a/1"], flux=1 / 3)
    _sync(engine, tmp_path)
    source = session.scalars(sa.select(Source)).one()
    assert (source.name, source.bin, source.dec, source.mag_filter) == ("a/1", "RA000", -1.5, "G")
    curve, raw = source.lightcurves[0], source.raw_photometry[0]
    assert (curve.flux_mean, curve.n_epochs, curve.is_uniform, curve.level) == (1 / 3, 3, False, "reduced")
    assert (curve.key, curve.filename) == ("a%2F1_reduction_01_of_01", "DEMO/DEMO_photometry_RA000_reduced.h5")
    assert (raw.key, raw.filename, raw.status) == ("a%2F1", "DEMO/DEMO_photometry_RA000.h5", "ok")
    real, simulated = source.detections
    assert (real.simulated, real.injection, real.sign, real.snr) == (False, 0, -1, 7.5)
    assert (simulated.simulated, simulated.injection, simulated.lightcurve) == (True, 1, curve)
    assert session.get(Provenance, source.properties.provenance_id).upstreams == ["reduced0"]


def test_own_columns_are_in_the_database_where_they_are_finite(engine, session, tmp_path):
    write_bin(tmp_path, ["a"])
    own = {"ratio": np.array([np.inf]), "slope": np.array([np.nan]), "days": np.array([3]), "word": np.array(["inf"])}
    with hdf5.Writer(analysis := tmp_path / paths.analysis_file("DEMO", "RA000"), base=analysis) as writer:
        writer.write_table("properties", property_table(["a"]) | own)
    _sync(engine, tmp_path)
    assert session.scalars(sa.select(Source)).one().properties.extra == {"days": 3, "word": "inf"}


def test_properties_arrive_with_statistics_and_known_colors(engine, session, tmp_path):
    write_bin(tmp_path, ["a"])
    _sync(engine, tmp_path)
    row = session.scalars(sa.select(Source)).one().properties
    assert (row.interest, row.filter, row.filter_n_good, row.stetson_j) == ("interesting", "demo-g", 3, 1.25)
    assert (row.best_period, row.best_period_alias, row.periodogram) == (1.25, "day", True)
    assert (row.bls_fap, row.bls_n_dips) == (None, 2)
    assert row.colors == {"color_demo_g_demo_r": 0.5, "color_demo_g_demo_r_err": 0.01}
    red = sa.select(Properties.source_id).where(Properties.colors["color_demo_g_demo_r"].as_float() > 0.4)
    assert session.scalars(red).all() == [row.source_id]


def test_interest_is_one_of_three_words(engine, tmp_path):
    write_bin(tmp_path, ["a"])
    table = property_table(["a"]) | {"interest": np.array(["NULL"])}
    with hdf5.Writer(analysis := tmp_path / paths.analysis_file("DEMO", "RA000"), base=analysis) as writer:
        writer.write_table("properties", table)
    with pytest.raises(psycopg2.IntegrityError, match="ck_properties_interest"):
        _sync(engine, tmp_path)


def test_failed_checks_arrive_and_go_with_the_products(engine, session, tmp_path):
    write_bin(tmp_path, ["a", "b"])
    _sync(engine, tmp_path)
    first, second = session.scalars(sa.select(BadData).order_by(BadData.id)).all()
    assert (first.check, first.obs, first.source.name) == ("linear", "DEMO", "a")
    assert first.reason == "Non-linear time: 1 of 2 steps are not forward"
    assert (second.check, second.reason) == ("exptime", "Short Exposure: 0.5 s in all")
    assert first.lightcurve.bad_data == [first, second]
    rows = session.execute(sa.text("SELECT b.check FROM bad_data b ORDER BY b.id")).scalars().all()
    assert rows == ["linear", "exptime"]
    session.rollback()
    with hdf5.Writer(analysis := tmp_path / paths.analysis_file("DEMO", "RA000"), base=analysis) as writer:
        writer.write_table("bad_data", bad_data_table([], "DEMO"))
    assert _sync(engine, tmp_path).rows["bad_data"] == 0


def test_nan_is_null(engine, session, tmp_path):
    write_bin(tmp_path, ["a"], mag=None)
    _sync(engine, tmp_path)
    assert session.scalars(sa.select(Source.mag)).one() is None
    assert session.scalars(sa.select(Lightcurve.cadence)).one() is None
    assert session.scalars(sa.select(Injection.snr)).one() is None


def test_bins_whose_files_are_unchanged_are_not_opened(engine, tmp_path, monkeypatch):
    write_bin(tmp_path, ["a"])
    _sync(engine, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(groups, "read_bin", None)
        assert _sync(engine, tmp_path).rows["lightcurves"] == 1
    os.utime(tmp_path / paths.analysis_file("DEMO", "RA000"), ns=(1, 1))
    assert _sync(engine, tmp_path).skipped == ["RA000"]
    assert _names(engine, File.mtime_ns)[0] == 1
    write_bin(tmp_path, ["a"], flux=12.0)
    assert _sync(engine, tmp_path).synced == ["RA000"]


def test_other_code_of_the_sync_opens_all_bins(engine, tmp_path, monkeypatch):
    write_bin(tmp_path, ["a"])
    _sync(engine, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(groups, "read_bin", None)
        with pytest.raises(TypeError, match="not callable"):
            sync_project(engine, tmp_path, "DEMO", **sync_arguments(), code="new")


@pytest.mark.parametrize("file", [paths.reduced_file("DEMO", "DEMO", "RA000"), paths.analysis_file("DEMO", "RA000")])
def test_a_damaged_product_does_not_come_into_the_database(engine, session, tmp_path, file):
    write_bin(tmp_path, ["a"])
    damage(tmp_path / file)
    with pytest.raises(DamagedProductError, match="does not match the digest at its end"):
        _sync(engine, tmp_path)
    assert session.scalar(sa.select(sa.func.count()).select_from(Source)) == 0


def test_catalog_is_described_and_its_sources_are_counted(engine, session, tmp_path):
    write_bin(tmp_path, ["a", "b"])
    catalog = {"name": "mine.csv", "n_sources": 2, "n_renamed": 1, "left_out": {"mag < 18": 5, "select": 3}}
    sync_project(engine, tmp_path, "DEMO", **sync_arguments(), catalog=catalog)
    row = session.scalars(sa.select(Project)).one().catalog
    assert (row.name, row.n_rows, row.n_sources, row.n_renamed, row.left_out["mag < 18"]) == ("mine.csv", 10, 2, 1, 5)
    with pytest.raises(RuntimeError, match="sources of the catalog: 2 rows in the database, but 3 in the products"):
        sync_project(engine, tmp_path, "DEMO", **sync_arguments(), catalog=catalog | {"n_sources": 3})


def test_files_are_listed_with_size_and_sha256(engine, session, tmp_path):
    write_bin(tmp_path, ["a"], observatories=("DEMO", "ZTF"))
    raw = tmp_path / "DEMO/DEMO_photometry_RA000.h5"
    raw.write_bytes(b"raw")
    _sync(engine, tmp_path, observatories=("DEMO", "ZTF"))
    files = session.scalars(sa.select(File).order_by(File.path)).all()
    assert [(file.kind, file.obs) for file in files] == [
        *(("raw", "DEMO"), ("reduced", "DEMO"), ("analysis", ""), ("reduced", "ZTF")),
        *(("manifest", "DEMO"), ("manifest", "ZTF")),
    ]
    for file in files:
        content = (tmp_path / file.path).read_bytes()
        assert (file.size, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    made_by = {file.kind: (file.provenance_id, file.project_id is None) for file in files}
    assert made_by == {
        "raw": (None, True),
        "reduced": ("reduced0", False),
        "analysis": ("analysed0", False),
        "manifest": (None, False),
    }


def test_files_that_are_gone_are_no_rows(engine, tmp_path):
    for number, name in enumerate("ab"):
        write_bin(tmp_path, [name], bin_name=f"RA00{number}")
        (tmp_path / "DEMO" / f"DEMO_photometry_RA00{number}.h5").write_bytes(b"raw")
    _sync(engine, tmp_path, "RA000", "RA001")
    assert _count(engine, File) == 8
    (tmp_path / "DEMO/DEMO_photometry_RA000.h5").unlink()
    _sync(engine, tmp_path, "RA000", "RA001")
    assert _count(engine, File) == 7
    _sync(engine, tmp_path, "RA000")
    assert {Path(path).name for path in _names(engine, File.path)} == {
        *("DEMO_photometry_RA000.jsonl", "DEMO_photometry_RA000_reduced.h5", "RA000_analysis.h5")
    }


def test_raw_files_are_rows_while_a_project_uses_them_and_they_are_there(engine, tmp_path):
    for release in ("dr1", "dr2"):
        write_bin(tmp_path, ["a"], release=release)
        raw = _write_raw(tmp_path, release)
        _sync(engine, tmp_path)
        assert _raw_files(engine) == [f"DEMO/{release}/DEMO_photometry_RA000.h5"]
    raw.unlink()
    _sync(engine, tmp_path)
    assert _raw_files(engine) == []


def test_raw_files_stay_while_another_project_uses_them(engine, tmp_path):
    for folder in ("A", "B"):
        write_bin(tmp_path, ["s"], folder=folder)
        (tmp_path / "DEMO").mkdir(exist_ok=True)
        (tmp_path / "DEMO/DEMO_photometry_RA000.h5").write_bytes(b"raw")
        _sync(engine, tmp_path, folder=folder, project=folder.lower())
    for folder, left in (("A", 1), ("B", 0)):
        sync_project(engine, tmp_path, folder, **sync_arguments([], project=folder.lower()))
        assert sum(path.startswith("DEMO/") for path in _names(engine, File.path)) == left


def test_tags_follow_the_project_and_the_latest_sync(engine, tmp_path):
    other = [row | {"id": f"{row['id']}_b", "upstreams": []} for row in PROVENANCES]
    for project, provenances in (("a", PROVENANCES), ("b", other), ("b", other[:1])):
        arguments = sync_arguments([], project=project) | {"provenances": provenances}
        sync_project(engine, tmp_path, project.upper(), **arguments)
    with Session(engine) as session:
        tags = sa.select(ProvenanceTag.tag, ProvenanceTag.process, ProvenanceTag.provenance_id)
        assert session.execute(tags.order_by(ProvenanceTag.tag, ProvenanceTag.process)).all() == [
            ("a", "analyze", "analysed0"),
            ("a", "reduce", "reduced0"),
            ("b", "reduce", "reduced0_b"),
            ("default", "reduce", "reduced0_b"),
        ]


def test_tags_name_a_provenance_of_each_survey(engine, tmp_path):
    rows = [PROVENANCES[0] | {"id": obs, "parameters": {"observatory": obs}} for obs in ("DEMO", "ZTF")]
    sync_project(engine, tmp_path, "A", **sync_arguments([], project="a") | {"provenances": rows})
    with Session(engine) as session:
        named = session.scalars(sa.select(ProvenanceTag).where(ProvenanceTag.tag == "a").order_by(ProvenanceTag.obs))
        assert [(tag.obs, tag.provenance.id) for tag in named] == [("DEMO", "DEMO"), ("ZTF", "ZTF")]


def test_runs_of_jobs_are_rows(engine, session, tmp_path):
    write_bin(tmp_path, ["a"])
    folder = tmp_path / "DEMO" / "logs"
    (folder / "reduce").mkdir(parents=True)
    head = "2026-01-01 00:00:00,000 INFO vo_lib 1.2, Python 3.11.7, host node 7\n"
    done = "2026-01-01 00:00:01,000 INFO done in 1.50 s, 1.25 s of processor time, 60 MB of memory\n"
    (folder / "reduce" / "DEMO_RA000.log").write_text(head + done)
    (folder / "report.log").write_text(head + done.replace("1.50", "0.10"))
    (folder / "killed.log").write_text(head)
    for _ in range(2):
        _sync(engine, tmp_path)
    first, second = session.scalars(sa.select(Project)).one().runs
    assert (first.rule, first.job, first.version, first.host) == ("reduce", "DEMO_RA000", "1.2", "node 7")
    assert (first.s, first.cpu_time, first.max_rss) == (1.5, 1.25, 60)
    assert (second.rule, second.job, second.s) == ("report", "", 0.1)


def test_an_account_without_privileges_can_sync(empty_engine, tmp_path):
    with empty_engine.begin() as connection:
        connection.execute(sa.text("DROP ROLE IF EXISTS worker"))
        connection.execute(sa.text("CREATE ROLE worker LOGIN"))
        connection.execute(sa.text("ALTER SCHEMA public OWNER TO worker"))
    write_bin(tmp_path, ["a"])
    worker = make_engine(empty_engine.url.set(username="worker"))
    assert _sync(worker, tmp_path).rows["detections"] == 2
    worker.dispose()
    empty_engine.dispose()


KILLED = """
import os, signal, sys
from pathlib import Path
import sqlalchemy as sa
from database.products import sync_arguments
from vo_lib.database import groups
from vo_lib.database.session import make_engine
from vo_lib.database.sync import sync_project
groups.GROUP_ROWS = 1
start, left = sys.argv[3], int(sys.argv[4])
@sa.event.listens_for(sa.Engine, "before_cursor_execute")
def count(connection, cursor, statement, *_):
    global left
    left -= statement.startswith(start)
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
sync_project(make_engine(sys.argv[1]), Path(sys.argv[2]), "DEMO", **sync_arguments(["RA000", "RA001"]))
"""


def _rows(engine):
    """Rows of all tables without numbers and times, which depend on what was done before."""
    hidden = ("id", "created_at", "modified_at", "source_id", "lightcurve_id", "project_id")
    with engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            shown = [column for column in table.columns if column.name not in hidden or table.name == "provenances"]
            shown = [column for column in shown if column.name not in ("created_at", "modified_at")]
            yield table.name, sorted(map(repr, connection.execute(sa.select(*shown)).all()))


@pytest.mark.parametrize("server_url", ["embedded"], indirect=True)
def test_a_sync_that_is_killed_anywhere_and_run_again_gives_the_same_rows(engine, empty_engine, tmp_path):
    write_bin(tmp_path, ["a", "b"])
    write_bin(tmp_path, ["c"], bin_name="RA001")
    _sync(engine, tmp_path, "RA000", "RA001")
    url = empty_engine.url.render_as_string(hide_password=False)
    search = os.pathsep.join(map(str, [PACKAGE_ROOT, PACKAGE_ROOT / "tests"]))
    half, last = "CREATE TEMP TABLE bin_lightcurves", "DELETE FROM runs"
    for place in (("CREATE INDEX", "5"), (half, "1"), (half, "2"), (last, "1")):
        command = [sys.executable, "-c", KILLED, url, tmp_path, *place]
        killed = subprocess.run(command, env=os.environ | {"PYTHONPATH": search}, capture_output=True, check=False)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
    _sync(empty_engine, tmp_path, "RA000", "RA001")
    assert dict(_rows(empty_engine)) == dict(_rows(engine))


def test_small_bins_are_put_in_together(engine, tmp_path, monkeypatch):
    bins = ["RA000", "RA001", "RA002"]
    for number, name in enumerate(bins):
        write_bin(tmp_path, [f"s{number}"], bin_name=name)
    assert _sync(engine, tmp_path, *bins).synced == bins
    transactions = sa.text("SELECT count(DISTINCT CAST(xmin AS text)) FROM bins")
    with engine.begin() as connection:
        assert connection.scalar(transactions) == 1
        connection.execute(sa.delete(SyncedBin))
    monkeypatch.setattr(groups, "GROUP_ROWS", 1)
    _sync(engine, tmp_path, *bins)
    with engine.connect() as connection:
        assert connection.scalar(transactions) == 3


def test_a_sync_leaves_no_temporary_table_to_others_who_get_its_connection_from_a_pool(engine, tmp_path):
    write_bin(tmp_path, ["a", "b"])
    _sync(engine, tmp_path)
    with engine.connect() as connection:
        left = connection.scalars(sa.text("SELECT relname FROM pg_class WHERE relpersistence = 't' AND relkind = 'r'"))
        assert left.all() == []


def test_second_sync_changes_nothing(engine, tmp_path):
    write_bin(tmp_path, ["a", "b"])
    _sync(engine, tmp_path)
    before = _contents(engine)
    result = _sync(engine, tmp_path)
    assert (result.synced, result.skipped) == ([], ["RA000"])
    assert _contents(engine) == before


def test_rows_that_are_read_in_again_keep_their_numbers_and_times(engine, tmp_path):
    write_bin(tmp_path, ["a", "b"])
    _sync(engine, tmp_path)
    before = _contents(engine)
    with engine.begin() as connection:
        connection.execute(sa.update(SyncedBin).values(digest="older", state="older"))
    assert _sync(engine, tmp_path).synced == ["RA000"]
    after = _contents(engine)
    assert after.pop("bins")[0].digest == before.pop("bins")[0].digest
    assert after == before


def test_changed_bin_is_updated_and_others_are_skipped(engine, session, tmp_path):
    write_bin(tmp_path, ["a"])
    write_bin(tmp_path, ["b"], bin_name="RA001")
    _sync(engine, tmp_path, "RA000", "RA001")
    before = {curve.key: curve.id for curve in session.scalars(sa.select(Lightcurve))}
    session.rollback()
    write_bin(tmp_path, ["a"], flux=11.0)
    result = _sync(engine, tmp_path, "RA000", "RA001")
    assert (result.synced, result.skipped) == (["RA000"], ["RA001"])
    curves = session.scalars(
        sa.select(Lightcurve).order_by(Lightcurve.key).execution_options(populate_existing=True)
    ).all()
    assert [curve.flux_mean for curve in curves] == [11.0, 10.0]
    assert [curve.modified_at > curve.created_at for curve in curves] == [True, False]
    assert {curve.key: curve.id for curve in curves} == before


def test_rows_that_left_the_products_are_removed(engine, tmp_path):
    write_bin(tmp_path, ["a", "b"])
    _sync(engine, tmp_path)
    write_bin(tmp_path, ["a", "b"], detected=["a"])
    assert _sync(engine, tmp_path).rows["detections"] == 2
    write_bin(tmp_path, ["a"])
    _sync(engine, tmp_path)
    assert _names(engine) == _names(engine, RawPhotometry.source_name) == ["a"]
    assert _count(engine, Properties) == _count(engine, Lightcurve) == 1


def test_bin_without_lightcurves_and_detections(engine, tmp_path):
    write_bin(tmp_path, ["a"])
    with hdf5.Writer(tmp_path / paths.reduced_file("DEMO", "DEMO", "RA000")) as writer:
        writer.write_table("index", index_table([], "DEMO", 0.0))
        writer.write_json("metadata", {"provenance": "reduced0"})
    with hdf5.Writer(analysis := tmp_path / paths.analysis_file("DEMO", "RA000"), base=analysis) as writer:
        writer.write_table("detections", detection_table([], "DEMO"))
        for name in ("events", "injections"):
            writer.write(name, hdf5.open_file(analysis)[name][:0])
        writer.write_table("bad_data", bad_data_table([], "DEMO"))
    assert _sync(engine, tmp_path).rows["properties"] == 1
    assert _count(engine, Lightcurve) == _count(engine, Detection) == _count(engine, Injection) == 0


def test_removed_bin_is_removed(engine, tmp_path):
    write_bin(tmp_path, ["a"])
    write_bin(tmp_path, ["b"], bin_name="RA001")
    _sync(engine, tmp_path, "RA000", "RA001")
    result = _sync(engine, tmp_path, "RA001")
    assert (result.removed, result.skipped) == (["RA000"], ["RA001"])
    assert _names(engine) == _names(engine, RawPhotometry.source_name) == ["b"]
    assert _names(engine, SyncedBin.bin) == ["RA001"]


def test_source_that_moves_to_another_bin(engine, tmp_path):
    write_bin(tmp_path, ["a", "b"])
    write_bin(tmp_path, ["c"], bin_name="RA001")
    _sync(engine, tmp_path, "RA000", "RA001")
    write_bin(tmp_path, ["a"])
    write_bin(tmp_path, ["b", "c"], bin_name="RA001")
    for bins in (["RA000", "RA001"], ["RA001", "RA000"]):
        assert _sync(engine, tmp_path, *bins).rows["sources"] == 3
    with Session(engine) as session:
        moved = session.scalars(sa.select(Source).where(Source.name == "b")).one()
        assert (moved.bin, moved.lightcurves[0].filename) == ("RA001", "DEMO/DEMO_photometry_RA001_reduced.h5")
        assert moved.raw_photometry[0].filename == "DEMO/DEMO_photometry_RA001.h5"
    assert _names(engine, RawPhotometry.source_name) == ["a", "b", "c"]


def test_two_projects_share_raw_photometry(engine, tmp_path):
    for folder, names in (("A", ["a", "both"]), ("B", ["b", "both"])):
        write_bin(tmp_path, names, folder=folder)
        assert _sync(engine, tmp_path, folder=folder, project=folder.lower()).rows["raw_photometry"] == 2
    assert _count(engine, Source) == 4
    assert _names(engine, RawPhotometry.source_name) == ["a", "b", "both"]
    before = _contents(engine)
    assert _sync(engine, tmp_path, folder="A", project="a").skipped == ["RA000"]
    assert _contents(engine) == before
    write_bin(tmp_path, ["a"], folder="A")
    _sync(engine, tmp_path, folder="A", project="a")
    assert _names(engine, RawPhotometry.source_name) == ["a", "b", "both"]


def test_raw_photometry_goes_with_the_survey_that_a_project_left(engine, tmp_path):
    both = ("DEMO", "ZTF")
    write_bin(tmp_path, ["a", "both"], folder="A", observatories=both)
    write_bin(tmp_path, ["both"], folder="B")
    _sync(engine, tmp_path, folder="A", project="a", observatories=both)
    _sync(engine, tmp_path, folder="B", project="b")
    assert _names(engine, RawPhotometry.obs) == ["DEMO", "DEMO", "ZTF", "ZTF"]
    write_bin(tmp_path, ["a"], folder="A", observatories=both)
    _sync(engine, tmp_path, folder="A", project="a", observatories=both)
    assert _names(engine, RawPhotometry.obs) == ["DEMO", "DEMO", "ZTF"]
    write_bin(tmp_path, ["a"], folder="A")
    assert _sync(engine, tmp_path, folder="A", project="a").rows["raw_photometry"] == 1
    assert _names(engine, RawPhotometry.obs) == ["DEMO", "DEMO"]
    assert not [path for path in _names(engine, File.path) if "ZTF" in path]


def test_projects_with_different_data_releases_have_rows_of_their_own(engine, tmp_path):
    files = [paths.raw_file("DEMO", "RA000", release) for release in ("dr1", "dr2")]
    for folder, release in (("A", "dr1"), ("B", "dr2")):
        write_bin(tmp_path, ["a", "both"], folder=folder, release=release)
        _write_raw(tmp_path, release)
        assert _sync(engine, tmp_path, folder=folder, project=folder.lower()).rows["raw_photometry"] == 2
    assert _names(engine, RawPhotometry.filename) == [files[0]] * 2 + [files[1]] * 2
    assert _sync(engine, tmp_path, folder="A", project="a").rows["raw_photometry"] == 2
    with Session(engine) as session:
        for source in session.scalars(sa.select(Source)):
            (raw,) = source.raw_photometry
            assert (raw.filename, raw.sources) == (files[source.project.folder == "B"], [source])
    with engine.begin() as connection:
        sync_group.remove_project(connection, "A")
    assert _names(engine, RawPhotometry.filename) == [files[1]] * 2
    assert _raw_files(engine) == files[1:]


def test_rows_of_a_data_release_stay_only_for_the_projects_that_have_it(engine, tmp_path):
    for folder in ("A", "B"):
        write_bin(tmp_path, ["only " + folder, "both"], folder=folder, release="dr1")
        _sync(engine, tmp_path, folder=folder, project=folder.lower())
    write_bin(tmp_path, ["only A", "both"], folder="A", release="dr2")
    assert _sync(engine, tmp_path, folder="A", project="a").rows["raw_photometry"] == 2
    with Session(engine) as session:
        rows = session.execute(sa.select(RawPhotometry.filename, RawPhotometry.source_name)).all()
    assert sorted((Path(file).parent.name, name) for file, name in rows) == [
        ("dr1", "both"),
        ("dr1", "only B"),
        ("dr2", "both"),
        ("dr2", "only A"),
    ]


def test_a_name_at_two_places_in_two_bins_is_an_error(engine, tmp_path):
    write_bin(tmp_path, ["x"], folder="A")
    _sync(engine, tmp_path, folder="A", project="a")
    write_bin(tmp_path, ["y", "x"], folder="B", bin_name="RA001")
    with pytest.raises(UserError, match="the source 'x' .* in another project of this database; rename one of them"):
        _sync(engine, tmp_path, "RA001", folder="B", project="b")
    assert _names(engine, RawPhotometry.source_name) == ["x"]
    _sync(engine, tmp_path, "RA001", folder="B", project="a")


def test_versions_of_a_project_are_kept_apart(engine, tmp_path):
    for folder in ("DEMO_1", "DEMO_2"):
        write_bin(tmp_path, ["a"], folder=folder)
        _sync(engine, tmp_path, folder=folder)
    assert _names(engine, Project.name) == ["demo", "demo"]


def test_nasty_names_survive(engine, tmp_path):
    names = NASTY[1:]
    write_bin(tmp_path, names)
    _sync(engine, tmp_path)
    with Session(engine) as session:
        found = session.scalars(sa.select(Source).order_by(Source.id)).all()
        assert [source.name for source in found] == names
        assert [len(source.lightcurves) for source in found] == [1] * len(names)
        assert [source.raw_photometry[0].source_name for source in found] == names


def test_texts_survive_copy(engine):
    numbered = np.arange(len(NASTY)).astype(str)
    parameters = np.array([json.dumps({"text": text}) for text in NASTY])
    empty = np.full(len(NASTY), "[]")
    table = {"id": numbered, "process": numbered, "code": np.array(NASTY), "parameters": parameters, "upstreams": empty}
    with engine.begin() as connection:
        upsert.upsert(connection, Provenance, upsert.encode(Provenance, table))
        rows = connection.execute(sa.select(Provenance.id, Provenance.code, Provenance.parameters)).all()
    assert {int(row.id): row.code for row in rows} == dict(enumerate(NASTY))
    assert all(row.parameters == {"text": row.code} for row in rows)


def test_numbers_survive_copy(engine):
    reals = np.array([-0.0, 5e-324, 1.7976931348623157e308, np.inf, -np.inf, 0.1, 1 / 3, 1e22, np.nan])
    rows = upsert.copy_bytes([(sa.BigInteger(), np.arange(len(reals))), (sa.Double(), reals)])
    with engine.begin() as connection, connection.connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE numbers (number bigint, real float8)")
        cursor.copy_expert("COPY numbers FROM STDIN (FORMAT binary)", io.BytesIO(rows))
        cursor.execute("SELECT real FROM numbers ORDER BY number")
        stored = [row[0] for row in cursor.fetchall()]
    assert list(map(repr, stored)) == [*map(repr, reals[:-1].tolist()), "None"]


def test_failure_in_the_middle_keeps_the_old_rows(engine, tmp_path, monkeypatch):
    write_bin(tmp_path, ["a", "b"])
    _sync(engine, tmp_path)
    before = _contents(engine)
    write_bin(tmp_path, ["a", "c"], flux=11.0)

    def fail(*_):
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(sync_group, "_check_bins", fail)
        with pytest.raises(ZeroDivisionError):
            _sync(engine, tmp_path)
    assert _contents(engine) == before
    assert _sync(engine, tmp_path).synced == ["RA000"]
    assert _names(engine) == ["a", "c"]


def test_bins_before_a_failure_are_kept(engine, tmp_path):
    write_bin(tmp_path, ["a"])
    with pytest.raises(UserError, match=r"RA001\.jsonl: no such manifest"):
        _sync(engine, tmp_path, "RA000", "RA001")
    write_bin(tmp_path, ["b"], bin_name="RA001")
    result = _sync(engine, tmp_path, "RA000", "RA001")
    assert (result.synced, result.skipped) == (["RA001"], ["RA000"])


def test_rows_that_do_not_add_up_are_an_error_and_read_in_anew(engine, tmp_path):
    write_bin(tmp_path, ["a", "b"])
    _sync(engine, tmp_path)
    with engine.begin() as connection:
        connection.execute(sa.delete(Detection))
    with pytest.raises(RuntimeError, match="detections: 0 rows in the database, but 4 in the products; run again"):
        _sync(engine, tmp_path)
    assert _sync(engine, tmp_path).rows["detections"] == 4


def test_source_without_properties_is_an_error(engine, tmp_path):
    write_bin(tmp_path, ["a"])
    shutil.copy(tmp_path / paths.analysis_file("DEMO", "RA000"), tmp_path / "kept.h5")
    write_bin(tmp_path, ["a", "b"])
    shutil.copy(tmp_path / "kept.h5", tmp_path / paths.analysis_file("DEMO", "RA000"))
    with pytest.raises(RuntimeError, match="'properties' needs a row for each source of the bin"):
        _sync(engine, tmp_path)


def test_detection_in_an_unknown_lightcurve_is_an_error(engine, tmp_path):
    write_bin(tmp_path, ["a"])
    with hdf5.Writer(analysis := tmp_path / paths.analysis_file("DEMO", "RA000"), base=analysis) as writer:
        writer.write_table("detections", detection_table(["a"], "ZTF"))
    with pytest.raises(RuntimeError, match="bin RA000, detections: 0 rows in the database, but 2 in the products"):
        _sync(engine, tmp_path)
    assert _count(engine, Source) == 0


def test_observatories_with_different_sources_are_an_error(engine, tmp_path):
    write_bin(tmp_path, ["a"], observatories=("DEMO",))
    write_bin(tmp_path, ["a", "b"], observatories=("ZTF",))
    with pytest.raises(RuntimeError, match="the manifest of ZTF has other sources than that of DEMO"):
        _sync(engine, tmp_path, observatories=("DEMO", "ZTF"))


def test_product_of_another_provenance_is_an_error(engine, tmp_path):
    write_bin(tmp_path, ["a"])
    arguments = sync_arguments() | {"provenances": []}
    with pytest.raises(StaleProductError, match=r"_reduced\.h5: was made by other code or parameters \(reduced0\)"):
        sync_project(engine, tmp_path, "DEMO", **arguments)


def _write_histogram(root, name, values, provenance="analysed0"):
    histogram = Histogram(name, [Axis("snr", np.array([0.0, 1.0, 2.5]), unit="1"), Axis("filter", labels=("g", "r"))])
    histogram.fill(snr=np.array(values), filter=np.array(["g"] * len(values)))
    write_histograms(root / paths.histograms_file("DEMO", name), [histogram], {"provenance": provenance})


def test_histograms_are_described_and_follow_the_files(engine, tmp_path):
    write_bin(tmp_path, ["a"])
    for names, values in ((["first", "second"], [0.5, np.nan]), (["second"], [0.5, 1.5, 99.0])):
        for name in names:
            _write_histogram(tmp_path, name, values)
        rows = sync_project(engine, tmp_path, "DEMO", **sync_arguments() | {"histograms": names}).rows
        assert rows["histograms"] == len(names)
    with Session(engine) as session:
        row = session.scalars(sa.select(models.Histogram)).one()
        assert (row.name, row.total, row.filename) == ("second", 3, "DEMO/histograms_second.nc")
        assert [axis["name"] for axis in row.axes] == ["snr", "filter"]
        assert (row.axes[0]["edges"], row.axes[1]["labels"]) == ([0.0, 1.0, 2.5], ["g", "r"])


@pytest.mark.parametrize(
    ("name", "provenance", "message"),
    [
        ("first", "older", r"_first\.nc: was made by other code"),
        ("second", "analysed0", r"_first\.nc: has no histogram 'first'"),
    ],
)
def test_wrong_histogram_file_is_an_error(engine, tmp_path, name, provenance, message):
    write_bin(tmp_path, ["a"])
    _write_histogram(tmp_path, name, [0.5], provenance)
    (tmp_path / paths.histograms_file("DEMO", name)).rename(tmp_path / paths.histograms_file("DEMO", "first"))
    with pytest.raises(UserError, match=message):
        sync_project(engine, tmp_path, "DEMO", **sync_arguments() | {"histograms": ["first"]})


def test_product_without_a_column_is_an_error(engine, tmp_path):
    write_bin(tmp_path, ["a"])
    table = detection_table(["a"], "DEMO")
    del table["score"]
    with hdf5.Writer(analysis := tmp_path / paths.analysis_file("DEMO", "RA000"), base=analysis) as writer:
        writer.write_table("detections", table)
    with pytest.raises(UserError, match="no product has the column 'score' of detections"):
        _sync(engine, tmp_path)


@pytest.fixture
def parameters(server_url, tmp_path, monkeypatch):
    """Parameters of the script, which runs in a data root with one bin."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VO_DATABASE_URL", server_url.render_as_string())
    write_bin(tmp_path, ["a", "b"])
    return sync_arguments() | {"database": "host:5432/db"}


@pytest.mark.usefixtures("engine")
def test_script_writes_a_receipt(parameters):
    for synced, skipped in ((["RA000"], []), ([], ["RA000"])):
        sync_database.main("DEMO", "DEMO/database.json", params=parameters)
        receipt = json.loads(Path("DEMO/database.json").read_text())
        assert receipt["rows"]["sources"] == 2
        assert receipt["bins"] == {"synced": synced, "skipped": skipped, "removed": []}
    assert receipt["database"]["identity"].startswith("postgresql+psycopg2://postgres@")
    assert int(receipt["database"]["server_version"].split(".")[0]) >= 14


def test_script_needs_the_url_of_a_named_server(parameters, monkeypatch):
    monkeypatch.delenv("VO_DATABASE_URL")
    with pytest.raises(ConfigError, match=r"database is host:5432/db, but its URL is not known; set VO_DATABASE_URL"):
        sync_database.main("DEMO", "DEMO/database.json", params=parameters)


def test_failed_sync_leaves_the_old_receipt(parameters, engine):
    Path("DEMO/database.json").write_text("old")
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE sources ADD CONSTRAINT none CHECK (name <> 'b')"))
    with pytest.raises(ServiceError, match='violates check constraint "none"; fix that and run again') as caught:
        sync_database.main("DEMO", "DEMO/database.json", params=parameters)
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE sources DROP CONSTRAINT none"))
    assert "\n" not in str(caught.value)
    assert Path("DEMO/database.json").read_text() == "old"


def test_command_line_uses_the_embedded_server(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VO_DATABASE_URL", raising=False)
    write_bin(tmp_path, ["a", "b"])
    script = Path(sync_database.__file__)
    params = json.dumps(sync_arguments() | {"database": "embedded"})
    command = [
        sys.executable,
        "-W",
        "error",
        script,
        "DEMO",
        "DEMO/database.json",
        "--params",
        params,
        "--log",
        "a.log",
    ]
    search = [str(script.parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(search)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    receipt = json.loads(Path("DEMO/database.json").read_text())
    assert receipt["database"]["identity"] == "embedded"
    assert not (tmp_path / "database" / "postgres" / "postmaster.pid").exists()
