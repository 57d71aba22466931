"""Eight processes on one data root: two projects that are made again and again, and readers of all kinds."""

import os
import shutil
import subprocess
import sys
import threading
import time

from workspace import Workspace

__all__ = ["hammer", "summary"]

COMMANDS = {
    "verify": ["verify"],
    "status": ["status"],
    "find": ["find", "detections"],
    "show": ["show", "a"],
    "export": ["export", "--name", "a"],
    "database": ["db", "status"],
}


def hammer(workspace, seconds):
    """Let eight processes work for so many seconds.

    Parameters
    ----------
    workspace : workspace.Workspace
        With the products of a run.
    seconds : float
        When no more is begun [s].

    Returns
    -------
    list of tuple
        Name, status and output of each command.
    """
    folder = workspace.folder / "other"
    folder.mkdir()
    other = workspace.beside(folder).set("project", "other")
    workspace.save()
    first, end, done = other.run(), time.monotonic() + seconds, []
    assert first.status == 0, first.output
    loops = [(name, _reader(workspace, name, words)) for name, words in COMMANDS.items()]
    loops += [("snakemake", lambda: _made_again(workspace)), ("snakemake other", lambda: _made_again(other))]

    def loop(name, step):
        while time.monotonic() < end:
            done.append((name, *step()))

    threads = [threading.Thread(target=loop, args=each) for each in loops]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shutil.rmtree(other.product("."))
    return done


def _reader(workspace, name, words):
    """Function that calls a command of ``vo``."""
    file = [workspace.folder / "exported.csv"] if name == "export" else []
    command = [sys.executable, "-m", "vo_lib", *words[:1], *file, *words[1:], "--configfile", workspace.config_file]

    def call():
        done = subprocess.run(
            list(map(str, command)),
            cwd=workspace.root,
            env=os.environ | {"VO_DATABASE_URL": ""},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        return done.returncode, done.stdout + done.stderr

    return call


def _made_again(workspace: Workspace):
    """Make the tables and the rows of the database again."""
    with workspace.start("--forcerun", "merge_tables", "sync_database") as process:
        output, _ = process.communicate()
    return process.returncode, output


def summary(done):
    """Lines with the number of calls and failures of each command, and the first failure."""
    lines = []
    for name in dict.fromkeys(each[0] for each in done):
        failed = [output for other, status, output in done if other == name and status != 0]
        lines.append(f"{name:16s} {sum(each[0] == name for each in done):5d} calls {len(failed):5d} failures")
        lines += failed[:1]
    return "\n".join(lines)
