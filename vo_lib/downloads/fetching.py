"""Asking a survey for many sources: several at a time, each answer on disk at once."""

import logging
import queue
import threading
from datetime import UTC, datetime

from tqdm import tqdm

from vo_lib.contracts import ask
from vo_lib.errors import PluginError, ServiceError
from vo_lib.observatories.credentials import mask
from vo_lib.provenance import short_digest
from vo_lib.raw import EMPTY, FAILED, OK, Answer

__all__ = ["NOT_ASKED", "fetch_all"]

NOT_ASKED = "service_down: not asked for"

log = logging.getLogger("vo_lib")


def fetch_all(observatory, rows, spool, parameters, *, threads=1, max_consecutive_failures=10, label=""):
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

    Returns
    -------
    dict of str to str
        Why each of the failed and not asked sources has no answer.
    """
    run = _Run(observatory, spool, parameters, max_consecutive_failures)
    with tqdm(total=len(rows), desc=label, unit="source", disable=None, leave=False, mininterval=0.5) as bar:
        for outcome in run.outcomes(rows, threads):
            run.count(*outcome, label=label)
            bar.set_postfix(run.counts, refresh=False)
            bar.update()
    log.info("%s: %d sources asked for: %s", label, len(rows) - run.not_asked, run.counts)
    return run.failed


class _Run:
    """State of one call of `fetch_all`."""

    def __init__(self, observatory, spool, parameters, max_consecutive_failures):
        self.observatory, self.spool = observatory, spool
        self.parameters, self.digest = parameters, short_digest(parameters)
        self.max_consecutive_failures = max_consecutive_failures
        self.counts = {OK: 0, EMPTY: 0, FAILED: 0}
        self.failed, self.not_asked = {}, 0
        self._consecutive, self._lock, self._stop = 0, threading.Lock(), threading.Event()

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
        answer = self._from_spool(row)
        if answer is None and self._stop.is_set():
            return row["name"], FAILED, 0, NOT_ASKED
        if answer is None:
            answer = self._fetch(row)
            self._judge(answer)
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

    def _judge(self, answer):
        """Stop asking after too many failures in a row."""
        with self._lock:
            self._consecutive = self._consecutive + 1 if answer.status == FAILED else 0
            if self.max_consecutive_failures and self._consecutive >= self.max_consecutive_failures:
                self._stop.set()

    def _fetch(self, row):
        """Ask the survey for one source; a service that gives no usable answer makes a failed one."""
        reason, altdata, status, data = "", {}, FAILED, self.observatory.empty_table()
        try:
            data, altdata = ask(self.observatory, row)
            status = OK if len(data) else EMPTY
        except ServiceError as error:
            reason = mask(str(error))
        except PluginError:
            raise
        except Exception as error:
            error.add_note(f"while '{row['name']}' was asked for")
            raise
        return Answer(
            row=row,
            status=status,
            data=data,
            altdata=altdata,
            parameters=self.digest,
            release=self.parameters["release"],
            fetched=datetime.now(UTC).isoformat(timespec="seconds"),
            reason=reason,
        )
