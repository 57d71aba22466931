"""What all scripts share: arguments, the log file, and one clear line when something is wrong."""

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

# Libraries whose versions can matter to what a job makes.
LIBRARIES = ("numpy", "scipy", "h5py", "netCDF4", "erfa", "astropy", "pandas", "requests", "sqlalchemy")
# What the system calls a full disk and a used-up quota.
NO_ROOM = [os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT)]


def run_job(main, *names, options=False):
    """Call a script's ``main`` with what stands on the command line, and end the process.

    Parameters
    ----------
    main : callable
        ``main(*paths, params=dict)``, with ``options=dict`` where the script takes options.
    *names : str
        Name of each path argument, in order; one that ends with ``*`` takes all that are left, maybe none, as a list.
    options : bool, optional
        Whether there is ``--options``: how the job is done, which changes no result.

    Notes
    -----
    ``--params`` takes the parameters as JSON, ``--log`` the file for the log. A
    `UserError` is shown as one line; any other exception, and one of a plug-in, also, with its traceback in the log.
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
    """A line for each message, and tracebacks, without credentials."""

    def formatMessage(self, record):  # noqa: N802 - the name of logging
        """Line of a message: none can look like two."""
        return plain(super().formatMessage(record))

    def format(self, record):
        """Text of a record."""
        return mask(super().format(record))


def _start_log(path):
    """Log to the file, or to the terminal without one; begin with what repeats the job."""
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
    """Exit status of a job: 0, or 1 after one line on the terminal."""
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
    """Words for an error of a disk that is gone, or full, which each library tells in its own way; empty for others."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return "the data root is gone; was it removed, or its disk unmounted?"
    if any(name in str(error) for name in NO_ROOM):
        file = getattr(error, "filename2", None) or getattr(error, "filename", None) or "file"
        folder = next(folder for folder in Path(str(file)).absolute().parents if folder.exists())
        state = os.statvfs(folder)
        free = f"{state.f_bavail * state.f_frsize / 1e6:,.1f} MB"
        if state.f_favail == 0 < state.f_files:  # some disks do not count files
            free += " and no file"
        return f"the disk is full or a quota is used up ({free} are free in {folder}); make room"
    return ""


def _put_aside(error):
    """Put the product aside that could not be used; gives what to say, also where it is gone or may not be renamed."""
    try:
        return f"{error.args[0]}; it is kept as {put_aside(error.path)}, the same command again makes it anew"
    except OSError:
        return str(error)


def _say(line):
    """One line on the terminal, in red where it is one with colours."""
    text, in_red = f"ERROR {plain(mask(line))}", sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    print(f"\033[31m{text}\033[0m" if in_red else text, file=sys.stderr)
