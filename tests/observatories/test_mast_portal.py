import pytest
from servers.mast_portal import MastServer, star
from still_clock import StillClock

from vo_lib.errors import ConfigError, ServiceError
from vo_lib.observatories import mast_portal
from vo_lib.observatories.mast_portal import IDENTIFIER, NUMBER, MastObservatory, MastParameters

STARS = [star(number, 10.0, 20.0) for number in range(1, 8)]
PARAMS = {"columns": "*", "filters": [], "ra": 10.0, "dec": 20.0, "radius": 0.001}


class Portal(MastObservatory):
    """A survey that only asks."""

    fetch_data_from_observatory = standardise = None


def ask(*, service="Mast.Catalogs.Filtered.Tic.Position.Rows", server=None, **parameters):
    """Rows of the answer of a local archive, and the archive."""
    with server or MastServer(stars=STARS) as server:
        survey = Portal(**server.parameters | {"retry_wait_s": 0.01, "timeout_s": 60} | parameters)
        return survey._invoke(service, PARAMS, {"ID": (IDENTIFIER,), "ra": (NUMBER,)}), server


@pytest.mark.parametrize("page_size", [1, 3, 7, 100])
def test_all_pages_are_asked_for(page_size):
    rows, server = ask(server=MastServer(stars=STARS, page_size=page_size))
    assert [row["ID"] for row in rows] == list(range(1, 8))
    assert len(server.questions) == -(-7 // page_size)


def test_no_rows_are_an_answer():
    assert ask(server=MastServer())[0] == []


def test_a_question_that_is_worked_on_is_repeated_as_it_was():
    rows, server = ask(server=MastServer(stars=STARS, behaviour=["executing", "executing"]))
    assert len(rows) == 7
    assert server.questions[0] == server.questions[1] == server.questions[2]


def test_a_question_is_not_repeated_for_ever(monkeypatch):
    monkeypatch.setattr(mast_portal, "time", StillClock())
    with pytest.raises(ServiceError, match=r"Tic\.Position\.Rows was not done after 60 s; run again later"):
        ask(server=MastServer(behaviour=["executing"] * 1000), retry_wait_s=5)


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        ("error", "the portal says ERROR: Incorrect syntax near"),
        ("html", "the answer is not JSON but '<html>"),
        ("empty", "the answer is empty"),
        ("short", "the answer is not complete"),
        ("503", "HTTP status 503"),
        ("missing_column", "sent a row without 'ra'"),
        ("stall", "no answer in time"),
        ("reset", "no connection|the connection broke"),
    ],
)
def test_a_bad_answer_is_an_error_and_never_no_data(trouble, message):
    server, timeout_s = MastServer(stars=STARS, behaviour=[trouble] * 10), 0.3 if trouble == "stall" else 60
    with pytest.raises(ServiceError, match=message):
        ask(server=server, retries=1, timeout_s=timeout_s)


@pytest.mark.parametrize("trouble", ["error", "html", "empty", "short", "503", "reset"])
def test_a_bad_answer_that_is_good_the_second_time_is_none(trouble):
    assert len(ask(server=MastServer(stars=STARS, behaviour=[trouble]))[0]) == 7


def test_an_answer_with_fewer_rows_than_it_says_is_an_error(monkeypatch):
    server = MastServer(stars=STARS)
    proper = server.answer
    monkeypatch.setattr(server, "answer", lambda question: (made := proper(question)) | {"data": made["data"][:3]})
    with pytest.raises(ServiceError, match="sent 3 of 7 rows"):
        ask(server=server)


def test_an_unknown_service_is_named():
    with pytest.raises(ServiceError, match=r"Mast\.Nothing: the portal says ERROR: Unknown service"):
        ask(service="Mast.Nothing")


def test_addresses_are_checked():
    with pytest.raises(ConfigError, match="without a user, password or query"):
        MastParameters(download_url="https://me:hunter2@x/y")
