import gzip
import re
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from servers.irsa import IrsaServer, synthetic_answer
from servers.local import LocalArchive, LocalHandler, LocalServer

from vo_lib import __version__
from vo_lib.errors import ServiceError, UnreachableError
from vo_lib.observatories import http, http_session
from vo_lib.observatories.addresses import public_url
from vo_lib.observatories.http import HttpClient

QUERY = {"POS": "CIRCLE 0.0 51.3937 0.001", "FORMAT": "CSV"}
TEXT = synthetic_answer(objects=(("zg", 20),))


def ask(server, *, read=str, query=QUERY, **options):
    return HttpClient(**{"retry_wait_s": 0.01, "timeout_s": 60} | options).get(server.url, query, read=read)


def refuse(text):
    raise ServiceError("the answer is not to be used")


def test_an_answer_arrives_as_it_was_sent():
    with IrsaServer(TEXT) as server:
        assert ask(server) == TEXT
    (request,) = server.requests
    assert QUERY.items() <= request.items()
    assert request["User-Agent"] == f"vo_lib/{__version__}"


def test_a_parameter_with_several_values_is_repeated():
    with IrsaServer(TEXT) as server, pytest.raises(ServiceError, match=r"\?ID=12&ID=3&FORMAT=X: HTTP status 400"):
        ask(server, query={"ID": ["12", "3"], "FORMAT": "X"})
    assert server.requests[0]["ID"] == "12,3"


def test_the_archive_is_told_who_asks():
    with IrsaServer(TEXT) as server:
        ask(server, contact="me@example.org")
    assert server.requests[0]["User-Agent"] == f"vo_lib/{__version__} (me@example.org)"


@pytest.mark.parametrize("trouble", ["429", "500", "502", "503", "504", "reset", "short"])
def test_trouble_that_passes_is_waited_for(trouble):
    with IrsaServer(TEXT, behaviour=[trouble]) as server:
        assert ask(server) == TEXT
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        ("503", r"nph_light_curves\?POS=CIRCLE\S*: HTTP status 503 .*: try again later"),
        ("400", "HTTP status 400 Bad Request"),
        ("reset", "the connection broke; run again later"),
        ("short", r"the answer is not complete \(the connection broke\); run again later"),
    ],
)
def test_trouble_that_stays_is_an_error(trouble, message):
    with IrsaServer(TEXT, behaviour=[trouble] * 20) as server, pytest.raises(ServiceError, match=message):
        ask(server, retries=2)
    assert len(server.requests) == {"503": 3, "400": 1, "reset": 3, "short": 3}[trouble]


@pytest.mark.parametrize("headers", [{"Content-Length": "9"}, {"Content-Encoding": "gzip"}])
def test_a_bad_status_with_a_text_that_breaks_off_or_cannot_be_unpacked_is_an_error(headers):
    with Told(404, b"packed?", **headers) as archive, pytest.raises(ServiceError, match="404 Not Found: no message"):
        HttpClient(retries=0).get(archive.address, read=str)


@pytest.mark.parametrize("trouble", ["429", "500", "502", "503", "504", "400", "reset", "slow", "short"])
def test_archives_that_cannot_be_reached_are_told_from_those_that_answer(trouble):
    answers = trouble in ("500", "400", "short")
    with IrsaServer(TEXT, behaviour=[trouble] * 5) as server, pytest.raises(ServiceError) as error:
        ask(server, retries=0, timeout_s=0.2 if trouble == "slow" else 60)
    assert (error.type is UnreachableError) != answers


def test_an_answer_that_cannot_be_used_is_asked_for_again():
    with IrsaServer(TEXT) as server, pytest.raises(ServiceError, match="CSV: the answer is not to be used; run again"):
        ask(server, read=refuse)
    assert len(server.requests) == 4
    with IrsaServer(TEXT) as server, pytest.raises(ServiceError, match="not to be used"):
        ask(server, read=refuse, retries=0)
    assert len(server.requests) == 1


def test_a_slow_archive_is_not_waited_for_longer_than_allowed():
    with (
        IrsaServer(TEXT, behaviour=["slow"] * 2) as server,
        pytest.raises(ServiceError, match=r"no answer in time \(0.2 s\)"),
    ):
        ask(server, timeout_s=0.2, retries=1)
    assert len(server.requests) == 2


def test_a_wish_to_be_left_alone_for_hours_is_not_waited_for(monkeypatch):
    pauses = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    with IrsaServer(TEXT, behaviour=["429"], retry_after="7200") as server:
        assert ask(server) == TEXT
    assert pauses == [http_session.MAX_PAUSE_S]


def test_pauses_grow_have_a_part_by_chance_and_an_end(monkeypatch):
    pauses = []
    monkeypatch.setattr(http.time, "sleep", pauses.append)
    client = HttpClient(retry_wait_s=2)
    for _ in range(50):
        for attempt in range(10):
            client.pause(attempt)
    pauses = np.reshape(pauses, (50, 9))  # the first attempt has none
    longest = np.minimum(4.0 * 2 ** np.arange(9), http.MAX_PAUSE_S)
    assert (pauses <= longest).all()
    assert (pauses >= np.minimum(2.0 * 2 ** np.arange(9), http.MAX_PAUSE_S)).all()
    assert (np.ptp(pauses[:, :5], axis=0) > longest[:5] / 4).all()


@pytest.mark.parametrize("trouble", ["429", "503"])
def test_a_wish_to_be_left_alone_for_a_while_is_obeyed(trouble):
    start = time.monotonic()
    with IrsaServer(TEXT, behaviour=[trouble], retry_after="1") as server:
        assert ask(server) == TEXT
    assert time.monotonic() - start > 1


