"""A process with the libraries of most jobs loaded, which forks itself for each job of one run of the workflow.

A small job spends most of its time on imports. With the worker it costs a fork and the start of a client that
imports nothing, `scripts/_run.py`, which hands over the command, environment, folder and terminal of the job. A job
still is a process of its own; it is killed when its client ends or the run that started the worker, which ends too.

On macOS there is no worker: what the system's own libraries do there, such as its linear algebra and its settings of
proxies, may crash in a fork of a process that has used them.
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
SHORT = "/tmp"  # noqa: S108 - for a folder that is made for it  # nosec B108

# Signals that a terminal or a system sends to all processes of a run. The worker never gets them, not even while Python
# starts, for it ends with the process that started it.
SHARED = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}

# Scripts of jobs, and what they import where they need it. That of the database is left out: its libraries take a
# quarter of a second, for which the first job would wait.
LOADED = (
    *("_job", "analyze", "combine", "download", "reduce"),
    *("merge_histograms", "merge_tables", "rates", "report", "pages"),
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
        Path of its socket, for the environment of jobs as ``VO_WORKER``; empty on macOS and where none can be made.
    """
    if sys.platform == "darwin":
        return ""
    with socket.socket(socket.AF_UNIX) as server:
        # The path of a socket has 107 bytes at most, and the folder for temporary files may be a longer one.
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
    """Bind a socket in a new folder of a place, by default that for temporary files; its path, None if it cannot be."""
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
    """End the worker, which may still be loading."""
    process.kill()
    process.communicate()
    shutil.rmtree(folder, ignore_errors=True)


def serve(server):
    """Fork for each connection, until standard input ends.

    Parameters
    ----------
    server : socket.socket
        It listens.
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
    """Read what a client asks for.

    Parameters
    ----------
    connection : socket.socket
        From it come eight bytes with the standard streams of the job, and then so many bytes: fields parted by zeros,
        which are its folder, the number of variables of its environment, these, the path of its script and the
        arguments.

    Returns
    -------
    folder : str
    environment : dict of str to str
    argv : list of str
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
    """Do a job in this process, tell its exit status and end."""
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
    """Tell an exit status and end, whatever became of the streams of the job or of its client."""
    try:
        for stream in (sys.stdout, sys.stderr):
            with suppress(AttributeError, ValueError):  # its script closed it
                stream.flush()
    except OSError:
        status = status or 120  # as Python does it
    finally:
        with suppress(OSError):
            connection.send(bytes([status]))
        os._exit(status)


def _end_with(*others):
    """Kill this process when one of those at the other ends of sockets or pipes is gone, from which nothing comes."""
    select.select(others, [], [])
    os.kill(os.getpid(), signal.SIGKILL)


def main():
    """Load what the jobs need, and serve; the folder of the socket goes at the end."""
    number, folder, scripts = sys.argv[1:]
    sys.path[0] = scripts
    try:
        # What libraries leave there goes too: a folder of matplotlib, where that of the user cannot be written.
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
