"""What a run would ask for, before it does."""

import json
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from servers.archives import ARCHIVES, no_archive
from servers.irsa import IrsaServer, synthetic_answer
from workspace import Workspace

from vo_lib import paths
from vo_lib.download import download_bin, request_parameters
from vo_lib.downloads.manifest import catalog_rows
from vo_lib.errors import ServiceError, UserError
from vo_lib.files import write_json
from vo_lib.hdf5 import Writer
from vo_lib.observatories import OBSERVATORIES
from vo_lib.plan import read_plan
from vo_lib.planning import cost
from vo_lib.planning.disk_space import free_mb, needed_mb, space_text
from vo_lib.planning.estimate import compute, estimate, jobs_at_a_time, not_counted
from vo_lib.plugins import load_class
from vo_lib.raw import read_index
from vo_lib.verbs.estimate import _duration

N_SOURCES = 12


@pytest.fixture
def workspace(tmp_path):
    """A project of the demo survey: eleven sources in one bin, one in another."""
    made = Workspace(tmp_path)
    places = [(10 + number / 20, number - 5) for number in range(11)] + [(200.5, 1.0)]
    made.catalog.write_text("name,ra,dec\n" + "".join(f"s{i},{ra},{dec}\n" for i, (ra, dec) in enumerate(places)))
    return made


def planned(workspace):
    """Plan of a workspace as it is now."""
    workspace.save()
    return read_plan(workspace.config_file)


def download(plan, obs="DEMO", names=None):
    """Bring the raw archives to hold all sources, or some, as the jobs of a run do."""
    survey = plan.surveys[obs]
    for bin_name in plan.bins:
        rows = catalog_rows(plan.catalog.rows(bin_name))
        wanted = [row for row in rows if names is None or row["name"] in names]
        path = plan.data_root / plan.raw_file(obs, bin_name)
        download_bin(survey.observatory, wanted, path, parameters=request_parameters(survey.observatory, survey.answer))


def one(workspace, **options):
    """Estimate of the only survey."""
    (found,) = estimate(planned(workspace), **options)
    return found


# Sources


def test_sources_with_an_answer_are_not_asked_for(workspace):
    assert (one(workspace).n_sources, one(workspace).n_asked) == (N_SOURCES, N_SOURCES)
    download(planned(workspace), names=["s0", "s3", "s11"])
    assert one(workspace).n_asked == N_SOURCES - 3
    download(planned(workspace))
    found = one(workspace)
    assert (found.n_asked, found.requests, found.mb, found.hours) == (0, (0, 0), 0, (0, 0))


def test_an_answer_without_data_is_an_answer(workspace):
    workspace.set("observatories.demo.empty_fraction", 1)
    download(planned(workspace))
    assert one(workspace).n_asked == 0


def test_sources_that_failed_are_asked_for_again(workspace, monkeypatch):
    plan = planned(workspace)
    observatory = plan.surveys["DEMO"].observatory
    fetch = observatory.fetch_data_from_observatory

    def fetch_or_fail(row):
        if row["name"] in ("s1", "s2"):
            raise ServiceError("503")
        return fetch(row)

    monkeypatch.setattr(observatory, "fetch_data_from_observatory", fetch_or_fail)
    download(plan)
    assert (one(workspace).n_asked, one(workspace).n_stored) == (2, N_SOURCES - 2)


@pytest.mark.parametrize(("on_change", "n_asked"), [("error", N_SOURCES), ("refetch", N_SOURCES), ("keep", 0)])
def test_answers_by_other_parameters_count_by_what_is_done_with_them(workspace, on_change, n_asked, capsys):
    download(planned(workspace))
    workspace.set("observatories.demo.seed", 5).set("download.on_change", on_change)
    assert (one(workspace).n_asked, one(workspace).n_changed) == (n_asked, N_SOURCES)
    assert workspace.vo("estimate") == 0
    assert "12 sources in the raw archive with other parameters or for another position" in capsys.readouterr().out


def test_a_source_that_moved_counts_as_changed(workspace):
    download(planned(workspace))
    workspace.catalog.write_text(workspace.catalog.read_text().replace("s0,10.0,-5", "s0,10.001,-5"))
    assert (one(workspace).n_asked, one(workspace).n_changed) == (1, 1)


