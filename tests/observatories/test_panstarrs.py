import numpy as np
import pytest
from astropy.time import Time
from servers.mast_catalogs import SERVICE, PanstarrsServer, synthetic_detections

from vo_lib.errors import ConfigError, ServiceError
from vo_lib.observatories.panstarrs import LOW_PSF_QF, NO_FLAG, VirtualPanSTARRS
from vo_lib.photometry import mag_from_flux
from vo_lib.times import standard_times

ROW = {"name": "WD J0000+5123", "ra": 0.0, "dec": 51.3937, "epoch": 2012.0}
BAD_ANSWERS = ["html", "votable_error", "error", "truncated", "missing_column", "short", "503", "reset"]


def fetch(row=ROW, *, rows=None, behaviour=None, **parameters):
    """Ask an archive of this machine; give what it answered and what it was asked."""
    with PanstarrsServer(rows, behaviour=behaviour) as server:
        survey = VirtualPanSTARRS(**{"url": server.url + SERVICE, "retry_wait_s": 0.01, "timeout_s": 60} | parameters)
        return *survey.fetch_data_from_observatory(row), server.requests


def standardise(**values):
    """Standard columns of one detection with some of its values changed."""
    data, altdata, _ = fetch(rows=synthetic_detections(counts=(0, 2, 0, 0, 0))[1:])
    for name, value in values.items():
        data[name] = value
    return {name: column[0] for name, column in VirtualPanSTARRS().standardise(data, altdata).items()}


def test_rows_and_identifiers_are_kept_as_they_were_sent():
    data, altdata, _ = fetch()
    assert len(data) == 60
    assert set(data["objID"].tolist()) == {199990000000000001}
    assert data["filterID"].tolist() == [code for code in (b"1", b"2", b"3", b"4", b"5") for _ in range(12)]
    assert data["apFlux"][0] == -999.0
    assert altdata["separation_arcsec"] == {"199990000000000001": pytest.approx(0, abs=0.05)}


def test_the_request_has_the_cone_in_degrees_and_the_columns_by_name():
    _, _, requests = fetch()
    query = requests[0].query
    assert [request.path for request in requests] == [SERVICE + "/dr2/detection.csv"]
    assert (query["ra"], query["dec"], query["radius"]) == ("0.0000000", "51.3937000", "0.0005556")
    assert query["columns"].startswith("[objID,detectID,filterID,obsTime,")
    assert query["pagesize"] == "50000"


def test_the_position_is_moved_to_the_middle_of_the_survey_and_the_circle_widened():
    row = ROW | {"ra": 359.9999, "dec": 60.0, "pmra": 400.0, "pmdec": -300.0, "epoch": 2002.0}
    query = fetch(row)[2][0].query
    assert float(query["ra"]) == pytest.approx((359.9999 + 4 / 3600 / np.cos(np.radians(60))) % 360, abs=1e-6)
    assert float(query["dec"]) == pytest.approx(60 - 3 / 3600, abs=1e-6)
    assert float(query["radius"]) == pytest.approx((2 + 2.5 * 0.5) / 3600, abs=1e-7)


def test_neighbours_in_the_circle_are_series_of_their_own_and_their_distances_are_kept():
    neighbour = synthetic_detections(0.0, 51.3937 + 1.5 / 3600, number=1, counts=(1, 9, 0, 0, 0))
    far = synthetic_detections(0.0, 51.3937 + 5 / 3600, number=2)
    data, altdata, _ = fetch(rows=synthetic_detections() + neighbour + far)
    assert altdata["separation_arcsec"]["199990000000000003"] == pytest.approx(1.5, abs=0.1)
    assert len(altdata["separation_arcsec"]) == 2
    series, counts = np.unique(VirtualPanSTARRS().standardise(data, altdata)["series"], return_counts=True)
    assert series.tolist() == [199990000000000001, 199990000000000003]
    assert counts.tolist() == [60, 10]


def test_an_empty_body_is_no_data_when_json_says_so():
    data, altdata, requests = fetch(ROW | {"dec": 10.0})
    assert data.shape == (0,)
    assert data.dtype == VirtualPanSTARRS().dtype
    assert altdata["separation_arcsec"] == {}
    assert [request.kind for request in requests] == ["csv", "json"]


@pytest.mark.parametrize("trouble", ["empty", "html", "votable_error", "error", "truncated", "short", "503", "reset"])
def test_an_empty_body_without_confirmation_is_an_error(trouble):
    behaviour = {"csv": ["empty"] * 10, "json": [trouble] * 10}
    with pytest.raises(ServiceError, match=r"/dr2/detection\.json\?ra="):
        fetch(ROW | {"dec": 10.0}, behaviour=behaviour, retries=1)


def test_an_empty_body_for_a_source_with_data_is_an_error():
    with pytest.raises(ServiceError, match="the answer in CSV was empty, though there are 60 rows"):
        fetch(behaviour={"csv": ["empty"] * 10})


@pytest.mark.parametrize("trouble", BAD_ANSWERS)
def test_a_bad_answer_is_an_error_and_never_no_data(trouble):
    with pytest.raises(ServiceError, match=r"/dr2/detection\.csv\?ra="):
        fetch(behaviour={"csv": [trouble] * 10}, retries=1)


@pytest.mark.parametrize("trouble", BAD_ANSWERS)
def test_a_bad_answer_that_is_good_the_second_time_is_none(trouble):
    data, _, requests = fetch(behaviour={"csv": [trouble]})
    assert len(data) == 60
    assert len(requests) == 2


