"""The command ``vo`` on the finished demo: examples of the documentation, states, verification and cleaning."""

import doctest
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter

import h5py
import numpy as np
import pytest

from vo_lib.cli import VERBS
from vo_lib.plan import read_plan
from vo_lib.planning.jobs import expected_jobs, rule_commands
from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.raw import Answer, write_raw
from vo_lib.running.records import Records
from vo_lib.status import project_status
from vo_lib.tables import table_rows
from vo_lib.verbs import verify

PAGE = (PACKAGE_ROOT / "docs" / "commands.md").read_text()
EXAMPLES = [
    tuple(example.partition("\n")[::2])
    for block in re.findall(r"```console\n(.*?)```", PAGE, flags=re.DOTALL)
    for example in block.split("$ vo ")[1:]
]
SOURCE = "J000347+404202"
NEGATIVE = ("adopt", "resolve")


@pytest.fixture
def here(demo, tmp_path, monkeypatch):
    """The demo from an empty folder with a link to its data root."""
    (tmp_path / "data").symlink_to(demo.data_root)
    monkeypatch.chdir(tmp_path)
    return demo.beside(tmp_path)


@pytest.fixture
def copied(demo, tmp_path):
    """A copy of the products of the demo that may be changed, without its database."""
    ignored = shutil.ignore_patterns("database", "conda*")
    shutil.copytree(demo.data_root, tmp_path / "data", ignore=ignored)
    made = demo.beside(tmp_path)
    made.data_root = tmp_path / "data"
    return made.set("data_root", str(made.data_root))


def plan_of(workspace):
    """Plan of a workspace as it is now."""
    workspace.save()
    return read_plan(workspace.config_file, root=workspace.root)


# Documentation


def test_every_verb_has_an_example_on_the_page():
    elsewhere = {"serve", "verdicts"}  # they need a browser, see docs/pages.md
    assert {words.split()[0] for words, _ in EXAMPLES} == set(VERBS) - elsewhere


