from pathlib import Path

import numpy as np
import pytest
from servers.neowise import NeowiseArchive, detection, synthetic_detections
from servers.tap import read_cone

from vo_lib.errors import ConfigError, ServiceError
from vo_lib.observatories import neowise
from vo_lib.observatories.answers import read_csv_answer
from vo_lib.observatories.cat_row import position_at
from vo_lib.observatories.neowise import VirtualNEOWISE
from vo_lib.reduce import reduce_bin

ROW = {"name": "x", "ra": 10.0, "dec": 20.0}
GENUINE_ERROR = Path(__file__).resolve().parents[3] / "shared/data/irsa/votable_error_in_http_200.xml"
ALL_TROUBLES = ["html", "votable_error", "empty", "truncated", "missing_column", "short", "503"]


def fetch(row=ROW, *, rows=None, behaviour=(), **parameters):
    """Ask an archive of this machine; give what it answered and what it was asked."""
    rows = synthetic_detections(10.0, 20.0) if rows is None else rows
    with NeowiseArchive(rows, behaviour=behaviour) as archive:
        options = archive.parameters | {"retry_wait_s": 0.01, "timeout_s": 60} | parameters
        return *VirtualNEOWISE(**options).fetch_data_from_observatory(row), archive.requests


def standard(**values):
    """Standard columns of one exposure, W1 first, with some of its values changed."""
    return VirtualNEOWISE().standardise(fetch(rows=[detection(10, 20, **values)])[0], {})


def test_each_exposure_has_a_row_for_each_band():
    data, _, _ = fetch(rows=[detection(10, 20, allwise_cntr=2**63 - 1)])
    assert data["band"].tolist() == [b"W1", b"W2"]
    for name, pair in {"mpro": (14.5, 14.4), "sigmpro": (0.08, 0.2), "flux": (320, 120), "rchi2": (0.9, 1.1)}.items():
        assert tuple(data[name]) == pair
    assert data["mjd"].tolist() == [58100.25] * 2
    assert data["allwise_cntr"].tolist() == [b"9223372036854775807"] * 2
    assert data["source_id"].tolist() == [b"57321b042-000031"] * 2


def test_the_request_covers_the_path_of_the_source():
    row = ROW | {"pmra": 300.0, "pmdec": -400.0, "epoch": 2016.0}
    _, altdata, (request,) = fetch(row)
    names, table, *circle = read_cone(request["QUERY"])
    assert request["method"] == "POST"
    assert (request["LANG"], request["FORMAT"]) == ("ADQL", "csv")
    assert table == "neowiser_p1bs_psd"
    assert set(names) == set(neowise.SENT)
    assert circle == pytest.approx([*position_at(row, 2019.3), (3 + 0.5 * 5.4) / 3600], abs=1e-7)
    assert altdata["query"]["QUERY"] == request["QUERY"]


@pytest.mark.parametrize("ra", [0.0, 359.99999999, 360.0])
def test_right_ascension_is_below_360_in_the_request(ra):
    assert read_cone(fetch(ROW | {"ra": ra})[2][0]["QUERY"])[2] == 0.0


def test_only_detections_where_the_source_was_then_are_kept():
    row = ROW | {"pmra": 0.0, "pmdec": 2000.0, "epoch": 2016.0}
    late = 51544.5 + 24 * 365.25
    there, left_behind = detection(10, 20 + 16 / 3600, mjd=late), detection(10, 20, mjd=late)
    data, altdata, _ = fetch(row, rows=[left_behind, there])
    assert data["dec"].tolist() == [20 + 16 / 3600] * 2
    assert np.allclose(data["separation"], 0, atol=1e-3)
    assert altdata["n_beyond_radius"] == 1


def test_separations_are_columns():
    data, _, _ = fetch(rows=[detection(10, 20 + 1.5 / 3600)])
    assert np.allclose(data["separation"], 1.5, atol=1e-6)


def test_a_source_without_detections_is_an_empty_table():
    data, altdata, requests = fetch(ROW | {"dec": -45.0})
    assert data.shape == (0,)
    assert data.dtype == VirtualNEOWISE().dtype
    assert altdata["n_beyond_radius"] == 0
    assert len(requests) == 1


@pytest.mark.parametrize("trouble", ALL_TROUBLES)
def test_a_bad_answer_is_an_error_and_never_no_data(trouble):
    with pytest.raises(ServiceError, match=r"http://127\.0\.0\.1:\d+/TAP/sync"):
        fetch(behaviour=[trouble] * 10, retries=1)


@pytest.mark.parametrize("trouble", ALL_TROUBLES)
def test_a_bad_answer_that_is_good_the_second_time_is_none(trouble):
    data, _, requests = fetch(behaviour=[trouble])
    assert len(data) == 48
    assert len(requests) == 2