def test_a_name_that_is_another_object_stops_the_estimate_as_it_would_the_run(workspace, capsys):
    download(planned(workspace))
    workspace.catalog.write_text(workspace.catalog.read_text().replace("s0,10.0,-5", "s0,10.1,-5"))
    assert workspace.vo("estimate") == 1
    out, err = capsys.readouterr()
    assert "contains 's0' at RA 10.00000 Dec -5.00000, but the catalog has it 359 arcsec away" in err
    assert (out, len(err.splitlines())) == ("", 1)
    with pytest.raises(UserError, match="rename one of them"):
        one(workspace)


def test_a_run_makes_the_requests_that_were_estimated(workspace, capsys):
    workspace.catalog.write_text("name,ra,dec\na,0.0,51.3937\nb,10.7,-5\nc,200.5,1\n")
    with IrsaServer(synthetic_answer(objects=(("zg", 20),))) as server:
        workspace.config["observatories"] = {"ztf": server.parameters}
        assert one(workspace).requests == (3, 6)
        run = workspace.run("--until", "download")
        assert run.status == 0, run.output
        assert len(server.requests) == 4, "a has objects, the others have none"
        assert one(workspace).requests == (0, 0)
    assert workspace.vo("estimate") == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["ZTF", "3", "0", "0", "0", "0"]


# Hours


@pytest.mark.parametrize(
    ("threads", "per_second", "cores", "seconds"),
    [
        (1, 0, 1, 12 * 7.2),  # one after the other
        (4, 0, 1, (3 + 1) * 7.2),  # eleven sources are three rounds of four, one more is one
        (4, 0, 2, (3 + 1) * 7.2 / 2),
        (64, 0, 1, 2 * 7.2),
        (64, 0, 99, 2 * 7.2 / 2),  # no more jobs than bins
        (64, 0.5, 1, 12 / 0.5),  # the pauses take longer than the answers
        (64, 0.5, 2, 12 / 0.5),  # all jobs share one pace
    ],
)
def test_hours_follow_from_connections_and_pauses(workspace, threads, per_second, cores, seconds):
    workspace.set("observatories.demo.latency_s", 7.2)
    workspace.set("download", {"threads": threads, "per_second": per_second})
    assert one(workspace, cores=cores).hours == pytest.approx((seconds / 3600, seconds / 3600), rel=1e-12)


def test_each_request_of_a_source_takes_a_turn(workspace):
    workspace.config["observatories"] = {"ztf": {"route": "objects"}}
    workspace.set("download.per_second", 1e-4)
    found = one(workspace, cores=8)
    assert found.requests == (N_SOURCES, 2 * N_SOURCES)
    assert found.hours == pytest.approx([number / 1e-4 / 3600 for number in found.requests])


@pytest.mark.parametrize(
    ("survey", "threads", "cores", "jobs"),
    [("ztf", 4, 8, 1), ("ztf", 2, 8, 2), ("ztf", 16, 8, 1), ("gaia", 4, 8, 1), ("demo", 4, 8, 8)],
)
def test_connections_of_an_archive_limit_the_jobs_of_its_survey(workspace, survey, threads, cores, jobs):
    workspace.config["observatories"] = {survey: None}
    workspace.set("download.threads", threads)
    assert jobs_at_a_time(planned(workspace), survey.upper(), cores) == jobs


# Megabytes


def test_megabytes_are_from_the_raw_archive_when_it_has_sources(workspace):
    found = one(workspace)
    assert (found.n_stored, found.kb_per_source) == (0, 300 * 73 / 1000)
    assert found.mb == pytest.approx(N_SOURCES * 300 * 73 / 1e6)
    plan = planned(workspace)
    download(plan, names=["s0", "s1", "s2"])
    size = (plan.data_root / plan.raw_file("DEMO", "RA010")).stat().st_size
    found = one(workspace)
    assert (found.n_stored, found.kb_per_source) == (3, pytest.approx(size / 3000))
    assert found.mb == pytest.approx(9 * size / 3 / 1e6)
    rows = read_index(plan.data_root / plan.raw_file("DEMO", "RA010")).values()
    assert found.epochs_per_source == sum(row["n_rows"] for row in rows) / 3 > 100