@pytest.mark.parametrize(
    "wish", ["1.5", "garbage", "-5", "1e9", "9" * 5000, "Fri, 31 Dec 9999999999 23:59:59 GMT", "Xxx, 99 Yyy"]
)
@pytest.mark.parametrize("trouble", ["429", "503"])
def test_a_wish_that_cannot_be_understood_is_ignored(trouble, wish, monkeypatch):
    monkeypatch.setattr(http_session, "MAX_PAUSE_S", 0.05)
    with IrsaServer(TEXT, behaviour=[trouble], retry_after=wish) as server:
        assert ask(server) == TEXT
        assert len(server.requests) == 2
    with IrsaServer(TEXT, behaviour=[trouble] * 20, retry_after=wish) as server:
        with pytest.raises(ServiceError, match=f"HTTP status {trouble} "):
            ask(server, retries=2)
        assert len(server.requests) == 3


def test_no_archive_at_all():
    with IrsaServer(TEXT) as server:
        pass
    with pytest.raises(ServiceError, match=r"no connection; run again later"):
        ask(server, retries=1)


def test_errors_do_not_show_secrets():
    query = QUERY | {"userpass": "hunter2", "token": "hunter2"}
    with IrsaServer(TEXT, behaviour=["400", "reset", "reset"]) as server:
        for _ in range(2):
            with pytest.raises(ServiceError, match=r"userpass=\*\*\*") as error:
                ask(server, query=query, retries=1)
            assert "hunter2" not in str(error.value)
            assert error.value.__cause__ is None


def test_the_log_says_in_words_that_a_request_is_tried_again(caplog):
    with IrsaServer(TEXT, behaviour=["reset"]) as server:
        ask(server)
    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert re.match(r"Retrying \(\d+ more times at most\) after connection broken by ", line)


@pytest.mark.parametrize("trouble", ["reset", "503"])
def test_messages_of_the_library_below_do_not_show_secrets(caplog, trouble):
    caplog.set_level("DEBUG")
    with IrsaServer(TEXT, behaviour=[trouble]) as server:
        ask(server, query=QUERY | {"userpass": "hunter2"})
    assert "userpass=***" in caplog.text
    assert "Retry" in caplog.text
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://me:pw@host:81/a?x=1&api_key=2", "https://host:81/a?x=1&api_key=***"),
        ("https://host/a?POS=CIRCLE+1+2", "https://host/a?POS=CIRCLE+1+2"),
        ("https://host/a", "https://host/a"),
        ("https://host/a?email=me%40x.org#part", "https://host/a?email=***"),
    ],
)
def test_public_url(url, expected):
    assert public_url(url) == expected


def test_threads_share_a_client():
    client = HttpClient(retry_wait_s=0.01)
    with IrsaServer(TEXT, behaviour=["503", "ok", "reset"]) as server, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.get(server.url, QUERY, read=str), range(24)))
    assert answers == [TEXT] * 24


class Told(LocalArchive):
    """An archive that gives one answer to all, and notes the headers of each request."""

    def __init__(self, status=200, body=b"", **headers):
        self.status, self.body, self.headers, self.requests = status, body, headers, []

    def make_server(self):
        return LocalServer(("127.0.0.1", 0), _Handler)


class _Handler(LocalHandler):
    def do_GET(self):
        archive = self.server.archive
        archive.requests.append(dict(self.headers))
        self.send_response(archive.status)
        for name, value in {"Content-Length": str(len(archive.body)), **archive.headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(archive.body)


def test_an_archive_may_send_elsewhere_where_it_is_not_told_what_is_secret():
    with Told(body=b"there") as store, Told(302, Location=store.address) as archive:
        headers = {"Authorization": "Token hunter2"}
        assert HttpClient().get(archive.address, read=str, headers=headers) == "there"
    assert archive.requests[0]["Authorization"] == "Token hunter2"
    assert "Authorization" not in store.requests[0]


def test_archives_that_send_round_in_circles_are_given_up():
    with Told(302, Location="/again") as archive, pytest.raises(ServiceError, match="TooManyRedirects"):
        HttpClient(retries=0).get(archive.address, read=str)


def test_answers_may_be_packed():
    with Told(body=gzip.compress(TEXT.encode()), Content_Encoding="gzip") as archive:
        assert HttpClient().get(archive.address, read=str) == TEXT
    assert "gzip" in archive.requests[0]["Accept-Encoding"]


def test_a_cookie_comes_back():
    with Told(Set_Cookie="node=7") as archive:
        client = HttpClient()
        for _ in range(2):
            client.get(archive.address, read=str)
    assert [request.get("Cookie") for request in archive.requests] == [None, "node=7"]


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("https_proxy", "http://127.0.0.1:1", "the proxy set in the environment cannot connect to it"),
        ("https_proxy", "socks5://127.0.0.1:1", "is of an unsupported kind"),
        ("https_proxy", "http://me:hunter2@[bad", "the proxy set in the environment, is invalid"),
        ("REQUESTS_CA_BUNDLE", "/nowhere", "certificates that REQUESTS_CA_BUNDLE .* names cannot be read"),
    ],
)
def test_an_environment_that_is_wrong_is_told(variable, value, message, monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, value)
    with pytest.raises(ServiceError, match=message) as error:
        HttpClient(retries=0).get("https://127.0.0.1:1/", read=str)
    assert "hunter2" not in str(error.value)


def test_a_server_without_tls_has_no_wrong_certificate():
    with Told() as archive, pytest.raises(ServiceError, match="no secure connection; run again later"):
        HttpClient(retries=0).get(archive.address.replace("http:", "https:"), read=str)
