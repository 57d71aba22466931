"""What Snakemake says of a run that is stopped and of jobs that fail, in words for who started it."""

import errno
import logging
import os
import re
import signal
import sys
from functools import partial
from pathlib import Path

from vo_lib.text import count_text

__all__ = ["STOPPED", "note_stop", "shorten_error", "tell_stop"]

MOST_INPUTS = 3  # of a failed job that are listed
STOPPED = "The run was stopped."
FULL = "is full or over quota; free some space"
# What Snakemake says of an input that another job put aside after it was planned: it waits, and lists the folder.
_MISSING = re.compile(r"(\w+: )?Missing files after .*", re.DOTALL)
# What is wrong with a disk, by the number of the error.
_DISK = {errno.ENOSPC: FULL, errno.EDQUOT: FULL}
_DISK |= {number: f"fails ({os.strerror(number)}); check it" for number in (errno.EIO, errno.EROFS, errno.ESTALE)}
# What Snakemake says when it cannot write what it notes of a job, with what it takes for the cause; or another file.
_ERRNO = rf"\[Errno ({'|'.join(map(str, _DISK))})\]"
_NO_NOTE = re.compile(rf"Error recording metadata .*{_ERRNO}.* for the directory (.*)")
_NO_FILE = re.compile(rf"\bOSError: {_ERRNO}")
_PUT_ASIDE = re.compile(r"[^\s,]+\.damaged-\d{8}T\d{6}")
_MISSING_FILE = re.compile(r"^(.+) \(missing locally", re.MULTILINE)
_LONG_PARAMETERS = re.compile("(--params '.{60}).{100,}")


def note_stop(plan):
    """Have it noted in ``plan.stopped`` that a person stops the run, by Ctrl-C or SIGTERM; the run ends as usual.

    A signal that is ignored, as in the background of a shell, stays ignored. Called by the main thread.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        if callable(usual := signal.getsignal(number)):
            signal.signal(number, partial(_stop, plan, usual))


def _stop(plan, usual, number, frame):
    """Note a signal, and do what is usual."""
    plan.stopped = True
    usual(number, frame)


def tell_stop(kind, error, trace):
    """Hook for exceptions that nobody takes: a line in place of the traceback where a person stopped the run early."""
    if kind is KeyboardInterrupt:
        sys.stderr.write(f"\n{STOPPED} Repeat the command to continue.\n")
    else:
        sys.__excepthook__(kind, error, trace)


def shorten_error(record):
    """Keep the first inputs of a failed job, and the beginning of its parameters, in a log record of Snakemake.

    Of a file that is missing because a job put it aside, and of a disk that is full or fails, it says so in place of
    what Snakemake guesses.

    Parameters
    ----------
    record : logging.LogRecord
        It is changed if it has more than `MOST_INPUTS` inputs, parameters that fill lines, or such a cause.

    Returns
    -------
    bool
        True: all records are shown.
    """
    if record.levelno < logging.ERROR:
        return True
    files = getattr(record, "input", None) or []
    if len(files) > MOST_INPUTS:
        record.input = [*files[:MOST_INPUTS], f"and {count_text(len(files) - MOST_INPUTS, 'other file')}"]
    for name in ("msg", "shellcmd"):
        if isinstance(text := getattr(record, name, None), str):
            text = _MISSING.sub(_explain_missing, _LONG_PARAMETERS.sub(r"\1 ...", text))
            text = _NO_NOTE.sub(lambda found: _disk_text(*found.groups()), text)
            if found := _NO_FILE.search(text):
                text = _disk_text(found[1], Path.cwd())
            setattr(record, name, text)
    return True


def _disk_text(number, folder):
    """Words for a disk on which Snakemake cannot write, by the number of the error."""
    return f"The disk of {folder} {_DISK[int(number)]} and repeat the command."


def _explain_missing(found):
    """Words for files that are missing because they were damaged; what was said of other ones."""
    aside = {Path(name).name.partition(".damaged-")[0] for name in _PUT_ASIDE.findall(found[0])}
    missing = _MISSING_FILE.findall(found[0])
    damaged = [name for name in missing if Path(name).name in aside]
    if not damaged or len(damaged) < len(missing):
        return found[0]
    return (
        f"{', '.join(damaged)} {'was' if len(damaged) == 1 else 'were'} damaged and put aside by a job of this run. "
        f"Repeat the command to continue and make the missing files again."
    )
