import base64
import json
import re
import sys
from contextlib import ExitStack
from urllib.parse import unquote

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import EarthLocation, SkyCoord
from astropy.time import Time
from servers.asassn import FIRST_ID, AsassnServer, synthetic_target

from vo_lib.errors import ConfigError, ServiceError
from vo_lib.observatories.asassn import (
    BAD_QUALITY,
    BRIGHT,
    NO_FLUX,
    NON_DETECTION,
    OTHER_CAMERA,
    SENT,
    VirtualASASSN,
)
from vo_lib.observatories.asassn_patrol import read_servers
from vo_lib.photometry import mag_from_flux
from vo_lib.times import standard_times

ROW = {"name": "WD J0000+5123", "ra": 0.0, "dec": 51.3937, "epoch": 2018.0}
BAD_ANSWERS = ["html", "votable_error", "empty", "truncated", "cut_inside", "short", "missing_column", "503", "reset"]
BAD_BLOCKS = [*BAD_ANSWERS, "unavailable", "404", "float_id", "float_time", "other_target"]


@pytest.fixture(scope="module")
def _pyarrow():
    """Tests that read answers need pyarrow."""
    pytest.importorskip("pyarrow", reason="ASAS-SN sends parquet, which needs pyarrow")


needs_pyarrow = pytest.mark.usefixtures("_pyarrow")


def ask(server, row=ROW, **parameters):
    """Ask an archive of this machine without long pauses."""
    options = {"url": server.url, "retries": 1, "retry_wait_s": 0.01, "timeout_s": 60} | parameters
    return VirtualASASSN(**options).fetch_data_from_observatory(row)


def fetch(row=ROW, *, targets=None, behaviour=None, servers=None, **parameters):
    """Give the answer of an archive and what it was asked."""
    with AsassnServer(targets, servers=servers, behaviour=behaviour) as server:
        return *ask(server, row, **parameters), server.requests


def standardise(parameters=None, **values):
    """Standard columns of one epoch with some of its values changed."""
    _, epochs = synthetic_target(counts={"bF": 3})
    kinds = [(name, "S9" if kind[0] == "S" else kind) for name, (kind, _, _) in VirtualASASSN.columns.items()]
    data = np.zeros(1, kinds)
    for name in SENT:
        data[name] = values.get(name, epochs[name][2])
    standard = VirtualASASSN(**parameters or {}).standardise(data, {})
    return {name: column[0] for name, column in standard.items()}


# What is asked, and what becomes of good answers


@needs_pyarrow
def test_epochs_are_kept_as_they_were_sent():
    target, epochs = synthetic_target()
    data, altdata, _ = fetch(targets=[(target, epochs)])
    for name, values in epochs.items():
        assert data[name].tolist() == [x.encode() if isinstance(x, str) else x for x in np.asarray(values).tolist()]
    assert set(data["asas_sn_id"].tolist()) == {2**60 + 1}
    assert set(data["target_dec"].tolist()) == {51.3937}
    assert altdata["match"] == {"asas_sn_id": str(2**60 + 1), "separation_arcsec": 0.0, "n_in_circle": 1}
    assert altdata["n_epochs_of_others"] == 0


@needs_pyarrow
def test_columns_that_are_not_expected_are_kept():
    target, epochs = synthetic_target(counts={"bF": 2})
    data, _, _ = fetch(targets=[(target, epochs | {"phot_filter": ["g", "g"], "seeing": [1.5, 2.0]})])
    assert data["phot_filter"].tolist() == [b"g", b"g"]
    assert data["seeing"].tolist() == [1.5, 2.0]


@needs_pyarrow
def test_the_circle_and_the_block_are_asked_for_as_the_released_client_does():
    _, altdata, requests = fetch()
    cone, servers, block = requests
    assert (cone.method, cone.path) == ("POST", "/lookup_cone/radius0.0013889_ra0.0_dec51.3937")
    columns = ["asas_sn_id", "ra_deg", "dec_deg", "catalog_sources"]
    assert json.loads(cone.body) == {"catalog": "master_list", "cols": columns, "format": "arrow", "download": True}
    assert (servers.method, servers.path) == ("GET", "/get_block_servers")
    question = (
        "conectr-0.0013889_conera-0.0_conedec-51.3937|catalog-master_list|cols-asas_sn_id/ra_deg/dec_deg/"
        "catalog_sources"
    )
    assert altdata["query"] == question
    code = re.fullmatch("/get_block/query_hash-(.*)-block_idx-0-catalog-master_list", unquote(block.path), re.DOTALL)[1]
    plain = base64.b64encode(question.encode()).decode()
    assert code == "".join(plain[i : i + 76] + "\n" for i in range(0, len(plain), 76))


