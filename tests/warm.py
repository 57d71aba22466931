"""Runs of Snakemake in forks of a process that has its libraries loaded, which takes most of the time of a small run.

Nothing of the project is loaded before a fork, so that each run has the code of its folder as it is then.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib import import_module

__all__ = ["WarmSnakemake"]

# Of Snakemake, what the project's Snakefile imports of others, and what Snakemake imports late.
LOADED = ("snakemake.cli", "snakemake.workflow", "numpy", "h5py", "erfa", "jsonschema", "pandas", "pyarrow")
LOADED += ("docutils.core", "jinja2", "pygments", "requests")


class WarmSnakemake:
    """The process; it ends with this one. One run at a time."""

    def __init__(self):
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([sys.executable, __file__], stdin=pipe, stdout=pipe, text=True)
        atexit.register(self._process.communicate)

    def start(self, folder, arguments, environment):
        """Start a run in a folder, as the first of a group of processes.

        Parameters
        ----------
        folder : Path
            With the workflow.
        arguments : list of str
            Of Snakemake.
        environment : dict of str to str

        Returns
        -------
        Fork
        """
        output = tempfile.NamedTemporaryFile(mode="r")  # noqa: SIM115 - the run closes it
        print(json.dumps([str(folder), arguments, environment, output.name]), file=self._process.stdin, flush=True)
        return Fork(self._process.stdout, output)


class Fork:
    """A run, with what of `subprocess.Popen` is needed.

    Parameters
    ----------
    answers : file
        Tells the number of the process, and when it has ended its status.
    output : file
        What the run says.
    """

    def __init__(self, answers, output):
        self._answers, self._output, self.returncode = answers, output, None
        self.pid = int(answers.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._output.close()

    def kill(self):
        """Send SIGKILL, unless it has ended."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def communicate(self):
        """Wait for the end; gives the output and None."""
        self.returncode = int(self._answers.readline())
        return self._output.read(), None


def serve():
    """Fork for each request that comes from standard input, one after the other."""
    for name in LOADED:
        import_module(name)
    for line in sys.stdin:
        if (pid := os.fork()) == 0:
            _run(*json.loads(line))
        os.write(1, b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        os.write(1, b"%d\n" % os.waitstatus_to_exitcode(status))


def _run(folder, arguments, environment, output):
    """Run Snakemake in this process, and end it."""
    from snakemake.cli import main

    status = 1
    try:
        os.setsid()
        for stream, name in enumerate((os.devnull, output, output)):
            os.dup2(os.open(name, os.O_RDWR | os.O_APPEND), stream)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.path[0], sys.argv[1:] = folder, arguments
        main(arguments)
    except SystemExit as end:
        status = end.code or 0
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        os._exit(status)


if __name__ == "__main__":
    serve()
