"""The servers for all tests of the database: the embedded one, and that of the system where there is one."""

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from vo_lib.database.models import Base
from vo_lib.database.schema import upgrade
from vo_lib.database.server import connect_url
from vo_lib.database.session import make_engine

SYSTEM = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
FAST = ("fsync", "synchronous_commit", "full_page_writes")


class SystemServer:
    """PostgreSQL of the system in a temporary folder; as another account for root, whom PostgreSQL refuses."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="vo-test-"))
        self.account = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        if self.account:
            os.chown(self.folder, self.account.pw_uid, self.account.pw_gid)
        self._run("initdb", "-D", "data", "-U", "postgres", "-A", "trust", "--encoding=UTF8", "--locale=C")
        self._run("pg_ctl", "-D", "data", "-s", "-w", "-l", "log", "-o", "-k . -c listen_addresses=''", "start")
        query = {"host": str(self.folder / "data")}
        self.url = sa.URL.create("postgresql+psycopg2", "postgres", database="postgres", port=5432, query=query)

    def _run(self, program, *arguments):
        identity = {"user": self.account.pw_uid, "group": self.account.pw_gid} if self.account else {}
        command = [SYSTEM[-1].with_name(program), *arguments]
        subprocess.run(command, cwd=self.folder, stdout=subprocess.DEVNULL, check=True, **identity)

    def end(self):
        self._run("pg_ctl", "-D", "data", "-s", "-m", "immediate", "stop")
        shutil.rmtree(self.folder)


def _be_fast(url):
    """These servers need not survive a crash of the machine."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for name in FAST:
            connection.execute(sa.text(f"ALTER SYSTEM SET {name} = off"))
        connection.execute(sa.text("SELECT pg_reload_conf()"))
    engine.dispose()
    return url


@pytest.fixture(scope="session")
def embedded_url(tmp_path_factory):
    """URL of the embedded server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("VO_DATABASE_URL", raising=False)
        with connect_url(data_root=tmp_path_factory.mktemp("data_root")) as url:
            yield _be_fast(url)


@pytest.fixture(scope="session")
def system_url():
    """URL of the server of the system."""
    if not SYSTEM:
        pytest.skip("the system has no PostgreSQL in /usr/lib/postgresql")
    server = SystemServer()
    yield _be_fast(server.url)
    server.end()


@pytest.fixture(scope="session", params=["embedded", "system"])
def server_url(request):
    """URL of each server in turn."""
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def engine(server_url):
    """An engine with empty tables."""
    engine = make_engine(server_url)
    upgrade(engine)
    yield engine
    with engine.begin() as connection:
        tables = ", ".join(table.name for table in Base.metadata.sorted_tables)
        connection.execute(sa.text(f"TRUNCATE {tables} RESTART IDENTITY"))
    engine.dispose()


@contextmanager
def _own_database(server_url, name):
    """An engine of a database without tables that goes at the end."""
    admin = sa.create_engine(server_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name}"))
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine = make_engine(server_url.set(database=name))
    yield engine
    engine.dispose()
    with admin.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name}"))
    admin.dispose()


@pytest.fixture
def empty_engine(server_url):
    """An engine of a database of its own without tables."""
    with _own_database(server_url, "empty") as engine:
        yield engine


@pytest.fixture(scope="module")
def shared_engine(server_url):
    """An engine of a database of its own with tables, for rows that the tests of a module share and do not change."""
    with _own_database(server_url, "shared") as engine:
        upgrade(engine)
        yield engine


@pytest.fixture
def session(engine):
    with Session(engine) as session:
        yield session
