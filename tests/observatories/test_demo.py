from collections import Counter

import numpy as np
import pytest

from vo_lib.bins import Bins
from vo_lib.catalog import read_catalog
from vo_lib.downloads.manifest import catalog_rows
from vo_lib.errors import ServiceError
from vo_lib.observatories.cat_row import position_at
from vo_lib.observatories.demo import VirtualDemo
from vo_lib.observatories.demo_sky import FIRST_NIGHT, LAST_NIGHT
from vo_lib.provenance import PACKAGE_ROOT

STAR = {"name": "a star", "ra": 200.0, "dec": 10.0, "mag": 16.0}
FLARE = {"name": "J100213-580649", "ra": 150.55, "dec": -58.1, "mag": 16.7}


@pytest.fixture(scope="module")
def catalog():
    return catalog_rows(read_catalog(PACKAGE_ROOT / "catalogs" / "demo.csv"))


@pytest.fixture(scope="module")
def crowd():
    """400 stars of all magnitudes around the sky, with their epochs and events."""
    rng, survey = np.random.default_rng(3), VirtualDemo()
    names = [f"star {number}" for number in range(400)]
    rows = [
        {"name": name, "ra": rng.uniform(0, 360), "dec": rng.uniform(-90, 90), "mag": rng.uniform(14, 20)}
        for name in names
    ]
    return [(row, fetch(row, survey=survey), survey.truth(row)) for row in rows]


def fetch(row, *, survey=None, **parameters):
    return (survey or VirtualDemo(**parameters)).fetch_data_from_observatory(row)[0]


def excess(data):
    """Deviation from the median of the object in units of the error, as flux."""
    flux = 10 ** (0.4 * (23.9 - data["mag"]))
    error = flux * data["magerr"] * np.log(10) / 2.5
    good, result = data["flags"] == 0, np.zeros(len(data))
    for objid in np.unique(data["objid"]):
        same = data["objid"] == objid
        result[same] = (flux[same] - np.median(flux[same & good])) / error[same]
    return result


def mid_mjd(data):
    return data["jd_start"] - 2400000.5 + 15 / 86400


def offset_arcsec(row, data):
    ra, dec = position_at(row, 2000 + (mid_mjd(data) - 51544.5) / 365.25)
    east = (data["ra"] - ra + 180) % 360 - 180
    return np.hypot(east * np.cos(np.radians(dec)), data["dec"] - dec) * 3600


def test_the_same_source_has_the_same_epochs_whoever_asks_and_when():
    survey = VirtualDemo()
    first = fetch(STAR, survey=survey)
    fetch(FLARE, survey=survey)
    assert fetch(STAR, survey=survey).tobytes() == fetch(STAR).tobytes() == first.tobytes()
    assert fetch(STAR | {"name": "another"}).tobytes() != first.tobytes()
    assert fetch(STAR, seed=1).tobytes() != first.tobytes()


def test_epochs_are_ordered_by_object_and_time_with_identifiers_that_no_float_holds(crowd):
    for _, data, _ in crowd[:20]:
        assert np.array_equal(np.lexsort((data["jd_start"], data["objid"])), np.arange(len(data)))
        assert (data["objid"] > 2**53).all()
    objects = [set(data["objid"].tolist()) for _, data, _ in crowd]
    assert sum(map(len, objects)) == len(set().union(*objects))


@pytest.mark.parametrize("epochs", [1, 20, 100, 700])
def test_the_number_of_epochs_is_about_that_asked_for(epochs):
    data = fetch(STAR, epochs_per_filter=epochs)
    counts = np.unique(data["filtercode"], return_counts=True)[1]
    assert len(counts) == 3
    assert (np.abs(counts - epochs) <= 0.15 * epochs + 1).all()


def test_epochs_are_in_seven_months_of_each_year_at_night(crowd):
    for row, data, _ in crowd[:50]:
        mjd = mid_mjd(data)
        sun = 280.46 + 0.98565 * (mjd - 51544.5)
        assert (np.abs((sun - row["ra"] + 180) % 360 - 180) > 74).all()
        assert ((mjd > FIRST_NIGHT) & (mjd < LAST_NIGHT)).all()
        assert (np.abs(mjd % 1 - 0.217) < 0.12).all()
    pauses = [np.diff(np.sort(mid_mjd(data))) for _, data, _ in crowd if len(data) > 250]
    assert all(((pause > 100) & (pause < 200)).sum() in (2, 3) for pause in pauses)


