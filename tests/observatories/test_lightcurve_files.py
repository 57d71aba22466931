import io
import random

import numpy as np
import pytest
from astropy.io import fits
from servers.lightcurve_files import synthetic_file

from vo_lib.errors import ConfigError, ServiceError
from vo_lib.observatories.lightcurve_files import UNUSABLE
from vo_lib.observatories.tess import VirtualTESS

TIME = 1300 + np.arange(5) / 720


def read(body=None, **made):
    """Epochs of a synthetic file of TESS."""
    return VirtualTESS()._read(synthetic_file(time=TIME, **made) if body is None else body, TICID=1, SECTOR=1)


def test_columns_are_as_narrow_as_in_the_file_and_of_this_machine():
    data = read()
    assert data.dtype["TIME"] == np.float64
    assert data.dtype["SAP_FLUX"] == np.float32
    assert data.dtype["QUALITY"] == np.int32
    assert all(data.dtype[name].isnative for name in data.dtype.names)
    assert set(data.dtype.names) == set(VirtualTESS.columns)


def test_keywords_are_in_every_row():
    data = read(keywords={"CAMERA": 3, "CRMITEN": False, "PMRA": -12.5})
    assert data["CAMERA"].tolist() == [3] * 5
    assert data["CRMITEN"].tolist() == [0] * 5
    assert data["PMRA"].tolist() == [-12.5] * 5


def test_undefined_keywords_are_nan_or_minus_one():
    data = read(keywords={"TESSMAG": None, "CRBLKSZ": None})
    assert np.isnan(data["TESSMAG"]).all()
    assert np.isnan(data["PMDEC"]).all()
    assert data["CRBLKSZ"].tolist() == [-1] * 5


def test_any_flipped_bit_of_the_table_is_found():
    body = synthetic_file(time=TIME)
    with fits.open(io.BytesIO(body)) as parts:
        begin, end = parts[1].fileinfo()["datLoc"], parts[2].fileinfo()["hdrLoc"]
    dice = random.Random(0)
    for place in dice.sample(range(begin, end), 40):
        flipped = body[:place] + bytes([body[place] ^ 1 << dice.randrange(8)]) + body[place + 1 :]
        with pytest.raises(ServiceError, match="is damaged: it does not match its CHECKSUM"):
            read(flipped)


@pytest.mark.parametrize("text", ["", "0" * 16])
def test_a_file_without_a_sum_is_taken_as_it_is(text):
    with fits.open(io.BytesIO(synthetic_file(time=TIME))) as parts:
        parts[1].header["CHECKSUM"] = text
        parts.writeto(file := io.BytesIO())
    assert len(read(file.getvalue())) == len(TIME)


@pytest.mark.parametrize(("form", "width"), [("0D", -8), ("2D", 8)])
def test_columns_without_one_value_in_each_row_are_refused(form, width):
    with fits.open(io.BytesIO(synthetic_file(time=TIME))) as parts:
        del parts[1].header["CHECKSUM"]
        bytes_of_row = parts[1].header["NAXIS1"]
        parts.writeto(file := io.BytesIO())
    body = file.getvalue().replace(b"TFORM1  = 'D       '", f"TFORM1  = '{form:8}'".encode())
    body = body.replace(f"{bytes_of_row:20}".encode(), f"{bytes_of_row + width:20}".encode())
    with pytest.raises(ServiceError, match="has no single values in column 'TIME'; the survey may have changed"):
        read(body)


def test_a_file_without_epochs_is_an_empty_table():
    assert read(synthetic_file(time=[])).shape == (0,)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"TICID": 2}, "is of TICID 2, but 1 was requested"),
        ({"SECTOR": 7}, "is of SECTOR 7, but 1 was requested"),
        ({"TIMESYS": "UTC"}, "has other times than TESS"),
        ({"TIMEREF": "LOCAL"}, "has other times than TESS"),
        ({"TIMEPIXR": 0.0}, "has other times than TESS"),
        ({"BJDREFI": 2454833}, "has other times than TESS"),
        ({"BJDREFF": 0.5}, "has other times than TESS"),
        ({"RA_OBJ": None}, "has no keyword 'RA_OBJ'"),
        ({"NUM_FRM": None}, "has no keyword 'NUM_FRM'"),
    ],
)
def test_a_file_of_another_target_or_time_system_is_refused(keywords, message):
    with pytest.raises(ServiceError, match=message):
        read(keywords=keywords)


def test_a_missing_column_is_named():
    with pytest.raises(ServiceError, match="has no column 'PDCSAP_FLUX'"):
        read(columns={"PDCSAP_FLUX": None})


@pytest.mark.parametrize("cut", range(0, 5 * 2880, 1440))
def test_no_part_of_a_file_passes_for_a_file(cut):
    body = synthetic_file(time=TIME)
    with pytest.raises(ServiceError, match="the FITS file|not a FITS file"):
        read(body[:cut])


