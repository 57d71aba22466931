"""The long tables beside a report."""

import json

import numpy as np
import pytest
from make_project import NASTY, make_project, params

from vo_lib.pages.report_tables import detection_tables, make_tables
from vo_lib.results import read_results


@pytest.fixture
def results(tmp_path):
    make_project(tmp_path)
    return read_results(tmp_path / "DEMO", params()["bins"], ["DEMO"])


def tables_of(results, **options):
    text = make_tables(results, **{"project": "DEMO", "max_pages": 200} | options)
    return json.loads(text.removeprefix("window.voReport=").removesuffix(";\n"))


def column(table, name):
    """Cells of a column."""
    found = next(one for one in table["columns"] if one["name"] == name)
    return [found["words"][code] for code in found["codes"]] if "words" in found else found["values"]


def test_rows_are_those_of_the_tables_in_their_order(results):
    found = tables_of(results)["tables"]
    assert found["detections"]["rows"] == 2
    assert column(found["detections"], "source") == [NASTY, "flare"]
    assert column(found["detections"], "interest") == ["interesting", "interesting"]
    np.testing.assert_allclose(column(found["detections"], "snr"), results.detections["snr"], atol=0.051)
    assert column(found["sources"], "source") == results.properties["source"].tolist()
    assert column(found["sources"], "n_detections") == results.properties["n_detections"].tolist()


def test_texts_are_in_order_so_that_places_sort_like_them(results):
    for table in tables_of(results)["tables"].values():
        for one in table["columns"]:
            assert one.get("words", []) == sorted(one.get("words", []))


def test_sources_with_pages_lead_to_them(results):
    pages = tables_of(results, max_pages=1)["pages"]
    assert list(pages) == [NASTY]
    assert pages[NASTY].startswith("pages/RA010/%253Cscript") or "%3C" in pages[NASTY]


def test_marks_have_a_key_for_each_detection(results):
    keys = tables_of(results)["tables"]["detections"]["keys"]
    assert len(set(keys)) == 2
    assert all(key.startswith("DEMO demo-g ") for key in keys)


def test_without_detections_the_tables_are_empty(tmp_path):
    make_project(tmp_path, flares=False)
    found = tables_of(read_results(tmp_path / "DEMO", params()["bins"], ["DEMO"]))
    assert found["pages"] == {}
    assert found["tables"]["detections"]["rows"] == 0
    assert [found["tables"]["detections"]["columns"][place]["name"] for place in (0, 1)] == ["source", "interest"]
    assert found["tables"]["sources"]["rows"] == 6


def test_a_hundred_thousand_detections_take_less_than_20_mb():
    number = 100_000
    names = np.array([f"J{place:06d}" for place in range(number // 4)])
    detections = {
        name: np.tile([value], number) for name, value in (("obs", "ZTF"), ("filter", "ztf-r"), ("series", "7"))
    }
    detections |= {"source": np.tile(names, 4), "sign": np.ones(number), "method": np.full(number, "peak")}
    values = np.random.default_rng(1).normal(10, 1, number)
    detections |= dict.fromkeys(("snr", "score", "duration", "peak_mag", "dmag"), values) | {"peak_mjd": 58000 + values}
    detections["n_epochs"] = np.ones(number, int)
    properties = {"source": names, "interest": np.full(len(names), "boring"), "n_epochs": np.ones(len(names), int)}
    assert len(json.dumps(detection_tables(detections, properties))) < 20e6
