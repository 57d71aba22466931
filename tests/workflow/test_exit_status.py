"""Exit statuses of the workflow, as docs/commands.md has them."""

import signal
import time

import pytest


@pytest.mark.parametrize(
    ("arguments", "settings", "status", "says"),
    [
        (["downloaded"], {}, 0, "steps (100%) done"),
        (["--dry-run"], {}, 0, "Job stats"),
        (["downloaded"], {"project": "1x"}, 1, "configuration: project"),
        (["downloaded"], {"observatories.demo": {"fail_fraction": 1.0}}, 1, "2 jobs failed"),
        (["--no-such-option"], {}, 2, "no-such-option"),
    ],
)
def test_the_workflow_ends_with_the_status_that_is_documented(workspace, arguments, settings, status, says):
    for key, value in settings.items():
        workspace.set(key, value)
    run = workspace.run(*arguments)
    assert says in run.output
    assert run.status == status, run.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_ends_with_1_and_says_that_nothing_is_lost(workspace, number):
    logs = workspace.product("logs/download")
    with workspace.held_downloads("RA010", "RA200"):
        process = workspace.start("downloaded")
        while process.poll() is None and not list(logs.glob("*.log")):
            time.sleep(0.01)
        process.send_signal(number)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 1, output
    assert "The run was stopped." in output
    assert "All finished work is kept; repeat the command to continue." in output


def test_a_run_that_is_stopped_while_it_plans_says_so_in_a_line(workspace):
    with workspace.held_downloads("RA010", "RA200"):
        process = workspace.start("downloaded")
        for line in process.stdout:
            if line.startswith("demo_project: "):
                break
        process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=300)
    assert process.returncode in (1, -signal.SIGINT), output
    assert "The run was stopped." in output
    assert "Traceback" not in output