def test_lightcurves_are_counted_in_the_reduced_files_that_can_be_read(workspace):
    plan = planned(workspace)
    assert one(workspace).lightcurves_per_source is None
    counts = {"RA010": (30, 11), "RA200": (6, 1)}
    for bin_name, (n_lightcurves, n_sources) in counts.items():
        with Writer(plan.data_root / paths.reduced_file(plan.folder, "DEMO", bin_name)) as writer:
            writer.write_table("index", {"key": np.arange(n_lightcurves)})
            writer.write_table("sources", {"source": np.arange(n_sources)})
    assert one(workspace).lightcurves_per_source == 36 / N_SOURCES
    (plan.data_root / paths.reduced_file(plan.folder, "DEMO", "RA200")).write_bytes(b"damaged")
    assert one(workspace).lightcurves_per_source == 30 / 11


def test_too_little_disk_is_said(workspace, monkeypatch, capsys):
    assert workspace.vo("estimate") == 0
    assert "disk space" not in capsys.readouterr().out
    plan = planned(workspace)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1e5))
    assert workspace.vo("estimate") == 0
    # 12 * 21.9 kB of answers, and what the model has for products and database of so little
    needed = 0.2628 + sum(compute(plan, estimate(plan)).disk_mb[kind] for kind in list(cost.DISK)[1:])
    assert f"Not enough disk space: {needed:.2g} MB are needed" in capsys.readouterr().out


def test_products_that_are_there_need_no_more_space(workspace):
    plan = planned(workspace)
    found = estimate(plan)
    computing = compute(plan, found)
    kept = [mb for kind, mb in computing.disk_mb.items() if kind != "raw" and "database" not in kind]
    write_json(plan.data_root / plan.folder / "database.json", {})
    assert needed_mb(plan, found, computing) == pytest.approx(found[0].mb + sum(kept), abs=1e-5)
    (plan.data_root / plan.folder / "logs").mkdir()
    (plan.data_root / plan.folder / "some_reduced.h5").write_bytes(b"x" * 100_000)
    assert needed_mb(plan, found, computing) == pytest.approx(found[0].mb + sum(kept) - 0.1, abs=1e-5)
    assert needed_mb(plan, found, None) == found[0].mb


def test_a_database_elsewhere_needs_no_space_here(workspace):
    own, plan = planned(workspace), planned(workspace.set("database.url", "postgresql://127.0.0.1:1/x"))
    computing = compute(own, estimate(own))
    here, there = (needed_mb(which, estimate(which), computing) for which in (own, plan))
    of_database = computing.disk_mb["database"] + computing.disk_mb["log of the database"]
    assert here - there == pytest.approx(of_database, abs=1e-5)


def test_the_free_space_of_a_folder_that_is_not_there_is_that_of_the_one_above(tmp_path):
    usage = shutil.disk_usage(tmp_path)
    assert 0 < free_mb(SimpleNamespace(data_root=tmp_path / "a" / "b")) <= usage.total / 1e6


def test_nothing_is_said_of_the_space_for_what_nobody_knows(workspace, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    workspace.config["observatories"] = {"tess": None}
    assert space_text(planned(workspace)) == ""
    workspace.config["catalog"] = {"default": "WD"}
    assert space_text(planned(workspace)) == ""


def test_raw_archives_have_one_size_in_all_lines(workspace):
    workspace.config["observatories"] = {"ztf": None, "neowise": None}
    plan = planned(workspace)
    found = estimate(plan)
    assert compute(plan, found).disk_mb["raw"] == pytest.approx(sum(each.mb for each in found))


def test_wall_time_has_its_cores(workspace, capsys):
    for cores, text in (("1", "1 core"), ("64", "64 cores")):
        assert workspace.vo("estimate", "--cores", cores) == 0
        assert re.search(rf"^wall time: [\d.]+ seconds on {text}, without", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 seconds"),
        (4.36, "4.4 seconds"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (7199, "120 minutes"),
        (7200, "2 hours"),
        (36_000_000, "10,000 hours"),
    ],
)
def test_times_are_in_the_unit_that_suits_them(seconds, text):
    assert _duration(seconds) == text


# Costs of surveys


@pytest.mark.parametrize("name", OBSERVATORIES)
def test_costs_are_pairs_or_unknown(name):
    with ARCHIVES.get(name, no_archive)() as parameters:
        observatory = load_class(OBSERVATORIES[name])(**parameters)
    for pair in (observatory.requests_per_source, observatory.seconds_per_request):
        assert pair is None or 0 <= pair[0] <= pair[1]
    assert observatory.kb_per_source is None or observatory.kb_per_source > 0


def test_what_nobody_has_measured_is_unknown(workspace, capsys):
    workspace.config["observatories"] = {"tess": None, "ztf": {"route": "position"}}
    assert workspace.vo("estimate", "--cores", "1") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()[:4]]
    assert lines[0] == ["survey", "sources", "to", "ask", "requests", "MB", "hours"]
    assert lines[1] == ["TESS", "12", "12", "unknown", "unknown", "unknown"]
    # 3 rounds of four and 1 of one, of 170 to 210 s each; 1,852 epochs of 178 bytes
    assert lines[2] == ["ZTF", "12", "12", "12", "4", "0.19-0.23"]
    assert lines[3] == ["total", "12", "24", *["12", "+", "unknown", "4", "+", "unknown", "0.19-0.23", "+", "unknown"]]


