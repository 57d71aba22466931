"""Which jobs are pending when: the dry-run tells exactly what depends on a change."""

import csv
import re
import shutil

import pytest

from vo_lib.plan import read_plan
from vo_lib.provenance import PACKAGE_ROOT

ANALYSIS = {"merge_histograms": 1, "merge_tables": 1, "pages": 1, "rates": 1, "report": 1, "sync_database": 1}
BINS = 10


def test_a_dry_run_on_a_fresh_clone_lists_every_job_of_every_bin_and_writes_nothing(workspace):
    run = workspace.plan()
    assert run.status == 0, run.output
    assert run.jobs == {"download": 2, "reduce": 2, "analyze": 2} | ANALYSIS
    assert "DEMO_photometry_RA010_reduced.h5" in run.output
    assert "test" not in workspace.data_root.name
    assert [path.name for path in workspace.data_root.iterdir()] == [".snakemake"]


def test_products_go_where_the_command_or_the_environment_says(workspace, tmp_path):
    run = workspace.run("downloaded", "--config", f"data_root={tmp_path / 'command'}")
    assert run.status == 0, run.output
    assert len(list((tmp_path / "command/DEMO").glob("DEMO_photometry_RA*.h5"))) == 2
    assert not workspace.data_root.exists()
    del workspace.config["data_root"]
    run = workspace.run("--dry-run", environment={"VO_DATA": str(tmp_path / "environment")})
    assert f"products in {tmp_path / 'environment'}/DEMO_PROJECT" in run.output


def test_a_download_takes_connections_of_the_archive_of_its_survey(workspace):
    workspace.set("observatories", {"ztf": {}, "neowise": {}, "gaia": {}}).set("download.threads", 3)
    output = workspace.plan("downloaded").output
    for survey, irsa, esac in (("ZTF", 3, 0), ("NEOWISE", 3, 0), ("GAIA", 0, 1)):
        job = output.split(f"output: DEMO_PROJECT/manifests/{survey}_photometry_RA010.jsonl")[1].split("rule ")[0]
        assert f"irsa_connections={irsa}" in job
        assert f"esac_connections={esac}" in job


def test_a_second_run_does_nothing(demo):
    assert demo.first.jobs == {"download": BINS, "reduce": BINS, "analyze": BINS} | ANALYSIS
    run = demo.run()
    assert run.idle, run.output


@pytest.mark.parametrize(
    ("key", "value", "rules"),
    [
        ("finder.snr_threshold", 6.5, {"analyze": BINS} | ANALYSIS),
        ("quality.offset_threshold", 4, {"analyze": BINS} | ANALYSIS),
        ("periods.ranges", ["days"], {"analyze": BINS} | ANALYSIS),
        ("seed", 7, {"analyze": BINS} | ANALYSIS),
        ("rates.classes", {"bright": "mag < 16"}, {"rates": 1, "report": 1}),
        ("save_simulated", True, {"analyze": BINS} | ANALYSIS),
        ("histograms.max_mb", 300, {}),
        ("reduce.gap_days", 60, {"reduce": BINS, "analyze": BINS} | ANALYSIS),
        ("observatories.demo", {"reduce": {"gap_days": 60}}, {"reduce": BINS, "analyze": BINS} | ANALYSIS),
        (
            "observatories.demo",
            {"epochs_per_filter": 50},
            {"download": BINS, "reduce": BINS, "analyze": BINS} | ANALYSIS,
        ),
        ("database.url", "postgresql://me:secret@127.0.0.1:1/other", {"sync_database": 1}),
        ("verbosity", "quiet", {}),
        ("description", "other words", {"report": 1}),
        ("download.max_failures_per_bin", 5, {}),
        ("reduce.gap_days", 40.0, {}),
    ],
)
def test_a_change_of_the_configuration_lists_what_depends_on_it(fresh_demo, key, value, rules):
    run = fresh_demo.set(key, value).plan()
    assert run.status == 0, run.output
    assert run.jobs == rules
    assert run.idle is (rules == {})


def test_values_on_the_command_line_are_those_of_the_file(workspace):
    given = workspace.plan("--config", 'reduce={"gap_days": 60, "drop_bad": true}', "finder={snr_threshold: 6.5}")
    assert given.status == 0, given.output
    workspace.set("reduce.gap_days", 60).set("reduce.drop_bad", True).set("finder.snr_threshold", 6.5).save()
    assert f"00_config_{read_plan(workspace.config_file).digest}.yaml" in given.output


