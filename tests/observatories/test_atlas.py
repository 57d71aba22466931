import json
import time
from pathlib import Path

import numpy as np
import pytest
from astropy.time import Time
from servers.atlas import HEADER, TOKEN, AtlasServer, synthetic_result

from vo_lib.errors import ConfigError, ServiceError
from vo_lib.observatories.atlas import (
    BAD_CHI,
    BAD_ERROR,
    BAD_FRAME,
    FIT_ERROR,
    NO_SOLUTION,
    OTHER_FILTER,
    VirtualATLAS,
)
from vo_lib.observatories.atlas_queue import throttle_pause
from vo_lib.observatories.credentials import read_secret
from vo_lib.photometry import mag_from_flux
from vo_lib.times import standard_times

RECORDED = Path(__file__).resolve().parents[3] / "shared/data/ps1/recorded_atlas_post_and_ps1_mean.json"
ROW = {"name": "WD J0000+5123", "ra": 0.0, "dec": 51.3937, "epoch": 2016.0}
LINE = "58000.5 18.9 0.07 100 20 o 0 1.1 0.00000 51.39370 4712 801 2.7 2.4 -54.1 -0.4 19.3 20.1 01a99999o0001o"


@pytest.fixture(autouse=True)
def _token(monkeypatch):
    monkeypatch.delenv("ATLASFORCED_TOKEN_FILE", raising=False)
    monkeypatch.setenv("ATLASFORCED_TOKEN", TOKEN)


def fetch_from(server, row=ROW, **parameters):
    """Ask a server of this machine without long pauses."""
    quick = {"poll_s": 0.01, "retry_wait_s": 0.01, "timeout_s": 60, "queue_timeout_s": 99}
    survey = VirtualATLAS(url=server.url + "/forcedphot", **quick | parameters)
    return survey.fetch_data_from_observatory(row)


def fetch(row=ROW, *, results=None, behaviour=None, polls=1, wait="1 second", **parameters):
    """Ask a new server of this machine; give what it answered and the server."""
    with AtlasServer(results, behaviour=behaviour, polls=polls, wait=wait) as server:
        return *fetch_from(server, row, **parameters), server


def standardise(line=LINE, **parameters):
    """Standard columns of one epoch, given as its line."""
    data, altdata, _ = fetch(results=[(0.0, 51.3937, f"{HEADER}\n{line}\n")])
    return {name: column[0] for name, column in VirtualATLAS(**parameters).standardise(data, altdata).items()}


def with_value(name, value):
    """The line with one of its values changed."""
    words = LINE.split()
    words[HEADER.removeprefix("###").split().index(name)] = value
    return " ".join(words)


def test_rows_are_kept_as_they_were_sent():
    data, altdata, _ = fetch()
    lines = synthetic_result().splitlines()[1:]
    assert len(data) == len(lines) == 120
    assert data["Obs"].tolist() == [line.split()[-1].encode() for line in lines]
    assert data["chi/N"].tolist() == [float(line.split()[7]) for line in lines]
    assert altdata["query"]["use_reduced"] == "True"


def test_the_conversation_asks_polls_reads_and_tidies_up():
    _, _, server = fetch(polls=3)
    assert [request.kind for request in server.requests] == ["queue", *["task"] * 4, "result", "delete"]
    assert server.tasks == {}
    assert {request.headers["Authorization"] for request in server.requests} == {f"Token {TOKEN}"}


def test_the_form_has_position_times_and_kind_of_images():
    form = fetch()[2].requests[0].form
    assert form == {
        "ra": "0.0000000",
        "dec": "51.3937000",
        "mjd_min": "57000.00000",
        "use_reduced": "True",
        "send_email": "False",
    }
    form = fetch(images="difference", mjd_min=58000, mjd_max=59000)[2].requests[0].form
    assert (form["mjd_min"], form["mjd_max"], form["use_reduced"]) == ("58000.00000", "59000.00000", "False")


