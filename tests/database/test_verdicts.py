"""Verdicts of persons in the database: they follow the file of record and outlast rows of products."""

import csv
import io
import time
from concurrent.futures import ThreadPoolExecutor, wait
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from database.products import sync_arguments, write_bin
from workspace import Workspace

from vo_lib.database.models import Detection, Project, Source, Verdict
from vo_lib.database.sync import sync_project
from vo_lib.database.verdicts import put_verdicts
from vo_lib.pages.vetting_data import detection_key
from vo_lib.paths import verdicts_file
from vo_lib.verbs import verdicts as verb
from vo_lib.verdicts import merge_verdicts, read_verdicts, write_verdicts

# A project must not have the name of a survey.
FOLDER = "DEMO_"


def row(source, detection="", verdict="real", who="Ada", when="2026-01-31T12:00:00Z"):
    names = {"project": FOLDER, "source": source, "detection": detection, "verdict": verdict}
    return names | {"note": "", "who": who, "when": when}


@pytest.fixture
def synced(engine, tmp_path):
    write_bin(tmp_path, ["a", "b"], folder=FOLDER)
    sync_project(engine, tmp_path, FOLDER, **sync_arguments())
    return engine


def put(engine, root, *rows):
    write_verdicts(root / verdicts_file(FOLDER), rows)
    with engine.begin() as connection:
        return put_verdicts(connection, connection.scalar(sa.select(Project.id)), root, FOLDER)


def known(engine):
    with engine.connect() as connection:
        query = sa.select(Verdict.source_name, Verdict.detection, Verdict.who, Verdict.verdict)
        return sorted(tuple(found) for found in connection.execute(query))


def key_of_a(engine):
    """Key of the real detection of the source a."""
    columns = (Detection.obs, Detection.filter, Detection.series, Detection.peak_mjd)
    query = sa.select(*columns).join(Source).where(Source.name == "a", ~Detection.simulated)
    with engine.connect() as connection:
        return detection_key(connection.execute(query).one()._mapping)


def test_of_lines_that_were_put_together_by_hand_the_latest_holds(synced, tmp_path):
    late = row("b", verdict="artefact", when="2026-02-01T12:00:00+01:00")
    assert put(synced, tmp_path, late, row("b"), row("b"), row("a")) == 2
    assert known(synced) == [("a", "", "Ada", "real"), ("b", "", "Ada", "artefact")]


def test_rows_are_those_of_the_file_of_record(synced, tmp_path):
    key = key_of_a(synced)
    assert put(synced, tmp_path, row("a", key), row("a", key, who="Bob"), row("b")) == 3
    assert put(synced, tmp_path, row("a", key, "artefact"), row("b")) == 2
    assert known(synced) == [("a", key, "Ada", "artefact"), ("b", "", "Ada", "real")]
    assert put(synced, tmp_path) == 0
    assert known(synced) == []


def test_as_many_verdicts_as_a_survey_needs_are_read_in(synced, tmp_path):
    many = [row("a", f"DEMO demo-g {50_000 + number}.00000") for number in range(20_000)]
    assert put(synced, tmp_path, *many) == put(synced, tmp_path, *many) == len(known(synced)) == 20_000


def test_of_two_at_once_none_is_in_the_way_of_the_other(synced, tmp_path):
    write_verdicts(tmp_path / verdicts_file(FOLDER), [row("a"), row("b")])
    with synced.begin() as first:
        number = first.scalar(sa.select(Project.id))
        put_verdicts(first, number, tmp_path, FOLDER)
        with ThreadPoolExecutor() as pool:
            second = pool.submit(put, synced, tmp_path, row("a", verdict="artefact"))
            assert wait([second], timeout=0.5).not_done
            first.commit()
            assert second.result() == 1
    assert known(synced) == [("a", "", "Ada", "artefact")]


def test_a_verdict_leads_to_the_detection_though_its_number_changed(synced, tmp_path):
    put(synced, tmp_path, row("a", key_of_a(synced)), row("b", "DEMO demo-g 1.00000"))
    with synced.begin() as connection:
        connection.execute(sa.update(Detection).values(number=Detection.number + 5))
        found = connection.execute(sa.text("SELECT source, verdict, who FROM detections_vetted")).all()
    assert found == [("a", "real", "Ada")]


def test_a_sync_keeps_verdicts_of_sources_that_are_gone_and_puts_lost_ones_back(synced, tmp_path):
    put(synced, tmp_path, row("a"), row("b"))
    with synced.begin() as connection:
        connection.execute(sa.delete(Verdict).where(Verdict.source_name == "b"))
    write_bin(tmp_path, ["b"], folder=FOLDER)
    sync_project(synced, tmp_path, FOLDER, **sync_arguments())
    assert known(synced) == [("a", "", "Ada", "real"), ("b", "", "Ada", "real")]


@pytest.fixture
def workspace(synced, tmp_path):
    """A project whose database and catalog have two sources."""
    made = Workspace(tmp_path).set("project", FOLDER.lower()).set("data_root", str(tmp_path))
    made.set("database.url", synced.url.render_as_string(hide_password=False))
    made.catalog.write_text("name,ra,dec\na,0,-1.5\nb,0.01,-1.5\n")
    return made


def test_exported_marks_are_read_in_and_printed(synced, tmp_path, workspace, capsys):
    write_verdicts(tmp_path / "first.csv", [row("a"), row("b", verdict="unsure")])
    write_verdicts(tmp_path / "second.csv", [row("a", verdict="artefact", when="2026-02-01T00:00:00Z")])
    assert workspace.vo("verdicts", tmp_path / "first.csv") == 0
    assert capsys.readouterr().out == "2 verdicts (1 real, 0 artefact, 1 unsure), 2 of them new or changed\n"
    assert workspace.vo("verdicts", tmp_path / "second.csv", tmp_path / "first.csv") == 0
    assert known(synced) == [("a", "", "Ada", "artefact"), ("b", "", "Ada", "unsure")]
    capsys.readouterr()
    assert workspace.vo("verdicts") == 0
    printed = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(one["source"], one["verdict"]) for one in printed] == [("a", "artefact"), ("b", "unsure")]


def test_verdicts_on_sources_that_are_in_no_catalog_are_refused(workspace, tmp_path, capsys):
    write_verdicts(tmp_path / "first.csv", [row("nobody")])
    assert workspace.vo("verdicts", tmp_path / "first.csv") == 1
    assert "first.csv: the catalog has no source 'nobody'" in capsys.readouterr().err
    assert not (tmp_path / verdicts_file(FOLDER)).exists()


def test_files_that_are_read_in_at_once_lose_no_verdict(tmp_path, monkeypatch):
    def slow_merge(known, new):
        time.sleep(0.1)
        return merge_verdicts(known, new)

    monkeypatch.setattr(verb, "merge_verdicts", slow_merge)
    record, persons = tmp_path / verdicts_file(FOLDER), ["Ada", "Bob", "Cleo", "Dan"]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda who: verb._record(SimpleNamespace(folder=FOLDER), record, [row("a", who=who)]), persons))
    assert [one["who"] for one in read_verdicts(record, project=FOLDER)] == persons


def test_verdicts_on_detections_that_are_not_there_are_told(synced, tmp_path, workspace, capsys):
    write_verdicts(tmp_path / "first.csv", [row("a", key_of_a(synced)), row("a"), row("b", "DEMO demo-g 1.00000")])
    assert workspace.vo("verdicts", tmp_path / "first.csv") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1:] == ["1 verdict on detections that are not in the database"]
