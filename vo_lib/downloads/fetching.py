"""Query a survey for many sources in parallel, storing each answer as it arrives."""

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

    A thread requests its next source only when the previous answer is on disk, so memory use is bounded by the number
    of threads, and a kill loses no more than the requests in progress.

    Parameters
    ----------
    observatory : VirtualObservatory
        The survey; its `pace` spaces its requests.
    rows : list of dict
        Catalog rows of the sources to request.
    spool : Spool
        Where the answers go; sources with a complete answer to the same request in it are not requested again.
    parameters : dict
        See `vo_lib.download.download_bin`.
    threads : int, optional
        Number of parallel requests.
    max_consecutive_failures : int, optional
        Number of failures in a row after which the service counts as down and requests stop; 0 for no limit.
    label : str, optional
        Name of the bin, for the log and the progress bar.
    outage : Outage, optional
        What jobs know about an unreachable survey. The job that finds it unreachable, and those after it, request one
        source at intervals until there is an answer, and then all sources; or they give up.

    Returns
    -------
    dict of str to str
        Reason for each source without an answer, whether it failed or was not requested.

    Raises
    ------
    OSError
        If the disk is full; then no source is requested.
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
        self.failed, self._in_vain = {}, {}
        self._consecutive, self._reached = 0, False
        self._lock, self._stop = threading.Lock(), threading.Event()

    def fetch(self, rows, threads, label):
        """Return the reason for each source without an answer, once all sources are done."""
        self._wait_for_service(rows, label)
        self._consecutive = self.outage.failures
        with tqdm(total=len(rows), desc=label, unit="source", disable=None, leave=False, mininterval=0.5) as bar:
            for outcome in self.outcomes(rows, threads):
                self.count(*outcome, label=label)
                bar.set_postfix(self.counts, refresh=False)
                bar.update()
        n_asked = len(rows) - list(self.failed.values()).count(NOT_ASKED)
        log.info("%s: %d sources requested: %s", label, n_asked, self.counts)
        return self.failed

    def _wait_for_service(self, rows, label):
        """While the survey is known to be unreachable, request a source at intervals; after that, stop all requests."""
        if (since := self.outage.since) is None:
            return
        until = since + self.outage.patience
        if time.time() < until:
            _tell(f"{label}: unreachable since {_clock(since)}; retrying until {_clock(until)}")
        for row in cycle([row for row in rows if self._from_spool(row) is None]):
            if self.outage.since is None or (not self.outage.is_hopeless and self._reaches_service(row, since)):
                return
            if time.time() >= until:
                self._stop.set()
                return
            time.sleep(PAUSE_S)

    def _reaches_service(self, row, since):
        """Request one source, and record for other jobs whether there was an answer of any kind."""
        answer, unreachable = self._fetch(row)
        if unreachable:
            self._in_vain = {row["name"]: answer}
            self.outage.note(since)
        else:
            self.outage.end()
            self.spool.put(answer)
        return not unreachable

    def outcomes(self, rows, threads):
        """Yield name, status, number of epochs and reason of each source as answers arrive, in any order."""
        todo, done = iter(rows), queue.SimpleQueue()
        # Stopping a job must not wait for an archive: daemon threads end with the process, and their requests are lost.
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
        """Process sources one after another in a thread; an exception in the queue is a program error."""
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
        """Outcome of one source, whose answer is then in the spool."""
        answer, stopped = self._from_spool(row), self._stop.is_set()
        if answer is None and stopped and row["name"] not in self._in_vain:
            return row["name"], FAILED, 0, NOT_ASKED
        if answer is None:
            answer = self._in_vain[row["name"]] if stopped else self._ask(row)
            self.spool.put(answer)
        return answer.name, answer.status, len(answer.data), answer.reason

    def count(self, name, status, n_rows, reason, *, label):
        """Count an outcome and log it."""
        self.counts[status] += 1
        if status == FAILED:
            self.failed[name] = reason
        level = logging.WARNING if status == FAILED else logging.INFO
        log.log(level, "%s %s: %s, %d rows%s", label, name, status, n_rows, f" ({reason})" if reason else "")

    def _from_spool(self, row):
        """Answer that an interrupted job left for the same row and parameters, or None; failures do not count."""
        answer = self.spool.get(row["name"])
        if answer is None or answer.status == FAILED:
            return None
        return answer if answer.parameters == self.digest and answer.row == row else None

    def _ask(self, row):
        """Request one source; after too many failures in a row, stop all requests."""
        answer, unreachable = self._fetch(row)
        with self._lock:
            self._consecutive = self._consecutive + 1 if answer.status == FAILED else 0
            is_down = 0 < self.max_consecutive_failures <= self._consecutive
            if is_down:
                self._stop.set()
            self._tell_others(unreachable, is_down)
        return answer

    def _tell_others(self, unreachable, is_down):
        """Record for other jobs whether the survey can be reached."""
        if not unreachable and not self._reached:
            self._reached = True
            self.outage.end()
        elif unreachable and is_down:
            self.outage.note(self.outage.since)
        elif unreachable and not self._reached:
            self.outage.count(self._consecutive)

    def _fetch(self, row):
        """Request one source; return its answer, failed if unusable, and whether the survey is unreachable."""
        reason, altdata, status, data, unreachable = "", {}, FAILED, self.observatory.empty_table(), False
        try:
            data, altdata = ask(self.observatory, row)
            status = OK if len(data) else EMPTY
        except ServiceError as error:
            reason, unreachable = mask(str(error)), isinstance(error, UnreachableError)
        except PluginError:
            raise
        except Exception as error:
            error.add_note(f"while requesting '{row['name']}'")
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
    """Write a line to the log and to the terminal, so that a waiting job does not look idle."""
    log.warning("%s", text)
    tqdm.write(text, file=sys.stderr)


def _clock(seconds):
    """Local time of day as text."""
    return time.strftime("%H:%M", time.localtime(seconds))
