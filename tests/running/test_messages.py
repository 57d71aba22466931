"""What is said of stops and failures in place of Snakemake's own words."""

import errno
import logging
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from vo_lib.running.messages import note_stop, shorten_error, tell_stop


def test_an_exception_that_nobody_stopped_keeps_its_traceback(capsys):
    try:
        raise ValueError("bug")
    except ValueError as error:
        tell_stop(ValueError, error, error.__traceback__)
    assert "ValueError: bug" in capsys.readouterr().err
    tell_stop(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert capsys.readouterr().err == "\nThe run was stopped. Repeat the command to continue.\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted_and_does_what_it_did(monkeypatch, number):
    plan = SimpleNamespace(stopped=False)
    handlers = {signal.SIGINT: signal.SIG_IGN, signal.SIGTERM: signal.SIG_IGN, number: signal.default_int_handler}
    monkeypatch.setattr(signal, "getsignal", handlers.get)
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    note_stop(plan)
    assert [handlers[other] for other in handlers if other != number] == [signal.SIG_IGN]
    with pytest.raises(KeyboardInterrupt):
        handlers[number](number, None)
    assert plan.stopped


@pytest.mark.parametrize(
    ("level", "number", "shown"),
    [
        (logging.ERROR, 500, ["0", "1", "2", "and 497 other files"]),
        (logging.ERROR, 4, ["0", "1", "2", "and 1 other file"]),
        (logging.ERROR, 3, ["0", "1", "2"]),
        (logging.INFO, 4, ["0", "1", "2", "3"]),
        (logging.ERROR, None, None),
    ],
)
def test_of_the_inputs_of_a_failed_job_the_first_are_shown(level, number, shown):
    record = logging.makeLogRecord({"levelno": level})
    record.input = None if number is None else [str(each) for each in range(number)]
    assert shorten_error(record)
    assert record.input == shown


def test_of_long_parameters_of_a_failed_job_the_beginning_is_shown():
    command = f"python x.py --params '{{{'a' * 300}}}'\n(it failed)"
    record = logging.makeLogRecord({"levelno": logging.ERROR, "msg": command, "shellcmd": command, "input": None})
    assert shorten_error(record)
    assert record.msg == record.shellcmd == f"python x.py --params '{{{'a' * 59} ...\n(it failed)"
    short = logging.makeLogRecord({"levelno": logging.ERROR, "msg": "x --params '{}' y"})
    assert shorten_error(short)
    assert short.msg == "x --params '{}' y"


FULL = "is full or over quota; free some space"
DISKS = [(errno.ENOSPC, FULL), (errno.EDQUOT, FULL), (errno.EROFS, "fails (Read-only file system)"), (errno.EACCES, "")]


@pytest.mark.parametrize(("number", "told"), DISKS)
def test_a_disk_without_room_for_what_snakemake_notes_is_called_full(number, told):
    said = f"Error recording metadata for finished job ([Errno {number}] x). "
    said += "Please ensure write permissions for the directory /d/.snakemake"
    record = logging.makeLogRecord({"levelno": logging.ERROR, "msg": f"WorkflowError:\n{said}"})
    assert shorten_error(record)
    assert (f"The disk of /d/.snakemake {told}" in record.msg) == bool(told)
    assert ("write permissions" in record.msg) != bool(told)


@pytest.mark.parametrize(("number", "told"), DISKS)
def test_a_disk_without_room_for_a_file_of_snakemake_is_called_full(number, told):
    frames = 'Traceback (most recent call last):\n  File "/x/snakemake/persistence/file.py", line 255, in lock'
    record = logging.makeLogRecord({"levelno": logging.ERROR, "msg": f"{frames}\nOSError: [Errno {number}] x: 'y'\n"})
    assert shorten_error(record)
    assert record.msg.startswith(f"The disk of {Path.cwd()} {told}") == bool(told)
    assert ("Traceback" in record.msg) != bool(told)


def test_an_error_that_names_thousands_of_files_is_shown_at_once():
    said = "Missing input files for rule all:\n" + "survey/analysis/RA045_analysis.h5\n" * 1500
    record = logging.makeLogRecord({"levelno": logging.ERROR, "msg": said})
    begin = time.process_time()
    assert shorten_error(record)
    assert record.msg == said
    assert time.process_time() - begin < 3


MISSING = """OSError: Missing files after 5 seconds. This might be due to filesystem latency. If so, use --latency-wait:
P/RA045_analysis.h5 (missing locally, parent dir contents: rates.csv, {aside}RA083_analysis.h5)
P/RA046_analysis.h5 (missing locally, parent dir contents: rates.csv, {other}RA083_analysis.h5)"""
TIME = ".damaged-20261130T062831, "


@pytest.mark.parametrize(
    ("aside", "other", "shown"),
    [
        (f"RA045_analysis.h5{TIME}", f"RA046_analysis.h5{TIME}", "P/RA045_analysis.h5, P/RA046_analysis.h5 were"),
        (f"RA045_analysis.h5{TIME}", "", "OSError: Missing files after 5 seconds"),
        (f"RA044_analysis.h5{TIME}", "", "OSError: Missing files after 5 seconds"),
        ("", "", "OSError: Missing files after 5 seconds"),
    ],
)
def test_files_that_a_job_of_the_run_put_aside_are_not_called_late(aside, other, shown):
    text = f'WorkflowError in file "merge.smk", line 50:\n{MISSING.format(aside=aside, other=other)}'
    record = logging.makeLogRecord({"levelno": logging.ERROR, "msg": text})
    assert shorten_error(record)
    head, first, *rest = record.msg.splitlines()
    assert head == 'WorkflowError in file "merge.smk", line 50:'
    assert first.startswith(shown)
    assert bool(rest) == ("latency" in first)
