"""The page of a source in a browser."""

import json
import math

import pytest
from make_project import N_EPOCHS

from vo_lib.verdicts import read_verdicts

PAGE = "pages/RA200/flare.html"


def vetting(page, what):
    """What the charts of the page show."""
    return page.evaluate(f"window.vetting.{what}")


def chart_box(page):
    """Where the chart is in the window, in its middle."""
    page.evaluate("document.getElementById('chart').scrollIntoView({block: 'center'})")
    return page.locator("#chart .u-over").bounding_box()


def test_a_drag_zooms_and_a_double_click_shows_all(browse):
    page = browse(PAGE)
    low, high = vetting(page, "range")
    box = chart_box(page)
    x, y = box["x"], box["y"] + box["height"] / 2
    page.mouse.move(x + 0.25 * box["width"], y)
    page.mouse.down()
    page.mouse.move(x + 0.75 * box["width"], y, steps=4)
    page.mouse.up()
    near = vetting(page, "range")
    assert near == pytest.approx([low + 0.25 * (high - low), high - 0.25 * (high - low)], abs=0.02 * (high - low))
    page.keyboard.down("Shift")
    page.mouse.down()
    page.mouse.move(x + 0.65 * box["width"], y, steps=4)
    page.mouse.up()
    page.keyboard.up("Shift")
    moved = vetting(page, "range")
    assert moved[0] - near[0] == pytest.approx(0.05 * (high - low), rel=0.1)
    page.mouse.dblclick(x + 100, y)
    assert vetting(page, "range") == pytest.approx([low, high])


def test_buttons_and_keys_zoom_and_move(browse):
    page = browse(PAGE)
    low, high = vetting(page, "range")
    page.get_by_role("button", name="Zoom in").click()
    page.keyboard.press("+")
    near = vetting(page, "range")
    assert near[1] - near[0] == pytest.approx((high - low) / 4)
    page.keyboard.press(".")
    assert vetting(page, "range")[0] == pytest.approx(near[0] + (high - low) / 16)
    page.keyboard.press("0")
    assert vetting(page, "range") == pytest.approx([low, high])
    page.keyboard.press("c")
    assert vetting(page, "range") == pytest.approx(vetting(page, "near"))


def test_the_close_up_is_around_the_detection(browse):
    page = browse(PAGE)
    near = vetting(page, "near")
    peak = page.evaluate("JSON.parse(document.getElementById('data').textContent).detections[0].peak_mjd")
    assert near[0] < peak < near[1]
    assert near[1] - near[0] < 125


def test_the_close_up_has_the_levels_of_a_detection_without_template(browse):
    page = browse(PAGE)
    row = page.evaluate("JSON.parse(document.getElementById('data').textContent).detections[0]")
    assert row["method"] == "peak"
    assert row["light"] is None
    page.keyboard.press("m")
    levels, known = vetting(page, "levels"), row["levels"]
    assert (levels["median"], levels["threshold"]) == (known["median"], known["threshold"])
    assert levels["below"] + levels["above"] == pytest.approx(2 * known["median"])
    page.keyboard.press("m")
    assert vetting(page, "levels.threshold") == pytest.approx(23.9 - 2.5 * math.log10(known["threshold"]))
    assert "threshold 5" in page.locator("#closeup-readout").text_content()
    page.get_by_role("button", name="whole").click()
    assert vetting(page, "levels") == {}
    assert page.locator("#closeup-readout").text_content() == ""


def test_filters_flags_and_values_are_toggled(browse):
    page = browse("pages/index.html")
    with page.expect_navigation():
        page.get_by_role("link").nth(1).click()
    assert vetting(page, "points") == N_EPOCHS
    page.keyboard.press("f")
    assert vetting(page, "points") == N_EPOCHS - 1
    page.get_by_label("flagged epochs (hollow)").check()
    page.get_by_label("DEMO demo-g").uncheck()
    assert vetting(page, "points") == 0
    page.get_by_label("DEMO demo-g").check()
    assert vetting(page, "state.value") == "mag"
    page.keyboard.press("m")
    assert vetting(page, "state.value") == "flux"
    page.get_by_label("folded").check()
    page.get_by_label("Period [d]").fill("2.5")
    page.keyboard.press("Tab")
    assert vetting(page, "state.period") == 2.5
    low, high = vetting(page, "range")
    assert low < 0 < 2 < high < 2.2
    page.get_by_label("date", exact=True).check()
    assert vetting(page, "range")[0] > 50000


def test_each_of_many_filters_has_a_look_of_its_own(browse):
    page = browse(PAGE)
    names = [f"panstarrs-{band}" for band in "girzy"] + [f"ztf-{band}" for band in "gir"]
    looks = "(colours) => shapesOf(colours).map((shape, number) => `${shape} ${colours[number]}`)"
    for colours in (page.evaluate("bandColours", names), [number % 6 for number in range(36)], [2] * 6):
        assert len(set(page.evaluate(looks, colours))) == len(colours)


def test_filters_are_in_the_order_of_the_figures_and_have_their_colours(browse, site, tmp_path):
    before, start, rest = (site / PAGE).read_text().partition('id="data">')
    data, end, after = rest.partition("</script>")
    data = json.loads(data)
    data["lightcurves"] += [data["lightcurves"][0] | {"obs": "ATLAS", "filter": band} for band in ("o", "g")]
    (tmp_path / "x.html").write_text("".join([before, start, json.dumps(data), end, after]))
    page = browse((tmp_path / "x.html").as_uri())
    assert page.locator("#filters label").all_text_contents() == [" ATLAS g", " ATLAS o", " DEMO demo-g"]
    pixel = "(sign) => [...sign.getContext('2d').getImageData(14, 14, 1, 1).data.slice(0, 3)]"
    signs = page.locator("#filters canvas").evaluate_all(f"(signs) => signs.map({pixel})")
    assert ["#{:02X}{:02X}{:02X}".format(*sign) for sign in signs] == page.evaluate("[2, 0, 2].map(colourOf)")