def test_a_moving_source_is_followed_by_the_server():
    form = fetch(ROW | {"pmra": None, "pmdec": 400.0, "epoch": None})[2].requests[0].form
    assert (form["ra"], form["propermotion_ra"], form["propermotion_dec"]) == ("0.0000000", "0.0000", "400.0000")
    assert float(form["dec"]) == pytest.approx(51.3937 + 4.5 * 0.4 / 3600, abs=1e-6)


@pytest.mark.parametrize("epoch", [1991.25, 2000, 2016.0, None])
def test_the_year_of_a_moving_source_has_the_one_decimal_that_the_server_takes(epoch):
    row = ROW | {"dec": 51.3937 - 0.4 * (2020.5 - (epoch or 2016.0)) / 3600, "pmdec": 400.0, "epoch": epoch}
    data, altdata, _ = fetch(row)
    assert len(data) == 120
    assert altdata["query"]["radec_epoch_year"] == "2020.5"
    assert altdata["query"]["dec"] == "51.3937000"


def test_or_else_measured_where_it_was_in_the_middle_of_the_survey():
    form = fetch(ROW | {"pmdec": 400.0}, send_proper_motion=False)[2].requests[0].form
    assert float(form["dec"]) == pytest.approx(51.3937 + 4.5 * 0.4 / 3600, abs=1e-6)
    assert "propermotion_dec" not in form


def test_the_form_and_the_task_are_those_of_a_recorded_exchange():
    if not RECORDED.exists():
        pytest.skip("the genuine survey answers are not beside the project")
    recorded = next(item for item in json.loads(RECORDED.read_text()) if item["method"] == "POST")
    _, _, server = fetch(mjd_max=59000)
    sent = {part.partition("=")[0] for part in recorded["request_body"].split("&")}
    assert sent | {"use_reduced"} == set(server.requests[0].form)
    with AtlasServer() as server:
        _, task = server._add({"ra": "0", "dec": "0"})
    assert task.keys() <= json.loads(recorded["body"]).keys()


def test_no_data_is_what_the_server_says_and_not_an_error():
    data, altdata, server = fetch(ROW | {"dec": 10.0})
    assert data.shape == (0,)
    assert data.dtype == VirtualATLAS().dtype
    assert altdata["note"] == "the server says that it has no data"
    assert server.tasks == {}


def test_a_header_without_rows_is_no_data():
    assert fetch(results=[(0.0, 51.3937, HEADER + "\n")])[0].shape == (0,)


@pytest.mark.parametrize(
    ("kind", "trouble", "message"),
    [
        ("queue", "html", "the answer is not JSON but '<html>"),
        ("queue", "empty", "the answer is not JSON but 'empty'"),
        ("queue", "400", "HTTP status 400"),
        ("queue", "401", "HTTP status 401"),
        ("queue", "503", "HTTP status 503"),
        ("queue", "reset", "the connection broke"),
        ("queue", "elsewhere", "the server names an address elsewhere: 'http://127.0.0.2:1/queue/1/'"),
        ("task", "html", "the answer is not JSON"),
        ("task", "404", "HTTP status 404"),
        ("task", "task_failed", "the task failed: ephemeris error"),
        ("task", "no_result", "the task failed: no result"),
        ("result", "404", "HTTP status 404"),
        ("result", "html", "a page: IRSA is down for maintenance"),
        ("result", "empty", "the answer is empty"),
        ("result", "truncated", "the answer was cut off"),
        ("result", "cut_at_end", "the last line of the answer has no end"),
        ("result", "missing_column", "the answer has no column 'duJy'"),
        ("result", "short", "the answer is not complete"),
        ("result", "503", "HTTP status 503"),
    ],
)
def test_a_bad_answer_is_an_error_and_never_no_data(kind, trouble, message):
    with AtlasServer(behaviour={kind: [trouble] * 10}) as server:
        with pytest.raises(ServiceError, match=message) as error:
            fetch_from(server, retries=1)
        assert TOKEN not in str(error.value)
        assert kind == "queue" or server.tasks == {}


