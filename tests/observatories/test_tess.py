from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import EarthLocation, SkyCoord
from astropy.io import fits
from astropy.time import Time
from servers.lightcurve_files import synthetic_file
from servers.mast_portal import MastServer, observation, star, target_files

from vo_lib.errors import ServiceError
from vo_lib.observatories.tess import VirtualTESS
from vo_lib.times import standard_times

GENUINE = Path(__file__).resolve().parents[3] / "shared/data/tess/tess_TIC55652896_s0001_lc.fits"
ROW = {"name": "x", "ra": 10.0, "dec": 20.0, "epoch": 2016.0, "mag": 13.0}


def archive(number=101, sectors=(1, 2), *, stars=None, more=(), **options):
    """An archive with one target of invented numbers."""
    uris = target_files(number, sectors)
    files = {
        uri: synthetic_file(time=1300 + 27 * sector + np.arange(6) / 720, keywords={"TICID": number, "SECTOR": sector})
        for sector, uri in uris.items()
    }
    stars = [star(number, 10.0, 20.0)] if stars is None else stars
    rows = [observation(uri) for uri in (*uris.values(), *more)]
    return MastServer(stars=stars, observations=rows, files=files, **options)


def fetch(row=ROW, *, server=None, **parameters):
    """Ask an archive of this machine; give what it answered and the archive."""
    with server or archive() as server:
        survey = VirtualTESS(**server.parameters | {"retry_wait_s": 0.01, "timeout_s": 60} | parameters)
        return *survey.fetch_data_from_observatory(row), server


@pytest.fixture(scope="module")
def genuine():
    """Genuine epochs as they are fetched."""
    if not GENUINE.exists():
        pytest.skip("the genuine survey answers are not beside the project")
    uri = target_files(55652896, [1])[1]
    place = (73.980231, -63.260063)
    files = {uri: GENUINE.read_bytes()}
    server = MastServer(stars=[star(55652896, *place)], observations=[observation(uri)], files=files)
    return fetch({"name": "TOI-216", "ra": place[0], "dec": place[1]}, server=server)[0]


def test_every_row_and_value_is_kept_as_it_was_sent(genuine):
    assert len(genuine) == 20076
    assert np.count_nonzero(genuine["QUALITY"]) == 1973
    with fits.open(GENUINE) as parts:
        for name in parts[1].columns.names:
            assert np.array_equal(genuine[name], parts[1].data[name], equal_nan=True)
    assert {name: genuine[name][7] for name in ("TICID", "SECTOR", "DATA_REL", "PROCVER", "CAMERA", "CCD")} == {
        "TICID": 55652896, "SECTOR": 1, "DATA_REL": 1, "PROCVER": b"spoc-3.3.36-20180925", "CAMERA": 4, "CCD": 1,
    }  # fmt: skip


def test_the_barycentric_time_of_the_file_is_that_of_the_lightcurve(genuine):
    standard = VirtualTESS().standardise(genuine, {})
    mjd, bjd = standard_times(
        standard["time"], VirtualTESS.time, exptime=standard["exptime"], ra=standard["ra"], dec=standard["dec"]
    )
    known = np.isfinite(genuine["TIME"])
    assert np.allclose((bjd - (genuine["TIME"] + 56999.5))[known] * 86400, -1.979, atol=1e-5)
    assert np.isnan(mjd[~known]).all()
    first = Time("2018-07-25T19:01:42.709", scale="utc").mjd
    assert (mjd[known][0] - first) * 86400 == pytest.approx(60, abs=2.5)


def test_utc_at_the_geocentre_is_that_of_astropy(genuine):
    standard = {name: values[::1000] for name, values in VirtualTESS().standardise(genuine, {}).items()}
    place = {name: standard[name] for name in ("exptime", "ra", "dec")}
    mjd, _ = standard_times(standard["time"], VirtualTESS.time, **place)
    known = np.isfinite(mjd)
    there = Time(mjd[known], format="mjd", scale="utc", location=EarthLocation.from_geocentric(0, 0, 0, "m"))
    target = SkyCoord(standard["ra"][known], standard["dec"][known], unit="deg")
    bjd = there.tdb + there.light_travel_time(target)
    assert np.allclose((bjd.jd - 2457000 - standard["time"][known]) * 86400, 0, atol=1e-3)


