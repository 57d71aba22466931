"""Pages can be used without a mouse and without eyes, as far as axe-core can tell."""

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from vo_lib.database import find
from vo_lib.pages.serve_pages import error_page, home_page, search_page

AXE = Path(__file__).with_name("axe.min.js")
LIGHT, DARK = (1280, "light"), (360, "dark")
PAGES = [
    ("report.html", *LIGHT),
    ("report.html", *DARK),
    ("pages/RA200/flare.html", *LIGHT),
    ("pages/RA200/flare.html", *DARK),
    ("pages/index.html", *LIGHT),
    ("home.html", *DARK),
    ("search.html", *LIGHT),
    ("search.html", *DARK),
    ("error.html", *DARK),
]
FOUND = [SimpleNamespace(name=name, ra=10.0, dec=-20.0, mag=mag) for name, mag in (("calm", 15.5), ("flare", None))]


@pytest.fixture
def served(site, monkeypatch):
    """Folder of the project with pages of the server itself beside."""
    plan, session = SimpleNamespace(folder="DEMO"), SimpleNamespace(rollback=lambda: None)
    monkeypatch.setattr(find, "find_sources", lambda *arguments, **options: FOUND)
    (site / "home.html").write_text(home_page(plan, ["DEMO", "OTHER"]))
    (site / "search.html").write_text(search_page(plan, session, {"name": "a"}))
    (site / "error.html").write_text(error_page("There is nothing at /x."))
    return site


@pytest.mark.parametrize(("path", "width", "scheme"), PAGES)
def test_axe_finds_nothing_serious_and_headings_are_in_order(browse, served, path, width, scheme):
    page = browse(path, width=width, scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    assert serious_faults(page) == []
    levels = page.eval_on_selector_all("h1, h2, h3", "all => all.map((one) => Number(one.tagName[1]))")
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def serious_faults(page):
    """What axe finds in a page that keeps people from using it."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run({preload: false})")
    assert len(found["passes"]) > 10
    return [
        (one["id"], one["nodes"][0]["html"][:200], one["nodes"][0].get("failureSummary"))
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("name", ["index", "tutorial", "notebook", "reference/config", "explanation/workflow"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_the_documentation(browse, documentation, name, scheme):
    page = browse((documentation / f"{name}.html").as_uri(), scheme=scheme)
    page.wait_for_selector(f"body[data-md-color-scheme={'default' if scheme == 'light' else 'slate'}]")
    assert serious_faults(page) == []
