"""Runs of Snakemake in forks of a process that has its libraries loaded, which takes most of the time of a small run.

Nothing of the project is loaded before a fork, so that each run has the code of its folder as it is then.
"""

import atexit
import json
import os
import runpy
import subprocess
import sys
import tempfile
from importlib import import_module

__all__ = ["WarmSnakemake"]

# Of Snakemake, what the project's Snakefile imports of others, and what Snakemake imports late.
LOADED = ("snakemake.cli", "snakemake.workflow", "snakemake.profiles", "snakemake.report.html_reporter")
LOADED += ("numpy", "h5py", "erfa", "jsonschema", "pandas", "pyarrow")
LOADED += ("argparse_dataclass", "docutils.parsers.rst", "filelock", "jinja2", "pygments", "requests", "smart_open")


class WarmSnakemake:
    """The process; it ends with this one. One run at a time."""

    def __init__(self):
        pipe, variables = subprocess.PIPE, {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
        self._process = subprocess.Popen([sys.executable, __file__], stdin=pipe, stdout=pipe, env=variables, text=True)
        atexit.register(self._process.communicate)

    def run(self, folder, arguments, environment):
        """Run ``python -m snakemake`` in a folder, as the first of a group of processes.

        Parameters
        ----------
        folder : Path
            With the workflow.
        arguments : list of str
            Of Snakemake.
        environment : dict of str to str

        Returns
        -------
        status : int
        output : str
        """
        with tempfile.NamedTemporaryFile(mode="r") as output:
            request = [str(folder), arguments, environment, output.name]
            print(json.dumps(request), file=self._process.stdin, flush=True)
            return int(self._process.stdout.readline()), output.read()


def serve():
    """Fork for each request that comes from standard input, one after the other; a fork ends as Snakemake does."""
    for name in LOADED:
        import_module(name)
    for line in sys.stdin:
        if (pid := os.fork()) == 0:
            _run(*json.loads(line))
            break
        _, status = os.waitpid(pid, 0)
        os.write(1, b"%d\n" % os.waitstatus_to_exitcode(status))


def _run(folder, arguments, environment, output):
    """Run Snakemake in this process, which has loaded nothing that depends on folder or environment."""
    os.setsid()
    for stream, name in enumerate((os.devnull, output, output)):
        os.dup2(os.open(name, os.O_RDWR | os.O_APPEND), stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:1] = [folder, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    sys.argv[1:] = arguments
    runpy.run_module("snakemake", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    serve()
