"""Revisions of the tables."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from alembic.operations import ops
from alembic.script import ScriptDirectory
from database.products import sync_arguments, write_bin
from sqlalchemy.orm import Session

from vo_lib.clean import remove_rows
from vo_lib.database import revise, schema
from vo_lib.database.admin import reset
from vo_lib.database.find import find_sources
from vo_lib.database.models import Detection, File, Provenance, Source, SyncedBin
from vo_lib.database.schema import MIGRATIONS, newest_revision, stored_revision, upgrade
from vo_lib.database.sync import sync_project
from vo_lib.database.tags import mark_bad
from vo_lib.errors import UserError
from vo_lib.storage.provenance_lookup import list_tags

BASELINE = Path(__file__).with_name("baseline.sql")


@pytest.fixture
def old_engine(empty_engine):
    """A database of the first revision with two bins of a project, as it was written by the code of that time."""
    upgrade(empty_engine, "0001")
    with empty_engine.begin() as connection:
        lines = BASELINE.read_text(encoding="utf-8").splitlines()
        for line in lines:
            if "alembic_version" not in line:
                connection.exec_driver_sql(line.replace("%", "%%"))
    return empty_engine


@pytest.fixture(autouse=True)
def _new_revisions_are_written_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(revise, "MIGRATIONS", tmp_path)


def test_the_newest_revision_is_what_the_models_say(empty_engine):
    assert revise.write_revision(empty_engine, "nothing") is None


def test_the_revisions_are_one_line_to_the_newest():
    script = ScriptDirectory(MIGRATIONS)
    assert [revision.revision for revision in script.walk_revisions()][::-1] == schema.known_revisions()
    assert script.get_heads() == [newest_revision()]


def test_an_old_dump_is_migrated_and_keeps_its_rows(old_engine):
    with old_engine.connect() as connection:
        assert stored_revision(connection) == "0001"
    upgrade(old_engine)
    with Session(old_engine) as session:
        assert session.scalar(sa.text("SELECT version_num FROM alembic_version")) == newest_revision()
        assert session.scalars(sa.select(Source.name).order_by(Source.id)).all() == ["a", "b", "c"]
        assert session.scalar(sa.select(sa.func.count(Detection.id))) == 6
        assert session.get(Provenance, "analysed0").upstreams == ["reduced0"]
        assert session.scalar(sa.text("SELECT count(*) FROM detections_real WHERE source = 'c'")) == 1
        assert session.scalars(sa.select(SyncedBin.state)).all() == ["", ""]


def test_a_migrated_database_is_brought_in_step_by_the_next_sync(old_engine, tmp_path):
    write_bin(tmp_path, ["a", "b"])
    write_bin(tmp_path, ["c"], bin_name="RA001")
    result = sync_project(old_engine, tmp_path, "DEMO", **sync_arguments(["RA000", "RA001"]))
    assert result.synced == ["RA000", "RA001"]
    with Session(old_engine) as session:
        assert session.scalars(sa.select(Source.id).order_by(Source.id)).all() == [1, 2, 3]


def test_raw_photometry_stays_with_its_projects_when_data_releases_get_rows_of_their_own(empty_engine):
    upgrade(empty_engine, "0005")
    rows = """
    INSERT INTO projects (name, folder) VALUES ('a', 'A'), ('b', 'B');
    INSERT INTO sources (project_id, name, bin, mag_filter) SELECT id, name, 'RA000', '' FROM projects;
    INSERT INTO files (project_id, path, kind, obs, bin, size, mtime_ns, sha256)
        SELECT id, folder, 'manifest', 'ZTF', 'RA000', 1, 1, '' FROM projects
        UNION ALL SELECT NULL, 'dr' || i, 'raw', 'ZTF', 'RA000', 1, 1, '' FROM generate_series(1, 3) i;
    INSERT INTO raw_photometry (obs, source_name, status, n_rows, digest, reason, filename, key)
        VALUES ('ZTF', 'a', 'ok', 1, '', '', 'dr1', 'a'), ('ZTF', 'b', 'failed', 1, '', '', 'dr2', 'b')
    """
    with empty_engine.begin() as connection:
        connection.execute(sa.text(rows))
    upgrade(empty_engine)
    with Session(empty_engine) as session:
        sources = session.scalars(sa.select(Source).order_by(Source.name)).all()
        assert [[raw.filename for raw in source.raw_photometry] for source in sources] == [["dr1"], ["dr2"]]
        assert session.execute(sa.text("SELECT project, n_failed FROM source_summary ORDER BY project")).all() == [
            ("a", 0),
            ("b", 1),
        ]
        files = session.execute(sa.select(File.path, File.raw_file).order_by(File.path)).all()
    assert files == [("A", "dr1"), ("B", "dr2"), ("dr1", ""), ("dr2", "")]


def test_the_newest_revision_needs_no_alembic(engine, monkeypatch):
    monkeypatch.setitem(sys.modules, "alembic", None)
    upgrade(engine)
    with engine.connect() as connection:
        assert stored_revision(connection) == newest_revision()


def test_tables_without_a_revision_are_refused_until_they_are_reset(old_engine):
    with old_engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE alembic_version"))
    with pytest.raises(UserError, match="of a version without migrations; run `vo db reset --yes` and then snakemake"):
        upgrade(old_engine)
    reset(old_engine)
    upgrade(old_engine)


@pytest.mark.parametrize("table", ["alembic_version", "lightcurves", "sources", "files"])
def test_tables_of_another_program_are_neither_changed_nor_dropped(empty_engine, table):
    with empty_engine.begin() as connection:
        connection.execute(sa.text(f"CREATE TABLE {table} AS SELECT '0001' AS version_num"))
    message = f"has (tables|a table) of another program .*{table}.*; give this project a database of its own"
    for change in (upgrade, reset):
        with pytest.raises(UserError, match=message):
            change(empty_engine)
    with empty_engine.connect() as connection:
        assert sa.inspect(connection).get_table_names() == [table]


def test_tables_of_a_newer_version_are_refused(old_engine):
    with old_engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UserError, match="of revision 9999, but this version of vo_lib knows .*update vo_lib"):
        upgrade(old_engine)


@pytest.mark.parametrize("change", [upgrade, reset])
def test_tables_that_a_notebook_still_reads_are_not_waited_for_without_end(old_engine, monkeypatch, change):
    monkeypatch.setattr(schema, "READERS_S", 0.05)
    with Session(old_engine) as notebook:
        notebook.execute(sa.text("SELECT FROM raw_photometry"))
        with pytest.raises(UserError, match="still in use, perhaps by a notebook with an open session; close it and"):
            change(old_engine)
        assert stored_revision(notebook.connection()) == "0001"
    change(old_engine)


def test_tables_of_an_older_version_are_named_to_who_reads_them(old_engine):
    plan = SimpleNamespace(database_url=old_engine.url.render_as_string(hide_password=False), data_root=None)
    plan.folder = "DEMO"
    message = f"of revision 0001, older than .* next run upgrades them to revision {newest_revision()}"
    for ask in (lambda: list_tags(plan), lambda: remove_rows(plan)):
        with pytest.raises(UserError, match=message):
            ask()
    with Session(old_engine, info={"data_root": Path()}) as session:
        for ask in (lambda: find_sources(session, project="demo"), lambda: mark_bad(session, "analysed0", "clouds")):
            with pytest.raises(UserError, match=message):
                ask()


def test_tables_that_are_not_of_their_revision_are_named_until_they_are_reset(old_engine):
    with old_engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0003'"))
    with pytest.raises(UserError, match=r"not those of revision 0003 \(view .* does not exist\), .*vo db reset --yes"):
        upgrade(old_engine)
    reset(old_engine)
    upgrade(old_engine)


def test_a_migration_that_fails_leaves_the_tables_as_they_were(old_engine):
    with old_engine.begin() as connection:
        connection.execute(sa.text("CREATE VIEW what_is_bad AS SELECT 1"))
    message = r'not those of revision 0001 \(relation "what_is_bad" already exists\), .*; run `vo db reset --yes`'
    with pytest.raises(UserError, match=message):
        upgrade(old_engine)
    with old_engine.connect() as connection:
        assert stored_revision(connection) == "0001"
        assert not sa.inspect(connection).has_table("runs")


def test_a_revision_says_what_is_different(empty_engine, tmp_path):
    upgrade(empty_engine)
    changes = [
        "ALTER TABLE raw_photometry DROP CONSTRAINT ck_raw_photometry_status",
        "DROP VIEW detections_real",
        "DROP VIEW detections_vetted",
        "ALTER TABLE detections DROP COLUMN score",
        "COMMENT ON COLUMN sources.name IS 'older'",
    ]
    with empty_engine.begin() as connection:
        for change in changes:
            connection.execute(sa.text(change))
    path = revise.write_revision(empty_engine, "score of detections")
    number = f"{int(newest_revision()) + 1:04d}"
    assert path == tmp_path / "versions" / f"{number}_score_of_detections.py"
    text = path.read_text()
    assert f'down_revision = "{newest_revision()}"'.replace('"', "'") in text
    for words in ("ADD CONSTRAINT ck_raw_photometry_status", "comment='name in the catalog'", "'score'", '"DROP VIEW'):
        assert words in text
    assert text.index('op.execute("DROP VIEW detections_real")') < text.index("op.add_column")
    assert text.rindex('op.execute(VIEWS["detections_real"])') > text.index("op.add_column")


@pytest.mark.parametrize(("kind", "filler"), [(sa.Text(), "''"), (sa.BigInteger(), "0"), (sa.Boolean(), "false")])
def test_a_new_column_has_a_value_for_rows_that_are_there(kind, filler):
    column = sa.Column("new", kind, nullable=False)
    found = revise._filled(ops.UpgradeOps([ops.ModifyTableOps("sources", [ops.AddColumnOp("sources", column)])]))
    added, settled = found.ops[0].ops
    assert (str(added.column.server_default.arg), added.column.nullable) == (filler, False)
    assert (settled.column_name, settled.modify_server_default) == ("new", None)
