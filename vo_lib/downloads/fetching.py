"""Asking a survey for many sources: several at a time, each answer on disk at once."""

import logging
import queue
import sys
import threading
import time
from datetime import UTC, datetime
from itertools import cycle

from tqdm import tqdm

from vo_lib.contracts import ask
from vo_lib.downloads.outage import PAUSE_S, Outage
from vo_lib.errors import PluginError, ServiceError, UnreachableError
from vo_lib.observatories.credentials import mask
from vo_lib.provenance import short_digest
from vo_lib.raw import EMPTY, FAILED, OK, Answer

__all__ = ["NOT_ASKED", "fetch_all"]

NOT_ASKED = "service_down: not asked for"

log = logging.getLogger("vo_lib")


def fetch_all(observatory, rows, spool, parameters, *, threads=1, max_consecutive_failures=10, label="", outage=None):
    """Put an answer for each row into the spool, unless the service is down.

    A thread asks for its next source only when the answer before is on disk, so memory is
    bounded by the number of threads and a kill loses what is under way and nothing else.

    Parameters
    ----------
    observatory : VirtualObservatory
        The survey; its `pace` spaces its requests.
    rows : list of dict
        Catalog rows to ask for.
    spool : Spool
        Where the answers go; whole ones for the same rows and parameters are not asked for again.
    parameters : dict
        See `vo_lib.download.download_bin`.
    threads : int, optional
        Requests at a time.
    max_consecutive_failures : int, optional
        After as many failures in a row the service counts as down and no more is asked; 0 for no limit.
    label : str, optional
        Name of the bin in the log and beside the progress bar.
    outage : Outage, optional
        What jobs tell each other of a survey that cannot be reached. The one that has found that, and others after it,
        ask for one source now and then, until there is an answer, and then for all; or they give up.

    Returns
    -------
    dict of str to str
        Why each of the failed and not asked sources has no answer.

    Raises
    ------
    OSError
        If the disk is full: then no source is asked for.
    """
    outage = outage or Outage()
    if rows:
        spool.check_room()

    def fetch(rows):
        run = _Run(observatory, spool, parameters, max_consecutive_failures, outage)
        return run.fetch(rows, threads, label)

    failed, progress = fetch(rows), True
    while failed and progress and outage.since is not None and not outage.is_hopeless:
        left = fetch([row for row in rows if row["name"] in failed])
        progress = len(left) < len(failed)
        failed = {name: failed[name] if reason == NOT_ASKED else reason for name, reason in left.items()}
    return failed


