import io
import json
import zipfile

import numpy as np
import pytest
from astropy.time import Time
from servers.gaia import (
    GENUINE_EPOCHS,
    LONG_HEADER,
    NEW_STRUCTURES,
    WIDE_HEADER,
    GaiaArchive,
    genuine_epochs,
    star,
    synthetic_epochs,
)
from servers.tap import read_cone

from vo_lib.errors import ConfigError, ServiceError
from vo_lib.observatories.gaia import VirtualGaia
from vo_lib.observatories.gaia_answers import read_epochs
from vo_lib.photometry import mag_from_flux
from vo_lib.times import standard_times

# Above 2**53, so that a float cannot hold it.
SOURCE = 4611686018427387905
ROW = {"name": "x", "ra": 10.0, "dec": 20.0}
STAR = star(SOURCE, 10.0, 20.0001)
ALL_TROUBLES = ["html", "votable_error", "empty", "missing_column", "short", "503"]
# Invented numbers, but for the fluxes and Vega magnitudes: those of one transit of Gaia DR3 2328619740476096384.
TRANSIT = (
    f"1,{SOURCE},7,1756.8137006432394,61379.645021363125,66.40325372862291,924.3469,13.717305935966815,"
    "1756.8139941058444,38115.55505560519,95.02268429563246,401.12057,13.885786594445392,"
    "1756.8140820892297,33731.73916407903,88.0843489264427,382.94815,13.427798667608632,"
    "false,false,false,5,0,0,false"
)


def fetch(row=ROW, *, sources=(STAR,), epochs=None, zipped=False, behaviour=(), **parameters):
    """Ask an archive of this machine; give what it answered and what it was asked."""
    epochs = {SOURCE: synthetic_epochs(SOURCE)} if epochs is None else epochs
    with GaiaArchive(list(sources), epochs, zipped=zipped, behaviour=behaviour) as archive:
        options = archive.parameters | {"retry_wait_s": 0.01, "timeout_s": 60} | parameters
        return *VirtualGaia(**options).fetch_data_from_observatory(row), archive.requests


def wide(*lines):
    """Answer with a row per transit."""
    return {SOURCE: "\n".join([WIDE_HEADER, *lines]) + "\n"}


def test_a_row_per_transit_becomes_a_row_per_band():
    data, _, _ = fetch(epochs=wide(TRANSIT))
    assert data["band"].tolist() == [b"G", b"BP", b"RP"]
    assert data["time"].tolist() == [1756.8137006432394, 1756.8139941058444, 1756.8140820892297]
    assert data["flux_error"].tolist() == [66.40325372862291, 95.02268429563246, 88.0843489264427]
    assert data["source_id"].tolist() == [SOURCE] * 3
    assert data["other_flags"].tolist() == [5, 0, 0]


def test_each_band_has_its_own_flags():
    values = dict(zip(WIDE_HEADER.split(","), TRANSIT.split(","), strict=True))
    values |= {"variability_flag_bp_reject": "true", "bp_other_flags": "6", "rp_other_flags": "7"}
    standard = VirtualGaia().standardise(fetch(epochs=wide(",".join(values.values())))[0], {})
    assert standard["flag"].tolist() == [5 << 8, 6 << 8 | 2, 7 << 8]


def test_a_flux_without_a_time_is_a_row_at_the_position_of_the_catalog():
    cells = TRANSIT.split(",")
    cells[8] = ""
    data, _, _ = fetch(sources=[STAR | {"pmra": 100.0, "pmdec": 100.0}], epochs=wide(",".join(cells)))
    standard = VirtualGaia().standardise(data, {})
    assert np.isnan(standard["time"]).tolist() == [False, True, False]
    assert (standard["ra"][1], standard["dec"][1]) == (10.0, pytest.approx(20.0001, abs=1e-12))


def test_a_band_without_time_and_flux_has_no_row():
    cells = TRANSIT.split(",")
    cells[8:13] = [""] * 5
    cells[14] = ""
    data, _, _ = fetch(epochs=wide(",".join(cells)))
    assert data["band"].tolist() == [b"G", b"RP"]
    assert np.isnan(data["flux"][1])


