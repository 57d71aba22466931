import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import EarthLocation, SkyCoord
from astropy.time import Time
from servers.irsa import GENUINE_ANSWER, IrsaServer, answer_text, synthetic_answer

from vo_lib.errors import ConfigError, ServiceError
from vo_lib.observatories.ztf import VirtualZTF
from vo_lib.provenance import PACKAGE_ROOT

ROW = {"name": "WD J0000+5123", "ra": 0.0, "dec": 51.3937, "epoch": 2021.0}


def fetch(row=ROW, *, text=None, behaviour=(), **parameters):
    """Ask an archive of this machine; give what it answered and what it was asked."""
    with IrsaServer(text, behaviour=behaviour) as server:
        survey = VirtualZTF(**{"url": server.url, "retry_wait_s": 0.01, "timeout_s": 5} | parameters)
        return *survey.fetch_data_from_observatory(row), server.requests


def position(requests):
    """Right ascension, declination and radius [degrees] of a request."""
    return [float(number) for number in requests[0]["POS"].split(" ")[1:]]


def test_every_row_and_value_is_kept_as_it_was_sent():
    text, genuine = answer_text()
    data, altdata, _ = fetch(text=text)
    assert len(data) == len(text.splitlines()) - 1 == 1852
    codes, counts = np.unique(data["filtercode"], return_counts=True)
    assert dict(zip(codes.tolist(), counts.tolist(), strict=True)) == {b"zg": 869, b"zi": 19, b"zr": 964}
    assert len(np.unique(data["oid"])) == 5
    assert set(data["ccdid"].tolist()) <= {b"0xf", b"0x1"}
    assert altdata["query"]["COLLECTION"] == "ztf_dr24"
    if genuine:
        assert data["oid"][0] == 736115200001082
        assert data["mjd"][0] == 58274.4474421


def test_the_request_has_position_radius_release_and_no_mask_of_flags():
    _, _, requests = fetch()
    assert {name: value for name, value in requests[0].items() if name != "User-Agent"} == {
        "POS": "CIRCLE 0.0000000 51.3937000 0.0005556",
        "COLLECTION": "ztf_dr24",
        "FORMAT": "CSV",
    }


def test_the_position_is_moved_to_the_middle_of_the_survey_and_the_circle_widened():
    row = ROW | {"ra": 359.9999, "dec": 60.0, "pmra": 400.0, "pmdec": -300.0, "epoch": 2000.0}
    ra, dec, radius = position(fetch(row)[2])
    assert ra == pytest.approx((359.9999 + 8.4 / 3600 / np.cos(np.radians(60))) % 360, abs=1e-6)
    assert dec == pytest.approx(60 - 6.3 / 3600, abs=1e-6)
    assert radius == pytest.approx((2 + 3 * 0.5) / 3600, abs=1e-7)


@pytest.mark.parametrize("ra", [0.0, 1e-9, 359.99999999, 360.0])
def test_right_ascension_is_below_360_in_the_request(ra):
    assert position(fetch(ROW | {"ra": ra})[2])[0] == 0.0


@pytest.mark.parametrize("pm", [0.0, 1e6])
def test_the_circle_is_not_larger_than_the_archive_allows(pm):
    assert position(fetch(ROW | {"pmra": pm}, radius_arcsec=600)[2])[2] == pytest.approx(600 / 3600, abs=1e-7)


def test_objects_outside_the_circle_are_not_sent():
    far = synthetic_answer(0.1, 51.3937, objects=(("zg", 30),))
    data, _, _ = fetch(text=synthetic_answer(objects=(("zr", 12),)) + far.partition("\n")[2])
    assert data["filtercode"].tolist() == [b"zr"] * 12


def test_a_source_without_data_is_an_empty_table():
    data, _, requests = fetch(ROW | {"dec": 10.0})
    assert data.shape == (0,)
    assert data.dtype == VirtualZTF().dtype
    assert len(requests) == 1


def test_a_source_south_of_the_survey_is_empty_without_a_request():
    data, altdata, requests = fetch(ROW | {"dec": -31.1})
    assert data.shape == (0,)
    assert altdata == {"note": "not asked for: south of -31 deg"}
    assert requests == []
    assert len(fetch(ROW | {"dec": -31.0})[2]) == len(fetch(ROW | {"dec": -90.0}, min_dec_deg=-90)[2]) == 1


@pytest.mark.parametrize("trouble", ["html", "votable_error", "empty", "truncated", "missing_column", "short", "503"])
def test_a_bad_answer_is_an_error_and_never_no_data(trouble):
    with pytest.raises(ServiceError, match=r"http://127\.0\.0\.1:\d+/cgi-bin/ZTF/nph_light_curves\?POS=CIRCLE"):
        fetch(behaviour=[trouble] * 10, retries=1)


