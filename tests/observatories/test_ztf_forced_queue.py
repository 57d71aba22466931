import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
from servers.zfps import SECRETS, ZfpsServer, synthetic_result
from still_clock import StillClock

from vo_lib.errors import ConfigError, ServiceError, UnreachableError
from vo_lib.observatories import ztf_forced, ztf_forced_queue
from vo_lib.observatories.answer_text import shorten
from vo_lib.observatories.credentials import mask, read_secret
from vo_lib.observatories.ztf_forced import VirtualZTFForced
from vo_lib.observatories.ztf_forced_queue import EMPTY_CODES, FAILURE_CODES, RESULT_CODES
from vo_lib.provenance import PACKAGE_ROOT

ROW = {"name": "WD J0000+5123", "ra": 0.0, "dec": 51.3937}
QUICK = {"poll_s": 0.01, "retry_wait_s": 0.01, "timeout_s": 60, "queue_timeout_s": 600, "mjd_max": 61000.0}
PLACE = {"ras": [0.0], "decs": [51.3937], "jdstart": 2458194.5, "jdend": 2461000.5}
N_EPOCHS = 75


@pytest.fixture(autouse=True)
def _secrets(monkeypatch):
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)


def fetch_from(server, row=ROW, **parameters):
    """Ask a server of this machine without long pauses, as a process that has just begun."""
    return VirtualZTFForced(url=server.url, **QUICK | parameters).fetch_data_from_observatory(row)


def fetch(row=ROW, *, behaviour=None, polls=1, hidden=0, exit_code=0, **parameters):
    """Ask a new server of this machine; give what it answered and the server."""
    with ZfpsServer(behaviour=behaviour, polls=polls, hidden=hidden, exit_code=exit_code) as server:
        return *fetch_from(server, row, **parameters), server


def test_the_conversation_looks_submits_waits_and_reads():
    data, altdata, server = fetch(polls=3)
    assert len(data) == N_EPOCHS
    assert [request.kind for request in server.requests] == ["list", "submit", *["list"] * 4, "result"]
    assert altdata["job"] == {"number": "4711", "jdend": 2461000.5, "exit_code": 0}


def test_a_position_is_submitted_as_lists_in_json_and_secrets_in_the_body():
    server = fetch()[2]
    form = server.of_kind("submit")[0].form
    assert form == {
        "ra": "[0.0]",
        "dec": "[51.3937]",
        "jdstart": "2458194.5",
        "jdend": "2461000.5",
        "email": SECRETS["ZTF_FORCED_EMAIL"],
        "userpass": SECRETS["ZTF_FORCED_USERPASS"],
    }
    assert server.of_kind("submit")[0].query == {}
    assert server.of_kind("list")[0].query["option"] == "All recent jobs"


@pytest.mark.parametrize(("exit_code", "note"), RESULT_CODES.items())
def test_a_job_that_ended_with_a_warning_has_a_result(exit_code, note):
    data, altdata, _ = fetch(exit_code=exit_code)
    assert len(data) == N_EPOCHS
    assert altdata["job"]["exit_code"] == exit_code
    assert altdata["job"].get("note", "") == note


def test_no_epochs_are_no_data_and_not_an_error():
    data, altdata, server = fetch(ROW | {"dec": 10.0})
    assert data.shape == (0,)
    assert data.dtype == VirtualZTFForced().dtype
    assert altdata["job"]["note"] == EMPTY_CODES[63] == "the service says that it has no epochs"
    assert server.of_kind("result") == []


def test_a_repeated_run_finds_its_job_without_epochs():
    with ZfpsServer() as server:
        assert [len(fetch_from(server, ROW | {"dec": 10.0})[0]) for _ in range(2)] == [0, 0]
        assert len(server.of_kind("submit")) == 1


@pytest.mark.parametrize(("exit_code", "meaning"), [*FAILURE_CODES.items(), (99, "which has no known meaning")])
def test_a_job_that_failed_is_an_error_and_is_submitted_again_by_the_next_run(exit_code, meaning):
    with ZfpsServer(exit_code=exit_code) as server:
        with pytest.raises(ServiceError, match=f"job 4711 failed with exit code {exit_code}: {meaning}; run again"):
            fetch_from(server)
        assert len(server.of_kind("submit")) == 1
        server.exit_code = 0
        assert fetch_from(server)[1]["job"]["number"] == "4712"