def test_a_zip_archive_has_the_same_epochs():
    assert fetch(zipped=True)[0].tobytes() == fetch()[0].tobytes()
    assert len(fetch()[0]) == 3 * 12 - 2


def test_a_row_per_transit_and_band_is_kept_as_it_was_sent():
    text = f"{LONG_HEADER}\n{SOURCE},7,BP,1705.5,15.5,100.0,2.5,40,false,true,1024,9\n"
    data, _, _ = fetch(epochs={SOURCE: text})
    row = (9, SOURCE, 7, b"BP", 1705.5, 15.5, 100.0, 2.5, 40.0, b"false", b"true", 1024)
    assert data[list(VirtualGaia.columns)[:12]].tolist() == [row]
    assert data.dtype == VirtualGaia().dtype


def test_a_genuine_answer():
    if not GENUINE_EPOCHS.exists():
        pytest.skip("the genuine survey answers are not beside the project")
    number = 5813181197970338560
    data, _, _ = fetch(sources=[star(number, 10, 20)], epochs={number: genuine_epochs()})
    assert dict(zip(*np.unique(data["band"], return_counts=True), strict=True)) == {b"BP": 83, b"G": 85, b"RP": 83}
    assert data["transit_id"][0] == 17091923342681275
    assert data["time"][0] == 1705.9437360200984
    standard = VirtualGaia().standardise(data, {})
    assert (standard["flag"] & 3).tolist().count(2) == 2
    assert standard["flag"][0] == 4097 << 8
    # Zero points of DR2 are not those of DR3, but nearly.
    mag, _ = mag_from_flux(standard["flux"], standard["fluxerr"])
    offset = {"gaia-g": 0.1137, "gaia-bp": 0.0154, "gaia-rp": 0.3561}
    assert np.allclose(mag - data["mag"], [offset[name] for name in standard["filter"]], atol=0.02)


def test_the_requests():
    row = ROW | {"pmra": 1000.0, "pmdec": -500.0, "epoch": 2000.0}
    _, altdata, (find, epochs) = fetch(
        row, sources=[star(SOURCE, 10 + 16 / 3600 / np.cos(np.radians(20)), 20 - 8 / 3600)]
    )
    assert (find["method"], epochs["method"]) == ("POST", "GET")
    _, table, *circle = read_cone(find["QUERY"])
    assert table == "gaiadr3.gaia_source"
    assert circle == pytest.approx([10 + 16 / 3600 / np.cos(np.radians(20)), 20 - 8 / 3600, 2 / 3600], abs=1e-7)
    assert {name: epochs[name] for name in ("RETRIEVAL_TYPE", "ID", "VALID_DATA", "DATA_STRUCTURE")} == {
        "RETRIEVAL_TYPE": "EPOCH_PHOTOMETRY",
        "ID": f"Gaia DR3 {SOURCE}",
        "VALID_DATA": "false",
        "DATA_STRUCTURE": "INDIVIDUAL",
    }
    assert altdata["match"]["separation_arcsec"] < 0.01
    assert json.loads(json.dumps(altdata)) == altdata


@pytest.mark.parametrize(
    "refusal", ["{}", "<html><title>Error</title><body><ul><li><b>Message: </b>{}</li></ul></body></html>"]
)
def test_an_archive_that_knows_the_form_by_another_name_is_asked_by_that(refusal):
    with GaiaArchive([STAR], {SOURCE: synthetic_epochs(SOURCE)}, structures=NEW_STRUCTURES, refusal=refusal) as archive:
        survey = VirtualGaia(**archive.parameters, retries=3, retry_wait_s=0)
        answers = [survey.fetch_data_from_observatory(ROW) for _ in range(2)]
    names = [request["DATA_STRUCTURE"] for request in archive.requests if "DATA_STRUCTURE" in request]
    assert names == ["INDIVIDUAL", "DATAMODEL_STANDARD", "DATAMODEL_STANDARD"]
    assert [len(data) for data, _ in answers] == [34, 34]
    assert [altdata["data_query"]["DATA_STRUCTURE"] for _, altdata in answers] == names[1:]


