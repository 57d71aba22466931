"""Tables of files that no sync fills."""

import pytest
import sqlalchemy as sa

from vo_lib.database import headers
from vo_lib.database.headers import (
    BadFile,
    Metadata,
    Outputs,
    Stats,
    insert_or_update,
    update_bad_data_table,
    update_metadata_table,
    update_outputs_table,
    update_stats_table,
)
from vo_lib.database.models import Base
from vo_lib.database.session import load_connection
from vo_lib.errors import ConfigError, UserError

EXPOSURE = {"filename": "lc1_corrtag_a.fits", "path": "/data/1", "telescop": "HST", "cenwave": 1291, "header": {"a": 1}}


def test_a_row_is_inserted_once_and_updated_after_that(session):
    first = update_metadata_table(EXPOSURE, session=session)
    assert update_metadata_table(EXPOSURE | {"cenwave": 1327}, session=session) == first
    assert insert_or_update("metadata", {"path": "/data/2"}, first, session=session) == first
    (row,) = session.scalars(sa.select(Metadata))
    assert (row.cenwave, row.path, row.telescop, row.header) == (1327, "/data/2", "HST", {"a": 1})
    assert row.ingest_date is not None
    assert row.modified_at > row.created_at


def test_outputs_belong_to_their_exposure(session):
    update_metadata_table(EXPOSURE, session=session)
    for name in ("a.fits", "b.fits"):
        update_outputs_table(EXPOSURE, {"individual_filename": name}, session=session)
    (row,) = session.scalars(sa.select(Outputs))
    assert (row.exposure.filename, row.individual_filename) == (EXPOSURE["filename"], "b.fits")
    with pytest.raises(UserError, match=r"x.fits is not in the table metadata; call update_metadata_table first"):
        update_outputs_table({"filename": "x.fits"}, {}, session=session)


def test_bad_files_and_statistics_have_one_row_each(session):
    for reason in ("No events", "Short Exposure"):
        update_bad_data_table("/data/1/bad.fits", reason, session=session)
    for total in (5.0, 7.0):
        update_stats_table({"total": total, "deliver": True}, "/data/lc/a.fits", session=session)
    assert [(row.filename, row.reason) for row in session.scalars(sa.select(BadFile))] == [
        ("bad.fits", "Short Exposure")
    ]
    (row,) = session.scalars(sa.select(Stats))
    assert (row.lightcurve_path, row.lightcurve_filename, row.total, row.deliver) == ("/data/lc", "a.fits", 7.0, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("metadate", {}), "'metadate' is not a table of files; did you mean 'metadata'"),
        (("metadata", {"targnam": "x"}), "metadata has no column 'targnam'; did you mean 'targname'"),
        (("metadata", {"path": "x"}, 5), "metadata has no row of number 5; leave it out to insert one"),
    ],
)
def test_what_cannot_be_put_is_an_error(session, arguments, message):
    with pytest.raises(UserError, match=message):
        insert_or_update(*arguments, session=session)


def test_a_connection_is_a_session_a_base_and_an_engine(engine, monkeypatch):
    url = engine.url.render_as_string(hide_password=False)
    session, base, connected = load_connection(url, echo=False)
    with session:
        assert base is Base
        assert session.bind is connected
        assert connected.echo is False
        monkeypatch.setattr(headers, "get_session", lambda: session)
        number = update_bad_data_table("a.fits", "No events")
        assert session.get(BadFile, number).filename == "a.fits"
    assert load_connection(url)[2] is connected
    assert load_connection(url, echo=True)[2].echo is True
    with pytest.raises(ConfigError, match="only PostgreSQL is supported"):
        load_connection("sqlite:///x.db")
