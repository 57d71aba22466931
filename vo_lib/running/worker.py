"""A process that has loaded the libraries of most jobs and forks for each job of one run of the workflow.

A small job spends most of its time on imports. With the worker it costs only a fork and the start of a client that
imports nothing, `scripts/_run.py`, which passes on the command, environment, folder and standard streams of the job.
Each job is still a process of its own. It is killed if its client ends, or the run that started the worker; the worker
itself ends with that run.

There is no worker on macOS, as libraries of the system, such as those for linear algebra and proxy settings, may crash
in a fork of a process that has used them.
"""

import atexit
import gc
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from contextlib import suppress
from importlib import import_module
from pathlib import Path

__all__ = ["read_request", "serve", "start_worker"]

BACKLOG = 1024
SHORT = "/tmp"  # noqa: S108 - only for a new private folder in it  # nosec B108

# Signals that a terminal or the system sends to all processes of a run. They are blocked in the worker from its start,
# as it ends with the process that started it.
SHARED = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}

# Scripts of jobs, and the modules that they import only where needed. The script of the database is left out: its
# libraries take a quarter of a second, for which the first job would have to wait.
LOADED = (
    *("_job", "analyze", "combine", "download", "reduce"),
    *("merge_histograms", "merge_tables", "rates", "report", "pages"),
    *("vo_lib.analysis", "vo_lib.event_simulator", "vo_lib.finder", "vo_lib.quality_checker"),
    *("erfa", "netCDF4", "requests", "matplotlib.figure", "matplotlib.backends.backend_agg", "PIL.Image"),
)


def start_worker(scripts):
    """Start the worker of this run, which ends with this process.

    Parameters
    ----------
    scripts : str or Path
        Folder of the scripts of the rules.

    Returns
    -------
    str
        Path of its socket, which jobs get as the environment variable ``VO_WORKER``; empty on macOS, and if no socket
        can be made.
    """
    if sys.platform == "darwin":
        return ""
    with socket.socket(socket.AF_UNIX) as server:
        # The path of a socket has at most 107 bytes, and that of the folder for temporary files may be longer.
        if (address := _bind(server, None) or _bind(server, SHORT)) is None:
            return ""
        server.listen(BACKLOG)
        folder = str(Path(address).parent)
        number = server.fileno()
        command = [sys.executable, "-m", "vo_lib.running.worker", str(number), folder, str(scripts)]
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, SHARED)
        try:
            process = subprocess.Popen(  # noqa: S603 - the command is that of this module
                command, stdin=subprocess.PIPE, pass_fds=[number]
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    atexit.register(_end, process, folder)
    return address


def _bind(server, place):
    """Bind a socket in a new folder below `place` (default: the temporary folder); return its path, None on failure."""
    try:
        folder = tempfile.mkdtemp(prefix="vo-", dir=place)
    except OSError:
        return None
    try:
        server.bind(address := str(Path(folder, "worker")))
    except OSError:
        Path(folder).rmdir()
        return None
    return address


def _end(process, folder):
    """Kill the worker, which may still be loading, and remove its folder."""
    process.kill()
    process.communicate()
    shutil.rmtree(folder, ignore_errors=True)


def serve(server):
    """Fork for each connection until standard input is closed.

    Parameters
    ----------
    server : socket.socket
        A listening socket.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while sys.stdin not in (ready := select.select([server, sys.stdin], [], [])[0]):
        for _ in ready:
            connection, _ = server.accept()
            if os.fork() == 0:
                server.close()
                _do_job(connection)
            connection.close()


def read_request(connection):
    """Read the request of a client.

    Parameters
    ----------
    connection : socket.socket
        A request has eight bytes with its length (big-endian), sent with the standard streams of the job, and then
        fields separated by zero bytes: the folder of the job, the number of variables in its environment, these
        variables, the path of its script and the arguments.

    Returns
    -------
    folder : str
        Working folder of the job.
    environment : dict of str to str
        Environment of the job.
    argv : list of str
        Path of its script, and the arguments.
    streams : list of int
        Descriptors of standard input, output and error.

    Raises
    ------
    EOFError
        If the client is gone.
    """
    header, streams, _, _ = socket.recv_fds(connection, 8, 3, socket.MSG_WAITALL)
    size, text = int.from_bytes(header, "big"), bytearray()
    while len(text) < size:
        if not (more := connection.recv(size - len(text))):
            raise EOFError("the client is gone")
        text += more
    folder, number, *rest = (os.fsdecode(field) for field in bytes(text).split(b"\0"))
    environment = dict(variable.split("=", 1) for variable in rest[: int(number)])
    return folder, environment, rest[int(number) :], streams


def _do_job(connection):
    """Run a job in this process, send its exit status to the client and exit."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SHARED)
        folder, environment, sys.argv, streams = read_request(connection)
        run = os.dup(sys.stdin.fileno())
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        threading.Thread(target=_end_with, args=(connection, run), daemon=True).start()
        sys.path[0] = str(Path(sys.argv[0]).parent)
        runpy.run_path(sys.argv[0], run_name="__main__")
        status = 0
    except SystemExit as end:
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        _tell_end(connection, status % 256)


def _tell_end(connection, status):
    """Send an exit status and exit, whatever the state of the streams of the job and of its client."""
    try:
        for stream in (sys.stdout, sys.stderr):
            with suppress(AttributeError, ValueError):  # the script closed it
                stream.flush()
    except OSError:
        status = status or 120  # as Python itself does
    finally:
        with suppress(OSError):
            connection.send(bytes([status]))
        os._exit(status)


def _end_with(*others):
    """Kill this process when the other end of one of these sockets or pipes, which never send anything, is gone."""
    select.select(others, [], [])
    os.kill(os.getpid(), signal.SIGKILL)


def main():
    """Load what the jobs need and serve them; remove the folder of the socket at the end."""
    number, folder, scripts = sys.argv[1:]
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it is closed, and a connection would take its number
            setattr(sys, name, open(os.devnull, "w", errors="backslashreplace"))  # noqa: SIM115 - until the end
    sys.path[0] = scripts
    try:
        # So that what libraries put there is removed too: matplotlib's folder, if that of the user is not writable.
        tempfile.tempdir = folder
        for name in LOADED:
            import_module(name)
        tempfile.tempdir = None
        gc.freeze()
        with socket.socket(fileno=int(number)) as server:
            serve(server)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