@needs_pyarrow
def test_small_numbers_are_written_without_an_exponent():
    row = ROW | {"ra": 1e-5, "dec": -1e-9}
    _, _, requests = fetch(row, targets=[synthetic_target(0.0, 0.0)], radius_arcsec=0.1)
    assert requests[0].path == "/lookup_cone/radius0.0000278_ra0.00001_dec0.0"


@needs_pyarrow
def test_the_position_is_moved_to_2018_and_the_circle_widened():
    row = ROW | {"ra": 359.9999, "dec": -60.0, "pmra": 400.0, "pmdec": -300.0, "epoch": 2008.0}
    ra, dec = (359.9999 + 4 / 3600 / np.cos(np.radians(60))) % 360, -60 - 3 / 3600
    data, altdata, requests = fetch(row, targets=[synthetic_target(ra, dec)])
    radius, *place = map(float, re.findall(r"-?[\d.]+", requests[0].path))
    assert place == pytest.approx([ra, dec], abs=1e-6)
    assert radius == pytest.approx((5 + 2.5 * 0.5) / 3600, abs=1e-7)
    assert len(data) == 60
    assert altdata["match"]["separation_arcsec"] < 0.01


@needs_pyarrow
def test_the_nearest_target_is_taken_and_the_others_are_counted():
    places = [(0.0, 51.3937 + 3 / 3600), (359.9999, 51.3937), (0.0, 51.3937 - 4 / 3600), (0.0, 51.3937 + 9 / 3600)]
    targets = [synthetic_target(*place, number=i, counts={"bF": 10 + i}) for i, place in enumerate(places)]
    data, altdata, _ = fetch(targets=targets)
    assert set(data["asas_sn_id"].tolist()) == {FIRST_ID + 1}
    assert len(data) == 11
    assert altdata["n_epochs_of_others"] == 10 + 12
    separation = SkyCoord(0, 51.3937, unit="deg").separation(SkyCoord(359.9999, 51.3937, unit="deg")).arcsec
    assert altdata["match"]["separation_arcsec"] == pytest.approx(separation, abs=1e-3)
    assert altdata["match"]["n_in_circle"] == 3


@needs_pyarrow
def test_no_target_is_no_data_and_nothing_more_is_asked():
    data, altdata, requests = fetch(ROW | {"dec": 10.0})
    assert data.shape == (0,)
    assert data.dtype == VirtualASASSN().dtype
    assert altdata["note"] == "no target within 5 arcsec"
    assert [request.kind for request in requests] == ["cone"]


@needs_pyarrow
def test_a_target_without_epochs_is_no_data():
    data, altdata, _ = fetch(behaviour={"block": ["no_rows"]})
    assert data.dtype == VirtualASASSN().dtype
    assert (len(data), altdata["note"]) == (0, "the target has no epochs")
    assert altdata["match"]["asas_sn_id"] == str(FIRST_ID)


# Answers that are none


@needs_pyarrow
@pytest.mark.parametrize(
    ("kind", "trouble"),
    [
        *(("cone", trouble) for trouble in BAD_ANSWERS),
        *(("block", trouble) for trouble in BAD_BLOCKS),
        *(
            ("servers", trouble)
            for trouble in ("html", "votable_error", "empty", "unavailable", "short", "503", "reset")
        ),
    ],
)
def test_a_bad_answer_is_an_error_and_never_no_data(kind, trouble):
    where = {"cone": "/lookup_cone/radius", "block": "/get_block/query_hash-", "servers": "/get_block_servers"}[kind]
    with pytest.raises(ServiceError, match=where) as error:
        fetch(behaviour={kind: [trouble] * 10})
    assert "\n" not in str(error.value)


@needs_pyarrow
@pytest.mark.parametrize("trouble", BAD_BLOCKS)
def test_a_bad_block_that_is_good_the_second_time_is_none(trouble):
    data, _, requests = fetch(behaviour={"block": [trouble]})
    assert len(data) == 60
    assert [request.kind for request in requests] == ["cone", "servers", "block", "block"]


