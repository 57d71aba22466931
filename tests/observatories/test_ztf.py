from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import AltAz, EarthLocation, SkyCoord
from astropy.time import Time
from servers.irsa import GENUINE_ANSWER, IrsaServer, answer_text, make_object, synthetic_answer
from servers.tap import read_cone

from vo_lib.errors import ConfigError, ServiceError
from vo_lib.observatories import ztf
from vo_lib.observatories.ztf import VirtualZTF

ROW = {"name": "WD J0000+5123", "ra": 0.0, "dec": 51.3937, "epoch": 2021.0}
ALL_TROUBLES = ["html", "votable_error", "empty", "truncated", "missing_column", "short", "503"]
both_routes = pytest.mark.parametrize("route", ztf.ROUTES)


def fetch(row=ROW, *, text=None, more_objects=(), behaviour=(), **parameters):
    """Ask an archive of this machine; give what it answered and what it was asked."""
    with IrsaServer(text, more_objects=more_objects, behaviour=behaviour) as server:
        survey = VirtualZTF(**server.parameters | {"retry_wait_s": 0.01, "timeout_s": 60} | parameters)
        return *survey.fetch_data_from_observatory(row), server.requests


def circle(requests):
    """Right ascension, declination and radius [degrees] of the first request."""
    if "QUERY" in requests[0]:
        return list(read_cone(requests[0]["QUERY"])[2:])
    return [float(number) for number in requests[0]["POS"].split(" ")[1:]]


def join(*texts):
    """Answer with the rows of several."""
    return texts[0] + "".join(text.partition("\n")[2] for text in texts[1:])


@both_routes
def test_every_row_and_value_is_kept_as_it_was_sent(route):
    text, genuine = answer_text()
    data, altdata, _ = fetch(text=text, route=route)
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
    _, _, requests = fetch(route="position")
    assert {name: requests[0][name] for name in requests[0] if name.isupper()} == {
        "POS": "CIRCLE 0.0000000 51.3937000 0.0005556",
        "COLLECTION": "ztf_dr24",
        "FORMAT": "CSV",
    }


def test_objects_are_listed_by_tap_and_asked_for_by_number():
    _, altdata, (find, epochs) = fetch(text=synthetic_answer(objects=(("zr", 12), ("zg", 5))))
    assert (find["method"], epochs["method"]) == ("POST", "GET")
    names, table, *place = read_cone(find["QUERY"])
    assert table == "ztf_objects_dr24"
    assert set(names) == set(ztf.OBJECT_COLUMNS)
    assert place == [0.0, 51.3937, 0.0005556]
    assert {name: epochs[name] for name in epochs if name.isupper()} == {
        "ID": "999115200000001,999215200000000",
        "COLLECTION": "ztf_dr24",
        "FORMAT": "CSV",
    }
    assert altdata["tap_query"]["QUERY"] == find["QUERY"]


