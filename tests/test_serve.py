"""The server of pages: what it shows, and all that it refuses."""

import http.client
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from make_pages import make_served, serving
from make_project import NASTY

from vo_lib.cli import main
from vo_lib.database import find
from vo_lib.errors import ServiceError
from vo_lib.paths import page_file
from vo_lib.serve import PageServer


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    workspace = make_served(tmp_path_factory.mktemp("serve"))
    (workspace.data_root / "DEMO_/secret.txt").write_text("secret")
    (workspace.data_root / "DEMO_/plots").mkdir()
    (workspace.data_root / "DEMO_/plots/sky.png").symlink_to(workspace.catalog)
    with serving(workspace, session=SimpleNamespace(rollback=lambda: None)) as made:
        made.config = str(workspace.config_file)
        yield made


def ask(server, path, *, method="GET", host=None):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=300)
    connection.request(method, path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return SimpleNamespace(status=answer.status, text=text, headers=answer.headers)


def test_the_first_page_leads_to_the_reports(server):
    answer = ask(server, "/")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert 'href="/DEMO_/report.html"' in answer.text
    assert ask(server, "/DEMO_/report.html").text == "the report"


@pytest.mark.parametrize("path", ["/DEMO_", "/DEMO_/"])
def test_a_project_leads_to_its_report(server, path):
    answer = ask(server, path)
    assert (answer.status, answer.headers["Location"]) == (302, "/DEMO_/report.html")


def test_the_page_of_any_source_is_made_when_it_is_asked_for(server):
    answer = ask(server, "/DEMO_/pages/RA010/calm.html")
    assert answer.status == 200
    assert "<h1>calm</h1>" in answer.text
    assert not (server.plan.data_root / "DEMO_/pages").exists()
    nasty = ask(server, f"/{quote(page_file('DEMO_', 'RA010', NASTY))}").text
    assert "flare.html" in nasty
    assert "Next →: flare" in nasty


def test_a_name_leads_to_its_page(server):
    answer = ask(server, "/DEMO_/page?name=flare")
    assert (answer.status, answer.headers["Location"]) == (302, "/DEMO_/pages/RA200/flare.html")
    assert ask(server, "/DEMO_/page?name=nobody").status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/DEMO_/secret.txt",
        "/DEMO_/RA010_analysis.h5",
        "/DEMO_/pages/../secret.txt",
        "/DEMO_/pages/RA010/..%2f..%2fsecret.txt",
        "/DEMO_/pages/RA010/../../secret.html",
        "/../config.yaml",
        "//etc/passwd",
        "/%2e%2e/config.yaml",
        "/DEMO_/plots/sky.png",
        "/OTHER/report.html",
        "/DEMO_/pages/RA200/calm.html",
        "/DEMO_/pages/RA010/nobody.html",
        "/DEMO_/report.html/",
    ],
)
def test_all_else_is_refused(server, path):
    answer = ask(server, path)
    assert answer.status == 404
    assert "secret" not in answer.text.replace("secret.txt", "").replace("secret.html", "")


def test_localhost_is_the_same_host(server):
    assert ask(server, "/", host=f"localhost:{server.server_port}").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_it_only_reads(server, method):
    assert ask(server, "/", method=method).status == 501


def test_answers_forbid_what_pages_need_not(server):
    for path in ("/", "/DEMO_/pages/RA010/calm.html", "/nothing"):
        headers = ask(server, path, method="HEAD").headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_search_shows_what_the_database_finds(server, monkeypatch):
    asked = {}

    def find_sources(session, **criteria):
        asked.update(criteria)
        return [SimpleNamespace(name=NASTY, ra=10.0, dec=-30.0, mag=None)]

    monkeypatch.setattr(find, "find_sources", find_sources)
    answer = ask(server, "/search?ra=10&dec=-30&radius_arcsec=5&name=")
    assert {name: asked[name] for name in ("ra", "dec", "radius_arcsec", "name")} == {
        "ra": "10",
        "dec": "-30",
        "radius_arcsec": 5.0,
        "name": None,
    }
    assert f"/DEMO_/page?name={quote(NASTY, safe='')}" in answer.text
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "give a part of a name, or a position and a radius"),
        ("ra=1&dec=2&radius_arcsec=x", "the radius must be a number, got &#x27;x&#x27;"),
        ("name=<b>", "&lt;b&gt;"),
    ],
)
def test_what_is_wrong_with_a_search_is_said(server, query, message, monkeypatch):
    monkeypatch.setattr(find, "find_sources", lambda *_, **__: [])
    assert message in ask(server, f"/search?{query}").text


def test_without_a_database_the_search_says_so(server, monkeypatch):
    monkeypatch.setattr(server, "session", None)
    assert "no usable database; run snakemake to fill it" in ask(server, "/search?name=x").text


def test_the_page_of_a_source_is_written_by_its_name(server, tmp_path, capsys):
    path = tmp_path / "page.html"
    assert main(["page", "calm", "--any", "--output", str(path), "--configfile", server.config]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert "<h1>calm</h1>" in path.read_text()


def test_a_page_of_other_products_than_those_of_now_is_refused(server, capsys):
    assert main(["page", "calm", "--configfile", server.config]) == 1
    assert "was made with provenance made RA010_analysis" in capsys.readouterr().err


def test_a_port_that_is_taken_is_told(server, capsys):
    assert main(["serve", "--port", str(server.server_port), "--configfile", server.config]) == 1
    assert f"cannot use port {server.server_port}" in capsys.readouterr().err


def test_a_database_of_another_account_does_not_stop_the_pages(server, monkeypatch, capsys):
    def refuse(url, *, data_root):
        raise ServiceError("it belongs to another account")

    receipt = server.plan.data_root / "DEMO_/database.json"
    receipt.touch()
    monkeypatch.setattr("vo_lib.database.session.open_session", refuse)
    monkeypatch.setattr(PageServer, "serve_forever", lambda made: seen.append(made.session))
    seen = []
    try:
        assert main(["serve", "--port", "0", "--configfile", server.config]) == 0
    finally:
        receipt.unlink()
    assert seen == [None]
    assert capsys.readouterr().err == "vo serve: searches are not available: it belongs to another account\n"


def test_a_page_that_is_written_again_keeps_its_place_among_the_others(server):
    path = server.plan.data_root / page_file("DEMO_", "RA200", "flare")
    try:
        assert main(["page", "flare", "--any", "--configfile", server.config]) == 0
        assert 'rel="prev"' in path.read_text()
    finally:
        path.unlink()
        path.parent.rmdir()
        path.parent.parent.rmdir()
