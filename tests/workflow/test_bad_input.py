"""Bad input ends in one clear line, a status that is not zero, and nothing half-written."""

import os
import re

import pytest
import yaml


def written(workspace):
    """Files of a data root that are not Snakemake's own."""
    return [
        path
        for path in workspace.data_root.rglob("*")
        if path.is_file() and ".snakemake" not in path.relative_to(workspace.data_root).parts
    ]


def assert_refused(workspace, run, message):
    """The run failed with the message on one line, without a traceback, and nothing was written."""
    assert run.status != 0
    assert any(message in line for line in run.output.splitlines()), run.output
    assert "Traceback" not in run.output
    assert written(workspace) == []


def test_missing_catalog(workspace):
    workspace.catalog.unlink()
    assert_refused(workspace, workspace.run(), f"{workspace.catalog}: no such catalog; check catalog.file")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,ra\na,1\n", "has no column 'dec' for the dec of a source"),
        ("name,ra,dec\na,1,2\na,3,4\n", "'a' on lines 2 and 3"),
        ("name,ra,dec\na,nan,2\n", "line 2: ra is missing; give the source a position"),
        ("name,ra,dec\na,1,2\nb,1,95\n", "line 3: dec is 95.0, it must be between -90 and 90 degrees"),
    ],
)
def test_unusable_catalog(workspace, text, message):
    workspace.catalog.write_text(text)
    assert_refused(workspace, workspace.run(), message)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("observatories.zft", {}, "observatories.zft is not a known key; did you mean 'ztf'?"),
        ("finder.snr_threshold", "high", "finder.snr_threshold must be a number or an array, got 'high'"),
        ("reduce.gap_day", 3, "reduce.gap_day is not a known key; did you mean 'gap_days'?"),
        ("project", "ztf", "project must not be 'ztf': ZTF is a folder of the data root for all projects"),
        ("select.names", ["aa"], "select.names: the catalog has no source 'aa'; did you mean 'a'?"),
        (
            "select",
            {"bins": ["RA011"]},
            "the catalog has no source in the bin 'RA011'; did you mean 'RA010'?",
        ),
        ("catalog.sources", [{"name": "a", "ra": 1, "dec": 2}], "class, got file and sources"),
        ("bins.width_deg", 7, "bins.width_deg must be whole degrees that divide 360"),
    ],
)
def test_unusable_configuration(workspace, key, value, message):
    assert_refused(workspace, workspace.set(key, value).run(), message)


def test_a_key_that_is_there_twice(workspace):
    workspace.save()
    file = workspace.folder / "twice.yaml"
    file.write_text(f"{workspace.config_file.read_text()}project: another\n")
    assert_refused(workspace, workspace.run("--configfile", file), "repeats the key 'project' of line 1")


def test_missing_configuration_file(workspace):
    run = workspace.run("--configfile", workspace.folder / "none.yaml")
    assert run.status != 0
    assert "No such file or directory" in run.output
    assert "none.yaml" in run.output
    assert written(workspace) == []


def test_data_root_that_cannot_be_written(workspace):
    workspace.data_root.write_text("a file")
    run = workspace.run()
    assert run.status != 0
    assert "is not a writable folder; choose another data_root" in run.output
    assert workspace.data_root.read_text() == "a file"


def test_data_root_on_a_file_system_that_refuses(workspace):
    run = workspace.set("data_root", "/proc/nothing").run()
    assert run.status != 0
    assert "choose another data_root" in run.output
    assert "Traceback" not in run.output


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_data_root_without_permission(workspace):
    workspace.data_root.mkdir(mode=0o555)
    assert_refused(workspace, workspace.run(), "is not a writable folder")


def test_database_that_does_not_answer(workspace):
    workspace.set("database.url", "postgresql://me:hunter2@127.0.0.1:1/photometry")
    run = workspace.run()
    assert run.status != 0
    line = next(line for line in run.output.splitlines() if "ERROR sync_database" in line)
    assert "127.0.0.1:1/photometry" in line
    assert re.search(r"^    input: (\S+, ){3}and \d+ other files$", run.output, re.MULTILINE), run.output
    assert "hunter2" not in run.output
    assert not workspace.product("database.json").exists()
    assert workspace.product("report.html").exists()
    assert not any(b"hunter2" in path.read_bytes() for path in workspace.data_root.rglob("*") if path.is_file())


def test_another_bin_width_in_the_same_data_root(demo, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in demo.data_root.rglob("*.h5") if "catalogs" not in path.parts}
    config = yaml.safe_load(demo.config_file.read_text()) | {"bins": {"width_deg": 5}}
    other = tmp_path / "wide.yaml"
    other.write_text(yaml.safe_dump(config))
    run = demo.run("--configfile", other)
    assert run.status != 0
    assert "bins.width_deg is 5 but" in run.output
    assert {path: path.stat().st_mtime_ns for path in before} == before
