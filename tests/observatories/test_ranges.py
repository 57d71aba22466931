"""Files and answers that go on where a connection broke, against a server that breaks it."""

import json
import random
import subprocess
import sys
import threading
import time

import pytest
from servers.local import HTML
from servers.warwick import FileServer
from still_clock import StillClock

from vo_lib.errors import CatalogError, ServiceError
from vo_lib.observatories import ranges
from vo_lib.observatories.http import HttpClient
from vo_lib.provenance import PACKAGE_ROOT

BODY = random.Random(0).randbytes(1_000_000)
OTHER = random.Random(1).randbytes(1_000_000)


def client(**options):
    return HttpClient(**{"retry_wait_s": 0.01, "timeout_s": 60} | options)


def download(server, folder, **options):
    """Download with a client of its own; gives the bytes."""
    check = options.pop("check", None)
    client(**options).download(server.url, folder / "file", check=check)
    return (folder / "file").read_bytes()


def wait_until(condition, limit_s=300):
    """Wait for something that another process does."""
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_file_arrives_whole_and_nothing_is_left_beside_it(tmp_path):
    with FileServer(BODY) as server:
        assert download(server, tmp_path) == BODY
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert [request["Accept-Encoding"] for request in server.requests] == ["identity"]


def test_folders_are_made_and_the_check_gives_the_result(tmp_path):
    with FileServer(BODY) as server:
        size = client().download(server.url, tmp_path / "a" / "b" / "file", check=lambda path: path.stat().st_size)
    assert size == len(BODY)


class WatchedClock(StillClock):
    """A clock that the server alone moves on, when the client has looked at it."""

    def __init__(self):
        super().__init__()
        self.seen = threading.Event()

    def monotonic(self):
        now = self.now
        self.seen.set()
        return now

    def sleep(self, seconds):
        assert self.seen.wait(300)
        super().sleep(seconds)


@pytest.fixture
def clock(monkeypatch):
    clock = WatchedClock()
    monkeypatch.setattr(ranges, "time", clock)
    return clock


def test_an_answer_that_comes_too_slowly_is_asked_for_again_from_where_it_was(tmp_path, clock):
    with FileServer(BODY, behaviour=["trickle"], clock=clock) as server:
        assert download(server, tmp_path) == BODY
        server.behaviour[:] = ["trickle"]
        clock.seen.clear()
        with pytest.raises(ServiceError, match=r"comes too slowly \(8 kB in more than 120 s\); run again later"):
            download(server, tmp_path, retries=0)
    assert server.ranges == [None, "bytes=8192-", None]


def test_a_small_answer_may_come_slowly(tmp_path, clock):
    with FileServer(BODY[:8000], behaviour=["trickle"], clock=clock) as server:
        assert download(server, tmp_path) == BODY[:8000]
    assert clock.now == 128
    assert server.ranges == [None]


def test_a_broken_download_goes_on_where_it_stopped(tmp_path):
    with FileServer(BODY, behaviour=["drop:303104", "drop:204800"]) as server:
        assert download(server, tmp_path) == BODY
    assert server.ranges == [None, "bytes=303104-", "bytes=507904-"]
    assert server.sent == len(BODY)
    assert {request.get("If-Range") for request in server.requests[1:]} == {server.identity()["ETag"]}


def test_the_next_run_goes_on_where_the_last_one_stopped(tmp_path):
    with FileServer(BODY, behaviour=["drop:303104", "drop:204800"]) as server:
        with pytest.raises(ServiceError, match=r"fits\.gz: the answer is not complete \(the connection broke\); run"):
            download(server, tmp_path, retries=1)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["file.part", "file.part.json"]
        assert download(server, tmp_path) == BODY
    assert server.ranges == [None, "bytes=303104-", "bytes=507904-"]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_killed_download_goes_on_in_the_next_run(tmp_path):
    code = "import sys; from vo_lib.observatories.http import HttpClient; HttpClient().download(*sys.argv[1:])"
    with FileServer(BODY, behaviour=["stall:409600"]) as server:
        process = subprocess.Popen([sys.executable, "-c", code, server.url, tmp_path / "file"], cwd=PACKAGE_ROOT)
        wait_until(lambda: (tmp_path / "file.part").exists() and (tmp_path / "file.part").stat().st_size >= 400000)
        process.kill()
        process.wait()
        assert download(server, tmp_path) == BODY
    first, rest = server.ranges
    assert first is None
    assert 400000 <= int(rest.removeprefix("bytes=").rstrip("-")) <= 409600