@pytest.mark.parametrize("kind", ["queue", "task", "result"])
@pytest.mark.parametrize("trouble", ["html", "empty", "503", "reset"])
def test_a_bad_answer_that_is_good_the_second_time_is_none(kind, trouble):
    data, _, server = fetch(behaviour={kind: [trouble]})
    assert len(data) == 120
    assert len(server.of_kind(kind)) > 1


@pytest.mark.parametrize("kind", ["queue", "task"])
def test_too_many_requests_are_put_off_as_long_as_the_server_asks(kind):
    start = time.monotonic()
    data, _, server = fetch(behaviour={kind: ["throttled"]}, retries=0)
    assert len(data) == 120
    assert time.monotonic() - start >= 1
    assert len(server.of_kind(kind)) == 2


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        ({"detail": "Request was throttled. Expected available in 17 seconds."}, 17),
        ({"detail": "Request was throttled. Expected available in 1 second."}, 1),
        ({"detail": "Expected available in 2 minutes."}, 120),
        ({"detail": "slow down"}, float("inf")),
        ({"url": "http://x"}, None),
        ([], None),
    ],
)
def test_pause_of_a_throttled_request(answer, seconds):
    assert throttle_pause(answer) == seconds


def test_a_server_that_asks_for_more_time_than_there_is_gives_no_answer():
    with pytest.raises(ServiceError, match=r"too many requests, wait for 3600 s, but queue_timeout_s is 99; run again"):
        fetch(behaviour={"queue": ["throttled"]}, wait="1 hour")


def test_a_task_that_is_not_finished_in_time_is_taken_out_of_the_queue():
    with AtlasServer(polls=1000) as server:
        with pytest.raises(
            ServiceError, match=r"the task is not finished, but queue_timeout_s is 0.2; run again later"
        ):
            fetch_from(server, queue_timeout_s=0.2)
        assert server.tasks == {}


def test_a_result_counts_though_the_task_cannot_be_removed():
    assert len(fetch(behaviour={"delete": ["500"]})[0]) == 120


def test_the_token_may_be_in_a_file_of_the_users_own(monkeypatch, tmp_path):
    monkeypatch.delenv("ATLASFORCED_TOKEN")
    monkeypatch.setenv("ATLASFORCED_TOKEN_FILE", str(tmp_path / "token"))
    (tmp_path / "token").write_text(TOKEN + "\n")
    (tmp_path / "token").chmod(0o600)
    assert len(fetch()[0]) == 120
    (tmp_path / "token").chmod(0o644)
    with pytest.raises(ConfigError, match=r"ATLASFORCED_TOKEN_FILE: others may read .*token; run chmod 600"):
        fetch()


def test_without_a_token_nothing_is_asked(monkeypatch):
    monkeypatch.delenv("ATLASFORCED_TOKEN")
    with AtlasServer() as server:
        with pytest.raises(ConfigError, match="set the environment variable ATLASFORCED_TOKEN, or ATLASFORCED_TOKEN_F"):
            fetch_from(server)
        assert server.requests == []


@pytest.mark.parametrize("value", ["two words", "line\nbreak", "caf\u00e9"])
def test_a_credential_that_cannot_be_sent_is_not_shown(monkeypatch, value):
    monkeypatch.setenv("SOME_TOKEN", value)
    with pytest.raises(ConfigError, match=r"^SOME_TOKEN must be one word of printable ASCII$"):
        read_secret("SOME_TOKEN")


def test_a_file_of_a_credential_that_is_not_there(monkeypatch, tmp_path):
    monkeypatch.setenv("SOME_TOKEN_FILE", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match=r"SOME_TOKEN_FILE: cannot read .*none \(No such file or directory\)"):
        read_secret("SOME_TOKEN")


def test_the_token_is_in_nothing_that_is_kept():
    _, altdata, _ = fetch()
    assert TOKEN not in json.dumps(altdata) + repr(VirtualATLAS().pars)


def test_fluxes_are_microjansky_and_may_be_negative():
    assert mag_from_flux(*(standardise()[name] for name in ("flux", "fluxerr")))[0] == pytest.approx(18.9)
    assert standardise(with_value("uJy", "-250"))["flux"] == -250