def test_a_repeated_run_finds_its_job_that_waits(monkeypatch):
    monkeypatch.setattr(ztf_forced_queue, "time", StillClock())
    with ZfpsServer(polls=10) as server:
        with pytest.raises(ServiceError, match="job 4711 has not ended, but queue_timeout_s is 0.05; run again later"):
            fetch_from(server, queue_timeout_s=0.05, poll_s=0.02)
        assert len(fetch_from(server)[0]) == N_EPOCHS
        assert len(server.of_kind("submit")) == 1


def test_a_repeated_run_finds_its_job_that_has_ended():
    with ZfpsServer() as server:
        first, again = fetch_from(server), fetch_from(server)
        assert first[0].tobytes() == again[0].tobytes()
        assert len(server.of_kind("submit")) == 1


def test_a_repeated_run_finds_the_job_of_each_source():
    """The list has their positions with six decimals."""
    ra, dec = 90.1234567, 10.7654321
    results = [(0.0, 51.3937, synthetic_result()), (ra, dec, synthetic_result(ra, dec, seed=1, counts=(5, 4, 3)))]
    with ZfpsServer(results) as server:
        first, again = ([fetch_from(server, row)[0] for row in (ROW, ROW | {"ra": ra, "dec": dec})] for _ in range(2))
        assert [len(data) for data in first] == [N_EPOCHS, 12]
        assert [data.tobytes() for data in first] == [data.tobytes() for data in again]
        assert len(server.of_kind("submit")) == 2


def test_a_job_that_ended_well_without_a_result_is_no_result():
    with ZfpsServer() as server:
        server.add(**PLACE, ended="x", exitcode="0", lightcurve="")
        assert fetch_from(server)[1]["job"]["number"] == "4712"


def test_a_run_that_is_killed_submits_nothing_twice():
    code = f"""
from vo_lib.observatories.ztf_forced import VirtualZTFForced
VirtualZTFForced(url=%r, **{QUICK!r}).fetch_data_from_observatory({ROW!r})
"""
    with ZfpsServer(polls=100000) as server:
        job = subprocess.Popen([sys.executable, "-c", code % server.url], cwd=PACKAGE_ROOT)
        end = time.monotonic() + 300
        while not server.jobs and time.monotonic() < end:
            time.sleep(0.01)
        job.kill()
        job.wait()
        server.polls = 0
        assert len(fetch_from(server)[0]) == N_EPOCHS
        assert len(server.jobs) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"ras": [0.0001]},
        {"decs": [51.3938]},
        {"jdstart": 2458195.5},
        {"jdend": 2461001.5},
        {"jdend": 2460999.5},
    ],
)
def test_jobs_of_other_places_and_times_are_other_jobs(other):
    with ZfpsServer() as server:
        server.add(**PLACE | other)
        assert fetch_from(server)[1]["job"]["number"] == "4712"


def test_a_job_across_right_ascension_0_is_found_again():
    with ZfpsServer() as server:
        server.add(**PLACE | {"ras": [359.9999999]})
        assert fetch_from(server)[1]["job"]["number"] == "4711"


def test_without_a_last_time_a_job_of_the_last_7_days_will_do(monkeypatch):
    with ZfpsServer() as server:
        monkeypatch.setattr(ztf_forced.time, "time", lambda: (61000 - 40587 + 0.7) * 86400)
        assert fetch_from(server, mjd_max=0)[1]["query"]["jdend"] == 2461000.5
        monkeypatch.setattr(ztf_forced.time, "time", lambda: (61007 - 40587 + 0.9) * 86400)
        assert fetch_from(server, mjd_max=0)[1]["job"] == {"number": "4711", "jdend": 2461000.5, "exit_code": 0}
        monkeypatch.setattr(ztf_forced.time, "time", lambda: (61008 - 40587) * 86400)
        assert fetch_from(server, mjd_max=0)[1]["job"]["jdend"] == 2461008.5
        assert len(server.of_kind("submit")) == 2


def test_of_several_results_that_will_do_the_latest_is_taken(monkeypatch):
    monkeypatch.setattr(ztf_forced.time, "time", lambda: (61006 - 40587) * 86400)
    with ZfpsServer() as server:
        for number, jdend in ((4711, 2461003.5), (4712, 2461005.5), (4713, 2461002.5)):
            path = f"/ztf/ops/req{number}_lc.txt"
            server.add(**PLACE | {"jdend": jdend}, ended="x", exitcode="0", lightcurve=path)
        assert fetch_from(server, mjd_max=0)[1]["job"]["number"] == "4712"


def test_a_job_with_a_result_is_taken_rather_than_one_that_waits():
    with ZfpsServer(polls=1000) as server:
        server.add(**PLACE)
        server.add(**PLACE, ended="x", exitcode="0", lightcurve="/ztf/ops/req4712_lc.txt")
        assert fetch_from(server)[1]["job"]["number"] == "4712"