@pytest.mark.parametrize("retries", [0, 1])
def test_a_fault_of_the_archive_is_no_refusal_of_the_name_and_has_its_retries(retries):
    with GaiaArchive([STAR], {SOURCE: synthetic_epochs(SOURCE)}, behaviour=["ok", *["503"] * 9]) as archive:
        survey = VirtualGaia(**archive.parameters, retries=retries, retry_wait_s=0)
        with pytest.raises(ServiceError, match="HTTP status 503"):
            survey.fetch_data_from_observatory(ROW)
    assert {request["DATA_STRUCTURE"] for request in archive.requests[1:]} == {"INDIVIDUAL"}
    assert len(archive.requests[1:]) == (1 if retries == 0 else 3)  # one more, without a retry


def test_an_archive_that_knows_no_name_of_the_form_is_an_error_that_tells_those_that_it_knows():
    with GaiaArchive([STAR], {}, structures=("NEWEST",)) as archive:
        survey = VirtualGaia(**archive.parameters, retries=0, data_structure="OWN")
        with pytest.raises(ServiceError, match="HTTP status 500 .*: Invalid Data Structure .* ones are: NEWEST"):
            survey.fetch_data_from_observatory(ROW)
    assert [request["DATA_STRUCTURE"] for request in archive.requests[1:]] == [
        "OWN",
        "INDIVIDUAL",
        "DATAMODEL_STANDARD",
    ]


def test_the_nearest_object_is_taken_and_how_well_it_fits_is_noted():
    far = star(SOURCE + 2, 10.0, 20.0004)
    data, altdata, _ = fetch(ROW | {"mag": 18.0}, sources=[far, STAR])
    assert set(data["source_id"]) == {SOURCE}
    assert altdata["match"] == {
        "source_id": str(SOURCE),
        "separation_arcsec": pytest.approx(0.36, abs=1e-4),
        "n_in_circle": 2,
        "phot_g_mean_mag": 18.5,
        "mag_difference": 0.5,
    }


@pytest.mark.parametrize(
    ("sources", "note"),
    [
        ([], "no object within 2 arcsec"),
        ([star(SOURCE, 10, 20.001)], "no object within 2 arcsec"),
        ([star(SOURCE, 10, 20, has_epoch_photometry="false")], "the object has no epoch photometry"),
        ([star(SOURCE, 10, 20, has_epoch_photometry="")], "the object has no epoch photometry"),
        ([STAR, star(5, 10, 20, has_epoch_photometry="false")], "the object has no epoch photometry"),
    ],
)
def test_a_source_without_epochs_is_empty_without_a_second_request(sources, note):
    data, altdata, requests = fetch(sources=sources)
    assert data.shape == (0,)
    assert data.dtype == VirtualGaia().dtype
    assert altdata["note"] == note
    assert len(requests) == 1


def test_a_header_line_alone_is_no_epochs():
    data, _, requests = fetch(epochs=wide())
    assert data.shape == (0,)
    assert len(requests) == 2


@pytest.mark.parametrize("trouble", [*ALL_TROUBLES, "truncated"])
@pytest.mark.parametrize("good", [[], ["ok"]])
def test_a_bad_answer_is_an_error_and_never_no_data(good, trouble):
    service = "data-server/data" if good else "tap-server/tap/sync"
    with pytest.raises(ServiceError, match=rf"http://127\.0\.0\.1:\d+/{service}"):
        fetch(behaviour=[*good, *[trouble] * 10], retries=1)


@pytest.mark.parametrize("trouble", ALL_TROUBLES)
def test_a_bad_answer_that_is_good_the_second_time_is_none(trouble):
    data, _, requests = fetch(behaviour=["ok", trouble])
    assert len(data) == 34
    assert len(requests) == 3


