"""Create, start and stop the project's own PostgreSQL server."""

import fcntl
import os
import platform
import re
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

from vo_lib.database.programs import account_of, binaries, let_through
from vo_lib.database.url import refusal
from vo_lib.errors import ServiceError

__all__ = ["SOCKET", "OwnServer", "lock"]

START_TIMEOUT = 300  # seconds for a server to start, including recovery after a crash
SOCKET = ".s.PGSQL.5432"


def lock(file, kind):
    """Acquire or release a lock on an open file.

    Parameters
    ----------
    file : file object
        Open file.
    kind : int
        Operation, see `fcntl.flock`.

    Raises
    ------
    BlockingIOError
        If another process holds the lock and `kind` has ``LOCK_NB``.
    ServiceError
        If the file system does not support locks.
    """
    try:
        fcntl.flock(file, kind)
    except BlockingIOError:
        raise
    except OSError as error:
        raise ServiceError(
            f"{file.name}: the file system has no file locks ({error}); set database.url to a server elsewhere"
        ) from None


class OwnServer:
    """PostgreSQL server of one folder, which only one process at a time creates, starts or stops.

    Parameters
    ----------
    folder : Path
        ``<data_root>/database``.
    """

    def __init__(self, folder):
        self.folder = folder
        self.data = folder / "postgres"
        self.log = folder / "server.log"
        self.stays = folder / "stays"
        self._postmaster = self.data / "postmaster.pid"
        self._host = folder / "host"
        self._part = folder / "postgres.part"

    def check_account(self):
        """Check that this account may use the server, which belongs to the account that created it."""
        for folder in (self.folder, self.data, self._part):
            if folder.exists() and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                raise ServiceError(
                    f"{folder} belongs to another account or is on a read-only disk; use that account, another "
                    "data_root or a database.url"
                )

    @contextmanager
    def turn(self):
        """Hold the lock for starting and stopping the server; wait for other processes first."""
        with open(self.folder / "start.lock", "a") as file:
            lock(file, fcntl.LOCK_EX)
            yield

    def ensure_running(self, url):
        """Start the server unless it is running, and create its data first if necessary.

        Parameters
        ----------
        url : sqlalchemy.URL
            URL of the server.

        Raises
        ------
        ServiceError
            If the server cannot be started.
        """
        self._bring_to_now()
        if self._answers(url):
            return
        self._check_host()
        self._check_version()
        self._bury()
        programs, account = binaries()[1], account_of(self.data)
        for folder in (self.data, programs) if account else ():
            let_through(folder)
        if not self.data.exists():
            self._create(programs, account)
        self._host.write_text(platform.node())
        # Relative names, because pg_ctl passes its arguments to a shell; -k . is the data folder.
        options = "-k . -p 5432 -c listen_addresses=''"
        self._run(
            programs, account, "pg_ctl", "-D", "postgres", "-s", "-w", "-t", str(START_TIMEOUT), "-o", options, "start"
        )
        if why := refusal(url):
            raise ServiceError(f"the project's PostgreSQL has started but does not respond ({why}); see {self.log}")

    def _bring_to_now(self):
        """Set the time of data from the future to now; receipts older than the data would be made again and again."""
        version, now = self.data / "PG_VERSION", time.time_ns()
        if version.exists() and version.stat().st_mtime_ns > now:
            os.utime(version, ns=(now, now))

    def _answers(self, url):
        """Return whether the server is running; wait for one that is still starting or recovering."""
        end = time.monotonic() + START_TIMEOUT
        while self._postmaster.exists() and time.monotonic() < end:
            why = refusal(url)
            if why is None or "the database system is" not in why:
                return why is None
            time.sleep(0.1)
        return False

    def _check_host(self):
        """Check that no other machine that shares the file system runs a server on the same data."""
        if self._postmaster.exists() and self._host.exists() and (host := self._host.read_text()) != platform.node():
            raise ServiceError(
                f"the project's PostgreSQL runs on {host} and can be used only there; stop what uses it, or set "
                f"database.url for use from several machines, or, if {host} is gone, delete {self._postmaster}"
            )

    def _check_version(self):
        """Check that the data are of this major version of PostgreSQL; others cannot be read, only recreated."""
        version, file = binaries()[0], self.data / "PG_VERSION"
        if file.exists() and (found := file.read_text().strip()) != str(version):
            raise ServiceError(
                f"{self.data} was made by PostgreSQL {found}, but {version} is installed; delete that folder "
                f"and run again: the database is recreated from the files"
            )

    def _bury(self):
        """Remove the lock files of a server that was killed.

        PostgreSQL itself takes such a server for alive if its process ID has been reused, or if, as in many containers,
        nothing reaps zombie processes.
        """
        if self._postmaster.exists() and _is_gone(self._postmaster.read_bytes().split()[:1]):
            for file in (self._postmaster, self.data / f"{SOCKET}.lock"):
                file.unlink(missing_ok=True)

    def _create(self, programs, account):
        """Create an empty database cluster, and move it into place once it is complete."""
        shutil.rmtree(self._part, ignore_errors=True)
        self._part.mkdir(mode=0o700)
        if account:
            os.chown(self._part, account.pw_uid, account.pw_gid)
        # Sort by code points, so that queries give the same order on every machine.
        locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        self._run(programs, account, "initdb", "-D", self._part.name, "-U", "postgres", "-A", "trust", *locale)
        self._part.rename(self.data)

    def _run(self, programs, account, command, *arguments):
        """Run a PostgreSQL program in the folder, with its output in the log."""
        # PGPORT, PGDATA etc. are for the user's own servers. On macOS PostgreSQL does not start without a valid locale.
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}
        identity = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
        with open(self.log, "ab") as output:
            start = output.tell()
            try:
                subprocess.run(  # noqa: S603 - our own program and arguments, no shell
                    [programs / command, *arguments],
                    cwd=self.folder,
                    env=clean,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    check=True,
                    **identity,
                )
            except (OSError, subprocess.SubprocessError) as error:
                raise ServiceError(
                    f"the project's PostgreSQL cannot be started in {self.folder} ({command}: "
                    f"{self._last_complaint(start, error)}); see {self.log}, or set database.url to a server"
                ) from None

    def _last_complaint(self, start, error):
        """Return the last line of the log after some byte that gives a reason."""
        if not isinstance(error, subprocess.CalledProcessError):
            return str(error)
        lines = [line.strip() for line in self.log.read_bytes()[start:].decode(errors="replace").splitlines()]
        said = [line for line in lines if re.match(r"\w+: ", line)]
        fatal = [line for line in lines if re.search(r"FATAL|PANIC|error:", line)]
        return (fatal or said or [f"status {error.returncode}"])[-1]

    def stop(self, url):
        """Stop the server and wait until it has written everything; do nothing if it is not running.

        Parameters
        ----------
        url : sqlalchemy.URL
            URL of the server.
        """
        if refusal(url) is not None:
            return
        os.kill(int(self._postmaster.read_text().splitlines()[0]), signal.SIGINT)
        end = time.monotonic() + START_TIMEOUT
        while self._postmaster.exists() and time.monotonic() < end:
            time.sleep(0.01)


def _is_gone(pid):
    """Return whether a process (list of its ID, or empty) is not a live PostgreSQL; False without ``/proc``."""
    if not Path("/proc/self/stat").exists():
        return False
    if not all(number.isdigit() for number in pid):
        return True  # a power failure can leave such content in a file just written
    try:
        return not re.search(r"\(postgres\) [^ZX]", Path("/proc", *map(os.fsdecode, pid), "stat").read_text())
    except OSError:
        return True