def test_weather_gaps_are_the_same_for_all_sources(crowd):
    """30 % of the nights had no observation of any source."""
    nights = set(np.concatenate([np.floor(mid_mjd(data)) for _, data, _ in crowd]))
    assert 0.68 < len(nights) / (LAST_NIGHT - FIRST_NIGHT) < 0.71


def test_noise_is_what_the_errors_say_and_quiet_stars_are_quiet(crowd):
    """Of bright stars, so that the detection limit cuts nothing off; 6e-7 of the epochs are beyond 5 sigma."""
    scores = np.concatenate(
        [excess(data)[data["flags"] == 0] for row, data, events in crowd if not events and row["mag"] < 19]
    )
    assert len(scores) > 80_000
    assert np.std(scores) == pytest.approx(1, abs=0.03)
    assert (np.abs(scores) > 5).sum() <= 1


def test_errors_grow_with_magnitude_and_nothing_is_fainter_than_the_limit(crowd):
    for low, high, least, greatest in ((14, 15, 0.009, 0.013), (17, 17.5, 0.01, 0.025), (19.5, 20, 0.07, 0.15)):
        errors = [np.median(data["magerr"]) for row, data, _ in crowd if low < row["mag"] < high]
        assert least < np.median(errors) < greatest
    assert max(data["mag"].max() for _, data, _ in crowd) < 21.8
    assert max(data["magerr"].max() for _, data, _ in crowd) < 0.2172


def test_sources_at_and_beyond_the_limit():
    found = {
        mag: np.mean([len(fetch(STAR | {"name": f"x{i}", "mag": mag})) for i in range(20)])
        for mag in (20.0, 20.8, 22.0)
    }
    assert found[20.0] > 270
    assert 60 < found[20.8] < 220
    assert found[22.0] < 5


def test_some_epochs_are_flagged_and_these_scatter_more(crowd):
    flags = np.concatenate([data["flags"] for _, data, _ in crowd])
    assert set(np.unique(flags)) <= {0, 1, 2, 3}
    assert 0.01 < np.mean(flags > 0) < 0.03
    scores = np.concatenate([np.abs(excess(data)[data["flags"] > 0]) for row, data, _ in crowd if row["mag"] < 18])
    assert np.median(scores) > 5


def test_positions_scatter_by_the_seeing_and_few_are_far_off(crowd):
    offsets = np.concatenate([offset_arcsec(row, data) for row, data, _ in crowd if abs(row["dec"]) < 80])
    seeing = np.concatenate([data["seeing"] for row, data, _ in crowd if abs(row["dec"]) < 80])
    assert 0.05 < np.median(offsets) < 0.1
    assert 0.004 < np.mean(offsets > 0.9) < 0.012
    assert offsets.max() < 3
    assert np.median(seeing[offsets > 0.9]) > 1.5 * np.median(seeing)


@pytest.mark.parametrize(("ra", "dec"), [(0.0, 0.0), (359.9999, -12.0), (83.9, 89.9), (266.0, -89.9), (10.0, 90.0)])
def test_positions_at_the_edges_of_the_sky(ra, dec):
    data = fetch(STAR | {"ra": ra, "dec": dec, "pmra": 4000.0, "pmdec": 3000.0})
    assert len(data) > 250
    assert ((data["ra"] >= 0) & (data["ra"] < 360)).all()
    row = STAR | {"ra": ra, "dec": dec, "pmra": 4000.0, "pmdec": 3000.0}
    assert np.median(offset_arcsec(row, data)) < 0.2


def test_some_sources_are_in_two_fields(crowd):
    numbers = Counter(len(np.unique(data["objid"])) for _, data, _ in crowd)
    assert set(numbers) == {3, 6}
    assert 0.2 < numbers[6] / len(crowd) < 0.4


def test_a_source_without_a_magnitude_has_one(crowd):
    assert 14.5 < np.median(fetch(STAR | {"mag": None})["mag"]) < 20


def test_the_hole_has_no_data_and_its_edge_has():
    row = {"name": "x", "mag": 16.0, "ra": 123.5, "dec": 20.0}
    data, altdata = VirtualDemo().fetch_data_from_observatory(row)
    assert data.shape == (0,)
    assert data.dtype == VirtualDemo().dtype
    assert altdata == {"simulated": True, "note": "the survey has no data there"}
    assert len(fetch(row | {"dec": 20.49})) == len(fetch(row | {"ra": 123.5 + 0.53, "dec": 20.0})) == 0
    assert len(fetch(row | {"dec": 20.51})) > 250
    assert len(fetch(row | {"ra": 123.5 + 0.54})) > 250
    assert len(fetch(row, hole_radius_deg=0)) > 250
    assert len(fetch(STAR | {"ra": 359.9}, hole_ra_deg=0.1, hole_dec_deg=10)) == 0