def test_a_full_answer_is_refused_since_there_may_be_more(monkeypatch):
    monkeypatch.setattr("vo_lib.observatories.panstarrs.MAX_ROWS", 60)
    with pytest.raises(ServiceError, match="60 rows, the most that it can have; set a smaller radius_arcsec"):
        fetch()


def test_a_source_south_of_the_survey_is_empty_without_a_request():
    data, altdata, requests = fetch(ROW | {"dec": -31.1})
    assert data.shape == (0,)
    assert altdata == {"note": "not asked for: south of -31 deg"}
    assert requests == []


def test_fluxes_are_microjansky_on_the_ab_system():
    standard = standardise(psfFlux=3.631e-6, psfFluxErr=3.631e-8)
    assert standard["flux"] == pytest.approx(3.631)
    mag, magerr = mag_from_flux(standard["flux"], standard["fluxerr"])
    assert mag == pytest.approx(22.5, abs=2e-4)
    assert magerr == pytest.approx(0.010857, abs=1e-6)


def test_a_negative_flux_is_data_and_minus_999_is_none():
    assert standardise(psfFlux=-1e-6)["flux"] == pytest.approx(-1)
    missing = standardise(**dict.fromkeys(("psfFlux", "psfFluxErr", "obsTime", "expTime", "ra", "dec"), -999.0))
    assert all(np.isnan(missing[name]) for name in ("flux", "fluxerr", "time", "exptime", "ra", "dec"))


def test_numbers_that_are_missing_in_words_are_read():
    rows = synthetic_detections(counts=(0, 2, 0, 0, 0))
    rows[1]["apFlux"], rows[1]["psfFluxErr"] = "None", ""
    data, altdata, _ = fetch(rows=rows)
    assert np.isnan(VirtualPanSTARRS().standardise(data, altdata)["fluxerr"][1])


@pytest.mark.parametrize(
    ("values", "flag", "bad"),
    [
        ({"infoFlag": 102760517}, 102760517, False),
        ({"infoFlag": 102760517 | 128}, 102760517 | 128, True),
        ({"infoFlag": 2**31 | 1}, 2**31 | 1, False),
        ({"infoFlag": 8}, 8, True),
        ({"infoFlag": -999}, NO_FLAG, True),
        ({"infoFlag": 1, "psfQfPerfect": 0.85}, 1, False),
        ({"infoFlag": 1, "psfQfPerfect": 0.84}, 1 | LOW_PSF_QF, True),
        ({"infoFlag": 1, "psfQfPerfect": -999.0}, 1 | LOW_PSF_QF, True),
        ({"infoFlag": 1, "psfQfPerfect": np.nan}, 1 | LOW_PSF_QF, True),
    ],
)
def test_flags(values, flag, bad):
    found = standardise(**{"psfQfPerfect": 0.99} | values)["flag"]
    assert found == flag
    assert bool(found & VirtualPanSTARRS.bad_flag_mask) is bad


def test_which_bits_of_the_photometry_program_are_bad():
    """FAIL 8, SATSTAR 128, BADPSF 1024, DEFECT 2048, SATURATED 4096 and CR_LIMIT 8192, and the two of this module."""
    for bit in range(32):
        found = standardise(infoFlag=1 << bit, psfQfPerfect=0.99)["flag"]
        assert found == 1 << bit
        assert bool(found & VirtualPanSTARRS.bad_flag_mask) is (bit in (3, 7, 10, 11, 12, 13))
    assert (LOW_PSF_QF, NO_FLAG) == (2**32, 2**33)


@pytest.mark.parametrize(("code", "name"), [(b"1", "g"), (b"2", "r"), (b"3", "i"), (b"4", "z"), (b"5", "y")])
def test_filters(code, name):
    assert standardise(filterID=code)["filter"] == f"panstarrs-{name}"


def test_an_unknown_filter_is_an_error():
    with pytest.raises(ServiceError, match="filter code '6' is not known"):
        standardise(filterID=b"6")


@pytest.mark.parametrize(
    ("parameters", "later_s"), [({}, 0), ({"time_stamp": "start"}, 22.5), ({"time_scale": "utc"}, 34)]
)
def test_times_are_tai_at_mid_exposure_unless_told_otherwise(parameters, later_s):
    survey = VirtualPanSTARRS(**parameters)
    mjd, _ = standard_times([55500.0], survey.time, exptime=45.0, ra=0.0, dec=0.0, site=survey.site)
    expected = Time(55500.0, format="mjd", scale="tai").utc.mjd
    assert (mjd[0] - expected) * 86400 == pytest.approx(later_s, abs=1e-4)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"radius_arcsec": 61}, "radius_arcsec must be between 0.1 and 60, got 61"),
        ({"release": "dr1"}, "release must be dr2, the only one with detections, got 'dr1'"),
        ({"time_scale": "gps"}, "time_scale must be one of utc, tai, tt, tdb, tcb, got 'gps'"),
        ({"time_stamp": "middle"}, "time_stamp must be one of start, mid, end, got 'middle'"),
        ({"min_psf_qf": 1.5}, "min_psf_qf must be between 0 and 1, got 1.5"),
        ({"url": "https://x/y?z=1"}, "url must be an http or https address"),
    ],
)
def test_unusable_parameters(parameters, message):
    with pytest.raises(ConfigError, match=message):
        VirtualPanSTARRS(**parameters)