def test_an_old_result_that_is_no_longer_kept_is_made_anew():
    with ZfpsServer(behaviour={"result": ["404"]}) as server:
        server.add(**PLACE, ended="x", exitcode="0", lightcurve="/ztf/ops/req4711_lc.txt")
        assert fetch_from(server)[1]["job"]["number"] == "4712"


def test_a_result_that_cannot_be_read_now_is_not_made_anew():
    with ZfpsServer(behaviour={"result": ["503"] * 10}) as server:
        server.add(**PLACE, ended="x", exitcode="0", lightcurve="/ztf/ops/req4711_lc.txt")
        with pytest.raises(ServiceError, match="HTTP status 503"):
            fetch_from(server, retries=1)
        assert server.of_kind("submit") == []


@pytest.mark.parametrize("path", ["", "https://127.0.0.2/ztf/ops/x_lc.txt", "//127.0.0.2/x_lc.txt"])
def test_a_result_is_read_from_the_service_alone(path):
    with ZfpsServer(exit_code=0) as server:
        server._end = lambda job: job.update(ended="x", exitcode="0", lightcurve=path)
        with pytest.raises(ServiceError, match=f"job 4711 has no result on the service, but '{path}'"):
            fetch_from(server)


@pytest.mark.parametrize("kind", ["list", "submit"])
def test_a_busy_database_is_waited_for(kind):
    data, _, server = fetch(behaviour={kind: ["busy", "busy"]})
    assert len(data) == N_EPOCHS
    assert len(server.jobs) == 1


def test_a_database_that_stays_busy_is_an_error():
    with ZfpsServer(behaviour={"list": ["busy"] * 1000}) as server:
        with pytest.raises(
            ServiceError, match=r"the service's database is busy, but queue_timeout_s is 0.1; run again"
        ):
            fetch_from(server, queue_timeout_s=0.1)
        assert server.jobs == []


def test_a_list_that_is_behind_is_waited_for():
    data, _, server = fetch(hidden=5, behaviour={"list": ["ok", "zero"]})
    assert len(data) == N_EPOCHS
    assert len(server.jobs) == 1


def test_a_service_that_cannot_be_reached_is_told_from_one_that_answers():
    with pytest.raises(UnreachableError, match="the connection broke"):
        fetch(behaviour={"list": ["reset"] * 10}, retries=1)
    with pytest.raises(ServiceError, match="HTTP status 401") as error:
        fetch(behaviour={"list": ["401"] * 10}, retries=1)
    assert error.type is ServiceError


@pytest.mark.parametrize("trouble", ["503", "reset", "busy", "401"])
def test_a_position_that_did_not_arrive_is_submitted_again(trouble):
    data, _, server = fetch(behaviour={"submit": [trouble]})
    assert len(data) == N_EPOCHS
    assert len(server.of_kind("submit")) == 2
    assert len(server.jobs) == 1


def test_a_position_that_arrived_though_the_answer_was_lost_is_not_submitted_again():
    data, _, server = fetch(behaviour={"submit": ["short"]})
    assert len(data) == N_EPOCHS
    assert len(server.of_kind("submit")) == len(server.jobs) == 1


def test_a_page_instead_of_a_receipt_is_told_when_the_job_does_not_come():
    with (
        ZfpsServer(behaviour={"submit": ["html"]}) as server,
        pytest.raises(ServiceError, match=r"not in the list \(the service said '<html>.*'\), but queue_timeout_s is"),
    ):
        fetch_from(server, queue_timeout_s=0.1)


@pytest.mark.parametrize(
    ("kind", "trouble", "message"),
    [
        ("list", "html", "the answer is not a list of jobs but '<html>"),
        ("list", "empty", "the answer is not a list of jobs but 'empty'"),
        ("list", "cut_list", "the list of jobs was cut off"),
        ("list", "missing_column", "the answer is not a list of jobs"),
        ("list", "short", "the answer is not complete"),
        ("list", "401", "the service refuses the user and password of its site"),
        ("list", "503", "HTTP status 503"),
        ("submit", "401", "the service refuses the user and password of its site"),
        ("submit", "503", "HTTP status 503"),
        ("submit", "reset", "the connection broke"),
        ("submit", "busy", "the service's database is busy"),
        ("result", "404", "HTTP status 404 Not Found; the service keeps results for some 30 days"),
        ("result", "html", "a page: IRSA is down for maintenance"),
        ("result", "empty", "the answer is empty"),
        ("result", "truncated", "the answer was cut off"),
        ("result", "cut_at_end", "the last line of the answer has no end"),
        ("result", "missing_column", "the answer has no column 'zpdiff'"),
        ("result", "short", "the answer is not complete"),
    ],
)
def test_a_bad_answer_is_an_error_and_never_no_data(kind, trouble, message):
    with ZfpsServer(behaviour={kind: [trouble] * 10}) as server:
        server.add(**PLACE | {"decs": [0.0]})  # a list that can be cut
        with pytest.raises(ServiceError, match=message):
            fetch_from(server, retries=1)