def test_a_file_that_came_whole_but_was_not_put_in_its_place_is_not_asked_for_again(tmp_path):
    def interrupt(_):
        raise KeyboardInterrupt

    with FileServer(BODY) as server:
        with pytest.raises(KeyboardInterrupt):
            download(server, tmp_path, check=interrupt)
        assert download(server, tmp_path) == BODY
    assert server.ranges == [None]


@pytest.mark.parametrize(
    ("validators", "header"), [(["weak", "date"], "Last-Modified"), (["date"], "Last-Modified"), (["strong"], "ETag")]
)
def test_what_says_that_the_file_is_the_same(tmp_path, validators, header):
    with FileServer(BODY, behaviour=["drop:303104"], validators=validators) as server:
        assert download(server, tmp_path) == BODY
    assert server.requests[1]["If-Range"] == server.identity()[header]
    assert server.ranges == [None, "bytes=303104-"]


@pytest.mark.parametrize("validators", [["weak"], []])
def test_without_a_proof_that_the_file_is_the_same_it_is_begun_anew(tmp_path, validators):
    with FileServer(BODY, behaviour=["drop:303104"], validators=validators) as server:
        assert download(server, tmp_path) == BODY
    assert server.ranges == [None, None]


def test_a_file_that_changed_between_two_runs_is_begun_anew(tmp_path):
    with FileServer(BODY, behaviour=["drop:303104"]) as server:
        with pytest.raises(ServiceError, match="not complete"):
            download(server, tmp_path, retries=0)
        server.body = OTHER
        assert download(server, tmp_path, retries=0) == OTHER
    assert server.ranges == [None, "bytes=303104-"]


def test_a_server_that_ignores_ranges_sends_all(tmp_path):
    with FileServer(BODY, behaviour=["drop:303104", "all"]) as server:
        assert download(server, tmp_path, retries=1) == BODY


@pytest.mark.parametrize("trouble", ["416", "other place"])
def test_a_rest_that_is_none_is_not_added(tmp_path, trouble):
    with FileServer(BODY, behaviour=["drop:303104", trouble]) as server:
        assert download(server, tmp_path) == BODY
    assert server.ranges == [None, "bytes=303104-", None]


def test_the_rest_of_another_file_is_not_added(tmp_path):
    """A server that knows ranges but not ``If-Range`` sends the rest of a file that changed."""

    class Careless(FileServer):
        def identity(self):
            return {"ETag": '"a"' if self.body is BODY else '"b"'}

    with Careless(BODY, behaviour=["drop:303104"]) as server:
        with pytest.raises(ServiceError, match="not complete"):
            download(server, tmp_path, retries=0)
        server.body = OTHER
        server.identity = lambda: {"ETag": '"b"', "X-Old": '"a"'}
        assert download(server, tmp_path) == OTHER
    assert server.ranges == [None, "bytes=303104-", None]


@pytest.mark.parametrize("about", ["", "{", "[]", '{"url": 1}', None])
def test_a_part_that_nothing_is_known_of_is_begun_anew(tmp_path, about):
    (tmp_path / "file.part").write_bytes(b"of something else")
    if about is not None:
        (tmp_path / "file.part.json").write_text(about)
    with FileServer(BODY) as server:
        assert download(server, tmp_path) == BODY
    assert server.ranges == [None]


def test_a_part_of_another_address_is_begun_anew(tmp_path):
    about = {"url": "http://elsewhere/file", "validator": '"a"', "length": len(BODY)}
    (tmp_path / "file.part").write_bytes(BODY[:1000])
    (tmp_path / "file.part.json").write_text(json.dumps(about))
    with FileServer(BODY) as server:
        assert download(server, tmp_path) == BODY
    assert server.ranges == [None]


