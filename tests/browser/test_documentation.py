"""The documentation as a site: it is built without complaints, and needs no network to be read."""

import re

from vo_lib.cli import VERBS
from vo_lib.config import load_schema
from vo_lib.observatories import OBSERVATORIES, get_class
from vo_lib.provenance import PACKAGE_ROOT


def test_no_page_loads_anything_from_the_network(documentation):
    loads = re.compile(
        r'<(?:script|img|iframe)[^>]*src="?(http[^">]*)|<link[^>]*rel="?stylesheet[^>]*href="?(http[^">]*)'
    )
    pages = list(documentation.rglob("*.html"))
    assert len(pages) > 40
    assert not [(page, found) for page in pages for found in loads.findall(page.read_text())]


def text_of(page):
    """HTML of a page without the places where names may be broken."""
    return page.read_text().replace("<wbr>", "")


def test_every_key_and_verb_and_rule_is_on_its_page(documentation):
    reference = documentation / "reference"
    schema = load_schema(PACKAGE_ROOT / "workflow" / "schemas" / "config.schema.yaml")
    keys = text_of(reference / "config.html") + text_of(reference / "surveys.html")
    assert not [key for key in leaves(schema["properties"]) if not re.search(rf"<code>[\w.]*{key}</code>", keys)]
    verbs = text_of(reference / "options.html")
    assert not [name for name in VERBS if f'id="vo-{name}"' not in verbs]
    rules = re.findall(
        r"^rule (\w+)", "".join(file.read_text() for file in (PACKAGE_ROOT / "workflow").rglob("*.smk")), re.M
    )
    page = text_of(reference / "rules.html")
    assert len(rules) > 8
    assert not [rule for rule in rules if f'id="{rule}"' not in page]


def test_every_survey_says_its_filters_times_columns_and_what_was_tried(documentation):
    page = text_of(documentation / "reference" / "surveys.html")
    parts = dict(re.findall(r'<h2 id="(\w+)">(.*?)(?=<h2|</article>)', page, flags=re.DOTALL))
    assert {name.upper() for name in parts} == set(OBSERVATORIES)
    for name, part in parts.items():
        told = get_class(name.upper())
        own = [told.filters, told.columns] if name != "files" else []
        assert not [word for words in own for word in words if f"<code>{word}</code>" not in part]
        for word in ("Times.", "Tried.", "simultaneous connections" if told.service else "<td>none</td>"):
            assert word in part, (name, word)


def leaves(properties):
    """Names of keys that are no sections."""
    for name, part in properties.items():
        if "properties" in part:
            yield from leaves(part["properties"])
        elif "$ref" not in part:
            yield name


def test_names_in_tables_break_between_their_words(documentation):
    page = (documentation / "plugins.html").read_text()
    assert "<code>vo_<wbr>lib.<wbr>quality_<wbr>checker.<wbr>QualityChecker</code>" in page
    assert "<code>vo_lib/batch.py</code>" in page


def test_the_graph_shows_the_rules(documentation):
    page = (documentation / "explanation" / "workflow.html").read_text()
    assert {"download", "reduce", "analyze", "combine", "report"} <= set(re.findall(r"<text[^>]*>(\w+)</text>", page))


def test_the_search_works_on_pages_from_the_disk(documentation, browse):
    page = browse((documentation / "index.html").as_uri())
    page.click(".md-search__input")
    page.keyboard.type("barycentric")
    page.wait_for_selector(".md-search-result__link")
    page.locator(".md-search-result__link").first.click()
    page.wait_for_url(re.compile(r"\.html"))
    assert "barycentric" in page.locator("article").inner_text().lower()
