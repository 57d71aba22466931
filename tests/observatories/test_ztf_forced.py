import numpy as np
import pytest
from astropy.time import Time
from servers.zfps import HEADER, LINE, SECRETS, ZfpsServer, synthetic_result, write_result
from still_clock import StillClock

from vo_lib.errors import ConfigError, ServiceError
from vo_lib.observatories import ztf_forced
from vo_lib.observatories.epoch_columns import add_columns
from vo_lib.observatories.ztf import VirtualZTF
from vo_lib.observatories.ztf_forced import (
    BAD_IMAGE,
    BAD_PIXELS,
    BAD_SEEING,
    BAD_STATUS,
    NO_FLUX,
    NO_REFERENCE,
    NOISY_IMAGE,
    VirtualZTFForced,
)
from vo_lib.observatories.ztf_forced_answers import read_result
from vo_lib.photometry import mag_from_flux
from vo_lib.times import standard_times

ROW = {"name": "WD J0000+5123", "ra": 0.0, "dec": 51.3937, "epoch": 2016.0}
# Flux, zero point and reference source of LINE: 100 +- 20 DN, 26.3 mag, and 18.5 +- 0.02 mag at 0.25 arcsec.
MAG, REF_UJY = 26.3 - 2.5 * np.log10(100), 10 ** (0.4 * (23.9 - 18.5))


@pytest.fixture(autouse=True)
def _secrets(monkeypatch):
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)


def with_values(**values):
    """The line of an epoch with some of its values changed."""
    words = dict(zip([name.rstrip(",") for name in HEADER.split()], LINE.split(), strict=True))
    assert values.keys() <= words.keys()
    return " ".join((words | values).values())


def standardise_all(*lines, **parameters):
    """Standard columns of epochs given as their lines."""
    data, _ = read_result(write_result(0.0, 51.3937, lines), ra=0.0, dec=51.3937)
    return VirtualZTFForced(**parameters).standardise(add_columns(data, ra=0.0, dec=0.0), {})


def standardise(parameters=None, **values):
    """Standard columns of one epoch."""
    columns = standardise_all(with_values(**values), **parameters or {})
    return {name: column[0] for name, column in columns.items()}


def asked(row, **parameters):
    """What is asked for a source."""
    with ZfpsServer([]) as server:
        survey = VirtualZTFForced(url=server.url, poll_s=0.01, **parameters)
        return survey.fetch_data_from_observatory(row)[1].get("query"), server.requests


def test_difference_fluxes_become_microjansky_by_the_zero_point_of_each_epoch():
    mag, magerr = mag_from_flux(*(standardise()[name] for name in ("flux", "fluxerr")))
    assert mag == pytest.approx(MAG, abs=1e-12)
    assert magerr == pytest.approx(2.5 / np.log(10) * 20 / 100)
    brighter = standardise(zpdiff="25.3")["flux"] / standardise()["flux"]
    assert brighter == pytest.approx(10**0.4)


def test_an_epoch_without_a_detection_stays_with_its_negative_flux():
    found = standardise(forcediffimflux="-50", forcediffimsnr="-2.5")
    assert found["flux"] == pytest.approx(-0.5 * 10 ** (0.4 * (23.9 - MAG)))
    assert found["fluxerr"] == pytest.approx(0.2 * 10 ** (0.4 * (23.9 - MAG)))
    assert found["flag"] == 0


def test_changes_are_not_compared_with_the_magnitude_of_the_catalog_and_total_fluxes_are():
    with ZfpsServer() as server:
        data, altdata = VirtualZTFForced(url=server.url, poll_s=0.01).fetch_data_from_observatory(ROW)
    for flux, left_out in (("difference", set()), ("total", {"faint"})):
        reduction = VirtualZTFForced(flux=flux).reduce(ROW | {"mag": 10.0}, data, altdata)
        assert set(reduction.left_out["reason"]) & {"bright", "faint"} == left_out


def test_total_fluxes_have_the_source_of_the_reference_image():
    difference, total = standardise(), standardise({"flux": "total"})
    assert total["flux"] == pytest.approx(difference["flux"] + REF_UJY)
    reference_err = REF_UJY * 0.02 * np.log(10) / 2.5
    assert total["fluxerr"] == pytest.approx(np.sqrt(difference["fluxerr"] ** 2 + reference_err**2))
    dimmed = standardise({"flux": "total"}, forcediffimflux="-50")
    assert 0 < dimmed["flux"] < REF_UJY


