"""Tags of provenances, and marks of bad ones."""

import logging
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
import sqlalchemy as sa
from database.products import PROVENANCES, sync_arguments, write_bin

from vo_lib.database.admin import reset
from vo_lib.database.models import Provenance as Row
from vo_lib.database.schema import one_at_a_time
from vo_lib.database.session import Session
from vo_lib.database.sync import sync_project
from vo_lib.database.tags import known_tags, mark_bad, tagged
from vo_lib.errors import UserError
from vo_lib.provenance import Provenance
from vo_lib.storage.marks import read_marks

REDUCE = Provenance("reduce", {"gap_days": 40, "observatory": "DEMO"}, "c1")
OTHER = Provenance("reduce", {"gap_days": 40, "observatory": "ZTF"}, "c1")
ANALYZE = Provenance("analyze", {"seed": 1, "level": 1e-4}, "c2", (REDUCE.id, OTHER.id))


@pytest.fixture
def tags(engine, tmp_path):
    """A session on the project ``demo`` without bins, whose provenances are those above."""
    rows = [provenance.as_row() for provenance in (REDUCE, OTHER, ANALYZE)]
    sync_project(engine, tmp_path, "DEMO", **sync_arguments([]) | {"provenances": rows})
    with Session(engine, data_root=tmp_path) as session:
        yield session


def test_a_tag_stands_for_one_provenance_of_each_process(tags):
    for tag in ("default", "demo"):
        found = Provenance.get_for_tag(tag, "analyze", session=tags)
        assert (found, found.id) == (ANALYZE, ANALYZE.id)
    assert known_tags(tags) == ["default", "demo"]
    assert tagged(tags, "demo") == {"analyze": ANALYZE, "reduce": {"DEMO": REDUCE, "ZTF": OTHER}}


def test_the_survey_says_which_provenance_where_each_has_one(tags):
    assert Provenance.get_for_tag("demo", "reduce", obs="ZTF", session=tags) == OTHER
    assert Provenance.get_for_tag("demo", "reduce", obs="ztf", session=tags) == OTHER
    with pytest.raises(UserError, match=r"provenance of 'reduce' for each survey \(DEMO, ZTF\); say which with obs="):
        Provenance.get_for_tag("demo", "reduce", session=tags)


@pytest.mark.parametrize(
    ("tag", "process", "obs", "message"),
    [
        ("dema", "analyze", None, "tag 'dema' is not in the database; did you mean 'demo'"),
        ("demo", "analyse", None, "tag 'demo' has no provenance of 'analyse'; did you mean 'analyze'"),
        ("demo", "reduce", "TESS", "tag 'demo' has no provenance of 'reduce' of TESS"),
    ],
)
def test_none_stands_for_no_provenance_and_the_log_names_the_nearest(tags, caplog, tag, process, obs, message):
    with caplog.at_level(logging.WARNING, "vo_lib"):
        assert Provenance.get_for_tag(tag, process, obs=obs, session=tags) is None
    assert message in caplog.text


def test_an_unknown_tag_has_no_tree(tags):
    with pytest.raises(UserError, match="tag 'deafult' is not in the database; did you mean 'default'"):
        tagged(tags, "deafult")


def bad(session):
    """Comments on bad provenances by their processes."""
    session.expire_all()
    return {(row.process, row.bad_comment) for row in session.scalars(sa.select(Row).where(Row.is_bad))}


def test_a_mark_goes_downstream_and_can_be_taken_away(tags):
    REDUCE.mark_bad("clouds", session=tags)
    assert bad(tags) == {("reduce", "clouds"), ("analyze", f"made of {REDUCE.id}: clouds")}
    ANALYZE.mark_bad("wrong seed", session=tags)
    REDUCE.mark_bad(None, session=tags)
    assert bad(tags) == {("analyze", "wrong seed")}


def test_what_is_still_bad_by_what_it_was_made_of_is_said(tags):
    assert mark_bad(tags, REDUCE.id, "clouds") == "clouds"
    assert mark_bad(tags, ANALYZE.id, "wrong seed") == "wrong seed"
    assert mark_bad(tags, ANALYZE.id, None) == f"made of {REDUCE.id}: clouds"
    assert mark_bad(tags, REDUCE.id, None) == ""


def test_of_two_marks_at_once_none_is_lost(tags, engine, tmp_path):
    def second():
        with Session(engine, data_root=tmp_path) as session:
            mark_bad(session, OTHER.id, "wrong filter")

    with ThreadPoolExecutor() as pool:
        with Session(engine, data_root=tmp_path) as first:
            one_at_a_time(first.connection())
            running = pool.submit(second)
            assert wait([running], timeout=0.5).not_done
            mark_bad(first, REDUCE.id, "clouds")
        running.result()
    assert read_marks(tmp_path) == {REDUCE.id: "clouds", OTHER.id: "wrong filter"}


def test_marks_outlive_the_database_and_reach_what_is_made_later(tags, engine, tmp_path):
    mark_bad(tags, OTHER.id, "wrong filter")
    tags.close()
    reset(engine)
    rows = [provenance.as_row() for provenance in (OTHER, Provenance("analyze", {"seed": 2}, "c2", (OTHER.id,)))]
    sync_project(engine, tmp_path, "DEMO", **sync_arguments([]) | {"provenances": rows})
    assert bad(tags) == {("reduce", "wrong filter"), ("analyze", f"made of {OTHER.id}: wrong filter")}


def test_files_of_bad_provenances_are_in_the_view_of_what_is_bad(engine, tmp_path):
    write_bin(tmp_path, ["a"])
    sync_project(engine, tmp_path, "DEMO", **sync_arguments())
    with Session(engine, data_root=tmp_path) as session:
        mark_bad(session, PROVENANCES[0]["id"], "clouds")
        rows = session.execute(sa.text("SELECT \"check\", reason, filename FROM what_is_bad WHERE what = 'provenance'"))
        assert sorted(map(tuple, rows)) == [
            ("analyze", "made of reduced0: clouds", "DEMO/RA000_analysis.h5"),
            ("reduce", "clouds", "DEMO/DEMO_photometry_RA000_reduced.h5"),
        ]


@pytest.mark.parametrize(
    ("identifier", "comment", "message"),
    [("nothing", "x", "provenance 'nothing' is not in the database"), (REDUCE.id, "", "a mark needs a comment")],
)
def test_a_mark_that_cannot_be_made_is_an_error(tags, identifier, comment, message):
    with pytest.raises(UserError, match=message):
        mark_bad(tags, identifier, comment)


def test_who_may_only_read_leaves_no_mark(tags, tmp_path):
    tags.execute(sa.text("SET TRANSACTION READ ONLY"))
    with pytest.raises(sa.exc.InternalError, match="read-only transaction"):
        mark_bad(tags, REDUCE.id, "clouds")
    assert read_marks(tmp_path) == {}