@pytest.mark.parametrize("ids", [1, 2, 5, 100])
@pytest.mark.parametrize("order", ["ok", "reversed"])
def test_both_routes_give_the_same_rows_in_the_same_order(ids, order):
    """The list and the rows come in any order; a column that is not declared is whole for one object alone."""
    lines = synthetic_answer().splitlines()
    values = ["2" if line.startswith("99911520000000") else "2.5" for line in lines[1:]]
    text = "\n".join(f"{line},{value}" for line, value in zip(lines, ["flux", *values], strict=True)) + "\n"
    expected, _, _ = fetch(text=text, route="position")
    found, _, requests = fetch(text=text, ids_per_request=ids, behaviour=["ok", *[order] * 5])
    assert found.dtype == expected.dtype
    assert found.tobytes() == expected.tobytes()
    assert len(requests) == 1 + -(-5 // ids)


@both_routes
def test_rows_are_sorted_by_object_time_and_exposure(route):
    _, *lines = synthetic_answer(objects=(("zi", 3), ("zg", 40))).splitlines()
    # Several exposures at one time.
    lines += [lines[-1].replace(",50000039,", f",{50000040 + number},") for number in range(6)]
    text = "\n".join([synthetic_answer().partition("\n")[0], *np.random.default_rng(1).permutation(lines)]) + "\n"
    data, _, _ = fetch(text=text, route=route)
    keys = data[["oid", "mjd", "expid"]].tolist()
    assert keys == sorted(keys)
    assert len(set(keys)) == 49


def test_requests_for_epochs_have_a_limited_number_of_objects():
    data, _, (_, *requests) = fetch(ids_per_request=2)
    assert [request["ID"].count(",") + 1 for request in requests] == [2, 2, 1]
    assert len(data) == 1852


def test_numbers_of_objects_are_never_floats():
    """Neighbours above 2**53 are different objects."""
    text = synthetic_answer(objects=(("zg", 3), ("zg", 4)))
    for number in (0, 1):
        text = text.replace(f"{999115200000000 + number},", f"{2**53 + number},")
    data, altdata, requests = fetch(text=text)
    assert requests[1]["ID"] == f"{2**53},{2**53 + 1}"
    assert data["oid"].tolist() == [2**53] * 3 + [2**53 + 1] * 4
    assert [row["oid"] for row in altdata["objects"]] == [str(2**53), str(2**53 + 1)]


def test_listed_objects_are_beside_the_data():
    text = synthetic_answer(objects=(("zr", 12),))
    n_good = sum(int(line.split(",")[6]) < 32768 for line in text.splitlines()[1:])
    private = make_object(999315200000009, 0.0, 51.3937, filtercode="zi", ngoodobs=7)
    _, altdata, _ = fetch(text=text, more_objects=[private])
    first, second = altdata["objects"]
    assert first | {"ra": None, "dec": None} == {
        "oid": "999215200000000",
        "ra": None,
        "dec": None,
        "filtercode": "zr",
        "field": 999,
        "ccdid": "15",
        "qid": "2",
        "ngoodobs": n_good,
        "ngoodobsrel": n_good,
        "n_epochs": 12,
    }
    assert (second["oid"], second["ngoodobs"], second["n_epochs"]) == ("999315200000009", 7, 0)


def test_an_object_without_epochs_in_the_release_is_no_failure():
    private = make_object(999315200000009, 0.0, 51.3937, ngoodobs=7)
    assert len(fetch(more_objects=[private])[0]) == 1852
    data, _, requests = fetch(text=synthetic_answer(objects=()), more_objects=[private])
    assert data.shape == (0,)
    assert data.dtype == VirtualZTF().dtype
    assert len(requests) == 2


def test_an_answer_without_an_object_that_has_epochs_is_not_complete():
    lost = make_object(999315200000009, 0.0, 51.3937, ngoodobs=9, ngoodobsrel=1)
    message = (
        r"nph_light_curves\?ID=999.*the answer is not complete: 1 of 6 objects have no epochs; the first is "
        r"999315200000009, of which the release has 1 good ones; run again later"
    )
    with pytest.raises(ServiceError, match=message):
        fetch(more_objects=[lost], retries=1)


@pytest.mark.parametrize("trouble", ["object_lost", "other_object"])
def test_epochs_of_other_objects_than_asked_for_are_asked_for_again(trouble):
    data, _, requests = fetch(behaviour=["ok", trouble])
    assert len(data) == 1852
    assert len(requests) == 3


def test_epochs_of_an_object_that_was_not_asked_for_are_an_error():
    with pytest.raises(ServiceError, match="epochs of object 12345, which was not asked for"):
        fetch(behaviour=["ok", *["other_object"] * 2], retries=1)


def test_parts_of_an_answer_with_different_columns_are_an_error():
    with pytest.raises(ServiceError, match="different columns; run again later"):
        fetch(behaviour=["ok", "ok", "more_columns"], ids_per_request=2)


def test_a_release_that_is_not_served_is_named_without_asking_again():
    message = (
        r"release ztf_dr18 is not served \(any more\): http://127.*/TAP/sync has no table ztf_objects_dr18; "
        "set release to a newer one"
    )
    with IrsaServer() as server, pytest.raises(ServiceError, match=message):
        VirtualZTF(**server.parameters, release="ztf_dr18").fetch_data_from_observatory(ROW)
    assert len(server.requests) == 1


@both_routes
def test_the_position_is_moved_to_the_middle_of_the_survey_and_the_circle_widened(route):
    row = ROW | {"ra": 359.9999, "dec": 60.0, "pmra": 400.0, "pmdec": -300.0, "epoch": 2000.0}
    ra, dec, radius = circle(fetch(row, route=route)[2])
    assert ra == pytest.approx((359.9999 + 8.4 / 3600 / np.cos(np.radians(60))) % 360, abs=1e-6)
    assert dec == pytest.approx(60 - 6.3 / 3600, abs=1e-6)
    assert radius == pytest.approx((2 + 3 * 0.5) / 3600, abs=1e-7)


@both_routes
@pytest.mark.parametrize("ra", [0.0, 1e-9, 359.99999999, 360.0])
def test_right_ascension_is_below_360_in_the_request(ra, route):
    assert circle(fetch(ROW | {"ra": ra}, route=route)[2])[0] == 0.0


@both_routes
@pytest.mark.parametrize("pm", [0.0, 1e6])
def test_the_circle_is_not_larger_than_the_archive_allows(pm, route):
    requests = fetch(ROW | {"pmra": pm}, radius_arcsec=600, route=route)[2]
    assert circle(requests)[2] == pytest.approx(600 / 3600, abs=1e-7)


@both_routes
def test_objects_outside_the_circle_are_not_sent(route):
    near, far = synthetic_answer(objects=(("zr", 12),)), synthetic_answer(0.1, 51.3937, objects=(("zg", 30),))
    data, _, _ = fetch(text=join(near, far), route=route)
    assert data["filtercode"].tolist() == [b"zr"] * 12


@both_routes
def test_a_source_without_data_is_an_empty_table_after_one_request(route):
    data, altdata, requests = fetch(ROW | {"dec": 10.0}, route=route)
    assert data.shape == (0,)
    assert data.dtype == VirtualZTF().dtype
    assert altdata.get("note") == {"objects": "no object in the circle", "position": None}[route]
    assert len(requests) == 1


def test_a_source_south_of_the_survey_is_empty_without_a_request():
    data, altdata, requests = fetch(ROW | {"dec": -31.1})
    assert data.shape == (0,)
    assert altdata == {"note": "not asked for: south of -31 deg"}
    assert requests == []
    assert len(fetch(ROW | {"dec": -31.0})[2]) == len(fetch(ROW | {"dec": -90.0}, min_dec_deg=-90)[2]) == 1


@pytest.mark.parametrize(
    ("mag", "faintest_mag", "n_requests"),
    [(20.51, 20.5, 0), (20.5, 20.5, 2), (None, 20.5, 2), (20.51, None, 2), (99.0, None, 2), (20.51, 21, 2)],
)
def test_a_source_that_is_too_faint_is_empty_without_a_request(mag, faintest_mag, n_requests):
    data, altdata, requests = fetch(ROW | {"mag": mag}, faintest_mag=faintest_mag)
    assert len(requests) == n_requests
    assert len(data) == (1852 if n_requests else 0)
    assert altdata.get("note") == (None if n_requests else "not asked for: fainter than 20.5 mag")


# The first request, the second, and that of the other route.
STAGES = [("objects", [], "TAP/sync"), ("objects", ["ok"], r"ZTF/nph_light_curves\?ID=999")]
STAGES.append(("position", [], r"ZTF/nph_light_curves\?POS=CIRCLE"))


@pytest.mark.parametrize(("route", "good", "service"), STAGES)
@pytest.mark.parametrize("trouble", ALL_TROUBLES)
def test_a_bad_answer_is_an_error_and_never_no_data(trouble, route, good, service):
    with pytest.raises(ServiceError, match=rf"http://127\.0\.0\.1:\d+/(cgi-bin/)?{service}"):
        fetch(behaviour=[*good, *[trouble] * 10], retries=1, route=route)


@pytest.mark.parametrize(("route", "good", "service"), STAGES)
@pytest.mark.parametrize("trouble", ALL_TROUBLES)
def test_a_bad_answer_that_is_good_the_second_time_is_none(trouble, route, good, service):
    data, _, requests = fetch(behaviour=[*good, trouble], route=route)
    assert len(data) == 1852
    assert len(requests) == {"objects": 3, "position": 2}[route]


def test_a_slow_archive_is_asked_again_after_the_time_limit():
    data, _, requests = fetch(behaviour=["ok", "slow"], timeout_s=1, retries=20)
    assert len(data) == 1852
    assert len(requests) >= 3


def test_a_column_that_the_survey_adds_is_kept():
    text = synthetic_answer(objects=(("zg", 5),))
    assert fetch(text=text, behaviour=["ok", "more_columns"])[0]["flux"].tolist() == [1.5] * 5


def test_standard_columns():
    data, altdata, _ = fetch(text=synthetic_answer(objects=(("zi", 4), ("zg", 2))))
    data["ccdid"][:] = b"15"
    standard = VirtualZTF().standardise(data, altdata)
    assert standard["filter"].tolist() == ["ztf-g"] * 2 + ["ztf-i"] * 4
    assert standard["series"].tolist() == [999115200000001] * 2 + [999315200000000] * 4
    assert set(standard["readout"].tolist()) == {"999-15-2"}
    data["ccdid"][:] = b"0xf"
    assert set(VirtualZTF().standardise(data, altdata)["readout"].tolist()) == {"999-15-2"}
    data["ccdid"][:] = b"0x?"
    assert set(VirtualZTF().standardise(data, altdata)["readout"].tolist()) == {"999-0x?-2"}
    for name, column in {"time": "mjd", "mag": "mag", "magerr": "magerr", "ra": "ra", "flag": "catflags"}.items():
        assert np.array_equal(standard[name], data[column])


def test_each_epoch_has_the_readout_of_its_object_in_any_order():
    data, _, _ = fetch(text=synthetic_answer(objects=(("zi", 4), ("zg", 2), ("zr", 3))))
    place = {999115200000001: (1, b"0xf", b"0x2"), 999215200000002: (2, b"01", b"3"), 999315200000000: (3, b"10", b"0")}
    for oid, values in place.items():
        for name, value in zip(("field", "ccdid", "qid"), values, strict=True):
            data[name][data["oid"] == oid] = value
    data = data[np.random.default_rng(1).permutation(9)]
    readout = {999115200000001: "1-15-2", 999215200000002: "2-1-3", 999315200000000: "3-10-0"}
    assert VirtualZTF().standardise(data, {})["readout"].tolist() == [readout[oid] for oid in data["oid"].tolist()]


def test_epochs_without_a_heliocentric_time_are_as_good_as_others():
    data, _, _ = fetch()
    assert np.isnan(data["hjd"]).sum() == 1
    assert np.isfinite(VirtualZTF().standardise(data, {})["time"]).all()


@pytest.mark.parametrize("drop_bad", [False, True])
def test_epochs_that_must_not_be_used_are_kept_and_marked_unless_dropped(drop_bad):
    """Of the bits of ``catflags`` 32768 alone is bad."""
    data, altdata, _ = fetch()
    n_bad = int((data["catflags"] >= 32768).sum())
    reduction = VirtualZTF().reduce(ROW, data, altdata, drop_bad=drop_bad)
    assert 100 < n_bad < 300
    assert reduction.batch.n_epochs == 1852 - drop_bad * n_bad
    assert reduction.batch.table["n_good"].sum() == 1852 - n_bad
    assert reduction.left_out["n_epochs"].sum() == drop_bad * n_bad
    assert set(reduction.left_out["reason"]) == ({"bad_flag"} if drop_bad else set())


def test_neighbours_of_another_magnitude_are_left_out_and_counted():
    """Objects of 20.2 mag beside the source, whose magnitude in the catalog is another."""
    data, altdata, _ = fetch()
    kept, bright, faint = (
        VirtualZTF().reduce(ROW | {"mag": mag}, data, altdata, mag_range=(1, 0.5)) for mag in (21.0, 21.5, 19.5)
    )
    assert kept.batch.n_epochs == 1852
    for reduction, reason in ((bright, "bright"), (faint, "faint")):
        assert reduction.batch.n_lightcurves == 0
        assert set(reduction.left_out["reason"]) == {reason}
        assert sorted(reduction.left_out["n_epochs"].tolist()) == [19, 344, 433, 525, 531]


def test_the_times_are_starts_of_exposures():
    """The heliocentric times of the genuine answer agree with its ``mjd`` read as the class says."""
    if not GENUINE_ANSWER.exists():
        pytest.skip("the genuine survey answers are not beside the project")
    survey = VirtualZTF()
    data, _, _ = fetch(text=GENUINE_ANSWER.read_text())
    assert (survey.time.scale, survey.time.reference, survey.time.stamp) == ("utc", "observatory", "start")
    site = EarthLocation.from_geodetic(*survey.site[:2], survey.site[2] * u.m)
    middle = Time(data["mjd"] + data["exptime"] / 172800, format="mjd", scale="utc", location=site)
    hjd = middle + middle.light_travel_time(SkyCoord(0.0, 51.3937, unit="deg"), "heliocentric")
    assert np.allclose((data["hjd"] - hjd.utc.jd) * 86400, 0, atol=0.2)


def test_the_site_is_where_the_air_mass_of_the_genuine_answer_was():
    """It is that of the middle of a field of 6.86 degrees."""
    if not GENUINE_ANSWER.exists():
        pytest.skip("the genuine survey answers are not beside the project")
    data, survey = fetch(text=GENUINE_ANSWER.read_text())[0][::10], VirtualZTF()
    site = EarthLocation.from_geodetic(*survey.site[:2], survey.site[2] * u.m)
    time = Time(data["mjd"], format="mjd", scale="utc")
    star = SkyCoord(0.0, 51.3937, unit="deg").transform_to(AltAz(obstime=time, location=site))
    middle = np.degrees(np.arcsin(1 / data["airmass"]))
    np.testing.assert_allclose(star.alt.deg, middle, rtol=0, atol=6.86 / np.sqrt(2))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"radius": 2}, "'radius' is not a parameter; did you mean 'radius_arcsec'?"),
        ({"limiting_magnitude": 20.5}, "'limiting_magnitude' is not a parameter"),
        ({"radius_arcsec": 0}, "radius_arcsec must be between 0.1 and 600, got 0"),
        ({"release": "ztf"}, "release must be a public one such as ztf_dr24, got 'ztf'"),
        ({"route": "fast"}, "route must be one of objects, position, got 'fast'"),
        ({"ids_per_request": 0}, "ids_per_request must be between 1 and 300, got 0"),
        ({"faintest_mag": "20"}, "faintest_mag must be of type float, got '20'"),
        ({"faintest_mag": 99}, "faintest_mag must be between 0 and 30, got 99"),
        ({"tap_url": "https://me:hunter2@x/y"}, "without a user, password or query"),
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
    assert read_cone(requests[0]["QUERY"])[1] == "ztf_objects_dr23"
    assert requests[1]["COLLECTION"] == altdata["query"]["COLLECTION"] == "ztf_dr23"


def test_threads_share_a_survey():
    rows = [ROW | {"ra": ra} for ra in (0.0, 90.0)] * 10
    with IrsaServer() as server, ThreadPoolExecutor(4) as pool:
        survey = VirtualZTF(**server.parameters)
        sizes = [len(data) for data, _ in pool.map(survey.fetch_data_from_observatory, rows)]
    assert sizes == [1852, 0] * 10