def test_the_exposure_is_what_the_dead_time_of_the_file_says(genuine):
    exposure = VirtualTESS().standardise(genuine, {})["exptime"]
    with fits.open(GENUINE) as parts:
        header = parts[1].header
    assert exposure == pytest.approx(95.04)
    assert exposure[0] == pytest.approx(header["TIMEDEL"] * 86400 * header["DEADC"])


def test_the_magnitude_is_that_of_the_input_catalog(genuine):
    reduction = VirtualTESS().reduce({"name": "x", "ra": 73.980231, "dec": -63.260063}, genuine)
    tmag = np.nanmedian(reduction.batch.columns["mag"]) - VirtualTESS.ab_offset
    assert tmag - genuine["TESSMAG"][0] == pytest.approx(20.44 - 20.430, abs=0.002)
    assert reduction.batch.n_lightcurves == 1
    assert reduction.left_out["reason"].tolist() == ["nan_time"]
    assert reduction.batch.n_epochs == np.isfinite(genuine["TIME"]).sum()


def test_fluxes_are_on_the_ab_system():
    """Of magnitude 0 are 2416 Jy on the system of Tmag, and 3631 Jy on that of AB."""
    data = VirtualTESS()._read(synthetic_file(time=[1300.0]), TICID=1, SECTOR=1)
    flux = VirtualTESS().standardise(data, {})["flux"][0]
    assert flux == pytest.approx(1000 * 2416e6 * 10 ** (-0.4 * 20.44), rel=1e-3)


@pytest.mark.parametrize(
    ("sector", "release", "version", "late"),
    [
        (1, 1, "spoc-3.3.36-20180925", True),
        (1, 42, "spoc-5.0.20-20201120", False),
        (19, 26, "spoc-4.0.14-20200108", True),
        (19, 27, "spoc-4.0.14-20200108", False),
        (19, 30, "spoc-4.0.28-20200407", False),
        (20, 27, "spoc-4.0.14-20200108", True),
        (20, 27, "spoc-4.0.15-20200114", True),
        (20, 27, "spoc-4.0.17-20200130", True),
        (20, 29, "spoc-4.0.17-20200130", False),
        (20, 27, "spoc-4.0.26-20200323", False),
        (21, 29, "spoc-4.0.17-20200130", True),
        (21, 29, "spoc-4.0.20-20200220", True),
        (21, 29, "spoc-4.0.21-20200227", True),
        (21, 29, "spoc-4.0.27-20200326", False),
        (22, 31, "spoc-4.0.28-20200407", False),
    ],
)
def test_times_of_early_files_are_put_right(sector, release, version, late):
    keywords = {"SECTOR": sector, "DATA_REL": release, "PROCVER": version}
    data = VirtualTESS()._read(synthetic_file(time=[1300.0, np.nan], keywords=keywords), TICID=1, SECTOR=sector)
    time = VirtualTESS().standardise(data, {})["time"]
    assert (1300.0 - time[0]) * 86400 == pytest.approx(1.979 if late else 0.0, abs=1e-6)
    assert np.isnan(time[1])


def test_of_20_seconds_no_frame_is_dropped():
    keywords = {"NUM_FRM": 10, "CRMITEN": False, "INT_TIME": 1.98}
    data = VirtualTESS()._read(synthetic_file(time=[1300.0], keywords=keywords), TICID=1, SECTOR=1)
    assert VirtualTESS().standardise(data, {})["exptime"] == pytest.approx([19.8])


def test_sectors_follow_each_other_in_one_table():
    data, altdata, server = fetch()
    assert data["SECTOR"].tolist() == [1] * 6 + [2] * 6
    assert altdata["files"] == server.downloads == list(target_files(101, (1, 2)).values())
    assert altdata["star"]["ID"] == 101
    assert altdata["star"]["separation_arcsec"] == altdata["star"]["mag_difference"] == 0


