"""Trials: something goes wrong during a run or to its files, and then the same command is given again.

Each trial is a function of a workspace that has the products of an undisturbed run, and of dice. It gives the outputs
of the runs that followed, of which the last must have succeeded.
"""

import os
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import h5py

from vo_lib import paths
from vo_lib.planning.jobs import STAGES

__all__ = [
    "DAMAGES",
    "PRODUCTS",
    "RULES",
    "TRIALS",
    "VICTIMS",
    "clock_set_back",
    "damaged",
    "disk_full",
    "killed",
    "read_only",
    "run_again",
    "two_users",
    "verify",
    "wait_until_gone",
]

RULES = tuple(name for name in STAGES if name not in ("fetch_catalog", "combine"))
VICTIMS = ("job", "worker", "snakemake", "all", "server")
LONGEST = 600.0  # that anything may take [s]


def run_again(workspace, environment=None, limit=3):
    """Give the plain command until it succeeds, and give what each said; an error if it does not."""
    outputs = []
    for _ in range(limit):
        run = workspace.run(environment=environment)
        outputs.append(run.output)
        assert "Traceback" not in run.output, run.output
        if run.status == 0:
            return outputs
        assert any("ERROR" in line or "Error" in line for line in run.output.splitlines()), run.output
    raise AssertionError(f"no success after {limit} runs:\n{outputs[-1]}")


def forget(workspace):
    """Remove the products; archives, the database and its rows stay."""
    shutil.rmtree(workspace.product("."), ignore_errors=True)
    shutil.rmtree(workspace.data_root / ".snakemake", ignore_errors=True)


def killed(workspace, dice, victim=None, rule=None):
    """Kill -9 of a process at a random moment of a rule."""
    victim, rule = victim or dice.choice(VICTIMS), rule or dice.choice(RULES)
    forget(workspace)
    if rule == "download":
        shutil.rmtree(workspace.data_root / "DEMO")
    if victim == "server":
        rule = "sync_database"
    run = workspace.start()
    try:
        _wait_for(lambda: list(workspace.product("logs").rglob(f"{rule}*")), run)
        time.sleep(dice.uniform(0.0, 0.5))
        number = _kill(victim, run.pid, rule, workspace)
        output, _ = run.communicate(timeout=LONGEST)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
    wait_until_gone(run.pid)
    return [f"{number} killed\n{output}", *run_again(workspace, limit=1)]


def _wait_for(condition, process=None):
    """Wait until something is so, or a process has ended."""
    end = time.monotonic() + LONGEST
    while not condition() and (process is None or process.poll() is None):
        assert time.monotonic() < end
        time.sleep(0.002)


def wait_until_gone(group):
    """Wait until all processes of a group have ended."""
    _wait_for(lambda: not _tree(group))


def _kill(victim, pid, rule, workspace):
    """Kill; gives the number of processes."""
    if victim == "all":
        os.killpg(pid, signal.SIGKILL)
        return 1
    if victim == "server":
        file = workspace.data_root / "database" / "postgres" / "postmaster.pid"
        _wait_for(lambda: file.exists() and file.read_text().split())
        victims = [int(file.read_text().split()[0])]
    else:
        words = {"job": f"_run.py {rule} ", "worker": "vo_lib.running.worker", "snakemake": ""}[victim]
        victims = [pid] if victim == "snakemake" else [each for each, line in _tree(pid).items() if words in line]
    for each in victims[:1]:
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    return len(victims[:1])


def _tree(group):
    """Command lines of the processes of a group by their number, without those that have ended."""
    found = {}
    for folder in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            state, _, own, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(own) == group and state != "Z":
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


# What files of each kind there are, below the data root.
PRODUCTS = {
    "raw": "DEMO/DEMO_photometry_RA010.h5",
    "manifest": paths.manifest_file("DEMO_PROJECT", "DEMO", "RA010"),
    "reduced": paths.reduced_file("DEMO_PROJECT", "DEMO", "RA010"),
    "analysis": paths.analysis_file("DEMO_PROJECT", "RA010"),
    "bin_histograms": paths.bin_histograms_file("DEMO_PROJECT", "RA010"),
    "histograms": paths.histograms_file("DEMO_PROJECT", "good_scores"),
    "detections": "DEMO_PROJECT/detections.csv",
    "properties": "DEMO_PROJECT/properties.csv",
    "rates": "DEMO_PROJECT/rates.csv",
    "report": "DEMO_PROJECT/report.html",
    "tables": "DEMO_PROJECT/report_tables.js",
    "plot": "DEMO_PROJECT/plots/sky.png",
    "pages": "DEMO_PROJECT/pages/index.html",
    "receipt": "DEMO_PROJECT/database.json",
}


def flip(content, dice):
    """Change one bit."""
    place = dice.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << dice.randrange(8)]) + content[place + 1 :]


def foreign(content, dice):
    """Put a file of the same kind that somebody else made in its place."""
    if content[:4] != b"\x89HDF":
        return b"name,value\na,1\n"
    with h5py.File("x", "w", driver="core", backing_store=False) as file:
        file["data"] = [dice.random()]
        file.flush()
        return file.id.get_file_image()


