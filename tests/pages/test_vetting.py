"""Pages of sources: which there are, in which order, and what they show."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from make_pages import OPTIONS, RANGES, make_pages, make_source_products
from make_project import BINS, N_EPOCHS, N_RAW, NASTY, damage
from test_report import Reader

from vo_lib.errors import DamagedProductError, UserError
from vo_lib.pages.page import read_static
from vo_lib.pages.source_products import read_sources
from vo_lib.pages.vetting import neighbours, rank_sources, read_ranking, write_pages
from vo_lib.pages.vetting_controls import KEYS
from vo_lib.pages.vetting_data import LIGHT_STEPS, _digits, detection_key, page_data, periodogram
from vo_lib.pages.vetting_page import make_vetting_page
from vo_lib.paths import page_file, reduced_file
from vo_lib.periods.periodogram import get_periodogram_stats
from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.verdicts import parse_detection


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    with pytest.MonkeyPatch.context() as patch:
        shown = make_pages(patch, folder)
    return folder, shown


def text_of(built, name, bin_name):
    return (built[0] / page_file("DEMO", bin_name, name)).read_text(encoding="utf-8")


def data_of(text):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text)[1])


def source_of(built, name, bin_name):
    return read_sources(built[0] / "DEMO", bin_name, ["DEMO"], [name])[0]


def table(**columns):
    return {name: np.array(values) for name, values in columns.items()}


def test_sources_are_ranked_by_their_best_detection_and_then_by_interest():
    properties = table(
        source=["a", "b", "c", "d", "e"], interest=["interesting", "boring", "interesting", "null", "boring"]
    )
    detections = table(source=["b", "e", "b", "d"], score=[5.0, 9.0, 7.0, 7.0])
    assert rank_sources(properties, detections) == ["e", "b", "d", "a", "c"]
    assert rank_sources(properties, table(source=np.zeros(0, "U1"), score=np.zeros(0))) == ["a", "c"]


def test_pages_lead_to_those_before_and_after():
    links = neighbours(["a b", "c"], {"a b": "RA001", "c": "RA002"})
    assert links == {
        "a b": {"before": None, "after": ("c", "../RA002/c.html")},
        "c": {"before": ("a b", "../RA001/a%20b.html"), "after": None},
    }
    assert neighbours([], {}) == {}


def test_sources_with_detections_have_pages_best_first(built):
    folder, shown = built
    assert shown == [NASTY, "flare"]
    pages = {path.relative_to(folder / "DEMO/pages").as_posix() for path in folder.glob("DEMO/pages/*/*.html")}
    assert pages == {page_file("DEMO", "RA010", NASTY).removeprefix("DEMO/pages/"), "RA200/flare.html"}
    links = re.findall(r'href="(RA[^"]*)"', (folder / "DEMO/pages/index.html").read_text())
    assert len(links) == 2


def test_pages_of_another_configuration_are_removed(tmp_path, monkeypatch):
    make_pages(monkeypatch, tmp_path)
    assert write_pages("DEMO", *read_ranking("DEMO", BINS), **OPTIONS | {"max_pages": 1}) == [NASTY]
    assert len(list(tmp_path.glob("DEMO/pages/*/*.html"))) == 1
    assert not (tmp_path / "DEMO/pages/RA200").exists()


def test_names_from_catalogs_are_escaped_in_html_and_in_data(built):
    text = text_of(built, NASTY, "RA010")
    reader = Reader(text)
    assert NASTY in "".join(reader.texts)
    assert "<script>alert" not in text
    assert data_of(text)["source"] == NASTY


def test_a_page_loads_nothing_and_runs_its_own_programs_alone(built):
    text = text_of(built, "flare", "RA200")
    reader = Reader(text)
    assert not reader.values("src")
    rule = next(value for value in reader.values("content") if value.startswith("default-src"))
    assert rule.startswith("default-src 'none'")
    assert rule.count("'sha256-") == 4
    script = next(part for part in rule.split("; ") if part.startswith("script-src"))
    assert "unsafe" not in script
    outward = [value for value in reader.values("href") if "://" in value]
    assert len(outward) == 6
    assert all(value.startswith("https://") for value in outward)


def test_a_page_counts_in_words(built):
    assert f"{N_EPOCHS} epochs, 1 detection;" in text_of(built, "flare", "RA200")


def test_the_page_has_all_epochs_with_their_flags(built):
    data = data_of(text_of(built, "flare", "RA200"))
    (lightcurve,) = data["lightcurves"]
    columns = source_of(built, "flare", "RA200").lightcurves[0].columns
    assert len(lightcurve["mjd"]) == N_EPOCHS
    np.testing.assert_allclose(lightcurve["mjd"], columns["mjd"], rtol=0, atol=1e-7)
    np.testing.assert_allclose(lightcurve["flux"], columns["flux"], rtol=1e-6)
    flagged = data_of(text_of_made(built, "flagged", "RA200"))["lightcurves"][0]["qflag"]
    assert np.flatnonzero(flagged).tolist() == [20]


def test_epochs_that_are_in_no_lightcurve_are_told(built):
    kept, failed = source_of(built, "calm", "RA010"), source_of(built, "lost", "RA200")
    assert [source.downloads[0]["left_out"] for source in (kept, failed)] == [{"other object": N_RAW - N_EPOCHS}, {}]
    assert "10 other object" in text_of(built, "flare", "RA200")
    none_left = replace(kept, lightcurves=[])
    assert "All epochs of this source were left out" in make_vetting_page(none_left, project="DEMO")
    assert "No survey of the project has epochs" in make_vetting_page(failed, project="DEMO")


def text_of_made(built, name, bin_name):
    """A page that is not among the written ones."""
    return make_vetting_page(source_of(built, name, bin_name), project="DEMO")


def test_the_page_has_the_real_detections_and_what_names_them(built):
    (found,) = data_of(text_of(built, "flare", "RA200"))["detections"]
    assert (found["first_epoch"], found["sign"], found["lightcurve"]) == (150, -1, 0)
    assert parse_detection(found["key"]) == {
        "obs": "DEMO",
        "filter": "demo-g",
        "series": source_of(built, "flare", "RA200").detections["series"][0].item(),
        "peak_mjd": round(found["peak_mjd"], 5),
    }
    rows = Reader(text_of(built, "flare", "RA200")).rows
    assert next(row for row in rows if row[:4] == ["1", "DEMO", "demo-g", "fainter"])


def test_a_source_without_epochs_has_a_page_that_says_so(built):
    text = text_of_made(built, "lost", "RA200")
    assert "No survey of the project has epochs of this source." in text
    assert ["DEMO", "failed", "0", "–", "HTTP 503"] in Reader(text).rows
    assert data_of(text)["lightcurves"] == []


def test_a_page_says_from_which_products_it_is(built):
    text = text_of(built, "flare", "RA200")
    assert ["DEMO/RA200_analysis.h5", "analyze", "made RA200_analysis", "0123"] in Reader(text).rows
    assert "DEMO/DEMO_photometry_RA200_reduced.h5" in text


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [(1234.5678, 7, 1234.568), (-0.00012345678, 4, -0.0001235), (0.0, 4, 0.0), (9.99999e8, 4, 1e9), (1e-12, 3, 1e-12)],
)
def test_numbers_are_written_with_the_digits_that_they_need(value, digits, written):
    assert repr(_digits(np.array([value, np.nan, np.inf]), digits)) == repr([written, None, None])


def test_a_key_of_a_detection_has_no_series_where_there_is_none():
    row = {"obs": "TESS", "filter": "tess", "series": "", "peak_mjd": 58025.123456}
    assert detection_key(row) == "TESS tess 58025.12346"
    assert parse_detection("TESS tess 58025.12346")["series"] == ""


def test_the_periodogram_keeps_the_highest_peak(built):
    source = source_of(built, "calm", "RA010")
    found = periodogram(source, **RANGES)
    whole = get_periodogram_stats(source.lightcurves[0].columns, (1.0, 20.0), oversampling=5)
    best = int(np.argmax(found["power"]))
    assert found["power"][best] == pytest.approx(whole.power.max(), abs=1e-5)
    assert found["period"][best] == pytest.approx(whole.periods[np.argmax(whole.power)], rel=1e-6)
    assert found["period"] == sorted(found["period"])
    assert len(found["period"]) <= 2000


def test_a_periodogram_needs_epochs_and_periods_that_fit(built):
    source = source_of(built, "calm", "RA010")
    assert periodogram(source, ranges=["900-1000 d"], oversampling=5, max_frequencies=1000) is None
    empty = source_of(built, "dark", "RA010")
    assert page_data(empty, project="DEMO", periods=RANGES)["periodogram"] is None


def test_a_periodogram_is_of_the_filters_that_were_searched(built):
    source = source_of(built, "calm", "RA010")
    rows = {"obs": ["DEMO"], "filter": [source.lightcurves[0].row["filter"]], "status": ["too few epochs"]}
    few = replace(source, periods=table(**rows, alias=[""], best_period=[np.nan], alias_period=[np.nan]))
    assert periodogram(source, **RANGES) is not None
    assert periodogram(few, **RANGES | {"max_frequencies": 1}) is None


def test_a_source_that_is_not_there_is_an_error_of_one_line(tmp_path):
    make_source_products(tmp_path)
    with pytest.raises(UserError, match="has no source 'nobody'; is it in the catalog, and of bin RA010"):
        read_sources(tmp_path / "DEMO", "RA010", ["DEMO"], ["nobody"])


def test_no_page_is_of_a_reduced_file_that_is_damaged(tmp_path):
    make_source_products(tmp_path)
    damage(tmp_path / reduced_file("DEMO", "DEMO", "RA010"))
    with pytest.raises(DamagedProductError, match="does not match the digest at its end"):
        read_sources(tmp_path / "DEMO", "RA010", ["DEMO"], ["calm"])


def test_no_sources_have_no_products(tmp_path):
    make_source_products(tmp_path)
    assert read_sources(tmp_path / "DEMO", "RA010", ["DEMO"], []) == []


def test_files_of_long_names_fit_into_a_folder_and_differ():
    first, second = (page_file("P", "RA001", "x" * 300 + end) for end in "ab")
    assert first != second
    assert len(first.rpartition("/")[2]) < 255


def test_all_keys_of_the_page_are_those_of_its_program():
    program = read_static("vetting.js")
    table_ = program.partition("const KEYS = {")[2].partition("  };")[0]
    keys = re.findall(r'(?:^|[{,\s])"?(\w|[+,.-])"?: \(\) =>|(?<=\s)(x): unmark', table_)
    assert {first or second for first, second in keys} == set(KEYS)


def test_what_pages_bring_along_is_what_its_list_says():
    import hashlib

    folder = PACKAGE_ROOT / "vo_lib/pages/static"
    for name, digest in re.findall(r"\| `(.*?)` \|.*`(\w{64})` \|", (folder / "README.md").read_text()):
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize(
    ("changes", "threshold", "has_light"),
    [
        ({}, True, False),
        ({"template": "dip", "width": 2.0}, True, True),
        ({"template": "dip", "width": np.nan}, True, False),
        ({"score": 0.9, "threshold": 0.5, "method": "Own"}, False, False),
        ({"threshold": np.nan}, False, False),
    ],
)
def test_a_close_up_has_what_is_known_of_a_detection(built, changes, threshold, has_light):
    source = source_of(built, "flare", "RA200")
    changed = {name: np.array([value]) for name, value in changes.items()}
    source.detections.update({name: values[:1] for name, values in source.detections.items()} | changed)
    row = page_data(source, project="DEMO")["detections"][0]
    low, high = row["around"]
    assert low < row["start_mjd"] <= row["end_mjd"] < high
    assert row["levels"]["noise"] > 0
    assert (row["levels"]["threshold"] is not None) == threshold
    assert (row["light"] is not None) == has_light
    if has_light:
        assert len(row["light"]["mjd"]) == len(row["light"]["flux"]) <= 2 * LIGHT_STEPS
        assert min(row["light"]["flux"]) == pytest.approx(row["levels"]["median"] + source.detections["amplitude"][0])


def test_the_lightcurve_of_a_detection_is_found_without_a_look_at_the_others(built):
    class Row(dict):
        reads = 0

        def __getitem__(self, name):
            Row.reads += name == "key"
            return super().__getitem__(name)

    source = source_of(built, "flare", "RA200")
    others = [replace(source.lightcurves[0], row=Row(source.lightcurves[0].row, key=f"other {n}")) for n in range(5)]
    many = {name: np.repeat(values[:1], 9) for name, values in source.detections.items()}
    found = page_data(replace(source, lightcurves=[*others, *source.lightcurves], detections=many), project="DEMO")
    assert [row["lightcurve"] for row in found["detections"]] == [5] * 9
    assert Row.reads == len(others)
