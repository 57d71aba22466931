"""The state of a database, backups, readers, a new beginning; and the verb ``db``."""

import json
import os
import re
import subprocess
import sys
from contextlib import suppress

import pytest
import sqlalchemy as sa
from database.products import sync_arguments, write_bin
from workspace import Workspace

from vo_lib.database.admin import back_up, describe, grant_reading, reset, restore, run_program
from vo_lib.database.programs import find_program
from vo_lib.database.schema import NO_TABLES, newest_revision, stored_revision, upgrade
from vo_lib.database.session import Session, make_engine, open_session
from vo_lib.database.sync import sync_project
from vo_lib.errors import ServiceError, UserError
from vo_lib.verbs.db import _status_lines


@pytest.fixture(autouse=True)
def _no_url_in_the_environment(monkeypatch):
    monkeypatch.delenv("VO_DATABASE_URL", raising=False)


@pytest.fixture
def filled(empty_engine, tmp_path):
    """A database of its own with two sources."""
    write_bin(tmp_path, ["a", "b"])
    sync_project(empty_engine, tmp_path, "DEMO", **sync_arguments())
    return empty_engine


def _count(engine, table="sources"):
    with engine.connect() as connection:
        return connection.scalar(sa.text(f"SELECT count(*) FROM {table}"))


def test_a_database_is_described(filled):
    found = describe(filled)
    assert found["revision"] == found["newest"] == newest_revision()
    (project,) = found["projects"]
    assert (project["name"], project["folder"], project["bins"], project["sources"]) == ("demo", "DEMO", 1, 2)
    reset(filled)
    assert (describe(filled)["revision"], describe(filled)["projects"]) == (None, [])


def test_a_database_of_an_older_version_is_not_said_to_be_empty(empty_engine):
    upgrade(empty_engine, "0001")
    *_, line = _status_lines({"database": "embedded", "server": {}} | describe(empty_engine))
    assert line.endswith(f"the next run of snakemake upgrades it to revision {newest_revision()}")


def test_a_backup_brings_everything_back(filled, tmp_path):
    back_up(filled.url, tmp_path / "kept.dump")
    for loss in ("DELETE FROM sources", "DROP TABLE sources CASCADE"):
        with filled.begin() as connection:
            connection.execute(sa.text(loss))
        restore(filled, tmp_path / "kept.dump")
        assert (_count(filled), _count(filled, "detections_real")) == (2, 2)
        with filled.connect() as connection:  # what plans of queries follow
            assert connection.scalar(sa.text("SELECT n_distinct FROM pg_stats WHERE attname = 'source_name'")) == -1
    write_bin(tmp_path, ["a", "b", "c"])
    assert sync_project(filled, tmp_path, "DEMO", **sync_arguments()).rows["detections"] == 6


@pytest.fixture
def schema_engine(empty_engine):
    """An engine whose tables are in a schema of their own, while those of others in public have the same names."""
    with empty_engine.begin() as connection:
        connection.execute(sa.text("CREATE SCHEMA mine; CREATE TABLE public.files (theirs int)"))
    engine = make_engine(empty_engine.url.update_query_dict({"options": "-csearch_path=mine"}))
    yield engine
    engine.dispose()


def test_tables_in_another_schema_are_backed_up_and_granted(schema_engine, tmp_path):
    write_bin(tmp_path, ["a", "b"])
    sync_project(schema_engine, tmp_path, "DEMO", **sync_arguments())
    grant_reading(schema_engine.url, "reader of a schema")
    reader = make_engine(schema_engine.url.set(username="reader of a schema"))
    assert _count(reader, "source_summary") == 2
    reader.dispose()
    back_up(schema_engine.url, tmp_path / "kept.dump")
    restore(schema_engine, tmp_path / "kept.dump")
    assert (_count(schema_engine), _count(schema_engine, "public.files")) == (2, 0)