def test_of_each_sector_one_file_is_taken_the_last_of_the_cadence():
    fast, old = target_files(101, (1, 5), cadence_s=20), target_files(101, (1, 2), version=100)
    other = ["mast:TESS/product/tess2018206045859-s0001-s0002-0000000000000101-00106_dvt.fits"]
    data, altdata, server = fetch(server=archive(more=[*fast.values(), *old.values(), *other]))
    assert server.downloads == list(target_files(101, (1, 2)).values())
    assert altdata["not_taken"] == sorted([*fast.values(), *old.values(), *other])
    assert len(data) == 12


def test_fast_lightcurves_are_taken_where_asked_for():
    uri = target_files(101, [9], cadence_s=20)[9]
    server = archive(more=[uri])
    server.files[uri] = synthetic_file(time=[1500.0], keywords={"TICID": 101, "SECTOR": 9})
    assert fetch(server=server, cadence_s=20)[0]["SECTOR"].tolist() == [9]


def test_a_target_without_a_lightcurve_is_empty():
    row = observation(None, obs_id="tess2018206045859-s0001-0000000000000101-0120-s", target_name="101")
    data, altdata, _ = fetch(server=MastServer(stars=[star(101, 10.0, 20.0)], observations=[row]))
    assert data.dtype == VirtualTESS().dtype
    assert data.shape == (0,)
    assert altdata["not_taken"] == [row["obs_id"]]


@pytest.mark.parametrize(
    ("stars", "found"),
    [
        ([], None),
        ([star(1, 10.0, 20.0)], 1),
        ([star(1, 10.0, 20.0 + 6 / 3600)], None),
        ([star(1, 10.0, 20.0 + 4 / 3600), star(2, 10.0, 20.0 - 3 / 3600)], 2),
        ([star(1, 10.0, 20.0, GAIAmag=14.0), star(2, 10.0, 20.0 - 3 / 3600)], 2),
        ([star(1, 10.0, 20.0, GAIAmag=12.0), star(2, 10.0, 20.0 - 3 / 3600)], 2),
        ([star(1, 10.0, 20.0, GAIAmag=None)], 1),
        ([star(1, 10.0, 20.0, disposition="DUPLICATE"), star(2, 10.0, 20.0 - 3 / 3600)], 2),
        ([star(1, 10.0, 20.0, disposition="ARTIFACT")], None),
        ([star(1, 10.0, 20.0, Tmag=18.5)], None),
        ([star("10000732589", 10.0, 20.0)], 10000732589),
        ([star(1, 10.0, 20.0 - 16 / 3600, pmRA=0.0, pmDEC=1000.0)], 1),
        ([star(1, 10.0, 20.0, pmRA=0.0, pmDEC=1000.0)], None),
    ],
)
def test_the_star_is_the_nearest_as_bright_at_the_epoch_of_the_catalog(stars, found):
    _, altdata, _ = fetch(server=archive(stars=stars))
    assert altdata.get("star", {}).get("ID") == found


def test_a_source_without_an_epoch_is_compared_where_the_star_was_in_2016():
    row = {name: value for name, value in ROW.items() if name != "epoch"}
    _, altdata, _ = fetch(row, server=archive(stars=[star(1, 10.0, 20.0 - 16 / 3600, pmRA=0.0, pmDEC=1000.0)]))
    assert altdata["star"]["separation_arcsec"] == pytest.approx(0, abs=1e-3)


def test_a_star_without_a_motion_is_compared_at_2000_by_that_of_the_catalog():
    row = ROW | {"ra": 359.9999, "pmra": 0.0, "pmdec": 1000.0}
    stars = [star(1, 359.9999, 20.0 - 16 / 3600)]
    _, altdata, server = fetch(row, server=archive(stars=stars))
    assert altdata["star"]["separation_arcsec"] == pytest.approx(0, abs=1e-3)
    assert server.questions[0]["params"]["dec"] == pytest.approx(20 - 16 / 3600, abs=1e-7)


