"""Pages: all text is escaped, nothing is loaded."""

import re

import numpy as np
import pytest

from vo_lib.canvas import draw_png, new_figure
from vo_lib.pages.page import Html, element, figure, page, section, table


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (element("p", "a < b & c", 3), "<p>a &lt; b &amp; c3</p>"),
        (element("p", element("b", "x"), None), "<p><b>x</b></p>"),
        (element("a", "x", href='"><script>', class_=None), '<a href="&quot;&gt;&lt;script&gt;">x</a>'),
        (element("div", aria_label="it's", class_="soft"), '<div aria-label="it&#x27;s" class="soft"></div>'),
        (element("img", alt=""), '<img alt="">'),
    ],
)
def test_elements(made, text):
    assert isinstance(made, Html)
    assert made == text


def test_a_table_aligns_numbers_and_dashes_what_is_missing():
    columns = {"Source": "", "Epochs": ",d", "S/N": ".1f", "Why": "long"}
    text = table(
        columns,
        [("<a>", 12345, 5.04, "x"), ("b", None, float("nan"), None)],
        caption="Some & more",
    )
    assert re.findall(r"<td[^>]*>([^<]*)", text) == ["12,345", "5.0", "x", "–", "–", "–"]
    assert '<th scope="row">&lt;a&gt;</th><td class="number">12,345</td>' in text
    assert 'aria-label="Some &amp; more"' in text


def test_a_table_needs_as_many_cells_as_columns():
    with pytest.raises(ValueError, match="zip"):
        table({"a": "", "b": ""}, [("x",)], caption="")


def test_a_picture_states_its_size_and_what_it_shows():
    text = figure(draw_png(lambda: new_figure(2, 1)), alt='a "map"', caption="below")
    assert 'width="360" height="180"' in text
    assert 'alt="a &quot;map&quot;"' in text
    assert text.count("data:image/png;base64,") == 1


def test_a_page_forbids_to_load_and_run_anything():
    text = page(
        "<t>", header=[element("h1", "x")], content=[section("A & B", "text", identifier="a")], footer=element("p", "y")
    )
    assert text.startswith("<!DOCTYPE html>")
    assert "default-src &#x27;none&#x27;" in text
    assert "<title>&lt;t&gt;</title>" in text
    assert '<section id="a" aria-labelledby="a-title"><h2 id="a-title">A &amp; B</h2>text</section>' in text
    assert not re.search(r"https?:|<script|<link|url\(|@import", text)


def test_contrast_of_text_is_enough_in_both_themes():
    text = page("t", header=[], content=[], footer=Html(""))
    for block in re.findall(r":root \{(.*?)\}", text, flags=re.DOTALL):
        colours = {
            name: np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)])
            for name, code in re.findall(r"--(\w+): #(\w{6})", block)
        }
        for ink in ("ink", "soft", "link"):
            for paper in ("paper", "card", "band"):
                assert contrast(colours[ink], colours[paper]) >= 4.5, (ink, paper)


def contrast(first, second):
    """Contrast ratio of two colours as WCAG 2 defines it."""
    linear = [
        np.where(c <= 0.04045 * 255, c / 255 / 12.92, ((c / 255 + 0.055) / 1.055) ** 2.4) for c in (first, second)
    ]
    dark, light = sorted(float(c @ [0.2126, 0.7152, 0.0722]) for c in linear)
    return (light + 0.05) / (dark + 0.05)