def test_a_reader_whom_the_owner_of_the_schema_keeps_out_is_an_error(schema_engine):
    with schema_engine.begin() as connection:
        connection.execute(
            sa.text("CREATE ROLE kept_out; CREATE ROLE guest LOGIN; GRANT CREATE ON SCHEMA mine TO guest")
        )
        connection.execute(sa.text("GRANT USAGE ON SCHEMA mine TO guest"))
    try:
        with pytest.raises(ServiceError, match="the owner of the schema must grant USAGE on it"):
            grant_reading(schema_engine.url.set(username="guest"), "kept_out")
    finally:
        with schema_engine.begin() as connection:
            connection.execute(sa.text("DROP OWNED BY guest; DROP ROLE guest; DROP ROLE kept_out"))


def test_what_is_no_backup_changes_nothing(filled, tmp_path):
    (tmp_path / "wrong.dump").write_text("no dump")
    with pytest.raises(ServiceError, match=r"wrong\.dump: is not a backup"):
        restore(filled, tmp_path / "wrong.dump")
    with pytest.raises(UserError, match=r"none\.dump: no such backup"):
        restore(filled, tmp_path / "none.dump")
    assert _count(filled) == 2


def test_a_failed_backup_keeps_the_old_one(filled, tmp_path):
    (tmp_path / "kept.dump").write_text("old")
    with pytest.raises(ServiceError, match='pg_dump: .*database "none" does not exist'):
        back_up(filled.url.set(database="none"), tmp_path / "kept.dump")
    assert (tmp_path / "kept.dump").read_text() == "old"
    assert len(list(tmp_path.glob("*kept*"))) == 1


def test_readers_read_all_and_change_nothing(filled):
    for _ in range(2):
        grant_reading(filled.url, 'a "reader"')
    reader = make_engine(filled.url.set(username='a "reader"'))
    assert _count(reader, "source_summary") == 2
    for change in (
        "DELETE FROM sources",
        "UPDATE bins SET bin = ''",
        "CREATE TABLE mine (a int)",
        "DROP VIEW what_is_bad",
    ):
        with reader.connect() as connection, pytest.raises(sa.exc.ProgrammingError, match="permission denied|owner"):
            connection.execute(sa.text(change))
    reader.dispose()


def test_the_password_is_in_no_command(monkeypatch, server_url):
    calls = []
    monkeypatch.setattr(subprocess, "run", lambda *words, **options: calls.append((words, options)))
    with pytest.raises(AttributeError, match="returncode"):
        run_program("psql", server_url.set(password="s3cret"))
    ((words, options),) = calls
    assert "s3cret" not in str(words)
    assert options["env"]["PGPASSWORD"] == "s3cret"


# Verb


@pytest.fixture
def workspace(tmp_path_factory):
    made = Workspace(tmp_path_factory.mktemp("db"))  # a short path: that of a socket has at most 107 bytes
    made.save()
    return made


@pytest.fixture
def project(workspace):
    """A workspace whose server stays, with two sources and the receipt of a sync."""
    assert workspace.vo("db", "start") == 0
    write_bin(workspace.data_root, ["a", "b"])
    with open_session(data_root=workspace.data_root) as session:
        sync_project(session.get_bind(), workspace.data_root, "DEMO", **sync_arguments())
    receipt = workspace.data_root / "DEMO" / "database.json"
    receipt.write_text(json.dumps({"database": {"identity": "embedded"}}))
    yield workspace
    workspace.vo("db", "stop")


def test_status_makes_nothing(workspace, capsys):
    assert workspace.vo("db", "status") == 0
    assert "not created yet" in capsys.readouterr().out
    assert not workspace.data_root.exists()


def test_only_a_sync_and_start_make_a_database(workspace, capsys):
    for words in (("shell", "-c", "SELECT 1"), ("backup", "kept.dump"), ("reset", "--yes"), ("grant", "astronomer")):
        assert workspace.vo("db", *words) == 1
        assert re.fullmatch(r"vo db: there is no database in \S+ yet; run snakemake .*\n", capsys.readouterr().err)
    for make in (Session, lambda data_root: open_session(data_root=data_root).__enter__()):
        with pytest.raises(UserError, match="there is no database in .* yet"):
            make(data_root=workspace.data_root)
    assert not workspace.data_root.exists()


