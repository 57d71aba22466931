"""Rows of one project are removed, and those of others stay."""

from types import SimpleNamespace

import sqlalchemy as sa
from database.products import sync_arguments, write_bin

from vo_lib.clean import remove_rows
from vo_lib.database.sync import sync_project


def test_rows_of_one_project_go_with_its_receipt(empty_engine, tmp_path):
    write_bin(tmp_path, ["a", "b"])
    sync_project(empty_engine, tmp_path, "DEMO", **sync_arguments())
    with empty_engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO projects (name, folder) VALUES ('other', 'OTHER')"))
    receipt = tmp_path / "DEMO" / "database.json"
    receipt.write_text("{}")
    url = empty_engine.url.render_as_string(hide_password=False)
    remove_rows(SimpleNamespace(database_url=url, data_root=tmp_path, folder="DEMO"))
    with empty_engine.connect() as connection:
        assert connection.scalars(sa.text("SELECT folder FROM projects")).all() == ["OTHER"]
        for name in ("sources", "lightcurves", "raw_photometry", "files"):
            assert connection.scalar(sa.text(f"SELECT count(*) FROM {name}")) == 0
    assert not receipt.exists()