def test_bits_are_those_that_are_documented():
    assert (FIT_ERROR, BAD_CHI, BAD_ERROR, OTHER_FILTER, NO_SOLUTION, BAD_FRAME) == (1, 2, 4, 8, 16, 32)


@pytest.mark.parametrize(
    ("name", "value", "flag"),
    [
        ("err", "0", 0),
        ("err", "1", FIT_ERROR),
        ("chi/N", "100", 0),
        ("chi/N", "100.01", BAD_CHI),
        ("chi/N", "nan", BAD_CHI),
        ("duJy", "0", BAD_ERROR),
        ("duJy", "-5", BAD_ERROR),
        ("duJy", "nan", BAD_ERROR),
        ("duJy", "10000", BAD_ERROR),
        ("F", "w", OTHER_FILTER),
        ("mag5sig", "9.9", NO_SOLUTION | BAD_FRAME),
        ("mag5sig", "nan", NO_SOLUTION | BAD_FRAME),
        ("mag5sig", "16.9", BAD_FRAME),
        ("x", "99", BAD_FRAME),
        ("y", "10461", BAD_FRAME),
        ("maj", "5.1", BAD_FRAME),
        ("min", "1.5", BAD_FRAME),
        ("apfit", "-0.05", BAD_FRAME),
        ("apfit", "-1.2", BAD_FRAME),
        ("Sky", "16.5", BAD_FRAME),
        ("Sky", "nan", BAD_FRAME),
    ],
)
def test_flags(name, value, flag):
    assert standardise(with_value(name, value))["flag"] == flag
    assert flag & VirtualATLAS.bad_flag_mask == flag


@pytest.mark.parametrize(("code", "name"), [("c", "atlas-c"), ("o", "atlas-o"), ("w", "atlas-other")])
def test_filters(code, name):
    assert standardise(with_value("F", code))["filter"] == name


def test_the_limit_of_the_fit_is_a_parameter():
    assert standardise(with_value("chi/N", "100.01"), max_chi_n=101)["flag"] == 0


@pytest.mark.parametrize(
    ("parameters", "later_s"), [({}, 15), ({"time_stamp": "mid"}, 0), ({"time_stamp": "end"}, -15)]
)
def test_times_are_starts_in_utc_unless_told_otherwise(parameters, later_s):
    survey = VirtualATLAS(**parameters)
    exptime = standardise()["exptime"]
    mjd, _ = standard_times([58000.5], survey.time, exptime=exptime, ra=0.0, dec=0.0, site=survey.site)
    assert (mjd[0] - Time("2017-09-04T12:00:00", scale="utc").mjd) * 86400 == pytest.approx(later_s, abs=1e-4)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"token": TOKEN}, "'token' is not a parameter"),
        ({"images": "stacked"}, "images must be one of reduced, difference, got 'stacked'"),
        ({"time_stamp": "middle"}, "time_stamp must be one of start, mid, end, got 'middle'"),
        ({"mjd_min": 59000, "mjd_max": 58000}, "mjd_max must be 0 or later than mjd_min, got 58000"),
        ({"poll_s": 0}, "poll_s must be between 0.01 and 600, got 0"),
        ({"max_chi_n": -1}, "max_chi_n must be between 0.01 and 1e"),
        ({"url": "https://me:pw@x/y"}, "url must be an http or https address"),
    ],
)
def test_unusable_parameters(parameters, message):
    with pytest.raises(ConfigError, match=message) as error:
        VirtualATLAS(**parameters)
    assert TOKEN not in str(error.value)


def test_epochs_are_one_series():
    data, altdata, _ = fetch()
    assert np.unique(VirtualATLAS().standardise(data, altdata)["series"]).tolist() == ["forced"]


@pytest.mark.parametrize(("images", "left_out"), [("reduced", {"faint"}), ("difference", set())])
def test_changes_are_not_compared_with_the_magnitude_of_the_catalog(images, left_out):
    data, altdata, _ = fetch()
    reduction = VirtualATLAS(images=images).reduce(ROW | {"mag": 10.0}, data, altdata)
    assert set(reduction.left_out["reason"]) & {"bright", "faint"} == left_out