@pytest.mark.parametrize("trouble", ["truncated", "short", "html"])
def test_a_bad_zip_archive_is_an_error(trouble):
    with pytest.raises(ServiceError, match="data-server"):
        fetch(zipped=True, behaviour=["ok", *[trouble] * 9], retries=1)


@pytest.mark.parametrize("number", [0, 2])
def test_a_zip_archive_without_a_table_or_with_several_is_an_error(number):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in range(number):
            archive.writestr(f"{name}.csv", synthetic_epochs(SOURCE))
    with pytest.raises(ServiceError, match=f"zip archive with {number} tables instead of one"):
        read_epochs(buffer.getvalue(), source_id=SOURCE)
    with pytest.raises(ServiceError, match="zip archive that is damaged"):
        read_epochs(b"PK\x03\x04 and so on", source_id=1)


def test_a_zip_archive_that_unpacks_to_too_much_is_an_error(monkeypatch):
    monkeypatch.setattr("vo_lib.observatories.gaia_answers.MAX_BYTES", 1000)
    with pytest.raises(ServiceError, match="unpacks to more than 1,000 bytes and is rejected"):
        fetch(zipped=True, retries=0)


def test_epochs_of_another_source_are_an_error():
    with pytest.raises(ServiceError, match="epochs of another source than"):
        fetch(epochs=wide(TRANSIT, TRANSIT.replace(str(SOURCE), str(SOURCE + 1))))
    with pytest.raises(ServiceError, match="epochs of another source than"):
        fetch(epochs={SOURCE: synthetic_epochs(SOURCE + 1)})


def test_a_flag_that_is_neither_true_nor_false_is_an_error():
    with pytest.raises(ServiceError, match="'maybe' for rejected_by_photometry"):
        fetch(epochs=wide(TRANSIT.removesuffix("false") + "maybe"))


def test_names_of_columns_may_be_in_capitals():
    data, _, _ = fetch(epochs={SOURCE: synthetic_epochs(SOURCE).replace("source_id", "SOURCE_ID")})
    assert len(data) == 34
    assert fetch(epochs={SOURCE: "\ufeff" + synthetic_epochs(SOURCE)})[0].tobytes() == data.tobytes()


def test_fluxes_are_on_the_ab_system():
    """Vega magnitudes of the archive and the published AB - Vega differences: 0.1137, 0.0154, 0.3561."""
    data, _, _ = fetch(epochs=wide(TRANSIT))
    standard = VirtualGaia().standardise(data, {})
    mag, magerr = mag_from_flux(standard["flux"], standard["fluxerr"])
    assert np.allclose(mag - data["mag"], [0.1136778, 0.0154133, 0.3560882], rtol=0, atol=2e-6)
    assert np.allclose(magerr, 1.0857362 / data["flux_over_error"], rtol=1e-6)
    assert standard["filter"].tolist() == ["gaia-g", "gaia-bp", "gaia-rp"]
    assert standard["series"].tolist() == [SOURCE] * 3


def test_exposures_are_as_long_as_a_star_needs_for_the_nine_chips_of_g_and_the_one_of_bp_and_rp():
    """The sky goes by at 59.96 arcsec/s; a chip has 4500 lines of 58.93 mas: Gaia Collaboration 2016."""
    data, _, _ = fetch(epochs=wide(TRANSIT))
    chip = 4500 * 0.05893 / 59.96
    np.testing.assert_allclose(VirtualGaia().standardise(data, {})["exptime"], [9 * chip, chip, chip], rtol=2e-3)


def test_transits_of_seasons_that_are_a_year_apart_are_one_lightcurve():
    lines = [TRANSIT.replace("1756.", f"{1756 + days}.") for days in (0, 100, 465)]
    data, altdata, _ = fetch(epochs=wide(*lines))
    assert data["band"].tolist() == [b"G", b"BP", b"RP"] * 3
    reduction = VirtualGaia().reduce(ROW, data, altdata)
    assert (reduction.batch.n_lightcurves, reduction.batch.n_epochs) == (3, 9)