def test_a_point_says_what_it_is(browse):
    page = browse(PAGE)
    box = chart_box(page)
    for part in range(10, 91, 4):
        page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + part / 100 * box["height"])
    assert page.locator("#readout").text_content().startswith("DEMO demo-g: MJD 58")


def test_marks_are_kept_and_exported_and_read_back(browse, tmp_path):
    page = browse(PAGE)
    page.get_by_label("Your name").fill('Ada "A", Lovelace')
    page.get_by_label("Your name").blur()
    page.keyboard.press("r")
    assert page.locator("[data-mark='0']").text_content() == "real"
    page.get_by_label("Note").fill("sharp")
    page.get_by_label("Note").blur()
    page.keyboard.press("j")
    page.keyboard.press("u")
    with page.expect_navigation():
        page.get_by_role("link", name="Previous").click()
    page.keyboard.press("a")
    with page.expect_navigation():
        page.keyboard.press("n")
    assert page.locator("h1").text_content() == "flare"
    assert page.locator("[data-mark='0']").text_content() == "real"
    with page.expect_download() as download:
        page.get_by_role("button", name="Export marks").click()
    assert download.value.suggested_filename == "DEMO_marks.csv"
    download.value.save_as(tmp_path / "marks.csv")
    rows = read_verdicts(tmp_path / "marks.csv", project="DEMO")
    assert sorted((row["source"] == "flare", row["detection"] != "", row["verdict"]) for row in rows) == [
        (False, True, "artefact"),
        (True, False, "unsure"),
        (True, True, "real"),
    ]
    assert {row["who"] for row in rows} == {'Ada "A", Lovelace'}
    assert [row["note"] for row in rows if row["verdict"] == "real"] == ["sharp"]


def test_the_field_of_a_note_says_which_detection_it_is_on(browse):
    page = browse(PAGE)
    note, named = page.locator("#note"), page.locator("#chosen")
    page.keyboard.press("j")
    assert note.get_attribute("placeholder") == f"on {named.text_content()}"
    note.fill("late")
    note.press("Tab")
    assert page.locator("#said").text_content() == f"Note on {named.text_content()}"


def test_a_mark_is_taken_back_and_keys_can_be_off(browse):
    page = browse(PAGE)
    page.keyboard.press("r")
    page.keyboard.press("x")
    assert page.locator("[data-mark='0']").text_content() == "–"
    page.get_by_label("Keyboard shortcuts").uncheck()
    page.get_by_label("Keyboard shortcuts").blur()
    page.keyboard.press("r")
    assert page.locator("[data-mark='0']").text_content() == "–"


def test_keys_are_letters_while_somebody_writes(browse):
    page = browse(PAGE)
    page.get_by_label("Note").fill("")
    page.get_by_label("Note").type("raxu")
    assert page.get_by_label("Note").input_value() == "raxu"
    assert page.locator("[data-mark='0']").text_content() == "–"


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_the_page_fits_the_window_and_its_charts_are_not_blank(browse, width, scheme):
    page = browse(PAGE, width=width, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    colours = page.evaluate(
        """() => [...document.querySelectorAll("#chart canvas, #closeup canvas")].map((canvas) =>
        new Set(new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer))
        .size)"""
    )
    assert len(colours) == 2
    assert min(colours) > 20


@pytest.mark.parametrize("days", [0.02, 0.3, 7, 11, 23, 32, 60, 250])
def test_ticks_say_where_they_are(browse, days):
    page = browse(PAGE)
    page.evaluate(
        f"(() => {{ const [low] = window.vetting.range; window.vetting.charts.main.show(low, low + {days}); }})()"
    )
    page.wait_for_function("window.vetting.charts.main.ticks.length > 2")
    texts, places = zip(*vetting(page, "charts.main.ticks"), strict=True)
    assert [float(text) for text in texts] == pytest.approx(places, abs=1e-4 * days, rel=0)


@pytest.mark.parametrize(
    ("ends", "ticks"), [([0, 1.5], ["1", "2", "5", "10", "20"]), ([-1.4, 3], ["0.1", "1", "10", "100", "1000"])]
)
def test_periods_have_round_ticks(browse, ends, ticks):
    page = browse(PAGE, width=700)
    look = "() => ({layers: [], whole: ends, tick: (x) => String(Number((10 ** x).toFixed(3)))})"
    page.evaluate(f"(ends) => {{ window.periods = makeChart(document.getElementById('chart'), 200, {look}); }}", ends)
    page.wait_for_function("window.periods.ticks?.length")
    assert [text for text, _ in page.evaluate("window.periods.ticks")] == ticks


def test_filters_have_the_colours_of_the_figures(browse):
    page = browse(PAGE)
    names = ["ztf-g", "demo-r", "panstarrs-i", "tess", "w-constructor"]
    assert page.evaluate("bandColours", names) == [2, 1, 3, 0, 4]
    assert page.evaluate("bandColours", [*(f"sdss-{band}" for band in "ugrizy"), "tess"])[6] == 0


def test_a_dark_page_is_printed_on_white_and_whole(browse):
    page = browse(PAGE, width=720, scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    colour = page.evaluate("getComputedStyle(document.querySelector('h1')).color")
    assert max(map(int, colour.removeprefix("rgb(").removesuffix(")").split(","))) < 64
    ends = "[...document.querySelectorAll('table, canvas')].map((e) => e.getBoundingClientRect().right)"
    assert max(page.evaluate(ends)) <= 720
