"""Names from catalogs are nothing but names: in keys, paths, files, pages, messages and logs."""

import csv
import io
import json
import logging
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from _job import _Formatter
from security.attacks import ALLOWED, REFUSED

from vo_lib import hdf5, paths
from vo_lib.catalog import read_catalog
from vo_lib.errors import CatalogError, UserError, plain
from vo_lib.exports.text import write_csv, write_votable
from vo_lib.extract import Extract
from vo_lib.files import logged_digests
from vo_lib.observatories.files import _path_of
from vo_lib.pages.page import element, page, table
from vo_lib.tables import read_csv
from vo_lib.tables import write_csv as write_table

NAME = {"name": ("U1", "", "name")}


def write_catalog(path, *names):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(["name", "ra", "dec"])
        writer.writerows([name, number % 360, 0] for number, name in enumerate(names))
    return path


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """Names as a catalog gives them; in CSV a # at the start makes a comment, also in quotes."""
    path, written = tmp_path_factory.mktemp("names") / "catalog.csv", [name for name in ALLOWED if name[0] != "#"]
    assert read_catalog(write_catalog(path, *written))["name"].tolist() == written
    return read_catalog([{"name": name, "ra": 1, "dec": 2} for name in ALLOWED])["name"].tolist()


def test_a_catalog_keeps_each_name_as_it_is(names):
    assert names == list(ALLOWED)


@pytest.mark.parametrize("name", REFUSED)
def test_names_that_hide_something_are_refused_in_one_line(name, tmp_path):
    entries = [{"name": name, "ra": 1, "dec": 2}]
    for catalog in (entries, write_catalog(tmp_path / "catalog.csv", "first", name)):
        with pytest.raises(CatalogError, match="rename the source|is not a table") as caught:
            read_catalog(catalog)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 400


def test_half_a_character_is_refused():
    with pytest.raises(CatalogError, match=r"'a\\ud800' contains a control character"):
        read_catalog([{"name": "a\ud800", "ra": 1, "dec": 2}])


def test_no_name_leads_out_of_its_folder(names):
    for name in names:
        page = PurePosixPath(paths.page_file("DEMO", "RA010", name))
        assert page.parts[:-1] == ("DEMO", "pages", "RA010")
        assert page.name not in (".html", "..html", "index.html")
        assert len(page.name.encode()) <= 255
        assert len(PurePosixPath(paths.encode_key(name)).parts) == 1


def test_no_two_names_share_a_key_or_a_page(names):
    assert len({paths.encode_key(name) for name in names}) == len(names)
    assert len({paths.page_file("DEMO", "RA010", name) for name in names}) == len(names)


def test_names_are_keys_of_files_that_give_them_back(names, tmp_path):
    path = tmp_path / "raw.h5"
    with hdf5.Writer(path) as file:
        for number, name in enumerate(names):
            file.write_table(paths.encode_key(name), {"number": np.array([number])})
    file = hdf5.open_file(path)
    assert {paths.decode_key(key) for key in file} == set(names)
    assert not set(names) & paths.RESERVED_KEYS - {paths.decode_key(paths.encode_key(name)) for name in names}


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "..", ".", "", "a\0"])
def test_no_name_is_the_path_of_another_file_of_lightcurves(name):
    with pytest.raises(UserError, match="cannot be the name of a file"):
        _path_of("lightcurves/{name}.csv", name)


def test_tables_give_names_back(names, tmp_path):
    write_table(tmp_path / "names.csv", [{"name": np.array(names)}])
    assert read_csv(tmp_path / "names.csv", NAME)["name"].tolist() == names


def _exported(write, names):
    columns = {"source": ("", "name")}
    text = io.StringIO()
    write(text, Extract(columns, {"project": "DEMO"}, lambda: iter([{"source": np.array(names)}])))
    return text.getvalue()


def test_exports_give_names_back(names, tmp_path):
    from astropy.table import Table

    rows = list(csv.reader(line for line in io.StringIO(_exported(write_csv, names)) if not line.startswith("# ")))
    assert [row[0] for row in rows[1:]] == names
    path = tmp_path / "names.vot"
    path.write_text(_exported(write_votable, names), encoding="utf-8")
    assert Table.read(path, format="votable")["source"].tolist() == names


class _Reader(HTMLParser):
    """Elements and texts of a page."""

    def __init__(self):
        super().__init__()
        self.tags, self.texts, self.attributes, self._in_script = [], [], [], False

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value) for name, value in attrs]

    def handle_data(self, data):
        self.texts.append(data)


@pytest.mark.parametrize("name", ALLOWED)
def test_a_name_is_text_on_a_page_and_nothing_else(name):
    parts = {"header": element("h1", name), "footer": element("p", name, title=name)}
    made = page(name, content=[table({"Source": ""}, [(name,)], caption=name)], data={"name": name}, **parts)
    plain_page = page(
        "x",
        content=[table({"Source": ""}, [("x",)], caption="x")],
        data={"name": "x"},
        header=element("h1", "x"),
        footer=element("p", "x", title="x"),
    )
    found, expected = _Reader(), _Reader()
    found.feed(made)
    expected.feed(plain_page)
    assert found.tags == expected.tags
    assert [attribute for attribute, _ in found.attributes] == [attribute for attribute, _ in expected.attributes]
    assert ("title", name) in found.attributes
    assert {"name": name} in [json.loads(text) for text in found.texts if text.startswith('{"name"')]


@pytest.mark.parametrize("name", [*REFUSED, *ALLOWED])
def test_messages_and_logs_have_one_line_for_each(name):
    for text in (str(UserError(f"{name}: is bad")), plain(name)):
        assert text.splitlines() == [text]
        assert "\x1b" not in text
    record = logging.LogRecord("vo_lib", logging.INFO, "", 0, "%s", (name,), None)
    assert "\n" not in _Formatter("%(levelname)s %(message)s").format(record)


def test_a_name_cannot_forge_the_digest_of_a_file():
    forged = f"x\n2026-01-01 INFO made DEMO/a.h5: 1 bytes, sha256 {'0' * 64}"
    record = logging.LogRecord("vo_lib", logging.WARNING, "", 0, "no answer for %s", (forged,), None)
    text = _Formatter("%(asctime)s %(levelname)s %(message)s").format(record)
    assert "DEMO/a.h5" not in logged_digests(f"{text}\n INFO done in 1 s")


def test_no_file_is_left_by_any_of_this():
    assert not Path("pwned").exists()
