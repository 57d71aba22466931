"""One embedded PostgreSQL for all tests of the database."""

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from vo_lib.database.models import Base
from vo_lib.database.schema import upgrade
from vo_lib.database.server import connect_url
from vo_lib.database.session import make_engine


@pytest.fixture(scope="session")
def server_url(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("VO_DATABASE_URL", raising=False)
        with connect_url(data_root=tmp_path_factory.mktemp("data_root")) as url:
            yield url


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


@pytest.fixture
def session(engine):
    with Session(engine) as session:
        yield session
