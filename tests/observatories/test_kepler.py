"""Genuine files of Kepler are not to be had here: all files are synthetic."""

import numpy as np
import pytest
from servers.lightcurve_files import synthetic_file
from servers.mast_portal import MastServer, observation

from vo_lib.errors import ConfigError, ServiceError
from vo_lib.observatories.kepler import VirtualKepler
from vo_lib.times import standard_times

ROW = {"name": "x", "ra": 290.0, "dec": 44.0, "epoch": 2000.0, "mag": 14.0}
QUARTERS = {"2009131105131": 0, "2009166043257": 1, "2009259160929": 2}


def place(number, mission="Kepler", *, prefix="kplr", dec=44.0, cadence="lc_Q111"):
    """Row of the table of observations for a target."""
    where = {"obsid": number, "s_ra": 290.0, "s_dec": dec, "obs_collection": mission}
    return observation(None, obs_id=f"{prefix}{number:09d}_{cadence}", provenance_name=mission, **where)


def product(number, stamp, *, prefix="kplr", end="llc.fits"):
    """Row of the table of products."""
    name = f"{prefix}{number:09d}-{stamp}_{end}"
    return {"obsID": str(number), "productFilename": name, "dataURI": f"mast:KEPLER/url/{name}"}


def archive(number=5772710, **options):
    """An archive with one target of invented numbers, in three quarters."""
    products = [product(number, stamp) for stamp in reversed(QUARTERS)]
    files = {
        row["dataURI"]: synthetic_file(
            time=120.0 + 90 * QUARTERS[stamp] + np.arange(4) / 48,
            ra=290.0,
            dec=44.0,
            kepler=True,
            keywords={"KEPLERID": number, "QUARTER": QUARTERS[stamp]},
        )
        for row, stamp in zip(products, reversed(QUARTERS), strict=True)
    }
    products += [product(number, "2009131105131", end="slc.fits"), product(number, "lc_Q111", end="lc.tar")]
    options = {"observations": [place(number)]} | options
    return MastServer(products=products, files=files, **options)


def fetch(row=ROW, *, server=None, **parameters):
    """Ask an archive of this machine; give what it answered and the archive."""
    with server or archive() as server:
        survey = VirtualKepler(**server.parameters | {"retry_wait_s": 0.01, "timeout_s": 60} | parameters)
        return *survey.fetch_data_from_observatory(row), server


def test_quarters_follow_each_other_in_one_table():
    data, altdata, server = fetch()
    assert data["QUARTER"].tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert altdata["files"] == server.downloads
    assert altdata["target"] == {
        "name": "kplr005772710", "separation_arcsec": 0.0, "obsids": [5772710], "mag_difference": 0.5,
    }  # fmt: skip


def test_standard_columns():
    data, altdata, _ = fetch()
    standard = VirtualKepler().standardise(data, altdata)
    assert standard["exptime"] == pytest.approx(1625.3468, abs=1e-3)
    assert standard["flux"] == pytest.approx(1000 * 10 ** (0.4 * (23.9 - 25.1)))
    assert standard["series"][::4].tolist() == [f"KIC5772710-q{quarter:02d}-PDCSAP" for quarter in (0, 1, 2)]


def test_kp_12_is_174000_electrons_per_second():
    data, _, _ = fetch()
    data["PDCSAP_FLUX"] = 1.74e5
    flux = VirtualKepler().standardise(data, {})["flux"]
    assert 23.9 - 2.5 * np.log10(flux) == pytest.approx(12, abs=0.01)


def test_times_count_from_another_day_than_those_of_tess():
    data, _, _ = fetch()
    standard = VirtualKepler().standardise(data, {})
    _, bjd = standard_times(standard["time"], VirtualKepler.time, exptime=0, ra=290.0, dec=44.0)
    assert bjd == pytest.approx(data["TIME"] + 2454833 - 2400000.5, abs=1e-9)


def test_motions_are_in_arcsec_per_year():
    body = synthetic_file(time=[3650.0], ra=10.0, dec=20.0, kepler=True, keywords={"PMDEC": 1.0, "CAMPAIGN": 3})
    data = VirtualKepler()._read(body, KEPLERID=1)
    years = (3650.0 + 2454833 - 2451545) / 365.25
    standard = VirtualKepler().standardise(data, {})
    assert (standard["dec"] - 20) * 3600 == pytest.approx([years], abs=1e-3)
    assert standard["series"].tolist() == ["EPIC1-c03-PDCSAP"]