@pytest.mark.parametrize("trouble", ["429", "500", "503", "reset", "html", "drop:0", "drop:999999"])
def test_trouble_that_passes_is_waited_for(tmp_path, trouble):
    with FileServer(BODY, behaviour=[trouble]) as server:
        assert download(server, tmp_path) == BODY
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("trouble", "message", "n_requests"),
    [
        ("404", r"gaiaedr3_wd_main\.fits\.gz: HTTP status 404 Not Found: try again later", 1),
        ("500", "HTTP status 500", 3),
        ("reset", "the connection broke; run again later", 3),
        ("html", "the answer is not a file but a page: IRSA is down for maintenance; run again later", 3),
        ("drop:0", r"the answer is not complete \(the connection broke\); run again later", 3),
    ],
)
def test_trouble_that_stays_is_an_error_and_leaves_the_old_file(tmp_path, trouble, message, n_requests):
    (tmp_path / "file").write_bytes(b"old")
    with FileServer(BODY, behaviour=[trouble] * 20) as server, pytest.raises(ServiceError, match=message):
        download(server, tmp_path, retries=2)
    assert len(server.requests) == n_requests
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"old"}


def test_a_file_that_does_not_pass_its_check_is_asked_for_again(tmp_path):
    def check(path):
        if path.read_bytes() != BODY:
            raise ServiceError("these are other bytes")

    with FileServer(BODY, behaviour=["wrong", "end:1000"]) as server:
        assert download(server, tmp_path, check=check) == BODY
    assert server.ranges == [None] * 3
    with (
        FileServer(BODY, behaviour=["wrong"] * 9) as server,
        pytest.raises(ServiceError, match="other bytes; run"),
    ):
        download(server, tmp_path, check=check)
    assert (tmp_path / "file").read_bytes() == BODY


def test_a_check_may_say_that_asking_again_is_of_no_use(tmp_path):
    def check(_):
        raise CatalogError("it has no stars")

    with FileServer(BODY) as server, pytest.raises(CatalogError, match="no stars"):
        download(server, tmp_path, check=check)
    assert len(server.requests) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_packs_against_our_wish_is_understood_but_not_continued(tmp_path):
    with FileServer(BODY, behaviour=["packed"]) as server:
        assert download(server, tmp_path) == BODY


def test_errors_of_downloads_do_not_show_secrets(tmp_path):
    with (
        FileServer(BODY, behaviour=["drop:16384"] * 2) as server,
        pytest.raises(ServiceError, match=r"token=\*\*\*"),
    ):
        client(retries=0).download(f"{server.url}?token=hunter2", tmp_path / "file")
    assert "hunter2" not in (tmp_path / "file.part.json").read_text()


# Answers in memory


def test_a_broken_answer_goes_on_within_its_retries():
    with FileServer(BODY, behaviour=["drop:303104", "drop:204800"]) as server:
        assert client().get(server.url, read=bytes, binary=True) == BODY
    assert server.ranges == [None, "bytes=303104-", "bytes=507904-"]
    assert server.sent == len(BODY)


def test_a_broken_answer_that_cannot_go_on_is_asked_for_anew():
    with FileServer(BODY, behaviour=["drop:303104", "416", "drop:16384", "all"]) as server:
        assert client().get(server.url, read=bytes, binary=True) == BODY
    assert server.ranges == [None, "bytes=303104-", None, "bytes=16384-"]


def test_an_answer_that_cannot_be_used_is_asked_for_anew_and_whole():
    def read(body):
        if body != BODY:
            raise ServiceError("these are other bytes")
        return len(body)

    with FileServer(BODY, behaviour=["wrong"]) as server:
        assert client().get(server.url, read=read, binary=True) == len(BODY)
    assert server.ranges == [None, None]


def test_texts_go_on_too():
    with FileServer(HTML.encode() * 1000, behaviour=["drop:8192"]) as server:
        assert client().get(server.url, read=str) == HTML * 1000
    assert server.ranges == [None, "bytes=8192-"]
