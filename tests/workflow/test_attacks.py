"""Names, folders and files that look like commands go through a whole run as they are."""

import csv

import pytest
from security.attacks import ALLOWED
from workspace import Workspace

from vo_lib.plan import read_plan

FOLDER = "a b'c\"d$(touch pwned)`touch pwned`;#%s&é"


def test_a_data_root_with_braces_is_refused_since_they_are_wildcards_for_snakemake(workspace):
    found = workspace.set("data_root", str(workspace.folder / "{bin}")).run()
    assert found.status != 0
    assert "{bin} contains a brace, a control character or one that is unknown in this locale" in found.output
    assert "Traceback" not in found.output
    assert not (workspace.folder / "{bin}").exists()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run in a folder, and with a catalog and sources, that have such names."""
    folder = tmp_path_factory.mktemp("attacks") / FOLDER
    folder.mkdir()
    made = Workspace(folder)
    made.catalog = folder / "catalog {input} $(touch pwned) '\".csv"
    made.set("catalog.file", str(made.catalog))
    with open(made.catalog, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(["name", "ra", "dec", "mag"])
        writer.writerows([name, 10.5, number - 20, 15] for number, name in enumerate(_names()))
    made.first = made.run("--printshellcmds")
    return made


def _names():
    """Names that a catalog in CSV can have."""
    return [name for name in ALLOWED if not name.startswith("#")]


def test_the_run_comes_to_its_end(run):
    assert run.first.status == 0, run.first.output
    assert run.run("--dry-run").idle


def test_no_name_is_run_as_a_command_or_leads_out_of_the_data_root(run):
    assert list(run.folder.parent.rglob("pwned*")) == []
    assert {path.name for path in run.folder.iterdir()} == {"data", "config.yaml", run.catalog.name}
    assert not (run.root / "pwned").exists()


def test_products_and_pages_are_of_all_names(run):
    with open(run.product("properties.csv"), newline="", encoding="utf-8") as file:
        assert {row["source"] for row in csv.DictReader(file)} == set(_names())
    plan = read_plan(run.config_file)
    assert {plan.catalog.find(name)[0]["name"] for name in _names()} == set(_names())


def test_no_page_has_an_element_from_a_name(run):
    for path in [run.product("report.html"), *run.product("pages").rglob("*.html")]:
        text = path.read_text(encoding="utf-8")
        assert "<script>alert(1)" not in text
        assert "<img src=x" not in text


def test_commands_find_and_show_all_names(run, capsys):
    for name in ("../../../etc/passwd", "'; DROP TABLE sources; --", "%s%n%(x)s", "{}"):
        assert run.vo("show", name) == 0, capsys.readouterr().err
        assert name in capsys.readouterr().out