@pytest.mark.parametrize(("quality", "bad"), [("none", 0), ("default", 1), ("hard", 2), ("hardest", 3), (64, 1)])
def test_quality_masks_are_those_of_kepler(quality, bad):
    body = synthetic_file(time=[1, 2, 3, 4], kepler=True, columns={"QUALITY": [0, 1048576, 128, 64]})
    flag = VirtualKepler(quality=quality).standardise(VirtualKepler()._read(body, KEPLERID=1), {})["flag"]
    assert np.count_nonzero(flag & VirtualKepler.bad_flag_mask) == bad


def test_the_nearest_target_counts_and_images_of_the_field_do_not():
    near = place(5772710, dec=44.0 + 1 / 3600)
    far, image = place(11, dec=44.0 + 2 / 3600), place(12, prefix="ffi_")
    _, altdata, server = fetch(server=archive(observations=[far, image, near]))
    assert altdata["target"]["name"] == "kplr005772710"
    assert altdata["target"]["separation_arcsec"] == pytest.approx(1, abs=1e-3)
    assert server.questions[1]["params"] == {"obsid": "5772710"}


def test_campaigns_of_k2():
    number, name = 201367065, "mast:KEPLER/url/ktwo201367065-c102_llc.fits"
    keywords = {"KEPLERID": number, "CAMPAIGN": 102}
    files = {name: synthetic_file(time=[2800.0], kepler=True, keywords=keywords)}
    products = [product(number, "c102", prefix="ktwo"), product(number, "c10", prefix="ktwo", end="lpd-targ.fits.gz")]
    rows = [place(number, "K2", prefix="ktwo", cadence="c102_lc")]
    data, _, _ = fetch(server=MastServer(observations=rows, products=products, files=files))
    assert data["CAMPAIGN"].tolist() == [102]
    assert data["QUARTER"].tolist() == [-1]


def test_a_source_without_a_target_is_empty():
    data, altdata, server = fetch(ROW | {"dec": 43.0})
    assert data.dtype == VirtualKepler().dtype
    assert data.shape == (0,)
    assert altdata == {"note": "no target within 5 arcsec"}
    assert len(server.questions) == 1


def test_a_target_without_files_of_the_cadence_is_empty():
    server = archive()
    server.tables["products"] = server.tables["products"][:3]
    data, altdata, _ = fetch(server=server, cadence="short")
    assert data.shape == (0,)
    assert altdata["files"] == []
    assert altdata["target"]["mag_difference"] is None


@pytest.mark.parametrize("trouble", ["html", "empty", "truncated", "cut_block", "cut_part", "short", "503"])
def test_a_bad_file_is_an_error_and_never_no_data(trouble):
    with pytest.raises(ServiceError, match="Download/file"):
        fetch(server=archive(file_behaviour=["ok"] + [trouble] * 9), retries=1)


@pytest.mark.parametrize("trouble", ["error", "html", "empty", "missing_column"])
@pytest.mark.parametrize("before", [0, 1])
def test_a_bad_answer_is_an_error_and_never_no_data(trouble, before):
    with pytest.raises(ServiceError, match="/api/v0/invoke: "):
        fetch(server=archive(behaviour=["ok"] * before + [trouble] * 9), retries=0)


def test_a_file_of_tess_is_refused():
    server = archive()
    server.files = dict.fromkeys(server.files, synthetic_file(time=[1300.0], keywords={"KEPLERID": 5772710}))
    with pytest.raises(ServiceError, match=r"has other times than KEPLER \(zero 2457000"):
        fetch(server=server, retries=0)


def test_cadences_are_long_and_short():
    with pytest.raises(ConfigError, match="KEPLER: cadence must be long or short, got 'fast'"):
        VirtualKepler(cadence="fast")


def test_presets_of_quality_have_the_bits_of_lightkurve():
    """Attitude tweak, safe mode, coarse and Earth point, desaturation, manual, detector, no data, thrusters."""
    default = [1, 2, 4, 8, 32, 256, 16384, 65536, 1048576]
    hard = [*default, 128, 1024, 8192, 524288]
    found = VirtualKepler.Parameters.presets
    assert found == {"none": 0, "default": sum(default), "hard": sum(hard), "hardest": 2**21 - 1 - 512}
