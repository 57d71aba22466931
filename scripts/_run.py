"""Run a script of this folder in the worker of this run of the workflow, or by itself if there is no worker.

    python -IS _run.py analyze ARGUMENT...

See `vo_lib.running.worker`. Only modules that are almost free to import are used, as each job pays for them.
"""

import _signal

_signal.signal(_signal.SIGINT, _signal.SIG_DFL)  # no traceback from a job that is stopped before it begins

import _socket
import array
import os
import sys


def ask(address, request, descriptors):
    """Send a job to the worker and wait for it.

    Parameters
    ----------
    address : str
        Path of the worker's socket.
    request : bytes
        See `vo_lib.running.worker.read_request`.
    descriptors : sequence of int
        Standard input, output and error of the job.

    Returns
    -------
    int or None
        Exit status of the job, 1 if it was killed; None if the worker cannot be reached.
    """
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array.array("i", descriptors))
    try:
        connection.connect(address)
        _signal.signal(_signal.SIGINT, _signal.SIG_IGN)  # the job gets it too, and reports how it ended
        connection.sendmsg([len(request).to_bytes(8, "big")], [rights])
        connection.sendall(request)
        answer = connection.recv(1)
    except OSError:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
        return None
    return answer[0] if answer else 1


def main():
    """Run the job and exit with its status."""
    # Otherwise the socket, or a file of the job, would take the number of a standard stream that is closed.
    while (number := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(number, True)
    folder = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib takes longer than the rest
    command = [os.path.join(folder, f"{sys.argv[1]}.py"), *sys.argv[2:]]  # noqa: PTH118
    try:
        here = os.getcwd()  # noqa: PTH109
    except FileNotFoundError:
        sys.exit(f"ERROR {sys.argv[1]}: the data root is gone; was it removed, or its disk unmounted?")
    environment = [f"{name}={value}" for name, value in os.environ.items()]
    fields = [here, str(len(environment)), *environment, *command]
    status = None
    if address := os.environ.get("VO_WORKER"):
        status = ask(address, b"\0".join(map(os.fsencode, fields)), (0, 1, 2))
    if status is None:
        os.execv(sys.executable, [sys.executable, *command])  # noqa: S606 - no shell, and the script of a rule  # nosec B606
    sys.exit(status)


if __name__ == "__main__":
    main()