def test_a_key_with_dots_on_the_command_line_of_snakemake_is_refused(workspace):
    run = workspace.plan("--config", "finder.snr_threshold=6")
    assert run.status != 0
    assert "Invalid config definition" in run.output


def test_cores_comments_and_the_order_of_keys_list_nothing(fresh_demo):
    fresh_demo.config = dict(reversed(fresh_demo.config.items()))
    run = fresh_demo.plan("--cores", "1")
    assert run.idle, run.output


def test_no_rule_hides_a_reason_to_run_and_any_can_be_forced(fresh_demo):
    rules = "".join(path.read_text() for path in (PACKAGE_ROOT / "workflow" / "rules").glob("*.smk"))
    assert not re.findall(r"protected\(|ancient\(|lambda (?!wildcards:)", rules)
    run = fresh_demo.plan("--forcerun", "download")
    assert run.jobs == {"download": BINS, "reduce": BINS, "analyze": BINS} | ANALYSIS, run.output


def test_a_new_source_lists_the_jobs_of_its_bin_and_the_merges(fresh_demo):
    with open(fresh_demo.catalog, "a") as file:
        file.write("a new source,45.5,12.0,,,,,16.0,,G\n")
    run = fresh_demo.plan()
    assert run.jobs == {"download": 1, "reduce": 1, "analyze": 1} | ANALYSIS, run.output
    assert "RA045" in run.output


def test_a_source_that_goes_lists_the_jobs_of_its_bin(fresh_demo):
    lines = fresh_demo.catalog.read_text().splitlines()
    fresh_demo.catalog.write_text("\n".join([*lines[:1], *lines[2:]]) + "\n")
    assert fresh_demo.plan().jobs == {"download": 1, "reduce": 1, "analyze": 1} | ANALYSIS


def test_the_same_catalog_in_another_order_lists_nothing(fresh_demo):
    header, *lines = fresh_demo.catalog.read_text().splitlines()
    fresh_demo.catalog.write_text("\n".join([header, *reversed(lines)]) + "\n")
    assert fresh_demo.plan().idle


def test_a_part_of_the_catalog_is_run_and_the_rest_later(workspace):
    run = workspace.run("--config", "select={names: [a, b]}")
    assert run.status == 0, run.output
    assert "2 sources (1 not selected) in 1 bin" in run.output
    assert run.jobs == {"download": 1, "reduce": 1, "analyze": 1} | ANALYSIS
    with open(workspace.product("properties.csv"), newline="") as file:
        assert sorted(row["source"] for row in csv.DictReader(file)) == ["a", "b"]
    assert workspace.plan("--config", "select={bins: [RA010]}").jobs == {"report": 1}
    for part in ("--config", "select={start: -1}"), ():
        rest = workspace.plan(*part)
        assert rest.jobs == run.jobs
        assert "DEMO_photometry_RA200.jsonl" in rest.output
        assert "output: DEMO_PROJECT/manifests/DEMO_photometry_RA010.jsonl" not in rest.output


@pytest.fixture
def code_copy(fresh_demo, tmp_path):
    """The workspace with a copy of the code that may be edited."""
    fresh_demo.root = tmp_path / "code"
    ignored = shutil.ignore_patterns(".*", "results", "site", "*.egg-info", "tests", "docs")
    shutil.copytree(PACKAGE_ROOT, fresh_demo.root, ignore=ignored)
    return fresh_demo


EDITS = {
    "vo_lib/finder.py": {"analyze": BINS} | ANALYSIS,
    "vo_lib/times.py": {"reduce": BINS, "analyze": BINS} | ANALYSIS,
    "vo_lib/observatories/demo.py": {"reduce": BINS, "analyze": BINS} | ANALYSIS,
    "vo_lib/observatories/ztf.py": {},
    "vo_lib/catalog.py": {},
    "vo_lib/download.py": {},
    "vo_lib/report.py": {"report": 1},
    "vo_lib/database/sync.py": {"sync_database": 1},
    "scripts/merge_tables.py": {"merge_tables": 1, "report": 1},
    "scripts/rates.py": {"rates": 1, "report": 1},
}


def append(path, text):
    """Write a text behind that of a file."""
    path.write_text(path.read_text() + text)


def test_comments_in_the_code_run_nothing(code_copy):
    for file in EDITS:
        append(code_copy.root / file, "\n\n# a comment\n")
    assert code_copy.plan().idle


@pytest.mark.parametrize(("file", "rules"), EDITS.items())
def test_an_edit_of_the_code_lists_what_runs_it(code_copy, file, rules):
    append(code_copy.root / file, "\nCHANGED = True\n")
    run = code_copy.plan()
    assert run.jobs == rules, run.output