def test_a_database_without_tables_is_said_to_be_one_and_what_to_do(workspace, capsys):
    assert workspace.vo("db", "start") == 0
    capsys.readouterr()
    try:
        for words in (
            ("db", "backup", "kept.dump"),
            ("find", "sources"),
            ("provenance", "mark-bad", "reduce", "--comment", "x"),
            ("tags",),
            ("verify", "--database"),
        ):
            assert workspace.vo(*words) == 1
            assert capsys.readouterr().err.endswith(f": {NO_TABLES}\n")
    finally:
        workspace.vo("db", "stop")


def test_a_started_server_serves_others_until_it_is_stopped(project, capsys):
    capsys.readouterr()
    assert project.vo("db", "url") == 0
    url = capsys.readouterr().out.strip()
    query = [find_program("psql"), url, "-Atc", "SELECT count(*) FROM sources"]
    assert subprocess.run(query, capture_output=True, text=True, check=True).stdout == "2\n"
    assert project.vo("db", "status", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["database"], found["server"]["runs"], found["projects"][0]["sources"]) == ("embedded", True, 2)
    assert project.vo("db", "stop") == 0
    assert not (project.data_root / "database" / "postgres" / "postmaster.pid").exists()
    assert project.vo("db", "url") == 1
    assert "run vo db start first" in capsys.readouterr().err


def test_a_stopped_server_runs_as_long_as_it_is_used(project, capsys):
    with open_session(data_root=project.data_root) as session:
        assert project.vo("db", "stop") == 0
        assert session.scalar(sa.text("SELECT 1")) == 1
    assert "stops when its last user disconnects" in capsys.readouterr().out
    assert not (project.data_root / "database" / "postgres" / "postmaster.pid").exists()


def test_shell_backup_reset_and_restore(project, capfd):
    backup, receipt = str(project.folder / "kept.dump"), project.data_root / "DEMO" / "database.json"
    assert project.vo("db", "shell", "--csv", "-c", "SELECT name FROM source_summary ORDER BY name") == 0
    assert capfd.readouterr().out == "name\na\nb\n"
    assert project.vo("db", "shell", "-c", "SELECT nothing") == 1
    assert project.vo("db", "backup", backup) == 0
    assert project.vo("db", "reset") == 0
    assert "this would drop the rows of all projects in embedded; add --yes" in capfd.readouterr().out
    assert receipt.exists()
    assert project.vo("db", "reset", "--yes") == 0
    assert not receipt.exists()
    assert project.vo("db", "restore", backup, "--yes") == 0
    assert project.vo("db", "grant", "astronomer") == 0
    assert project.vo("db", "grant", " ") == 1
    assert capfd.readouterr().err.splitlines()[-1] == "vo db: the role has no name; give one, such as astronomer"
    assert project.vo("db", "shell", "--csv", "-c", "SET ROLE astronomer; SELECT count(*) FROM sources") == 0
    assert capfd.readouterr().out.splitlines()[-1] == "2"


def test_a_restore_that_ends_in_between_leaves_no_receipt_of_rows_that_are_gone(project, monkeypatch):
    backup, receipt = str(project.folder / "kept.dump"), project.data_root / "DEMO" / "database.json"
    assert project.vo("db", "backup", backup) == 0
    assert receipt.exists()
    monkeypatch.setattr("vo_lib.database.admin.find_program", {"pg_restore": find_program("pg_restore")}.__getitem__)
    with suppress(KeyError):
        project.vo("db", "restore", backup, "--yes")
    with open_session(data_root=project.data_root) as session:
        assert stored_revision(session.connection()) is None
    assert not receipt.exists()


def test_a_server_of_others_is_not_started_and_its_password_not_shown(workspace, monkeypatch, capsys):
    monkeypatch.setenv("VO_DATABASE_URL", "postgresql://me:s3cret@host:5432/name")
    assert workspace.vo("db", "url") == 0
    assert capsys.readouterr().out == "postgresql://me:***@host:5432/name\n"
    for action in ("start", "stop"):
        assert workspace.vo("db", action) == 1
        assert "the database is host:5432/name, not the project's own" in capsys.readouterr().err