def test_stars_are_found_across_right_ascension_zero():
    _, altdata, _ = fetch(ROW | {"ra": 0.0}, server=archive(stars=[star(1, 359.9997, 20.0)]))
    assert altdata["star"]["separation_arcsec"] == pytest.approx(1.08 * np.cos(np.radians(20)), abs=1e-3)


def test_separation_and_difference_of_magnitudes_are_told():
    _, altdata, _ = fetch(server=archive(stars=[star(7, 10.0, 20.0 + 2 / 3600, GAIAmag=13.25)]))
    assert altdata["star"]["separation_arcsec"] == pytest.approx(2, abs=1e-3)
    assert (altdata["star"]["ID"], altdata["star"]["mag_difference"]) == (7, 0.25)


def test_faint_sources_are_not_asked_for():
    data, altdata, server = fetch(ROW | {"mag": 18.1})
    assert data.shape == (0,)
    assert altdata == {"note": "not asked for: fainter than 18 mag"}
    assert server.questions == []
    assert len(fetch(ROW | {"mag": None})[0]) == 12


def test_a_motion_that_the_file_lacks_is_that_of_the_star():
    server = archive(stars=[star(101, 10.0, 20.0, pmRA=5.0, pmDEC=None)])
    uri = target_files(101, [2])[2]
    server.files[uri] = synthetic_file(time=np.full(6, 1354.0), keywords={"TICID": 101, "SECTOR": 2, "PMRA": 4.0})
    data, _, _ = fetch(server=server)
    assert data["PMRA"].tolist() == [5.0] * 6 + [4.0] * 6
    assert np.isnan(data["PMDEC"]).all()


def test_lightcurves_of_other_stars_are_never_taken():
    other = target_files(202, [4])[4]
    server = archive(more=[other])
    server.tables["caom"][-1]["target_name"] = "101"
    data, altdata, _ = fetch(server=server)
    assert altdata["not_taken"] == [other]
    assert set(data["TICID"].tolist()) == {101}


@pytest.mark.parametrize("trouble", ["html", "empty", "truncated", "cut_block", "cut_part", "short", "503", "404"])
def test_a_bad_file_is_an_error_and_never_no_data(trouble):
    with pytest.raises(ServiceError, match=r"Download/file\?uri=mast%3ATESS%2Fproduct%2Ftess.*s_lc\.fits: "):
        fetch(server=archive(file_behaviour=["ok"] + [trouble] * 9), retries=1)


@pytest.mark.parametrize("trouble", ["html", "empty", "truncated", "cut_block", "cut_part", "short", "503"])
def test_a_bad_file_that_is_good_the_second_time_is_none(trouble):
    data, _, server = fetch(server=archive(file_behaviour=[trouble]))
    assert len(data) == 12
    assert len(server.downloads) == 3


@pytest.mark.parametrize("trouble", ["error", "html", "empty", "missing_column"])
def test_a_bad_answer_is_an_error_and_never_no_data(trouble):
    with pytest.raises(ServiceError, match="/api/v0/invoke: "):
        fetch(server=archive(behaviour=[trouble] * 9), retries=0)


def test_questions_are_those_of_the_portal():
    _, _, server = fetch()
    (stars, observations) = server.questions
    assert stars["service"] == "Mast.Catalogs.Filtered.Tic.Position.Rows"
    assert stars["params"]["radius"] == pytest.approx(65 / 3600)
    assert observations["service"] == "Mast.Caom.Filtered"
    assert {"paramName": "target_name", "values": ["101"]} in observations["params"]["filters"]


def test_presets_of_quality_have_the_bits_of_lightkurve():
    """Attitude tweak, safe mode, coarse, Earth, argabrightening, desaturation, manual, outlier, calibration."""
    default = [1, 2, 4, 8, 16, 32, 128, 512, 16384]
    hard = [*default, 64, 1024, 2048, 4096]
    found = VirtualTESS.Parameters.presets
    assert found == {"none": 0, "default": sum(default), "hard": sum(hard), "hardest": 2**16 - 1}
