import csv

import pytest

from vo_lib.running.failures import COLUMNS, collect_failures, write_failures

URL = "https://archive.test/search?POS=1,2&token=***"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with failures in one of two bins."""
    monkeypatch.chdir(tmp_path)
    write_failures(
        "X",
        "ZTF",
        "RA001",
        {"a, b": f"{URL}: HTTP status 503: no message; run again later", "c": "service_down: not asked for"},
    )
    write_failures("X", "ZTF", "RA002", {})
    return tmp_path / "X"


COMMAND = "snakemake --cores all --configfile x.yaml"
RETRY = f"{COMMAND} -- X/manifests/one.jsonl"
MANIFESTS = {("ZTF", "RA001"): "X/manifests/one.jsonl", ("ZTF", "RA002"): "X/manifests/two.jsonl"}


def test_failures_of_all_bins_are_in_one_table(project):
    assert collect_failures(project, MANIFESTS, COMMAND) == 2
    with open(project / "failures.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == COLUMNS
    assert rows[0][:3] == ["a, b", "ZTF", "RA001"]
    assert rows[0][3:] == [f"{URL}: HTTP status 503: no message; run again later", URL, RETRY]
    assert rows[1][3:] == ["service_down: not asked for", "", RETRY]
    assert len(rows) == 2


def test_failures_that_are_mended_go(project):
    collect_failures(project, MANIFESTS, COMMAND)
    write_failures("X", "ZTF", "RA001", {})
    assert collect_failures(project, MANIFESTS, COMMAND) == 0
    assert not (project / "failures.csv").exists()


def test_bins_that_are_not_of_the_project_do_not_count(project):
    assert collect_failures(project, {("ZTF", "RA002"): "x"}, COMMAND) == 0