def test_chance_failures_and_empty_sources():
    survey = VirtualDemo(fail_fraction=0.3, empty_fraction=0.2, epochs_per_filter=1)
    outcomes = Counter()
    for number in range(300):
        try:
            outcomes["empty" if len(fetch(STAR | {"name": f"n{number}"}, survey=survey)) == 0 else "ok"] += 1
        except ServiceError:
            outcomes["failed"] += 1
    assert 65 < outcomes["failed"] < 115
    assert 20 < outcomes["empty"] < 65
    with pytest.raises(ServiceError, match="the simulated archive failed for 'a star', as fail_fraction asks"):
        fetch(STAR, fail_fraction=1)
    assert len(fetch(STAR, empty_fraction=1)) == 0


def test_answers_take_their_time(monkeypatch):
    pauses = []
    monkeypatch.setattr("vo_lib.observatories.demo.clock.sleep", pauses.append)
    fetch(STAR, latency_s=1.5)
    assert pauses == [1.5]


def test_about_nine_percent_of_the_sources_have_events(crowd):
    kinds = Counter(events[0]["kind"] for _, _, events in crowd if events)
    assert set(kinds) == {"flare", "eclipse", "pulsation"}
    assert 0.05 < sum(kinds.values()) / len(crowd) < 0.13


def test_flares_and_eclipses_stand_out_at_an_epoch_without_a_flag(crowd):
    for row, data, events in crowd:
        scores, mjd = excess(data), mid_mjd(data)
        for event in events:
            if event["kind"] == "pulsation":
                continue
            peak = np.argmin(np.abs(mjd - event["peak_mjd"]))
            assert abs(mjd[peak] - event["peak_mjd"]) < 1e-4, row
            assert data["flags"][peak] == 0
            assert scores[peak] * (1 if event["kind"] == "flare" else -1) > 9, (row, event)
            assert np.sign(event["amplitude_mag"]) == (-1 if event["kind"] == "flare" else 1)
            assert event["n_visible_epochs"] >= 1
            assert event["filter"] in VirtualDemo.filters


def test_a_flare_is_as_bright_as_the_truth_says():
    for event in VirtualDemo().truth(FLARE):
        data = fetch(FLARE)
        same = (data["filtercode"] == event["filter"][-1:].encode()) & (data["flags"] == 0)
        peak = np.argmin(np.abs(mid_mjd(data) - event["peak_mjd"]))
        assert event["kind"] == "flare"
        assert data["mag"][peak] - np.median(data["mag"][same]) == pytest.approx(event["amplitude_mag"], abs=0.15)


def test_asking_for_the_truth_changes_nothing(crowd):
    survey = VirtualDemo()
    before = fetch(FLARE, survey=survey).tobytes()
    assert survey.truth(FLARE) == survey.truth(FLARE) != []
    assert fetch(FLARE, survey=survey).tobytes() == before
    assert VirtualDemo().truth(FLARE | {"ra": 123.5, "dec": 20.0}) == []


def test_the_catalog_of_the_demo_has_what_can_go_wrong(catalog):
    survey = VirtualDemo()
    sizes = {row["name"]: len(fetch(row, survey=survey)) for row in catalog}
    bins = Counter(Bins().index([row["ra"] for row in catalog]).tolist())
    assert len(catalog) == 100
    assert len(bins) == 10
    assert {row["ra"] for row in catalog} >= {0.0, 359.9999}
    assert min(row["dec"] for row in catalog) == -89.9
    assert max(row["dec"] for row in catalog) == 89.9
    assert sizes["South pole 1"] > 250
    assert sum(size == 0 for size in sizes.values()) == 1
    assert max(np.hypot(row["pmra"] or 0, row["pmdec"] or 0) for row in catalog) > 4900
    assert any(row["mag"] == 22 and sizes[row["name"]] < 10 for row in catalog)
    assert any(" " in row["name"] and "+" in row["name"] for row in catalog)
    for name in ("mag", "pmra", "parallax"):
        assert any(row[name] is None for row in catalog)


def test_the_catalog_of_the_demo_has_events(catalog):
    kinds = [VirtualDemo().truth(row) for row in catalog]
    assert Counter(events[0]["kind"] for events in kinds if events) == {"flare": 6, "eclipse": 2, "pulsation": 1}
