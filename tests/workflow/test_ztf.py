"""ZTF data from an archive that answers like IRSA, through the whole workflow to the database."""

import h5py
import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from servers.irsa import HEADER, IrsaServer, answer_text
from sqlalchemy.orm import Session
from workspace import Workspace

from vo_lib import hdf5
from vo_lib.database.models import Lightcurve, RawPhotometry, Source
from vo_lib.database.server import connect_url

NAME = "WD J0000+5123"
SEASON_STARTS, SEASON_ENDS = [58240, 58590, 58960, 59325], [58530, 58910, 59260, 59530]


@pytest.fixture(scope="module")
def ztf(tmp_path_factory):
    """The workflow on one white dwarf at RA 0, run twice; the genuine answer where it is there."""
    made = Workspace(tmp_path_factory.mktemp("ztf"), config="config/ztf_white_dwarfs.yaml")
    made.set("project", "ztf_test")
    made.catalog.write_text(f"name,ra,dec\n{NAME},0.0,51.3937\n")
    text, made.genuine = answer_text()
    with IrsaServer(text) as server:
        for name, address in server.parameters.items():
            made.set(f"observatories.ztf.{name}", address)
        made.runs = [made.run(), made.run()]
        made.requests = list(server.requests)
    assert made.runs[0].status == 0, made.runs[0].output
    return made


@pytest.fixture(scope="module")
def raw(ztf):
    with h5py.File(ztf.data_root / "ZTF" / "ztf_dr24" / "ZTF_photometry_RA000.h5") as file:
        return pd.DataFrame(file[NAME][:])


@pytest.fixture(scope="module")
def reduced(ztf):
    """Index, left-out table and all epochs, the epochs with their key."""
    with hdf5.open_file(ztf.product("ZTF_photometry_RA000_reduced.h5")) as file:
        index = pd.DataFrame(hdf5.read_table(file, "index"))
        epochs = pd.concat([pd.DataFrame(file[key][:]).assign(key=key) for key in index["key"]])
        return index, hdf5.read_table(file, "left_out"), epochs


def test_one_source_takes_two_requests_and_a_second_run_none(ztf):
    assert len(ztf.requests) == 2
    assert ztf.runs[1].idle


def test_another_route_to_the_same_epochs_runs_nothing(ztf, tmp_path):
    other = ztf.beside(tmp_path).set("observatories.ztf.route", "position")
    assert other.plan().idle


def test_the_raw_archive_keeps_what_was_sent(raw):
    assert list(raw.columns) == HEADER.split(",")
    assert raw["oid"].dtype == np.int64
    assert {value.decode()[:2] for value in raw["ccdid"]} == {"0x"}
    assert len(raw) == 1852


def test_every_epoch_is_kept_or_left_out_for_a_counted_reason(raw, reduced):
    index, left_out, epochs = reduced
    assert index["n_epochs"].sum() + left_out["n_epochs"].sum() == len(raw) == 1852
    assert len(epochs) == index["n_epochs"].sum()


def test_objects_of_the_survey_are_not_mixed(reduced):
    counts = reduced[0].groupby(["filter", "series"])["n_epochs"].sum()
    by_filter = {name: sorted(counts[name]) for name in ("ztf-g", "ztf-r", "ztf-i")}
    assert by_filter == {"ztf-g": [344, 525], "ztf-r": [433, 531], "ztf-i": [19]}


def test_seasons_are_those_that_the_survey_observed(ztf, reduced):
    if not ztf.genuine:
        pytest.skip("the genuine answer is not here; the seasons of the synthetic one are others")
    index = reduced[0]
    assert len(index) == 21
    for start, end in zip(index["mjd_first"], index["mjd_last"], strict=True):
        season = np.searchsorted(SEASON_STARTS, start) - 1
        assert SEASON_STARTS[season] < start <= end < SEASON_ENDS[season]


def test_a_long_gap_leaves_one_lightcurve_for_each_object(ztf, tmp_path):
    """A second project of the same source uses what is there: its archive does not even answer."""
    other = ztf.beside(tmp_path).set("project", "ztf_long").set("reduce.gap_days", 300)
    run = other.run()
    assert run.status == 0, run.output
    with hdf5.open_file(other.product("ZTF_photometry_RA000_reduced.h5")) as file:
        assert len(hdf5.read_table(file, "index")["key"]) == 5
    assert ztf.plan().idle


def test_flags_of_the_survey_are_kept(ztf, raw, reduced):
    flags = reduced[2]["flag"].to_numpy()
    assert np.array_equal(np.sort(flags), np.sort(raw["catflags"]))
    if ztf.genuine:
        assert ((flags & 32768 > 0).sum(), (flags != 0).sum()) == (42, 51)


def test_the_position_is_near_ra_zero_and_not_near_180(reduced):
    ra = (reduced[2]["ra"] + 180) % 360 - 180
    assert abs(ra.median()) < 0.001
    assert reduced[2]["ra"].between(0, 360, inclusive="left").all()


def test_times_are_those_of_mid_exposure(raw, reduced):
    expected = np.sort(raw["mjd"] + raw["exptime"] / 2 / 86400)
    assert np.abs(np.sort(reduced[2]["mjd"]) - expected).max() < 1e-9


def test_rows_are_in_the_database(ztf, reduced):
    with connect_url(data_root=ztf.data_root) as url:
        engine = sa.create_engine(url)
        with Session(engine) as session:
            source = session.scalars(sa.select(Source).where(Source.name == NAME)).first()
            assert (source.ra, source.dec) == (0.0, 51.3937)
            assert len(source.lightcurves) == len(reduced[0])
            assert sum(lightcurve.n_epochs for lightcurve in source.lightcurves) == len(reduced[2])
            for number in reduced[0]["series"].unique():
                owner = sa.select(Source.name).join(Lightcurve).where(Lightcurve.series == number).distinct()
                assert session.scalars(owner).all() == [NAME]
            raw = session.scalars(sa.select(RawPhotometry).where(RawPhotometry.source_name == NAME)).one()
            assert (raw.status, raw.n_rows, raw.filename) == ("ok", 1852, "ZTF/ztf_dr24/ZTF_photometry_RA000.h5")
        engine.dispose()
