"""Verdicts of persons in the database: they follow the file of record and outlast rows of products."""

import pytest
import sqlalchemy as sa
from database.products import sync_arguments, write_bin

from vo_lib.database.models import Detection, Project, Source, Verdict
from vo_lib.database.sync import sync_project
from vo_lib.database.verdicts import put_verdicts
from vo_lib.paths import verdicts_file
from vo_lib.verdicts import write_verdicts
from vo_lib.vetting_data import detection_key


def row(source, detection="", verdict="real", who="Ada", when="2026-01-31T12:00:00Z"):
    names = {"project": "DEMO", "source": source, "detection": detection, "verdict": verdict}
    return names | {"note": "", "who": who, "when": when}


@pytest.fixture
def synced(engine, tmp_path):
    write_bin(tmp_path, ["a", "b"])
    sync_project(engine, tmp_path, "DEMO", **sync_arguments())
    return engine


def put(engine, root, *rows):
    write_verdicts(root / verdicts_file("DEMO"), rows)
    with engine.begin() as connection:
        return put_verdicts(connection, connection.scalar(sa.select(Project.id)), root, "DEMO")


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


def test_rows_are_those_of_the_file_of_record(synced, tmp_path):
    key = key_of_a(synced)
    assert put(synced, tmp_path, row("a", key), row("a", key, who="Bob"), row("b")) == 3
    assert put(synced, tmp_path, row("a", key, "artefact"), row("b")) == 2
    assert known(synced) == [("a", key, "Ada", "artefact"), ("b", "", "Ada", "real")]
    assert put(synced, tmp_path) == 0
    assert known(synced) == []


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
    write_bin(tmp_path, ["b"])
    sync_project(synced, tmp_path, "DEMO", **sync_arguments())
    assert known(synced) == [("a", "", "Ada", "real"), ("b", "", "Ada", "real")]
