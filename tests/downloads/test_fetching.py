import errno
import io
import itertools
import logging
import os
import re
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from vo_lib.downloads.fetching import NOT_ASKED, fetch_all
from vo_lib.downloads.spool import Spool
from vo_lib.errors import PluginError, ServiceError
from vo_lib.observatories.credentials import read_secret
from vo_lib.provenance import PACKAGE_ROOT

PARAMETERS = {"release": "dr1"}
DTYPE = np.dtype([("jd", "f8")])


class Survey:
    """A survey whose answers are made by a function of the name; it counts who asks at a time."""

    def __init__(self, answer=lambda name: 3):
        self.answer = answer
        self.asked, self.most, self._now, self._lock = [], 0, 0, threading.Lock()

    def empty_table(self):
        return np.zeros(0, DTYPE)

    def fetch_data_from_observatory(self, cat_row):
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
            self.asked.append(cat_row["name"])
        answer = self.answer(cat_row["name"])
        with self._lock:
            self._now -= 1
        if isinstance(answer, Exception):
            raise answer
        return np.zeros(answer, DTYPE), {}


def rows(number):
    return [{"name": f"s{index:05d}", "ra": 10.0, "dec": 0.0} for index in range(number)]


def fetch(survey, number, folder, **options):
    return fetch_all(survey, rows(number), Spool(folder / "spool"), PARAMETERS, **options)


def test_each_source_is_asked_for_once_by_as_many_threads_as_wanted(tmp_path):
    together = threading.Barrier(4)

    def answer(_):
        together.wait(300)
        return 3

    survey = Survey(answer)
    assert fetch(survey, 40, tmp_path, threads=4) == {}
    assert sorted(survey.asked) == [row["name"] for row in rows(40)]
    assert survey.most == 4


@pytest.mark.parametrize("threads", [1, 4])
def test_every_answer_is_in_the_spool(tmp_path, threads):
    fetch(Survey(lambda name: int(name[1:]) % 3), 20, tmp_path, threads=threads)
    spool = Spool(tmp_path / "spool")
    assert [len(spool.get(row["name"]).data) for row in rows(20)] == [index % 3 for index in range(20)]


def test_a_service_that_is_down_is_not_asked_on_and_on(tmp_path):
    survey = Survey(lambda name: 3 if name < "s00005" else ServiceError("503"))
    failed = fetch(survey, 100, tmp_path, max_consecutive_failures=10)
    assert len(survey.asked) == 15
    assert list(failed.values()).count("503") == 10
    assert list(failed.values()).count(NOT_ASKED) == 85
    assert Spool(tmp_path / "spool").get("s00004").status == "ok"


def test_single_failures_do_not_stop_the_others(tmp_path):
    survey = Survey(lambda name: ServiceError("reset") if int(name[1:]) % 3 else 1)
    failed = fetch(survey, 60, tmp_path, max_consecutive_failures=3)
    assert len(survey.asked) == 60
    assert len(failed) == 40


def test_no_credential_is_in_the_reason_of_a_failure(tmp_path, monkeypatch):
    monkeypatch.setattr("vo_lib.observatories.credentials._seen", set())
    monkeypatch.setenv("SURVEY_TOKEN", "a-secret-word")
    token = read_secret("SURVEY_TOKEN")
    assert fetch(Survey(lambda _: ServiceError(f"refused {token}")), 1, tmp_path) == {"s00000": "refused ***"}
    assert token.encode() not in (tmp_path / "spool").read_bytes()


def test_no_limit_of_failures_asks_for_all(tmp_path):
    survey = Survey(lambda name: ServiceError("503"))
    assert len(fetch(survey, 50, tmp_path, max_consecutive_failures=0)) == 50
    assert len(survey.asked) == 50


def test_what_is_in_the_spool_is_not_asked_for_even_when_the_service_is_down(tmp_path):
    fetch(Survey(), 5, tmp_path)
    survey = Survey(lambda name: ServiceError("503"))
    failed = fetch(survey, 30, tmp_path, max_consecutive_failures=2)
    assert len(survey.asked) == 2
    assert not {f"s{index:05d}" for index in range(5)} & failed.keys()


