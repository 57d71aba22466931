"""A SLURM of two nodes on this host, for as long as a test needs it."""

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

CONFIG = Path("/etc/slurm/slurm.conf")
PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "scontrol", "sinfo")
NODES = ("node1", "node2")
MARK = "# written by a test of vo_lib\n"

TEXT = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={munge}/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=5
MinJobAge=3600
SlurmdTimeout=5
KillWait=2
ReturnToService=2
MpiDefault=none
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=1 RealMemory=4000
NodeName=node2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=1 RealMemory=4000
PartitionName=main Nodes=ALL Default=YES MaxTime=60
"""


def why_not():
    """What this host lacks to run a SLURM of its own, empty where it lacks nothing."""
    if missing := [name for name in PROGRAMS if not shutil.which(name)]:
        return f"needs {', '.join(missing)} (Debian packages slurm-wlm and munge)"
    if os.geteuid():
        return "needs root"
    if CONFIG.exists() and not CONFIG.read_text().startswith(MARK):
        return f"{CONFIG} is that of a cluster of this host"
    return ""


class Slurm:
    """Controller, two nodes and their authentication; a context manager that leaves nothing behind.

    Parameters
    ----------
    folder : Path
        For its state, spool and logs.
    """

    def __init__(self, folder):
        self.folder, self._daemons = Path(folder), {}

    def __enter__(self):
        self._munge = Path(tempfile.mkdtemp(prefix="munge-"))
        try:
            self._start_munge()
            ports = _free_ports(3)
            (self.folder / "state").mkdir()
            host = socket.gethostname()
            CONFIG.write_text(MARK + TEXT.format(host=host, folder=self.folder, ports=ports, munge=self._munge))
            self._start("slurmctld", "-D", "-c")
            for node in NODES:
                self._start("slurmd", "-D", "-N", node, name=node)
            _wait(lambda: self.states().count("idle") == len(NODES), "the nodes are not idle")
        except BaseException as error:
            self.__exit__()
            for log in sorted(self.folder.glob("*.log")):
                error.add_note(f"{log.name}: {log.read_text(errors='replace')[-2000:]}")
            raise
        return self

    def __exit__(self, *_):
        for name in list(self._daemons):
            self.kill(name)
        if CONFIG.exists() and CONFIG.read_text().startswith(MARK):
            CONFIG.unlink()
        shutil.rmtree(self._munge)

    def states(self):
        """State of each node, in the words of sinfo."""
        answer = subprocess.run(["sinfo", "-h", "-N", "-o", "%T"], capture_output=True, text=True)
        return answer.stdout.split()

    def kill(self, name):
        """End a daemon at once; of a node, all that runs on it too, as when its power fails."""
        process = self._daemons.pop(name)
        # All stand still before the first ends, so that none can tell the controller of the end of another.
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in [process.pid, *_of_node(name)]:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
        process.wait()

    def _start_munge(self):
        """Start what signs their messages, with a key and a socket of its own."""
        account = pwd.getpwnam("munge")
        key = self._munge / "key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        self._munge.chmod(0o755)
        for path in (self._munge, key):
            os.chown(path, account.pw_uid, account.pw_gid)
        files = {"key": key} | {name: self._munge / name for name in ("socket", "log", "seed", "pid")}
        options = [f"--{name}{'' if name == 'socket' else '-file'}={path}" for name, path in files.items()]
        identity = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        self._start("munged", "--foreground", "--force", *options, **identity)
        _wait(files["socket"].exists, "munged does not start")

    def _start(self, program, *arguments, name=None, **identity):
        """Start a daemon in the foreground, with its output in a log of its own."""
        name = name or program
        path = shutil.which(program)
        with open(self.folder / f"{name}.log", "wb") as log:
            self._daemons[name] = subprocess.Popen(
                [path, *arguments], stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/", **identity
            )


def _of_node(node):
    """Processes that run on a node, which have its name in their environment, and the daemons that started them."""
    mark = f"SLURMD_NODENAME={node}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                yield int(entry.name)
                parent = re.search(r"^PPid:\s*(\d+)", (entry / "status").read_text(), re.MULTILINE)[1]
                if Path(f"/proc/{parent}/comm").read_text() == "slurmstepd\n":
                    yield int(parent)


def _free_ports(number):
    """Ports that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [server.getsockname()[1] for server in sockets]
    for server in sockets:
        server.close()
    return ports


def _wait(condition, complaint, seconds=20):
    """Wait until it is so."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(complaint)
        time.sleep(0.1)
