"""Files from elsewhere are data: nothing in them is run, looked up or unpacked without end."""

import ast
import gzip
import pickle

import h5py
import numpy as np
import pytest
import yaml

from vo_lib.catalog import read_catalog
from vo_lib.catalogs import source as catalog_source
from vo_lib.config import complete, load_schema, read_config
from vo_lib.downloads.foreign_frames import read_frame
from vo_lib.errors import CatalogError, ConfigError, UserError
from vo_lib.plugins import load_class
from vo_lib.provenance import PACKAGE_ROOT

SOURCES = sorted(
    path for folder in ("vo_lib", "scripts", "extensions", "workflow") for path in (PACKAGE_ROOT / folder).rglob("*.py")
)
# What runs code of a file or of a text, by the names of the functions.
FORBIDDEN = {"eval", "exec", "__import__", "read_pickle", "unsafe_load", "full_load", "popen"}
SCHEMA = load_schema(PACKAGE_ROOT / "workflow/schemas/config.schema.yaml")
CONFIG = {"project": "demo", "catalog": {"file": "x.csv"}, "observatories": {"demo": None}}


def calls(path):
    """Calls in a file: name of the function, module or object before it, and keywords with constants."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            owner = ast.unparse(function.value) if isinstance(function, ast.Attribute) else ""
            yield name, owner, {word.arg: ast.unparse(word.value) for word in node.keywords}


def test_no_code_of_texts_or_files_is_run():
    found = {(path.name, name) for path in SOURCES for name, *_ in calls(path) if name in FORBIDDEN}
    assert found == set()
    # Patterns, and statements of SQLAlchemy, which become SQL.
    assert {owner for path in SOURCES for name, owner, _ in calls(path) if name == "compile"} == {"re", "statement"}
    assert not [path for path in SOURCES for name, owner, _ in calls(path) if (owner, name) == ("os", "system")]


def test_no_pickle_is_read_but_by_the_reader_that_runs_nothing():
    users = {path.name for path in SOURCES if "import pickle" in path.read_text(encoding="utf-8")}
    assert users == {"foreign_frames.py", "skyportal.py"}  # the second only writes them
    read = {
        (path.name, name) for path in SOURCES for name, owner, _ in calls(path) if owner == "pickle" and "load" in name
    }
    assert read == set()
    assert not [path for path in SOURCES for *_, words in calls(path) if words.get("allow_pickle") == "True"]
    assert not [path for path in SOURCES for name, owner, _ in calls(path) if (owner, name) == ("torch", "load")]


def test_no_program_is_started_by_a_shell():
    assert not [path for path in SOURCES for *_, words in calls(path) if words.get("shell") not in (None, "False")]


class _Harm:
    def __reduce__(self):
        return open, ("pwned", "w")


def test_the_pickle_of_a_frame_runs_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with h5py.File(tmp_path / "frame.h5", "w") as file:
        group = file.create_group("a")
        group.attrs.update({"pandas_type": np.bytes_(b"frame"), "nblocks": 1})
        group.create_dataset("block0_items", data=np.array([b"x"]))
        dataset = group.create_dataset("block0_values", (1,), dtype=h5py.vlen_dtype(np.uint8))
        dataset[0] = np.frombuffer(pickle.dumps(_Harm()), np.uint8)
        with pytest.raises(UserError, match=r"has a column of _?io\.open, which is not read"):
            read_frame(group)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    "text",
    [
        "project: !!python/object/apply:os.system ['touch pwned']",
        "!!python/object/new:os.system ['touch pwned']",
        "project: !!python/name:os.system",
        "a: " + "[" * 5000,
        "project: 2026-13-45",
        "? [a]: b\n: c",
        "\x00",
    ],
)
def test_yaml_of_a_configuration_makes_no_objects(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    assert str(caught.value).isprintable()
    assert list(tmp_path.iterdir()) == [path]


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize("text", [BOMB, BOMB.replace("x", "[]"), "a: &a [*a]", "a: &a {b: *a}"])
def test_aliases_of_yaml_that_repeat_without_end_are_refused(text):
    with pytest.raises(ConfigError, match=r"has more than 1,000,000 values or 100 sections inside one another"):
        complete(CONFIG | yaml.safe_load(text), SCHEMA)


@pytest.mark.parametrize(
    "project", ["demo\n", "../demo", "de mo", "demo;x", "$(x)", "{x}", "", "-x", ".", "d\u00e9mo", 'a"', "a'"]
)
def test_a_project_is_a_word_that_shells_and_folders_take_as_it_is(project):
    with pytest.raises(ConfigError, match="configuration: project: "):
        complete(CONFIG | {"project": project}, SCHEMA)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://x/y", "http://me:word@x/", "https://x/?key=1", "javascript:x"]
)
@pytest.mark.parametrize("key", ["url", "query_url"])
def test_addresses_of_catalogs_are_of_http_without_secrets(key, url):
    with pytest.raises(ConfigError, match=f"configuration: catalog.{key}: "):
        complete(CONFIG | {"catalog": {"default": "WD", key: url}}, SCHEMA)


@pytest.mark.parametrize(
    "path", ["os:system", "os.path:join", "../x:Y", "/tmp/x.py:Y", "x y:Z", ":Y", "os:", "builtins:eval"]
)
def test_a_class_is_loaded_by_the_name_of_its_module_alone(path):
    with pytest.raises(ConfigError, match="has no class|cannot import|does not name a class|fails when it is imported"):
        load_class(path)


VOTABLE = """<?xml version="1.0"?>{head}<VOTABLE><RESOURCE><TABLE>
<FIELD name="name" datatype="char" arraysize="*"/><FIELD name="ra" datatype="double"/>
<FIELD name="dec" datatype="double"/><DATA>{data}</DATA></TABLE></RESOURCE></VOTABLE>"""
ROWS = "<TABLEDATA><TR><TD>a{name}</TD><TD>1</TD><TD>2</TD></TR></TABLEDATA>"
ENTITIES = "".join(f'<!ENTITY {b} "{f"&{a};" * 20}">' for a, b in zip("abcdef", "bcdefg", strict=True))


@pytest.mark.parametrize(
    ("head", "data", "message"),
    [
        (f'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">{ENTITIES}]>', ROWS.format(name="&g;"), "defines entities"),
        ('<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>', ROWS.format(name="&a;"), "defines entities"),
        ("", '<BINARY><STREAM href="file:///etc/passwd"/></BINARY>', "has its data at file:///etc/passwd"),
        ("", '<BINARY2><STREAM\n encoding="gzip" href="http://127.0.0.1:9/"/></BINARY2>', "has its data at http"),
        ("", '<FITS><STREAM href="ftp://127.0.0.1:9/"/></FITS>', "has its data at ftp"),
    ],
)
def test_a_votable_leads_nowhere(head, data, message, tmp_path):
    path = tmp_path / "catalog.vot"
    path.write_text(VOTABLE.format(head=head, data=data))
    with pytest.raises(CatalogError, match=message):
        read_catalog(path)


def test_a_votable_of_before_schemas_is_read(tmp_path):
    path = tmp_path / "catalog.vot"
    head = '<!DOCTYPE VOTABLE SYSTEM "http://127.0.0.1:9/VOTable.dtd">'
    path.write_text(VOTABLE.format(head=head, data=ROWS.format(name="")))
    assert read_catalog(path)["name"].tolist() == ["a"]


@pytest.mark.parametrize("start", [b"name,ra,dec\n", b"", b"# %ECSV 1.0\n# ---\n# datatype: []\n"])
def test_a_packed_catalog_is_read_up_to_a_size(start, tmp_path, monkeypatch):
    monkeypatch.setattr(catalog_source, "FREE_BYTES", 1_000_000)
    path = tmp_path / "catalog.csv.gz"
    path.write_bytes(gzip.compress(start + b"a,1,2\n" * 1_000_000))
    with pytest.raises(CatalogError, match="unpacks to more than [0-9,]+ bytes"):
        read_catalog(path)


@pytest.mark.parametrize("header", ["[1, 2]", "text", "{datatype: 3}", "{datatype: [1]}", "{datatype: [{name: a}]}"])
def test_a_header_of_ecsv_that_is_none_is_one_line(header, tmp_path):
    path = tmp_path / "catalog.ecsv"
    path.write_text(f"# %ECSV 1.0\n# ---\n# {header}\nname ra dec\na 1 2\n")
    with pytest.raises(CatalogError, match="cannot be read as ECSV"):
        read_catalog(path)
