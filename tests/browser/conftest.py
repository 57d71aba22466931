"""Chromium without a window, where there is one, and a project with its pages."""

import os
import shutil
import subprocess
import sys

import pytest
import report as script
from make_pages import make_pages
from make_project import params

from vo_lib.provenance import PACKAGE_ROOT

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="session")
def chromium():
    """The browser."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no chromium on this machine")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """Folder of a project with report and pages, one of which has a periodogram."""
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        make_pages(patch, folder)
        script.main("DEMO", "DEMO/report.html", params=params(num_best=1))
    return folder / "DEMO"


@pytest.fixture(scope="session")
def documentation(tmp_path_factory):
    """Folder of the site."""
    folder = tmp_path_factory.mktemp("documentation")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=PACKAGE_ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.fixture
def browse(chromium, site):
    """Open a page of the project; whatever it complains of is an error at the end of the test."""
    contexts, complaints = [], []

    def open_page(path, *, width=1280, scheme="light"):
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, accept_downloads=True
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url) if request.url.startswith("http") else None)
        page.goto(path if "://" in path else (site / path).as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