def test_an_estimate_asks_nobody(workspace):
    with IrsaServer() as server:
        workspace.config["observatories"] = {"ztf": server.parameters}
        one(workspace)
    assert server.requests == []


def test_bins_without_an_answer_are_counted_without_their_rows(workspace, monkeypatch):
    plan = planned(workspace.set("select.start", 2))
    monkeypatch.setattr(type(plan.catalog), "rows", lambda *_: pytest.fail("rows of the catalog were read"))
    (found,) = estimate(plan)
    assert (found.n_sources, found.n_asked) == (N_SOURCES - 2, N_SOURCES - 2)


def test_surveys_whose_epochs_nobody_counted_are_named_until_some_are_there(workspace, capsys):
    workspace.config["observatories"] = {"demo": None, "gaia": None, "tess": None, "atlas": None}
    assert workspace.vo("estimate") == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("all products")]
    assert "the number of epochs per source of GAIA, TESS and ATLAS has not been measured; download a few" in line


@pytest.mark.parametrize("system", ["linux", "macos"])
def test_without_their_number_the_cores_are_those_that_may_be_used(workspace, capsys, monkeypatch, system):
    monkeypatch.setattr("os.cpu_count", lambda: {"linux": 128, "macos": 8}[system])
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(8))
    if system == "macos":
        monkeypatch.delattr("os.sched_getaffinity")
    assert workspace.vo("estimate") == 0
    assert "on 8 cores" in capsys.readouterr().out


@pytest.mark.parametrize("cores", ["0", "-3"])
def test_as_many_jobs_at_a_time_as_there_can_be_are_needed(workspace, capsys, cores):
    assert workspace.vo("estimate", "--cores", cores) == 1
    assert capsys.readouterr().err == f"vo estimate: --cores must be at least 1, got {cores}\n"


def test_work_that_the_model_does_not_know_is_named(workspace, capsys):
    assert workspace.vo("estimate") == 0
    assert "not counted" not in capsys.readouterr().out
    workspace.set("periods.ranges", ["hours"]).set("combine.by", "filter").set("save_processed", True)
    assert workspace.vo("estimate") == 0
    line = "not counted: what combine.by, periods.ranges, save_processed in the configuration adds\n"
    assert line in capsys.readouterr().out
    assert workspace.vo("estimate", "--json") == 0
    assert json.loads(capsys.readouterr().out)["not_counted"] == ["combine.by", "periods.ranges", "save_processed"]


def test_all_that_may_not_be_counted_is_off_by_default(workspace):
    assert not_counted(planned(workspace)) == []


def test_a_run_says_where_the_disk_is_too_small_for_the_archives_that_are_not_there(workspace, monkeypatch):
    plan = planned(workspace)
    mb = N_SOURCES * plan.surveys["DEMO"].observatory.kb_per_source / 1000
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=mb * 1e6 + 1))
    assert space_text(plan) == ""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1e3))
    assert f"usually take {mb:,.0f} MB, but {plan.data_root} has 0 MB free" in space_text(plan)
    download(plan)
    assert space_text(plan) == ""
