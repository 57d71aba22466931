"""Shared by all scripts: command-line arguments, the log file, and one clear line for each error."""

import argparse
import errno
import json
import logging
import os
import platform
import shlex
import sys
import time
from functools import partial
from pathlib import Path

import vo_lib
from vo_lib.errors import PluginError, UserError, plain
from vo_lib.files import put_aside
from vo_lib.observatories.credentials import mask
from vo_lib.running.runs import done_text

__all__ = ["run_job"]

log = logging.getLogger("vo_lib")

# Libraries whose versions may affect the result of a job.
LIBRARIES = ("numpy", "scipy", "h5py", "netCDF4", "erfa", "astropy", "pandas", "requests", "sqlalchemy")
# Messages of the system for a full disk and an exhausted quota.
NO_ROOM = [os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT)]


def run_job(main, *names, options=False):
    """Call a script's ``main`` with the arguments of the command line, and exit.

    Parameters
    ----------
    main : callable
        ``main(*paths, params=dict)``, with ``options=dict`` if the script takes options.
    *names : str
        Name of each path argument, in order; one that ends with ``*`` takes all remaining arguments as a list, which
        may be empty.
    options : bool, optional
        Whether the script takes ``--options``: how to do the job, without effect on its result.

    Notes
    -----
    ``--params`` takes the parameters as JSON, ``--log`` the path of the log. An exception is shown as one line; its
    traceback goes to the log, except for a `UserError` that is not a `PluginError`.
    """
    parser = argparse.ArgumentParser(description=sys.modules[main.__module__].__doc__)
    for name in names:
        parser.add_argument(name.removesuffix("*"), nargs="*" if name.endswith("*") else None)
    parser.add_argument("--params", type=json.loads, default={}, metavar="JSON")
    if options:
        parser.add_argument("--options", type=json.loads, required=True, metavar="JSON")
    parser.add_argument("--log", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    try:
        _start_log(arguments.log)
    except OSError as error:
        _say(f"{Path(sys.argv[0]).stem}: {arguments.log} cannot be written: {_no_disk(error) or error}")
        sys.exit(1)
    paths = [getattr(arguments, name.removesuffix("*")) for name in names]
    settings = {name: getattr(arguments, name) for name in ("params", "options") if hasattr(arguments, name)}
    sys.exit(_call(partial(main, *paths, **settings), arguments.log))


class _Formatter(logging.Formatter):
    """Format each message as one line, followed by its traceback if any, with credentials masked."""

    def formatMessage(self, record):  # noqa: N802 - the name of logging
        """Return the line of a message, which cannot be mistaken for several."""
        return plain(super().formatMessage(record))

    def format(self, record):
        """Return the text of a record, with credentials masked."""
        return mask(super().format(record))


def _start_log(path):
    """Log to a file, or to the terminal without one; begin with the command that repeats the job."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(filename=path, filemode="w", encoding="utf-8", level=logging.INFO, force=True)
    for handler in logging.root.handlers:
        handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.raiseExceptions = False  # a full disk has no room for lines, and the terminal has the error
    logging.captureWarnings(True)
    log.info("in %s", Path.cwd())
    log.info("run %s", shlex.join(["env", f"PYTHONPATH={Path(vo_lib.__file__).parents[1]}", sys.executable, *sys.argv]))
    log.info("vo_lib %s, Python %s, host %s", vo_lib.__version__, platform.python_version(), platform.node())
    loaded = {name: sys.modules[name].__version__ for name in LIBRARIES if name in sys.modules}
    log.info("with %s", ", ".join(f"{name} {version}" for name, version in loaded.items()) or "no other library")


def _call(job, log_file):
    """Run a job and return its exit status: 0, 130 if interrupted, or 1 after one line on the terminal."""
    start = time.monotonic()
    try:
        job()
    except UserError as error:
        text = _put_aside(error) if error.path else str(error)
        log.error("%s", text, exc_info=isinstance(error, PluginError))
        _say(f"{Path(sys.argv[0]).stem}: {text}")
    except KeyboardInterrupt:
        log.error("interrupted")
        return 130
    except Exception as error:
        full = _no_disk(error)
        log.exception(full or "failed")
        where = f"; the traceback is in {log_file}" if log_file else ""
        notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
        _say(f"{Path(sys.argv[0]).stem}: {full or f'{type(error).__name__}: {error}{notes}'}{where}")
    else:
        log.info("%s", done_text(time.monotonic() - start))
        return 0
    return 1


def _no_disk(error):
    """Describe an error that is due to a missing or full disk, which libraries report in their own ways; else ''."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return "the data root is gone; was it removed, or its disk unmounted?"
    if any(name in str(error) for name in NO_ROOM):
        file = getattr(error, "filename2", None) or getattr(error, "filename", None) or "file"
        folder = next(folder for folder in Path(str(file)).absolute().parents if folder.exists())
        state = os.statvfs(folder)
        free = f"{state.f_bavail * state.f_frsize / 1e6:,.1f} MB"
        if state.f_favail == 0 < state.f_files:  # some file systems do not count files
            free += " and no files"
        return f"the disk is full or over quota ({free} free in {folder}); free some space"
    return ""


def _put_aside(error):
    """Put the unusable product aside; return the message, also if it is gone or cannot be renamed."""
    try:
        return f"{error.args[0]}; it is kept as {put_aside(error.path)}, repeat the command to make it again"
    except OSError:
        return str(error)


def _say(line):
    """Print an error line to the terminal, in red if the terminal has colours."""
    text, in_red = f"ERROR {plain(mask(line))}", sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    print(f"\033[31m{text}\033[0m" if in_red else text, file=sys.stderr)
