"""Queries that take long, against a server that works on them as TAP services do."""

import pytest
from servers.tap import AsyncTap, votable_error

from vo_lib.errors import CatalogError, ServiceError
from vo_lib.observatories import tap_jobs
from vo_lib.observatories.http import HttpClient

ADQL = "SELECT source_id, ra\nFROM gaiadr3.gaia_source WHERE phot_g_mean_mag < 3 AND ra > 0 -- bright"


def ask(archive, folder, *, check=None, **options):
    """Ask for a table; gives its bytes."""
    client = HttpClient(retry_wait_s=0.01, timeout_s=60, retries=options.pop("retries", 3))
    tap_jobs.query_to_file(client, archive.url, ADQL, folder / "table.vot", check=check, **{"poll_s": 0.01} | options)
    return (folder / "table.vot").read_bytes()


def shown(archive):
    """Requests without their parameters, and without the number of the job."""
    return [f"{request['method']} {request['path'].replace('171009961O', 'job')}" for request in archive.requests]


def test_a_query_is_started_waited_for_read_and_removed(tmp_path):
    with AsyncTap(b"<VOTABLE/>") as archive:
        assert ask(archive, tmp_path) == b"<VOTABLE/>"
    root = AsyncTap.ROOT
    job = f"{root}/job"
    assert shown(archive) == [f"POST {root}", *[f"GET {job}"] * 3, f"GET {job}/results/result", f"POST {job}"]
    assert archive.queries == [ADQL]
    assert archive.jobs == {}
    form = {name: archive.requests[0][name] for name in ("REQUEST", "LANG", "FORMAT", "PHASE")}
    assert form == {"REQUEST": "doQuery", "LANG": "ADQL", "FORMAT": "votable", "PHASE": "RUN"}


def test_a_job_that_waits_for_its_start_is_started(tmp_path):
    with AsyncTap(b"<VOTABLE/>", phases=("PENDING", "EXECUTING", "COMPLETED")) as archive:
        assert ask(archive, tmp_path) == b"<VOTABLE/>"


def test_the_check_decides(tmp_path):
    def check(path):
        raise CatalogError(f"{path.read_bytes()} is no catalog")

    with AsyncTap(b"x") as archive, pytest.raises(CatalogError, match="b'x' is no catalog"):
        ask(archive, tmp_path, check=check)
    assert archive.jobs == {}
    assert list(tmp_path.iterdir()) == []


def test_pauses_between_looks_grow_up_to_a_minute(tmp_path, monkeypatch):
    pauses = []
    monkeypatch.setattr(tap_jobs.time, "sleep", pauses.append)
    with AsyncTap(b"x", phases=["EXECUTING"] * 20 + ["COMPLETED"]) as archive:
        ask(archive, tmp_path, poll_s=1.0)
    waited = [pause for pause in pauses if pause]
    assert waited[:3] == [1.0, 1.5, 2.25]
    assert max(waited) == waited[-1] == 60.0


@pytest.mark.parametrize("phase", ["ERROR", "ABORTED"])
@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"message": "Column &quot;colour&quot; is unknown"}, 'Column "colour" is unknown'),
        ({"report": votable_error("Cannot parse query")}, "an error report: Cannot parse query"),
        ({"report": "Error 200: Cannot parse"}, "Error 200: Cannot parse"),
        ({}, "without a message"),
    ],
)
def test_a_query_that_fails_is_an_error_with_what_the_service_says(tmp_path, phase, said, message):
    with AsyncTap(phases=["EXECUTING", phase], **said) as archive, pytest.raises(ServiceError) as error:
        ask(archive, tmp_path)
    assert f"the query ended with {phase}: {message}" in str(error.value)
    assert "\n" not in str(error.value)
    assert archive.jobs == {}


def test_a_query_is_not_waited_for_for_ever(tmp_path):
    with (
        AsyncTap(phases=["EXECUTING"]) as archive,
        pytest.raises(ServiceError, match=r"the query is EXECUTING and there is no time left; .* query_timeout_s"),
    ):
        ask(archive, tmp_path, query_timeout_s=0.1)
    assert archive.jobs == {}


@pytest.mark.parametrize("trouble", ["503", "500", "reset", "html", "empty", "short"])
@pytest.mark.parametrize("before", range(5))
def test_trouble_that_passes_is_waited_for_at_each_step(tmp_path, trouble, before):
    def check(path):
        if path.read_bytes() != b"<VOTABLE/>":
            raise ServiceError("these are other bytes")

    with AsyncTap(b"<VOTABLE/>", behaviour=["ok"] * before + [trouble]) as archive:
        assert ask(archive, tmp_path, check=check) == b"<VOTABLE/>"


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        ("html", "tap/async: the answer is not a job but a page: IRSA is down for maintenance; run again later"),
        ("votable_error", "the answer is not a job but an error report: ORA-24459"),
        ("empty", "the answer is not a job but 'empty'; run again later"),
        ("503", "HTTP status 503"),
        ("400", "HTTP status 400 Bad Request: try again later"),
    ],
)
def test_a_service_at_rest_is_an_error(tmp_path, trouble, message):
    with AsyncTap(behaviour=[trouble] * 20) as archive, pytest.raises(ServiceError, match=message):
        ask(archive, tmp_path, retries=1)
    assert not (tmp_path / "table.vot").exists()


def test_a_job_that_is_gone_is_an_error_that_names_it(tmp_path):
    class Forgetful(AsyncTap):
        def _result(self, job):
            return 404, "no such result"

    with Forgetful() as archive, pytest.raises(ServiceError, match=r"171009961O/results/result: HTTP status 404"):
        ask(archive, tmp_path)