def test_a_file_that_was_cut_between_its_parts_is_refused():
    body = synthetic_file(time=TIME)
    with pytest.raises(ServiceError, match=r"in 2 parts, its headers declare \d+ bytes in 3 parts; it was cut off"):
        read(body[: body.index(b"XTENSION= 'IMAGE")])


def test_another_fits_file_is_refused(tmp_path):
    fits.PrimaryHDU(np.zeros(3)).writeto(tmp_path / "x.fits")
    with pytest.raises(ServiceError, match="cannot be read .*LIGHTCURVE"):
        read((tmp_path / "x.fits").read_bytes())


@pytest.mark.parametrize(
    ("quality", "bad"),
    [
        ("none", [0, 0, 0, 0, 0]),
        ("default", [0, 1, 0, 1, 0]),
        ("hard", [0, 1, 1, 1, 0]),
        ("hardest", [0, 1, 1, 1, 0]),
        (64, [0, 0, 1, 0, 0]),
        (0, [0, 0, 0, 0, 0]),
        (2**32 - 1, [0, 1, 1, 1, 1]),
    ],
)
def test_the_quality_mask_sets_the_bit_that_the_class_names(quality, bad):
    flags = [0, 1, 64, 128, 65536]
    flag = VirtualTESS(quality=quality).standardise(read(columns={"QUALITY": flags}), {})["flag"]
    assert ((flag & VirtualTESS.bad_flag_mask) != 0).tolist() == [bool(value) for value in bad]
    assert (flag & (UNUSABLE - 1)).tolist() == flags


def test_the_highest_bit_of_the_survey_is_not_taken_for_a_sign():
    flag = VirtualTESS().standardise(read(columns={"QUALITY": [-(2**31)] * 5}), {})["flag"]
    assert flag.tolist() == [2**31] * 5


def test_both_fluxes_in_microjansky():
    zero = VirtualTESS(zero_point_mag=20.0).ab_offset + 20
    expected = 10 ** (0.4 * (23.9 - zero))
    for flux, value, error in (("PDCSAP", 1000, 6), ("SAP", 900, 5)):
        standard = VirtualTESS(zero_point_mag=20.0, flux=flux).standardise(read(), {})
        assert standard["flux"] == pytest.approx(value * expected)
        assert standard["fluxerr"] == pytest.approx(error * expected)
        assert standard["series"].tolist() == [f"TIC1-s0001-{flux}"] * 5


def test_negative_flux_is_kept_and_a_missing_one_stays_missing():
    flux = VirtualTESS().standardise(read(columns={"PDCSAP_FLUX": [-5.0, 0.0, np.nan, 1.0, 2.0]}), {})["flux"]
    assert (np.sign(flux[[0, 1, 3]])).tolist() == [-1, 0, 1]
    assert np.isnan(flux[2])


def test_the_target_moves_and_stays_where_no_time_is():
    time = np.array([1545.0 + 20 * 365.25 - 12000, np.nan])
    data = VirtualTESS()._read(
        synthetic_file(time=time, ra=0.0, dec=60.0, keywords={"PMRA": -3600, "PMDEC": 1800}), TICID=1, SECTOR=1
    )
    standard = VirtualTESS().standardise(data, {})
    years = (time[0] + 5455) / 365.25
    assert standard["ra"][0] == pytest.approx(360 - 2 * years / 1000, abs=1e-5)
    assert standard["dec"][0] == pytest.approx(60 + years / 2000, abs=1e-5)
    assert (standard["ra"][1], standard["dec"][1]) == (0.0, pytest.approx(60.0))


def test_series_follow_the_files_in_any_order():
    data = np.concatenate([read(), read(), read()])
    data["SECTOR"][5:10] = 30
    series = VirtualTESS().standardise(data, {})["series"]
    assert series[::5].tolist() == ["TIC1-s0001-PDCSAP", "TIC1-s0030-PDCSAP", "TIC1-s0001-PDCSAP"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"flux": "PSF"}, "flux must be one of PDCSAP, SAP, got 'PSF'"),
        ({"quality": "harder"}, "quality must be one of none, default, hard, hardest or 32 bits, got 'harder'"),
        ({"quality": -1}, "or 32 bits, got -1"),
        ({"quality": 2**32}, "or 32 bits, got 4294967296"),
        ({"quality": True}, "quality must be of type str or int, got True"),
        ({"quality": 1.0}, "quality must be of type str or int, got 1.0"),
        ({"radius_arcsec": 0}, "radius_arcsec must be between 0.1 and 60"),
        ({"cadence_s": 1800}, "cadence_s must be 120 or 20, got 1800"),
        ({"match_mag": -1}, "match_mag must be between 0 and 100"),
    ],
)
def test_unusable_parameters(parameters, message):
    with pytest.raises(ConfigError, match=message):
        VirtualTESS(**parameters)