@pytest.mark.parametrize(
    ("values", "known"),
    [
        ({"dnearestrefsrc": "1"}, True),
        ({"dnearestrefsrc": "1.01"}, False),
        ({"dnearestrefsrc": "null", "nearestrefmag": "null", "nearestrefmagunc": "null"}, False),
        ({"procstatus": "57", "dnearestrefsrc": "null"}, False),
    ],
)
def test_total_fluxes_need_a_source_near_the_position(values, known):
    found = standardise({"flux": "total"}, **values)
    assert found["flag"] == (0 if known else NO_REFERENCE | NO_FLUX)
    assert np.isfinite([found["flux"], found["fluxerr"]]).tolist() == [known, known]
    assert np.isfinite(standardise(**values)["flux"])


def test_the_distance_of_the_reference_source_is_a_parameter():
    assert standardise({"flux": "total", "max_ref_arcsec": 1.5}, dnearestrefsrc="1.5")["flag"] == 0


@pytest.mark.parametrize(
    ("values", "flag"),
    [
        ({}, 0),
        ({"procstatus": "56"}, BAD_PIXELS),
        ({"procstatus": "57"}, NO_REFERENCE),
        ({"procstatus": "56,57"}, BAD_PIXELS | NO_REFERENCE),
        ({"procstatus": "61"}, BAD_STATUS),
        ({"procstatus": "56,61"}, BAD_PIXELS | BAD_STATUS),
        ({"procstatus": "56;57"}, BAD_PIXELS | NO_REFERENCE),
        ({"procstatus": "null"}, BAD_STATUS),
        ({"infobitssci": "33554431"}, 0),
        ({"infobitssci": "33554432"}, BAD_IMAGE),
        ({"infobitssci": "null"}, BAD_IMAGE),
        ({"scisigpix": "25"}, 0),
        ({"scisigpix": "25.01"}, NOISY_IMAGE),
        ({"scisigpix": "null"}, NOISY_IMAGE),
        ({"sciinpseeing": "4"}, 0),
        ({"sciinpseeing": "4.01"}, BAD_SEEING),
        ({"sciinpseeing": "null"}, BAD_SEEING),
        ({"forcediffimflux": "null"}, NO_FLUX),
        ({"forcediffimfluxunc": "null"}, NO_FLUX),
        ({"forcediffimfluxunc": "0"}, NO_FLUX),
        ({"forcediffimfluxunc": "inf"}, NO_FLUX),
        ({"zpdiff": "null"}, NO_FLUX),
        ({"forcediffimflux": "null", "procstatus": "61", "sciinpseeing": "9"}, NO_FLUX | BAD_STATUS | BAD_SEEING),
    ],
)
def test_flags(values, flag):
    assert standardise(**values)["flag"] == flag


def test_bits_are_those_that_are_documented():
    bits = (BAD_STATUS, BAD_PIXELS, BAD_IMAGE, NOISY_IMAGE, BAD_SEEING, NO_FLUX, NO_REFERENCE)
    assert bits == (1, 2, 4, 8, 16, 32, 64)


def test_no_source_in_the_reference_image_is_nothing_against_a_difference():
    assert VirtualZTFForced.bad_flag_mask == 127 & ~NO_REFERENCE


@pytest.mark.parametrize(
    ("parameters", "values"),
    [
        ({"bad_infobits": 33554433}, {"infobitssci": "33554432"}),
        ({"max_scisigpix": 30}, {"scisigpix": "25.01"}),
        ({"max_seeing_arcsec": 5}, {"sciinpseeing": "4.01"}),
    ],
)
def test_limits_of_good_images_are_parameters(parameters, values):
    assert standardise(parameters, **values)["flag"] == 0


def test_each_filter_and_readout_is_a_series():
    lines = [with_values(), with_values(qid="3"), with_values(ccdid="1", filter="ZTF_r"), with_values(field="1812")]
    found = standardise_all(*lines, with_values(filter="ZTF_i"))
    assert found["series"].tolist() == ["999-16-4", "999-16-3", "999-1-4", "1812-16-4", "999-16-4"]
    assert found["filter"].tolist() == [f"ztf_forced-{band}" for band in "ggrgi"]


def test_readouts_of_neighbouring_fields_are_never_taken_for_each_other():
    places = [(999, 16, 4), (1000, 6, 4), (998, 16, 3)]
    lines = [with_values(**dict(zip(("field", "ccdid", "qid"), map(str, place), strict=True))) for place in places]
    assert standardise_all(*lines)["series"].tolist() == ["-".join(map(str, place)) for place in places]