@pytest.mark.parametrize(("words", "expected"), EXAMPLES, ids=[words for words, _ in EXAMPLES])
def test_example(here, words, expected, capsys):
    status = here.vo(*shlex.split(words))
    out = capsys.readouterr().out
    assert status == 0 or (status == 1 and words.split()[0] in NEGATIVE)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert doctest.OutputChecker().check_output(expected, out, flags), out


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["show", SOURCE],
        ["get", SOURCE],
        ["find", "sources"],
        ["export", "x.csv", "--what", "events"],
        ["estimate"],
        ["verify"],
        ["clean", "--level", "analysis"],
        ["tags"],
        ["provenance", "list"],
        ["provenance", "show", "reduce"],
        ["provenance", "diff", "default/analyze", "analyze"],
        ["plot", SOURCE, "--what", "detection", "--out", "x.svg"],
        ["page", SOURCE, "--output", "x.html"],
        ["try", "finder", SOURCE],
        ["db", "status"],
        ["help", "reduce"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_verbs_print_an_object_or_a_list_of_objects_as_json(here, words, capsys):
    assert here.vo(*words, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict) or {type(row) for row in found} == {dict}


def test_data_are_no_error_without_a_standard_output(here):
    here.save()
    command = f"{sys.executable} -m vo_lib get {SOURCE} --configfile {here.config_file} >&-"
    done = subprocess.run(["bash", "-c", command], cwd=PACKAGE_ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_rates_of_another_configuration_are_drawn_only_when_that_is_wanted(here, capsys):
    here.save()
    words = ("plot", "rates", "--out", "rates.png")
    assert here.vo(*words) == 0
    other = ("--config", "rates.false_alarms=[0.5, 0.1]")
    assert here.vo(*words, *other) == 1
    assert "rates.csv: was made with other parameters or code than the current ones" in capsys.readouterr().err
    assert here.vo(*words, "--any", *other) == 0


@pytest.mark.parametrize(
    ("table", "stage"), [("rates.csv", "rates"), ("properties.csv", "merge_tables"), ("events.csv", "merge_tables")]
)
def test_tables_of_text_have_the_provenance_of_the_job_that_made_them(here, table, stage, capsys):
    plan = plan_of(here)
    path = plan.data_root / plan.folder / table
    for name in (table, str(path)):
        assert here.vo("provenance", "show", name) == 0
        assert capsys.readouterr().out.startswith(f"{stage} {plan.provenance(stage).id}\ncode: ")
    assert here.vo("provenance", "show", str(path), "--config", "finder.snr_threshold=9") == 1
    assert f"{table}: was made with other bins, parameters or code than the current ones" in capsys.readouterr().err


def test_tables_that_nothing_is_known_of_have_no_provenance(here, tmp_path, capsys):
    (tmp_path / "rates.csv").write_text("class\n")
    here.save()
    for name in (str(tmp_path / "rates.csv"), "other.csv"):
        assert here.vo("provenance", "show", name) == 1
        assert "is not a table of the project; these are rates.csv, detections.csv" in capsys.readouterr().err


# Status


def states(workspace):
    """Rows of the status, by the code of the workspace."""
    if workspace.root == PACKAGE_ROOT:
        return table_rows(project_status(plan_of(workspace)))
    workspace.save()
    command = [sys.executable, "-m", "vo_lib", "status", "--json", "--configfile", workspace.config_file]
    environment = os.environ | {"PYTHONPATH": str(workspace.root)}
    done = subprocess.run(command, cwd=workspace.root, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def pending(rows):
    """Number of jobs by rule that are not done."""
    return dict(Counter(row["stage"] for row in rows if row["state"] not in ("done", "empty")))


def why(rows, stage):
    """What is said of a stage."""
    return {row["why"] for row in rows if row["stage"] == stage}


def test_the_list_of_jobs_is_that_of_the_rules(demo):
    plan = plan_of(demo)
    records, commands = Records(plan.data_root), rule_commands(plan.root)
    jobs = expected_jobs(plan)
    assert Counter(job.stage for job in jobs) == demo.first.jobs
    for job in jobs:
        for file in job.outputs:
            record = records.read(file)
            assert (record["rule"], record["input"]) == (job.stage, sorted(job.inputs))
            assert sorted(records.params(file)) == sorted(job.params)
            assert (record["code"], record["log"]) == (commands[job.stage], [job.log_file(plan.folder)])


def test_the_status_after_an_edit_of_configuration_code_and_rules_is_that_of_the_dry_run(demo, tmp_path):
    changed = demo.beside(tmp_path)
    changed.root = tmp_path / "code"
    ignored = shutil.ignore_patterns(".*", "results", "site", "*.egg-info", "tests", "docs")
    shutil.copytree(PACKAGE_ROOT, changed.root, ignore=ignored)
    edit(changed.root / "scripts" / "rates.py", lambda text: text + "\nNEW = 1\n")
    edit(
        changed.root / "workflow" / "rules" / "merge.smk",
        lambda text: text.replace('_run.py" merge_tables', '_run.py"  merge_tables'),
    )
    changed.set("combine.by", "filter").set("description", "other words").set("verbosity", "quiet")
    rows = states(changed)
    assert pending(rows) == changed.plan().jobs
    assert why(rows, "rates") == {"its code changed"}
    assert why(rows, "merge_tables") == {"the command of the rule changed"}
    assert "DEMO_PROJECT/RA045_combined.h5 was not made yet" in why(rows, "combine")


def edit(path, change):
    """Change the text of a file."""
    path.write_text(change(path.read_text()))


def test_the_status_after_changes_of_catalog_and_files_is_that_of_the_dry_run(copied, demo, tmp_path):
    folder = copied.data_root / "DEMO_PROJECT"
    (folder / "RA083_histograms.nc").unlink()
    (copied.data_root / "DEMO" / "DEMO_photometry_RA123.h5").unlink()
    os.utime(folder / "DEMO_photometry_RA150_reduced.h5")  # the content is the same: nothing follows from that
    edit(folder / "manifests" / "DEMO_photometry_RA187.jsonl", lambda text: text + "\n")
    copied.catalog = tmp_path / "catalog.csv"
    copied.catalog.write_text(demo.catalog.read_text() + "a new source,45.5,12.0,,,,,16.0,,G\n")
    copied.set("catalog.file", str(copied.catalog))
    rows = states(copied)
    assert pending(rows) == copied.plan().jobs
    assert why(rows, "download") == {
        "",
        "the catalog's rows of this bin changed",
        "data must be downloaded again: sources failed, or the raw archive lacks them",
    }
    assert "DEMO_PROJECT/manifests/DEMO_photometry_RA187.jsonl is newer" in why(rows, "reduce")
    assert "DEMO_PROJECT/RA083_histograms.nc was removed" in why(rows, "analyze")


# Verification


def test_each_damaged_file_is_named_with_what_to_do(copied, capsys):
    folder = copied.data_root / "DEMO_PROJECT"
    with h5py.File(copied.data_root / "DEMO" / "DEMO_photometry_RA000.h5", "r+") as file:
        flip(file[SOURCE], "mag")
    with h5py.File(folder / "DEMO_photometry_RA045_reduced.h5", "r+") as file:
        key = file["index"]["key"][3].decode()
        flip(file[key], "flux")
    edit(folder / "manifests" / "DEMO_photometry_RA083.jsonl", lambda text: text.replace('"mag": 1', '"mag": 2', 1))
    (folder / "RA123_analysis.h5").write_bytes(b"nothing")
    (copied.data_root / "DEMO" / "DEMO_photometry_RA150.h5").unlink()
    assert copied.vo("verify", "--json") == 1
    problems = json.loads(capsys.readouterr().out)["problems"]
    found = {(each["file"], each["key"]) for each in problems}
    assert found == {
        ("DEMO/DEMO_photometry_RA000.h5", SOURCE),
        ("DEMO/DEMO_photometry_RA150.h5", ""),
        ("DEMO_PROJECT/DEMO_photometry_RA045_reduced.h5", key),
        ("DEMO_PROJECT/DEMO_photometry_RA045_reduced.h5", ""),
        ("DEMO_PROJECT/RA123_analysis.h5", ""),
        ("DEMO_PROJECT/manifests/DEMO_photometry_RA083.jsonl", ""),
    }
    assert all("run snakemake" in each["remedy"] for each in problems)


def test_what_is_put_aside_is_made_again(copied, capsys):
    for name in ("properties.csv", "RA123_analysis.h5", "plots/sky.png", "report_tables.js"):
        path = copied.data_root / "DEMO_PROJECT" / name
        state, content = path.stat(), path.read_bytes()
        path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert copied.vo("verify", "--put-aside") == 1
    assert capsys.readouterr().out.count("run snakemake to make it again") == 4
    jobs = copied.plan().jobs
    assert {"analyze", "merge_tables", "report"} <= jobs.keys()
    assert jobs["analyze"] == 1


def test_an_archive_with_adopted_answers_is_not_put_aside(copied, tmp_path, capsys):
    raw = copied.data_root / "DEMO" / "DEMO_photometry_RA000.h5"
    with h5py.File(raw) as file, h5py.File(tmp_path / "theirs.h5", "w") as theirs:
        theirs[SOURCE] = file[SOURCE][1:]
    assert copied.vo("adopt", tmp_path / "theirs.h5", "--observatory", "demo", "--by", "key", "--replace") == 0
    before = raw.read_bytes()
    capsys.readouterr()
    assert copied.vo("verify", "--put-aside") == 1
    out = capsys.readouterr().out
    assert f"its answer for '{SOURCE}' does not match the digest in the manifest; run snakemake to fetch" in out
    assert "1 problem\n" in out
    assert raw.read_bytes() == before
    assert copied.plan().jobs["download"] == 1


def flip(dataset, name):
    """Change one value of a dataset."""
    rows = dataset[:]
    rows[name][0] += 1e-9
    dataset[...] = rows


def test_the_database_knows_the_digests_of_all_files(demo, tmp_path, capsys, monkeypatch):
    assert demo.beside(tmp_path).vo("verify", "--database") == 0
    assert capsys.readouterr().out.rstrip().endswith(": 0 problems")
    stored = verify._stored(plan_of(demo.beside(tmp_path)))
    others = {path: (size, mtime_ns, "0" * 64) for path, (size, mtime_ns, _) in stored.items()}
    monkeypatch.setattr(verify, "_stored", lambda plan: others)
    assert demo.beside(tmp_path).vo("verify", "--database", "--json") == 1
    found = {each["file"] for each in json.loads(capsys.readouterr().out)["problems"]}
    assert found == {path for path in stored if not path.startswith("DEMO/")}


def test_digests_of_tables_need_no_records_of_snakemake(copied, capsys):
    shutil.rmtree(copied.data_root / ".snakemake" / "metadata")
    assert copied.vo("verify") == 0
    edit(copied.data_root / "DEMO_PROJECT" / "rates.csv", lambda text: text.replace("1", "2", 1))
    assert copied.vo("verify") == 1
    assert "rates.csv: has changed since it was made" in capsys.readouterr().out


def test_products_whose_digest_is_lost_with_a_log_are_named(copied, capsys):
    (copied.data_root / "DEMO_PROJECT" / "logs" / "pages.log").write_text("")
    assert copied.vo("verify") == 0
    assert "not compared (incomplete job logs;" in (out := capsys.readouterr().out)
    assert "made again): DEMO_PROJECT/pages/index.html\n" in out
    assert copied.vo("verify", "--json") == 0
    assert json.loads(capsys.readouterr().out)["unknown"] == ["DEMO_PROJECT/pages/index.html"]


# Cleaning


def files(folder):
    """All files below a folder."""
    return {path for path in folder.rglob("*") if path.is_file()}


def test_a_cleaning_lists_exactly_what_goes_and_needs_a_yes(copied, capsys):
    before = files(copied.data_root)
    assert copied.vo("clean", "--level", "reduced", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert (files(copied.data_root), listed["removed"]) == (before, False)
    assert copied.vo("clean", "--level", "reduced", "--yes") == 0
    gone = before - files(copied.data_root)
    assert {str(path.relative_to(copied.data_root)) for path in gone} == set(listed["files"])
    stages = {row["stage"] for row in states(copied) if row["state"] == "pending"}
    assert stages == {"reduce", "analyze", "merge_histograms", "merge_tables", "rates", "report", "pages"}


def test_raw_archives_need_a_second_yes_and_those_of_others_stay(copied, capsys):
    other = copied.data_root / "OTHER" / "manifests"
    other.mkdir(parents=True)
    shutil.copy(copied.product("manifests/DEMO_photometry_RA045.jsonl"), other)
    # A download of another project that failed has left an answer and no manifest.
    raw = copied.data_root / "DEMO" / "DEMO_photometry_RA083.h5"
    row = {"name": "theirs", "ra": 83.5, "dec": 1.0, "epoch": 2016.0, "pmra": None, "pmdec": None, "parallax": None}
    answer = Answer(row=row, status="ok", data=np.zeros(1, [("mag", "f8")]))
    write_raw(raw, [answer], columns={})
    assert copied.vo("clean", "--level", "raw", "--yes") == 1
    assert "add --yes-really to --yes" in capsys.readouterr().err
    assert copied.vo("clean", "--level", "raw", "--yes", "--yes-really") == 0
    out = capsys.readouterr().out
    assert "DEMO/DEMO_photometry_RA045.h5 is kept: it is also used by OTHER" in out
    assert "DEMO/DEMO_photometry_RA083.h5 is kept: it may contain data that no manifest lists" in out
    left = {path.name for path in (copied.data_root / "DEMO").glob("*.h5")}
    assert left == {"DEMO_photometry_RA045.h5", "DEMO_photometry_RA083.h5"}


def test_products_of_bins_that_left_the_project_are_found(copied, capsys):
    copied.set("select", {"bins": ["RA000", "RA045"]})
    assert copied.vo("clean", "--level", "left", "--json") == 0
    listed = json.loads(capsys.readouterr().out)["files"]
    assert len(listed) == 8 * 4
    assert not [name for name in listed if "RA000" in name or "RA045" in name]
    assert copied.vo("clean", "--level", "left", "--yes") == 0
    assert pending(states(copied)).keys().isdisjoint({"download", "reduce", "analyze"})
    capsys.readouterr()
    for yes in ((), ("--yes",)):
        assert copied.vo("clean", "--level", "left", *yes) == 0
        assert capsys.readouterr().out == "nothing to remove at level left\n"


def test_nothing_is_removed_while_a_run_goes_on(copied, capsys):
    locks = copied.data_root / ".snakemake" / "locks"
    locks.mkdir(exist_ok=True)
    (locks / "0.input.lock").write_text("x")
    assert copied.vo("clean", "--level", "analysis", "--yes") == 1
    assert "a run of snakemake is active" in capsys.readouterr().err


# Provenance


def test_a_difference_names_keys_and_code(here, capsys):
    words = ["provenance", "diff", "RA000_analysis.h5", "--config", "reduce.gap_days=60", "finder.snr_threshold=7"]
    assert here.vo(*words, "--json") == 0
    changes = json.loads(capsys.readouterr().out)["changes"]
    assert [(each["key"], each["old"], each["new"]) for each in changes] == [
        ("analyze.finder.snr_threshold", 5, 7),
        ("reduce:demo.gap_days", 40, 60),
    ]
    assert here.vo("provenance", "diff", "default/analyze", "analyze", *words[3:]) == 0
    text = capsys.readouterr().out
    assert "reduce:demo.gap_days: 40 -> 60" in text
    assert "analyze.finder.snr_threshold: 5 -> 7" in text


def test_without_the_database_a_difference_upstream_is_told(here, capsys, monkeypatch):
    monkeypatch.setattr("vo_lib.storage.provenance_lookup._in_database", lambda plan, text: [])
    assert here.vo("provenance", "diff", "RA000_analysis.h5", "--config", "reduce.gap_days=60") == 0
    assert "their inputs differ, and the database does not have them" in capsys.readouterr().out


def test_provenances_of_two_stages_are_not_compared(here, capsys):
    assert here.vo("provenance", "diff", "analyze", "reduce") == 1
    assert "analyze and reduce:demo have different keys; compare two of the same stage" in capsys.readouterr().err


def test_the_status_of_a_bin_that_the_project_lacks_is_an_error(here, capsys):
    assert here.vo("status", "--bin", "RA999") == 1
    assert "the project has no bin 'RA999'" in capsys.readouterr().err


def test_the_status_of_a_selection_counts_its_jobs_alone(here, capsys):
    change = ["--config", "finder.snr_threshold=7"]
    assert here.vo("status", "--stage", "analyze", "--bin", "RA000", *change) == 0
    assert "the next run has 1 job in this selection\n" in capsys.readouterr().out
    assert here.vo("status", "--stage", "reduce", *change) == 0
    assert "nothing to be done in this selection\n" in capsys.readouterr().out
    assert here.vo("status", *change) == 0
    assert "selection" not in capsys.readouterr().out


def test_a_provenance_that_is_not_known_is_told(here, capsys):
    assert here.vo("provenance", "show", "analyse") == 1
    assert "'analyse' matches 0 provenances; did you mean 'analyze'?" in capsys.readouterr().err
