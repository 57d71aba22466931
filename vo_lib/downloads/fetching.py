"""Query a survey for many sources in parallel, storing each answer as it arrives.

`fetch_all` makes a round of requests, and another one for the rest if the survey became unreachable meanwhile. A round

1. waits if jobs know that the survey is unreachable: it requests one source at intervals until there is an answer, or
   gives up, see `vo_lib.downloads.outage`;
2. goes through all sources in threads. An answer in the spool is taken; any other source is requested, and its answer
   put into the spool. After too many failures in a row, or if step 1 gave up, nothing more is requested;
3. counts and logs each outcome meanwhile.
"""

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
        return _Round(observatory, spool, parameters, max_consecutive_failures, outage).fetch(rows, threads, label)

    failed, helps = fetch(rows), True
    while failed and helps and outage.since is not None and not outage.is_hopeless:
        again = fetch([row for row in rows if row["name"] in failed])
        helps = len(again) < len(failed)
        # A source that was not requested again keeps the reason of its latest request.
        failed = {name: failed[name] if reason == NOT_ASKED else reason for name, reason in again.items()}
    return failed


class _Round:
    """A round of requests: a wait while the survey is unreachable, then all sources in parallel, until it is down."""

    def __init__(self, observatory, spool, parameters, max_consecutive_failures, outage):
        self.observatory, self.spool, self.outage = observatory, spool, outage
        self.parameters, self.digest = parameters, short_digest(parameters)
        self.max_consecutive_failures = max_consecutive_failures
        self._stop = threading.Event()  # no more requests, but answers in the spool still count
        self._in_vain = {}  # failed answer to the latest request of the wait, by the name of its source
        self._lock = threading.Lock()  # of what follows
        self._consecutive = 0  # failed requests in a row, over all threads
        self._reached = False  # whether other jobs know that the survey answers

    def fetch(self, rows, threads, label):
        """Return the reason for each source without an answer, once all sources are done."""
        self._wait_for_service(rows, label)
        self._consecutive = self.outage.failures
        return _count(_in_threads(self._outcome, rows, threads), len(rows), label)

    def _wait_for_service(self, rows, label):
        """While the survey is known to be unreachable, request a source at intervals; after that, stop all requests."""
        if (since := self.outage.since) is None:
            return
        until = since + self.outage.patience
        if time.time() < until:
            _tell(f"{label}: unreachable since {_clock(since)}; retrying until {_clock(until)}")
        for row in cycle([row for row in rows if self._from_spool(row) is None]):
            if self.outage.since is None:  # another job had an answer
                return
            if not self.outage.is_hopeless and self._reaches_service(row, since):
                return
            if time.time() >= until:
                self._stop.set()
                return
            time.sleep(PAUSE_S)

    def _reaches_service(self, row, since):
        """Request one source, and record for other jobs whether there was an answer of any kind."""
        answer, unreachable = self._request(row)
        if unreachable:
            self._in_vain = {row["name"]: answer}
            self.outage.note(since)
        else:
            self.outage.end()
            self.spool.put(answer)
        return not unreachable

    def _outcome(self, row):
        """Name, status, number of epochs and reason of one source, whose answer, if it has one, is then in the spool.

        The answer is that of the spool or, as long as requests are not stopped, a new one.
        """
        answer, stopped = self._from_spool(row), self._stop.is_set()
        if answer is None:
            answer = self._in_vain.get(row["name"]) if stopped else self._request_and_count(row)
            if answer is None:
                return row["name"], FAILED, 0, NOT_ASKED
            self.spool.put(answer)
        return answer.name, answer.status, len(answer.data), answer.reason

    def _from_spool(self, row):
        """Answer that an interrupted job left for the same row and parameters, or None; failures do not count."""
        answer = self.spool.get(row["name"])
        if answer is None or answer.status == FAILED:
            return None
        return answer if answer.parameters == self.digest and answer.row == row else None

    def _request_and_count(self, row):
        """Request one source; after too many failures in a row, stop all requests."""
        answer, unreachable = self._request(row)
        with self._lock:
            self._consecutive = self._consecutive + 1 if answer.status == FAILED else 0
            is_down = 0 < self.max_consecutive_failures <= self._consecutive
            if is_down:
                self._stop.set()
            self._tell_others(unreachable, is_down)
        return answer

    def _tell_others(self, unreachable, is_down):
        """Record for other jobs whether the survey can be reached."""
        if not unreachable:
            if not self._reached:  # told once, since it is written to the disk
                self._reached = True
                self.outage.end()
        elif is_down:
            self.outage.note(self.outage.since)
        elif not self._reached:
            self.outage.count(self._consecutive)

    def _request(self, row):
        """Request one source; return its answer, failed if unusable, and whether the survey is unreachable."""
        data, altdata, reason, unreachable = self.observatory.empty_table(), {}, "", False
        try:
            data, altdata = ask(self.observatory, row)
            status = OK if len(data) else EMPTY
        except ServiceError as error:
            status, reason, unreachable = FAILED, mask(str(error)), isinstance(error, UnreachableError)
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


def _in_threads(work, items, threads):
    """Yield what a function returns for each item as it is done; an exception in a thread ends all, and is raised."""
    todo, done = iter(items), queue.SimpleQueue()
    lock, ended = threading.Lock(), threading.Event()

    def run():
        try:
            while not ended.is_set():
                with lock:
                    item = next(todo, None)
                if item is None:
                    return
                done.put((work(item), None))
        except BaseException as error:
            ended.set()
            done.put((None, error))

    # Stopping a job must not wait for an archive: daemon threads end with the process, and their requests are lost.
    workers = [threading.Thread(target=run, daemon=True) for _ in range(threads)]
    for worker in workers:
        worker.start()
    error = None
    try:
        for _ in items:
            result, error = done.get()
            if error is not None:
                break
            yield result
    finally:
        ended.set()
    for worker in workers:
        worker.join()
    if error is not None:
        raise error


def _count(outcomes, n_sources, label):
    """Count and log outcomes as they arrive, under a progress bar; return the reason for each that failed."""
    counts, failed = {OK: 0, EMPTY: 0, FAILED: 0}, {}
    with tqdm(total=n_sources, desc=label, unit="source", disable=None, leave=False, mininterval=0.5) as bar:
        for name, status, n_rows, reason in outcomes:
            counts[status] += 1
            if status == FAILED:
                failed[name] = reason
            level = logging.WARNING if status == FAILED else logging.INFO
            log.log(level, "%s %s: %s, %d rows%s", label, name, status, n_rows, f" ({reason})" if reason else "")
            bar.set_postfix(counts, refresh=False)
            bar.update()
    n_asked = n_sources - list(failed.values()).count(NOT_ASKED)
    log.info("%s: %d sources requested: %s", label, n_asked, counts)
    return failed


def _tell(text):
    """Write a line to the log and to the terminal, so that a waiting job does not look idle."""
    log.warning("%s", text)
    tqdm.write(text, file=sys.stderr)


def _clock(seconds):
    """Local time of day as text."""
    return time.strftime("%H:%M", time.localtime(seconds))
