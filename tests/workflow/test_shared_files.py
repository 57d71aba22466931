"""Group and modes of what a run writes."""

from stat import S_IMODE


def test_what_a_run_writes_has_the_modes_wanted_and_a_missing_group_is_one_warning(workspace):
    workspace.set("permissions", {"group": "no such group", "mode_file": "0640", "mode_dir": "2750"})
    run = workspace.run("downloaded")
    assert run.status == 0, run.output
    assert run.output.count("you are not in permissions.group 'no such group'") == 1
    assert "download warns" not in run.output
    files = [
        *(workspace.data_root / "DEMO").glob("*.h5"),
        *workspace.product("manifests").glob("*.jsonl"),
        *(workspace.data_root / ".snakemake" / "catalogs").glob("*.h5"),
    ]
    assert len(files) == 5
    assert {S_IMODE(file.stat().st_mode) for file in files} == {0o640}
    assert {S_IMODE(file.parent.stat().st_mode) for file in files} == {0o2750}
    assert workspace.set("permissions", {}).plan("downloaded").idle