def test_an_account_without_rights_is_told_in_one_line(workspace, monkeypatch, empty_engine, tmp_path, capsys):
    write_bin(workspace.data_root, ["a", "b"])
    sync_project(empty_engine, workspace.data_root, "DEMO", **sync_arguments())
    with empty_engine.begin() as connection:
        connection.execute(sa.text("DROP ROLE IF EXISTS stranger; CREATE ROLE stranger LOGIN"))
    monkeypatch.setenv("VO_DATABASE_URL", str(empty_engine.url.set(username="stranger")))
    for words in (("db", "status"), ("db", "reset", "--yes"), ("find", "sources"), ("tags",)):
        assert workspace.vo(*words) == 1
        line = r"vo \w+: postgresql\S+: (permission denied for|must be owner of) table \w+; fix that and run again\n"
        assert re.fullmatch(line, capsys.readouterr().err)


def test_a_reset_by_another_account_removes_the_receipts_too(workspace, monkeypatch, empty_engine):
    write_bin(workspace.data_root, ["a", "b"])
    sync_project(empty_engine, workspace.data_root, "DEMO", **sync_arguments())
    url = empty_engine.url.render_as_string(hide_password=False)
    receipt = workspace.data_root / "DEMO" / "database.json"
    receipt.write_text(json.dumps({"database": {"identity": url.replace("postgres@", "me:***@")}}))
    monkeypatch.setenv("VO_DATABASE_URL", f"{url}&application_name=vo")
    assert workspace.vo("db", "reset", "--yes") == 0
    assert not receipt.exists()


def test_actions_tell_what_they_did_as_json(project, capsys):
    backup = str(project.folder / "kept.dump")
    said = {}
    for words in (("url",), ("backup", backup), ("reset",), ("restore", backup, "--yes"), ("grant", "me"), ("stop",)):
        capsys.readouterr()
        status = project.vo("db", *words, "--json")
        said[words[0]] = (status, json.loads(capsys.readouterr().out))
    receipt = str(project.data_root / "DEMO" / "database.json")
    assert said["url"][1]["url"].startswith("postgresql://")
    assert said["backup"] == (0, {"file": backup})
    assert said["reset"] == (0, {"done": False, "receipts": []})
    assert said["restore"] == (0, {"done": True, "receipts": [receipt]})
    assert said["grant"] == (0, {"role": "me"})
    assert (said["stop"][0], said["stop"][1]["runs"]) == (0, False)


def test_a_path_that_is_too_long_has_no_url(workspace, capsys):
    workspace.config["data_root"] = str(workspace.folder / ("x" * 100))
    assert workspace.vo("db", "start") == 1
    assert "is too long for a socket; use vo db shell" in capsys.readouterr().err
    assert workspace.vo("db", "stop") == 0


def test_the_project_is_named_before_or_after_the_action(workspace, capsys):
    configured = ("--configfile", str(workspace.config_file))
    from vo_lib.cli import main

    texts = []
    for words in (["db", *configured, "status"], ["db", "status", *configured]):
        assert main(words) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    assert os.fspath(workspace.data_root) in texts[0]


def test_a_command_that_is_ended_by_sigterm_leaves_the_server_in_order(project):
    assert project.vo("db", "stop") == 0
    (project.data_root / "DEMO_PROJECT").mkdir()
    (project.data_root / "DEMO_PROJECT" / "database.json").touch()
    command = [sys.executable, "-m", "vo_lib", "serve", "--port", "0", "--configfile", project.config_file]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().startswith("Serving")
        assert (project.data_root / "database" / "postgres" / "postmaster.pid").exists()
        process.terminate()
        assert (process.stderr.read(), process.wait()) == ("", 143)
    assert not (project.data_root / "database" / "postgres" / "postmaster.pid").exists()