def test_an_error_inside_an_answer_is_told(monkeypatch):
    monkeypatch.setattr(neowise, "TABLE", "neowiser_p9")
    with pytest.raises(ServiceError, match="an error report: unknown table: neowiser_p9"):
        fetch()


def test_a_genuine_error_inside_an_answer_is_told():
    if not GENUINE_ERROR.exists():
        pytest.skip("the genuine survey answers are not beside the project")
    with pytest.raises(ServiceError, match="an error report: -- no connection Report from: stdb_pg"):
        read_csv_answer(GENUINE_ERROR.read_text(), neowise.SENT)


def test_magnitudes_are_on_the_ab_system():
    found = standard(w1mpro=12.0, w2mpro=12.0)
    assert found["mag"].tolist() == pytest.approx([14.699, 15.339], abs=1e-12)
    assert found["magerr"].tolist() == [0.08, 0.2]
    assert found["filter"].tolist() == ["neowise-w1", "neowise-w2"]
    assert found["exptime"].tolist() == [7.7, 7.7]


def test_a_limit_is_no_magnitude():
    found = standard(w2mpro=15.6, w2sigmpro="")
    assert np.isnan(found["mag"]).tolist() == np.isnan(found["magerr"]).tolist() == [False, True]
    assert found["flag"].tolist() == [0, 256]


@pytest.mark.parametrize(
    ("mjd", "late_s"), [(56700.0, 1.57), (57196.4788, 1.57), (57196.47882488, 0.57), (60000.0, 0.57)]
)
def test_the_delay_of_the_times_is_taken_off(mjd, late_s):
    assert np.allclose((mjd - standard(mjd=mjd)["time"]) * 86400, late_s, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("values", "bits"),
    [
        ({}, (0, 0)),
        ({"qual_frame": 0}, (1, 1)),
        ({"qi_fact": 0.0}, (2, 2)),
        ({"qi_fact": 0.5, "qual_frame": 5}, (0, 0)),
        ({"saa_sep": -3.0}, (4, 4)),
        ({"saa_sep": ""}, (4, 4)),
        ({"moon_masked": "01"}, (0, 8)),
        ({"moon_masked": "1000"}, (8, 0)),
        ({"cc_flags": "Dp00"}, (16, 32)),
        ({"cc_flags": "0H"}, (0, 16)),
        ({"cc_flags": "h"}, (32, 32)),
        ({"cc_flags": "", "moon_masked": ""}, (40, 40)),
        ({"nb": 2}, (64, 64)),
        ({"na": 1}, (64, 64)),
        ({"w2sat": 0.1}, (0, 128)),
        ({"saa_sep": 0.0}, (4, 4)),
        ({"saa_sep": 0.1}, (0, 0)),
        ({"w1mpro": 7.9, "w2mpro": 7.1}, (128, 0)),
        ({"w1mpro": 8.1, "w2mpro": 6.9}, (0, 128)),
        ({"w1mpro": "", "w1sigmpro": "", "w1sat": ""}, (384, 0)),
    ],
)
def test_flags(values, bits):
    flags = standard(**values)["flag"]
    assert tuple(flags) == bits
    assert ((flags & ~VirtualNEOWISE.bad_flag_mask) == 0).all()


def test_detections_become_lightcurves_of_each_band():
    data, altdata, _ = fetch()
    source = {"name": np.array(["x"]), "ra": np.array([10.0]), "dec": np.array([20.0])}
    batch = reduce_bin(source, data, [len(data)], VirtualNEOWISE(), altdata=altdata).batch
    assert batch.table["filter"].tolist() == ["neowise-w1", "neowise-w2"]
    assert batch.counts.tolist() == [24, 24]
    visits = reduce_bin(source, data, [len(data)], VirtualNEOWISE(), altdata=altdata, gap_days=40).batch
    assert visits.counts.tolist() == [6] * 8


@pytest.mark.parametrize(("options", "n_kept"), [({}, 48), ({"mag_range": 0.75}, 0)])
def test_visible_magnitudes_are_not_compared_with_infrared_ones_unless_that_is_asked_for(options, n_kept):
    data, altdata, _ = fetch()
    survey = VirtualNEOWISE(reducer=options)
    assert survey.reduce(ROW | {"mag": 5.0}, data, altdata).batch.n_epochs == n_kept


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"radius_arcsec": 0}, "radius_arcsec must be between 0.1 and 60, got 0"),
        ({"url": "https://me:hunter2@x/y"}, "without a user, password or query"),
        ({"retries": 99}, "retries must be between 0 and 20, got 99"),
    ],
)
def test_unusable_parameters(parameters, message):
    with pytest.raises(ConfigError, match=message) as error:
        VirtualNEOWISE(**parameters)
    assert "hunter2" not in str(error.value)