@needs_pyarrow
@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        ("unavailable", "the answer is not parquet but .*lightcurve servers temporarily unavailable"),
        ("html", "the answer is not a table but a page: IRSA is down for maintenance"),
        ("empty", "the answer is empty"),
        ("truncated", "parquet that is cut off or damaged"),
        ("missing_column", "the answer has no column 'flux'"),
        ("float_id", "the type double for asas_sn_id, which must be whole numbers"),
        ("float_time", "times in single precision"),
        ("other_target", "epochs of targets that were not asked for"),
        ("slow", r"no answer in time \(0.2 s\)"),
    ],
)
def test_an_error_says_what_was_wrong(trouble, message):
    with pytest.raises(ServiceError, match=message):
        fetch(behaviour={"block": [trouble] * 10}, retries=0, timeout_s=0.2 if trouble == "slow" else 60)


@needs_pyarrow
@pytest.mark.parametrize("trouble", BAD_ANSWERS)
def test_a_bad_list_of_targets_that_is_good_the_second_time_is_none(trouble):
    data, _, requests = fetch(behaviour={"cone": [trouble]})
    assert len(data) == 60
    assert len(requests) == 4


@needs_pyarrow
def test_a_target_outside_the_circle_is_an_error():
    class Careless(AsassnServer):
        """A server that finds everything."""

        def answer(self, request):
            request.path = re.sub(r"radius[\d.]+", "radius1.0", request.path)
            return super().answer(request)

    with (
        Careless([synthetic_target(0.0, 51.5)]) as server,
        pytest.raises(ServiceError, match=r"a target 382\.68 arcsec away, though 5 were asked for"),
    ):
        ask(server)


@needs_pyarrow
def test_more_targets_than_in_a_block_are_an_error(monkeypatch):
    monkeypatch.setattr("vo_lib.observatories.asassn_patrol.MAX_TARGETS", 1)
    with pytest.raises(ServiceError, match="there are 2 targets, more than 1; set a smaller radius_arcsec"):
        fetch(targets=[synthetic_target(), synthetic_target(number=1)])


# Lightcurve servers


@needs_pyarrow
def test_each_round_asks_all_lightcurve_servers_until_one_answers():
    with ExitStack() as stack:
        main = stack.enter_context(AsassnServer())
        others = [
            stack.enter_context(AsassnServer(ready=main.ready, behaviour={"block": steps}))
            for steps in (["503", "html", "unavailable"], ["reset", "truncated"])
        ]
        main.servers = [server.name for server in others]
        data, altdata = ask(main, retries=5)
        assert len(data) == 60
        assert altdata["server"] == others[1].name
        assert [len(server.requests) for server in others] == [3, 3]
        assert main.of_kind("block") == []


@needs_pyarrow
def test_after_the_last_round_it_is_an_error():
    with ExitStack() as stack:
        main = stack.enter_context(AsassnServer())
        others = [stack.enter_context(AsassnServer(behaviour={"block": ["503"] * 20})) for _ in range(3)]
        main.servers = [server.name for server in others]
        with pytest.raises(ServiceError, match="none of 3 lightcurve servers answered in 3 rounds; .* status 503"):
            ask(main, retries=2)
        assert [len(server.requests) for server in others] == [3, 3, 3]


@needs_pyarrow
def test_a_lightcurve_server_without_a_port_has_that_of_the_first_server():
    assert len(fetch(servers=["127.0.0.1"])[0]) == 60


@needs_pyarrow
def test_lightcurve_servers_are_asked_for_once():
    with AsassnServer([synthetic_target(), synthetic_target(90.0, 10.0, number=1)]) as server:
        survey = VirtualASASSN(url=server.url)
        survey.fetch_data_from_observatory(ROW)
        survey.fetch_data_from_observatory(ROW | {"ra": 90.0, "dec": 10.0})
        assert len(server.of_kind("servers")) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>",
        "[]",
        "{}",
        '{"servers": ["a.edu"]}',
        '"a.edu"',
        "[1]",
        "[null]",
        '[""]',
        '[["a.edu", 9006]]',
        '["http://a.edu"]',
        '["a.edu/x"]',
        '["a.edu", "b c"]',
        '["user@a.edu"]',
        '["a.edu\\n"]',
    ],
)
def test_anything_else_than_a_list_of_hosts_is_refused(text):
    with pytest.raises(ServiceError, match="the answer is not (a list of servers in )?JSON but "):
        read_servers(text)


