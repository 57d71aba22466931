"""The report in a browser: its long tables."""

import json

import numpy as np
import pytest
from make_project import NASTY

from vo_lib.pages.report_tables import detection_tables

NUMBER = 100_000


def rows(page, table):
    return page.locator(f"[data-table={table}] tbody tr")


def faint_of(detections):
    """Detections of one source that are fainter."""
    return int((detections["sign"][detections["source"] == "J00042"] < 0).sum())


def expect_text(place, text):
    """Wait until there is a text."""
    from playwright.sync_api import expect

    expect(place).to_contain_text(text, timeout=120_000)


def said(page, table):
    return page.locator(f"[data-table={table}] [role=status]").text_content()


def test_names_lead_to_pages(browse):
    page = browse("report.html")
    with page.expect_navigation():
        page.locator("[data-table=detections]").get_by_role("link", name="flare").click()
    assert page.locator("h1").text_content() == "flare"
    with page.expect_navigation():
        page.get_by_role("link", name="Report").click()
    assert rows(page, "detections").count() == 2
    assert NASTY in rows(page, "detections").nth(0).text_content()


def test_marks_are_shown_in_the_report(browse):
    page = browse("pages/RA200/flare.html")
    page.keyboard.press("a")
    with page.expect_navigation():
        page.get_by_role("link", name="Report").click()
    assert "artefact" in rows(page, "detections").filter(has_text="flare").text_content()
    assert "artefact" in rows(page, "sources").filter(has_text="flare").text_content()


def test_sources_are_chosen_by_interest(browse):
    page = browse("report.html")
    choice = page.locator("#sources-only")
    assert choice.locator("option").all_text_contents() == ["all (6)", "boring (4)", "interesting (2)"]
    choice.select_option("boring")
    assert said(page, "sources") == "Rows 1 to 4 of 4, out of 6"


def test_a_long_name_leaves_the_other_columns_in_sight(browse, site):
    folder = site.parent / "LONG"
    folder.mkdir()
    for name in ("report.html", "report_tables.js"):
        text = (site / name).read_text(encoding="utf-8")
        (folder / name).write_text(text.replace('"flare"', f'"{"long-name-" * 20}"'), encoding="utf-8")
    page = browse((folder / "report.html").as_uri())
    line = rows(page, "detections").filter(has_text="long-name")
    assert line.get_by_text("demo-g").bounding_box()["x"] < 900


@pytest.fixture(scope="module")
def many(site):
    """A report with a hundred thousand detections."""
    rng = np.random.default_rng(3)
    names = np.array([f"J{place:05d}" for place in range(NUMBER // 4)])
    texts = {"obs": "ZTF", "filter": "ztf-r", "series": "7", "method": "peak"}
    detections = {name: np.full(NUMBER, value) for name, value in texts.items()}
    detections |= {
        "source": np.tile(names, 4),
        "sign": rng.choice([-1, 1], NUMBER),
        "n_epochs": rng.integers(1, 9, NUMBER),
    }
    detections |= {name: rng.normal(10, 3, NUMBER) for name in ("snr", "score", "duration", "peak_mag", "dmag")}
    detections |= {"peak_mjd": rng.uniform(58000, 59000, NUMBER)}
    detections["peak_mag"][:10] = np.nan
    properties = {"source": names, "interest": np.full(len(names), "boring"), "n_epochs": np.ones(len(names), int)}
    folder = site.parent / "MANY"
    folder.mkdir()
    (folder / "report.html").write_bytes((site / "report.html").read_bytes())
    value = {"project": "MANY", "pages": {}, "tables": detection_tables(detections, properties)}
    (folder / "report_tables.js").write_text(f"window.voReport={json.dumps(value)}")
    return (folder / "report.html").as_uri(), detections


def test_a_hundred_thousand_rows_are_sorted_searched_and_turned(browse, many):
    address, detections = many
    page = browse(address)
    table = page.locator("[data-table=detections]")
    assert said(page, "detections") == "Rows 1 to 50 of 100,000"
    table.get_by_role("button", name="Peak [mag]").click()
    best = np.nanmax(detections["peak_mag"])
    assert f"{best:.3f}" in rows(page, "detections").nth(0).text_content()
    assert table.locator("th[aria-sort=descending]").count() == 1
    table.get_by_role("button", name="Peak [mag]").click()
    assert f"{np.nanmin(detections['peak_mag']):.3f}" in rows(page, "detections").nth(0).text_content()
    table.get_by_role("button", name="Last").click()
    assert said(page, "detections") == "Rows 99,951 to 100,000 of 100,000"
    assert "–" in rows(page, "detections").last.text_content()
    table.get_by_label("Search").fill("j00042 faint")
    expect_text(table.get_by_role("status"), "out of" if faint_of(detections) else "No row")
    assert rows(page, "detections").count() == faint_of(detections)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (360, "light")])
def test_the_report_fits_the_window(browse, width, scheme):
    page = browse("report.html", width=width, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
