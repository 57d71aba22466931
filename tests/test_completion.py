"""Completion of words in shells, asked of the shells themselves where they are installed."""

import shutil
import subprocess

import pytest

from vo_lib.cli import VERBS, main, make_parser
from vo_lib.completion import SHELLS, completion_script


def complete(*words):
    """What bash offers for the last of some words after ``vo``."""
    line = " ".join(f"'{word}'" for word in ("vo", *words))
    ask = f"COMP_WORDS=({line}); COMP_CWORD={len(words)}; _vo; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    script = completion_script(make_parser(), "bash") + ask
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_offers_verbs_actions_options_and_choices():
    assert complete("") >= set(VERBS)
    assert complete("sta") == {"status"}
    assert complete("db", "st") == {"status", "start", "stop"}
    assert complete("provenance", "diff", "a.h5", "--j") == {"--json"}
    assert complete("export", "x.csv", "--inst") == {"--instrument-id"}
    assert complete("find", "det") == {"detections"}
    assert complete("status", "--stage", "ana") == {"analyze"}
    assert complete("show", "J0") == set()


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_needs_no_configuration_and_is_one_that_the_shell_can_read(shell, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VO_CONFIG", str(tmp_path / "missing.yaml"))
    assert main(["completion", shell]) == 0
    script = tmp_path / "vo"
    script.write_text(capsys.readouterr().out)
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    done = subprocess.run([shell, "-n", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