@pytest.mark.parametrize("kind", ["list", "result"])
@pytest.mark.parametrize("trouble", ["html", "empty", "503", "reset", "cut_list"])
def test_a_bad_answer_that_is_good_the_second_time_is_none(kind, trouble):
    data, _, server = fetch(behaviour={kind: [trouble]})
    assert len(data) == N_EPOCHS
    assert len(server.jobs) == 1


def test_threads_share_the_list_of_jobs():
    places = [(10.0 * number, 20.0) for number in range(8)]
    results = [(ra, dec, synthetic_result(ra, dec, seed=int(ra))) for ra, dec in places]
    with ZfpsServer(results, polls=0) as server:
        survey = VirtualZTFForced(url=server.url, **QUICK | {"poll_s": 0.5})
        rows, begin = [{"name": f"{ra}", "ra": ra, "dec": dec} for ra, dec in places], time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(survey.fetch_data_from_observatory, rows))
        assert [data["ra"][0] for data, _ in answers] == [ra for ra, _ in places]
        assert [altdata["query"]["ra"] for _, altdata in answers] == [ra for ra, _ in places]
        assert len(server.of_kind("submit")) == 8
        assert len(server.of_kind("list")) <= 1 + (time.monotonic() - begin) / 0.5


@pytest.mark.parametrize(
    "behaviour",
    [
        {},
        {"list": ["echo"] * 10},
        {"list": ["echo_500"] * 10},
        {"list": ["400"]},
        {"list": ["reset"] * 10},
        {"submit": ["echo"]},
        {"submit": ["echo_500"] * 10},
        {"result": ["echo_500"] * 10},
        {"result": ["503", "echo"]},
    ],
)
def test_the_secrets_are_in_no_output(behaviour, caplog, capfd):
    caplog.set_level("DEBUG")
    with ZfpsServer(behaviour=behaviour) as server:
        survey = VirtualZTFForced(url=server.url, **QUICK | {"queue_timeout_s": 0.3, "retries": 1})
        try:
            said = json.dumps(survey.fetch_data_from_observatory(ROW)[1])
        except ServiceError as error:
            said = str(error)
    written = said + repr(survey.pars) + caplog.text + "".join(capfd.readouterr())
    assert not any(secret in written or quote(secret) in written for secret in SECRETS.values())


def test_a_secret_that_a_message_is_cut_in_is_not_shown():
    for name, secret in SECRETS.items():
        read_secret(name)
        for length in range(10, 30):
            said = mask(shorten(f"No user {secret} is known", length))
            assert secret[:4] not in said
            assert said.startswith("No user"[: length - 3])


def test_secrets_in_the_comments_of_a_result_are_not_kept():
    email = SECRETS["ZTF_FORCED_EMAIL"]
    text = synthetic_result().replace("# Generated by", f"# For {email}, generated by")
    with ZfpsServer([(0.0, 51.3937, text)]) as server:
        comments = fetch_from(server)[1]["comments"]
    assert comments[1] == "# For ***, generated by an invented program, v0.0"


@pytest.mark.parametrize("name", list(SECRETS))
def test_without_one_of_the_secrets_nothing_is_asked(monkeypatch, name):
    monkeypatch.delenv(name)
    with ZfpsServer() as server:
        with pytest.raises(ConfigError, match=f"set the environment variable {name}, or {name}_FILE to a file with"):
            fetch_from(server)
        assert server.requests == []
    assert name in VirtualZTFForced.credentials


def test_secrets_may_be_in_files_of_the_users_own(monkeypatch, tmp_path):
    for name, secret in SECRETS.items():
        monkeypatch.delenv(name)
        monkeypatch.setenv(f"{name}_FILE", str(tmp_path / name))
        (tmp_path / name).write_text(secret + "\n")
        (tmp_path / name).chmod(0o600)
    assert len(fetch()[0]) == N_EPOCHS
    (tmp_path / name).chmod(0o640)
    with pytest.raises(ConfigError, match=f"{name}_FILE: others may read .*; run chmod 600"):
        fetch()


def test_the_password_of_the_site_is_that_of_the_environment(monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert len(fetch()[0]) == N_EPOCHS
