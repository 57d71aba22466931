"""Surveys that cannot be reached: what jobs tell each other, and how they wait."""

import struct
import time

import pytest
from downloads.test_fetching import PARAMETERS, Survey, fetch, rows

from vo_lib.downloads import outage
from vo_lib.downloads.fetching import NOT_ASKED, fetch_all
from vo_lib.downloads.outage import AGAIN_S, PATIENCE_S, Outage, forget_outages
from vo_lib.downloads.spool import Spool
from vo_lib.errors import ServiceError, UnreachableError

DOWN = UnreachableError("no connection")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "outages" / "ZTF_1"


@pytest.fixture
def sleeps(monkeypatch):
    """Pauses of jobs that wait, which take no time here but for the clock."""
    pauses, now = [], time.time
    monkeypatch.setattr(time, "sleep", pauses.append)
    monkeypatch.setattr(time, "time", lambda: now() + sum(pauses))
    return pauses


def write(path, *, since, latest):
    """Say that a survey was found unreachable and last asked so many seconds ago."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(struct.pack("<?ddq", True, time.time() - since, time.time() - latest, 0))


def test_what_one_job_finds_the_others_know_until_there_is_an_answer(path):
    one, other = Outage(path), Outage(path)
    assert other.since is None
    one.note()
    assert time.time() - 60 < other.since <= time.time()
    first = one.since
    other.note(first)
    assert one.since == first
    other.end()
    assert one.since is None


def test_failures_of_a_job_that_asked_before_end_no_outage(path):
    Outage(path).note()
    Outage(path).count(3)
    assert Outage(path).since is not None
    Outage(path).end()
    Outage(path).count(3)
    assert Outage(path).failures == 3


def test_an_answer_is_remembered_beyond_the_outages_that_came_after_it(path):
    write(path, since=86400, latest=86400)
    Outage(path).note()
    assert Outage(path).patience == PATIENCE_S


@pytest.mark.parametrize(
    "content", [b"", b"x", b"long ago" * 3, struct.pack("<?ddq", False, float("nan"), float("nan"), 99)]
)
def test_a_damaged_file_says_nothing(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    assert Outage(path).since is None
    assert not Outage(path).is_hopeless
    assert Outage(path).failures == 0


def test_whether_there_is_hope_is_read_at_once(path, monkeypatch):
    """Another job may change the file between two readings, each of which would be whole."""
    known, reads = Outage(path), []
    known.end()
    monkeypatch.setattr(Outage, "_read", lambda found, read=Outage._read: reads.append(found) or read(found))
    assert not known.is_hopeless
    assert reads == [known]
    monkeypatch.undo()
    known.note(since=time.time() - PATIENCE_S - 1)
    monkeypatch.setattr(Outage, "_read", lambda found, read=Outage._read: reads.append(found) or read(found))
    known.is_hopeless  # noqa: B018
    assert len(reads) == 2


@pytest.mark.parametrize(
    ("since", "latest", "known", "hopeless"),
    [
        (60, 0, True, False),
        (PATIENCE_S + 60, 30, True, True),
        (PATIENCE_S + AGAIN_S + 60, AGAIN_S + 30, True, False),  # it is time to ask again
        (86400, 86400, False, False),  # left behind by the run of yesterday
        (-3600, -3600, False, False),  # of a clock that was set back
    ],
)
def test_what_was_left_behind_says_nothing(path, since, latest, known, hopeless):
    write(path, since=since, latest=latest)
    assert (Outage(path).since is not None) == known
    assert Outage(path).is_hopeless == hopeless


def test_where_nothing_can_be_written_nothing_is_told(tmp_path):
    (tmp_path / "outages").write_text("a file")
    known = Outage(tmp_path / "outages" / "ZTF")
    known.note()
    known.end()
    assert known.since is None


def test_a_new_run_asks_all_surveys(path):
    forget_outages(path.parent)
    Outage(path).note()
    forget_outages(path.parent)
    assert Outage(path).since is None


def test_a_survey_that_answers_with_errors_is_not_waited_for(tmp_path, path, sleeps):
    failed = fetch(Survey(lambda name: ServiceError("HTTP status 400")), 30, tmp_path, outage=Outage(path))
    assert list(failed.values()).count(NOT_ASKED) == 20
    assert Outage(path).since is None
    assert not any(sleeps)


@pytest.fixture
def answered(path):
    """An earlier job of the run had an answer."""
    Outage(path).end()


def test_a_survey_that_never_answered_in_this_run_is_not_waited_for(tmp_path, path, sleeps):
    survey = Survey(lambda name: DOWN)
    failed = fetch(survey, 30, tmp_path, outage=Outage(path))
    assert list(failed.values()).count(NOT_ASKED) == 20
    (tmp_path / "other").mkdir()
    assert set(fetch(survey, 30, tmp_path / "other", outage=Outage(path)).values()) == {NOT_ASKED}
    assert len(survey.asked) == 10
    assert not any(sleeps)


def test_after_a_pause_a_survey_that_never_answered_is_tried_once_more(tmp_path, path, sleeps):
    Outage(path).note()
    sleeps.append(AGAIN_S + 1)
    survey = Survey(lambda name: DOWN)
    failed = fetch(survey, 30, tmp_path, outage=Outage(path))
    assert (len(survey.asked), list(failed.values()).count(NOT_ASKED)) == (1, 29)
    sleeps.append(AGAIN_S + 1)
    assert fetch(Survey(), 30, tmp_path, outage=Outage(path)) == {}


@pytest.mark.parametrize("before", [0, 5])
def test_a_job_that_finds_a_survey_unreachable_waits_and_then_gets_all(tmp_path, path, answered, sleeps, before):
    answers = iter([3] * before + [DOWN] * 15)
    survey = Survey(lambda name: next(answers, 3))
    assert fetch(survey, 30, tmp_path, outage=Outage(path)) == {}
    assert len(survey.asked) == 30 + 15
    assert [pause for pause in sleeps if pause] == [outage.PAUSE_S] * 5
    assert len(Spool(tmp_path / "spool").names()) == 30


def test_failures_in_a_row_are_counted_over_bins_with_few_sources(tmp_path, path, answered, sleeps):
    survey = Survey(lambda name: DOWN)
    for _ in range(3):
        assert set(fetch(survey, 3, tmp_path, outage=Outage(path)).values()) == {"no connection"}
    assert not any(sleeps)
    assert Outage(path).failures == 9
    fetch(survey, 3, tmp_path, outage=Outage(path))
    assert any(sleeps)
    assert Outage(path).is_hopeless


def test_failures_of_other_bins_are_forgotten_with_an_answer(tmp_path, path, sleeps):
    for answer in (DOWN, 3, DOWN, ServiceError("400"), DOWN):
        spool = Spool(tmp_path / f"spool {answer}")
        fetch_all(Survey(lambda name, answer=answer: answer), rows(4), spool, PARAMETERS, outage=Outage(path))
    assert Outage(path).failures == 4
    assert not any(sleeps)


def test_a_job_that_waits_in_vain_tells_the_others(tmp_path, path, answered, sleeps):
    failed = fetch(Survey(lambda name: DOWN), 43, tmp_path, outage=Outage(path))
    assert list(failed.values()).count("no connection") == 11
    assert list(failed.values()).count(NOT_ASKED) == 32
    assert PATIENCE_S - outage.PAUSE_S <= sum(sleeps) <= PATIENCE_S + outage.PAUSE_S
    assert Outage(path).is_hopeless


def test_a_survey_that_gives_errors_and_no_answers_by_turns_is_given_up(tmp_path, path, sleeps):
    answers = iter(([DOWN] * 10 + [ServiceError("400")]) * 100)
    survey = Survey(lambda name: next(answers))
    assert len(fetch(survey, 20, tmp_path, outage=Outage(path))) == 20
    assert len(survey.asked) < 30


def test_the_next_job_waits_for_the_survey_and_then_gets_all(tmp_path, path, answered, sleeps, capsys):
    Outage(path).note()
    answers = iter([DOWN] * 5)
    survey = Survey(lambda name: next(answers, 3))
    assert fetch(survey, 3, tmp_path, outage=Outage(path), label="ZTF RA010", threads=2) == {}
    assert survey.asked[:5] == ["s00000", "s00001", "s00002", "s00000", "s00001"]
    assert len(survey.asked) == 5 + 3
    assert [pause for pause in sleeps if pause] == [outage.PAUSE_S] * 5
    assert Outage(path).since is None
    assert "ZTF RA010: unreachable since " in capsys.readouterr().err


def test_the_answer_for_the_only_source_of_a_job_ends_the_outage_for_the_others(tmp_path, path, answered, sleeps):
    Outage(path).note()
    assert fetch(Survey(), 1, tmp_path, outage=Outage(path)) == {}
    assert Outage(path).since is None


def test_a_source_without_a_usable_answer_is_no_reason_to_wait(tmp_path, path, answered, sleeps):
    Outage(path).note()
    survey = Survey(lambda name: ServiceError("400") if name == "s00000" else 3)
    failed = fetch(survey, 5, tmp_path, outage=Outage(path))
    assert failed == {"s00000": "400"}
    assert not any(sleeps)


def test_an_answer_to_another_job_ends_the_waiting(tmp_path, path, answered, monkeypatch):
    Outage(path).note()
    monkeypatch.setattr(time, "sleep", lambda pause: Outage(path).end())
    answers = iter([DOWN])
    assert fetch(Survey(lambda name: next(answers, 3)), 5, tmp_path, outage=Outage(path)) == {}


def test_after_a_while_one_job_gives_up_and_the_others_ask_for_nothing(tmp_path, path, sleeps):
    write(path, since=PATIENCE_S + 1, latest=PATIENCE_S / 2)
    survey = Survey(lambda name: DOWN)
    failed = fetch(survey, 5, tmp_path, outage=Outage(path))
    assert failed == {"s00000": "no connection"} | {f"s0000{number}": NOT_ASKED for number in range(1, 5)}
    (tmp_path / "other").mkdir()
    failed = fetch(survey, 5, tmp_path / "other", outage=Outage(path))
    assert set(failed.values()) == {NOT_ASKED}
    assert survey.asked == ["s00000"]
    assert not any(sleeps)


def test_what_came_before_is_kept_where_the_survey_is_given_up(tmp_path, path):
    fetch(Survey(), 4, tmp_path)
    write(path, since=PATIENCE_S + 60, latest=1)
    spool = Spool(tmp_path / "spool")
    assert set(fetch_all(Survey(), rows(6), spool, PARAMETERS, outage=Outage(path))) == {"s00004", "s00005"}


def test_a_job_that_needs_no_answer_does_not_wait(tmp_path, path, answered, sleeps):
    fetch(Survey(), 4, tmp_path)
    Outage(path).note()
    assert fetch(Survey(lambda name: DOWN), 4, tmp_path, outage=Outage(path)) == {}
    assert fetch(Survey(), 0, tmp_path, outage=Outage(path)) == {}
    assert not any(sleeps)