def test_it_is_the_telescope_of_the_public_lightcurves():
    assert VirtualZTFForced.site == VirtualZTF.site is not None


def test_another_filter_is_an_error():
    with pytest.raises(ServiceError, match="filter code 'ZTF_z' is not known"):
        standardise(filter="ZTF_z")


@pytest.mark.parametrize(
    ("parameters", "later_s"), [({}, 15), ({"time_stamp": "mid"}, 0), ({"time_stamp": "end"}, -15)]
)
def test_times_are_starts_in_utc_unless_told_otherwise(parameters, later_s):
    survey, found = VirtualZTFForced(**parameters), standardise(parameters)
    mjd, _ = standard_times([found["time"]], survey.time, exptime=found["exptime"], ra=0.0, dec=0.0, site=survey.site)
    assert (mjd[0] - Time("2019-01-17T06:00:00", scale="utc").mjd) * 86400 == pytest.approx(later_s, abs=1e-3)


def test_epochs_are_at_the_position_that_was_asked_for():
    with ZfpsServer() as server:
        survey = VirtualZTFForced(url=server.url, poll_s=0.01)
        data, altdata = survey.fetch_data_from_observatory(ROW)
    assert np.unique(data["ra"]).tolist() == [altdata["query"]["ra"]] == [0.0]
    assert np.unique(data["dec"]).tolist() == [altdata["query"]["dec"]] == [51.3937]
    assert altdata["comments"] == [line for line in synthetic_result().splitlines() if line.startswith("#")]


def test_a_moving_source_is_measured_where_it_was_in_the_middle_of_the_survey():
    query, _ = asked(ROW | {"pmra": 0.0, "pmdec": 400.0})
    assert query["dec"] == pytest.approx(51.3937 + 5 * 0.4 / 3600, abs=1e-7)


def test_right_ascensions_are_below_360():
    assert asked(ROW | {"ra": 359.99999999})[0]["ra"] == 0


def test_times_that_are_asked_for(monkeypatch):
    assert asked(ROW, mjd_max=59000.25)[0] | {"ra": 0} == {
        "ra": 0,
        "dec": 51.3937,
        "jdstart": 2458194.5,
        "jdend": 2459000.75,
    }
    monkeypatch.setattr(ztf_forced, "time", StillClock(86400 * 20000 - 1))  # a second before 2024-10-04
    query, _ = asked(ROW, mjd_min=58300)
    assert query["jdstart"] == 2458300.5
    assert query["jdend"] == Time("2024-10-03").jd


def test_sources_far_in_the_south_are_not_asked_for():
    query, requests = asked(ROW | {"dec": -31.1})
    assert query is None
    assert requests == []
    assert asked(ROW | {"dec": -31.0})[0]["dec"] == -31.0


def test_all_epochs_of_a_source_are_reduced_or_counted():
    with ZfpsServer() as server:
        survey = VirtualZTFForced(url=server.url, poll_s=0.01)
        data, altdata = survey.fetch_data_from_observatory(ROW)
    reduction = survey.reduce(ROW | {"mag": 14.0}, data, altdata, gap_days=10000)
    assert reduction.batch.n_epochs == len(data) == 75
    assert (reduction.batch.columns["flux"] < 0).sum() > 10
    assert set(reduction.batch.table["filter"]) == set(survey.filters)
    assert set(reduction.batch.table["series"]) == {"999-16-1", "999-16-2"}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"userpass": "x"}, "'userpass' is not a parameter"),
        ({"flux": "sum"}, "flux must be one of difference, total, got 'sum'"),
        ({"time_stamp": "middle"}, "time_stamp must be one of start, mid, end, got 'middle'"),
        ({"mjd_min": 58193}, "mjd_min must be between 58194 and 100000, got 58193"),
        ({"mjd_min": 59000, "mjd_max": 58500}, "mjd_max must be 0 or later than mjd_min, got 58500"),
        ({"max_ref_arcsec": 6}, "max_ref_arcsec must be between 0 and 5, got 6"),
        ({"bad_infobits": 0.5}, "bad_infobits must be of type int, got 0.5"),
        ({"poll_s": 0}, "poll_s must be between 0.01 and 600, got 0"),
        ({"url": "https://me:pw@x/y"}, "url must be an http or https address"),
    ],
)
def test_unusable_parameters(parameters, message):
    with pytest.raises(ConfigError, match=message):
        VirtualZTFForced(**parameters)