DAMAGES = {
    "flipped": flip,
    "truncated": lambda content, dice: content[: dice.randrange(1, len(content))],
    "zero length": lambda content, dice: b"",
    "foreign": foreign,
}


def damaged(workspace, dice, damage=None, product=None):
    """Damage of a product; `vo verify` must name it, then come a run, `vo verify --put-aside` and a run."""
    path = workspace.data_root / PRODUCTS[product or dice.choice(list(PRODUCTS))]
    state, content = path.stat(), path.read_bytes()
    path.write_bytes(DAMAGES[damage or dice.choice(list(DAMAGES))](content, dice))
    if dice.random() < 0.5:  # as a disk would do it
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    status, found = verify(workspace)
    assert status == 1, f"{path} was damaged, and vo verify says {found}"
    assert str(path.relative_to(workspace.data_root)) in found
    outputs = [found, *run_again(workspace)]
    return [*outputs, verify(workspace, "--put-aside")[1], *run_again(workspace)]


def verify(workspace, *options):
    """Status and output of ``vo verify``."""
    workspace.save()
    command = [os.sys.executable, "-m", "vo_lib", "verify", *options, "--configfile", workspace.config_file]
    done = subprocess.run(list(map(str, command)), cwd=workspace.root, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


@contextmanager
def small_disk(workspace, size):
    """A disk of a size [MB] in the place of the data root, with its files; needs root."""
    copy = workspace.data_root.with_name("copy")
    workspace.data_root.rename(copy)
    workspace.data_root.mkdir()
    _call("mount", "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", workspace.data_root)
    try:
        _call("cp", "-a", f"{copy}/.", workspace.data_root)
        yield
        shutil.rmtree(copy)
        _call("cp", "-a", f"{workspace.data_root}/.", copy)
    finally:
        _call("umount", "-l", workspace.data_root)
        workspace.data_root.rmdir()
        copy.rename(workspace.data_root)


def _call(*command):
    subprocess.run(list(map(str, command)), check=True)


def disk_full(workspace, dice):
    """A disk that is full at a random moment, and then has room again."""
    forget(workspace)
    shutil.rmtree(workspace.data_root / "DEMO")
    used = sum(path.stat().st_blocks * 512 for path in workspace.data_root.rglob("*")) // 2**20
    with small_disk(workspace, used + 200):
        _call("mount", "-o", f"remount,size={round((used + dice.uniform(1, 4)) * 1024)}k", workspace.data_root)
        first = workspace.run()
        assert "Traceback" not in first.output, first.output
        _call("mount", "-o", f"remount,size={used + 200}m", workspace.data_root)
        return [first.output, *run_again(workspace)]


def read_only(workspace, dice):
    """A disk that can no longer be written, from a random moment on, and then can again."""
    forget(workspace)
    with small_disk(workspace, 500):
        run = workspace.start()
        moment = dice.choice(("before", *RULES))
        _wait_for(lambda: moment == "before" or list(workspace.product("logs").rglob(f"{moment}*")), run)
        subprocess.run(["mount", "-o", "remount,ro", str(workspace.data_root)], check=False, capture_output=True)
        output, _ = run.communicate(timeout=LONGEST)
        _call("mount", "-o", "remount,rw", workspace.data_root)
        return [output, *run_again(workspace)]


def clock_set_back(workspace, dice):
    """Products from the future, of which some are made again."""
    future = time.time() + 86400
    for path in workspace.data_root.rglob("*"):
        if path.is_file() and "database" not in path.parts and dice.random() < 0.7:
            os.utime(path, (future, future))
    known = set(workspace.product(".").glob("00_config_*.yaml"))
    workspace.set("finder.snr_threshold", 6)
    outputs = run_again(workspace)
    for config in set(workspace.product(".").glob("00_config_*.yaml")) - known:
        config.unlink()  # that of the other threshold would stay
    workspace.set("finder.snr_threshold", 5)
    return [*outputs, *run_again(workspace)]


def two_users(workspace, dice):
    """Two users who run projects on one data root at once."""
    forget(workspace)
    shutil.rmtree(workspace.data_root / "DEMO")
    folder = workspace.folder / "other"
    folder.mkdir()
    other = workspace.beside(folder).set("project", "other")
    runs = [workspace.start()]
    time.sleep(dice.uniform(0, 3))
    runs.append(other.start())
    outputs = [run.communicate(timeout=LONGEST)[0] for run in runs]
    _wait_for(lambda: not any(_tree(run.pid) for run in runs))
    assert [run.returncode for run in runs] == [0, 0], "\n".join(outputs)
    shutil.rmtree(other.product("."))
    return [*outputs, *run_again(workspace)]


TRIALS = {
    "killed": (killed, "`kill -9` of a job, the worker, Snakemake, all of them or the database server, in each rule"),
    "damaged": (damaged, "a flipped bit, cut, empty or foreign file of each kind"),
    "disk_full": (disk_full, "the disk is full at a random moment"),
    "read_only": (read_only, "the disk becomes read-only at a random moment"),
    "clock_set_back": (clock_set_back, "products with times in the future"),
    "two_users": (two_users, "two projects run at once on one data root"),
}