@pytest.mark.parametrize("trouble", ["html", "votable_error", "empty", "truncated", "missing_column", "short", "503"])
def test_a_bad_answer_that_is_good_the_second_time_is_none(trouble):
    data, _, requests = fetch(behaviour=[trouble])
    assert len(data) == 1852
    assert len(requests) == 2


def test_a_column_that_the_survey_adds_is_kept():
    lines = synthetic_answer(objects=(("zg", 5),)).splitlines()
    text = "\n".join([lines[0] + ",flux", *(line + ",1.5" for line in lines[1:])]) + "\n"
    assert fetch(text=text)[0]["flux"].tolist() == [1.5] * 5


def test_standard_columns():
    data, altdata, _ = fetch(text=synthetic_answer(objects=(("zi", 4), ("zg", 2))))
    data["ccdid"][:] = b"15"
    standard = VirtualZTF().standardise(data, altdata)
    assert standard["filter"].tolist() == ["ztf-i"] * 4 + ["ztf-g"] * 2
    assert standard["series"].tolist() == ["999315200000000"] * 4 + ["999115200000001"] * 2
    for name, column in {"time": "mjd", "mag": "mag", "magerr": "magerr", "ra": "ra", "flag": "catflags"}.items():
        assert np.array_equal(standard[name], data[column])


def test_epochs_without_a_heliocentric_time_are_as_good_as_others():
    data, _, _ = fetch()
    assert np.isnan(data["hjd"]).sum() == 1
    assert np.isfinite(VirtualZTF().standardise(data, {})["time"]).all()


def test_the_times_are_starts_of_exposures():
    """The heliocentric times of the genuine answer agree with its ``mjd`` read as the class says."""
    if not GENUINE_ANSWER.exists():
        pytest.skip("the genuine survey answers are not beside the project")
    survey = VirtualZTF()
    data, _, _ = fetch(text=GENUINE_ANSWER.read_text())
    assert (survey.time.scale, survey.time.reference, survey.time.stamp) == ("utc", "observatory", "start")
    site = EarthLocation.from_geodetic(*survey.site[:2], survey.site[2] * u.m)
    middle = Time(data["mjd"] + data["exptime"] / 172800, format="mjd", scale="utc", location=site)
    travel = middle.light_travel_time(SkyCoord(0.0, 51.3937, unit="deg"), "heliocentric")
    hjd = middle + travel
    assert np.allclose((data["hjd"] - hjd.utc.jd) * 86400, 0, atol=0.2)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"radius": 2}, "'radius' is not a parameter; did you mean 'radius_arcsec'?"),
        ({"limiting_magnitude": 20.5}, "'limiting_magnitude' is not a parameter"),
        ({"credentials": {"password": "hunter2"}}, "'credentials' is not a parameter"),
        ({"radius_arcsec": 0}, "radius_arcsec must be between 0.1 and 600, got 0"),
        ({"release": "ztf"}, "release must be a public one such as ztf_dr24, got 'ztf'"),
        ({"url": "ftp://x"}, "url must be an http or https address"),
        ({"url": "https://me:hunter2@x/y"}, "without a user, password or query"),
        ({"retries": -1}, "retries must be between 0 and 20, got -1"),
    ],
)
def test_unusable_parameters(parameters, message):
    with pytest.raises(ConfigError, match=message) as error:
        VirtualZTF(**parameters)
    assert "hunter2" not in str(error.value)


def test_another_release_is_asked_for_by_its_name():
    assert VirtualZTF().release == "ztf_dr24"
    _, altdata, requests = fetch(release="ztf_dr23")
    assert requests[0]["COLLECTION"] == altdata["query"]["COLLECTION"] == "ztf_dr23"


def test_threads_share_a_survey():
    rows = [ROW | {"ra": ra} for ra in (0.0, 90.0)] * 10
    with IrsaServer() as server, ThreadPoolExecutor(4) as pool:
        survey = VirtualZTF(url=server.url)
        sizes = [len(data) for data, _ in pool.map(survey.fetch_data_from_observatory, rows)]
    assert sizes == [1852, 0] * 10


def test_importing_and_making_a_survey_needs_no_network_library():
    code = (
        "import sys; from vo_lib.observatories import get_class; get_class('ZTF')(); get_class('DEMO')();"
        "print([m for m in ('requests', 'urllib3', 'pandas', 'astropy', 'scipy', 'xarray') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE_ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
