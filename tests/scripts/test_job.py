"""What all scripts share: arguments, log, errors."""

import errno
import platform
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import _job
import numpy as np
import pytest

import vo_lib
from vo_lib.errors import DamagedProductError
from vo_lib.provenance import PACKAGE_ROOT

SCRIPT = '''
"""Do something."""
import logging, warnings
import numpy
from vo_lib.errors import CatalogError

def main(source, target, *, params):
    logging.getLogger("vo_lib").info("from %s", source)
    warnings.warn("careful")
    if params.get("fail") == "user":
        raise CatalogError("x.csv: line 2: no name")
    if params.get("fail") == "accent":
        raise CatalogError("caf\\u00e9.csv: no name")
    if params.get("fail") == "bug":
        raise KeyError("bug")
    if params.get("fail") == "full":
        open("/dev/full", "w").write(8192 * "x")
    if params.get("fail") == "hdf5":
        raise RuntimeError("flush failed (errno = 28, error message = 'No space left on device', buf = 0x1)")
    open(target, "w").write(str(params))

if __name__ == "__main__":
    from _job import run_job
    run_job(main, "source", "target")
'''


@pytest.fixture
def script(tmp_path):
    """Call a small script; gives status, what the terminal shows, and the log."""
    path = tmp_path / "work.py"
    path.write_text(SCRIPT)

    def call(params, **environment):
        done = subprocess.run(
            [sys.executable, path, "in", "out", "--params", params, "--log", "logs/x.log"],
            cwd=tmp_path,
            env={"PYTHONPATH": f"{PACKAGE_ROOT}:{PACKAGE_ROOT / 'scripts'}", "PATH": ""} | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        log = tmp_path / "logs" / "x.log"
        return done.returncode, done.stdout + done.stderr, log.read_text() if log.exists() else ""

    return call


def test_a_job_logs_what_repeats_it_and_its_warnings(script, tmp_path):
    status, shown, log = script('{"gap_days": 40}')
    assert (status, shown) == (0, "")
    assert (tmp_path / "out").read_text() == "{'gap_days': 40}"
    for part in (
        f"run env PYTHONPATH={PACKAGE_ROOT} {sys.executable}",
        "--params '{\"gap_days\": 40}'",
        f"INFO vo_lib {vo_lib.__version__}, Python {platform.python_version()}, host {platform.node()}\n",
        f"INFO with numpy {np.__version__}",
        "from in",
        "UserWarning: careful",
        "done in",
    ):
        assert part in log
    levels = re.findall(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (\w+) ", log, flags=re.MULTILINE)
    assert levels == ["INFO", "INFO", "INFO", "INFO", "INFO", "WARNING", "INFO"]


def test_an_error_of_the_user_is_one_line(script):
    status, shown, log = script('{"fail": "user"}')
    assert status == 1
    assert shown == "ERROR work: x.csv: line 2: no name\n"
    assert "Traceback" not in log


@pytest.mark.parametrize("kind", ["xterm", "dumb", None])
def test_an_error_is_red_on_terminals_with_colours(capsys, monkeypatch, kind):
    monkeypatch.setenv("TERM", kind or "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: kind is not None)
    _job._say("x")
    assert capsys.readouterr().err == ("\033[31mERROR x\033[0m\n" if kind == "xterm" else "ERROR x\n")


def test_a_log_is_utf8_whatever_the_locale(script):
    _, _, log = script('{"fail": "accent"}', LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert "ERROR café.csv: no name" in log


def test_an_error_of_the_program_is_one_line_and_a_traceback_in_the_log(script):
    status, shown, log = script('{"fail": "bug"}')
    assert status == 1
    assert shown == "ERROR work: KeyError: 'bug'; the traceback is in logs/x.log\n"
    assert "Traceback" in log


@pytest.mark.parametrize("path", sorted((PACKAGE_ROOT / "scripts").glob("[!_]*.py")), ids=lambda path: path.name)
def test_every_script_has_a_rule_of_its_name_and_says_what_it_does(path):
    rules = "".join(rule.read_text() for rule in (PACKAGE_ROOT / "workflow" / "rules").glob("*.smk"))
    assert re.search(rf"^(rule|checkpoint) {path.stem}:", rules, re.MULTILINE)
    environment = {"PYTHONPATH": str(PACKAGE_ROOT), "PATH": ""}
    done = subprocess.run(
        [sys.executable, path, "--help"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert Path(path).read_text().split('"""')[1].split(":")[0].split(".")[0][:20] in " ".join(done.stdout.split())


def test_a_log_on_a_full_disk_is_no_traceback_on_the_terminal(script, tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "x.log").symlink_to("/dev/full")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "read_text", lambda _: "")
        status, shown, _ = script('{"fail": "user"}')
    assert (status, shown) == (1, "ERROR work: x.csv: line 2: no name\n")


def test_a_log_that_cannot_be_made_is_one_line(script, tmp_path):
    (tmp_path / "logs").write_text("")
    status, shown, _ = script("{}")
    assert (status, shown) == (1, "ERROR work: logs/x.log cannot be written: [Errno 17] File exists: 'logs'\n")


@pytest.mark.parametrize(("n_free", "words"), [(0, "0.0 MB and no files free"), (1, "0.0 MB free")])
def test_a_disk_that_has_no_more_files_is_said_to_have_none(monkeypatch, capsys, n_free, words):
    state = SimpleNamespace(f_bavail=0, f_frsize=1, f_files=9, f_favail=n_free)
    monkeypatch.setattr(_job.os, "statvfs", lambda _: state)

    def fail():
        raise OSError(errno.ENOSPC, "No space left on device")

    assert _job._call(fail, None) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["full", "hdf5"])
def test_a_full_disk_is_called_so_whatever_the_library_says(script, tmp_path, kind):
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    status, shown, log = script(f'{{"fail": "{kind}"}}')
    words = rf"the disk is full or over quota \([\d,.]+ MB free in {tmp_path}\); free some space"
    assert status == 1
    assert re.fullmatch(rf"ERROR work: {words}; the traceback is in logs/x.log\n", shown)
    assert re.search(rf" ERROR {words}\nTraceback", log)


@pytest.mark.parametrize(
    ("files", "where"),
    [((), "data"), (("s/gone/x.h5",), "s"), (("s/x.h5", None, "data/x.h5"), "data"), (("data/x.h5", None, "s/x"), "s")],
)
def test_the_disk_is_named_that_is_full(monkeypatch, capsys, tmp_path, files, where):
    (tmp_path / "data").mkdir()
    (tmp_path / "s").mkdir()
    monkeypatch.chdir(tmp_path / "data")

    def fail():
        raise OSError(errno.ENOSPC, "No space left on device", *(name and f"{tmp_path}/{name}" for name in files))

    assert _job._call(fail, None) == 1
    assert f"MB free in {tmp_path / where}); free some space" in capsys.readouterr().err


def test_a_data_root_that_goes_while_a_job_works_is_told(monkeypatch, capsys, tmp_path):
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path / "data")

    def fail():
        (tmp_path / "data").rmdir()
        Path.cwd()

    assert _job._call(fail, None) == 1
    assert capsys.readouterr().err.endswith(": the data root is gone; was it removed, or its disk unmounted?\n")


@pytest.mark.parametrize("reason", [FileNotFoundError, PermissionError])
def test_a_damaged_file_that_cannot_be_put_aside_is_one_line(monkeypatch, capsys, tmp_path, reason):
    (tmp_path / "x.h5").write_text("nothing")

    def job():
        raise DamagedProductError(tmp_path / "x.h5", "has no digest")

    monkeypatch.setattr(_job, "put_aside", Mock(side_effect=reason))
    assert _job._call(job, None) == 1
    line = f"{tmp_path}/x.h5: has no digest; delete it and run snakemake or Project.run to make it again\n"
    assert capsys.readouterr().err.endswith(line)
