"""Names are data for PostgreSQL too, and its own server listens on a socket in a private folder alone."""

import stat
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from database.products import sync_arguments, write_bin
from one_line import or_one_line
from security.attacks import ALLOWED
from sqlalchemy.orm import Session

from vo_lib.database import admin
from vo_lib.database.find import find_detections, find_sources
from vo_lib.database.models import Source
from vo_lib.database.schema import upgrade
from vo_lib.database.server import connect_url
from vo_lib.database.session import make_engine
from vo_lib.database.sync import sync_project
from vo_lib.database.url import parse_url, redact
from vo_lib.errors import UserError

SECRET = "correct-horse"


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """A data root with the rows of a bin with all the names, and the engine of its own server."""
    root = tmp_path_factory.mktemp("root")
    write_bin(root, list(ALLOWED))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("VO_DATABASE_URL", raising=False)
        with connect_url(data_root=root) as url:
            engine = make_engine(url)
            upgrade(engine)
            sync_project(engine, root, "DEMO", **sync_arguments())
            yield SimpleNamespace(root=root, engine=engine)
            engine.dispose()


@pytest.fixture
def session(database):
    with Session(database.engine) as session:
        yield session


def test_names_are_rows_as_they_are(session):
    assert set(session.scalars(sa.select(Source.name))) == set(ALLOWED)


@pytest.mark.parametrize("name", ALLOWED)
def test_a_name_finds_what_has_it_and_nothing_else(session, name):
    assert [row.name for row in find_sources(session, project="DEMO", name=name)] == [name]


@pytest.mark.parametrize("part", sorted({name[:-1] for name in ALLOWED} - {"", *ALLOWED}))
def test_a_part_of_a_name_finds_what_has_it_and_nothing_else(session, part):
    found = {row.name for row in find_sources(session, project="DEMO", name=part)}
    assert found == {other for other in ALLOWED if part.lower() in other.lower()}


@pytest.mark.parametrize("text", [*ALLOWED[:45], "a\0b", "\ud800", "x" * 2000])
@pytest.mark.parametrize("criterion", ["project", "tag", "order", "ra", "max_number", "filter", "obs", "name"])
def test_a_criterion_is_a_value_or_one_line(session, criterion, text):
    with or_one_line():
        assert find_detections(session, **{"project": "DEMO", "snr_min": 1e9, criterion: text}) == []


def test_a_word_that_is_no_criterion_is_no_column(session):
    with pytest.raises(UserError, match="is not a criterion"):
        find_sources(session, **{"1=1; DROP TABLE sources; --": 1})


def test_the_server_listens_on_a_socket_in_a_private_folder_alone(database, session):
    folder = database.root / "database/postgres"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert session.scalar(sa.text("SHOW listen_addresses")) == ""
    sockets = session.scalar(sa.text("SHOW unix_socket_directories"))
    assert sockets == "."
    assert (folder / ".s.PGSQL.5432").is_socket()


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{SECRET}@127.0.0.1:1/x",
        f"postgresql://127.0.0.1:1/x?user=me&password={SECRET}",
        f"postgresql://127.0.0.1:1/x?sslpassword={SECRET}",
        f"postgresql://me:{SECRET}@[::1/x",
        f"mysql://me:{SECRET}@127.0.0.1/x",
        f"me:{SECRET}@127.0.0.1",
    ],
)
def test_passwords_are_in_no_error(url, tmp_path):
    with pytest.raises(UserError) as caught, connect_url(url, data_root=tmp_path):
        pass
    assert SECRET not in str(caught.value)
    assert SECRET not in redact(url)


@pytest.mark.parametrize("url", [f"postgresql://me:{SECRET}@h/x", f"postgresql://h/x?sslpassword={SECRET}"])
def test_passwords_are_in_no_list_of_processes(url, monkeypatch):
    started = []

    def run(command, **options):
        started.append(command)
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(admin.subprocess, "run", run)
    with or_one_line():
        admin.run_program("pg_dump", parse_url(url))
    assert SECRET not in str(started)