class _Run:
    """State of one call of `fetch_all`."""

    def __init__(self, observatory, spool, parameters, max_consecutive_failures, outage):
        self.observatory, self.spool, self.outage = observatory, spool, outage
        self.parameters, self.digest = parameters, short_digest(parameters)
        self.max_consecutive_failures = max_consecutive_failures
        self.counts = {OK: 0, EMPTY: 0, FAILED: 0}
        self.failed, self.not_asked, self._in_vain = {}, 0, {}
        self._consecutive, self._reached = 0, False
        self._lock, self._stop = threading.Lock(), threading.Event()

    def fetch(self, rows, threads, label):
        """Reason of each source without an answer, when it is known of all what became of them."""
        self._wait_for_service(rows, label)
        self._consecutive = self.outage.failures
        with tqdm(total=len(rows), desc=label, unit="source", disable=None, leave=False, mininterval=0.5) as bar:
            for outcome in self.outcomes(rows, threads):
                self.count(*outcome, label=label)
                bar.set_postfix(self.counts, refresh=False)
                bar.update()
        log.info("%s: %d sources asked for: %s", label, len(rows) - self.not_asked, self.counts)
        return self.failed

    def _wait_for_service(self, rows, label):
        """Where a job found the survey unreachable, ask for a source now and then; at the end nothing is asked for."""
        if (since := self.outage.since) is None:
            return
        until = since + self.outage.patience
        if time.time() < until:
            _tell(f"{label}: unreachable since {_clock(since)}; asked again until {_clock(until)}")
        for row in cycle([row for row in rows if self._from_spool(row) is None]):
            if self.outage.since is None or (not self.outage.is_hopeless and self._reaches_service(row, since)):
                return
            if time.time() >= until:
                self._stop.set()
                return
            time.sleep(PAUSE_S)

    def _reaches_service(self, row, since):
        """Ask for one source, and tell the other jobs whether there was an answer of any kind."""
        answer, unreachable = self._fetch(row)
        if unreachable:
            self._in_vain = {row["name"]: answer}
            self.outage.note(since)
        else:
            self.outage.end()
            self.spool.put(answer)
        return not unreachable

    def outcomes(self, rows, threads):
        """Yield name, status, number of epochs and reason of each source as it arrives, in any order."""
        todo, done = iter(rows), queue.SimpleQueue()
        # Who stops a job does not wait for archives: no thread keeps the process, and what it asked for is lost.
        workers = [threading.Thread(target=self._work, args=(todo, done), daemon=True) for _ in range(threads)]
        for worker in workers:
            worker.start()
        error = None
        try:
            for _ in rows:
                if isinstance(outcome := done.get(), BaseException):
                    error = outcome
                    break
                yield outcome
        finally:
            self._stop.set()
        for worker in workers:
            worker.join()
        if error:
            raise error

    def _work(self, todo, done):
        """In a thread: answer one source after the other; an exception in the queue is an error of the program."""
        try:
            while True:
                with self._lock:
                    row = next(todo, None)
                if row is None:
                    return
                done.put(self._answer(row))
        except BaseException as error:
            self._stop.set()
            done.put(error)

    def _answer(self, row):
        """Outcome of one source, its answer in the spool."""
        answer, stopped = self._from_spool(row), self._stop.is_set()
        if answer is None and stopped and row["name"] not in self._in_vain:
            return row["name"], FAILED, 0, NOT_ASKED
        if answer is None:
            answer = self._in_vain[row["name"]] if stopped else self._ask(row)
            self.spool.put(answer)
        return answer.name, answer.status, len(answer.data), answer.reason

    def count(self, name, status, n_rows, reason, *, label):
        """Keep account of an outcome and log it."""
        self.counts[status] += 1
        if status == FAILED:
            self.failed[name] = reason
            self.not_asked += reason == NOT_ASKED
        level = logging.WARNING if status == FAILED else logging.INFO
        log.log(level, "%s %s: %s, %d rows%s", label, name, status, n_rows, f" ({reason})" if reason else "")

    def _from_spool(self, row):
        """The answer that an interrupted job left, if it is one and for the same row and parameters."""
        answer = self.spool.get(row["name"])
        if answer is None or answer.status == FAILED:
            return None
        return answer if answer.parameters == self.digest and answer.row == row else None

    def _ask(self, row):
        """Ask for one source, and stop asking after too many failures in a row."""
        answer, unreachable = self._fetch(row)
        with self._lock:
            self._consecutive = self._consecutive + 1 if answer.status == FAILED else 0
            is_down = 0 < self.max_consecutive_failures <= self._consecutive
            if is_down:
                self._stop.set()
            self._tell_others(unreachable, is_down)
        return answer

    def _tell_others(self, unreachable, is_down):
        """Let other jobs know of a survey that is unreachable, or that is not."""
        if not unreachable and not self._reached:
            self._reached = True
            self.outage.end()
        elif unreachable and is_down:
            self.outage.note(self.outage.since)
        elif unreachable and not self._reached:
            self.outage.count(self._consecutive)

    def _fetch(self, row):
        """Ask for one source, and tell whether the survey is unreachable; no usable answer makes a failed one."""
        reason, altdata, status, data, unreachable = "", {}, FAILED, self.observatory.empty_table(), False
        try:
            data, altdata = ask(self.observatory, row)
            status = OK if len(data) else EMPTY
        except ServiceError as error:
            reason, unreachable = mask(str(error)), isinstance(error, UnreachableError)
        except PluginError:
            raise
        except Exception as error:
            error.add_note(f"while '{row['name']}' was asked for")
            raise
        answer = Answer(
            row=row,
            status=status,
            data=data,
            altdata=altdata,
            parameters=self.digest,
            release=self.parameters["release"],
            fetched=datetime.now(UTC).isoformat(timespec="seconds"),
            reason=reason,
        )
        return answer, unreachable


def _tell(text):
    """A line in the log, and one on the terminal, for a job that seems to do nothing."""
    log.warning("%s", text)
    tqdm.write(text, file=sys.stderr)


def _clock(seconds):
    """Time of the day [local]."""
    return time.strftime("%H:%M", time.localtime(seconds))
