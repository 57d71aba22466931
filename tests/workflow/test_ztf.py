"""Real ZTF data from an archive that answers like IRSA, through the whole workflow to the database."""

import pandas as pd
import pytest
import sqlalchemy as sa
import yaml

from servers.irsa import IrsaServer, answer_text
from workspace import Workspace

from vo_lib import hdf5
from vo_lib.database.models import Lightcurve, RawPhotometry, Source
from vo_lib.database.server import connect_url
from vo_lib.reduce import read_reduced


SERIES = {"zg": [525, 344], "zr": [531, 433], "zi": [19]}


@pytest.fixture(scope="module")
def ztf(tmp_path_factory):
    """The workflow on one white dwarf at RA 0, once; and what the archive sent."""
    made = Workspace(tmp_path_factory.mktemp("ztf"), config="config/ztf_white_dwarfs.yaml")
    made.catalog.write_text("name,ra,dec\nWD J0000+5123,0.0,51.3937\n")
    text, genuine = answer_text()
    with IrsaServer(text) as server:
        made.set("project", "ztf_test").set("observatories.ztf", {"url": server.url})
        made.genuine, made.sent = genuine, len(text.splitlines()) - 1
        made.first = made.run()
        made.requests = server.requests
        made.second = made.run()
        assert server.requests == made.requests
    assert made.first.status == 0, made.first.output
    return made


@pytest.fixture
def index(ztf):
    with hdf5.open_file(ztf.product("ZTF_photometry_RA000_reduced.h5")) as file:
        return pd.DataFrame(hdf5.read_table(file, "index")), hdf5.read_table(file, "left_out")


def test_one_source_takes_one_request_and_a_second_run_none(ztf):
    assert len(ztf.requests) == 1
    assert ztf.second.idle


def test_every_epoch_that_was_sent_is_kept_or_counted(ztf, index):
    table, left_out = index
    assert table["n_epochs"].sum() + left_out["n_epochs"].sum() == ztf.sent
