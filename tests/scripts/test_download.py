"""The download of a bin as a job: limits of failures, what is kept, what is told."""

import json
from pathlib import Path

import pytest
from filelock import FileLock, Timeout
from workspace import Workspace

import scripts.download
from scripts.download import main
from vo_lib.downloads import outage
from vo_lib.downloads.fetching import NOT_ASKED
from vo_lib.downloads.manifest import raw_state, read_manifest
from vo_lib.errors import ServiceError, UnreachableError
from vo_lib.observatories.demo import VirtualDemo
from vo_lib.plan import read_plan
from vo_lib.planning.summary import begin
from vo_lib.raw import read_index

N_SOURCES = 40


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Do the only job of a project whose archive fails for some sources."""
    project = Workspace(tmp_path)
    project.catalog.write_text("name,ra,dec\n" + "".join(f"s{i:02d},10.{i:02d},5\n" for i in range(N_SOURCES)))

    def do(failing, error=ServiceError, **options):
        fetch = VirtualDemo.fetch_data_from_observatory

        def fetch_or_fail(survey, row):
            if row["name"] in failing:
                raise error("503")
            return fetch(survey, row)

        with monkeypatch.context() as patch:
            patch.setattr(VirtualDemo, "fetch_data_from_observatory", fetch_or_fail)
            project.set("download", {"threads": 1} | options).save()
            plan = read_plan(project.config_file)
            plan.data_root.mkdir(exist_ok=True)
            patch.chdir(plan.data_root)
            manifest = f"{plan.folder}/manifests/DEMO_photometry_RA010.jsonl"
            arguments = plan.catalog.path, plan.raw_file("DEMO", "RA010"), manifest
            params = json.loads(plan.parameters("download", "DEMO", "RA010"))
            main(*arguments, params=params, options=json.loads(plan.options()))
        return plan

    do.folder = project.data_root
    return do


def stored(run):
    """Number of sources with an answer in the raw archive."""
    index = read_index(run.folder / "DEMO" / "DEMO_photometry_RA010.h5")
    return sum(row["status"] != "failed" for row in index.values())


def names(start, stop):
    """Names of sources by their numbers."""
    return {f"s{number:02d}" for number in range(start, stop)}


def test_one_failure_too_many_fails_the_job_when_all_else_is_stored(run):
    with pytest.raises(ServiceError, match=r"3 of 40 sources failed; the first is 's05': 503; all others are stored"):
        run(names(5, 8), max_failures_per_bin=2)
    assert stored(run) == N_SOURCES - 3
    failures = json.loads(next(run.folder.rglob("failures/*.json")).read_text())
    assert failures == dict.fromkeys(sorted(names(5, 8)), "503")


def test_failures_within_the_limit_are_in_the_manifest(run):
    plan = run(names(5, 8), max_failures_per_bin=3)
    header, sources = read_manifest(run.folder / plan.folder / "manifests/DEMO_photometry_RA010.jsonl")
    assert header["counts"]["failed"] == 3
    assert set(sources["name"][sources["reason"] == "503"]) == names(5, 8)


def test_a_service_that_is_down_ends_the_job_and_what_is_done_is_kept(run):
    down = r"4 of 40 sources failed, 26 were not requested because the service is down; the first is 's10': 503"
    with pytest.raises(ServiceError, match=down):
        run(names(10, N_SOURCES), max_consecutive_failures=4)
    assert stored(run) == 10
    failures = json.loads(next(run.folder.rglob("failures/*.json")).read_text())
    assert list(failures.values()).count(NOT_ASKED) == 26
    run(set())
    assert stored(run) == N_SOURCES
    assert not list(run.folder.rglob("failures/*.json"))


def test_the_manifest_has_the_state_of_the_archive_before_another_project_may_change_it(run, monkeypatch):
    taken = []

    def state_if_held(raw):
        lock = FileLock(Path(raw).with_name(f".{Path(raw).name}.lock"), timeout=0)
        with pytest.raises(Timeout), lock:
            pass
        taken.append(raw_state(raw))
        return taken[-1]

    monkeypatch.setattr(scripts.download, "raw_state", state_if_held)
    plan = run(set())
    header, _ = read_manifest(run.folder / plan.folder / "manifests/DEMO_photometry_RA010.jsonl")
    assert [header["raw"]] == taken
    FileLock(run.folder / "DEMO/.DEMO_photometry_RA010.h5.lock", timeout=0).acquire().lock.release()


def test_a_survey_that_is_unreachable_is_known_to_the_next_job_of_the_run(run, monkeypatch):
    monkeypatch.setattr(outage, "PATIENCE_S", 0.0)
    with pytest.raises(ServiceError, match="4 of 40 sources failed, 26 were not requested because the service is down"):
        run(names(10, N_SOURCES), UnreachableError, max_consecutive_failures=4)
    (known,) = (run.folder / ".snakemake" / "outages").iterdir()
    assert known.name.startswith("DEMO_")
    monkeypatch.undo()
    assert outage.Outage(known).since
    plan = run(set())
    assert stored(run) == N_SOURCES
    assert outage.Outage(known).since is None
    begin(plan)
    assert not known.exists()