@pytest.mark.parametrize("threads", [1, 4])
def test_an_error_of_the_program_ends_the_job_and_keeps_what_arrived(tmp_path, threads):
    failing, ending = threading.Event(), []

    def answer(name):
        if name == "s00020":
            ending.append(threading.current_thread())
            failing.set()
            return KeyError("bug")
        if name > "s00020":
            failing.wait()
            ending[0].join()
        return 1

    survey = Survey(answer)
    with pytest.raises(PluginError, match="KeyError: 'bug'"):
        fetch(survey, 1000, tmp_path, threads=threads)
    assert len(survey.asked) <= 21 + threads - 1
    assert Spool(tmp_path / "spool").get("s00010").status == "ok"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "must return a pair of a table and a dict, got None"),
        (np.zeros(2, DTYPE), "must return a pair of a table and a dict, got .* of shape"),
        ((np.zeros(2, DTYPE), []), "must return a pair of a table and a dict, got"),
        (
            (np.zeros(2, DTYPE), {"n": np.int64(3)}),
            "must return a dict that can be written as JSON .*, got Object of type int64",
        ),
        (SystemExit(3), "raises SystemExit: 3 .in .*test_fetching.py line"),
    ],
)
def test_an_answer_that_no_survey_may_give_is_told_with_its_source(tmp_path, answer, message):
    class Wrong(Survey):
        def fetch_data_from_observatory(self, cat_row):
            if isinstance(answer, SystemExit):
                raise answer
            return answer

    with pytest.raises(PluginError, match=rf"Wrong.fetch_data_from_observatory\(\) for 's00000' {message}"):
        fetch(Wrong(), 1, tmp_path)


def test_memory_is_bounded_by_the_sources_in_flight(tmp_path):
    """10,000 answers of 80 kB, 800 MB in all, never take more than a few of them."""

    class Sink(Spool):
        def put(self, answer):
            self.last = len(answer.data)

        def get(self, name):
            return None

    sources = rows(10_000)
    tracemalloc.start()
    try:
        fetch_all(Survey(lambda name: 10_000), sources, Sink(tmp_path / "spool"), PARAMETERS, threads=4)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10e6


def test_a_bar_shows_rate_time_left_and_outcomes(tmp_path, monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("tqdm.std.time", itertools.count(1000).__next__)
    answers = {"s00000": 0, "s00001": ServiceError("503")}
    fetch(Survey(lambda name: answers.get(name, 3)), 12, tmp_path, label="ZTF RA010")
    shown = terminal.getvalue().split("\r")
    assert any(
        re.search(r"ZTF RA010: +\d+%.* \d+/12 \[\d\d:\d\d<\d\d:\d\d, +[\d.]+(source/s|s/source)", line)
        for line in shown
    )
    assert any("ok=3, empty=1, failed=1" in line for line in shown)


def test_each_failure_is_a_line_of_the_log_and_a_bar_is_for_terminals_alone(tmp_path, caplog, capsys):
    with caplog.at_level(logging.WARNING, "vo_lib"):
        fetch(Survey(lambda name: ServiceError("503") if name < "s00002" else 1), 5, tmp_path, label="ZTF RA010")
    assert caplog.messages == [f"ZTF RA010 {name}: failed, 0 rows (503)" for name in ("s00000", "s00001")]
    assert capsys.readouterr().err == ""


STOPPED = """
import signal, sys, threading, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from test_fetching import Survey, fetch
signal.signal(signal.SIGINT, signal.default_int_handler)
def stop(name):
    if name < "s00002":
        return 1
    # As a person presses: a signal in the moment in which the main thread begins to wait has no effect until the next.
    for _ in range(120):
        time.sleep(5 if name == "s00003" else 600)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
fetch(Survey(stop), 9, Path(sys.argv[2]), threads=2)
"""


def test_who_stops_a_job_does_not_wait_for_the_archive(tmp_path):
    command = [sys.executable, "-c", STOPPED, str(Path(__file__).parent), str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(PACKAGE_ROOT)}
    # The archive takes 600 s.
    job = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert "KeyboardInterrupt" in job.stderr
    assert sorted(Spool(tmp_path / "spool").names()) == ["s00000", "s00001"]


def test_nothing_to_do(tmp_path):
    assert fetch(Survey(), 0, tmp_path, threads=4) == {}


def test_a_full_disk_is_found_before_a_survey_is_asked(tmp_path, monkeypatch):
    survey = Survey()
    assert fetch(survey, 1, tmp_path) == {}
    size = (tmp_path / "spool").stat().st_size

    def full(file, record):
        file.write(record[: len(record) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("vo_lib.downloads.spool._write", full)
    with pytest.raises(OSError, match="No space"):
        fetch(survey, 5, tmp_path)
    assert survey.asked == ["s00000"]
    assert (tmp_path / "spool").stat().st_size == size