def test_a_list_of_hosts():
    assert read_servers('["asassn-data01.ifa.hawaii.edu", "127.0.0.1:80"]') == [
        "asassn-data01.ifa.hawaii.edu",
        "127.0.0.1:80",
    ]


def test_without_pyarrow_one_line_says_what_to_install_and_nothing_is_asked(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with AsassnServer() as server, pytest.raises(ConfigError) as error:
        ask(server)
    assert str(error.value) == (
        "ASASSN: its answers are parquet, which needs pyarrow; install it with: pip install 'vo-lib[parquet]'"
    )
    assert server.requests == []


# What the numbers mean


def test_fluxes_in_g_are_on_the_ab_system():
    standard = standardise(flux=3.631, flux_err=0.03631)
    assert standard["flux"] == pytest.approx(3631)
    mag, magerr = mag_from_flux(standard["flux"], standard["fluxerr"])
    assert mag == pytest.approx(15.0, abs=2e-4)
    assert magerr == pytest.approx(0.010857, abs=1e-6)


@pytest.mark.parametrize(
    ("camera", "mjy", "mag", "offset"),
    [
        ("bG", 1.723106, 15.809285, 0.0),
        ("bk", 1.157935, 16.240855, 0.0),
        ("be", 26.0455, 12.9204, -0.0597),
        ("be", 22.4170, 13.0833, -0.0597),
    ],
)
def test_magnitudes_of_examples_that_others_published(camera, mjy, mag, offset):
    """Rows in the documentation of the service's client (g) and of a reader of its files (V)."""
    found, _ = mag_from_flux(standardise(camera=camera, flux=mjy)["flux"], 1.0)
    assert found - mag == pytest.approx(offset, abs=2e-4)


def test_the_limit_is_that_of_five_errors_in_a_published_example():
    flux, fluxerr, limit = 1.723106, 0.037263, 18.224440
    assert mag_from_flux(5 * standardise(flux=flux, flux_err=fluxerr)["fluxerr"], 1.0)[0] == pytest.approx(
        limit, abs=1e-3
    )


@pytest.mark.parametrize("mag_err", [99.99, 999.0, np.inf, np.nan])
def test_a_non_detection_is_an_epoch_with_its_flux_and_a_bit_that_is_not_bad(mag_err):
    standard = standardise(flux=-0.1, flux_err=0.05, mag=17.9, mag_err=mag_err, limit=17.9)
    assert (standard["flux"], standard["fluxerr"]) == pytest.approx((-100, 50))
    assert standard["flag"] == NON_DETECTION
    assert not standard["flag"] & VirtualASASSN.bad_flag_mask


def test_the_flux_of_a_non_detection_can_be_left_out():
    parameters = {"non_detection_flux": False}
    standard = standardise(parameters, mag_err=99.99)
    assert np.isnan(standard["flux"])
    assert standard["flag"] == NON_DETECTION | NO_FLUX
    assert standardise(parameters, mag_err=0.01)["flag"] == 0


@needs_pyarrow
def test_the_limits_of_non_detections_stay_in_the_raw_table_and_their_epochs_in_the_lightcurves():
    data, altdata, _ = fetch()
    survey = VirtualASASSN()
    undetected = data["mag_err"] > 99
    assert undetected.sum() == 2
    np.testing.assert_array_equal(data["mag"][undetected], data["limit"][undetected])
    assert data["limit"][undetected] == pytest.approx(16.4 - 2.5 * np.log10(5 * 0.03631))
    batch = survey.reduce(ROW, data, altdata, gap_days=2000, drop_bad=True).batch
    assert batch.table["series"].tolist() == ["bF", "be"]
    assert batch.table["filter"].tolist() == ["asassn-g", "asassn-v"]
    assert batch.counts.tolist() == [39, 19]  # without the bad image of each
    found = batch.columns["flag"] & NON_DETECTION > 0
    assert batch.columns["flux"][found] == pytest.approx(0.03 * 3631)


def test_bits_are_those_that_are_documented():
    assert (BAD_QUALITY, NON_DETECTION, OTHER_CAMERA, NO_FLUX, BRIGHT) == (1, 2, 4, 8, 16)
    assert VirtualASASSN.bad_flag_mask == 31 - NON_DETECTION


@pytest.mark.parametrize(
    ("values", "flag"),
    [
        ({}, 0),
        ({"mag_err": 99.0}, 0),
        ({"quality": "B"}, BAD_QUALITY),
        ({"quality": ""}, BAD_QUALITY),
        ({"quality": "g"}, BAD_QUALITY),
        ({"camera": "bu"}, OTHER_CAMERA),
        ({"camera": ""}, OTHER_CAMERA),
        ({"camera": "?"}, OTHER_CAMERA),
        ({"flux": np.nan}, NO_FLUX),
        ({"flux": np.inf}, NO_FLUX),
        ({"flux_err": np.nan}, NO_FLUX),
        ({"flux_err": 0.0}, NO_FLUX),
        ({"flux_err": -1.0}, NO_FLUX),
        ({"mag": 10.99}, BRIGHT),
        ({"mag": 11.0}, 0),
        ({"mag": np.nan}, 0),
        ({"mag": 10.0, "quality": "B", "camera": "x"}, BRIGHT | BAD_QUALITY | OTHER_CAMERA),
    ],
)
def test_flags(values, flag):
    found = standardise(**values)["flag"]
    assert found == flag
    assert bool(found & VirtualASASSN.bad_flag_mask) is (flag > 0)


def test_the_magnitude_that_counts_as_saturated_is_a_parameter():
    assert standardise({"bright_mag": 10.0}, mag=10.5)["flag"] == 0
    assert standardise({"bright_mag": 12.0}, mag=11.5)["flag"] == BRIGHT


@pytest.mark.parametrize(
    ("cameras", "name"),
    [
        ("ba bb bc bd be bf bg bh", "asassn-v"),
        ("bA bB bC bD bE bF bG bH bi bj bk bl bm bn bo bp bq br bs bt cB", "asassn-g"),
        ("bI bu BA Ba ca b bab", "asassn-other"),
    ],
)
def test_cameras_have_one_filter_and_are_series(cameras, name):
    for camera in cameras.split():
        standard = standardise(camera=camera)
        assert (standard["filter"], standard["series"]) == (name, camera)


@pytest.mark.parametrize(
    ("parameters", "later_s"),
    [
        ({}, 0),
        ({"time_stamp": "start"}, 135),
        ({"time_stamp": "end"}, -135),
        ({"time_stamp": "start", "exptime_s": 90.0}, 45),
        ({"time_scale": "tai"}, -37),
        ({"time_scale": "tt"}, -69.184),
    ],
)
def test_times_are_utc_at_mid_exposure_unless_told_otherwise(parameters, later_s):
    survey, standard = VirtualASASSN(**parameters), standardise(parameters, jd=2459000.25)
    mjd, _ = standard_times(standard["time"], survey.time, exptime=standard["exptime"], ra=0.0, dec=0.0)
    assert (mjd[0] - 58999.75) * 86400 == pytest.approx(later_s, abs=1e-4)


def test_times_may_be_heliocentric():
    survey = VirtualASASSN(time_reference="heliocentre")
    mjd, _ = standard_times(2459000.25, survey.time, exptime=270.0, ra=120.0, dec=20.0)
    time = Time(mjd[0], format="mjd", scale="utc", location=EarthLocation.from_geocentric(0, 0, 0, unit="m"))
    light_time = time.light_travel_time(SkyCoord(120, 20, unit="deg"), "heliocentric", ephemeris="builtin")
    assert abs(light_time.to_value(u.s)) > 100
    assert (58999.75 - mjd[0]) * 86400 == pytest.approx(light_time.to_value(u.s), abs=1e-3)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"radius_arcsec": 61}, "radius_arcsec must be between 0.1 and 60, got 61"),
        ({"exptime_s": 0}, "exptime_s must be between 1 and 3600, got 0"),
        ({"bright_mag": 31}, "bright_mag must be between 0 and 30, got 31"),
        ({"time_scale": "gps"}, "time_scale must be one of utc, tai, tt, tdb, tcb, got 'gps'"),
        ({"time_reference": "sun"}, "time_reference must be one of observatory, geocentre, heliocentre, barycentre"),
        ({"time_stamp": "middle"}, "time_stamp must be one of start, mid, end, got 'middle'"),
        ({"non_detection_flux": 1}, "non_detection_flux must be of type bool, got 1"),
        ({"url": "asassn-lb01.ifa.hawaii.edu:9006"}, "url must be an http or https address"),
    ],
)
def test_unusable_parameters(parameters, message):
    with pytest.raises(ConfigError, match=message):
        VirtualASASSN(**parameters)
