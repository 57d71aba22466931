"""Detections in several filters and surveys become events."""

import numpy as np
import pytest

from vo_lib.search.events import EVENT_COLUMNS, best_first, merge_detections


def _detections(*rows):
    """Table of (source, filter, sign, start, end, score)."""
    names = ("source", "filter", "sign", "start_mjd", "end_mjd", "score")
    kinds = (str, str, np.int64, float, float, float)
    cells = list(zip(*rows, strict=True)) if rows else [()] * 6
    table = {name: np.array(cell, kind) for name, cell, kind in zip(names, cells, kinds, strict=True)}
    filters = table["filter"].tolist()
    return table | {
        "obs": np.array([name.partition("-")[0].upper() for name in filters], dtype=str),
        "lightcurve": np.array([f"{s}_{f}" for s, f in zip(table["source"].tolist(), filters, strict=True)], dtype=str),
        "number": np.ones(len(filters), np.int64),
        "snr": table["sign"] * table["score"],
        "peak_mjd": (table["start_mjd"] + table["end_mjd"]) / 2,
    }


def test_a_flare_in_two_filters_and_a_second_survey_is_one_event():
    found = _detections(
        ("a", "ztf-g", 1, 10.0, 10.2, 6.0), ("a", "ztf-r", 1, 10.3, 10.4, 8.0), ("a", "tess-t", 1, 9.0, 12.0, 5.0)
    )
    event, events = merge_detections(found)
    assert event.tolist() == [1, 1, 1]
    row = {name: values[0] for name, values in events.items()}
    assert list(row) == list(EVENT_COLUMNS)
    assert (row["surveys"], row["filters"], row["n_detections"]) == ("TESS ZTF", "tess-t ztf-g ztf-r", 3)
    assert (row["start_mjd"], row["end_mjd"], row["obs"], row["score"]) == (9.0, 12.0, "ZTF", 8.0)
    assert row["snr"] == pytest.approx(np.sqrt(36 + 64 + 25))


def test_other_times_signs_and_sources_are_other_events():
    found = _detections(
        ("b", "ztf-g", 1, 30.0, 30.0, 6.0),
        ("b", "ztf-g", 1, 10.0, 10.0, 6.0),
        ("b", "ztf-r", -1, 10.0, 10.0, 6.0),
        ("a", "ztf-g", 1, 10.0, 10.0, 6.0),
    )
    event, events = merge_detections(found)
    assert event.tolist()[0] == 3
    assert sorted(event.tolist()[1:3]) == [1, 2]
    assert events["source"].tolist() == ["b", "b", "b", "a"]
    assert events["event"].tolist() == [1, 2, 3, 1]


@pytest.mark.parametrize(("gap", "number"), [(0.0, 3), (0.99, 3), (1.0, 1)])
def test_the_gap_says_what_still_meets(gap, number):
    found = _detections(*(("a", f"ztf-{band}", 1, t, t, 5.0) for band, t in (("g", 10.0), ("r", 11.0), ("i", 12.0))))
    assert len(merge_detections(found, gap_days=gap)[1]["event"]) == number


def test_a_long_event_holds_short_ones_together():
    found = _detections(
        ("a", "x-g", 1, 0.0, 50.0, 5.0), ("a", "x-r", 1, 1.0, 2.0, 5.0), ("a", "x-r", 1, 45.0, 46.0, 5.0)
    )
    assert merge_detections(found)[0].tolist() == [1, 1, 1]


def test_detections_of_one_lightcurve_are_events_of_their_own():
    found = _detections(
        *(("a", "tess-t", 1, t, t + 0.1, 5.0) for t in (1.0, 1.5, 2.0)), ("a", "ztf-g", 1, 1.6, 1.6, 5.0)
    )
    assert merge_detections(found, gap_days=0.2)[0].tolist() == [1, 2, 3, 2]


def test_every_detection_is_in_one_event_whatever_the_order():
    random = np.random.default_rng(3)
    start = random.uniform(0, 300, 400)
    rows = [
        (f"s{random.integers(9)}", f"x-{random.choice(list('gri'))}", int(random.choice([-1, 1])), t, t + 0.3, 5.0)
        for t in start
    ]
    event, events = merge_detections(_detections(*rows))
    assert events["n_detections"].sum() == 400
    shuffled = random.permutation(400)
    again, same = merge_detections(_detections(*(rows[i] for i in shuffled)))
    np.testing.assert_array_equal(again, event[shuffled])
    assert sorted(zip(same["source"], same["event"], same["start_mjd"], strict=True)) == sorted(
        zip(events["source"], events["event"], events["start_mjd"], strict=True)
    )


def test_nothing_found_is_no_event():
    event, events = merge_detections(_detections())
    assert len(event) == 0
    assert {name: len(values) for name, values in events.items()} == dict.fromkeys(EVENT_COLUMNS, 0)


def test_a_negative_gap_is_refused():
    with pytest.raises(ValueError, match="event_gap_days must not be negative, got -1"):
        merge_detections(_detections(), gap_days=-1)


def test_the_best_are_first_and_equal_ones_by_source_and_time():
    table = {
        "source": np.array(["b", "a", "a", "c"]),
        "score": np.array([7.0, 7.0, 7.0, 9.0]),
        "peak_mjd": np.array([1.0, 5.0, 4.0, 2.0]),
    }
    assert best_first(table)["peak_mjd"].tolist() == [2.0, 4.0, 5.0, 1.0]
    assert best_first({}) == {}