def test_right_ascensions_are_below_360():
    _, _, requests = fetch(ROW | {"ra": 359.9999999999}, sources=[])
    assert read_cone(requests[0]["QUERY"])[2] == 0


def test_a_negative_flux_is_data():
    standard = VirtualGaia().standardise(fetch(epochs=wide(TRANSIT.replace("38115.5", "-38115.5")))[0], {})
    assert standard["flux"][1] < 0 < standard["fluxerr"][1]


def test_times_are_tcb_at_the_barycentre():
    data, _, _ = fetch(epochs=wide(TRANSIT))
    standard, survey = VirtualGaia().standardise(data, {}), VirtualGaia()
    place = {name: standard[name] for name in ("exptime", "ra", "dec")}
    _, bjd = standard_times(standard["time"], survey.time, site=survey.site, **place)
    expected = Time(2455197.5, data["time"], format="jd", scale="tcb").tdb
    assert np.allclose((bjd - expected.mjd) * 86400, 0, atol=1e-4)
    assert np.allclose((55197 + data["time"] - bjd) * 86400, 18.5, atol=1)


def test_a_star_without_a_proper_motion_stays_where_it_is():
    standard = VirtualGaia().standardise(fetch(epochs=wide(TRANSIT))[0], {})
    assert standard["ra"].tolist() == [10.0] * 3
    np.testing.assert_allclose(standard["dec"], 20.0001, atol=1e-12)


def test_the_position_moves_with_the_proper_motion_of_gaia():
    data, _, _ = fetch(sources=[STAR | {"pmra": -2000.0, "pmdec": 1000.0}], epochs=wide(TRANSIT))
    standard = VirtualGaia().standardise(data, {})
    years = 2010 + 1756.8137 / 365.25 - 2016
    assert (standard["dec"][0] - 20.0001) * 3600 == pytest.approx(years, abs=1e-4)
    assert (standard["ra"][0] - 10) * 3600 * np.cos(np.radians(20)) == pytest.approx(-2 * years, abs=1e-3)


@pytest.mark.parametrize(
    ("photometry", "variability", "bits"),
    [("false", "false", 0), ("true", "false", 1), ("True", "true", 3), ("", "", 0)],
)
def test_flags(photometry, variability, bits):
    text = f"{LONG_HEADER}\n{SOURCE},7,G,1705.5,15.5,100.0,2.5,40,{photometry},{variability},4097,9\n"
    standard = VirtualGaia().standardise(fetch(epochs={SOURCE: text})[0], {})
    assert standard["flag"].tolist() == [4097 << 8 | bits]
    assert bool(standard["flag"][0] & VirtualGaia.bad_flag_mask) == bool(bits)


def test_flags_that_others_kept_in_another_way_are_understood_or_refused():
    text = f"{LONG_HEADER}\n{SOURCE},7,G,1705.5,15.5,100.0,2.5,40,true,false,4097,9\n"
    data = fetch(epochs={SOURCE: text})[0]
    data["rejected_by_photometry"], data["rejected_by_variability"] = b"0", b"1"
    assert VirtualGaia().standardise(data, {})["flag"].tolist() == [4097 << 8 | 2]
    data["rejected_by_photometry"] = b"yes"
    with pytest.raises(ServiceError, match="a flag of Gaia is 'yes', neither true nor false"):
        VirtualGaia().standardise(data, {})


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"radius_arcsec": 0}, "radius_arcsec must be between 0.1 and 60, got 0"),
        ({"release": "Gaia DR2"}, "release must be one of Gaia DR3, got 'Gaia DR2'"),
        ({"url": "ftp://x"}, "url must be an http or https address"),
        ({"data_url": "https://me:hunter2@x/y"}, "without a user, password or query"),
    ],
)
def test_unusable_parameters(parameters, message):
    with pytest.raises(ConfigError, match=message) as error:
        VirtualGaia(**parameters)
    assert "hunter2" not in str(error.value)
